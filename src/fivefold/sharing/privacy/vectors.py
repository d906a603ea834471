r"""Vectors: every query as sums over rows in whole numbers, and how far one person can move them.

Each row adds to at most ``parts`` cells of a vector, one in each part (a level of a tree, one of several tables), and
to each a whole number of at most ``step`` in size. A person with at most r rows therefore moves each part by at most
r * step in the sum of sizes (L1), and the vector by at most r * step * sqrt(parts) in L2 and r * step * parts in L1.

A vector of values is rounded to a coarser grid of ``unit`` before noise: x to floor((x + unit/2) / unit). That rounding
is monotone and moves with whole multiples of the unit, so if x changes by at most c * step and unit divides step, the
rounded value changes by at most c * step / unit: no sensitivity is lost. Values are in fixed point first: a row's
value, moved into its bounds, is rounded to 2^-20 of the largest size that it can have.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from fivefold.errors import InputError
from fivefold.manifest import scenario
from fivefold.sharing.privacy import chunks, tables
from fivefold.sharing.privacy.loss import RHO
from fivefold.sharing.privacy.queries import MOST_CELLS

if TYPE_CHECKING:
    from collections.abc import Callable

    from fivefold.sharing.privacy.chunks import Part
    from fivefold.sharing.privacy.queries import Query, Release

FINE = 1 << 20
"""Steps of the fixed point in the largest size of a value."""
_AIM = 512.0
_PRECISE = 10**9


@dataclass(frozen=True)
class Vector:
    """Sums over rows.

    Attributes:
        query: Name of its query.
        part: What of it: ``count``, ``sum``, ``square``.
        size: Cells.
        step: Most that a row adds to a cell.
        parts: Cells that a row adds to.
        scale: What one step of the fixed point is worth.
        rho: Loss that it may cost, in 10^-9.
        rows: Most rows of a person.
        noise: Its law.
        add: Adds a part of the table to (size,) int64 sums.
    """

    query: str
    part: str
    size: int
    step: int
    parts: int
    scale: float
    rho: int
    rows: int
    noise: str
    add: Callable[[Part, np.ndarray], None]

    @property
    def unit(self) -> int:
        """Steps of the fixed point in one of the grid on which noise is added; a power of two that divides ``step``."""
        moved = self.rows * self.step * math.sqrt(self.parts) / math.sqrt(2 * self.rho / RHO)
        return 1 << min(max(0, math.floor(math.log2(moved / _AIM))), self.step.bit_length() - 1)

    @property
    def law(self) -> tables.Law:
        """The noise of each cell, in steps of the grid.

        Gaussian: rho = L2^2 / (2 s2). Laplace: epsilon = L1 / b is epsilon^2 / 2 of rho (Bun and Steinke 2016,
        Proposition 1.4).

        Raises:
            InputError: ``privacy.scale``.
        """
        most = self.rows * (self.step // self.unit)
        if self.noise == "laplace":
            epsilon = Fraction(math.isqrt(2 * self.rho * _PRECISE), _PRECISE)  # rounded down
            return tables.laplace(most * self.parts / max(epsilon, Fraction(1, _PRECISE)))
        return tables.gaussian(Fraction(most * most * self.parts * RHO, 2 * self.rho))

    @property
    def worth(self) -> float:
        """What one step of the grid is worth."""
        return self.unit * self.scale

    def rounded(self, sums: np.ndarray) -> np.ndarray:
        """Return (size,) int64 sums on the grid."""
        return (sums + self.unit // 2) // self.unit


def compiled(release: Release, rho: int) -> list[Vector]:
    """Return the vectors of all queries but groups that are found in the data.

    Args:
        release: What is asked.
        rho: What all of it costs, in 10^-9, parted by weight.

    Raises:
        InputError: ``privacy.query`` for too many cells; ``privacy.budget`` where a part is nothing.
    """
    found = []
    for query, part in zip(release.queries, shares(release, rho), strict=True):
        made = _MAKE[query.what](query, release)
        found += [
            Vector(query.name, what, size, step, pieces, scale, _part(part // len(made), query), release.unit.rows,
                   query.noise, _filtered(query, add))
            for what, size, step, pieces, scale, add in made
        ]  # fmt: skip
    return found


def shares(release: Release, rho: int) -> list[int]:
    """Return what each query may cost, in 10^-9; together no more than ``rho``."""
    weights = [Fraction(query.weight).limit_denominator(10**6) for query in release.queries]
    return [math.floor(rho * weight / sum(weights)) for weight in weights]


def found_in_data(query: Query, release: Release) -> bool:
    """Return whether a query's groups are found in the data."""
    return query.what == "table" and any(name not in release.domains for name in query.by)


