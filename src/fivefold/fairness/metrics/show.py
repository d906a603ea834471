"""Words, figures and plots of F1.metrics."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from fivefold.contract.finding import Bar, Measure, Plot
from fivefold.contract.outcome import Outcome
from fivefold.fairness.gaps.groups import MIN_SHOWN
from fivefold.fairness.metrics import counted, ranked, valued
from fivefold.fairness.metrics.families import Family, Pairs, Payload, bounds
from fivefold.fairness.metrics.shrunk import shrunk
from fivefold.stats.simultaneous import critical, spread

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fivefold.fairness.gaps.groups import Field

_DRAWS = 1000
_MOST_BARS = 24
_MOST_SHOWN = 12
_RANK = {Outcome.FAIL: 0, Outcome.INCONCLUSIVE: 1, Outcome.PASS: 2}


@dataclass(frozen=True)
class Seen:
    """Targets and answers as they stand: (n,) classes or values, and the favourable class."""

    target: np.ndarray
    answer: np.ndarray
    positive: int | None


@dataclass(frozen=True)
class Small:
    """Intersections, shrunk: what is shown, and the widest gap of shrunk error rates if it exceeds the floor."""

    measures: tuple[Measure, ...]
    beyond: str


def _labels(fields: Sequence[Field]) -> list[str]:
    return [label for field in fields for label in field.labels]


def _name(family: Family) -> str:
    return f"ratio of {family.name}s" if family.ratio else f"{family.name} gap"


def texts(fields: Sequence[Field], found: Sequence[Family], which: Pairs) -> list[str]:
    """Say each comparison: name, groups, value, bounds, floor."""
    labels = _labels(fields)
    said = []
    for at, (value, low, high) in enumerate(zip(*bounds(found, which), strict=True)):
        family = found[int(which.family[at])]
        shown = [float(np.exp(one)) if family.ratio else float(one) for one in (value, low, high, family.floor)]
        said.append(
            f"{_name(family)} of {labels[int(which.first[at])]} against {labels[int(which.second[at])]} is "
            f"{shown[0]:.3g} ({shown[1]:.3g} to {shown[2]:.3g}; allowed: at most {shown[3]:.3g})"
        )
    return said


def judged(
    fields: Sequence[Field], starts: np.ndarray, found: Sequence[Family], which: Pairs, said: tuple[Outcome, ...]
) -> tuple[Measure, ...]:
    """Return the worst comparison of each field and figure, with the outcome over all of that field and figure."""
    labels, (value, low, high) = _labels(fields), bounds(found, which)
    home = np.searchsorted(starts, which.first, side="right") - 1
    measures = []
    for position in range(len(fields)):
        for at, family in enumerate(found):
            mine = np.flatnonzero((home == position) & (which.family == at)).tolist()
            if not mine:
                continue
            worst = min(mine, key=lambda one: (_RANK[said[one]], -float(high[one])))
            shown = [float(np.exp(one)) if family.ratio else float(one)
                     for one in (value[worst], low[worst], high[worst], family.floor)]  # fmt: skip
            measures.append(Measure(
                name=_name(family), value=round(shown[0], 6), low=round(shown[1], 6), high=round(shown[2], 6),
                threshold=round(shown[3], 12), direction="max", outcome=said[worst],
                unit="ratio" if family.ratio else "share",
                n=int(family.rows[which.first[worst]] + family.rows[which.second[worst]]),
                where=f"{labels[int(which.first[worst])]} against {labels[int(which.second[worst])]}",
                note=f"Worst of {len(mine)} pairs." if len(mine) > 1 else "",
            ))  # fmt: skip
    return tuple(measures)


def figures(own: Sequence[Field], rows: Payload, seen: Seen, rng: np.random.Generator) -> tuple[Measure, ...]:
    """Return of each of the room's figures the widest gap between two groups of a field; nothing is judged by it.

    All intervals of one field and kind hold together, with 95 %.
    """
    measures: list[Measure] = []
    for field in own:
        size = len(field.labels)
        if size < 2:
            continue
        if rows.error is not None:
            scale = float(seen.target.std()) or 1.0
            centre = float(seen.target.mean())
            sums = valued.sums(field.codes, (seen.target - centre) / scale, (seen.answer - centre) / scale, size)
            draws = valued.figures(valued.drawn(*sums, rng, _DRAWS))
            measures += _gaps(field, valued.NAMES, valued.figures(sums[1][..., 0]), draws, "standard deviations")
        elif seen.positive is not None:
            given = (seen.answer == seen.positive).astype(np.int64)
            truth = (seen.target == seen.positive).astype(np.int64)
            table = counted.count(field.codes, truth, given, size)
            draws = counted.figures(counted.drawn(table, rng, _DRAWS))
            measures += _gaps(field, counted.NAMES, counted.figures(table), draws, "share")
            if rows.score is not None:
                ranks = ranked.count(field.codes, truth, ranked.steps(rows.score), size)
                draws = ranked.figures(ranked.drawn(ranks, rng, _DRAWS))
                measures += _gaps(field, ranked.NAMES, ranked.figures(ranks), draws, "")
    return tuple(measures)


def _gaps(field: Field, names: Sequence[str], values: np.ndarray, draws: np.ndarray, unit: str) -> list[Measure]:
    """Return the widest gap of each of (12, G) values; (D, 12, G) draws give intervals that hold together."""
    one, two = np.triu_indices(len(field.labels), 1)
    apart = values[:, one] - values[:, two]
    drawn = draws[..., one] - draws[..., two]
    centre = np.nanmean(np.where(np.isfinite(drawn), drawn, 0.0), axis=0)
    error = spread(drawn, centre)
    half = critical(drawn, centre, error, 0.95) * error
    rows = np.bincount(field.codes, minlength=len(field.labels))
    measures = []
    for at, name in enumerate(names):
        known = np.isfinite(apart[at]) & np.isfinite(half[at])
        if not known.any():
            continue
        pair = int(np.argmax(np.where(known, np.abs(apart[at]), -1.0)))
        sign = 1.0 if apart[at, pair] >= 0 else -1.0
        more, less = (one, two) if sign > 0 else (two, one)
        value = float(abs(apart[at, pair]))
        measures.append(Measure(
            name=f"{name}: widest gap", value=round(value, 6), low=round(value - float(half[at, pair]), 6),
            high=round(value + float(half[at, pair]), 6), unit=unit, n=int(rows[one[pair]] + rows[two[pair]]),
            where=f"{field.labels[int(more[pair])]} above {field.labels[int(less[pair])]}",
            note="All of this field hold together, with 95 %.",
        ))  # fmt: skip
    return measures


def small(fields: Sequence[Field], rows: Payload, floors: dict[str, float]) -> Small:
    """Shrink the error rates of the intersections of each two fields."""
    if rows.wrong is None:
        return Small((), "")
    measures: list[Measure] = []
    beyond = ""
    for field in (one for one in fields if one.crossed):
        size = np.bincount(field.codes, minlength=len(field.labels))
        found = shrunk(np.bincount(field.codes, rows.wrong, minlength=len(field.labels)), size)
        note = f"Drawn towards {found.mean:.3f} with the weight of {found.strength:.0f} rows."
        measures += [
            Measure(name="error rate, shrunk", value=round(float(value), 6), low=round(float(found.low[at]), 6),
                    high=round(float(found.high[at]), 6), unit="share", n=int(size[at]), where=field.labels[at],
                    note=note)
            for at, value in enumerate(found.value)
            if size[at] >= MIN_SHOWN and np.sum(found.value > value) < _MOST_SHOWN
        ]  # fmt: skip
        gap = float(found.value.max() - found.value.min())
        if gap > floors["max_error_rate_gap"] and not beyond:
            high, low = field.labels[int(np.argmax(found.value))], field.labels[int(np.argmin(found.value))]
            beyond = f"{high} {found.value.max():.3f}, {low} {found.value.min():.3f}"
    return Small(tuple(measures), beyond)


def plots(own: Sequence[Field], starts: np.ndarray, found: Sequence[Family]) -> tuple[Plot, ...]:
    """Return one picture of each judged figure by group; at most three."""
    labels = _labels(own)
    made = []
    for family in found[:3]:
        half = 1.645 * family.error
        shown = [at for at in range(int(starts[len(own)])) if family.rows[at] >= MIN_SHOWN and family.enough[at]]
        turn = np.exp if family.ratio else np.asarray
        bars = tuple(
            Bar(label=labels[at], value=float(turn(family.value[at])), low=float(turn(family.value[at] - half[at])),
                high=float(turn(family.value[at] + half[at])), n=int(family.rows[at]))
            for at in shown[:_MOST_BARS]
        )  # fmt: skip
        if bars:
            made.append(Plot(kind="intervals", title=f"{family.name} by group", x_label=family.name, bars=bars))
    return tuple(made)
