"""The case: a score learned as usual, what the checks find, and the score corrected without asking for language."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from fivefold import catalogue
from fivefold.cases.immigrant.appeal import BRANCH, Walked, walked
from fivefold.cases.immigrant.people import LATE, LITTLE, SHARE, People, drawn, lesson
from fivefold.cases.nouns import Figure, Told
from fivefold.contract.check import Context
from fivefold.contract.outcome import Outcome
from fivefold.contract.subject import Capabilities, SettingsView, Subject, Table, Task
from fivefold.errors import UnsupportedError
from fivefold.fairness.gaps.check import run as gaps
from fivefold.fairness.mitigation.fair import Model, Scorer, learn
from fivefold.fairness.proxies.check import run as proxies
from fivefold.stats.ratio import miettinen_nurminen

if TYPE_CHECKING:
    from collections.abc import Callable

ROWS, ASKED = 8_000, 8_000
"""People whose records are learned from, and people who then ask for a loan."""
_CHECKED = 6_000
_STORY = (
    (
        "A lender scores people without a credit history by how they use the telephone network. The language that they "
        f"speak is no feature. {SHARE:.0%} of the people have little of the local language; they pay back as well as "
        "the others."
    ),
    (
        f"The lender's own records are not fair: {LATE:.0%} of the good payers with little of the language are on "
        "record as late, because reminders came as letters that they could not read. Foreign calls, menu language, "
        "few local contacts and a new number give them away, and the score learns to distrust all four."
    ),
    (
        "Found: F1.gaps compares the groups, and F1.proxies shows the features through which a language that is no "
        "feature acts. After: the same score with a correction that was fitted where the language is known and asks "
        "for none when it decides (fivefold model train --fair blind)."
    ),
    (
        "Challenged: in each town one good payer with little of the language, whom the uncorrected score refuses, "
        "appeals. Before, whoever refused her reviews it himself. After, the desk of fivefold appeal: the score is "
        "asked again, its answer is explained, the branch that refused her is turned away, somebody else decides, and "
        "the log proves the whole course."
    ),
)
_LIMITS = (
    "The people are drawn by a program of ours; real ones differ.",
    "Who pays back is known here for everybody; a lender knows it only of those who got a loan.",
    "Alike shares are right here because both groups pay back alike; elsewhere true-positive rates may be the aim.",
    "The reviewer is told by the program that she pays back; how well people judge appeals is not measured.",
)


@dataclass(frozen=True)
class Answered:
    """A stored model as a subject of checks."""

    scorer: Scorer

    @property
    def task(self) -> Task:
        """Two classes."""
        return "binary"

    @property
    def classes(self) -> tuple[str, ...]:
        """Refused and granted."""
        return self.scorer.model.classes

    @property
    def capabilities(self) -> Capabilities:
        """It answers for any row."""
        return Capabilities(scores=True, retrains=False, perturbable=True)

    def predict(self, table: Table) -> np.ndarray:
        """Return (n,) classes."""
        return np.asarray((self.predict_proba(table)[:, 1] >= 0.5).astype(np.int64))

    def predict_proba(self, table: Table) -> np.ndarray:
        """Return (n, 2) scores."""
        return self.scorer.predict_proba(table.features)

    def retrain(self, table: Table, seed: int) -> Subject:
        """Raise: it is not retrained."""
        raise UnsupportedError("case.retrain", f"{len(table)} rows, seed {seed}: this model is not retrained.")

    def gradient(self, table: Table, target: np.ndarray, loss: str) -> tuple[np.ndarray, np.ndarray]:
        """Raise: it gives none."""
        raise UnsupportedError("case.gradient", f"no {loss} of {len(table)} rows and {len(target)} targets.")


@dataclass(frozen=True)
class Seen:
    """One draw: before, after.

    Attributes:
        refused: Good payers refused, (of little language, of the others), before and after.
        good: Good payers, (of little language, of the others).
        ratio: Selection ratio with one-sided 95 % bounds, before and after.
        defaults: Granted loans that go bad, and loans granted, before and after.
        right: Answers that agree with the lender's record, before and after.
        gaps: Outcome of F1.gaps, before and after.
        proxies: Outcome of F1.proxies, before and after.
        appeal: The appeal of one good payer with little of the language who was refused, at a desk where anybody
            reviews, and at the product's own; None: nobody was wronged.
    """

    refused: tuple[tuple[int, int], tuple[int, int]]
    good: tuple[int, int]
    ratio: tuple[tuple[float, float, float], tuple[float, float, float]]
    defaults: tuple[tuple[int, int], tuple[int, int]]
    right: tuple[int, int]
    gaps: tuple[Outcome, Outcome]
    proxies: tuple[Outcome, Outcome]
    appeal: tuple[Walked, Walked] | None


def run(runs: int, seed: int, progress: Callable[[float, str], None] = lambda _share, _text: None) -> Told:
    """Draw ``runs`` towns, learn both scores in each, and ask the checks about them.

    Args:
        runs: How many.
        seed: Decides everything.
        progress: Called with a share in [0, 1].
    """
    met = []
    for at in range(runs):
        met.append(seen(np.random.Generator(np.random.PCG64([seed, at]))))
        progress((at + 1) / runs, f"town {at + 1} of {runs}")
    return Told(id="X7", title="A score of network behaviour, and who has little of the language", story=_STORY,
                before=_figures(met, 0), after=_figures(met, 1), example=tuple(_lines(met)), limits=_LIMITS,
                seed=seed)  # fmt: skip


def _figures(met: list[Seen], at: int) -> tuple[Figure, ...]:
    heard = [one.appeal[at] for one in met if one.appeal is not None]
    little, others = (sum(one.good[who] for one in met) for who in (0, 1))
    floor = _floors("F1.gaps")["min_selection_ratio"]
    return (
        Figure("good payers with little of the language refused", sum(one.refused[at][0] for one in met), little,
               good=False),
        Figure("good payers who speak it refused", sum(one.refused[at][1] for one in met), others, good=False),
        Figure("granted loans that go bad", sum(one.defaults[at][0] for one in met),
               sum(one.defaults[at][1] for one in met), good=False),
        Figure("answers that agree with the lender's records", sum(one.right[at] for one in met), ASKED * len(met),
               good=True),
        Figure(f"towns whose selection ratio is above {floor:g} with its bound",
               sum(one.ratio[at][1] > floor for one in met), len(met), good=True),
        Figure("towns in which F1.gaps fails", sum(one.gaps[at] is Outcome.FAIL for one in met), len(met), good=False),
        Figure("towns in which F1.gaps passes", sum(one.gaps[at] is Outcome.PASS for one in met), len(met), good=True),
        Figure("towns in which F1.proxies fails", sum(one.proxies[at] is Outcome.FAIL for one in met), len(met),
               good=False),
        Figure("appeals that the log proves sound from receipt to remedy", sum(not one.faults for one in heard),
               len(heard), good=True),
        Figure("appeals after which the good payer gets the loan", sum(one.answer == "grant" for one in heard),
               len(heard), good=True),
    )  # fmt: skip


def seen(rng: np.random.Generator) -> Seen:
    """Draw one town, learn from its records, and let other people ask for loans."""
    town, asking = drawn(ROWS, rng), drawn(ASKED, rng)
    models = [learn(lesson(town, town.recorded), method, "selection", rng) for method in ("none", "blind")]
    little, good = (asking.language == LITTLE).to_numpy(), asking.repays == 1
    refused, ratios, defaults, right, said = [], [], [], [], []
    for model in models:
        granted = Scorer(model).predict_proba(asking.features)[:, 1] >= 0.5
        refused.append((int((~granted & good & little).sum()), int((~granted & good & ~little).sum())))
        ratios.append(_ratio(granted, little))
        defaults.append((int((granted & ~good).sum()), int(granted.sum())))
        right.append(int((granted == (asking.recorded == 1)).sum()))
        said.append(checked(model, asking, rng))
    return Seen(
        refused=(refused[0], refused[1]), good=(int((good & little).sum()), int((good & ~little).sum())),
        ratio=(ratios[0], ratios[1]), defaults=(defaults[0], defaults[1]), right=(right[0], right[1]),
        gaps=(said[0][0], said[1][0]), proxies=(said[0][1], said[1][1]),
        appeal=walked(models[0], asking, int(rng.integers(1 << 32))),
    )  # fmt: skip


def _ratio(granted: np.ndarray, little: np.ndarray) -> tuple[float, float, float]:
    k1, n1, k2, n2 = (int((granted & little).sum()), int(little.sum()), int((granted & ~little).sum()),
                      int((~little).sum()))  # fmt: skip
    low, high = miettinen_nurminen(k1, n1, k2, n2)
    return k1 / n1 / (k2 / n2), float(low), float(high)


def checked(model: Model, asking: People, rng: np.random.Generator) -> tuple[Outcome, Outcome]:
    """Return what F1.gaps and F1.proxies say of a model; the language stands beside the features, not among them."""
    rows = min(_CHECKED, len(asking.repays))
    table = Table("test", np.arange(rows), asking.features[:rows], asking.repays[:rows],
                  pd.DataFrame({"language": asking.language[:rows]}))  # fmt: skip
    given = Context(
        subject=Answered(Scorer(model)), tables={"test": table}.__getitem__, rng=rng, thresholds=_floors("F1.gaps"),
        options={}, rows=rows, effort="quick",
        settings=SettingsView(positive=1, protected=("language",), classes=model.classes),
    )  # fmt: skip
    first = gaps(given).outcome
    other = Context(subject=given.subject, tables=given.tables, rng=rng, thresholds=_floors("F1.proxies"), options={},
                    rows=rows, effort="quick", settings=given.settings)  # fmt: skip
    return first, proxies(other).outcome


def _floors(check: str) -> dict[str, float]:
    return {floor.key: floor.value for entry, floor in catalogue.load().floors() if entry.id == check}


def _lines(met: list[Seen]) -> list[str]:
    """Return ratios and costs over all towns, worst and best."""
    lines = [f"{len(met)} towns; {ROWS:,} people are learned from, {ASKED:,} others ask for a loan."]
    for at, word in enumerate(("before", "after")):
        ratios = [one.ratio[at][0] for one in met]
        lows = [one.ratio[at][1] for one in met]
        lines.append(f"Selection ratio {word}: {min(ratios):.3f} to {max(ratios):.3f}; lowest bound {min(lows):.3f}.")
    lost = np.array([(one.right[0] - one.right[1]) / ASKED for one in met])
    bad = np.array([one.defaults[1][0] / one.defaults[1][1] - one.defaults[0][0] / one.defaults[0][1] for one in met])
    for name, values in (("agreement with the records lost", lost), ("loans that go bad, more", bad)):
        half = 2.0 * float(values.std(ddof=1) / np.sqrt(len(values))) if len(values) > 1 else float("nan")
        lines.append(f"Cost, {name}: {100 * values.mean():+.2f} points ({100 * (values.mean() - half):+.2f} to "
                     f"{100 * (values.mean() + half):+.2f}).")  # fmt: skip
    for desk in next((one.appeal for one in met if one.appeal is not None), ()):
        first = f"{BRANCH}, who had refused her, is turned away; {desk.reviewer} decides"
        first = first if desk.refused else f"{desk.reviewer}, who had refused her, decides"
        found = "; ".join(desk.faults) or "nothing is wrong"
        lines.append(f"Appeal: asked again, {desk.replayed}. {desk.reason} {first}: {desk.answer}, remedy: "
                     f"{desk.remedy}. The log ({desk.proven} records proven): {found}.")  # fmt: skip
    return lines
