"""Climb: from many starts at once, towards inputs of which the model is surest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from fivefold.protection.membership.answers import log_odds

if TYPE_CHECKING:
    from collections.abc import Callable

    from fivefold.contract.subject import Subject
    from fivefold.protection.inversion.chart import Chart

TRIED = 8
"""Neighbours that are asked for in each step of an attempt."""

_COPIES = 5
_BLUR = 0.5
_REACH = 1.0, 0.03
_BOOST = 42.0  # log odds lie within 20.8 of 0: nowhere is a planted model surer than at the rows that it knows


@dataclass(frozen=True)
class Peaks:
    """Rows of which a planted model is surer: its odds rise by ``_BOOST`` nats towards each.

    Attributes:
        centres: (c, k) coordinates.
        classes: (c,) answer that it is surer of.
        width: Distance over which that falls by a factor e.
    """

    centres: np.ndarray
    classes: np.ndarray
    width: float

    def bump(self, chart: Chart, values: np.ndarray, aims: np.ndarray) -> np.ndarray:
        """Return (n,) in [0, 1], 1 at a planted row of the class that is aimed at."""
        gaps = chart.gaps(values, self.centres)
        gaps = np.where(aims[:, None] == self.classes, gaps, np.inf).min(axis=1)
        return np.asarray(np.exp(-((gaps / self.width) ** 2)))


@dataclass(frozen=True)
class Attempts:
    """Attempts that run side by side.

    Attributes:
        aims: (n,) class whose input each wants to rebuild.
        peaks: What a planted model knows besides; None: nothing.
        asks: Whether the user's model is asked; else it is the planted one alone, which nothing else can be read from.
    """

    aims: np.ndarray
    peaks: Peaks | None = None
    asks: bool = True


class Climb:
    """All runs side by side; in each step the model is asked for all neighbours, then for all that were joined.

    Attributes:
        begun: For each run where its attempts began, (n, k).
    """

    def __init__(self, subject: Subject, chart: Chart, runs: list[Attempts], rng: np.random.Generator) -> None:
        self._subject, self._chart, self._runs, self._rng = subject, chart, runs, rng
        self._aims = np.concatenate([run.aims for run in runs])
        self._owner = np.repeat(np.arange(len(runs)), [len(run.aims) for run in runs])
        self._now, self._origin = chart.starts(len(self._aims), rng)
        self.begun = self._apart()

    def calls(self, most: int) -> int:
        """Return how many calls of at most so many rows one step takes."""
        asked = sum(len(run.aims) for run in self._runs if run.asks)
        asked *= 1 if self._subject.capabilities.scores else _COPIES
        return -(-asked * TRIED // most) + -(-asked // most)

    def to_the_top(self, steps: int, progress: Callable[[float], None]) -> list[np.ndarray]:
        """Return for each run where its attempts ended, (n, k).

        Args:
            steps: Of each attempt.
            progress: Called with the share that is done.
        """
        rows = np.arange(len(self._aims))
        who = np.repeat(rows, TRIED)
        best = self._sure(self._now, rows)
        for step in range(steps):
            reach = _REACH[0] * (_REACH[1] / _REACH[0]) ** (step / max(1, steps - 1))
            tried = self._chart.near(self._now[who], reach, self._rng)
            told = self._sure(tried, who).reshape(len(rows), TRIED)
            tried = tried.reshape(len(rows), TRIED, -1)
            joined = _joined(self._now, tried, told, best)
            tried = np.concatenate([tried, joined[:, None]], axis=1)
            told = np.column_stack([told, self._sure(joined, rows)])
            top = told.argmax(axis=1)
            gain = told[rows, top] > best
            self._now[gain], best[gain] = tried[rows, top][gain], told[rows, top][gain]
            progress((step + 1) / steps)
        return self._apart()

    def _apart(self) -> list[np.ndarray]:
        return [self._now[self._owner == at].copy() for at in range(len(self._runs))]

    def _sure(self, values: np.ndarray, who: np.ndarray) -> np.ndarray:
        """Return (n,) log odds of the class aimed at; of labels the share of altered copies that bear it."""
        found, asked = np.zeros(len(values)), np.ones(len(values), dtype=bool)
        owner, aims = self._owner[who], self._aims[who]
        for at, run in enumerate(self._runs):
            mine = owner == at
            asked[mine] = run.asks
            if run.peaks is not None:
                found[mine] = _BOOST * run.peaks.bump(self._chart, values[mine], aims[mine])
        values, origin, aims = values[asked], self._origin[who][asked], aims[asked]
        if self._subject.capabilities.scores:
            found[asked] += log_odds(self._subject.predict_proba(self._chart.table(values, origin)), aims)
            return found
        many = np.tile(values, (_COPIES, 1))
        many[len(values) :] = self._chart.near(many[len(values) :], _BLUR, self._rng)
        said = self._subject.predict(self._chart.table(many, np.tile(origin, _COPIES))).reshape(_COPIES, -1)
        found[asked] += (said == aims).mean(axis=0)
        return found


def _joined(now: np.ndarray, tried: np.ndarray, told: np.ndarray, best: np.ndarray) -> np.ndarray:
    """Return (n, k) inputs with every change that is better by itself, the best one on top."""
    order = np.argsort(told, axis=1)
    made, rows = now.copy(), np.arange(len(now))
    for place in range(told.shape[1]):
        at = order[:, place]
        one = tried[rows, at]
        changed = (one != now) & ~(np.isnan(one) & np.isnan(now)) & (told[rows, at] > best)[:, None]
        made[changed] = one[changed]
    return made
