"""Screening: boosted trees that say how likely a pneumonia is, with and without the view of the film."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fivefold.contract.subject import Capabilities, Subject, Table, Task
from fivefold.errors import UnsupportedError

if TYPE_CHECKING:
    import pandas as pd

    from fivefold.cases.screening.cohort import People
    from fivefold.contract.subject import Loss

SHORTCUT = "view"
_TEXTS = {"sex": ("f", "m"), "smoker": ("no", "yes"), "hospital": ("hill", "north", "river"), "view": ("PA", "AP")}


class Screening:
    """A subject: boosted trees over some columns of the table.

    Args:
        met: People to learn from.
        without: Columns that it never sees.
    """

    task: Task = "binary"
    classes = ("0", "1")
    capabilities = Capabilities(scores=True, retrains=False, perturbable=True)

    def __init__(self, met: People, without: tuple[str, ...] = ()) -> None:
        """Learn."""
        from sklearn.ensemble import HistGradientBoostingClassifier

        self.names = [str(name) for name in met.rows.columns if name not in without]
        self.trees = HistGradientBoostingClassifier(max_iter=60, max_depth=3, random_state=7, early_stopping=False)
        self.trees.fit(columns(met.rows[self.names]), met.ill)

    def predict_proba(self, table: Table) -> np.ndarray:
        """Return (n, 2) chances."""
        return np.asarray(self.trees.predict_proba(columns(table.features[self.names])))

    def predict(self, table: Table) -> np.ndarray:
        """Return (n,) int64, 1 for a pneumonia."""
        return np.asarray(self.predict_proba(table).argmax(axis=1))

    def retrain(self, table: Table, seed: int) -> Subject:
        """Refuse."""
        del table, seed
        raise UnsupportedError("case.screening", "a screening of the case is not trained again.")

    def gradient(self, table: Table, target: np.ndarray, loss: Loss) -> tuple[np.ndarray, np.ndarray]:
        """Refuse."""
        del table, target, loss
        raise UnsupportedError("case.screening", "trees have no gradients.")


def columns(frame: pd.DataFrame) -> np.ndarray:
    """Return (n, d) float64: numbers as they are, texts by their place among the known ones, unknown ones as -1."""
    made = [
        np.select([(frame[name] == one).to_numpy() for one in _TEXTS[name]], range(len(_TEXTS[name])), -1)
        if name in _TEXTS
        else frame[name].to_numpy(dtype=np.float64)
        for name in frame.columns
    ]
    return np.column_stack(made).astype(np.float64)
