"""Answers: what a thief is told, how coarsely, and when a copy says the same."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

if TYPE_CHECKING:
    from fivefold.contract.guarded import Guarded
    from fivefold.contract.subject import Subject, Table

Kind = Literal["scores", "labels", "values"]

DECIMALS = (4, 3, 2, 1)


@dataclass(frozen=True)
class Voice:
    """How a model answers.

    Attributes:
        kind: ``scores``: probabilities (n, K); ``labels``: indicators (n, K); ``values``: (n, 1).
        width: K; 1 for values.
        tolerance: Values: a copy within this distance says the same.
        spread: Values: one unit of rounding.
    """

    kind: Kind
    width: int
    tolerance: float = 0.0
    spread: float = 1.0

    def said(self, told: np.ndarray) -> np.ndarray:
        """Return (n,) what an answer comes down to: the class, or the value."""
        return np.asarray(told[:, 0] if self.kind == "values" else told.argmax(axis=1))

    def same(self, one: np.ndarray, two: np.ndarray) -> np.ndarray:
        """Return (n,) bool: whether two said the same."""
        if self.kind == "values":
            return np.asarray(np.abs(one - two) <= self.tolerance)
        return np.asarray(one == two)

    def coarser(self, told: np.ndarray, decimals: int | None) -> tuple[Voice, np.ndarray]:
        """Return the answers with so many decimals (values: of their spread); None: labels only."""
        if decimals is None:
            indicators = np.eye(self.width)[told.argmax(axis=1)]
            return Voice("labels", self.width), indicators
        if self.kind == "values":
            return self, np.round(told / self.spread, decimals) * self.spread
        return self, np.round(told, decimals)


def ask(subject: Subject, table: Table, *, scores: bool = True) -> np.ndarray:
    """Return (n, K) answers: probabilities where there are any and ``scores``, else indicators; (n, 1) values.

    Raises:
        SubjectError: The model misbehaved.
    """
    if subject.task == "regression":
        return np.asarray(subject.predict(table), dtype=np.float64)[:, None]
    if subject.capabilities.scores and scores:
        return subject.predict_proba(table)
    return np.asarray(np.eye(len(subject.classes))[subject.predict(table)])


def told(subject: Guarded, table: Table) -> np.ndarray:
    """Return what :func:`ask` does of a model behind its guard; NaN where nobody answers.

    A label that somebody else than the model gave is an indicator.

    Raises:
        SubjectError: The guard failed.
    """
    found = subject.decide(table)
    if subject.task == "regression":
        return np.asarray(found.answers, dtype=np.float64)[:, None]
    width, given = len(subject.classes), found.answered
    made = np.full((len(found.answers), width), np.nan)
    made[given] = np.eye(width)[found.answers[given]]
    if found.scores is not None:
        known = np.isfinite(found.scores).all(axis=1)
        made[known] = found.scores[known]
    return made
