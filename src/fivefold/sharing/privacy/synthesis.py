"""Synthesis: rows drawn from a tree of noisy tables of two columns; they cost nothing beyond these tables.

The tree is the one with the most mutual information in the noisy tables (Chow and Liu 1968; for private synthesis
McKenna, Miklau and Sheldon 2021). What more than two columns say together is not kept, and no row is anybody's.
"""

from __future__ import annotations

import secrets
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np

from fivefold.sharing.privacy import chunks

if TYPE_CHECKING:
    from fivefold.sharing.privacy.queries import Query, Release


def synthetic(query: Query, release: Release, noisy: np.ndarray) -> list[dict[str, Any]]:
    """Return rows, each a mapping of column to the name of its cell.

    Args:
        query: Columns and rows.
        release: Whose domains name the cells.
        noisy: (size,) noisy counts of all pairs of columns, one pair after the other.
    """
    names = {name: chunks.names(release.domains[name]) for name in query.columns}
    shared: dict[tuple[str, str], np.ndarray] = {}
    start = 0
    for one, two in combinations(query.columns, 2):
        shape = (len(names[one]), len(names[two]))
        size = shape[0] * shape[1]
        table = np.maximum(noisy[start : start + size].astype(float).reshape(shape), 0.0) + 1e-9
        shared[one, two], shared[two, one] = table / table.sum(), table.T / table.sum()
        start += size
    rng = np.random.default_rng(secrets.randbits(128))
    order = _tree(list(query.columns), shared)
    drawn: dict[str, np.ndarray] = {}
    for name, parent in order:
        if parent is None:
            weights = shared[name, order[1][0]].sum(axis=1)
            drawn[name] = rng.choice(len(weights), query.rows, p=weights / weights.sum())
            continue
        given = shared[parent, name]
        cumulative = np.cumsum(given / given.sum(axis=1, keepdims=True), axis=1)[drawn[parent]]
        at = (rng.random(query.rows)[:, None] >= cumulative).sum(axis=1)
        drawn[name] = np.minimum(at, given.shape[1] - 1)
    rows = zip(*(drawn[name].tolist() for name in query.columns), strict=True)
    return [{"row": {name: names[name][at] for name, at in zip(query.columns, row, strict=True)}} for row in rows]


def _tree(columns: list[str], shared: dict[tuple[str, str], np.ndarray]) -> list[tuple[str, str | None]]:
    """Return each column with the one that it hangs on, parents first (Prim's algorithm)."""
    inside: list[tuple[str, str | None]] = [(columns[0], None)]
    left = columns[1:]
    while left:
        known = [name for name, _ in inside]
        name, parent = max(((n, p) for n in left for p in known), key=lambda pair: _information(shared[pair]))
        inside.append((name, parent))
        left.remove(name)
    return inside


def _information(table: np.ndarray) -> float:
    apart = table.sum(axis=1, keepdims=True) * table.sum(axis=0, keepdims=True)
    return float((table * np.log(table / apart)).sum())
