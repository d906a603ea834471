"""Trees: a tree, or a small sum of trees, as products of weighted sums of cells, exact on every row.

A split is a step, and near a step every polynomial in a number is off by half of it, whatever its degree. So the step
is taken before rows are encrypted, by their owner: a column that is split comes as cells (``edges`` or ``values``), a
vector with a single 1, and "below 30" is the sum of the cells below 30: 0 or 1, with no zone between, no product, and
no depth. All splits of a path upon one column are one such sum. A leaf is the product of the sums of its path's
columns; the last of them carries the values, so that both children of a split, and leaves of several trees on the same
path, are one product. With m further columns on a path that is ceil(log2(m + 2)) levels of the modulus.

What that costs: the owner is told the edges of every split, that is, at which values each column is split somewhere.
The order of splits and the values of leaves stay with the server.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import msgspec
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from fivefold.sharing.ciphertext.settings import Settings
    from fivefold.sharing.privacy.training import Column

MOST_TREES, MOST_TERMS, MOST_DEPTH = 64, 512, 12
SMALLEST = 2.0**-40
"""Leaves are multiples of it in size; what is smaller is taken for 0."""
_SIGMA, _SPREADS, _STEPS = 3.2, 8.0, 256


class Node(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A split.

    Attributes:
        column: Which; it comes as ``edges`` or ``values``.
        below: Of edges: what is below goes to ``yes``; one of the edges.
        among: Of values: what is among them goes to ``yes``.
        yes: A split, or the value of a leaf.
        no: The same.
        otherwise: Where a value goes that is in no cell (missing, beyond the edges, another text).
    """

    column: str
    yes: Node | float
    no: Node | float
    below: float | None = None
    among: tuple[str | int | float | bool, ...] = ()
    otherwise: Literal["yes", "no"] = "no"


@dataclass(frozen=True)
class Term:
    """A product of sums of cells: each of ``sums``, and one that carries the values.

    Attributes:
        sums: Numbers of an encoded row whose sum is a factor, each of 0 or 1.
        cells: Numbers of an encoded row that carry values.
        carried: (len(cells),) the values.
    """

    sums: tuple[tuple[int, ...], ...]
    cells: tuple[int, ...]
    carried: np.ndarray

    @property
    def levels(self) -> int:
        """Levels of the modulus that it takes."""
        return max(1, math.ceil(math.log2(len(self.sums) + 2)))


def fault(trees: Sequence[Node | float], columns: Mapping[str, Column]) -> str:
    """Return what is wrong with trees, in words; empty if nothing is."""
    if not 1 <= len(trees) <= MOST_TREES:
        return f"trees: 1 to {MOST_TREES} of them."
    for at, tree in enumerate(trees):
        for node, depth in _nodes(tree, 1):
            told = _split_fault(node, columns) if depth <= MOST_DEPTH else f"at most {MOST_DEPTH} splits on a path."
            if told:
                return f"trees.{at}: {told}"
    return ""


def _nodes(tree: Node | float, depth: int) -> Iterator[tuple[Node, int]]:
    if isinstance(tree, Node):
        yield tree, depth
        if depth <= MOST_DEPTH:
            yield from _nodes(tree.yes, depth + 1)
            yield from _nodes(tree.no, depth + 1)


def _split_fault(node: Node, columns: Mapping[str, Column]) -> str:
    column = columns.get(node.column)
    if column is None:
        return f"there is no column {node.column[:60]!r}."
    if column.bounds:
        return f"{node.column[:60]} is split, so it needs edges or values: near a step no polynomial is exact."
    if column.edges:
        fits = node.below in column.edges and not node.among
        return "" if fits else f"{node.column[:60]}: `below` is one of its edges."
    fits = bool(node.among) and node.below is None and all(_among(one, column.values) for one in node.among)
    return "" if fits else f"{node.column[:60]}: `among` are some of its values."


def _among(one: object, values: Sequence[object]) -> bool:
    return any(type(one) is type(other) and one == other for other in values)


def leaves(trees: Sequence[Node | float]) -> list[float]:
    """Return the values of all leaves."""
    found: list[float] = []
    for tree in trees:
        if not isinstance(tree, Node):
            found.append(float(tree))
        for node, _ in _nodes(tree, 1):
            found += [float(child) for child in (node.yes, node.no) if not isinstance(child, Node)]
    return found


def largest(trees: Sequence[Node | float]) -> float:
    """Return the most that the sum of all trees can be, in size."""
    return sum(max(abs(one) for one in leaves((tree,))) for tree in trees)


