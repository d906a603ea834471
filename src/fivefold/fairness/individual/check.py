"""F1.individual: similar people get similar answers, and a protected field alone changes none."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from fivefold.contract.finding import Bar, Canary, Measure, Plot, Result
from fivefold.contract.outcome import Outcome
from fivefold.errors import UnsupportedError
from fivefold.fairness.individual import benefits, planted
from fivefold.fairness.individual.asking import changed, flipped, movable, moved, twins
from fivefold.fairness.rows import cuts, predict, sample
from fivefold.stats.judge import judge
from fivefold.stats.proportion import clopper_pearson

if TYPE_CHECKING:
    from fivefold.contract.check import Context
    from fivefold.contract.subject import Table
    from fivefold.fairness.gaps.groups import Field
    from fivefold.fairness.individual.asking import Model

_REPLICATES = {"quick": 5, "standard": 10, "thorough": 20}
_FEWEST = 100
_MORE = "Give more test rows, at least a few hundred."
_REMEDY = "Take the protected field out of the features, or train under constraints: fivefold model train --fair."


@dataclass(frozen=True)
class Shares:
    """What was counted: name, where, how many of how many, floor; and the field whose flips they are, if any."""

    name: str
    where: str
    count: int
    n: int
    floor: float
    note: str = ""

    def bounds(self, confidence: float = 0.95) -> tuple[float, float]:
        """Return exact one-sided bounds."""
        low, high = clopper_pearson(self.count, self.n, confidence)
        return float(low), float(high)


def run(context: Context) -> Result:
    """Measure F1.individual.

    Threat: two people who differ in nothing that matters get different answers, because one is of another group, or
    because the border between answers is ragged.
    Limit: a flip changes the field alone, as if all else would stay as it is (no causal model); see F1.proxies.

    Raises:
        UnsupportedError: ``individual.protected``, ``individual.rows``, ``individual.subject``; ``individual.nothing``
            where no protected column is a feature and no feature is a number.
        InputError: ``individual.benefit``.
        SubjectError: The model misbehaved.
    """
    subject = context.subject
    if subject is None:
        raise UnsupportedError("individual.subject", "there is no model to ask.")
    worth = benefits.declared(context.options.get("benefit"))
    table, _, _ = sample(context, "individual")
    fields = cuts(context, table, np.zeros(len(table), dtype=np.int64), "individual")
    inside = [field for field in fields if field.name in table.features.columns and len(field.labels) > 1]
    columns = movable(table, context.settings.protected)
    if not inside and not columns:
        raise UnsupportedError(
            "individual.nothing", "no protected column is a feature, and no feature is a number that can differ a bit."
        )
    context.progress(0.1, "asking about flipped fields")

    def model(rows: Table) -> np.ndarray:
        return predict(subject, rows)

    base = model(table)
    counted, moves = measure(context, table, inside, columns, model)
    context.progress(0.7, "canaries")
    bird = _canary(context, table, inside, columns, base)
    outcome, reason = _conclude(counted, bird, len(table))
    gains: tuple[Measure, ...] = ()
    positive = context.settings.positive
    if subject.task != "regression" and positive is not None:
        truth, given = (table.target == positive).astype(np.int64), (base == positive).astype(np.int64)
        gains = benefits.shown(fields, truth, given, worth)
    return Result(
        outcome=outcome, reason=reason, canary=bird,
        measures=(*(_measure(one, 0.05 / len(counted)) for one in counted), *moves, *gains),
        plots=(_plot(counted),), remedy={Outcome.PASS: "", Outcome.FAIL: _REMEDY}.get(outcome, _MORE),
        limits=_limits(fields, inside, columns),
    )  # fmt: skip


def measure(
    context: Context, table: Table, inside: list[Field], columns: list[str], model: Model
) -> tuple[list[Shares], list[Measure]]:
    """Count changed answers of flips and of twins; second: how the favourable answer moves, not judged.

    Args:
        context: Floors, favourable class, rng.
        table: The rows.
        inside: Protected fields that are features.
        columns: Numbers in which twins may differ.
        model: Answers.
    """
    base, positive, rng = model(table), context.settings.positive, context.rng
    scale = float(base.std()) or 1.0
    counted: list[Shares] = []
    moves: list[Measure] = []
    for field in inside:
        hit = np.zeros(len(table), dtype=bool)
        for label, rows, answers in flipped(model, table, field, field.name, rng):
            hit[rows] |= changed(base[rows], answers, scale)
            moves.append(_move(label, base[rows], answers, positive))
        counted.append(Shares("answers that change with the protected field", field.name, int(hit.sum()), len(table),
                              context.thresholds["max_flip_rate"]))  # fmt: skip
    if columns:
        apart = changed(base, model(twins(table, columns, rng)), scale)
        counted.append(Shares("answers that differ between twins", f"{len(columns)} numbers moved by at most 2 %",
                              int(apart.sum()), len(table), context.thresholds["max_twin_rate"]))  # fmt: skip
    return counted, moves


def _move(label: str, base: np.ndarray, answers: np.ndarray, positive: int | None) -> Measure:
    """Return how much more often the rows get the favourable answer (or how much more) when taken for this group."""
    if np.issubdtype(base.dtype, np.integer):
        if positive is None:
            return Measure(name="other answers when taken for", value=float((base != answers).mean()), unit="share",
                           n=len(base), where=label)  # fmt: skip
        gain = (answers == positive).astype(np.float64) - (base == positive)
    else:
        gain = answers - base
    half = 1.645 * float(gain.std() / np.sqrt(len(gain)))
    mean = float(gain.mean())
    return Measure(name="gained when taken for", value=round(mean, 6), low=round(mean - half, 6),
                   high=round(mean + half, 6), n=len(gain), where=label)  # fmt: skip


def _conclude(counted: list[Shares], bird: Canary, rows: int) -> tuple[Outcome, str]:
    confidence = 1 - 0.05 / len(counted)
    for one in sorted(counted, key=lambda one: -one.count / one.n / max(one.floor, 1e-9)):
        low, _ = one.bounds(confidence)
        if low > one.floor and bird.noticed:
            return Outcome.FAIL, f"{_said(one)}."
    if not bird.noticed:
        return Outcome.INCONCLUSIVE, "Planted unequal treatment was not noticed in these data: nothing is concluded."
    open_ = [one for one in counted if one.bounds()[1] >= one.floor]
    if open_ or rows < _FEWEST:
        return Outcome.INCONCLUSIVE, f"Not clear of the floor: {_said(open_[0])}." if open_ else f"Only {rows} rows."
    return Outcome.PASS, f"{_said(counted[0])}; of {len(counted)} judged, all lie inside their floors."


def _said(one: Shares) -> str:
    low, high = one.bounds()
    share = one.count / one.n
    return f"{one.name} ({one.where}): {share:.2%} ({low:.2%} to {high:.2%}; allowed: at most {one.floor:.2%})"


def _measure(one: Shares, alpha: float) -> Measure:
    low, high = one.bounds()
    outcome = judge(low, high, one.floor, "max")
    if outcome is Outcome.FAIL and one.bounds(1 - alpha)[0] <= one.floor:
        outcome = Outcome.INCONCLUSIVE  # beyond the floor alone, not among all shares
    return Measure(
        name=one.name, value=one.count / one.n, low=low, high=high, threshold=one.floor, direction="max", unit="share",
        outcome=outcome, n=one.n, where=one.where, note=one.note,
    )  # fmt: skip


def _canary(context: Context, table: Table, inside: list[Field], columns: list[str], base: np.ndarray) -> Canary:
    """Ask models that treat people unequally through the very same questions, and ones that do not."""
    hits = alarms = 0
    count = _REPLICATES[context.effort]
    moving = moved(table, twins(table, columns, context.rng), columns) if columns else 0.0
    for copy in range(2 * count):
        at = int(context.rng.integers(len(inside) + bool(columns)))
        field = inside[at] if at < len(inside) else None
        floor = context.thresholds["max_flip_rate" if field else "max_twin_rate"]
        share = 0.0 if copy >= count else planted.share(floor, len(table), 1.0 if field else moving)
        model = planted.model(table, base, context.rng, column=field.name if field else "", columns=columns, part=share)
        found, _ = measure(context, table, [field] if field else [], [] if field else columns, model)
        seen = any(one.bounds()[0] > one.floor for one in found)
        hits, alarms = hits + (seen and copy < count), alarms + (seen and copy >= count)
    return Canary(
        kind="a copy of the model that treats equals unequally", planted=count, found=hits, clean=count,
        false_alarms=alarms, noticed=hits >= 0.8 * count and alarms <= 0.1 * count,
        detail="Copies answer as the model does; the bad ones change some answers by the protected field alone, or by "
        "the last digits of numbers.",
    )  # fmt: skip


def _plot(counted: list[Shares]) -> Plot:
    bars = tuple(
        Bar(label=one.where, value=one.count / one.n, low=one.bounds()[0], high=one.bounds()[1], n=one.n)
        for one in counted
    )
    return Plot(
        kind="intervals", title="answers that change though nothing that matters did", bars=bars,
        x_label="share of answers that change", threshold=max(one.floor for one in counted),
    )  # fmt: skip


def _limits(fields: list[Field], inside: list[Field], columns: list[str]) -> tuple[str, ...]:
    outside = [field.name for field in fields if field not in inside and not field.extra]
    said = ["A flip changes the field alone; what would change with it in life is asked by F1.proxies."]
    if outside:
        said.append(f"No feature, so nothing to flip: {', '.join(outside)}.")
    if not columns:
        said.append("No feature is a number with more than ten values, so there are no twins.")
    return tuple(said)