def _part(rho: int, query: Query) -> int:
    if rho < 1:
        raise InputError("privacy.budget", f"nothing is left for {query.name}.", remedy="Ask less, or raise the loss.")
    return rho


Adder = "Callable[[Part, np.ndarray], None]"
Made = "tuple[str, int, int, int, float, Callable[[Part, np.ndarray], None]]"


def _filtered(query: Query, add: Callable[[Part, np.ndarray], None]) -> Callable[..., None]:
    if not query.where:
        return add
    condition = scenario.parse(query.where)
    return lambda part, sums: add(part.where(condition), sums)


def _count(_query: Query, _release: Release) -> list:  # type: ignore[type-arg]
    def add(part: Part, sums: np.ndarray) -> None:
        sums[0] += len(part)

    return [("count", 1, 1, 1, 1.0, add)]


def _fixed(values: np.ndarray, centre: float, size: float) -> np.ndarray:
    """Return (n,) int64 in -FINE to FINE; missing is 0."""
    inner = np.clip((values - centre) / size, -1.0, 1.0)
    return np.asarray(np.rint(np.where(np.isnan(inner), 0.0, inner) * FINE), dtype=np.int64)


def _added(values: np.ndarray, centre: float, size: float) -> int:
    """Return the sum of :func:`_fixed`, exactly: whole numbers of at most 2^35 add up without rounding in 53 bits."""
    total, held = 0, np.empty(min(len(values), chunks.BLOCK))
    for at in range(0, len(values), chunks.BLOCK):
        part = values[at : at + chunks.BLOCK]
        inner = np.subtract(part, centre, out=held[: len(part)])
        np.divide(inner, size, out=inner)
        np.clip(inner, -1.0, 1.0, out=inner)
        np.rint(np.multiply(inner, FINE, out=inner), out=inner)
        found = float(inner.sum())
        total += int(np.nansum(inner) if math.isnan(found) else found)
    return total


def _sum(query: Query, _release: Release) -> list:  # type: ignore[type-arg]
    low, high = query.bounds or (0.0, 0.0)
    most = max(abs(low), abs(high))

    def add(part: Part, sums: np.ndarray) -> None:
        sums[0] += _added(np.clip(part.number(query.column), low, high), 0.0, most)

    return [("sum", 1, FINE, 1, most / FINE, add)]


def _present(query: Query) -> Callable[[Part, np.ndarray], None]:
    def add(part: Part, sums: np.ndarray) -> None:
        values = part.number(query.column)
        sums[0] += len(values) - np.count_nonzero(np.isnan(values))

    return add


def _mean(query: Query, _release: Release) -> list:  # type: ignore[type-arg]
    centre, half = middle(query)

    def add(part: Part, sums: np.ndarray) -> None:
        sums[0] += _added(part.number(query.column), centre, half)

    return [("count", 1, 1, 1, 1.0, _present(query)), ("sum", 1, FINE, 1, 1 / FINE, add)]


def _variance(query: Query, release: Release) -> list:  # type: ignore[type-arg]
    centre, half = middle(query)

    def add(part: Part, sums: np.ndarray) -> None:
        values = part.number(query.column)
        square = 2 * np.clip((values - centre) / half, -1.0, 1.0) ** 2 - 1  # -1 to 1
        sums[0] += np.rint(np.where(np.isnan(square), 0.0, square) * FINE).astype(np.int64).sum()

    return [*_mean(query, release), ("square", 1, FINE, 1, 1 / FINE, add)]


def middle(query: Query) -> tuple[float, float]:
    """Return the centre of a query's bounds and half of their width."""
    low, high = query.bounds or (0.0, 1.0)
    return (low + high) / 2, (high - low) / 2


