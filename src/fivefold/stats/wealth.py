"""Wealth: what betting against a null hypothesis has won, valid at any time (test supermartingales)."""

from __future__ import annotations

import numpy as np

AIMS = (0.1, 0.3, 0.6, 0.9)
"""What each bet is best against: the chance lies so far above its limit, as a share of the way to 1."""


def unspent(begun: int) -> float:
    """Return the share of the stake that is left once ``begun`` bets were begun: 1 at 0, and ever less, but never 0.

    What is spent sums to 1 over all time, and the k-th costs no more than about 1 / (k log(k)^2).
    """
    return float(1.0 / np.log2(begun + 2))


def share(begun: int) -> float:
    """Return the part of the stake of the bet that is begun after ``begun`` others."""
    return unspent(begun) - unspent(begun + 1)


class Wealth:
    """Bets that chances lie above their limits, begun anew at each step, all from one stake of 1.

    Under the null (whatever came before, event e has a chance of at most its limit) the wealth is a nonnegative
    supermartingale that begins at 1, so it reaches 1/alpha at any time with a chance of at most alpha (Ville 1939,
    Waudby-Smith and Ramdas 2024). A bet that is begun at step k has a stake of :func:`share` (k), so that the wealth
    finds a change that comes late without having lost everything before (as Shiryaev-Roberts sums do). Memory does
    not grow.

    Attributes:
        steps: How many were taken.
        log: Logarithm of the wealth.
    """

    def __init__(self, limits: np.ndarray) -> None:
        """Begin.

        Args:
            limits: (E,) largest chance of each event under the null, in (0, 1).
        """
        limit = np.asarray(limits, dtype=np.float64)[:, None]
        aim = limit + (1 - limit) * np.asarray(AIMS)
        self._hit, self._miss = np.log(aim / limit), np.log((1 - aim) / (1 - limit))
        self._held = np.full(aim.shape, -np.inf)
        self._parts = max(aim.size, 1)
        self.steps, self.log = 0, 0.0

    def add(self, hits: np.ndarray, n: int) -> float:
        """Take one step: n outcomes that were seen together.

        Args:
            hits: (E,) how many of them were in each event.
            n: How many there were; it may hang on nothing but what came before.

        Returns:
            The logarithm of the wealth.
        """
        return self._grow(hits[:, None] * self._hit + (n - hits[:, None]) * self._miss)

    def add_bounded(self, values: np.ndarray) -> float:
        """Take one step: values in [0, 1] whose expectations are at most the limits under the null.

        Args:
            values: (E,) values.

        Returns:
            The logarithm of the wealth.
        """
        self._held, self.log = self._after(self._bounded(values))
        self.steps += 1
        return self.log

    def ahead(self, values: np.ndarray) -> float:
        """Return what :meth:`add_bounded` would return, and take no step."""
        return self._after(self._bounded(values))[1]

    def forget(self, steps: int) -> None:
        """Take that many steps and lose every bet that was begun by their end."""
        self._held = np.full(self._held.shape, -np.inf)
        self.steps += steps
        self.log = float(np.log(unspent(self.steps)))

    def strongest(self) -> int:
        """Return the event that won most."""
        return int(self._held.max(axis=1).argmax())

    def _bounded(self, values: np.ndarray) -> np.ndarray:
        given = np.asarray(values, dtype=np.float64)[:, None]
        return np.asarray(np.log(given * np.exp(self._hit) + (1 - given) * np.exp(self._miss)))

    def _grow(self, factors: np.ndarray) -> float:
        self._held, self.log = self._after(factors)
        self.steps += 1
        return self.log

    def _after(self, factors: np.ndarray) -> tuple[np.ndarray, float]:
        held = np.logaddexp(self._held, np.log(share(self.steps))) + factors
        rest = np.log(unspent(self.steps + 1))
        most = held.max(initial=rest)  # finite, so that nothing below overflows
        won = np.exp(held - most).sum() / self._parts + np.exp(rest - most)
        return held, float(most + np.log(won))
