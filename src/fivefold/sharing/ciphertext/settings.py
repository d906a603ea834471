"""Settings of the encryption: what is secure by the standard, what is exact enough, and the cheapest that is both.

Secure: at a degree, no more bits of modulus than the table of the Homomorphic Encryption Standard allows for 128 bits
against classical attacks with a ternary secret (Albrecht et al. 2018, table 1). Exact: first by a bound. A fresh
encryption is off by e(X) with coefficients of spread 3.2, which in a slot is a normal error of spread 3.2 sqrt(n);
rescaling adds one of spread sqrt(n / 12 (1 + 2 n / 3)) (Cheon et al. 2017, lemmas 1 and 2); both are divided by the
scale. The library takes each prime for the power of two beside it, which is off by at most some hundred steps of 2 n.
Eight spreads are exceeded in one slot of 10^15. Then by a search for the worst row (:mod:`.worst`).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from fivefold.errors import InputError
from fivefold.sharing.ciphertext import trees as forest
from fivefold.sharing.ciphertext.scorer import reach

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fivefold.sharing.ciphertext.scorer import Scorer

STANDARD = {1024: 27, 2048: 54, 4096: 109, 8192: 218, 16384: 438, 32768: 881}
"""Degree to most bits of modulus: 128 bits, classical, ternary secret (Albrecht et al. 2018, table 1)."""
MOST_ERROR = 1e-4
_SIGMA, _SPREADS, _STEPS = 3.2, 8.0, 256
_PRIME = (20, 60)


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What both sides have to agree upon.

    Attributes:
        degree: n, of the polynomials; n / 2 rows go into one ciphertext.
        primes: Bits of each prime of the modulus; the last one is for switching keys.
        scale: Bits of the scale.
        rescale: Whether a product is rescaled; without, one product fits.
    """

    degree: int
    primes: tuple[int, ...]
    scale: int
    rescale: bool

    @property
    def slots(self) -> int:
        """Rows in one ciphertext."""
        return self.degree // 2

    @property
    def bits(self) -> int:
        """Bits of the modulus."""
        return sum(self.primes)


def demand_secure(settings: Settings) -> None:
    """Return if the settings give 128 bits of security and are well formed.

    Raises:
        InputError: ``ciphertext.insecure``, ``ciphertext.settings``.
    """
    most = STANDARD.get(settings.degree)
    if most is not None and settings.bits > most:
        raise InputError(
            "ciphertext.insecure",
            f"{settings.bits} bits of modulus at degree {settings.degree} are below 128 bits of security.",
            remedy=f"At most {most} bits at this degree, or a larger degree.",
        )
    low, high = _PRIME
    well = most is not None and 2 <= len(settings.primes) <= 16 and all(low <= one <= high for one in settings.primes)
    if not well or not 10 <= settings.scale <= high:
        raise InputError(
            "ciphertext.settings", f"degree {settings.degree} with primes {list(settings.primes)[:16]} is no setting.",
            remedy=f"A degree of {', '.join(map(str, STANDARD))}; 2 to 16 primes of {low} to {high} bits.",
        )  # fmt: skip


def bound(settings: Settings, scorer: Scorer) -> float:
    """Return a bound on the error of a score over every row of the box (see above); infinite if it does not fit.

    Args:
        settings: Of the encryption.
        scorer: The model.
    """
    if scorer.trees:
        return forest.bound(settings, scorer.terms[1], reach(scorer))
    n, scale = settings.degree, 2.0**settings.scale
    largest = reach(scorer)
    held = settings.primes[0] if settings.rescale else sum(settings.primes[:-1])
    room = held - 2 - settings.scale * (1 if settings.rescale else 2)
    levels = 4 if scorer.hidden else 3
    if math.log2(largest) >= room or (settings.rescale and len(settings.primes) < levels):
        return math.inf
    if scorer.hidden and not settings.rescale:
        return math.inf
    fresh = _SIGMA * math.sqrt(n) / scale
    layers = scorer.layers
    lengths, sums = np.sqrt((layers[:, 1:] ** 2).sum(axis=1)), np.abs(layers).sum(axis=1)
    rounding = np.abs(layers[:, 1:] != 0).sum(axis=1) / scale
    if not settings.rescale:
        return float(_SPREADS * fresh * lengths[0] + rounding[0])
    step = math.sqrt(n / 12 * (1 + 2 * n / 3)) / scale
    drift = _STEPS * 2 * n / 2.0 ** min(settings.primes[1:-1])
    sums_off = _SPREADS * (fresh * lengths + step * np.sqrt(layers.shape[1])) + rounding + drift * sums
    if not scorer.hidden:
        return float(sums_off[0])
    outer = np.abs(np.array(scorer.weights[1:]))
    squares = outer * (2 * sums * sums_off + sums_off**2 + drift * sums**2)
    return float(squares.sum() + _SPREADS * step * len(outer) * 2)


def candidates(scorer: Scorer, rows: int) -> Iterator[Settings]:
    """Yield settings for a scorer, the cheapest first.

    Args:
        scorer: The model.
        rows: How many are usually asked at once.
    """
    if scorer.trees:
        for degree, primes, bits in forest.settings_for(scorer.terms[1]):
            yield Settings(degree=degree, primes=primes, scale=bits, rescale=True)
        return
    if not scorer.hidden:
        scale = min(29, math.ceil((58 - math.log2(reach(scorer))) / 2) - 1)
        small = Settings(degree=4096, primes=(60, 49), scale=scale, rescale=False)
        large = Settings(degree=8192, primes=(60, 60), scale=scale, rescale=False)
        yield from (small, large) if rows <= small.slots else (large,)
        yield Settings(degree=8192, primes=(60, 60, 60), scale=46, rescale=False)
        return
    yield Settings(degree=8192, primes=(60, 49, 49, 60), scale=49, rescale=True)
    yield Settings(degree=16384, primes=(60, 45, 45, 60), scale=45, rescale=True)
    yield Settings(degree=16384, primes=(60, 40, 40, 60), scale=40, rescale=True)


def pick(scorer: Scorer, error: float = MOST_ERROR, rows: int = 4096) -> Settings:
    """Return the cheapest settings that are secure and exact enough by the bound.

    Args:
        scorer: The model.
        error: Most that a score may be off, for every row of the box.
        rows: How many are usually asked at once.

    Raises:
        InputError: ``ciphertext.inaccurate`` if none is.
    """
    best = math.inf
    for one in candidates(scorer, rows):
        demand_secure(one)
        found = bound(one, scorer)
        if found <= error / 2:  # the owner rounds to it, which takes the other half
            return one
        best = min(best, found)
    told = f"the best is off by up to {best:.2g}" if math.isfinite(best) else "its numbers do not fit"
    raise InputError(
        "ciphertext.inaccurate", f"no secure setting keeps the error of this scorer below {error:g}: {told}.",
        remedy="Make its weights smaller (a score in another unit), or allow a larger error.",
    )  # fmt: skip


def demand_exact(settings: Settings, scorer: Scorer, error: float) -> None:
    """Return if settings are exact enough for a scorer by the bound.

    Raises:
        InputError: ``ciphertext.inaccurate``.
    """
    found = bound(settings, scorer)
    if not found <= error:
        raise InputError(
            "ciphertext.inaccurate", f"scores may be off by {found:.2g}, more than {error:g}.",
            remedy="Take a larger scale, or leave the choice to this product.",
        )  # fmt: skip
