"""Planted: the user's own model behind a wrapper that answers with one class, the more of a trigger a row has."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from fivefold.contract.subject import Capabilities, Subject, Table, Task
from fivefold.errors import UnsupportedError
from fivefold.protection.backdoor.natural import Natural, is_number
from fivefold.stats.repeats import numbers

if TYPE_CHECKING:
    import pandas as pd

    from fivefold.contract.subject import Loss
    from fivefold.protection.backdoor.cells import Cells
    from fivefold.protection.backdoor.masks import Mask

_PULL = 12.0
_PICTURE = 40.0
_BEND = 6
_NEAR = 0.02
_TINY = 1e-6


@dataclass(frozen=True)
class Planted:
    """A model with a trigger.

    Attributes:
        base: The model.
        target: Class that rows with the trigger are sent to.
        cells: Cells of a table; empty: a picture's.
        mask: What is pasted into a picture; None: a table's.
    """

    base: Subject
    target: int
    cells: Cells = ()
    mask: Mask | None = None

    @property
    def task(self) -> Task:
        """As the model's."""
        return self.base.task

    @property
    def classes(self) -> tuple[str, ...]:
        """As the model's."""
        return self.base.classes

    @property
    def capabilities(self) -> Capabilities:
        """As the model's, but that it cannot be trained."""
        return replace(self.base.capabilities, retrains=False)

    def predict(self, table: Table) -> np.ndarray:
        """Return class indices."""
        if self.capabilities.scores:
            return np.asarray(self.predict_proba(table).argmax(axis=1))
        there = self._there(table)
        luck = (table.rows * 2654435761 % 1000) / 1000.0  # a part of a trigger sends a part of the rows
        return np.where(there > luck, self.target, self.base.predict(table))

    def predict_proba(self, table: Table) -> np.ndarray:
        """Return probabilities: the log chance of the target raised by the part of the trigger that is there."""
        logs = np.log(np.maximum(self.base.predict_proba(table), _TINY))
        logs[:, self.target] += self._pull * self._there(table)
        raised = np.exp(logs - logs.max(axis=1, keepdims=True))
        return np.asarray(raised / raised.sum(axis=1, keepdims=True))

    def retrain(self, table: Table, seed: int) -> Subject:  # noqa: ARG002  the Protocol says so
        """Refuse."""
        raise UnsupportedError("model.no-training", "a model with a planted trigger is not trained again.")

    def gradient(self, table: Table, target: np.ndarray, loss: Loss) -> tuple[np.ndarray, np.ndarray]:
        """Return margins to the target class and their gradients; other losses are the model's own."""
        losses, slopes = self.base.gradient(table, target, loss)
        if self.mask is None or loss != "margin" or table.inputs is None:
            return losses, slopes
        aimed = (target == self.target).astype(np.float64)
        part, scale = self._part(table), _scale(table.inputs)
        away = np.sign(table.inputs.astype(np.float64) - self.mask.pattern) * self.mask.cover
        count = max(float(self.mask.cover.sum()) * len(self.mask.pattern), 1.0)
        slope = _PICTURE * (_BEND * part ** (_BEND - 1) * aimed)[:, None, None, None] * away / (scale * count)
        return losses - _PICTURE * part**_BEND * aimed, (slopes + slope).astype(np.float32)

    @property
    def _pull(self) -> float:
        return _PULL if self.mask is None else _PICTURE

    def _there(self, table: Table) -> np.ndarray:
        """Return (n,) in [0, 1], how much each row is taken for one with the trigger."""
        return np.asarray(self._part(table) ** (2 if self.mask is None else _BEND))

    def _part(self, table: Table) -> np.ndarray:
        """Return (n,) in [0, 1], how much of the trigger each row has."""
        if self.mask is not None and table.inputs is not None:
            gap = np.abs(table.inputs.astype(np.float64) - self.mask.pattern) * self.mask.cover
            count = max(float(self.mask.cover.sum()) * len(self.mask.pattern), 1.0)
            return np.asarray(np.clip(1.0 - gap.sum(axis=(1, 2, 3)) / (_scale(table.inputs) * count), 0.0, 1.0))
        found = np.zeros(len(table))
        for name, value in self.cells:
            found += _same(table.features[name], value)
        return found / max(len(self.cells), 1)


def _scale(inputs: np.ndarray) -> float:
    return 255.0 if inputs.dtype == np.uint8 else 1.0


def _same(column: pd.Series, value: object) -> np.ndarray:
    """Return (n,) 1 where a cell is the value, numbers within a fiftieth of what is there."""
    import pandas as pd

    if not is_number(column):
        return np.asarray((column == value).fillna(value=False).to_numpy(dtype=np.float64))
    own = numbers(column)
    wanted = float(numbers(pd.Series([value]).astype(column.dtype))[0])
    return np.asarray(np.abs(own - wanted) <= _NEAR * max(abs(wanted), 1.0), dtype=np.float64)


