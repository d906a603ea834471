"""Slices where a model errs more often: searched on one half, confirmed on the other, bounded on all rows.

A slice found on one half counts when its excess over the rest is confirmed on the other half, with Holm's correction
over the few candidates. Whether a bad slice can be *excluded* is the matter of
:mod:`fivefold.protection.accuracy.exclusion`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from fivefold.protection.accuracy import scan
from fivefold.protection.accuracy.columns import Column, encode
from fivefold.stats import difference
from fivefold.stats.multiple import holm

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import pandas as pd

FINE = 24  # bins per column where a pair is looked at closely
_BUDGET = 3_000_000  # rectangles over all pairs that a coarse scan may hold
_BINS = (6, 14)  # coarse bins per column: fewest, most
_CLOSE = 24  # pairs looked at closely before a pass
_NEAR = 8  # pairs looked at closely in a search
_ROWS_PER_BIN = 40
_CANDIDATES = 3  # slices carried from one half to the other
_SHORTLIST = 500  # rectangles of a scan whose exact bounds are formed
_SLACK = 0.95  # a slice of exactly the smallest size may hold a few rows fewer by chance
_WORK = 2e11  # multiply-adds that one count of all rows may take
_ALPHA = 0.05

_Scored = tuple[float, scan.Place, int, int]  # z, place, errors, rows


@dataclass(frozen=True)
class Slice:
    """One slice with what was counted outside the rows that it was found on.

    Attributes:
        text: Which rows, in words.
        inside: (n,) mask over all searched rows.
        k: Errors in it.
        n: Rows in it.
        k_rest: Errors outside.
        n_rest: Rows outside.
        p: Holm-adjusted p-value of H0: its excess is at most the floor.
        confidence: Level of the one-sided lower bound that belongs to that step of Holm's procedure.
    """

    text: str
    inside: np.ndarray
    k: int
    n: int
    k_rest: int
    n_rest: int
    p: float = float("nan")
    confidence: float = 0.95

    @property
    def excess(self) -> float:
        """Error rate inside less error rate outside."""
        return self.k / max(self.n, 1) - self.k_rest / max(self.n_rest, 1)

    def bounds(self) -> tuple[float, float]:
        """One-sided bounds of the excess: corrected below, pointwise above (Miettinen and Nurminen 1985)."""
        table = (self.k, self.n, self.k_rest, self.n_rest)
        low, _ = difference.miettinen_nurminen(*table, self.confidence)
        _, high = difference.miettinen_nurminen(*table)
        return float(low), float(high)


@dataclass(frozen=True)
class Terrain:
    """Columns cut and counted once; every error vector over the same rows is searched on it.

    Attributes:
        series: The columns of the data.
        coarse: Grid over all pairs.
        fine: Finely cut columns, made when first needed.
        halves: (n,) bool, True for the first half.
        counts: Cell counts of the two halves.
        smallest: Smallest slice, as a share of the rows.
        kept: Rows in each rectangle of the coarse grid, by part; filled when first needed and small enough.
    """

    series: tuple[pd.Series, ...]
    coarse: scan.Grid
    fine: dict[int, Column]
    halves: np.ndarray
    counts: tuple[np.ndarray, np.ndarray]
    smallest: float
    kept: dict[int, list[np.ndarray]]

    def sizes(self, part: int) -> Iterable[np.ndarray]:
        """Return the rows in each coarse rectangle, chunk by chunk: part 0 or 1 is a half, 2 is all rows."""
        counts = self.counts[0] + self.counts[1] if part == 2 else self.counts[part]
        if scan.rectangle_count(self.coarse) > 2 * _BUDGET:
            return scan.sizes(self.coarse, counts)
        if part not in self.kept:
            self.kept[part] = list(scan.sizes(self.coarse, counts))
        return self.kept[part]


def bins_for(columns: int, rows: int) -> int:
    """Return how many bins a column gets so that all pairs stay within the budget of rectangles."""
    pairs = columns * (columns + 1) / 2
    sets = np.sqrt(_BUDGET / max(pairs, 1))
    affordable = min((np.sqrt(8 * sets + 1) - 1) / 2, rows / _ROWS_PER_BIN)
    return int(np.clip(np.floor(affordable), *_BINS))


def rows_for(columns: int) -> int:
    """Return how many rows are searched at most, so that counting all pairs stays affordable."""
    return int(max(10_000, _WORK / (columns * bins_for(columns, 10**9)) ** 2))


def survey(series: Sequence[pd.Series], smallest: float, rng: np.random.Generator) -> Terrain | None:
    """Cut the columns, split the rows in halves and count them.

    Args:
        series: Columns of the same n rows.
        smallest: Smallest slice, as a share.
        rng: Splits the rows.

    Returns:
        The terrain; None if no column has two cells.
    """
    coarse: list[Column] = []
    kept: list[pd.Series] = []
    bins = bins_for(len(series), len(series[0])) if series else 0
    for one in series:
        cut = encode(one, bins)
        if cut is not None:
            kept.append(one)
            coarse.append(cut)
    if not coarse:
        return None
    n = len(kept[0])
    halves = np.zeros(n, dtype=bool)
    halves[rng.permutation(n)[: n // 2]] = True
    grid = scan.build(coarse)
    counts = (scan.cell_counts(grid, np.flatnonzero(halves)), scan.cell_counts(grid, np.flatnonzero(~halves)))
    return Terrain(tuple(kept), grid, {}, halves, counts, smallest, {})


def confirmed(terrain: Terrain, errors: np.ndarray, floor: float) -> list[Slice]:
    """Search each half, test on the other, correct over all candidates.

    Args:
        terrain: From :func:`survey`.
        errors: (n,) bool.
        floor: Excess that is allowed, in [0, 1].

    Returns:
        At most six slices, smallest adjusted p-value first; counts are those of the half not searched.
    """
    found: list[tuple[str, np.ndarray, tuple[int, int, int, int]]] = []
    for half, searched in enumerate((terrain.halves, ~terrain.halves)):
        other = ~searched
        for text, inside in _candidates(terrain, errors, half, floor):
            held = inside & other
            k, n = int((errors & held).sum()), int(held.sum())
            found.append((text, inside, (k, n, int((errors & other).sum()) - k, int(other.sum()) - n)))
    if not found:
        return []
    table = np.array([counted for _, _, counted in found]).T
    raw = difference.score_p(table[0], table[1], table[2], table[3], floor)
    adjusted = holm(raw)
    steps = len(raw) - raw.argsort(kind="stable").argsort(kind="stable")
    slices = [
        Slice(text, inside, *counted, p=float(p), confidence=1 - _ALPHA / int(step))
        for (text, inside, counted), p, step in zip(found, adjusted, steps, strict=True)
    ]
    return sorted(slices, key=lambda one: (one.p, -one.excess, one.text))


def failing(slices: Sequence[Slice]) -> list[Slice]:
    """Return the slices whose excess over the floor is confirmed."""
    return [one for one in slices if one.p < _ALPHA]


def largest_score(terrain: Terrain, errors: np.ndarray, floor: float) -> float | None:
    """Return the largest z of any coarse rectangle against the floor, on all rows; None if none is legal."""
    found = _best(terrain.coarse, terrain.sizes(2), np.flatnonzero(errors), len(errors), (floor, terrain.smallest))
    return found[0][0] if found else None


def ceiling(terrain: Terrain, errors: np.ndarray, floor: float) -> Slice | None:
    """Return the rectangle whose one-sided 95 % upper bound of the excess is largest, on all rows.

    Args:
        terrain: From :func:`survey`.
        errors: (n,) bool.
        floor: Excess that is allowed; rectangles are ranked by how far they are from proving less.

    Returns:
        The rectangle, with its counts on all rows; None if none is large enough.
    """
    wrong, rule = np.flatnonzero(errors), (floor, terrain.smallest)
    places = _best(terrain.coarse, terrain.sizes(2), wrong, len(errors), rule)
    worst = _widest(terrain.coarse, places, errors)
    close = _closely(terrain, [place for _, place, _, _ in places[:_CLOSE]])
    if close is not None:
        near = scan.cell_counts(close, np.arange(len(errors)))
        finer = _widest(close, _best(close, scan.sizes(close, near), wrong, len(errors), rule), errors)
        worst = max((one for one in (worst, finer) if one is not None), key=lambda one: one.bounds()[1], default=None)
    return worst


def _widest(grid: scan.Grid, places: list[_Scored], errors: np.ndarray) -> Slice | None:
    if not places:
        return None
    k = np.array([item[2] for item in places])
    n = np.array([item[3] for item in places])
    _, high = difference.miettinen_nurminen(k, n, errors.sum() - k, len(errors) - n)
    at = int(np.argmax(high))
    place = places[at][1]
    return Slice(
        scan.describe(grid, place),
        scan.members(grid, place),
        int(k[at]),
        int(n[at]),
        int(errors.sum() - k[at]),
        int(len(errors) - n[at]),
    )


def _candidates(terrain: Terrain, errors: np.ndarray, half: int, floor: float) -> list[tuple[str, np.ndarray]]:
    """Return text and mask of the slices that stand out in one half, little overlapping."""
    searched = terrain.halves if half == 0 else ~terrain.halves
    wrong, total, rule = np.flatnonzero(errors & searched), int(searched.sum()), (floor, terrain.smallest)
    places = _best(terrain.coarse, terrain.sizes(half), wrong, total, rule)[:_NEAR]
    grid = _closely(terrain, [place for _, place, _, _ in places])
    if grid is None:
        return []
    near = scan.cell_counts(grid, np.flatnonzero(searched))
    chosen: list[tuple[str, np.ndarray]] = []
    for _, place, _, _ in _best(grid, scan.sizes(grid, near), wrong, total, rule):
        inside = scan.members(grid, place)
        if all((inside & other).sum() < 0.5 * (inside | other).sum() for _, other in chosen):
            chosen.append((scan.describe(grid, place), inside))
        if len(chosen) == _CANDIDATES:
            break
    return chosen


def _closely(terrain: Terrain, places: list[scan.Place]) -> scan.Grid | None:
    """Lay a fine grid over the pairs of these places."""
    pairs = [(int(terrain.coarse.left[p.pair]) - 1, int(terrain.coarse.right[p.pair]) - 1) for p in places]
    used = sorted({at for pair in pairs for at in pair if at >= 0})
    bins = int(np.clip(len(terrain.halves) // _ROWS_PER_BIN, _BINS[0], FINE))
    for at in used:
        if at not in terrain.fine:
            terrain.fine[at] = encode(terrain.series[at], bins) or terrain.coarse.columns[at + 1]
    if not used:
        return None
    where = {at: position for position, at in enumerate(used)} | {-1: -1}
    return scan.build([terrain.fine[at] for at in used], np.array([[where[a], where[b]] for a, b in pairs]))


def _best(
    grid: scan.Grid, sizes: Iterable[np.ndarray], wrong: np.ndarray, total: int, rule: tuple[float, float]
) -> list[_Scored]:
    """Score every rectangle; return each pair's best, largest z first.

    Args:
        grid: The pairs.
        sizes: Rows in each rectangle, chunk by chunk, among those that are looked at.
        wrong: Positions of the errors among them.
        total: Number of rows that are looked at.
        rule: The floor and the smallest share of a slice.
    """
    slope, offset = _scores(total, len(wrong), *rule)
    failed = scan.cell_counts(grid, wrong)
    found: list[_Scored] = []
    for (start, bad), index in zip(scan.rectangles(grid, failed), sizes, strict=True):
        z = bad * slope[index]
        z -= offset[index]
        z = z.reshape(len(index), -1)
        for pair, at in enumerate(z.argmax(axis=1).tolist()):
            if z[pair, at] > -np.inf:
                first, second = divmod(at, index.shape[2])
                held = (int(bad[pair, first, second]), int(index[pair, first, second]))
                found.append((float(z[pair, at]), scan.Place(start + pair, first, second), *held))
    found.sort(key=lambda item: (-item[0], item[1].pair, item[1].first, item[1].second))
    return found[:_SHORTLIST]


def _scores(total: int, wrong: int, floor: float, smallest: float) -> tuple[np.ndarray, np.ndarray]:
    """Tables over the rows m of a rectangle so that z = errors * slope[m] - offset[m].

    z is the excess less the floor over its standard error under H0, with the rates that keep the overall rate
    (close to the constrained maximum of Farrington and Manning 1990). Sizes outside the class get minus infinity.
    """
    m = np.arange(total + 1, dtype=np.float64)
    share, rate = m / max(total, 1), wrong / max(total, 1)
    least = max(1.0, np.ceil(_SLACK * smallest * total))
    legal = (m >= least) & (m <= total - least)
    inner = np.where(legal, m, 1.0)
    outer = np.where(legal, total - m, 1.0)
    inside = np.clip(rate + floor * (1 - share), 1e-6, 1 - 1e-6)
    outside = np.clip(rate - floor * share, 1e-6, 1 - 1e-6)
    error = np.sqrt(inside * (1 - inside) / inner + outside * (1 - outside) / outer)
    slope = np.where(legal, (1 / inner + 1 / outer) / error, 0.0)
    offset = np.where(legal, (wrong / outer + floor) / error, np.inf)
    return slope.astype(np.float32), offset.astype(np.float32)
