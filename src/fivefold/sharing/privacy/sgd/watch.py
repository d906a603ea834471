r"""Watch: what a run was seen to do: who was in each batch, what was added up, which noise was added to it.

Nothing is believed that a part of the trainer says of itself: the watch sees what passes between the parts.

- *Sampling*: under Poisson sampling sizes of batches are binomial, and so is how often each person took part: batches
  that are dealt out are all of one size, or let all take part alike. Chi-squared and normal bounds, one in 10^9.
- *Clipping*: at steps that nobody knows in advance the sum is made again by another way, person by person.
- *Noise*: what is handed on less the sum is the noise. Its squares, for each parameter and each number, its product
  with the noise of the step before, the length of the sum of all of it, and whether it came before. The sum is taken
  before noise and handed on after it, so that the order is seen, too.

A fault that the run is too short to show is no proof of its absence: such a run is not verified. Limit: code of the
same process that sets out to deceive can deceive the watch as well.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

_LEVEL = 1e-9
_WIDE = 16
_SIGMAS = 6.5
_FEWEST = 64
_KEY = 64
_DIFFERS = 2.0**-7
_LOOKS, _EVERY = 2, 400


@dataclass(frozen=True)
class Observed:
    """What was seen.

    Attributes:
        sampling: Why sampling is not verified; empty: it is.
        clipping: Why clipping is not.
        noise: Why noise and its order are not.
        looks: Steps at which the sum was made again.
        cut: Share of persons of these steps who were cut.
    """

    sampling: str
    clipping: str
    noise: str
    looks: int = 0
    cut: float = 0.0

    @property
    def faults(self) -> tuple[str, ...]:
        """All reasons why a run is not verified."""
        return tuple(one for one in (self.sampling, self.clipping, self.noise) if one)


@dataclass
class Watch:
    """Sees the steps of one run.

    Attributes:
        people: n.
        rate: q that is claimed.
        deviation: Of the noise that is claimed, on the grid.
        clip: Length that is claimed.
        sizes: Numbers of each parameter, in order.
        steps: T.
        rng: Decides at which steps it looks; not the one that anything else hangs on.
    """

    people: int
    rate: float
    deviation: float
    clip: float
    sizes: list[int]
    steps: int
    rng: np.random.Generator
    _turns: np.ndarray = field(init=False)
    _counts: list[int] = field(init=False, default_factory=list)
    _looks: set[int] = field(init=False)
    _wrong: list[float] = field(init=False, default_factory=list)
    _cut: list[float] = field(init=False, default_factory=list)
    _squares: np.ndarray = field(init=False)
    _total: np.ndarray = field(init=False)
    _last: np.ndarray | None = field(init=False, default=None)
    _product: float = field(init=False, default=0.0)
    _known: set[bytes] = field(init=False, default_factory=set)
    _again: bool = field(init=False, default=False)

    def __post_init__(self) -> None:
        """Draw the steps at which it looks."""
        d = sum(self.sizes)
        self._turns, self._squares, self._total = np.zeros(self.people, dtype=np.int64), np.zeros(d), np.zeros(d)
        count = min(self.steps, _LOOKS + self.steps // _EVERY)
        self._looks = set(self.rng.choice(self.steps, count, replace=False).tolist())

    def sampled(self, ids: np.ndarray) -> None:
        """See who is in a batch; a person who is in it twice counts twice."""
        np.add.at(self._turns, ids, 1)
        self._counts.append(len(ids))

    def due(self, step: int) -> bool:
        """Whether the sum of this step is made again."""
        return step in self._looks

    def compared(self, total: np.ndarray, again: np.ndarray, cut: float) -> None:
        """See a sum, (d,), and what it should be."""
        self._wrong.append(float(np.linalg.norm(total - again)) / self.clip)
        self._cut.append(cut)

    def noised(self, noise: np.ndarray) -> None:
        """See the noise of a step, (d,) on the grid."""
        seen = noise.astype(np.float64)
        self._squares += seen * seen
        self._total += seen
        if self._last is not None:
            self._product += float(seen @ self._last)
        self._last = seen
        if len(noise) >= _FEWEST:
            key = noise[:_KEY].tobytes()
            self._again = self._again or key in self._known
            self._known.add(key)

    def verdict(self) -> Observed:
        """Return what was seen."""
        return Observed(self._sampling(), self._clipping(), self._noise(), len(self._wrong),
                        float(np.mean(self._cut)) if self._cut else 0.0)  # fmt: skip

    def _sampling(self) -> str:  # noqa: PLR0911  one return for each reason
        from scipy.stats import binom, chi2

        n, q, t, sizes = self.people, self.rate, len(self._counts), np.array(self._counts)
        if t != self.steps:
            return f"{t} steps were taken and {self.steps} are claimed."
        if q >= 1:
            return "" if (sizes == n).all() and (self._turns == t).all() else "somebody was left out."
        apart = float(((self._turns - self._turns.mean()) ** 2).sum())
        mean, spread, dealt = _turns(n, q, t)
        width, taken = n * q * (1 - q), int(sizes.sum())
        even = float(((sizes - sizes.mean()) ** 2).sum()) / width
        by_size = width >= _WIDE and chi2.cdf(0.25 * t / width, t - 1) < _LEVEL
        if mean - dealt < (_SIGMAS + 1) * spread or not by_size:
            return "too few steps and persons to tell Poisson sampling from batches that are dealt out."
        if min(binom.cdf(taken, n * t, q), binom.sf(taken - 1, n * t, q)) < _LEVEL:
            return f"the rate of sampling was {taken / (n * t):.4g}, claimed is {q:.4g}."
        if width >= _WIDE and chi2.cdf(even, t - 1) < _LEVEL:
            return "sizes of batches do not vary as under Poisson sampling."
        if not -_SIGMAS * spread < apart - mean < 2 * _SIGMAS * spread + _WIDE:
            return "persons take turns; under Poisson sampling each step is by itself."
        return ""

    def _clipping(self) -> str:
        if not self._wrong:
            return "no step was looked at."
        worst = max(self._wrong)
        if not worst <= _DIFFERS:
            return f"the sum of a batch is {worst:.3g} lengths off what it is with each person cut by themselves."
        return ""

    def _noise(self) -> str:  # noqa: PLR0911  one return for each reason
        from scipy.stats import chi2

        t, d = len(self._counts), len(self._squares)
        if self._last is None or t * d < _FEWEST:
            return "too little noise was seen to judge it."
        if self._again:
            return "noise of a step came before."
        squares, total = self._squares / self.deviation**2, self._total / self.deviation
        parts = np.add.reduceat(squares, np.concatenate([[0], np.cumsum(self.sizes[:-1])]).astype(int))
        low = np.array([chi2.cdf(part, t * size) for part, size in zip(parts, self.sizes, strict=True)])
        if chi2.cdf(float(parts.sum()), t * d) < _LEVEL or (low < _LEVEL / len(parts)).any():
            least = float((parts / (t * np.array(self.sizes))).min())
            return f"noise has {math.sqrt(least):.3f} of the deviation that is claimed, in a part at least."
        if chi2.cdf(float(squares.min()), t) < _LEVEL / d:
            return "a number of the model has too little noise."
        if t > 1 and abs(self._product) > _SIGMAS * self.deviation**2 * math.sqrt(d * (t - 1)):
            return "noise of a step is like that of the step before."
        if t > 1 and chi2.sf(float((total**2).sum()) / t, d) < _LEVEL:
            return "noise of the steps adds up as if it were drawn once."
        if t > 1 and chi2.cdf(float((total**2).sum()) / t, d) < _LEVEL:
            return "noise of the steps takes itself back."
        return ""


def _turns(n: int, q: float, t: int) -> tuple[float, float, float]:
    """Return mean and deviation of the sum of (C - mean C)^2 over n persons, C binomial (t, q); and it if dealt out."""
    variance = t * q * (1 - q)
    fourth = variance * (1 + 3 * (t - 2) * q * (1 - q))
    rest = t * q - math.floor(t * q)
    return (n - 1) * variance, math.sqrt(max(n * (fourth - variance**2), 0.0)), n * rest * (1 - rest)
