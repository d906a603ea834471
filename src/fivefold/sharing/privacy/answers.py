"""Answers: what is said of noisy sums; everything here reads the noisy sums alone, so it costs nothing more.

Intervals say how far the noise moves a figure from the exact one of these very rows (moved into bounds, at most so many
rows a person); what other people would have answered is not in them. Each holds by itself at the stated confidence;
that of a quotient takes the extremes over the intervals of its parts, each at its part of the error (Bonferroni), and
is therefore wider than it need be.
"""

from __future__ import annotations

import math
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np

from fivefold.sharing.privacy import chunks
from fivefold.sharing.privacy.synthesis import synthetic
from fivefold.sharing.privacy.vectors import crossing, middle

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from fivefold.sharing.privacy.queries import Query, Release
    from fivefold.sharing.privacy.vectors import Vector


def half_width(vector: Vector, error: float) -> float:
    """Return how far noise moves a cell at most, but for a share ``error`` of draws; rounding to the grid included."""
    law = vector.law
    reach = law.quantile(Fraction(error).limit_denominator(10**12) / 2) - 1
    return (reach + (0.5 if vector.unit > 1 else 0.0)) * vector.worth


def answer(query: Query, release: Release, parts: Mapping[str, tuple[Vector, np.ndarray]]) -> list[dict[str, Any]]:
    """Return the cells of one query.

    Args:
        query: It.
        release: Whose domains name the cells.
        parts: ``count``, ``sum``, ``square`` to the vector and its (size,) noisy sums on the grid.

    Returns:
        One entry a cell: ``value``, ``low``, ``high``, and what names the cell.
    """
    return _SAY[query.what](query, release, parts)


def _figure(value: float, low: float, high: float, **named: Any) -> dict[str, Any]:
    return {**named, "value": value, "low": low, "high": high}


def _plain(vector: Vector, noisy: np.ndarray, *, error: float) -> list[tuple[float, float, float]]:
    wide = half_width(vector, error)
    return [(value, value - wide, value + wide) for value in (noisy * vector.worth).tolist()]


def _one(_query: Query, release: Release, parts: Mapping[str, tuple[Vector, np.ndarray]]) -> list[dict[str, Any]]:
    ((vector, noisy),) = parts.values()
    return [_figure(*_plain(vector, noisy, error=1 - release.confidence)[0])]


def _mean(query: Query, release: Release, parts: Mapping[str, tuple[Vector, np.ndarray]]) -> list[dict[str, Any]]:
    return [_figure(*quotient)] if (quotient := _means(query, release, parts)[0]) else []


def _means(query: Query, release: Release, parts: Any) -> list[tuple[float, float, float]]:
    """Return mean, low and high of each cell; without rows to speak of, the whole of the bounds."""
    centre, half = middle(query)
    error = (1 - release.confidence) / 2
    counts, sums = (_plain(*parts[name], error=error) for name in ("count", "sum"))
    found = []
    for count, total in zip(counts, sums, strict=True):
        mean, low, high = _ratio(total, count)
        found.append((centre + half * mean, centre + half * low, centre + half * high))
    return found


def _ratio(top: tuple[float, float, float], below: tuple[float, float, float]) -> tuple[float, float, float]:
    """Return the quotient, in [-1, 1], and its extremes."""
    if below[1] < 1:
        return _inner(top[0] / below[0]) if below[0] >= 1 else 0.0, -1.0, 1.0
    corners = [a / b for a in top[1:] for b in below[1:]]
    return _inner(top[0] / below[0]), _inner(min(corners)), _inner(max(corners))


def _inner(value: float) -> float:
    return min(1.0, max(-1.0, value))


def _variance(query: Query, release: Release, parts: Any) -> list[dict[str, Any]]:
    """V = half^2 (E[z^2] - E[z]^2), z in [-1, 1]; the square is kept as 2 z^2 - 1."""
    _, half = middle(query)
    error = (1 - release.confidence) / 3
    count, total, square = (_plain(*parts[name], error=error)[0] for name in ("count", "sum", "square"))
    mean, low, high = _ratio(total, count)
    second = [(value + 1) / 2 for value in _ratio(square, count)]
    least = 0.0 if low <= 0 <= high else min(low * low, high * high)
    most = max(low * low, high * high)

    def inner(value: float) -> float:
        return half * half * min(1.0, max(0.0, value))

    return [_figure(inner(second[0] - mean * mean), inner(second[1] - most), inner(second[2] - least))]


