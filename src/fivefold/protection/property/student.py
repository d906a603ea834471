"""Student: the models of somebody who cannot have the application train: a ridge on rows of his own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy.special import logit

from fivefold.protection.membership.rows import encode
from fivefold.protection.membership.student import widen

if TYPE_CHECKING:
    from fivefold.contract.subject import Subject, Table

_TINY = 1e-3
_PENALTY = 1e-2


class Student:
    """Trains small models that answer as the application's does, in form."""

    def __init__(self, own: Table, asked: Table, subject: Subject, rng: np.random.Generator) -> None:
        """Turn rows into numbers.

        Args:
            own: Rows to train on.
            asked: Rows to answer for.
            subject: Says what is answered, and whether with scores.
            rng: Draws the hinges.
        """
        both = pd.concat([own.features, asked.features], ignore_index=True)
        design = widen(encode(both, rng), len(own) // 4, rng).astype(np.float64)
        self._place = {int(row): at for at, row in enumerate(own.rows.tolist())}
        self._own, self._asked = design[: len(own)], design[len(own) :]
        self._classes, self._scores = len(subject.classes), subject.capabilities.scores

    def answers(self, rows: Table, _seed: int) -> np.ndarray:
        """Train on some of the rows and return (q, k) answers, as :func:`fivefold.protection.property.worlds.said`."""
        inputs = self._own[[self._place[int(row)] for row in rows.rows.tolist()]]
        truth = rows.target.astype(np.float64)[:, None]
        wanted = truth if not self._classes else (truth == np.arange(self._classes)).astype(np.float64)
        gram = inputs.T @ inputs
        ridge = _PENALTY * float(np.trace(gram)) / len(gram) + 1e-9
        line = np.linalg.solve(gram + ridge * np.eye(len(gram)), inputs.T @ wanted)
        out = self._asked @ line
        if not self._classes:
            return np.asarray(out)
        if not self._scores:
            return np.asarray((out.argmax(axis=1)[:, None] == np.arange(self._classes)).astype(np.float64))
        return np.asarray(logit(np.clip(out, _TINY, 1 - _TINY)))
