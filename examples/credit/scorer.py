"""Scores applicants with the tree ensemble in model.json: plain arrays, no pickle, nothing but numpy.

Each tree has two levels: a root, two inner nodes and four leaves. Its answer is an addition to the log odds of a
good credit. A text column is turned into the number that model.json gives for it; a text never seen in training
gets the middle number, a missing number the training median.
"""

import json
from pathlib import Path

import numpy as np

CHUNK = 20_000


class Scorer:
    """The loaded model: `predict` gives labels, `predict_proba` the probabilities of (bad, good)."""

    classes_ = np.array(["bad", "good"])

    def __init__(self, model: dict) -> None:
        self.columns = model["columns"]
        self.base = float(model["base"])
        self.feature = np.array(model["feature"], dtype=np.intp).reshape(-1, 3)
        self.threshold = np.array(model["threshold"], dtype=np.float64).reshape(-1, 3)
        self.leaf = np.array(model["leaf"], dtype=np.float64).reshape(-1, 4)

    def predict_proba(self, frame) -> np.ndarray:
        """Return (n, 2) probabilities for a frame that has the model's columns, in any order."""
        numbers = encode(frame, self.columns)
        parts = [numbers[start : start + CHUNK] for start in range(0, len(numbers), CHUNK)]
        odds = np.concatenate([self._log_odds(part) for part in parts]) if parts else np.empty(0)
        good = 1.0 / (1.0 + np.exp(-odds))
        return np.column_stack([1.0 - good, good])

    def predict(self, frame) -> np.ndarray:
        """Return (n,) labels."""
        return self.classes_[(self.predict_proba(frame)[:, 1] >= 0.5).astype(int)]

    def _log_odds(self, numbers: np.ndarray) -> np.ndarray:
        right = numbers[:, self.feature] > self.threshold
        low = np.where(right[:, :, 0], right[:, :, 2], right[:, :, 1])
        leaf = 2 * right[:, :, 0] + low
        return self.base + self.leaf[np.arange(len(self.leaf)), leaf].sum(axis=1)


def encode(frame, columns: dict) -> np.ndarray:
    """Return (n, d) float64: numbers as they are, texts by their number in `columns`."""
    out = np.empty((len(frame), len(columns)))
    for position, (name, how) in enumerate(columns.items()):
        codes = how.get("codes")
        values = frame[name].map(codes) if codes else frame[name]
        numbers = values.to_numpy(dtype=np.float64, na_value=np.nan)
        out[:, position] = np.where(np.isnan(numbers), how["fill"], numbers)
    return out


def load() -> Scorer:
    """Return the model that lies beside this file."""
    return Scorer(json.loads(Path(__file__).with_name("model.json").read_text(encoding="utf-8")))
