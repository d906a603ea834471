"""Aims: what is to be alike between groups, as a number for each row whose mean by group is to be the same."""

from __future__ import annotations

from typing import Literal

import numpy as np

Aim = Literal["selection", "tpr"]
"""``selection``: shares of favourable answers; ``tpr``: shares of those among people who deserve them."""


def counted(aim: Aim, truth: np.ndarray) -> np.ndarray:
    """Return (n,) which rows count: all, or those that deserve the favourable answer."""
    return np.ones(len(truth), dtype=bool) if aim == "selection" else truth == 1


def rates(chosen: np.ndarray, codes: np.ndarray, truth: np.ndarray, aim: Aim) -> np.ndarray:
    """Return (G,) shares of favourable answers of each group; NaN for a group without a row that counts."""
    mine = counted(aim, truth)
    groups = int(codes.max(initial=0)) + 1
    rows = np.bincount(codes[mine], minlength=groups)
    hits = np.bincount(codes[mine], chosen[mine], minlength=groups)
    return np.asarray(np.divide(hits, rows, out=np.full(groups, np.nan), where=rows > 0))


def gap(chosen: np.ndarray, codes: np.ndarray, truth: np.ndarray, aim: Aim) -> float:
    """Return the widest gap of :func:`rates`; 0 with fewer than two groups."""
    found = rates(chosen, codes, truth, aim)
    found = found[np.isfinite(found)]
    return float(found.max() - found.min()) if len(found) > 1 else 0.0
