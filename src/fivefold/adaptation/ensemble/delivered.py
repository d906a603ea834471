"""Delivered: the ensemble that a guard keeps beside its model, fitted and calibrated when it starts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fivefold.adaptation.ensemble import detector
from fivefold.adaptation.ensemble.members import FEWEST_ROWS
from fivefold.adaptation.ensemble.options import Options, read
from fivefold.adaptation.ensemble.setting import CALIBRATION_ROWS, TRAIN_ROWS
from fivefold.subject.rows import cut

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from fivefold.adaptation.ensemble.detector import Judged
    from fivefold.subject.rows import Rows

    Ask = Callable[[Rows], tuple[np.ndarray, np.ndarray | None]]
    """Rows to the model's (n,) answers as class indices and (n, K) probabilities; None: it gives none."""


class Members:
    """Members beside a model: how much they disagree with it, and what they say themselves.

    They are small models of our own that see numbers alone, so they run in the process that holds them; none of the
    application's code does.

    Threat: a row is changed just so far that the model answers wrongly.
    Limit: see :class:`fivefold.adaptation.ensemble.detector.Ensemble`.
    """

    def __init__(
        self,
        controls: Mapping[str, Mapping[str, object]],
        train: tuple[Rows, np.ndarray],
        calibration: Rows,
        ask: Ask,
        *,
        width: int,
        rng: np.random.Generator,
    ) -> None:
        """Fit and calibrate.

        Args:
            controls: The manifest's; ``C2`` says how many members and false alarms.
            train: (n, ...) rows and (n,) class indices, negative where unknown; with few known the model is asked.
            calibration: (m, ...) rows that neither the model nor the members were fitted to.
            ask: The model.
            width: Number of classes.
            rng: All choices.

        Raises:
            InputError: ``ensemble.option``.
            UnsupportedError: ``adaptation.inputs``, ``ensemble.rows`` or ``ensemble.calibration``.
        """
        self.options = read(controls) or Options()
        rows, labels = train
        if len(labels) > TRAIN_ROWS:
            some = _drawn(len(labels), TRAIN_ROWS, rng)
            rows, labels = cut(rows, some), labels[some]
        if int((labels >= 0).sum()) < FEWEST_ROWS:
            labels = ask(rows)[0]
        fitted = detector.fit(rows, labels, width, self.options.members, rng)
        known = calibration
        if len(known) > CALIBRATION_ROWS:
            known = cut(known, _drawn(len(known), CALIBRATION_ROWS, rng))
        self._ensemble = detector.calibrated(fitted, known, *ask(known), false_alarms=self.options.false_alarms)

    @property
    def names(self) -> tuple[str, ...]:
        """What the members are, in words."""
        return tuple(detector.names(self._ensemble))

    @property
    def threshold(self) -> float:
        """Disagreement above it is an alarm."""
        return self._ensemble.threshold

    def judge(self, rows: Rows, answers: np.ndarray, scores: np.ndarray | None = None) -> Judged:
        """Return disagreement, alarms, and the members' own answers and probabilities for n rows.

        Args:
            rows: (n, ...) what the model was given.
            answers: (n,) class indices that it answered with.
            scores: (n, K) its probabilities; None: it gives none.
        """
        return self._ensemble.judge(rows, answers, scores)

    def scores(self, rows: Rows) -> np.ndarray:
        """Return the members' own (n, K) probabilities, rows summing to 1; the model is not asked."""
        return self._ensemble.scores(rows)


def _drawn(n: int, most: int, rng: np.random.Generator) -> np.ndarray:
    return np.sort(rng.choice(n, most, replace=False))
