"""Distributed noise: each client adds a share to its vector before masking, so that the sum is private to all.

The server sees the sum with the noise of all who are in it; no single party knows that noise. A share is made for as
few clients as may be in a sum: whoever drops out, enough is left. Source: Kairouz, Liu and Steinke 2021 (the
distributed discrete Gaussian mechanism). The unit is a client: its whole update against an update of zeros. Threat: the
server, other clients and whoever sees the model, with at most ``colluding`` clients that tell their share. Limit: a
client that adds nothing is not seen; who takes part is known.
"""

from __future__ import annotations

import math
from fractions import Fraction
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from fivefold.errors import InputError
from fivefold.sharing.privacy import noise, tables
from fivefold.sharing.privacy.loss import DELTA, RHO, Loss
from fivefold.sharing.privacy.noise import Bytes, fresh

if TYPE_CHECKING:
    from fivefold.sharing.federated.terms import Terms

_MOST_STEPS = 8192
"""Largest standard deviation of a share, in steps of the grid: its table takes half a second to build."""
_SPARE = 1e-9


def sensitivity(norm: float, clip: float, levels: int, size: int) -> float:
    """Return how long an update of length ``norm`` can be in steps of the grid: rounding moves a number by half."""
    return norm / clip * ((levels - 1) // 2) + math.sqrt(size) / 2


def levels_for(multiplier: float, honest: int, size: int) -> int:
    """Return the finest grid, odd and at most 65,535, on which a share's table can be built; below 3 if there is none.

    Args:
        multiplier: Standard deviation of the noise in the sum, in lengths of an update.
        honest: Fewest clients in a sum whose share nobody else knows.
        size: Numbers in a vector.
    """
    half = math.floor(_MOST_STEPS * math.sqrt(honest) / multiplier - math.sqrt(size) / 2)
    return 2 * min(32767, half) + 1


def variance_for(multiplier: float, length: float, honest: int) -> int:
    """Return the variance of each share, in squared steps: ``honest`` of them are ``multiplier`` times ``length``."""
    return math.ceil((multiplier * length) ** 2 / honest)


def shortened(values: np.ndarray, norm: float) -> np.ndarray:
    """Return (size,) numbers that are at most ``norm`` long in all; shorter ones as they are.

    Raises:
        InputError: ``federated.clipped`` for a number that is none.
    """
    length = float(np.linalg.norm(values.astype(np.float64)))
    if not math.isfinite(length):
        raise InputError("federated.clipped", "an update holds what is no number.", remedy="Look at the training.")
    short = norm * (1 - _SPARE)
    return values if length <= short else values.astype(np.float64) * (short / length)


def noisy(vector: np.ndarray, terms: Terms, draw: Bytes = fresh) -> np.ndarray:
    """Return a client's (size,) uint32 vector with its share of the noise added, modulo 2**32.

    Args:
        vector: As :func:`fivefold.sharing.federated.quantise.encode` gives it, of a shortened update.
        terms: Of the round; without ``variance`` the vector is returned as it is.
        draw: The source of bits.

    Raises:
        InputError: ``federated.norm`` if the update is longer than agreed: the noise would not hide it.
    """
    if not terms.variance:
        return vector
    centred = vector.view(np.int32).astype(np.int64) - (terms.levels - 1) // 2
    if float((centred.astype(np.float64) ** 2).sum()) > length_of(terms) ** 2:
        raise InputError(
            "federated.norm", f"the update is longer than {terms.norm:g}.", remedy="Shorten it before it is encoded."
        )
    found: np.ndarray = (vector.astype(np.int64) + noise.sample(_law(terms.variance), terms.size, draw)).astype(
        np.uint32
    )
    return found


def length_of(terms: Terms) -> float:
    """Return how long a client's vector can be, in steps of the grid."""
    return sensitivity(terms.norm, terms.clip, terms.levels, terms.size)


def honest(terms: Terms) -> int:
    """Return of how many clients at least the noise in a sum is unknown to others."""
    return terms.least - terms.colluding


def loss(terms: Terms) -> Loss:
    """Return what one round tells of one client, whoever drops out and however the rest behaves.

    Source: Kairouz, Liu and Steinke 2021, Proposition 14: n shares of variance s2 around d numbers of length D give
    e^2/2-concentrated privacy with e = min(sqrt(D^2 / (n s2) + t d / 2), D / (sqrt(n) s) + t sqrt(d)), where
    t = 10 sum_k<n exp(-2 pi^2 s2 k / (k + 1)): that sums of discrete Gaussians are none, quite. Tables add a delta.

    Raises:
        InputError: ``federated.noise`` for terms without noise.
    """
    if not terms.variance:
        raise InputError(
            "federated.noise", "no noise is agreed, so no loss can be told.", remedy="Declare `noise` and `norm`."
        )
    n, length = honest(terms), length_of(terms)
    gap = 10 * math.fsum(math.exp(-2 * math.pi**2 * terms.variance * k / (k + 1)) for k in range(1, n))
    ratio = length / math.sqrt(n * terms.variance)
    epsilon = min(math.sqrt(ratio**2 + gap * terms.size / 2), ratio + gap * math.sqrt(terms.size))
    table = float(_law(terms.variance).tv) * terms.size * len(terms.clients) * (1 + math.exp(min(epsilon, 700.0)))
    return Loss(math.ceil(epsilon**2 / 2 * RHO), math.ceil(table * DELTA))


def epsilon_after(terms: Terms, rounds: int, delta: float) -> float:
    """Return the epsilon of a client after rounds on such terms, each of which it takes part in.

    Raises:
        InputError: ``federated.noise``.
    """
    one = loss(terms)
    return Loss(one.rho * rounds, one.delta * rounds).epsilon(delta)


@lru_cache(maxsize=8)
def _law(variance: int) -> tables.Law:
    return tables.gaussian(Fraction(variance))
