"""Delivered: the detector that a guard keeps beside its model, fitted and calibrated when it starts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fivefold.errors import UnsupportedError
from fivefold.protection.threats import detector
from fivefold.protection.threats.options import Options, benign_of, read

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

_CALIBRATION = 0.3


class Beside:
    """A detector of unknown threats beside a model: flows that it calls benign and that are not like benign ones.

    Threat: a flow of a family that the model was never shown is answered as benign.
    Limit: see :func:`fivefold.protection.threats.detector.fit`.

    Attributes:
        benign: Index of the benign class.
    """

    def __init__(
        self,
        controls: Mapping[str, Mapping[str, object]],
        train: tuple[pd.DataFrame, np.ndarray],
        classes: tuple[str, ...],
        named: tuple[str | None, str | None],
        *,
        rng: np.random.Generator,
    ) -> None:
        """Fit and calibrate.

        Args:
            controls: The manifest's; ``P5`` says how many false alarms, and which columns are left.
            train: (n, d) flows and (n,) class indices; three in ten of the benign ones set the threshold.
            classes: Labels.
            named: Labels of the favourable class and of the class to detect; None: not declared.
            rng: All choices.

        Raises:
            InputError: ``threats.option``.
            UnsupportedError: ``threats.benign``, ``threats.columns`` or ``threats.calibration``.
        """
        options = read(controls) or Options()
        benign = benign_of(classes, *named, options.benign)
        if benign is None:
            raise UnsupportedError("threats.benign", "nothing says which class is benign",
                                   remedy="Declare `positive`, or controls.P5.benign.")  # fmt: skip
        self.benign = benign
        rows, labels = train
        rows, labels = rows.iloc[np.flatnonzero(labels >= 0)], labels[labels >= 0]
        places = rng.permutation(np.flatnonzero(labels == benign))
        spare = np.sort(places[: int(_CALIBRATION * len(places))])
        kept = np.setdiff1d(np.arange(len(labels)), spare)
        fitted = detector.fit(rows.iloc[kept], labels[kept] != benign, rng, options.leave)
        self._detector = detector.calibrated(fitted, rows.iloc[spare], options.false_alarms)

    @property
    def false_alarms(self) -> float:
        """Share of benign flows that may be alarmed."""
        return self._detector.false_alarms

    def judge(self, rows: pd.DataFrame, answers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return (n,) bool, flows that the model calls benign and that are not like benign ones, and (n,) p-values.

        Args:
            rows: n flows.
            answers: (n,) class indices that the model answered with.
        """
        chances = self._detector.chances(rows)
        return np.asarray((chances <= self._detector.false_alarms) & (answers == self.benign)), chances
