r"""Account: what a path of noisy sums over Poisson samples costs.

A step takes each person with probability q, alone; a person moves the sum by at most S in L2, and noise is the discrete
Gaussian of deviation s S on the grid. For whole orders k the k-th moment of the likelihood ratio is that of the normal
law, exactly, in any dimension: shifting by k times a vector of whole numbers maps the grid onto itself. Therefore

  (k - 1) D_k <= g(k) = log sum_j C(k, j) (1 - q)^(k - j) q^j exp(j (j - 1) / (2 s^2))

for one step (Mironov, Talwar and Zhang 2019, section 3.3; adding and removing alike by their theorem 5, whose
reflection x -> shift - x keeps the grid), and T g(k) for T steps. Between whole orders g is convex: chords are above.

*What the ledger is told* is a probability of failure delta' and a zero-concentrated loss rho, so that trainings add up
with releases (Bun and Steinke 2016, section 8). Let P and Q be the laws of all that is seen, loss = log P/Q, and E the
event |loss| <= L. By Markov at the best whole order P(loss > L) and Q(-loss > L) are at most delta' / 2, so E fails
with probability at most delta' in both worlds. Given E, with c = -log(1 - delta'),

  (a - 1) D_a(P|E, Q|E) <= G(a) + a c,   G(a) = log E_P[exp((a - 1) loss); E] <= (a - 1) D_a(P, Q),

and G grows by at most L for each order, since no loss in E is more. So G(a) is below every chord of T g, and below
every line of slope L from one of its points on. For orders in (1, 2], with u the ratio of one step less 1, u >= -q,
Taylor to second order with its remainder gives E (1 + u)^a <= 1 + a (a - 1) / 2 E u^2 (1 + q / (3 (1 - q)^2)), so
D_a / a <= r0 = T q^2 (exp(1 / s^2) - 1) / 2 (1 + q / (3 (1 - q)^2)); below order 1.01 D_a is at most its value there.
rho is the largest of these bounds of D_a / a. Without sampling, or where it is less, T / (2 s^2) holds as it is.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from fivefold.errors import InputError
from fivefold.sharing.privacy.loss import DELTA, RHO, Loss

STEPS = 1 << 32
"""A rate is a multiple of one in so many: what 32 random bits decide exactly."""
_ORDERS = 512
_CUTS = 32
_NEAR = 0.01
_MOST_NOISE = 1000.0


@dataclass(frozen=True)
class Path:
    """A path of steps.

    Attributes:
        rate: q of each step, in 2^-32.
        noise: s, deviation of the noise in units of what a person may move.
        steps: T.
    """

    rate: int
    noise: float
    steps: int

    @property
    def q(self) -> float:
        """The rate as a share."""
        return self.rate / STEPS

    def epsilon(self, delta: float) -> float:
        """Return the epsilon that holds with ``delta``, from whole orders.

        Source: Canonne, Kamath and Steinke 2020, Proposition 12.
        """
        k = np.arange(2, _ORDERS + 1)
        g = self.steps * _moments(self.rate, self.noise)[2:]
        found = (g + math.log(1 / delta) - np.log(k - 1) + k * np.log1p(-1 / k)) / (k - 1)
        return max(0.0, float(found.min()))

    def loss(self, delta: float) -> Loss:
        """Return what the ledger is told, with a probability of failure of at most ``delta``.

        Raises:
            InputError: ``privacy.noise`` where the noise is out of range.
        """
        plain = math.ceil(self.steps / (2 * self.noise**2) * RHO)
        if self.rate >= STEPS:
            return Loss(plain, 0)
        rho = math.ceil(self._concentrated(delta) * RHO)
        return Loss(plain, 0) if plain <= rho else Loss(rho, max(1, math.ceil(delta * DELTA)))

    def _concentrated(self, delta: float) -> float:
        q, g = self.q, self.steps * _moments(self.rate, self.noise)  # by order, from 0
        k = np.arange(2, _ORDERS + 1)
        most = float(((g[2:] + math.log(2 / delta)) / (k - 1)).min())  # L
        c = -math.log1p(-delta)
        start = 0.5 * self.steps * q * q * math.expm1(self.noise**-2) * (1 + q / (3 * (1 - q) ** 2))
        found = [(1 + _NEAR) * start + c * (1 + _NEAR) / _NEAR, (most + 2 * c) / _ORDERS]
        line = np.minimum.accumulate(g[1:] - most * np.arange(_ORDERS)) + most * np.arange(_ORDERS)  # orders 1 to K
        low, high = line[1:-1, None], line[2:, None]
        cut = np.arange(_CUTS) / _CUTS
        left = k[:-1, None] + cut
        bound = low + (high - low) * (cut + 1 / _CUTS) + (left + 1 / _CUTS) * c
        return max(*found, float((bound / (left * (left - 1))).max()))


@lru_cache(maxsize=256)
def _moments(rate: int, noise: float) -> np.ndarray:
    """Return g of one step for orders 0 to K, (K + 1,) float64."""
    if not (0 < rate <= STEPS and 0.05 <= noise <= _MOST_NOISE):
        raise InputError("privacy.noise", "the rate of sampling or the noise is out of range.",
                         remedy="A rate above 0 and at most 1; a noise of 0.05 to 1000.")  # fmt: skip
    orders = np.arange(_ORDERS + 1)
    if rate == STEPS:
        return orders * (orders - 1) / (2 * noise**2)
    logs = np.concatenate([[0.0], np.cumsum(np.log(np.maximum(orders[1:], 1)))])  # log of factorials
    one, other = math.log(rate / STEPS), math.log1p(-rate / STEPS)
    found = np.zeros(_ORDERS + 1)
    for k in range(2, _ORDERS + 1):
        j = orders[: k + 1]
        terms = logs[k] - logs[j] - logs[k - j] + (k - j) * other + j * one + j * (j - 1) / (2 * noise**2)
        top = terms.max()
        found[k] = top + math.log(np.exp(terms - top).sum())
    return np.maximum(found, 0.0)


def noise_for(budget: Loss, rate: int, steps: int) -> float:
    """Return the least noise, a multiple of 2^-10, for which a path costs no more than ``budget``.

    Args:
        budget: What it may cost; its delta is used up.
        rate: In 2^-32.
        steps: How many.

    Raises:
        InputError: ``privacy.budget`` if no noise is enough.
    """
    low, high = 0.1, 400.0

    def fits(noise: float) -> bool:
        found = Path(rate, noise, steps).loss(budget.delta / DELTA)
        return found.rho <= budget.rho and found.delta <= budget.delta

    if budget.rho < 1 or budget.delta < 1 or not fits(high):
        raise InputError("privacy.budget", "no noise keeps to this loss.",
                         remedy="Take fewer steps or smaller batches, or raise the loss.")  # fmt: skip
    while (high - low) * 1024 > 0.5:
        middle = (low + high) / 2
        low, high = (low, middle) if fits(middle) else (middle, high)
    return math.ceil(high * 1024) / 1024
