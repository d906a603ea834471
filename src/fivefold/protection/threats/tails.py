"""Tails: how rare the values of a flow are among benign flows of its kind, column by column.

The kind of a flow is the combination of its texts (protocol, service, flag): 50 kB sent are nothing in a file
transfer, and unheard of in a request for a page.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fivefold.protection.threats.encoding import CONTEXTS

_CELLS, _PRIOR, _TOP = 24, 3.0, 3
"""Cells of a column, flows that a kind borrows from all others, and columns of a flow that count."""


@dataclass(frozen=True)
class Tails:
    """Counts of benign flows.

    Attributes:
        texts: (d,) bool, columns of texts: they make up the kind.
        kinds: (k,) sorted numbers of the kinds told apart; all others are one more.
        edges: Of each column, sorted.
        tables: Of each column (k + 1, c): minus the logarithm of the chance of a cell as rare, or rarer, in a kind.
    """

    texts: np.ndarray
    kinds: np.ndarray
    edges: tuple[np.ndarray, ...]
    tables: tuple[np.ndarray, ...]

    def __call__(self, values: np.ndarray) -> np.ndarray:
        """Return (n,) the sum over the three rarest columns of each flow; larger is rarer.

        Args:
            values: (n, d) as encoded.
        """
        kind = kinds(values, self.texts)
        at = np.minimum(np.searchsorted(self.kinds, kind), max(len(self.kinds) - 1, 0))
        at = np.where(self.kinds[at] == kind, at, len(self.kinds)) if len(self.kinds) else np.zeros(len(values), int)
        told = np.column_stack(
            [table[at, cells(values[:, place], self.edges[place])] for place, table in enumerate(self.tables)]
        )
        top = min(_TOP, told.shape[1])
        return np.asarray(np.partition(told, told.shape[1] - top, axis=1)[:, -top:].sum(axis=1))


def fit(values: np.ndarray, texts: np.ndarray) -> Tails:
    """Count benign flows.

    Source: Goldstein and Dengel 2012 (histogram-based outlier score), here within the kind, which borrows from all
    flows (Dirichlet prior), and with the chance of the tail in place of the density.

    Args:
        values: (n, d) benign flows, as encoded.
        texts: (d,) bool, columns of texts.
    """
    kind = kinds(values, texts)
    known, counts = np.unique(kind, return_counts=True)
    kept = np.sort(known[np.argsort(-counts, kind="stable")[:CONTEXTS]])
    at = np.minimum(np.searchsorted(kept, kind), len(kept) - 1)
    at = np.where(kept[at] == kind, at, len(kept))
    edges = [_edges(values[:, place], text=bool(texts[place])) for place in range(values.shape[1])]
    tables = [_table(cells(values[:, place], edges[place]), at, len(kept), edges[place], free=bool(texts[place]))
              for place in range(values.shape[1])]  # fmt: skip
    return Tails(texts, kept, tuple(edges), tuple(tables))


def cells(column: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Return (n,) the cell of each value of a column."""
    return np.asarray(np.searchsorted(edges, column, side="right"))


def kinds(values: np.ndarray, texts: np.ndarray) -> np.ndarray:
    """Return (n,) a number that flows of the same texts share."""
    found = np.zeros(len(values), dtype=np.uint64)
    for place in np.flatnonzero(texts):
        found = found * np.uint64(1_000_003) + values[:, place].astype(np.uint64) + np.uint64(1)
    return found


def _edges(column: np.ndarray, *, text: bool) -> np.ndarray:
    """Return edges between cells: some at quantiles, some at equal steps, one beyond either end of what was seen."""
    seen = np.unique(column)
    if text or len(seen) <= _CELLS:
        inner = (seen[1:] + seen[:-1]) / 2
    else:
        evenly = np.linspace(seen[0], seen[-1], _CELLS + 1)
        inner = np.concatenate([np.quantile(column, np.linspace(0, 1, _CELLS + 1)[1:-1]), evenly])
    step = max(float(seen[-1] - seen[0]) / _CELLS, 0.1) / 2
    return np.unique(np.concatenate([inner, [seen[0] - step, seen[-1] + step]]))


def _table(cell: np.ndarray, at: np.ndarray, kinds: int, edges: np.ndarray, *, free: bool) -> np.ndarray:
    """Return (kinds + 1, c); a text column is counted over all kinds, for within one it is always the same."""
    width = len(edges) + 1
    counts = np.bincount(at * width + cell, minlength=(kinds + 1) * width).reshape(kinds + 1, width).astype(np.float64)
    whole = counts.sum(axis=0) + 0.5
    whole /= whole.sum()
    if free:
        counts[:] = 0.0
    chance = (counts + _PRIOR * whole) / (counts.sum(axis=1, keepdims=True) + _PRIOR)
    order = np.argsort(chance, axis=1, kind="stable")
    tail = np.empty_like(chance)
    np.put_along_axis(tail, order, np.take_along_axis(chance, order, axis=1).cumsum(axis=1), axis=1)
    return np.asarray(-np.log(np.minimum(tail, 1.0)))