def _histogram(query: Query, release: Release) -> list:  # type: ignore[type-arg]
    domain = release.domains[query.column]
    size = len(chunks.names(domain))
    _most(size, query)

    def add(part: Part, sums: np.ndarray) -> None:
        sums += part.tally(query.column, domain)

    return [("count", size, 1, 1, 1.0, add)]


def _crossed(columns: list[str], release: Release, query: Query) -> list:  # type: ignore[type-arg]
    sizes, at = crossing(columns, release)
    size = math.prod(sizes)
    _most(size, query)

    def add(part: Part, sums: np.ndarray) -> None:
        sums += np.bincount(at(part), minlength=size)

    return [("count", size, 1, 1, 1.0, add)]


def crossing(columns: list[str], release: Release) -> tuple[list[int], Callable[[Part], np.ndarray]]:
    """Return the sizes of the columns' domains, and what gives the (n,) crossed cell of each row."""
    domains = [release.domains[name] for name in columns]
    sizes = [len(chunks.names(domain)) for domain in domains]

    def at(part: Part) -> np.ndarray:
        found = np.zeros(len(part), dtype=np.int64)
        for name, domain, size in zip(columns, domains, sizes, strict=True):
            found = found * size + part.cells(name, domain)
        return found

    return sizes, at


def _most(size: int, query: Query) -> None:
    if size > MOST_CELLS:
        raise InputError(
            "privacy.query", f"{query.name} has {size} cells.", remedy=f"At most {MOST_CELLS}; ask of fewer columns."
        )


def _table(query: Query, release: Release) -> list:  # type: ignore[type-arg]
    if found_in_data(query, release):
        return []
    sizes, at = crossing(list(query.by), release)
    size = math.prod(sizes)
    _most(size, query)
    if query.of == "count":
        return _crossed(list(query.by), release, query)
    low, high = query.bounds or (0.0, 1.0)
    centre, half = (0.0, max(abs(low), abs(high))) if query.of == "sum" else middle(query)

    def add(part: Part, sums: np.ndarray) -> None:
        values = _fixed(np.clip(part.number(query.column), low, high), centre, half)
        np.add.at(sums, at(part), values)

    def count(part: Part, sums: np.ndarray) -> None:
        there = ~np.isnan(part.number(query.column))
        sums += np.bincount(at(part)[there], minlength=size)

    if query.of == "sum":
        return [("sum", size, FINE, 1, half / FINE, add)]
    return [("count", size, 1, 1, 1.0, count), ("sum", size, FINE, 1, 1 / FINE, add)]


def _quantiles(query: Query, _release: Release) -> list:  # type: ignore[type-arg]
    low, high = query.bounds or (0.0, 1.0)
    levels = query.bins.bit_length() - 1

    def add(part: Part, sums: np.ndarray) -> None:
        values = part.number(query.column)
        values = np.clip(values[~np.isnan(values)], low, high)
        at = np.minimum((values - low) / (high - low) * query.bins, query.bins - 1).astype(np.int64)
        leaves = np.bincount(at, minlength=query.bins)
        sums += np.concatenate([leaves.reshape(1 << level, -1).sum(axis=1) for level in range(1, levels + 1)])

    return [("count", 2 * query.bins - 2, 1, levels, 1.0, add)]


def _synthetic(query: Query, release: Release) -> list:  # type: ignore[type-arg]
    pairs = list(combinations(query.columns, 2))
    crossed = [crossing(list(pair), release) for pair in pairs]
    sizes = [math.prod(each) for each, _ in crossed]
    _most(sum(sizes), query)

    def add(part: Part, sums: np.ndarray) -> None:
        start = 0
        for size, (_, at) in zip(sizes, crossed, strict=True):
            sums[start : start + size] += np.bincount(at(part), minlength=size)
            start += size

    return [("count", sum(sizes), 1, len(pairs), 1.0, add)]


_MAKE = {
    "count": _count, "sum": _sum, "mean": _mean, "variance": _variance, "histogram": _histogram, "table": _table,
    "contingency": lambda query, release: _crossed(list(query.columns), release, query), "quantiles": _quantiles,
    "synthetic": _synthetic,
}  # fmt: skip
