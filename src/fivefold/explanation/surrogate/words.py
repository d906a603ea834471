"""Words: a tree's questions as conditions that a person can check with a form in hand."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fivefold.explanation.antehoc.form import Term
    from fivefold.explanation.surrogate.tree import Tree

_DAY = np.datetime64("1970-01-01")


def paths(tree: Tree, terms: Sequence[Term], missing: np.ndarray) -> dict[int, str]:
    """Return what holds of the rows of each node, each column named once.

    Args:
        tree: The tree.
        terms: Its columns.
        missing: (T,) bool: the column has missing cells; of others nothing is said about them.
    """
    kept: dict[int, dict[int, np.ndarray]] = {0: {}}
    for at, split in enumerate(tree.splits):
        for child, side in ((2 * at + 1, split.left), (2 * at + 2, ~split.left)):
            above = kept[split.node]
            kept[child] = above | {split.term: above.get(split.term, np.ones(len(side), dtype=bool)) & side}
    return {
        node: " and ".join(_held(terms[at], steps, gone=bool(missing[at])) for at, steps in held.items()) or "any row"
        for node, held in kept.items()
    }


def _held(term: Term, steps: np.ndarray, *, gone: bool) -> str:
    """Return which cells of a column have one of the given steps."""
    if term.kind == "text":
        return _texts(term, steps)
    known = np.flatnonzero(steps[:-1])
    if not len(known):
        return f"{term.column} missing"
    first, last = int(known[0]), int(known[-1])
    parts = [f"from {_mark(term, first - 1)}"] if first else []
    parts += [f"below {_mark(term, last)}"] if last < len(term.cuts) else []
    if not parts:
        return f"{term.column} not missing"
    return f"{term.column} {' '.join(parts)}{' or missing' if gone and steps[-1] else ''}"


def _mark(term: Term, at: int) -> str:
    """Return a cut as text; a date as its day."""
    cut = term.cuts[at]
    return str(_DAY + int(cut)) if term.kind == "date" else f"{cut:.10g}"


def _texts(term: Term, steps: np.ndarray) -> str:
    # the side that takes texts never seen is told by what it is not
    rest = bool(steps[len(term.names)])
    names = [*term.names, "any other", "missing"]
    listed = [names[at] for at in np.flatnonzero(~steps if rest else steps).tolist()]
    if len(listed) == 1:
        return f"{term.column} is {'not ' if rest else ''}{listed[0]}"
    return f"{term.column} is {'none' if rest else 'one'} of {', '.join(listed)}"
