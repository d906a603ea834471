"""Curve: what each way of mending costs, step by step, and the step that is chosen on rows that are not judged."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from fivefold.fairness.mitigation import blind, thresholds
from fivefold.fairness.mitigation.aims import counted
from fivefold.stats.difference import miettinen_nurminen as difference
from fivefold.stats.ratio import miettinen_nurminen as ratio

if TYPE_CHECKING:
    from fivefold.fairness.mitigation.aims import Aim

STEPS = np.linspace(0.0, 1.0, 11)
"""Shares of the way from the model as it is to equal rates."""
LEAST = 30


@dataclass(frozen=True)
class Rows:
    """Scored rows.

    Attributes:
        score: (n,) score of the favourable class, given from one half on.
        truth: (n,) 0 or 1.
        codes: (n,) groups.
        chance: (n, G) chance of each group from the features; None: the features are not looked at.
    """

    score: np.ndarray
    truth: np.ndarray
    codes: np.ndarray
    chance: np.ndarray | None = None

    def take(self, at: np.ndarray) -> Rows:
        """Return some of the rows."""
        chance = None if self.chance is None else self.chance[at]
        return Rows(self.score[at], self.truth[at], self.codes[at], chance)


@dataclass(frozen=True)
class Point:
    """One way, at one step: ``value`` is the lowest ratio or the widest gap of two groups, with one-sided 95 % bounds.

    Attributes:
        way: ``thresholds``, ``blind`` ...
        strength: Share of the way.
        value: Ratio (selection) or gap (true-positive rates).
        low: Lower bound.
        high: Upper bound.
        accuracy: Share of right answers.
        chosen: (n,) favourable answers.
        thin: Whether a group has fewer than 30 rows that count.
    """

    way: str
    strength: float
    value: float
    low: float
    high: float
    accuracy: float
    chosen: np.ndarray
    thin: bool

    def clear(self, floor: float, aim: Aim) -> bool:
        """Return whether the bounds lie inside the floor."""
        return not self.thin and (self.low > floor if aim == "selection" else self.high < floor)

    def beyond(self, floor: float, aim: Aim) -> bool:
        """Return whether the bounds lie outside the floor."""
        return not self.thin and (self.high < floor if aim == "selection" else self.low > floor)


def point(way: str, strength: float, chosen: np.ndarray, rows: Rows, aim: Aim) -> Point:
    """Measure answers: the pair of groups that is furthest apart."""
    mine = counted(aim, rows.truth)
    groups = int(rows.codes.max(initial=0)) + 1
    n = np.bincount(rows.codes[mine], minlength=groups)
    k = np.bincount(rows.codes[mine], chosen[mine], minlength=groups)
    there = np.flatnonzero(n >= LEAST)
    accuracy = float((chosen == rows.truth).mean())
    thin = len(there) < 2 or bool(((n < LEAST) & (n >= 0.05 * n.sum())).any())
    if len(there) < 2:
        return Point(way, strength, float("nan"), float("nan"), float("nan"), accuracy, chosen, thin=True)
    share = k[there] / n[there]
    low, high = there[int(np.argmin(share))], there[int(np.argmax(share))]
    if aim == "selection":
        value = float(share.min() / share.max()) if share.max() > 0 else float("nan")
        bounds = ratio(k[low], n[low], k[high], n[high])
    else:
        value = float(share.max() - share.min())
        bounds = difference(k[high], n[high], k[low], n[low])
    return Point(way, strength, value, float(bounds[0]), float(bounds[1]), accuracy, chosen, thin)


def ways(fitted: Rows, judged: Rows, aim: Aim, ask: str = "") -> dict[str, list[tuple[Point, Point]]]:
    """Return each way's points: on the rows that it was fitted on, and on the others.

    Args:
        fitted: Rows on which thresholds and multipliers are found.
        judged: Other rows.
        aim: What is to be alike.
        ask: The only way that is wanted; empty: all.
    """
    made: dict[str, list[tuple[Point, Point]]] = {}
    if ask in {"", "thresholds"}:
        made["thresholds"] = []
        for strength in STEPS:
            cuts = thresholds.by_group(fitted.score, fitted.truth, fitted.codes, aim, strength=float(strength))
            made["thresholds"].append(_both(("thresholds", float(strength)), fitted, judged, aim, cuts))
    if ask in {"", "blind"} and fitted.chance is not None and judged.chance is not None:
        found = blind.multipliers(fitted.score, fitted.chance, fitted.truth, fitted.codes, aim)
        made["blind"] = []
        for strength in STEPS:
            score = [blind.moved(rows.score, rows.chance, found, aim, float(strength)) for rows in (fitted, judged)
                     if rows.chance is not None]  # fmt: skip
            pair = [
                point("blind", float(strength), now >= 0.5, rows, aim)
                for now, rows in zip(score, (fitted, judged), strict=True)
            ]
            made["blind"].append((pair[0], pair[1]))
    return made


def _both(of: tuple[str, float], fitted: Rows, judged: Rows, aim: Aim, cuts: np.ndarray) -> tuple[Point, Point]:
    first, second = (
        point(*of, rows.score >= cuts[np.minimum(rows.codes, len(cuts) - 1)], rows, aim) for rows in (fitted, judged)
    )
    return first, second


def chosen(found: dict[str, list[tuple[Point, Point]]], floor: float, aim: Aim) -> tuple[Point, Point]:
    """Return the points of the step that costs least among those clear of the floor on the fitted rows.

    Where none is, the step that comes nearest. The judged rows are not looked at.
    """
    every = [pair for pairs in found.values() for pair in pairs]
    sign = 1.0 if aim == "selection" else -1.0

    def sure(one: Point, wide: float) -> bool:
        bound = one.low if aim == "selection" else one.high
        return not one.thin and sign * (one.value + wide * (bound - one.value) - floor) > 0

    for wide in (2.0, 1.0):  # bounds twice as wide first: what is just clear here may not be elsewhere
        good = [pair for pair in every if sure(pair[0], wide)]
        if good:
            return max(good, key=lambda pair: pair[0].accuracy)
    return max(every, key=lambda pair: sign * np.nan_to_num(pair[0].value, nan=-sign * 1e9))
