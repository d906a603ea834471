r"""Tables: the discrete Gaussian and Laplace laws as whole numbers of 128 bits, with a bound on how far off they are.

The law has weights w(k) = exp(-k^2 / (2 s2)) or exp(-|k| / b) over all integers k. A table holds T(-m) <= ... <= T(m) =
2^128 such that a uniform draw u of 128 bits gives the first k with u < T(k). The argument that total variation to the
true law is at most ``Law.tv``:

1. *Weights.* All arithmetic is on integers that stand for multiples of ulp = 2^-256, rounded down. exp(-x) is Taylor's
   series on x / 2^j <= 1/2 with 80 further bits, squared j times; the series is cut where a term is 0 (its rest is
   smaller than the last term kept), each of at most 128 steps errs by at most 2 ulp of those further bits, and each
   squaring at most doubles the error and adds one: below 2^(9 + j) of them, which for j <= 64 is less than one ulp;
   rounding to 256 bits adds one. So e0 = 2 ulp.
2. *Recurrence.* w(k+1) = w(k) r(k), r(k+1) = r(k) q, with q = exp(-1/s2), r(0) = exp(-1/(2 s2)) (Gaussian), or r(k) =
   exp(-1/b) for all k (Laplace). Factors lie in [0, 1], so errors add: r(k) is off by at most (k + 1)(e0 + ulp), and
   w(k) by at most k (k + 1)(e0 + ulp) <= 3 k (k + 1) ulp. Over both sides, |k| <= m: at most E = 6 m (m + 1)^2 ulp.
3. *Tail.* Beyond m ratios only fall, so the tail has at most 2 w(m+1) / (1 - r(m+1)), with the errors of 2 added.
4. *Normalising.* Let Z be the true sum over |k| <= m, Z >= w(0) = 1. Replacing w by its rounded value moves each
   normalised law by at most E / Z <= E in total variation; leaving the tail out by at most tail / Z <= tail.
5. *Rounding T.* T(k) = floor(2^128 C(k) / C(m)) with C the cumulative sums: each probability moves by less than 2^-128,
   total variation by less than (2m + 1) 2^-129.

The sum of these is computed in fractions and rounded up to a power of 2. Source: Canonne, Kamath and Steinke 2020
(the law and its privacy); the tables are ours. Draws that are the true law's but for an event of probability tv keep
its privacy loss up to delta = (1 + e^epsilon) tv for each number drawn.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import TYPE_CHECKING, Literal

from fivefold.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator

Kind = Literal["gaussian", "laplace"]
BITS = 128
"""Bits of a draw."""
LARGEST = 1 << 15
"""Largest standard deviation, or scale of a Laplace law, in steps of the grid: what a table of a few MiB holds."""
_F = 256
_EXTRA = 80
_ONE = 1 << _F
_TAIL = _ONE >> (BITS + 4)


@dataclass(frozen=True)
class Law:
    """One law as a table.

    Attributes:
        kind: ``gaussian`` or ``laplace``.
        scale: Variance parameter s2 of the Gaussian, scale b of Laplace, in (squared) steps of the grid.
        most: m; the table holds the integers from -m to m.
        table: T(-m) to T(m), ascending, the last one 2^128.
        tv: No less than the total variation to the true law.
    """

    kind: Kind
    scale: Fraction
    most: int
    table: tuple[int, ...]
    tv: Fraction

    def __hash__(self) -> int:
        """Return a hash that does not go through the table."""
        return hash((self.kind, self.scale))

    @property
    def deviation(self) -> float:
        """Standard deviation in steps of the grid, of the true law."""
        if self.kind == "laplace":
            t = math.exp(-1 / self.scale)
            return math.sqrt(2 * t) / (1 - t)
        if self.scale > 1:  # the sum differs from the integral by less than 1e-7
            return math.sqrt(self.scale)
        steps = range(1, 40)
        weights = [math.exp(-k * k / (2 * float(self.scale))) for k in steps]
        return math.sqrt(2 * sum(k * k * w for k, w in zip(steps, weights, strict=True)) / (1 + 2 * sum(weights)))

    def upper(self, value: int) -> Fraction:
        """Return the probability, as the table has it, that a draw is at least ``value``."""
        if value > self.most:
            return Fraction(0)
        return 1 - Fraction(self.table[value - 1 + self.most] if value > -self.most else 0, 1 << BITS)

    def quantile(self, tail: Fraction) -> int:
        """Return the smallest value that a draw reaches with probability at most ``tail``, true law: tv is counted."""
        low, high = -self.most, self.most + 1
        while low < high:
            middle = (low + high) // 2
            if self.upper(middle) + self.tv <= tail:
                high = middle
            else:
                low = middle + 1
        return low


@lru_cache(maxsize=64)
def gaussian(variance: Fraction) -> Law:
    """Return the discrete Gaussian with variance parameter ``variance``, in squared steps of the grid.

    Raises:
        InputError: ``privacy.scale`` for one that is not above 0, or whose table would be too large.
    """
    _check(variance > 0 and variance <= LARGEST**2, "variance")
    return _law("gaussian", variance, Fraction(1, 2) / variance, 1 / variance)


@lru_cache(maxsize=64)
def laplace(scale: Fraction) -> Law:
    """Return the discrete Laplace law with scale ``scale``, in steps of the grid.

    Raises:
        InputError: ``privacy.scale``.
    """
    _check(scale > 0 and scale <= LARGEST >> 2, "scale")
    return _law("laplace", scale, 1 / scale, Fraction(0))


def exponential(x: Fraction) -> int:
    """Return exp(-x) in units of 2^-256, off by at most two of them.

    Raises:
        InputError: ``privacy.scale`` for an x below 0 or of 2^63 and more.
    """
    _check(0 <= x < 1 << 63, "exponent")
    halvings = max(0, math.ceil(x * 2).bit_length())
    one = _ONE << _EXTRA
    y = (x.numerator << (_F + _EXTRA)) // (x.denominator << halvings)
    total, term, n = one, one, 0
    while term:
        n += 1
        term = (term * y >> (_F + _EXTRA)) // n
        total += -term if n % 2 else term
    for _ in range(halvings):
        total = total * total >> (_F + _EXTRA)
    return total >> _EXTRA


def _check(fine: bool, what: str) -> None:
    if not fine:
        raise InputError(
            "privacy.scale",
            f"the {what} of the noise is out of range.",
            remedy="Give the query a larger share of a larger budget, or fewer cells.",
        )


def _weights(first: Fraction, step: Fraction) -> Iterator[tuple[int, int]]:
    """Yield w(k) and r(k) for k = 0, 1 ...: w(k+1) = w(k) r(k), r(0) = exp(-first), r(k+1) = r(k) exp(-step)."""
    weight, ratio, fall = _ONE, exponential(first), exponential(step) if step else 0
    while True:
        yield weight, ratio
        weight = weight * ratio >> _F
        if step:
            ratio = ratio * fall >> _F


def _law(kind: Kind, scale: Fraction, first: Fraction, step: Fraction) -> Law:
    half = []
    for k, (weight, ratio) in enumerate(_weights(first, step)):
        off = 3 * k * (k + 1)
        tail = Fraction(2 * (weight + off), max(_ONE - ratio - 3 * (k + 1), 1)) if k else Fraction(2)
        if tail * _ONE <= _TAIL:
            break
        half.append(weight)
    most = len(half) - 1
    total, table = 0, []
    whole = 2 * sum(half) - half[0]
    for weight in (*reversed(half[1:]), *half):
        total += weight
        table.append((total << BITS) // whole)
    error = Fraction(6 * most * (most + 1) ** 2, _ONE) + tail + Fraction(2 * most + 1, 1 << (BITS + 1))
    return Law(
        kind, scale, most, tuple(table), Fraction(1, 1 << (error.denominator // error.numerator).bit_length() - 1)
    )