def terms(trees: Sequence[Node | float], places: Mapping[str, tuple[int, Column]]) -> tuple[float, tuple[Term, ...]]:
    """Return the constant, and the terms whose sum with it the trees are on every encoded row.

    Args:
        trees: As :func:`fault` finds nothing wrong with.
        places: Column to the number of an encoded row at which it begins, and how it becomes numbers.
    """
    made: dict[tuple[tuple[tuple[int, ...], ...], str], dict[int, float]] = {}
    constant = sum(float(tree) for tree in trees if not isinstance(tree, Node))
    for tree in trees:
        if isinstance(tree, Node):
            _walk(tree, {}, places, made)
    found = []
    for (sums, _), cells in made.items():
        kept = {cell: value for cell, value in sorted(cells.items()) if abs(value) >= SMALLEST}
        if kept:
            found.append(Term(sums, tuple(kept), np.array(list(kept.values()))))
    return constant, tuple(found)


def _walk(
    node: Node, path: dict[str, np.ndarray], places: Mapping[str, tuple[int, Column]],
    made: dict[tuple[tuple[tuple[int, ...], ...], str], dict[int, float]],
) -> None:  # fmt: skip
    """Add the terms of a subtree; ``path`` says which cells of each column lead to it."""
    start, column = places[node.column]
    said = _cells(node, column)
    here = path.get(node.column, np.ones(len(said), dtype=bool))
    for child, cells in ((node.yes, here & said), (node.no, here & ~said)):
        if not cells.any():
            continue
        if isinstance(child, Node):
            _walk(child, {**path, node.column: cells}, places, made)
            continue
        others = {name: mask for name, mask in path.items() if name != node.column and not mask.all()}
        sums = tuple(
            tuple((places[name][0] + np.flatnonzero(mask)).tolist()) for name, mask in sorted(others.items())
        )  # fmt: skip
        held = made.setdefault((sums, node.column), {})
        for cell in (start + np.flatnonzero(cells)).tolist():
            held[cell] = held.get(cell, 0.0) + float(child)


def _cells(node: Node, column: Column) -> np.ndarray:
    """Return for each cell of a column whether it goes to ``yes``."""
    if column.edges:
        inside = [node.below is not None and high <= node.below for high in column.edges[1:]]
    else:
        inside = [_among(value, node.among) for value in column.values]
    return np.array([*inside, node.otherwise == "yes"])


def summed(constant: float, given: Sequence[Term], x: np.ndarray) -> np.ndarray:
    """Return (n,) what the terms give in the clear.

    Args:
        constant: As :func:`terms` gives.
        given: As :func:`terms` gives.
        x: (n, d - 1) encoded rows.
    """
    found = np.full(len(x), constant)
    for term in given:
        part = x[:, list(term.cells)] @ term.carried
        for cells in term.sums:
            part = part * x[:, list(cells)].sum(axis=1)
        found += part
    return found


def bound(settings: Settings, given: Sequence[Term], most: float) -> float:
    """Return a bound on the error of the encrypted sum over every row; infinite if it does not fit.

    A fresh cell is off by a normal error of spread 3.2 sqrt(n) over the scale, each product by one of rescaling
    (Cheon et al. 2017, lemmas 1 and 2); a product of A (off by a) and B (off by b) is off by at most A b + B a + a b
    and its own. Eight spreads are exceeded in one slot of 10^15. Primes beside a power of two change a value by the
    same factor in each level; only the terms of the leaves that a row is in have a value to change, at most ``most``.

    Args:
        settings: Of the encryption.
        given: The terms.
        most: Most that the sum can be, in size, for any row.
    """
    n, scale = settings.degree, 2.0**settings.scale
    levels = max((term.levels for term in given), default=1)
    inner = settings.primes[1:-1]
    room = settings.primes[0] - 2 - settings.scale
    if not settings.rescale or len(inner) < levels or math.log2(max(most, 1.0)) >= room:
        return math.inf
    fresh = _SPREADS * _SIGMA * math.sqrt(n) / scale
    step = _SPREADS * math.sqrt(n / 12 * (1 + 2 * n / 3)) / scale
    total = sum(_noise(term, fresh, step, 1 / scale) for term in given)
    drift = _STEPS * 2 * n / 2.0 ** min(inner)
    return total + max(most, 1.0) * ((1 + drift) ** levels - 1)


def _noise(term: Term, fresh: float, step: float, rounding: float) -> float:
    """Return how far a term can be off by noise, drift of primes apart."""
    count = len(term.cells)
    size = float(np.abs(term.carried).max())
    off = fresh * float(np.linalg.norm(term.carried)) + step * math.sqrt(count) + rounding * count
    for cells in term.sums:
        other = fresh * math.sqrt(len(cells))
        off = off + size * other + off * other + 2 * step * max(1.0, size)
    return off


def settings_for(given: Sequence[Term]) -> Iterator[tuple[int, tuple[int, ...], int]]:
    """Yield degree, primes and scale that carry the levels of terms, the cheapest first."""
    levels = max((term.levels for term in given), default=1)
    for degree, bits in ((8192, 218), (16384, 438), (32768, 881)):
        scale = min(49, (bits - 120) // levels)
        if scale >= 40:
            yield degree, (60, *(scale,) * levels, 60), scale
