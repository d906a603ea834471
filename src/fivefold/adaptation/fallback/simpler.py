"""Simpler: a small model of our own that answers where the served one is unsure or gone: logistic, or ridge."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import numpy as np

from fivefold.adaptation.encoding import Encoding

if TYPE_CHECKING:
    from fivefold.subject.rows import Rows

_REGULARISED = 0.1


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
            ValueError: Rows that are texts, or all of one class.
        """
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.linear_model import LogisticRegression, Ridge

        self._encoding, self._classes = Encoding(rows), classes
        self._model = LogisticRegression(C=_REGULARISED, max_iter=500) if classes else Ridge(alpha=1 / _REGULARISED)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            self._model.fit(self._encoding(rows), truth)

    def scores(self, rows: Rows) -> np.ndarray:
        """Return (n, K) probabilities in the order of the class indices, or (n,) values of a regression."""
        given = self._encoding(rows)
        if not self._classes:
            values: np.ndarray = self._model.predict(given)
            return values
        found = np.zeros((len(given), self._classes))
        found[:, self._model.classes_.astype(int)] = self._model.predict_proba(given)
        return found
