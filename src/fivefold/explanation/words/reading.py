"""Reading: what is wrong with a reason in words, held against the credits that were recorded with it.

The text is taken apart again by the sentences' openings; nothing of what made it is used but these and the way in which
names are shortened.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from functools import cache
from string import Formatter
from typing import TYPE_CHECKING, Any

import msgspec

from fivefold.explanation.words.wording import MOST_WORDS, Language, languages, plain, short

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

MOST_LIX = 50.0
"""Above it a text is hard to read (Bjoernsson 1968: 40 to 50 newspapers, over 50 official texts)."""
CONTRADICTS, UNIT, CAUSE, LONG, HARD, UNREAD = "contradicts", "unit", "cause", "long", "hard", "unread"
FAULTS = {
    CONTRADICTS: "says otherwise than the credits",
    UNIT: "leaves out a declared unit",
    CAUSE: "claims a cause",
    LONG: f"has more than {MOST_WORDS} words",
    HARD: f"is hard to read (LIX over {MOST_LIX:g})",
}
"""What is wrong. ``unread`` is no fault: some of the text is none of the sentences that can be held against credits."""
_LONG_WORD = 6
_WORD = re.compile(r"[^\W_]+(?:[.,'\u2019-][^\W_]+)*")
_STOP = re.compile(r"[.:!?](?=\s|$)")
_WAYS = ("for", "against", "up", "down")


class Told(msgspec.Struct, frozen=True):
    """A reason on record.

    Attributes:
        text: What the person was told.
        moved: Field, value and signed credit of those that moved the answer most; None: there were no credits.
        flip: Field, and the value that would change the answer; None: there is none.
    """

    text: str
    moved: tuple[tuple[str, Any, float], ...] | None = None
    flip: tuple[str, Any] | None = None


def faults(told: Told, units: Mapping[str, str]) -> frozenset[str]:
    """Return what is wrong with a reason: keys of :data:`FAULTS`, or ``unread``.

    Args:
        told: A reason and its credits.
        units: Field to declared unit.
    """
    return frozenset(_faults(told, units))


def lix(text: str) -> float:
    """Return how hard a text is to read (Bjoernsson 1968): words a sentence, and the share of long words."""
    words = _WORD.findall(text)
    if not words:
        return 0.0
    long = sum(len(word) > _LONG_WORD and not any(map(str.isdigit, word)) for word in words)
    return len(words) / max(len(_STOP.findall(text)), 1) + 100 * long / len(words)


def _faults(told: Told, units: Mapping[str, str]) -> Iterator[str]:
    if len(told.text.split()) > MOST_WORDS:
        yield LONG
    if lix(told.text) > MOST_LIX:
        yield HARD
    if any(_claims(told, one) for one in languages().values()):
        yield CAUSE
    if told.moved is None:
        return
    spoken = max(languages().values(), key=lambda one: len(told.text) - len(_taken(told.text, one).rest))
    said = _taken(told.text, spoken)
    if said.rest:
        yield UNREAD
    if said.rest == told.text.strip():
        return
    if not _agrees(told, said, spoken, units):
        yield CONTRADICTS
    if not _measured(told, said, units):
        yield UNIT


@dataclass(frozen=True)
class _Said:
    """A text taken apart.

    Attributes:
        sides: ``for``, ``against``, ``up`` and ``down`` to names with their values, in brackets in the text.
        flip: The sentence of the counterfactual.
        nothing: Whether it says that no field stands out.
        rest: What is none of these sentences, and is not held against anything.
    """

    sides: Mapping[str, tuple[tuple[str, str], ...]]
    flip: str
    nothing: bool
    rest: str


@cache
def _sentences(language: Language) -> re.Pattern[str]:
    """Return what matches each sentence of a language; the counterfactual is the last one, its answer as shortened."""
    item = r"[^()]*? \([^()]*\)"
    listed = rf"{item}(?:(?:, | {re.escape(language.and_)} ){item})*"
    sides = "|".join(rf"{re.escape(language.opening(way))} (?P<{way}>{listed})\." for way in _WAYS)
    return re.compile(rf"(?<!\S)(?:{sides}|(?P<none>{re.escape(language.none)})|(?P<flip>{_flip(language)}))(?!\S)")


def _flip(language: Language, field: str = ".{1,90}?") -> str:
    parts = {"field": field, "value": "(.{1,90}?)", "answer": r"\S+(?: \S+){0,3}"}
    return "".join(
        re.escape(text) + (parts[name] if name else "") for text, name, _, _ in Formatter().parse(language.flip)
    ) + "$"  # fmt: skip


def _taken(text: str, language: Language) -> _Said:
    sides, flip, nothing, rest, last = dict[str, list[tuple[str, str]]](), "", False, list[str](), 0
    parted = re.compile(rf"(?:^|, | {re.escape(language.and_)} )([^()]*?) \(([^()]*)\)")
    for found in _sentences(language).finditer(text):
        rest.append(text[last : found.start()])
        last = found.end()
        for way in _WAYS:
            sides.setdefault(way, []).extend(parted.findall(found[way] or ""))
        flip, nothing = found["flip"] or flip, nothing or bool(found["none"])
    rest.append(text[last:])
    return _Said({way: tuple(cells) for way, cells in sides.items()}, flip, nothing, " ".join(rest).strip())


def _claims(told: Told, language: Language) -> bool:
    """Whether the words between names and values claim a cause."""
    text = told.text
    named = [cell for field, value, _ in told.moved or () for cell in (plain(field), short(str(value)))]
    named += [short(str(told.flip[1])), plain(told.flip[0])] if told.flip else []
    for cell in sorted(filter(None, named), key=len, reverse=True):
        text = re.sub(rf"(?<!\w){re.escape(cell)}(?!\w)", "_", text)
    return re.search(rf"(?<!\w)(?:{'|'.join(map(re.escape, language.causes))})(?!\w)", text, re.IGNORECASE) is not None


def _agrees(told: Told, said: _Said, language: Language, units: Mapping[str, str]) -> bool:
    """Whether the text names the fields that moved the answer, each on its side and with its value, and no others.

    Where some of the text is not read, a field may be named there.
    """
    for ways, positive in ((("for", "up"), True), (("against", "down"), False)):
        wanted = [one for one in told.moved or () if (one[2] > 0) is positive]
        for name, cell in (one for way in ways for one in said.sides.get(way, ())):
            mine = next(
                (one for one in wanted if plain(one[0]) == name and _same(cell, *one[:2], language, units)), None
            )
            if mine is None:
                return False
            wanted.remove(mine)
        if wanted and not said.rest:
            return False
    if said.nothing and told.moved:
        return False
    if not said.flip:
        return True
    given = told.flip and re.fullmatch(_flip(language, re.escape(plain(told.flip[0]))), said.flip)
    return bool(told.flip and given and _same(given[1], *told.flip, language, units))


def _same(said: str, field: str, value: Any, language: Language, units: Mapping[str, str]) -> bool:
    if value is None or isinstance(value, bool):
        return said == (language.missing if value is None else language.yes if value else language.no)
    if not isinstance(value, int | float):
        return short(str(value)) in (said, said.removesuffix(f" {short(units.get(field) or '')}"))
    number = said.split(" ", maxsplit=1)[0].replace(language.thousands, "").replace(language.point, ".")
    try:
        return math.isclose(float(number), value, rel_tol=1e-5)
    except ValueError:
        return False


def _measured(told: Told, said: _Said, units: Mapping[str, str]) -> bool:
    """Whether each value of a field with a unit has it."""
    cells = {name: f" {cell}" for listed in said.sides.values() for name, cell in listed}
    known = [(field, value, cells.get(plain(field), "")) for field, value, _ in told.moved or ()]
    known += [(*told.flip, said.flip)] if told.flip is not None and plain(told.flip[0]) in said.flip else []
    return all(
        re.search(rf" {re.escape(short(units[field]))}(?!\w)", cell)
        for field, value, cell in known
        if units.get(field) and cell and value is not None and not isinstance(value, bool)
    )
