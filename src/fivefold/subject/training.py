"""Training: the table that an application's own training function is given."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from fivefold.subject.labels import natural
from fivefold.subject.rows import of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fivefold.contract.subject import Table


class TrainingTable(pd.DataFrame):
    """A frame of the features and, as last column, the target, with short ways to both.

    It is an ordinary frame: ``table["default"]`` works, and so do ``table.features`` and ``table.target``.
    """

    _metadata = ("_target_name",)

    @property
    def _constructor(self) -> type[pd.DataFrame]:
        return pd.DataFrame

    @property
    def features(self) -> pd.DataFrame:
        """The (n, d) frame without the target."""
        return pd.DataFrame(self).drop(columns=[self._name])

    @property
    def target(self) -> pd.Series:
        """The (n,) target: labels as a file of them would be read, or values."""
        return pd.Series(pd.DataFrame(self)[self._name])

    @property
    def _name(self) -> str:
        return str(object.__getattribute__(self, "_target_name"))


@dataclass(frozen=True)
class TrainingInputs:
    """Images, series, recordings or texts to train on.

    Attributes:
        inputs: (n, ...) as the model is given them.
        target: The (n,) target: labels as a file of them would be read, or values.
    """

    inputs: np.ndarray
    target: pd.Series

    def __len__(self) -> int:
        return len(self.inputs)


def training_table(table: Table, target: str, classes: Sequence[str]) -> TrainingTable | TrainingInputs:
    """Return what ``fit(table, rng)`` is given: rows whose target is known, labels in their natural type.

    Args:
        table: Rows to train on.
        target: Name of the target column.
        classes: Labels; empty for regression.
    """
    known = table.target >= 0 if classes else np.isfinite(table.target)
    chosen = table if known.all() else table.take(np.flatnonzero(known))
    values: Any = natural(classes)[chosen.target] if classes else chosen.target
    given, answers = of(chosen), pd.Series(values, name=target or "target")
    return TrainingInputs(given, answers) if isinstance(given, np.ndarray) else make(given, answers)


def make(features: pd.DataFrame, target: pd.Series) -> TrainingTable:
    """Join features and target."""
    name = str(target.name)
    frame = features.reset_index(drop=True).copy()
    frame[name] = target.reset_index(drop=True).to_numpy()
    made = TrainingTable(frame)
    object.__setattr__(made, "_target_name", name)
    return made
