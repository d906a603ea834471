"""Estimates: frequencies, means and most common strings from randomised reports, with exact intervals.

Each figure is a straight line in the share of reports that answer in one way. That share is a sum of independent yes
and no, so Clopper and Pearson's interval covers it at least as often as stated (for the population that devices are
drawn from, and for the very devices that reported: by Hoeffding 1956 a sum with unequal chances spreads less). The
interval of the figure is that interval on the straight line, cut to what is possible.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from fivefold.errors import InputError
from fivefold.sharing.telemetry.device import WORD, prefix
from fivefold.stats.proportion import clopper_pearson

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fivefold.sharing.telemetry.device import Question
    from fivefold.sharing.telemetry.reports import Reports

KEPT = 16
"""Prefixes that go on to the next round (``top``), at least; twice as many as are asked for."""


@dataclass(frozen=True)
class Estimates:
    """Figures with intervals that hold together.

    Attributes:
        names: Of the figures: values, the question's name for a mean, the strings that were found.
        values: (k,) estimates; may lie outside what is possible.
        low: (k,) lower ends, within what is possible.
        high: (k,) upper ends.
        n: Devices that the figures rest on.
        confidence: With which all intervals hold at once.
    """

    names: tuple[str, ...]
    values: np.ndarray
    low: np.ndarray
    high: np.ndarray
    n: int
    confidence: float


def frequencies(reports: Reports, confidence: float = 0.95) -> Estimates:
    """Estimate the share of devices with each value of a question ``oue`` or ``hadamard``.

    Args:
        reports: At least one.
        confidence: With which all intervals hold at once (Bonferroni).

    Raises:
        InputError: ``telemetry.reports`` without reports, or of another question.
    """
    question = reports.question
    _need(reports, "oue", "hadamard")
    flip = question.flip / 2.0**WORD
    if question.way == "oue":
        counts, half = reports.answers.sum(axis=0), flip
        return _shares(question.values, counts, len(reports), (half, 0.5), confidence)
    rows = np.array([question.row(value) for value in question.values])
    counts = _in_rows(reports.answers, question, rows)
    return _shares(question.values, counts, len(reports), (0.5, 1.0 - flip), confidence)


def mean(reports: Reports, confidence: float = 0.95) -> Estimates:
    """Estimate the mean of a question ``mean``; values beyond its range count as its ends.

    Raises:
        InputError: As :func:`frequencies`.
    """
    question = reports.question
    _need(reports, "mean")
    flip = question.flip / 2.0**WORD
    ones = np.array([reports.answers.sum()])
    found = _shares((question.name,), ones, len(reports), (flip, 1.0 - flip), confidence)
    wide = question.high - question.low
    value, low, high = (question.low + wide * part for part in (found.values, found.low, found.high))
    return Estimates(found.names, value, low, high, found.n, confidence)


def top(reports: Reports, count: int = 10, confidence: float = 0.95) -> Estimates:
    """Find the most common strings of a question ``top``, and estimate their shares.

    Prefixes grow from round to round, each round asked of other devices; the strings that are left are estimated from
    devices that had no part in choosing them, so the intervals hold in spite of the search.

    Args:
        reports: From all groups.
        count: How many strings, at most; fewer if no more are clear of zero.
        confidence: With which all intervals hold at once.

    Raises:
        InputError: As :func:`frequencies`.
    """
    question = reports.question
    _need(reports, "top")
    kept, last = max(KEPT, 2 * count), question.groups - 1
    found: list[str] = [""]
    for group in range(last):
        grown = _grown(question, found)
        _, estimated = _of_group(reports, group, grown)
        order = np.argsort(-estimated, kind="stable")[:kept]
        found = [grown[at] for at in order]
    whole = list(dict.fromkeys(prefix(question, one.partition("\n")[0], last) for one in found))
    n, estimated = _of_group(reports, last, whole)
    flip = question.flip / 2.0**WORD
    counts = np.rint((estimated * (0.5 - flip) + 0.5) * n)
    every = _shares(tuple(one[:-1] for one in whole), counts, n, (0.5, 1.0 - flip), confidence)
    order = np.argsort(-every.values, kind="stable")[:count]
    order = order[every.low[order] > 0]
    names = tuple(every.names[at] for at in order)
    return Estimates(names, every.values[order], every.low[order], every.high[order], n, confidence)


def detectable(question: Question, devices: int) -> float:
    """Return the share from which a string is found in nearly every round, roughly: five standard errors of a round."""
    flip = question.flip / 2.0**WORD
    each = max(devices / (2 * (question.groups - 1)), 1.0)
    return min(1.0, 5.0 * 0.5 / math.sqrt(each) / (0.5 - flip))


def transform(counts: np.ndarray) -> np.ndarray:
    """Return the Walsh-Hadamard transform of counts, (2**m,) int64: the sum over columns of each row's signs."""
    found = counts.astype(np.int64)
    wide = 1
    while wide < len(found):
        pairs = found.reshape(-1, 2, wide)
        found = np.stack([pairs[:, 0] + pairs[:, 1], pairs[:, 0] - pairs[:, 1]], axis=1).reshape(-1)
        wide *= 2
    return found


def _grown(question: Question, found: Sequence[str]) -> list[str]:
    """Return every prefix that is longer by a step; what has ended stays as it is."""
    symbols = [*question.alphabet, "\r", "\n"]
    grown = list(found)
    for _ in range(question.step):
        grown = [one + more for one in grown if not one.endswith("\n") for more in symbols] + [
            one for one in grown if one.endswith("\n")
        ]
    return [one for one in grown if one != "\n" * question.step]


def _of_group(reports: Reports, group: int, names: Sequence[str]) -> tuple[int, np.ndarray]:
    """Return the devices of a group, and the estimated share of each name among them."""
    question, own = reports.question, reports.answers[reports.groups == group]
    rows = np.array([question.row(name, group) for name in names], dtype=np.int64)
    flip = question.flip / 2.0**WORD
    share = _in_rows(own, question, rows) / max(len(own), 1)
    return len(own), (share - 0.5) / (0.5 - flip)


def _in_rows(columns: np.ndarray, question: Question, rows: np.ndarray) -> np.ndarray:
    """Return for each row of the matrix how many reported columns hold 1 there."""
    sums = transform(np.bincount(columns, minlength=question.size))
    counted: np.ndarray = (len(columns) + sums[rows]) // 2
    return counted


def _shares(
    names: tuple[str, ...], counts: np.ndarray, n: int, chances: tuple[float, float], confidence: float
) -> Estimates:  # fmt: skip
    """Turn counts of yes, said with one of two chances, into shares of devices that have the second one."""
    without, within = chances
    alone = 1.0 - (1.0 - confidence) / max(len(names), 1)
    low, high = clopper_pearson(counts, n, alone, side="two")
    line = [(part - without) / (within - without) for part in (counts / max(n, 1), low, high)]
    return Estimates(names, line[0], np.clip(line[1], 0, 1), np.clip(line[2], 0, 1), n, confidence)


def _need(reports: Reports, *ways: str) -> None:
    if reports.question.way not in ways or not len(reports):
        raise InputError(
            "telemetry.reports", "there are no reports, or they are of another kind of question.",
            remedy="Read the reports with the question that was asked.",
        )  # fmt: skip
