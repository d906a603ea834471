"""Suspects: how much the other rows contradict a row's label."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np

from fivefold.stats.growing import grown

_FOLDS = 4
_TREES = 40
_LEAF = 3
_WIDE = 32


@dataclass(frozen=True)
class Opinion:
    """What models that never saw a row say of it.

    Attributes:
        chances: (n, K) probability of each class, out of fold.
        label: (n,) the label given.
    """

    chances: np.ndarray
    label: np.ndarray

    @property
    def expected(self) -> np.ndarray:
        """(n,) the class that the other rows speak for."""
        return np.asarray(self.chances.argmax(axis=1))

    @property
    def suspicion(self) -> np.ndarray:
        """(n,) in [-1, 1]: probability of the likeliest other class less that of the label given.

        It is the normalised margin of confident learning (Northcutt, Jiang and Chuang 2021), turned round.
        """
        at = np.arange(len(self.label))
        others = self.chances.copy()
        others[at, self.label] = -1.0
        return np.asarray(others.max(axis=1) - self.chances[at, self.label])

    def surest(self, share: float) -> np.ndarray:
        """Return (n,) bool: of the rows of each expected class the share of which the models are surest.

        Labels of these rows have no part in the choice, so their disagreements are plain counts.
        """
        expected, chosen = self.expected, np.zeros(len(self.label), dtype=bool)
        chance = self.chances[np.arange(len(expected)), expected]
        for code in np.unique(expected):
            rows = np.flatnonzero(expected == code)
            chosen[rows[np.argsort(-chance[rows], kind="stable")[: int(np.ceil(share * len(rows)))]]] = True
        return chosen


def opinion(inputs: np.ndarray, label: np.ndarray, same: np.ndarray, classes: int, rng: np.random.Generator) -> Opinion:
    """Ask extremely randomised trees and a logistic model, cross-fitted, and take the mean of both.

    Rows that equal each other share a fold, so that none is vouched for by its own copy.

    Args:
        inputs: (n, w) finite, w at least 1.
        label: (n,) class indices.
        same: (n,) a number that equal rows share.
        classes: Number of classes K.
        rng: Draws folds and trees.
    """
    _, group = np.unique(same, return_inverse=True)
    fold = rng.permutation(np.arange(int(group.max()) + 1) % _FOLDS)[group]
    chances = np.zeros((len(label), classes))
    for at in range(_FOLDS):
        taught, asked = fold != at, fold == at
        if asked.any() and taught.any():
            chances[asked] = _answers(inputs[taught], label[taught], inputs[asked], classes, rng)
    return Opinion(chances, label)


def _answers(
    inputs: np.ndarray, label: np.ndarray, asked: np.ndarray, classes: int, rng: np.random.Generator
) -> np.ndarray:
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    found = np.zeros((len(asked), classes))
    present = np.unique(label)
    if len(present) < 2:
        found[:, present] = 1.0
        return found
    forest = grown(
        inputs, label, trees=_TREES, leaf=_LEAF, features=0.5 if inputs.shape[1] <= _WIDE else "sqrt",
        seed=int(rng.integers(2**31)),
    )  # fmt: skip
    found[:, present] += forest.shares(asked) / 2
    linear = LogisticRegression(max_iter=60)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # a rough fit is enough to vote
        linear.fit(inputs, label)
    found[:, present] += linear.predict_proba(asked) / 2
    return found
