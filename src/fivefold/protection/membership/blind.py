"""Blind attack: tells training from test rows without asking the model, to see what the data alone give away."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from fivefold.protection.membership import answers as view
from fivefold.protection.membership import bounds
from fivefold.protection.membership.student import crossfit

if TYPE_CHECKING:
    from fivefold.protection.membership.answers import Answers
    from fivefold.protection.membership.attack import Halves
    from fivefold.protection.membership.bounds import Figure

MATERIAL = 0.55
"""Blind AUC that must be clearly exceeded before membership counts as confounded with a shift of the data."""

_PRODUCTS = 64
"""Features that are multiplied with the residual; more cost memory and find no more."""


@dataclass(frozen=True)
class Blind:
    """What the rows alone say.

    Attributes:
        scores: (n,) larger: more like a training row.
        auc: On the held-back half.
        rate: True-positive rate at 1 % false positives there.
    """

    scores: np.ndarray
    auc: Figure
    rate: Figure

    @property
    def seen(self) -> bool:
        """Whether training and test rows differ at all, as far as this attack can tell."""
        return self.auc.low > 0.5

    @property
    def material(self) -> bool:
        """Whether they differ so much that a model's answers cannot be read as memory."""
        return self.auc.low > MATERIAL


def blind(answers: Answers, design: np.ndarray, halves: Halves, rng: np.random.Generator) -> Blind:
    """Fit on one half, state on the other (Das et al. 2024 show why: many published attacks measure the shift).

    The inputs are the features, the truth, and the residual of a reference that learned the truth from training
    rows, out of fold: where the relation of truth and features drifts, it fits test rows less well.
    """
    taught = np.flatnonzero(halves.fit & halves.is_member)
    targets = view.truth_targets(answers, taught)
    reference = crossfit(design, taught, targets, rng).guess
    truth = view.truth_targets(answers, np.arange(len(answers.target)))
    spread = targets.std(axis=0) + 1e-9
    residual = (truth - reference) / spread
    extra = [truth / spread, residual, np.abs(residual), design[:, :_PRODUCTS] * residual[:, :1]]
    inputs = np.concatenate([design, *(part.astype(design.dtype) for part in extra)], axis=1)
    del extra
    rows = np.flatnonzero(halves.fit)
    wanted = halves.is_member[rows].astype(np.float64)[:, None]
    scores = crossfit(inputs, rows, wanted, rng).guess[:, 0] + 1e-9 * rng.random(len(inputs))
    held = ~halves.fit
    inner, outer = scores[held & halves.is_member], scores[held & ~halves.is_member]
    return Blind(scores, bounds.auc(inner, outer), bounds.rate_at(inner, outer))


def beyond(scores: np.ndarray, seen: Blind, halves: Halves) -> Figure:
    """AUC of an attack among rows that look alike to the blind attack (strata of its score on the held-back half).

    Args:
        scores: (n,) the attack's.
        seen: The blind attack.
        halves: The split.
    """
    held = ~halves.fit
    inner, outer = held & halves.is_member, held & ~halves.is_member
    among = np.concatenate([seen.scores[inner], seen.scores[outer]])
    strata = max(2, min(40, len(among) // 60))
    edges = np.quantile(among, np.linspace(0, 1, strata + 1)[1:-1])
    return bounds.within(scores[inner], scores[outer], np.searchsorted(edges, among))
