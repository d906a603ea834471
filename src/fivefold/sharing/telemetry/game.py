"""Game: guess from its reports which of two values a fresh device holds, and bound the privacy loss from the guesses.

A device is given one of two values by a fair coin. Whoever sees its reports guesses, or passes. If the loss is at most
epsilon, then of the guesses that are made at most ``e**epsilon / (1 + e**epsilon)`` can be right, whatever the rule
(Kairouz, Oh and Viswanath 2015). Devices are independent, so the number that is right has exact binomial bounds
(Clopper and Pearson 1934), and their log odds are bounds of the loss. The rule is the likelihood ratio of the reports;
how sure it must be before it guesses is chosen on devices that are then left out.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from fivefold.sharing.telemetry.device import OTHER, WORD
from fivefold.sharing.telemetry.fleet import Values
from fivefold.stats.proportion import clopper_pearson

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from fivefold.sharing.telemetry.device import Question
    from fivefold.sharing.telemetry.fleet import Asked
    from fivefold.sharing.telemetry.reports import Reports

    Ask = Callable[[Values], Asked]

LEARN = 0.2
"""Share of the devices on which the rule is chosen."""
_STEPS = 12
_CELLS = 1 << 20
"""Bits that are held at once (``oue``)."""
_PAIRS = 4096
"""Pairs of strings among which devices hold one; a bound of the loss holds whichever they are."""


@dataclass(frozen=True)
class Loss:
    """What the guesses show of the privacy loss.

    Attributes:
        value: Log odds of a right guess; infinite where none was wrong.
        low: One-sided 95 % lower bound.
        high: One-sided 95 % upper bound of what this rule can show; no bound of the loss itself.
        guesses: That were made.
        devices: That were asked.
    """

    value: float
    low: float
    high: float
    guesses: int
    devices: int


def play(ask: Ask, questions: Sequence[Question], devices: int, rng: np.random.Generator) -> Loss:
    """Ask fresh devices, guess, and bound the loss of all questions together.

    Args:
        ask: Of the values that devices may hold: asks fresh ones.
        questions: Each device answers all of them.
        devices: How many, 100 at least.
        rng: Draws values and sides.

    Raises:
        SubjectError: ``telemetry.report`` if a report cannot be read.
    """
    sides = rng.random(devices) < 0.5
    scores = sum((_scores(ask, question, sides, rng) for question in questions), np.zeros(devices))
    return bounded(scores, sides)


def bounded(scores: np.ndarray, sides: np.ndarray, confidence: float = 0.95) -> Loss:
    """Bound the loss from scores.

    Args:
        scores: (n,) log likelihood ratio of the first value to the second one.
        sides: (n,) bool, whether the device held the first value.
        confidence: One-sided.
    """
    sure = np.abs(scores)
    levels = np.unique(np.round(sure[sure > 1e-9], 9))
    start, cut = 0, 1e-9
    if len(levels) > 1:
        start = int(LEARN * len(scores))
        cuts = np.unique(np.quantile(levels, np.linspace(0, 1, _STEPS), method="lower")) - 1e-9
        cut = max(cuts, key=lambda one: _of(scores[:start], sides[:start], float(one), confidence).low)
    return _of(scores[start:], sides[start:], float(cut), confidence)


def _of(scores: np.ndarray, sides: np.ndarray, cut: float, confidence: float) -> Loss:
    made = np.abs(scores) > cut
    right = int(((scores > 0) == sides)[made].sum())
    count = int(made.sum())
    low, high = (float(part) for part in clopper_pearson(right, count, confidence))
    return Loss(_log_odds(right / max(count, 1)), _log_odds(low), _log_odds(high), count, len(scores))


def _log_odds(share: float) -> float:
    return math.inf if share >= 1 else -math.inf if share <= 0 else math.log(share / (1 - share))


def _scores(ask: Ask, question: Question, sides: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    values, first, second = _pairs(question, len(sides), rng)
    devices, scores = ask(values), []
    step = max(1000, _CELLS // max(len(question.values), 1))
    for start in range(0, len(sides), step):
        one, other = first[start : start + step], second[start : start + step]
        said = devices(np.where(sides[start : start + step], one, other))
        every = (likelihood(found, values, one) - likelihood(found, values, other) for found in said)
        scores.append(sum(every, np.zeros(len(one))))
    return np.concatenate(scores)


def likelihood(reports: Reports, values: Values, at: np.ndarray) -> np.ndarray:
    """Return (n,) log likelihood of each report under the value at (n,) positions, up to what all values share."""
    question = reports.question
    flip = question.flip / 2.0**WORD
    if question.way == "mean":
        wide = question.high - question.low
        middle = (question.low + question.high) / 2
        held = np.array([middle if value is None else float(value) for value in values.values])[at]
        ones = flip + np.clip((held - question.low) / wide, 0, 1) * (1 - 2 * flip)
        return np.asarray(np.log(np.where(reports.answers == 1, ones, 1 - ones)))
    codes = values.codes(at, reports.groups)
    if question.way == "oue":
        bit = reports.answers[np.arange(len(codes)), np.maximum(codes, 0)]
        return np.where(codes < 0, 0.0, np.where(bit, np.log(0.5 / flip), np.log(0.5 / (1 - flip))))
    odd: np.ndarray = np.bitwise_count(codes & reports.answers) % 2
    chances = np.where(odd == 0, np.log(1 - flip), np.log(flip))
    return np.asarray(chances)


def _pairs(question: Question, count: int, rng: np.random.Generator) -> tuple[Values, np.ndarray, np.ndarray]:
    """Return values that the question tells apart, and for each device the positions of two of them."""
    if question.way == "mean":
        ends = np.zeros(count, dtype=np.int64), np.ones(count, dtype=np.int64)
        return Values(question, (question.low, question.high)), *ends
    if question.way == "top":
        made = min(count, _PAIRS)
        texts = [text for _ in range(made) for text in _strings(question, rng)]
        chosen = 2 * rng.integers(0, made, count)
        return Values(question, texts), chosen, chosen + 1
    values = (*question.values, None) if len(question.values) == 1 else question.values
    first, second = rng.integers(0, len(values), count), rng.integers(0, len(values) - 1, count)
    second += second >= first
    return Values(question, values), first, second


def _strings(question: Question, rng: np.random.Generator) -> tuple[str, str]:
    """Return two strings that differ from the first symbol on."""
    symbols = [*question.alphabet, OTHER]
    first, second = rng.permutation(len(symbols))[:2]
    rest = "".join(symbols[at] for at in rng.integers(0, len(symbols), int(rng.integers(question.length))))
    return symbols[first] + rest, symbols[second] + rest
