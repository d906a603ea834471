"""The case: a gene guessed by asking a model of doses, one that remembers, and one that is private and coarse."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from fivefold.cases.dosage.cohort import clinical, doses
from fivefold.cases.dosage.cohort import patients as cohort
from fivefold.cases.dosage.harming import fit
from fivefold.cases.genetics.attacking import asked, by_answer, by_dose, patients
from fivefold.cases.genetics.learning import COARSE, EPSILON, EXACT, STEP, forest, private, told
from fivefold.cases.nouns import Figure, Told
from fivefold.protection.attribute.attack import Guess
from fivefold.stats.mean import skew_t

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import pandas as pd

    from fivefold.cases.genetics.attacking import Patients
    from fivefold.cases.genetics.learning import Model

ROWS = 3_500
"""Patients whose doses are learned from, and as many others."""
NEAR = 0.2
"""A dose is right within a fifth of the true one."""
WAYS = ("published", "without", "before", "line", "after", "read before", "read line", "read after")
"""Guesses: by published frequencies; without the model; with it before, with a linear one without privacy, and after;
the same of who also reads the dose proposed."""
_STORY = (
    (
        "Hospitals pool the doses of warfarin that held their patients stable. A model learns the dose from age, "
        "height, weight, sex, race, two drugs and two genes, and each hospital may ask it. Somebody in one of them, "
        "who has half of the rows, knows of the other patients all but their genes: the stable dose stands in every "
        "referral. He asks the model with each type of the gene VKORC1 and takes the one that fits."
    ),
    (
        "Harm is what the model adds to the best guess without it: published frequencies of the types, the stable "
        "dose, and whatever he learns from his own rows. Patients whom the model was learned from and others are "
        "counted apart: what is told of others is a fact about people in general, what is told of the first beyond "
        "that is memory of a person. Apart, too, is somebody who also reads the dose that the model proposed."
    ),
    (
        "Before: a forest as its library sets it, which answers to a tenth of a mg. After: a regression learned with "
        f"differential privacy (epsilon {EPSILON:g}), whose dose is told in steps of {STEP:.0f} mg a week."
    ),
    (
        "Privacy of training takes away the memory. It cannot take away that the dose depends on the gene: a proposed "
        "dose that helps the patient tells of the gene. Coarse steps make that less, at a price in doses that are "
        "right, and not little. So proposed doses are for the physician alone, whatever the steps are."
    ),
)
_LIMITS = (
    "The patients are drawn by a program of ours, in the structure of a published study; real ones differ.",
    "The frequencies that the attacker knows are those that the patients are drawn from; he cannot know them better.",
    "One gene is guessed, one way is counted: types guessed rightly. Rare types weigh little in that.",
    "These attacks: others may be better. Privacy bounds what memory any of them can use, and nothing else.",
)


@dataclass(frozen=True)
class Guessed:
    """Patients of one kind in one cohort whose type is guessed.

    Attributes:
        right: (8, n) bool, whether each of :data:`WAYS` is right.
        race: (n,) texts.
        sex: (n,) texts.
    """

    right: np.ndarray
    race: np.ndarray
    sex: np.ndarray

    def lead(self, way: str, group: str = "", over: str = "without") -> float:
        """Return how many more types are guessed rightly than another way, as a share; of a group, or of all."""
        here = slice(None) if not group else (self.race == group) | (self.sex == group)
        gained = self.right[WAYS.index(way)].astype(float) - self.right[WAYS.index(over)]
        return float(gained[here].mean())


@dataclass(frozen=True)
class Seen:
    """One cohort.

    Attributes:
        guessed: Of patients learned from, and of others.
        asked: Others who are given a dose.
        near: Of these, doses within a fifth of the true one: before, of the linear model, after, of the
            clinical rule.
    """

    guessed: tuple[Guessed, Guessed]
    asked: int
    near: tuple[int, ...]


@dataclass(frozen=True)
class Drawn:
    """One cohort: patients to learn from and others, their doses, and how they are guessed without the model."""

    rows: tuple[pd.DataFrame, pd.DataFrame]
    dose: tuple[np.ndarray, np.ndarray]
    victims: tuple[Patients, Patients]


def drawn(rng: np.random.Generator, rows: int = ROWS) -> Drawn:
    """Draw one cohort, and deal half of each kind of patients to the attacker."""
    people = cohort(rows, rng), cohort(rows, rng)
    dose = doses(people[0], rng), doses(people[1], rng)
    return Drawn(people, dose, (patients(people[0], dose[0], rng), patients(people[1], dose[1], rng)))


def run(runs: int, seed: int, progress: Callable[[float, str], None] = lambda _share, _text: None) -> Told:
    """Draw ``runs`` cohorts, learn three models in each, and attack them.

    Args:
        runs: How many.
        seed: Decides everything.
        progress: Called with a share in [0, 1].
    """
    met = []
    for at in range(runs):
        met.append(seen(np.random.Generator(np.random.PCG64([seed, at]))))
        progress((at + 1) / runs, f"cohort {at + 1} of {runs}")
    return Told(
        id="X4",
        title="A model of doses tells a gene that nobody was given",
        story=_STORY,
        before=_figures(met, "before", 0),
        after=_figures(met, "after", 2),
        example=tuple(_lines(met)),
        limits=_LIMITS,
        seed=seed,
    )


def seen(rng: np.random.Generator, rows: int = ROWS) -> Seen:
    """Learn from one cohort and attack; see :func:`drawn`."""
    one = drawn(rng, rows)
    models = (
        told(forest(one.rows[0], one.dose[0], rng), EXACT),
        told(fit(one.rows[0], one.dose[0]), EXACT),
        told(private(one.rows[0], one.dose[0], rng), COARSE),
    )
    return Seen(
        guessed=(_guessed(one.victims[0], models, rng), _guessed(one.victims[1], models, rng)),
        asked=rows,
        near=(*(near(model(one.rows[1]), one.dose[1]) for model in models), near(clinical(one.rows[1]), one.dose[1])),
    )


def near(dose: np.ndarray, true: np.ndarray) -> int:
    """Return how many doses are within a fifth of the true one."""
    return int((np.abs(dose / true - 1) <= NEAR).sum())


def over_cohorts(values: Sequence[float], confidence: float = 0.95) -> tuple[float, float, float]:
    """Return the mean and its one-sided bounds; infinite ones for fewer than three cohorts."""
    low, high = skew_t(values, confidence)
    return float(np.mean(values)), low, high


def _guessed(of: Patients, models: tuple[Model, ...], rng: np.random.Generator) -> Guessed:
    dosed, read = [Guess("published frequencies", of.chances.argmax(axis=1), of.chances), of.base], []
    for model in models:
        said, answers = model(of.rows), asked(of, model)
        dosed.append(by_dose(of, said, answers, rng))
        read.append(by_answer(of, said, answers))
    held = ~of.world.fit
    right = np.stack([(one.given == of.world.codes)[held] for one in (*dosed, *read)])
    return Guessed(right, of.rows["race"].to_numpy()[held], of.rows["sex"].to_numpy()[held])


def _figures(met: list[Seen], way: str, model: int) -> tuple[Figure, ...]:
    def count(which: int, how: str) -> tuple[int, int]:
        parts = [one.guessed[which].right[WAYS.index(how)] for one in met]
        return int(sum(part.sum() for part in parts)), sum(len(part) for part in parts)

    right, asked_ = sum(one.near[model] for one in met), sum(one.asked for one in met)
    return (
        Figure("types guessed of patients learned from", *count(0, way), good=False),
        Figure("the same without the model", *count(0, "without"), good=False),
        Figure("types guessed of other patients", *count(1, way), good=False),
        Figure("the same without the model", *count(1, "without"), good=False),
        Figure("types of other patients, by who reads the dose proposed", *count(1, f"read {way}"), good=False),
        Figure("doses proposed within a fifth of the true one", right, asked_, good=True),
    )


def leads(met: list[Seen], which: int, way: str, group: str = "", over: str = "without") -> list[float]:
    """Return the lead in each cohort, of patients learned from (0) or others (1); see :meth:`Guessed.lead`."""
    return [one.guessed[which].lead(way, group, over) for one in met]


def groups(met: list[Seen]) -> list[str]:
    """Return races and sexes."""
    first = met[0].guessed[0]
    return [str(name) for part in (first.race, first.sex) for name in np.unique(part.astype(str))]


def _lines(met: list[Seen]) -> list[str]:
    """Return leads with bounds over cohorts, by group, and what the controls cost."""
    lines = [
        f"{len(met)} cohorts: {met[0].asked:,} patients learned from, as many others; of each the attacker has half.",
        "Lead: of 100 patients, how many more types are guessed rightly than without the model.",
    ]
    for way, what in _MODELS.items():
        inside, outside = leads(met, 0, way), leads(met, 1, way)
        lines += [
            _spread(f"Lead {what}, patients learned from", inside),
            _spread(f"Lead {what}, other patients", outside),
            _spread(f"Memory {what}: the first less the second", list(np.subtract(inside, outside))),
            _spread(f"Lead {what} of who also reads the dose proposed, other patients", leads(met, 1, f"read {way}")),
        ]
    for way, what in (("without", "without the model"), ("before", "before"), ("after", "after")):
        found = leads(met, 1, way, over="published")
        lines.append(_spread(f"Other patients, more than published frequencies alone tell, {what}", found))
    lines += [_by_group(met, way) for way in ("before", "after", "read before", "read after")]
    for at, what in enumerate((*_MODELS.values(), "by the clinical rule, without genes")):
        lines.append(_spread(f"Right within a fifth, {what}", [one.near[at] / one.asked for one in met], "", "doses"))
    return lines


_MODELS = {"before": "before", "line": "of a linear model without privacy", "after": "after"}
_NAMES = {"f": "women", "m": "men", "unknown": "race unknown"}


def _by_group(met: list[Seen], way: str) -> str:
    """Return the lead in each group, and of the largest its bounds at a level that all groups share."""
    names, read = groups(met), way.startswith("read ")
    by = {_NAMES.get(name, name): leads(met, int(read), way, name) for name in names}
    means = {name: 100 * float(np.mean(each)) for name, each in by.items()}
    worst = max(means, key=lambda name: means[name])
    _, low, high = over_cohorts(by[worst], 1 - 0.05 / len(names))
    bounds = f" (bounds {100 * low:+.1f} and {100 * high:+.1f})" if np.isfinite(low) else ""
    what = f"other patients whose proposed dose is read, {way[5:]}" if read else f"patients learned from, {way}"
    shown = ", ".join(f"{name} {mean:+.1f}" for name, mean in means.items())
    return f"By group, {what}: {shown}; most {worst}{bounds}."


def _spread(what: str, values: list[float], sign: str = "+", unit: str = "patients") -> str:
    """Return the mean over cohorts and its one-sided 95 % bounds."""
    mean, low, high = over_cohorts(values)
    bounds = f" (95 % bounds {100 * low:{sign}.1f} and {100 * high:{sign}.1f})" if np.isfinite(low) else ""
    return f"{what}: {100 * mean:{sign}.1f} of 100 {unit}{bounds}."
