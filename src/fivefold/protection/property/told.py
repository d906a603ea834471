"""Told: a meta-classifier that tells from a model's answers which of two training sets it was trained on.

After Ateniese et al. 2015 and Zhang, Tople and Ohrimenko 2021: models of known sets teach it, models of rows that
it has never seen are judged. A ridge in the answers of all rows, or in their means in and outside the group.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from fivefold.protection.property.worlds import Group, Worlds

_PENALTIES = (0.01, 0.1, 1.0, 10.0)


def right(worlds: Worlds, group: Group, at: int) -> np.ndarray:
    """Return (m,) bool, whether each model's set is told by a classifier taught by the other half's models."""
    told = np.zeros(len(worlds.halves), dtype=bool)
    truth = np.where(worlds.more[at], 1.0, -1.0)
    for half in (False, True):
        teach, judged = np.flatnonzero(worlds.halves != half), np.flatnonzero(worlds.halves == half)
        told[judged] = np.sign(guesses(worlds.answers, group, truth, teach)[judged]) == truth[judged]
    return told


def guesses(answers: np.ndarray, group: Group, truth: np.ndarray, teach: np.ndarray) -> np.ndarray:
    """Return (m,) what a classifier says of each model: above 0 for more of the group.

    Args:
        answers: (m, q, k) what the models say.
        group: Whose share is told.
        truth: (m,) 1 for more and -1 for fewer, used where it is taught.
        teach: (t,) models that teach.
    """
    best, found = -np.inf, np.zeros(len(answers))
    for view in views(answers, group):
        centre, spread = view[teach].mean(axis=0), view[teach].std(axis=0)
        scaled = np.where(spread > 0, (view - centre) / np.where(spread > 0, spread, 1.0), 0.0)
        gram = scaled @ scaled[teach].T
        own = gram[teach]
        scale = float(np.trace(own)) / len(teach)
        for penalty in _PENALTIES:
            inverse = np.linalg.inv(own + (penalty * scale + 1e-9) * np.eye(len(teach)))
            weights = inverse @ truth[teach]
            left_out = truth[teach] - weights / np.diag(inverse)  # each judged without itself
            score = float((np.sign(left_out) == truth[teach]).mean()) - 1e-3 * float(
                np.square(np.clip(left_out, -2, 2) - truth[teach]).mean()
            )
            if score > best:
                best, found = score, gram @ weights
    return np.asarray(found)


def views(answers: np.ndarray, group: Group) -> list[np.ndarray]:
    """Return (m, d) views: the means in and outside the group, and the answers of all rows."""
    inside = group.asked
    parts = [answers[:, where].mean(axis=1) for where in (inside, ~inside) if where.any()]
    if len(parts) == 2:
        parts.append(parts[0] - parts[1])
    return [np.concatenate(parts, axis=1), answers.reshape(len(answers), -1)]
