"""Pairs: what a check measured of the bare model beside what it measured behind the guard."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from msgspec import UNSET

from fivefold.report import words

if TYPE_CHECKING:
    from fivefold.contract.finding import Finding, Measure, Result

MOST = 12
"""Most figures that are set side by side."""


@dataclass(frozen=True)
class Pair:
    """One figure, bare and behind the guard, written out.

    Attributes:
        name: Of the figure, with its place.
        bare: Value and bounds; a dash where it was not measured.
        guarded: Likewise.
        limit: What it is judged against; empty: it is shown only.
    """

    name: str
    bare: str
    guarded: str
    limit: str


@dataclass(frozen=True)
class Compared:
    """A check's two measurements.

    Attributes:
        bare: Outcome without the guard.
        bare_word: In a word.
        bare_reason: What decided it.
        word: Outcome behind the guard, in a word.
        pairs: Figures, judged ones first.
    """

    bare: str
    bare_word: str
    bare_reason: str
    word: str
    pairs: tuple[Pair, ...]


def compared(finding: Finding) -> Compared | None:
    """Return both measurements of a check side by side; None: it was measured once."""
    before, after = finding.bare, finding.result
    if before is UNSET:
        return None
    return Compared(
        str(before.outcome),
        words.OUTCOMES[before.outcome],
        before.reason,
        words.OUTCOMES[after.outcome],
        _pairs(before, after),
    )


def _pairs(before: Result, after: Result) -> tuple[Pair, ...]:
    old = {(one.name, one.where): one for one in before.measures}
    new = {(one.name, one.where): one for one in after.measures}
    keys = [key for key in dict.fromkeys((*new, *old)) if _judged(old.get(key)) or _judged(new.get(key))]
    keys += [key for key in new if key in old and key not in keys]
    return tuple(_pair(old.get(key), new.get(key)) for key in keys[:MOST])


def _judged(measure: Measure | None) -> bool:
    return measure is not None and measure.outcome is not None


def _pair(old: Measure | None, new: Measure | None) -> Pair:
    named = next(one for one in (new, old) if one is not None)
    name = f"{named.name} ({named.where})" if named.where else named.name
    return Pair(name, _figure(old), _figure(new), words.threshold(named))


def _figure(measure: Measure | None) -> str:
    if measure is None:
        return words.number(None)
    bounds = words.interval(measure)
    return words.number(measure.value, measure.unit) + (f" ({bounds})" if bounds else "")
