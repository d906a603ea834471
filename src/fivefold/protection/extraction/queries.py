"""Queries: rows that a thief has, mixes of them, rows drawn from the ranges, and rows that make equations."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from fivefold.subject.possible.space import Space

_MIXED = 0.3
_DRAWN = 0.15
_FAR = 0.9


def inputs(space: Space, values: np.ndarray, missing: np.ndarray) -> np.ndarray:
    """Return (n, p) float64: numbers in units of their range, indicators of other values.

    Of a category all but the commonest value have one, and missing cells.

    Args:
        space: Of the rows.
        values: (n, d).
        missing: (d,) bool, columns in which cells are missing.
    """
    numbers = is_number(space)
    width = np.where(space.high > space.low, space.high - space.low, 1.0)
    middle = (space.low + space.high) / 2
    parts = [np.nan_to_num((values[:, numbers] - middle[numbers]) / width[numbers])]
    for at in np.flatnonzero(~numbers):
        many = space.count(int(at))
        if many > 1:
            parts.append((values[:, [at]] == np.arange(1, many)).astype(np.float64))
    parts.append(np.isnan(values[:, missing]).astype(np.float64))
    return np.concatenate(parts, axis=1)


def is_number(space: Space) -> np.ndarray:
    """Return (d,) bool: features that are numbers; the others are categories, or left alone."""
    if not space.columns:
        return np.ones(len(space.low), dtype=bool)
    return np.array([column.kind in ("number", "date") for column in space.columns])


def more(space: Space, pool: np.ndarray, count: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return (count, d) rows and (count,) the public row that each was made of.

    Public rows first, each once; then, and among them, crossings of two public rows and rows drawn from the ranges.
    """
    fresh = min(len(pool), int(np.ceil(count * (1 - _MIXED - _DRAWN))))
    origin = np.concatenate([rng.permutation(len(pool))[:fresh], rng.integers(0, len(pool), count - fresh)])
    values = pool[origin].copy()
    others = pool[rng.integers(0, len(pool), count)]
    drawn = np.zeros(count, dtype=bool)
    drawn[fresh:] = rng.random(count - fresh) < _DRAWN / (_MIXED + _DRAWN)
    crossed = np.arange(count) >= fresh
    take = crossed[:, None] & (rng.random(values.shape) < 0.5)
    values = np.where(take, others, values)
    numbers = is_number(space) & (space.high > space.low)
    lot = space.low + rng.random(values.shape) * (space.high - space.low)
    lot = np.where(space.step > 0, np.round(lot), lot)
    values = np.where(drawn[:, None] & numbers & ~np.isnan(values), lot, values)
    order = rng.permutation(count)
    return values[order], origin[order]


def crossings(space: Space, pool: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """Return (4 count, d): pairs of public rows and the pairs with half of their features exchanged.

    If scores are additive in the features, those of a pair and of its exchanged pair have the same sum.
    """
    one, two = (pool[rng.integers(0, len(pool), count)] for _ in range(2))
    swap = rng.random((count, len(space.low))) < 0.5
    return np.concatenate([one, two, np.where(swap, two, one), np.where(swap, one, two)])


def equations(space: Space, pool: np.ndarray, missing: np.ndarray) -> np.ndarray:
    """Return (p + 1, d): a middle row, and one with each input of :func:`inputs` changed (Tramer et al. 2016).

    The middle row has medians and commonest values; a number moves to where it lies farthest inside the usual range.
    """
    numbers = is_number(space)
    middle = np.zeros(len(space.low))
    with np.errstate(all="ignore"):
        low, half, high = np.nanquantile(np.where(numbers, pool, 0.0), [1 - _FAR, 0.5, _FAR], axis=0)
    middle[numbers] = np.nan_to_num(half[numbers])
    middle = np.where(numbers & (space.step > 0), np.round(middle), middle)
    rows = [middle]
    for at in np.flatnonzero(numbers):
        ends = np.array([low[at], high[at], space.low[at], space.high[at]])
        usual = ends[:2][np.abs(ends[:2] - middle[at]).argmax()]
        aim = usual if abs(usual - middle[at]) > 1e-12 else ends[np.abs(ends - middle[at]).argmax()]
        aim = np.round(aim) if space.step[at] > 0 else aim
        rows.append(_but(middle, int(at), float(aim)))
    for at in np.flatnonzero(~numbers):
        rows += [_but(middle, int(at), float(level)) for level in range(1, space.count(int(at)))]
    rows += [_but(middle, int(at), np.nan) for at in np.flatnonzero(missing)]
    return np.array(rows)


def _but(row: np.ndarray, at: int, value: float) -> np.ndarray:
    changed = row.copy()
    changed[at] = value
    return changed
