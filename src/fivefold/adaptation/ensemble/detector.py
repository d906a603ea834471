"""Detector: how much the members disagree with the model, and from where on that is an alarm.

The score of a row is the logarithm of how much likelier the members (geometric mean) hold another class than the
model's, and half of how narrowly the model itself decided. The threshold is a conformal quantile: on rows drawn like
those of the calibration, at most the declared share is alarmed (Vovk et al. 2005, split conformal prediction).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from fivefold.adaptation import encoding
from fivefold.adaptation.ensemble import members
from fivefold.errors import UnsupportedError
from fivefold.subject.rows import MAX_ROWS, cut

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fivefold.adaptation.encoding import Encoding
    from fivefold.adaptation.ensemble.members import Member
    from fivefold.subject.rows import Rows

_LEAST = 1e-2
"""Smallest probability of one member; so no single member decides."""
_SMALL = 1e-3
_NARROW = 0.5
"""Weight of the model's own margin; chosen, as the members were, on draws and nets that no figure is stated on."""


@dataclass(frozen=True)
class Judged:
    """What an ensemble finds in n rows.

    Attributes:
        disagreement: (n,) score; the larger, the less the members hold with the model.
        alarm: (n,) bool.
        answers: (n,) class that the members hold likeliest.
        scores: (n, K) their probabilities, rows summing to 1.
    """

    disagreement: np.ndarray
    alarm: np.ndarray
    answers: np.ndarray
    scores: np.ndarray


@dataclass(frozen=True)
class Ensemble:
    """Members, and the threshold of their disagreement.

    Threat: a row is changed just so far that the model answers wrongly.
    Limit: an attacker who knows the members can look for changes that fool them too; rows that all hold for the same
    wrong class are not noticed.

    Attributes:
        encoding: Rows to numbers.
        members: At least two.
        width: Number of classes.
        threshold: Scores above it are alarms; infinite before calibration.
    """

    encoding: Encoding
    members: tuple[Member, ...]
    width: int
    threshold: float = math.inf

    def judge(self, rows: Rows, answers: np.ndarray, scores: np.ndarray | None = None) -> Judged:
        """Hold a model's answers against the members'.

        Args:
            rows: (n, ...) what the model was given.
            answers: (n,) class indices that it answered with.
            scores: (n, K) its probabilities; None: it gives none, and its margin does not count.
        """
        own = self.scores(rows)
        here = np.arange(len(answers))
        mine = own[here, answers]
        others = own.copy()
        others[here, answers] = 0.0
        found = np.log((others.max(axis=1) + _SMALL) / (mine + _SMALL))
        if scores is not None and scores.shape[1] > 1:
            best = np.partition(scores, -2, axis=1)
            found = found - _NARROW * np.log(np.maximum(best[:, -1] - best[:, -2], 0.0) + _SMALL)
        return Judged(found, found > self.threshold, own.argmax(axis=1).astype(np.int64), own)

    def scores(self, rows: Rows) -> np.ndarray:
        """Return (n, K) probabilities: the members' geometric mean, each member at least a hundredth sure."""
        parts = []
        for at in range(0, len(rows), MAX_ROWS):
            inputs = self.encoding(cut(rows, slice(at, at + MAX_ROWS)))
            logs = sum(np.log(np.maximum(one.scores(inputs, self.width), _LEAST)) for one in self.members)
            mean = np.exp(logs / len(self.members))
            parts.append(mean / mean.sum(axis=1, keepdims=True))
        return np.concatenate(parts) if parts else np.empty((0, self.width))


def fit(rows: Rows, labels: np.ndarray, width: int, count: int, rng: np.random.Generator) -> Ensemble:
    """Fit members to training rows; :func:`calibrated` gives the threshold.

    Args:
        rows: (n, ...) training rows.
        labels: (n,) class indices: the truth, or the model's own answers; negative: unknown, left out.
        width: Number of classes.
        count: Number of members.
        rng: All choices.

    Raises:
        UnsupportedError: ``adaptation.inputs``, ``ensemble.rows``.
    """
    known = np.flatnonzero(labels >= 0)
    rows, labels = cut(rows, known), labels[known]
    coded = encoding.fit(rows)
    made = members.fit(coded(rows), coded, labels, count, rng)
    return Ensemble(coded, made, width)


def calibrated(
    ensemble: Ensemble, rows: Rows, answers: np.ndarray, scores: np.ndarray | None, *, false_alarms: float
) -> Ensemble:
    """Return the ensemble with its threshold.

    Args:
        ensemble: Fitted.
        rows: (n, ...) calibration rows that nothing was fitted to.
        answers: (n,) the model's answers to them.
        scores: (n, K) its probabilities; None: it gives none.
        false_alarms: Share of clean rows that may be alarmed, in (0, 1).

    Raises:
        UnsupportedError: ``ensemble.calibration`` for fewer than 1 / ``false_alarms`` - 1 rows.
    """
    found = np.sort(ensemble.judge(rows, answers, scores).disagreement)
    place = conformal_place(len(found), false_alarms)
    return Ensemble(ensemble.encoding, ensemble.members, ensemble.width, float(found[place]))


def conformal_place(n: int, false_alarms: float) -> int:
    """Return the place, from 0, of the threshold among n sorted scores: ceil((n + 1)(1 - a)) - 1.

    Raises:
        UnsupportedError: ``ensemble.calibration`` if n is too small for any threshold.
    """
    place = math.ceil((n + 1) * (1 - false_alarms) - 1e-9)
    if place > n:
        raise UnsupportedError(
            "ensemble.calibration",
            f"{n} calibration rows cannot hold false alarms to {false_alarms:g}.",
            remedy=f"Declare at least {math.ceil(1 / false_alarms) - 1} rows as data.calibration.",
        )
    return place - 1


def names(ensemble: Ensemble) -> Sequence[str]:
    """Return what the members are, in words."""
    return [member.name for member in ensemble.members]
