"""Check D2.drift: how far the test data lie from the training data, column by column and jointly."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from fivefold.contract.finding import Bar, Canary, Measure, Plot, Result
from fivefold.contract.outcome import Outcome
from fivefold.errors import UnsupportedError
from fivefold.governance.quality import reading
from fivefold.governance.quality.judging import named, worst
from fivefold.stats.auc import bound, delong
from fivefold.stats.judge import judge
from fivefold.stats.repeats import numbers

if TYPE_CHECKING:
    from fivefold.contract.check import Context
    from fivefold.contract.subject import Table

SHIFT, AUC = "max_shift", "max_joint_auc"
_LEVELS = 30
_RARE = 10
_SHOWN = 12
_FEWEST = 30
_JOINT = 4000
_CASES = 4
_REMEDY = (
    "Part the data again by chance, or say why they differ (another time, place or source) and test on data as they "
    "are in use; drop columns that only say when or where a row was taken."
)


def run(context: Context) -> Result:
    """Compare training and test data.

    Threat: the test is of other people, times or machines than the training was, so its figures say nothing of use.
    Limit: it compares what was given; live data may differ from both.

    Args:
        context: Data sets ``train`` and ``test``; thresholds ``max_shift`` and ``max_joint_auc``.

    Raises:
        UnsupportedError: ``quality.rows`` with fewer than 30 rows on a side; see
            :func:`fivefold.governance.quality.reading.each`.
    """
    found = reading.each(context, lambda table: reading.few(table, context))
    if len(found) < 2:
        raise UnsupportedError("quality.data", "data.train and data.test are both needed.")
    train, test = found
    if min(len(train), len(test)) < _FEWEST:
        raise UnsupportedError("quality.rows", f"fewer than {_FEWEST} rows on one side.")
    floor = context.thresholds[SHIFT]
    parts = _columns(train, test, floor)
    context.progress(0.5, "all columns together")
    joint = _jointly(train, test, context)
    proof = _prove(train, context)
    ordered = sorted(parts, key=lambda one: -(one.value or 0.0))
    over = [one for one in ordered if one.outcome is not Outcome.PASS]
    measures = (*(over or ordered[:1])[:_SHOWN], joint)
    outcome = worst([*parts, joint]) if proof.noticed else Outcome.INCONCLUSIVE
    bars = tuple(Bar(label=one.where, value=one.value or 0.0, low=one.low, high=one.high) for one in ordered[:_SHOWN])
    return Result(
        outcome=outcome,
        reason=_reason(outcome, proof, measures, len(parts), joint),
        measures=measures,
        canary=proof,
        plots=(
            Plot(kind="intervals", title="How far each column moved", x_label="distance", bars=bars, threshold=floor),
        ),
        limits=("Live data may differ from both sets.",),
        remedy="" if outcome is Outcome.PASS else _REMEDY,
    )


def _reason(outcome: Outcome, proof: Canary, measures: tuple[Measure, ...], count: int, joint: Measure) -> str:
    if not proof.noticed:
        return "A planted shift was not noticed, so nothing is concluded."
    together = f"a model tells training from test rows with AUC {joint.value or 0.5:.2f}"
    if outcome is Outcome.FAIL:
        return f"Training and test data differ in {named(measures)}; {together}."
    if outcome is Outcome.PASS:
        return f"None of {count} columns moved far, and {together}."
    return f"These rows are too few to tell how far the data moved; {together}."


def _columns(train: Table, test: Table, floor: float) -> list[Measure]:
    names = [name for name in train.features.columns if name in test.features.columns]
    count = max(len(names), 1)
    return [_column(str(name), train.features[name], test.features[name], count, floor) for name in names]


def _column(name: str, one: pd.Series, other: pd.Series, count: int, floor: float) -> Measure:
    """Return the distance of two samples; a failure holds for all columns at once (Dvoretzky, Kiefer and Wolfowitz)."""
    a, b = _levels(one, other)
    value, bias = distance(a, b)
    n, m = len(one), len(other)
    root = np.sqrt(1 / n + 1 / m)
    low = max(value - bias - np.sqrt(np.log(2 * count / 0.05) / 2) * root, 0.0)
    high = min(value + np.sqrt(np.log(2 / 0.05) / 2) * root, 1.0)
    return Measure(
        name="distance of the distributions", value=value, low=float(low), high=float(high), threshold=floor,
        direction="max", outcome=judge(float(low), float(high), floor, "max"), unit="share", n=n + m, where=name,
        note="Largest difference of shares: of cells up to a value, or with some values of a text.",
    )  # fmt: skip


def _levels(one: pd.Series, other: pd.Series) -> tuple[np.ndarray, np.ndarray]:
    """Return both columns as floats (order kept) or as integer codes; missing is NaN or a code of its own."""
    if not reading.is_text(one) and not reading.is_text(other):
        return tuple(
            numbers(part.astype("float64") if pd.api.types.is_bool_dtype(part) else part) for part in (one, other)
        )  # type: ignore[return-value]
    both = pd.concat([one.astype(object), other.astype(object)], ignore_index=True)
    found = reading.texts(both)
    if found.present and found.share(found.form >= 0) >= reading.MOSTLY:
        times = pd.to_datetime(pd.Series(found.levels), errors="coerce", format="mixed", utc=True)
        days = np.append(numbers(times), np.nan)[found.codes]
        return days[: len(one)], days[len(one) :]
    codes = _common(found.codes + 1)  # 0: missing
    return codes[: len(one)].astype(np.int64), codes[len(one) :].astype(np.int64)


def _common(codes: np.ndarray) -> np.ndarray:
    """Return codes in which rare levels share one: a level that is seen once says on which side it was seen."""
    counts = np.bincount(codes)
    order = np.argsort(-counts, kind="stable")
    rank = np.full(len(counts), _LEVELS, dtype=np.int64)
    rank[order[:_LEVELS]] = np.arange(min(_LEVELS, len(order)))
    rank[counts < max(_RARE, 0.01 * len(codes))] = _LEVELS
    return np.asarray(rank[codes])


def distance(a: np.ndarray, b: np.ndarray) -> tuple[float, float]:
    """Return Kolmogorov's distance of values, or the total variation of codes, and its bias from chance.

    Rare codes count as one, and a difference in how many cells are missing counts as a distance too.
    """
    if a.dtype.kind == "i":
        size = int(max(a.max(initial=0), b.max(initial=0))) + 1
        p, q = np.bincount(a, minlength=size) / len(a), np.bincount(b, minlength=size) / len(b)
        order = np.argsort(-(p + q), kind="stable")
        head, tail = order[:_LEVELS], order[_LEVELS:]
        p, q = np.append(p[head], p[tail].sum()), np.append(q[head], q[tail].sum())
        bias = float(np.sqrt((p + q) / 2 * (1 / len(a) + 1 / len(b)) * 2 / np.pi).sum() / 2)
        return float(np.abs(p - q).sum() / 2), bias
    gone = abs(float(np.isnan(a).mean() - np.isnan(b).mean()))
    a, b = np.sort(a[np.isfinite(a)]), np.sort(b[np.isfinite(b)])
    if not len(a) or not len(b):
        return gone, 0.0
    at = np.concatenate([a, b])
    apart = np.searchsorted(a, at, "right") / len(a) - np.searchsorted(b, at, "right") / len(b)
    return max(float(np.abs(apart).max()), gone), 0.0


def _coded(train: Table, test: Table) -> np.ndarray:
    made = []
    for name in train.features.columns:
        a, b = _levels(train.features[name], test.features[name])
        both = np.concatenate([a, b]).astype(np.float64)
        # the trees cut between finite values: where there are no two, only what is missing can differ
        finite = np.unique(both[np.isfinite(both)])
        made.append(both if len(finite) > 1 else np.isnan(both).astype(np.float64))
    return np.column_stack(made) if made else np.zeros((len(train) + len(test), 0))


def _jointly(train: Table, test: Table, context: Context) -> Measure:
    """Return the AUC with which boosted trees tell training from test rows that they were not shown."""
    from sklearn.ensemble import HistGradientBoostingClassifier

    values = _coded(train, test)
    side = np.repeat([0, 1], [len(train), len(test)])
    some = np.concatenate([
        context.rng.choice(np.flatnonzero(side == which), min(_JOINT, int((side == which).sum())), replace=False)
        for which in (0, 1)
    ])  # fmt: skip
    values, side = values[some], side[some]
    if not values.shape[1]:
        return Measure(name="AUC of telling training from test rows", note="There are no columns.")
    half = context.rng.permutation(len(side)) % 2
    scores = np.empty(len(side))
    for part in (0, 1):
        model = HistGradientBoostingClassifier(max_iter=40, max_leaf_nodes=8, min_samples_leaf=20, random_state=0)
        model.fit(values[half != part], side[half != part])
        scores[half == part] = model.predict_proba(values[half == part])[:, 1]
    each = [delong(scores[(half == part) & (side == 1)], scores[(half == part) & (side == 0)]) for part in (0, 1)]
    auc, error = float(np.mean([one for one, _ in each])), float(np.sqrt(sum(se**2 for _, se in each)) / 2)
    low, high = bound(auc, error, int((side == 1).sum()) // 2, int((side == 0).sum()) // 2)
    floor = context.thresholds[AUC]
    return Measure(
        name="AUC of telling training from test rows",
        value=auc,
        low=low,
        high=high,
        threshold=floor,
        direction="max",
        outcome=judge(low, high, floor, "max"),
        n=len(side),
        where="all columns together",
    )


def _prove(train: Table, context: Context) -> Canary:
    """Move drawn columns by half of their rows; a column parted by chance is not flagged."""
    rng, floor = context.rng, context.thresholds[SHIFT]
    names = list(train.features.columns)
    found = alarms = cases = 0
    for _ in range(_CASES if names else 0):
        column = train.features[names[int(rng.integers(len(names)))]]
        a, _ = _levels(column, column)
        if len(np.unique(a[np.isfinite(a)] if a.dtype.kind == "f" else a)) < 2:
            a = rng.normal(size=len(a))
        n = max(len(a), 1000)
        values = rng.choice(a, 2 * n)
        moved = values[n:].copy()
        levels = np.unique(values[np.isfinite(values)] if values.dtype.kind == "f" else values)
        usual = (
            levels[np.argmax([(values == level).sum() for level in levels])] if len(levels) <= _LEVELS else levels[-1]
        )
        other = levels[levels != usual]
        away = moved == usual if len(levels) <= _LEVELS else np.ones(n, dtype=bool)
        share = min((floor + 0.3) / max(float(away.mean()), 1e-9), 1.0)
        chosen = away & (rng.random(n) < share)
        moved[chosen] = other[0] if len(levels) <= _LEVELS else usual
        cases += 1
        found += bool(_judge(values[:n], moved, floor) is Outcome.FAIL or away.mean() <= floor + 0.1)
        alarms += _judge(values[:n], values[n:], floor) is Outcome.FAIL
    return Canary(
        kind="columns moved",
        planted=cases,
        found=found,
        clean=cases,
        false_alarms=alarms,
        noticed=cases > 0 and found == cases and alarms == 0,
        detail=f"Of drawn columns {floor + 0.3:.0%} of the cells were moved to one value.",
    )


def _judge(a: np.ndarray, b: np.ndarray, floor: float) -> Outcome:
    value, bias = distance(a, b)
    root = np.sqrt(1 / len(a) + 1 / len(b))
    low = value - bias - np.sqrt(np.log(2 / 0.05) / 2) * root
    return judge(float(low), min(value + 1.36 * root, 1.0), floor, "max")
