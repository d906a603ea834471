"""Complaint: was a data set used for training? The model fits its rows better than it fits rows alike."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from fivefold.protection.membership.answers import Answers, ask, confidence, truth_targets
from fivefold.protection.membership.rows import encode
from fivefold.protection.membership.student import crossfit, widen
from fivefold.stats.exchange import exchange_p

if TYPE_CHECKING:
    from fivefold.contract.subject import Subject
    from fivefold.protection.membership.rows import Pool

_SETS = 40
_ROWS = 100
_LEVEL = 0.05
_FEWEST = 10
_STEEP = 8.0


@dataclass(frozen=True)
class Complaints:
    """What came of complaints by people whose rows were used, and by people whose rows were not.

    Attributes:
        rows: Rows of each complaint.
        used: (s,) p-values of complaints about training rows.
        unused: (s,) p-values of complaints about rows that the model has not seen.
    """

    rows: int
    used: np.ndarray
    unused: np.ndarray

    @property
    def recognised(self) -> int:
        """Complaints about training rows that are upheld."""
        return int((self.used <= _LEVEL).sum())

    @property
    def mistaken(self) -> int:
        """Complaints about other rows that are upheld."""
        return int((self.unused <= _LEVEL).sum())


def fits(rows: Pool, answers: Answers, rng: np.random.Generator) -> np.ndarray:
    """Return (n,) how much better each row is fitted than rows alike, judged by rows that the model has not seen."""
    n = len(answers.target)
    others = np.flatnonzero(~rows.is_member)
    taken = np.clip(confidence(answers), -_STEEP, _STEEP)
    truth = truth_targets(answers, np.arange(n))
    spread = truth.std(axis=0) + 1e-9
    design = np.concatenate([encode(rows.features, rng), (truth - truth.mean(axis=0)) / spread], axis=1)
    usual = crossfit(widen(design, len(others), rng), others, taken[others][:, None], rng).guess
    return np.asarray(taken - usual[:, 0])


def complaints(subject: Subject, rows: Pool, rng: np.random.Generator) -> Complaints | None:
    """Try complaints about rows drawn from the training and from the test set, each against other test rows.

    Returns:
        None where a set has fewer than twenty rows.
    """
    fit = fits(rows, ask(subject, rows), rng)
    inside, outside = np.flatnonzero(rows.is_member), np.flatnonzero(~rows.is_member)
    size = min(_ROWS, len(inside) // 2, len(outside) // 2)
    if size < _FEWEST:
        return None
    used, unused = [], []
    for _ in range(_SETS):
        mixed = rng.permutation(outside)
        reference = fit[mixed[size:]]
        used.append(exchange_p(fit[rng.choice(inside, size, replace=False)], reference, rng, 399))
        unused.append(exchange_p(fit[mixed[:size]], reference, rng, 399))
    return Complaints(size, np.array(used), np.array(unused))
