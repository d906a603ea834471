"""Exact: Shapley values out of the trees of a model that is a sum of them, held against what the model answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from fivefold.errors import SubjectError
from fivefold.explanation.asking import pure
from fivefold.stats import shapley, tree_shapley
from fivefold.subject.remote import ENDED
from fivefold.subject.trees import seen

if TYPE_CHECKING:
    from fivefold.explanation.asking import Setting
    from fivefold.explanation.explainer import Told
    from fivefold.subject.trees import Seen, Trees

MIXED = 512
"""Rows put together anew that the model is asked, to see that it answers as its trees do."""

NEAR = 1e-6
MOST_PLAYERS = 62
MOST = 4_000_000_000
"""Most nodes times rows that are looked at."""

_PLAYERS, _ROWS, _BACKGROUND = 8, 4, 8


@dataclass(frozen=True)
class Route:
    """Trees that answer as the model does.

    Attributes:
        trees: The model but for a constant.
        cells: (N, k) cells of the store's rows as the trees see them.
        of: (k,) player of each.
        checked: Rows whose answers were held against the trees'.
    """

    trees: Trees
    cells: np.ndarray
    of: np.ndarray
    checked: int


def route(layout: Setting, rng: np.random.Generator) -> Route | None:
    """Return the trees of the model, if it has such and answers as they do: rows as they are, and rows put together.

    Args:
        layout: Rows, players and answers.
        rng: Draws which cells are put together.
    """
    try:
        found = seen(layout.subject, layout.store.rows)
    except SubjectError as error:
        if error.code == ENDED:
            raise
        return None
    if found is None or found.trees.value.shape[1] != layout.scores.shape[1] or _too_much(found):
        return None
    total, players = layout.store.codes.shape
    of = layout.store.players.of[found.owner]
    if tree_shapley.most_on_a_path(found.trees, of) > MOST_PLAYERS:
        return None
    mixed = rng.integers(total, size=(min(MIXED, layout.allowed // 20), players))
    cells = np.concatenate([pure(np.arange(total), players), mixed])
    given = np.concatenate([layout.scores, layout.ask(mixed)])
    off = given - tree_shapley.answers(found.trees, found.cells[cells[:, of], np.arange(len(of))])
    scale = max(float(np.ptp(given, axis=0).max(initial=0.0)), 1e-300)
    if (np.ptp(off, axis=0) > NEAR * scale).any():
        return None
    return Route(found.trees, found.cells, of, len(cells))


def _too_much(found: Seen) -> bool:
    return len(found.trees.left) * len(found.cells) > MOST


def explain(layout: Setting, way: Route, told: Told = lambda _share: None) -> shapley.Attributions:
    """Return the values over the whole background; their errors are 0."""
    n, background = layout.store.explained, layout.store.background
    made = np.zeros((n, len(layout.store.players)))
    found = tree_shapley.by_trees(way.trees, way.cells, n, layout.column, way.of, told)
    made[:, : found.shape[1]] = found
    base, none = layout.scores[n:].mean(axis=0)[layout.column], np.zeros_like(made)
    return shapley.Attributions(
        made, none, np.array([made, made]), np.array([none, none]), base, background, way.checked - len(layout.scores)
    )


def agrees(layout: Setting, way: Route, rng: np.random.Generator) -> tuple[bool, bool]:
    """Return whether these trees, their players joined to a few, give what all coalitions give; and so once displaced.

    Args:
        layout: Rows.
        way: Trees; the model is not asked.
        rng: Draws rows, and which players are joined.
    """
    n, players = layout.store.explained, len(layout.store.players)
    groups = min(players, _PLAYERS)
    joined = rng.permutation(np.arange(players) % groups)[way.of]
    some = rng.choice(n, min(n, _ROWS), replace=False)
    behind = n + rng.choice(layout.store.background, min(layout.store.background, _BACKGROUND), replace=False)
    cells, column = way.cells[np.concatenate([some, behind])], layout.column[some]

    def ask(present: np.ndarray, who: np.ndarray, base: np.ndarray) -> np.ndarray:
        both = np.where(present[:, joined], cells[who], cells[len(some) + base])
        return np.asarray(tree_shapley.answers(way.trees, both)[np.arange(len(who)), column[who]])

    true = shapley.by_enumeration(ask, len(some), len(behind), players=groups)
    made = np.zeros_like(true)
    found = tree_shapley.by_trees(way.trees, cells, len(some), column, joined)
    made[:, : found.shape[1]] = found
    near = 1e-9 * max(float(np.abs(true).max(initial=0.0)), 1e-300)
    displaced = (made + np.roll(made, 1, axis=1)) / 2
    same = bool((np.abs(displaced - true) <= near).all()) and groups > 1 and bool(true.any())
    return bool((np.abs(made - true) <= near).all()), same