def _cells(query: Query, release: Release, parts: Any) -> list[dict[str, Any]]:
    columns = [query.column] if query.what == "histogram" else list(query.columns or query.by)
    figures = (
        _means(query, release, parts)
        if query.what == "table" and query.of == "mean"
        else _plain(*next(iter(parts.values())), error=1 - release.confidence)
    )
    named = cell_names(columns, release)
    return [_figure(*figure, cell=dict(zip(columns, cell, strict=True))) for figure, cell in
            zip(figures, named, strict=True)]  # fmt: skip


def cell_names(columns: list[str], release: Release) -> list[tuple[str, ...]]:
    """Return the names of the crossed cells, in the order of a vector."""
    sizes, _ = crossing(columns, release)
    names = [chunks.names(release.domains[name]) for name in columns]
    grid = np.indices(sizes).reshape(len(sizes), -1).T
    return [tuple(names[at][one] for at, one in enumerate(row)) for row in grid.tolist()]


def _quantiles(query: Query, release: Release, parts: Any) -> list[dict[str, Any]]:
    """Walk down a tree of noisy counts; Hay et al. 2010 (trees of counts), without their smoothing.

    A count of the first k bins is a sum of at most ``levels`` nodes with independent noise. Its tails are those of a
    sub-Gaussian with the added variances (discrete Gaussian: Canonne, Kamath and Steinke 2020, Corollary 17).
    """
    ((vector, noisy),) = parts.values()
    low, high = query.bounds or (0.0, 1.0)
    levels = query.bins.bit_length() - 1
    starts = np.cumsum([0, *(1 << level for level in range(1, levels))])
    below = np.array([_below(noisy, starts, k, levels) for k in range(query.bins + 1)])
    total = float(below[-1])
    error = (1 - release.confidence) / (2 * (query.bins + 1))
    if query.noise == "gaussian":
        reach = math.sqrt(2 * levels * float(vector.law.scale) * math.log(1 / error))
    else:
        reach = levels * vector.law.quantile(Fraction(error / levels).limit_denominator(10**15))
    edges = np.linspace(low, high, query.bins + 1)
    rising, found = np.maximum.accumulate(below), []
    for q in sorted(query.quantiles):
        at = int(np.clip(np.searchsorted(rising, q * total), 1, query.bins))
        slack = reach * (1 + q)  # the total is noisy, too
        left = int(np.searchsorted(rising, q * total - slack))
        right = int(np.searchsorted(rising, q * total + slack, side="right"))
        found.append(_figure(
            float(edges[at - 1] + edges[at]) / 2, float(edges[max(0, left - 1)]), float(edges[min(query.bins, right)]),
            quantile=q,
        ))  # fmt: skip
    return found


def _below(noisy: np.ndarray, starts: np.ndarray, k: int, levels: int) -> int:
    """Return the noisy count of the first k leaves: the nodes that part them, from above."""
    if k == 1 << levels:
        return int(noisy[starts[0]] + noisy[starts[0] + 1])
    total = 0
    for level in range(1, levels + 1):
        node = k >> (levels - level)
        if node & 1:  # its left sibling ends before k
            total += int(noisy[starts[level - 1] + node - 1])
    return total


def _synthetic(query: Query, release: Release, parts: Any) -> list[dict[str, Any]]:
    ((_, noisy),) = parts.values()
    return synthetic(query, release, noisy)


_SAY: dict[str, Callable[..., list[dict[str, Any]]]] = {
    "count": _one, "sum": _one, "mean": _mean, "variance": _variance, "histogram": _cells, "table": _cells,
    "contingency": _cells, "quantiles": _quantiles, "synthetic": _synthetic,
}  # fmt: skip
