"""Check S5.outliers: rows that could not be among the training data, counted against such rows made on purpose."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from fivefold.contract.finding import Bar, Canary, Measure, Plot, Result
from fivefold.contract.outcome import Outcome
from fivefold.errors import UnsupportedError
from fivefold.sharing.filtering.columns import alike
from fivefold.sharing.filtering.foreign import (
    ANYWHERE,
    MAKERS,
    MIXED,
    SLIPPED,
    Kind,
    Sample,
    suspicion,
    told_apart,
)
from fivefold.sharing.filtering.harm import Harm, harm
from fivefold.sharing.filtering.recall import PRECISION, recall
from fivefold.sharing.filtering.units import Slip, slips
from fivefold.stats.judge import judge

if TYPE_CHECKING:
    import pandas as pd

    from fivefold.contract.check import Context
    from fivefold.contract.subject import Table

FLOOR = "max_foreign"
_FEWEST = 200
_WIDE, _NEAR, _NEAREST = 0.5, 0.25, 0.1875
_OF_NEAREST = 1.5
_ALIKE, _APART = 0.6, 0.8
_MOST = 0.4
_SUSPECT = 0.9
_STRIPPED = 0.75
_ORDER = (Outcome.FAIL, Outcome.INCONCLUSIVE, Outcome.PASS)
_REMEDY = (
    "Look at the rows that look most foreign, drop them, and find out how they got in: joins that mix rows, units that "
    "differ between sources, files of another system."
)
_OPEN = (
    "No row is known to be foreign. If you doubt them, look at some of the rows that look most foreign, and at how the "
    "sources are joined."
)
_NAMES = {
    MIXED: "rows put together from several",
    ANYWHERE: "rows of random values",
    SLIPPED: "rows with a slipped unit or sign",
}


@dataclass(frozen=True)
class Judged:
    """One foreign kind, judged.

    Attributes:
        kind: The kind.
        confidence: Of a failure, corrected for the number of kinds.
    """

    kind: Kind
    confidence: float

    @property
    def low(self) -> float:
        """Corrected lower bound of the share, where the kind lies thickest."""
        return self.kind.bounds(_NEAR, self.confidence)[0]

    def flat(self, floor: float) -> bool:
        """Return whether the share is about the same ever nearer to the kind; honest rows thin out there."""
        nearest, wide = self.kind.share(_NEAREST), self.kind.share(_WIDE)
        alike = max(wide, self.kind.share(_NEAR)) <= _OF_NEAREST * nearest
        return alike and wide <= _MOST and self.kind.bounds(_NEAREST, self.confidence)[0] > floor

    def measure(self, floor: float) -> Measure:
        """Judge: a pass needs the plain upper bound, a failure the corrected lower one, :meth:`flat` and an AUC."""
        auc = self.kind.auc
        share = self.kind.share(_WIDE)
        low, high = min(self.low, share), self.kind.bounds(_WIDE, 0.95)[1]
        outcome = judge(low, high, floor, "max")
        note = f"Foreign rows made on purpose are told from yours with AUC {auc:.2f}."
        if outcome is Outcome.FAIL and not (auc >= _APART and self.flat(floor)):
            outcome = Outcome.INCONCLUSIVE
            note += " Your rows come too close to them to call any of yours foreign."
        return Measure(
            name="rows of a foreign kind", value=share, low=low, high=high, threshold=floor, direction="max",
            outcome=outcome, unit="share", n=len(self.kind.real), where=_NAMES[self.kind.name], note=note,
        )  # fmt: skip


def run(context: Context) -> Result:
    """Bound the share of training rows that could not be, and prove that planted ones would be found.

    Threat: rows of a bad join, in another unit or thrown in on purpose are learned as if they were real.
    Limit: a foreign row that looks like yours is not seen, and neither is another population of rows that agree with
    each other: whether those belong is for people to say.

    Args:
        context: Data set ``train``; threshold ``max_foreign``.

    Raises:
        UnsupportedError: ``filter.rows`` with fewer than 200 training rows, ``filter.columns`` where none varies.
    """
    table = _sampled(context)
    sample, floor = Sample.of(table, alike(table)), context.thresholds[FLOOR]
    context.progress(0.1, "telling rows from foreign ones")
    kinds = told_apart(sample, context.rng, sample.makers)
    if not kinds:
        raise UnsupportedError("filter.columns", "no column of the training data varies.")
    judged, tied = _judged(kinds)
    parts = [one.measure(floor) for one in judged] + _slipped(sample, floor)
    context.progress(0.35, "planting foreign rows")
    kept = _ordinary(sample, judged)
    proof, found = _prove(sample.take(kept), judged, floor, context.rng)
    powers = [recall("foreign rows", one.kind.real, one.wrong, _NAMES[one.kind.name]) for one in found]
    cost = _harm(context, table.take(kept), found)
    outcome = _overall(parts) if proof.noticed else Outcome.INCONCLUSIVE
    bars = tuple(Bar(label=one.where, value=one.value or 0.0, low=one.low, high=one.high, n=one.n) for one in parts)
    plots = [Plot(kind="intervals", title="Rows of a foreign kind, at most", x_label="share of the rows", bars=bars,
                  threshold=floor)] if bars else []  # fmt: skip
    if powers:
        plots.append(Plot(kind="curves", title="Planted foreign rows found", x_label="share found", y_label="precision",
                          curves=tuple(curve for _, curve in powers), threshold=PRECISION))  # fmt: skip
    return Result(
        outcome=outcome,
        reason=_reason(outcome, proof, parts),
        measures=(*parts, *(one for one, _ in powers), _flagged(suspicion(kinds)), *cost.measures),
        canary=proof,
        plots=(*plots, *cost.plots),
        limits=(
            "Another population whose rows agree with each other is not called foreign.",
            "Foreign rows that look like yours are not found.",
            *(f"Here {_NAMES[one]} do not differ from yours: nothing ties your columns together that way."
              for one in tied),
            *cost.limits,
        ),
        remedy={Outcome.FAIL: _REMEDY, Outcome.INCONCLUSIVE: _OPEN}.get(outcome, ""),
    )  # fmt: skip


def _sampled(context: Context) -> Table:
    table = context.tables("train")
    if len(table) < _FEWEST:
        raise UnsupportedError("filter.rows", f"there are fewer than {_FEWEST} training rows.")
    if len(table) > context.rows:
        return table.take(np.sort(context.rng.choice(len(table), context.rows, replace=False)))
    return table


def _judged(kinds: list[Kind]) -> tuple[list[Judged], list[str]]:
    """Return the kinds that differ from the rows at all, and the names of those that are ordinary here."""
    differing = [kind for kind in kinds if kind.auc >= _ALIKE]
    confidence = 1 - 0.05 / max(len(differing), 1)
    return [Judged(kind, confidence) for kind in differing], [kind.name for kind in kinds if kind.auc < _ALIKE]


def _slipped(sample: Sample, floor: float) -> list[Measure]:
    """Judge the worst of the columns and factors that can be told."""
    able = slips(sample.rows) if sample.named else []
    failing = 1 - 0.05 / max(len(able), 1)
    return sorted((_judge(one, floor, failing) for one in able if not one.tail), key=_worst)[:1]


def _judge(slip: Slip, floor: float, failing: float) -> Measure:
    """Judge one column and factor; a heap of another shape may be another population."""
    low, high = slip.bounds(failing)[0], slip.at_most(0.95)
    outcome = judge(low, high, floor, "max")
    note = f"{slip.there} values stand there, in the shape of the others with a chance of {slip.shape:.2g}."
    if outcome is Outcome.FAIL and not slip.alike:
        outcome = Outcome.INCONCLUSIVE
        note += " They may be another population."
    return Measure(
        name="rows of a foreign kind", value=slip.share, low=low, high=high, threshold=floor, direction="max",
        outcome=outcome, unit="share", n=slip.rows, where=slip.told, note=note,
    )  # fmt: skip


def _worst(one: Measure) -> tuple[int, float]:
    return _ORDER.index(one.outcome or Outcome.PASS), -(one.high or 0.0)


def _overall(parts: list[Measure]) -> Outcome:
    said = {one.outcome for one in parts}
    return next((one for one in _ORDER if one in said), Outcome.INCONCLUSIVE)


@dataclass(frozen=True)
class Planted:
    """Rows among which foreign ones of one kind were planted, judged as the rows themselves are.

    Attributes:
        rows: (m, d) frame: what looked ordinary, and the planted rows.
        wrong: (m,) bool, the planted ones.
        kind: How they and the others look.
    """

    rows: pd.DataFrame
    wrong: np.ndarray
    kind: Kind


def _prove(
    ordinary: Sample, judged: list[Judged], floor: float, rng: np.random.Generator
) -> tuple[Canary, list[Planted]]:
    """Plant each kind at a drawn rate in a copy of ordinary rows, which must not fail without it.

    A kind is noticed where its share rises clear of the floor *and* of what stood there before.
    """
    if len(ordinary.rows) < _FEWEST // 2:
        detail = "Too few of your rows look ordinary to plant any among them."
        return Canary(
            kind="foreign rows", planted=0, found=0, clean=0, false_alarms=0, noticed=False, detail=detail
        ), []
    able = [one for one in judged if one.kind.auc >= _APART]
    rate = min(float(rng.uniform(2.5, 3.5)) * floor, 0.2)
    size = int(np.ceil(rate * len(ordinary.rows)))
    names = tuple(one.kind.name for one in judged)
    before = {one.kind.name: one for one in _judged(told_apart(ordinary, rng, names))[0]}
    clean = int(bool(before))
    alarms = int(
        _overall([*(one.measure(floor) for one in before.values()), *_slipped(ordinary, floor)]) is Outcome.FAIL
    )
    noticed, made = 0, []
    for one in able:
        name = one.kind.name
        foreign = MAKERS[name](ordinary.rows, rng)
        chosen = rng.choice(foreign.index.to_numpy(), min(size, len(foreign)), replace=False)
        wrong = np.isin(np.arange(len(ordinary.rows)), chosen)
        spoilt = ordinary.plant(foreign, wrong)
        for kind in told_apart(spoilt, rng, (name,)):
            stood = before[name].kind.share(_WIDE) if name in before else 0.0
            noticed += kind.bounds(_WIDE, 0.95)[0] > max(floor, stood)
            made.append(Planted(spoilt.rows, wrong, kind))
    tried, seen = _one_column(ordinary, int(1.4 * size), floor, rng)
    noticed, every = noticed + seen, len(able) + tried
    proof = Canary(
        kind="foreign rows", planted=every, found=noticed, clean=clean, false_alarms=alarms,
        noticed=every > 0 and noticed == every and clean == 1 and not alarms,
        detail=f"{rate:.1%} of the rows that look ordinary replaced, once for each kind that can be told from yours, "
        f"and {1.4 * rate:.1%} with one column in another unit; the clean case is those rows as they are.",
    )  # fmt: skip
    return proof, made


def _one_column(ordinary: Sample, size: int, floor: float, rng: np.random.Generator) -> tuple[int, int]:
    """Return whether one column was put into another unit in some rows, and whether that was noticed."""
    every = slips(ordinary.rows) if ordinary.named else []
    able = [one for one in every if one.clear]
    if not able:
        return 0, 0
    slip = able[int(rng.integers(len(able)))]
    values = ordinary.rows.iloc[:, slip.position].astype("float64").copy()
    known = np.flatnonzero(values.fillna(0) != 0)
    chosen = rng.choice(known, min(size, len(known)), replace=False)
    values.iloc[chosen] *= slip.factor
    spoilt = values.to_frame(slip.column)
    return 1, int(any(one.factor == slip.factor and one.bounds(0.95)[0] > floor for one in slips(spoilt)))


def _ordinary(sample: Sample, judged: list[Judged]) -> np.ndarray:
    """Return the positions of rows that look like no kind: outside where most of each kind lies."""
    odd = np.zeros(len(sample.rows), dtype=bool)
    for one in judged:
        if one.kind.auc >= _APART:
            odd |= one.kind.inside(_STRIPPED)
    for slip in slips(sample.rows) if sample.named else ():
        if slip.alike and not slip.tail:
            odd |= slip.among(sample.rows)
    return np.flatnonzero(~odd)


def _harm(context: Context, table: Table, found: list[Planted]) -> Harm:
    """Train with the kind planted last: a slipped unit or sign where that can be told."""
    if not found:
        return Harm()
    if table.kind != "table":
        return Harm(limits=("What foreign rows cost the model is measured for tables only.",))
    last = found[-1]
    return harm(context, table, table.with_features(last.rows), last.kind.real <= _SUSPECT, _NAMES[last.kind.name])


def _flagged(suspected: np.ndarray) -> Measure:
    bad = int((suspected > _SUSPECT).sum())
    return Measure(
        name="rows to look at", value=bad / len(suspected), unit="share", n=len(suspected),
        note=f"{bad} rows look foreign with a chance above {_SUSPECT:.0%}, were there as many foreign ones as yours.",
    )  # fmt: skip


def _reason(outcome: Outcome, proof: Canary, parts: list[Measure]) -> str:
    if not parts:
        return "Foreign rows made on purpose do not differ from yours, so nobody could tell whether some are there."
    if not proof.planted:
        what = "differ too little from yours" if proof.clean else "resemble too many of yours"
        return f"Foreign rows made on purpose {what} to tell whether some are there."
    if not proof.noticed:
        return "Planted foreign rows were not noticed, or ordinary rows were called foreign, so nothing is concluded."
    worst = max(parts, key=lambda one: (one.outcome is outcome, one.value or 0.0))
    if outcome is Outcome.FAIL:
        return f"At least {worst.low or 0.0:.1%} of the rows are of a foreign kind: {worst.where}."
    if outcome is Outcome.PASS:
        return f"At most {max(one.high or 0.0 for one in parts):.1%} of the rows can be of a foreign kind."
    return f"Up to {worst.high or 1.0:.1%} of the rows may be {worst.where}; it stays open whether any are."
