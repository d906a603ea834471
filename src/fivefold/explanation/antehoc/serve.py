"""Serve: a stored readable model at work, as ``model.factory`` of a manifest returns it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from fivefold.explanation.antehoc.form import decode
from fivefold.subject import labels

if TYPE_CHECKING:
    import pandas as pd

    from fivefold.explanation.antehoc.form import Model


@dataclass(frozen=True)
class Classifier:
    """A model of classes."""

    model: Model

    @property
    def classes_(self) -> np.ndarray:
        """Labels, in the type that a file of them would be read as."""
        return labels.natural(self.model.classes)

    def predict_proba(self, frame: pd.DataFrame) -> np.ndarray:
        """Return (n, K) chances that sum to 1."""
        return self.model.answers(frame)

    def predict(self, frame: pd.DataFrame) -> np.ndarray:
        """Return (n,) labels."""
        return np.asarray(self.classes_[self.model.answers(frame).argmax(axis=1)])


@dataclass(frozen=True)
class Regressor:
    """A model of a quantity."""

    model: Model

    def predict(self, frame: pd.DataFrame) -> np.ndarray:
        """Return (n,) values."""
        return np.asarray(self.model.answers(frame)[:, 0])


def read(raw: bytes) -> Classifier | Regressor:
    """Return the model of a file that ``fivefold model train --explainable`` wrote.

    Raises:
        InputError: ``antehoc.model`` if it is none, or of another version.
    """
    model = decode(raw)
    return Regressor(model) if model.task == "regression" else Classifier(model)
