"""Words and figures for people: outcomes, numbers with their unit, intervals, thresholds."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from fivefold.contract.outcome import Outcome

if TYPE_CHECKING:
    from fivefold.contract.finding import Measure

OUTCOMES: dict[Outcome, str] = {
    Outcome.FAIL: "failed",
    Outcome.ERROR: "error",
    Outcome.INCONCLUSIVE: "inconclusive",
    Outcome.PASS: "passed",
    Outcome.NOT_APPLICABLE: "not applicable",
    Outcome.NOT_RUN: "not run",
}
"""Outcome to word, in the order in which a report shows them."""

GAP = "\N{NARROW NO-BREAK SPACE}"
MINUS = "\N{MINUS SIGN}"

# Controls, bidirectional overrides and lone surrogates could make a label read as something else, or break the file.
_UNSAFE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]")


def plain(text: str) -> str:
    """Return text with every character that could disguise or break it shown as a replacement mark."""
    return _UNSAFE.sub("\N{REPLACEMENT CHARACTER}", text)


def number(value: float | None, unit: str = "") -> str:
    """Write a figure: shares in per cent, whole numbers with thin groups, other figures with 3 to 4 digits."""
    if value is None:
        return "\N{EN DASH}"
    if unit == "share":
        return f"{_signed(value * 100, '.1f')}{GAP}%"
    text = _digits(value)
    return f"{text}{GAP}{unit}" if unit and unit not in ("ratio", "score") else text


def _digits(value: float) -> str:
    size = abs(value)
    if value == int(value) and size < 1e15:
        return _signed(value, ",.0f")
    if size >= 1000:
        return _signed(value, ",.0f") if size < 1e9 else _signed(value, ".3g")
    if size >= 10:
        return _signed(value, ".1f")
    return _signed(value, ".3f") if size >= 0.001 else _signed(value, ".2g")


def _signed(value: float, form: str) -> str:
    text = format(value, form)
    if not text.strip("-0.,%"):
        text = text.lstrip("-")
    return text.replace(",", GAP).replace("-", MINUS)


def interval(measure: Measure) -> str:
    """Write the one-sided 95 % bounds of a measure; empty if it has none."""
    low, high = measure.low, measure.high
    if low is None and high is None:
        return ""
    if high is None:
        return f"at least {number(low, measure.unit)}"
    if low is None:
        return f"at most {number(high, measure.unit)}"
    return f"{number(low, measure.unit)} to {number(high, measure.unit)}"


def threshold(measure: Measure) -> str:
    """Write what a measure is judged against; empty if it is shown only."""
    if measure.threshold is None:
        return ""
    sign = {"min": "\N{GREATER-THAN OR EQUAL TO}", "max": "\N{LESS-THAN OR EQUAL TO}"}.get(measure.direction or "", "")
    return f"{sign} {number(measure.threshold, measure.unit)}".strip()


def plural(count: int, one: str, many: str = "") -> str:
    """Write a number with its noun: ``1 check``, ``2 checks``."""
    return f"{number(count)} {one if count == 1 else many or one + 's'}"


def listed(items: tuple[str, ...] | list[str]) -> str:
    """Join words: ``a``, ``a and b``, ``a, b and c``."""
    if len(items) < 2:
        return "".join(items)
    return f"{', '.join(items[:-1])} and {items[-1]}"
