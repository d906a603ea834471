"""Simpler: a small model of our own that answers where the served one is unsure or gone: logistic, or ridge."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import numpy as np

from fivefold.adaptation import encoding

if TYPE_CHECKING:
    from fivefold.subject.rows import Rows

_REGULARISED = 0.1
_MOST_INPUTS = 1024


class Simpler:
    """Fitted to labelled rows; a line for each class.

    Limit: rows that are texts are not answered; what a straight line cannot say, it does not say.
    """

    def __init__(self, rows: Rows, truth: np.ndarray, classes: int) -> None:
        """Fit it.

        Args:
            rows: (n, ...) what the model is given.
            truth: (n,) class indices, or values.
            classes: Number of classes; 0: a regression.

        Raises:
            UnsupportedError: ``adaptation.inputs`` for rows that are texts.
            ValueError: Rows of one class.
        """
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.linear_model import LogisticRegression, Ridge

        self._encoding, self._classes = encoding.fit(rows), classes
        self._model = LogisticRegression(C=_REGULARISED, max_iter=500) if classes else Ridge(alpha=1 / _REGULARISED)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            self._model.fit(self._inputs(rows), truth)

    def scores(self, rows: Rows) -> np.ndarray:
        """Return (n, K) probabilities in the order of the class indices, or (n,) values of a regression."""
        given = self._inputs(rows)
        if not self._classes:
            values: np.ndarray = self._model.predict(given)
            return values
        found = np.zeros((len(given), self._classes))
        found[:, self._model.classes_.astype(int)] = self._model.predict_proba(given)
        return found

    def _inputs(self, rows: Rows) -> np.ndarray:
        """Return (n, p); of long arrays means over blocks."""
        given = self._encoding(rows)
        if isinstance(rows, np.ndarray) and given.shape[1] > _MOST_INPUTS:
            starts = np.unique(np.linspace(0, given.shape[1], _MOST_INPUTS + 1).astype(np.int64))
            given = np.add.reduceat(given, starts[:-1], axis=1) / np.diff(starts)
        return given
