"""Doubt: labels that are contradicted because two classes look alike, not because somebody changed them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from fivefold.sharing.filtering.suspects import Opinion

_CONTRADICTED, _SUREST, _MOSTLY = 0.5, 0.95, 0.5
_FEWEST, _LEAST = 10, 0.02


def doubtful(found: Opinion) -> np.ndarray:
    """Return (n,) bool: contradicted rows of which most are good ones, told for each pair of classes.

    Rows of class b that are called a are contradicted as surely as rows that are called b are confirmed, so that those
    contradicted most surely tell how many there are. Where that is less than half of the rows contradicted at least so
    surely, honest rows of two classes that look alike are most of them.

    Limit: pairs of which fewer than ten rows are contradicted are not looked at. Labels that somebody changed where
    two classes are hardly told apart stay.

    Args:
        found: What models that never saw a row say of n rows.
    """
    sure, expected, label = found.suspicion, found.expected, found.label
    out = np.zeros(len(sure), dtype=bool)
    for b in np.unique(expected):
        confirmed = np.sort(-sure[(label == b) & (sure < 0)])
        if not len(confirmed):
            continue
        for a in np.unique(label[expected == b]):
            rows = np.flatnonzero((label == a) & (expected == b) & (sure > _CONTRADICTED))
            if a == b or len(rows) < _FEWEST:
                continue
            limits = np.unique(sure[rows])
            changed = (sure[rows] >= _SUREST).sum() / _share(confirmed, np.array([_SUREST]))
            counts = len(rows) - np.searchsorted(np.sort(sure[rows]), limits)
            able = limits[changed * _share(confirmed, limits) >= _MOSTLY * counts]
            out[rows] = sure[rows] < (able[0] if len(able) else np.inf)
    return out


def _share(ordered: np.ndarray, limits: np.ndarray) -> np.ndarray:
    """Return the share of values that reach each limit, 2 % at least."""
    return np.asarray(np.maximum(1 - np.searchsorted(ordered, limits) / len(ordered), _LEAST))