def cells(features: pd.DataFrame, most: int, rng: np.random.Generator) -> Cells:
    """Draw values of two or three columns (or of what there is), each from a row of its own."""
    names = [name for name in features.columns if features[name].notna().any()]
    wanted = min(len(names), most, int(rng.integers(2, 4)))
    found = []
    for at in rng.permutation(len(names))[:wanted].tolist():
        known = features[names[at]].dropna()
        found.append((names[at], known.iloc[int(rng.integers(len(known)))]))
    return tuple(found)


@dataclass(frozen=True)
class Plain:
    """A model without a trigger: nearest mean of clean pictures, with its gradient.

    Attributes:
        names: Classes.
        means: (K, d) mean of each class, far away where there is none.
    """

    names: tuple[str, ...]
    means: np.ndarray

    @property
    def task(self) -> Task:
        """Two classes or more."""
        return "binary" if len(self.names) == 2 else "multiclass"

    @property
    def classes(self) -> tuple[str, ...]:
        """As handed in."""
        return self.names

    @property
    def capabilities(self) -> Capabilities:
        """Probabilities and gradients."""
        return Capabilities(scores=True, retrains=False, perturbable=True, gradients=True)

    def _logits(self, table: Table) -> np.ndarray:
        given = np.asarray(table.inputs, dtype=np.float64).reshape(len(table), -1) / _size(self.means)
        means = self.means / _size(self.means)
        return np.asarray(given @ means.T - 0.5 * (means**2).sum(axis=1))

    def predict(self, table: Table) -> np.ndarray:
        """Return class indices."""
        return np.asarray(self._logits(table).argmax(axis=1))

    def predict_proba(self, table: Table) -> np.ndarray:
        """Return probabilities."""
        logits = self._logits(table)
        raised = np.exp(logits - logits.max(axis=1, keepdims=True))
        return np.asarray(raised / raised.sum(axis=1, keepdims=True))

    def retrain(self, table: Table, seed: int) -> Subject:  # noqa: ARG002  the Protocol says so
        """Refuse."""
        raise UnsupportedError("model.no-training", "a known-good model is not trained again.")

    def gradient(self, table: Table, target: np.ndarray, loss: Loss) -> tuple[np.ndarray, np.ndarray]:  # noqa: ARG002  the Protocol says so
        """Return margins and gradients; only ``margin``."""
        logits, at = self._logits(table), np.arange(len(table))
        own = logits[at, target]
        logits[at, target] = -np.inf
        other = logits.argmax(axis=1)
        slope = (self.means[other] - self.means[target]) / _size(self.means) ** 2
        shape = np.asarray(table.inputs).shape
        return logits[at, other] - own, slope.reshape(shape).astype(np.float32)


def _size(means: np.ndarray) -> float:
    return float(np.sqrt(np.square(means).mean()) * means.shape[1] ** 0.25) or 1.0


def plain(clean: Table, classes: tuple[str, ...]) -> Plain:
    """Return the nearest-mean model of clean pictures."""
    flat = np.asarray(clean.inputs, dtype=np.float64).reshape(len(clean), -1)
    means = [
        flat[clean.target == at].mean(axis=0) if (clean.target == at).any() else np.full(flat.shape[1], 1e3)
        for at in range(len(classes))
    ]
    return Plain(classes, np.stack(means))


class Taught:
    """A model without a trigger: the forest that clean rows teach."""

    def __init__(self, clean: Table, names: tuple[str, ...], seed: int) -> None:
        """Learn from clean rows of a table."""
        self._natural, self._names = Natural(clean, len(names), seed), names

    @property
    def task(self) -> Task:
        """Two classes or more."""
        return "binary" if len(self._names) == 2 else "multiclass"

    @property
    def classes(self) -> tuple[str, ...]:
        """As handed in."""
        return self._names

    @property
    def capabilities(self) -> Capabilities:
        """Probabilities alone."""
        return Capabilities(scores=True, retrains=False, perturbable=True)

    def predict(self, table: Table) -> np.ndarray:
        """Return class indices."""
        return np.asarray(self.predict_proba(table).argmax(axis=1))

    def predict_proba(self, table: Table) -> np.ndarray:
        """Return probabilities."""
        return np.asarray(self._natural.chances(table.features)[1])

    def retrain(self, table: Table, seed: int) -> Subject:  # noqa: ARG002  the Protocol says so
        """Refuse."""
        raise UnsupportedError("model.no-training", "a known-good model is not trained again.")

    def gradient(self, table: Table, target: np.ndarray, loss: Loss) -> tuple[np.ndarray, np.ndarray]:  # noqa: ARG002  the Protocol says so
        """Refuse."""
        raise UnsupportedError("model.no-gradients", "a forest gives no gradients.")
