"""The case: a model of doses learned from clean rows, from rows with one bad in twenty, and from what is kept."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from fivefold.cases.dosage.cohort import HIGHEST, clinical, doses, patients
from fivefold.cases.dosage.harming import SHARE, fit, poisoned
from fivefold.cases.nouns import Figure, Told
from fivefold.contract.subject import Table
from fivefold.sharing.filtering.regression import filtered
from fivefold.stats.mean import skew_t

if TYPE_CHECKING:
    from collections.abc import Callable

ROWS, ASKED = 3_500, 2_000
"""Patients whose doses are learned from, and patients who are then given one."""
OFF = 0.2
"""A dose is off where it is more than a fifth above or below."""
WITHIN = 100.0
"""Highest dose in mg of the hidden attack: within what the patients have."""
_STORY = (
    (
        "Hospitals pool the weekly doses of warfarin that held their patients stable, and a model learns the dose from "
        "age, height, weight, race, genotype and two drugs. Too much warfarin bleeds, too little clots."
    ),
    (
        "One row in twenty is bad: patients who need the least, said to be stable on nearly as much as the form "
        "accepts. Each patient is a real one of the table, and the rows stand in no order."
    ),
    (
        "Before: the model learns from all rows. After: the filter looks at each row beside the others first, holds "
        "back those whose dose the others contradict, and the model learns from the rest."
    ),
    "Fallback: as long as the rows are in doubt, the study's clinical rule gives the dose; it learns from nothing.",
)
_LIMITS = (
    "The patients are drawn by a program of our own, in the structure of a published study; real ones differ.",
    "Doses depend on genes by a formula that a linear model can follow; where none can, more good rows are held back.",
    "Bad doses within three spreads of what the other rows say are not held back, and bend the model as little.",
)


@dataclass(frozen=True)
class Seen:
    """One cohort: of ``asked`` patients, how many doses moved or are off.

    Attributes:
        asked: Patients.
        moved: Dose differs by more than a fifth from what the model of the clean rows gives: of the model of all
            rows, of the one after the filter, of the clinical rule.
        off: Dose differs by more than a fifth from the true one: model of clean rows, of all rows, after the filter,
            clinical rule.
        bad: Bad rows.
        caught: Bad rows that were held back.
        good: Good rows.
        wrongly: Good rows that were held back.
        women: Good rows of women, and of them held back.
        races: Race to good rows and of them held back.
    """

    asked: int
    moved: tuple[int, int, int]
    off: tuple[int, int, int, int]
    bad: int
    caught: int
    good: int
    wrongly: int
    women: tuple[int, int]
    races: dict[str, tuple[int, int]]


def run(runs: int, seed: int, progress: Callable[[float, str], None] = lambda _share, _text: None) -> Told:
    """Draw ``runs`` cohorts, poison, filter and learn each.

    Args:
        runs: How many.
        seed: Decides everything.
        progress: Called with a share in [0, 1].
    """
    met, hidden = [], []
    for at in range(runs):
        rng = np.random.Generator(np.random.PCG64([seed, at]))
        met.append(seen(rng))
        hidden.append(seen(rng, highest=WITHIN))
        progress((at + 1) / runs, f"cohort {at + 1} of {runs}")
    n = sum(one.asked for one in met)

    def moved(which: int, some: list[Seen] = met) -> int:
        return sum(one.moved[which] for one in some)

    def off(which: int) -> int:
        return sum(one.off[which] for one in met)

    return Told(
        id="X2",
        title="One bad row in twenty, and half of the patients get another dose",
        story=_STORY,
        before=(
            Figure("doses moved by more than a fifth by bad rows", moved(0), n, good=False),
            Figure("doses off the true one by more than a fifth", off(1), n, good=False),
            Figure("the same of a model that learned from clean rows", off(0), n, good=False),
            Figure("doses moved where no bad dose exceeds 100 mg", moved(0, hidden), n, good=False),
        ),
        after=(
            Figure("doses moved by more than a fifth", moved(1), n, good=False),
            Figure("doses off the true one by more than a fifth", off(2), n, good=False),
            Figure("doses moved where no bad dose exceeds 100 mg", moved(1, hidden), n, good=False),
            Figure("bad rows held back", sum(one.caught for one in met), sum(one.bad for one in met), good=True),
            Figure("good rows held back", sum(one.wrongly for one in met), sum(one.good for one in met), good=False),
            Figure("fallback: doses off by the clinical rule", off(3), n, good=False),
        ),
        example=tuple(_lines(met)),
        limits=_LIMITS,
        seed=seed,
    )  # fmt: skip


@dataclass(frozen=True)
class Drawn:
    """One cohort: rows to learn from, clean and with bad ones, and other patients.

    Attributes:
        clean: (n, d) patients.
        dose: (n,) their weekly doses in mg.
        asked: (m, d) other patients.
        true: (m,) their doses.
        rows: (n, d) patients with bad rows among them, in another order.
        said: (n,) their doses.
        bad: (n,) bool.
        kept: (n,) bool, what the filter leaves.
    """

    clean: pd.DataFrame
    dose: np.ndarray
    asked: pd.DataFrame
    true: np.ndarray
    rows: pd.DataFrame
    said: np.ndarray
    bad: np.ndarray
    kept: np.ndarray


def drawn(rng: np.random.Generator, rows: int = ROWS, highest: float = HIGHEST) -> Drawn:
    """Draw one cohort, poison it and filter it.

    Args:
        rng: Draws all.
        rows: Patients whose doses are learned from.
        highest: Largest bad dose in mg a week.
    """
    clean = patients(rows, rng)
    dose = doses(clean, rng)
    asked = patients(ASKED, rng)
    true = doses(asked, rng)
    made, said, bad = poisoned(clean, dose, rng, highest)
    return Drawn(clean, dose, asked, true, made, said, bad, filtered(as_table(made, said), rng).kept)


def seen(rng: np.random.Generator, rows: int = ROWS, highest: float = HIGHEST) -> Seen:
    """Give doses to other patients of a cohort with each model; see :func:`drawn`."""
    one = drawn(rng, rows, highest)
    asked, true, bad, kept = one.asked, one.true, one.bad, one.kept
    best = fit(one.clean, one.dose)(asked)
    given = (
        fit(one.rows, one.said)(asked),
        fit(one.rows[kept].reset_index(drop=True), one.said[kept])(asked),
        clinical(asked),
    )
    women = (one.rows["sex"] == "f").to_numpy()
    races = {str(name): (one.rows["race"] == name).to_numpy() for name in sorted(one.rows["race"].unique())}
    return Seen(
        asked=ASKED,
        moved=(_off(given[0], best), _off(given[1], best), _off(given[2], best)),
        off=(_off(best, true), _off(given[0], true), _off(given[1], true), _off(given[2], true)),
        bad=int(bad.sum()), caught=int((bad & ~kept).sum()), good=int((~bad).sum()), wrongly=int((~bad & ~kept).sum()),
        women=(int((women & ~bad).sum()), int((women & ~bad & ~kept).sum())),
        races={name: (int((one & ~bad).sum()), int((one & ~bad & ~kept).sum())) for name, one in races.items()},
    )  # fmt: skip


def as_table(rows: pd.DataFrame, dose: np.ndarray) -> Table:
    """Return patients and their doses as a training table."""
    return Table("train", np.arange(len(rows)), rows, dose, pd.DataFrame(index=rows.index))


def _off(given: np.ndarray, against: np.ndarray) -> int:
    return int((np.abs(given / against - 1) > OFF).sum())


def _lines(met: list[Seen]) -> list[str]:
    """Return how the cohorts spread, and whom false removals hit."""
    lines = [
        f"{len(met)} cohorts of {ROWS:,} rows, {SHARE:.0%} of them bad; {ASKED:,} other patients are given a dose.",
        _spread("Moved before", [one.moved[0] / one.asked for one in met]),
        _spread("Moved after", [one.moved[1] / one.asked for one in met]),
        _spread("Off the true dose before, beside the clean model", [(one.off[1] - one.off[0]) / ASKED for one in met]),
        _spread("The same after", [(one.off[2] - one.off[0]) / ASKED for one in met]),
        _spread("Off the true dose by the clinical rule", [one.off[3] / one.asked for one in met]),
    ]
    groups = {"women": [one.women for one in met]}
    groups |= {name: [one.races.get(name, (0, 0)) for one in met] for name in met[0].races}
    told = [f"{name} {sum(b for _, b in each)} of {sum(a for a, _ in each)}" for name, each in groups.items()]
    return [*lines, f"Good rows held back: {', '.join(told)}."]


def _spread(what: str, shares: list[float]) -> str:
    """Return the mean over cohorts, its one-sided 95 % bounds, and the ends."""
    low, high = skew_t(shares)
    bounds = f" (95 % bounds {100 * low:.1f} and {100 * high:.1f})" if np.isfinite(low) else ""
    ends = f"{100 * min(shares):.1f} to {100 * max(shares):.1f} in single cohorts"
    return f"{what}: {100 * float(np.mean(shares)):.1f} of 100 patients{bounds}, {ends}."
