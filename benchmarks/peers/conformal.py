"""One conformal decision of MAPIE; run by its own interpreter: ``python conformal.py COUNT``.

The model below is a constant, so that its own prediction costs nothing. Prints the median of seconds of one row's set.
"""

import statistics
import sys
import time

import numpy as np
from mapie.classification import SplitConformalClassifier
from sklearn.base import BaseEstimator, ClassifierMixin


class Constant(ClassifierMixin, BaseEstimator):
    """Gives scores by the first column, at no cost."""

    def fit(self, rows, truth):
        """Keep the classes."""
        self.classes_, self.n_features_in_ = np.unique(truth), rows.shape[1]
        return self

    def predict_proba(self, rows):
        """Return (n, 2) scores."""
        return np.column_stack([rows[:, 0], 1 - rows[:, 0]])

    def predict(self, rows):
        """Return (n,) classes."""
        return self.classes_[(rows[:, 0] < 0.5).astype(int)]


def main(count):
    """Measure."""
    rng = np.random.default_rng(0)
    rows = rng.random((600, 20))
    truth = (rng.random(600) > rows[:, 0]).astype(int)
    made = SplitConformalClassifier(Constant().fit(rows, truth), confidence_level=0.9, prefit=True)
    made.conformalize(rows, truth)
    times = []
    for at in range(count):
        row = rows[at % 600][None]
        began = time.perf_counter()
        made.predict_set(row)
        times.append(time.perf_counter() - began)
    print(statistics.median(times))


main(int(sys.argv[1]))
