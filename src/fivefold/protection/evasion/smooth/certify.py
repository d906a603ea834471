"""Certify: the answer of a smoothed model and the radius in which it cannot change.

Source: Cohen, Rosenfeld and Kolter 2019.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import ndtri

from fivefold.stats.proportion import clopper_pearson

if TYPE_CHECKING:
    from fivefold.protection.evasion.smooth.options import Options
    from fivefold.protection.evasion.smooth.voting import Voters, Votes

ABSTAINED = -1


@dataclass(frozen=True)
class Certificates:
    """What is claimed of n rows.

    Attributes:
        top: (n,) class that most votes name.
        radius: (n,) l2, in units of the lens; 0: abstained.
        pull: (n, c) see :class:`fivefold.protection.evasion.smooth.voting.Votes`.
    """

    top: np.ndarray
    radius: np.ndarray
    pull: np.ndarray

    @property
    def sure(self) -> np.ndarray:
        """(n,) bool, rows of which anything is claimed."""
        return np.asarray(self.radius > 0)

    @property
    def answers(self) -> np.ndarray:
        """(n,) class, or -1 where it abstains."""
        return np.where(self.sure, self.top, ABSTAINED)


def certify(
    voters: Voters, values: np.ndarray, rows: np.ndarray, options: Options, rng: np.random.Generator
) -> Certificates:
    """Certify rows: some votes choose the class, others bound its share from below, sigma times its quantile is safe.

    Threat: an input is moved by less than the radius (l2), and the smoothed answer changes.
    Limit: the certificate speaks of the smoothed model (the vote under noise), not of the bare one; only noised numbers
    may have been moved; with chance ``alpha`` each it is wrong.

    Args:
        voters: The model.
        values: (n, d) vectors of the space.
        rows: (n,) what each was made of.
        options: Noise, votes and alpha.
        rng: The noise.

    Returns:
        Top classes and radii R = sigma * Phi^-1(p), p the Clopper-Pearson bound at 1 - alpha; 0 where p <= 1/2
        (CERTIFY of Cohen et al. 2019, section 3.2.2).
    """
    sigma = np.full(len(values), options.sigma)
    top = voters(values, rows, options.select, rng, sigma=sigma).counts.argmax(axis=1)
    votes = voters(values, rows, options.votes, rng, sigma=sigma, own=top)
    return Certificates(top, radius(votes, top, options), votes.pull)


def radius(votes: Votes, top: np.ndarray, options: Options) -> np.ndarray:
    """Return (n,) certified radii of classes that other votes chose."""
    hits = votes.counts[np.arange(len(top)), top]
    low, _ = clopper_pearson(hits, votes.counts.sum(axis=1), 1 - options.alpha)
    return np.asarray(np.where(low > 0.5, options.sigma * ndtri(np.maximum(low, 0.5)), 0.0))
