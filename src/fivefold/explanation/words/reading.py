"""Reading: what is wrong with a reason in words, held against the credits that were recorded with it.

The text is taken apart again by the sentences' openings; nothing of what made it is used but these and the way in which
names are shortened.
"""

from __future__ import annotations

import math
import re
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
_LONG_WORD = 6
_WORD = re.compile(r"[^\W_]+(?:[.,'\u2019-][^\W_]+)*")
_STOP = re.compile(r"[.:!?](?=\s|$)")
_ITEM = re.compile(r"([^()]*?)\s\(([^()]*)\)")


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
    spoken = next((one for one in languages().values() if _speaks(told.text, one)), None)
    if spoken is None:
        yield UNREAD
        return
    if not _agrees(told, spoken):
        yield CONTRADICTS
    if not _measured(told, spoken, units):
        yield UNIT


def _speaks(text: str, language: Language) -> bool:
    sides = ("for", "against", "up", "down")
    head = language.flip.partition("{")[0]
    return any(language.opening(side) in text for side in sides) or language.none in text or text.startswith(head)


def _claims(told: Told, language: Language) -> bool:
    """Whether the words between names and values claim a cause."""
    text = told.text
    named = [cell for field, value, _ in told.moved or () for cell in (plain(field), short(str(value)))]
    named += [short(str(told.flip[1])), plain(told.flip[0])] if told.flip else []
    for cell in sorted(filter(None, named), key=len, reverse=True):
        text = text.replace(cell, "_")
    return re.search(rf"(?<!\w)(?:{'|'.join(map(re.escape, language.causes))})(?!\w)", text, re.IGNORECASE) is not None


def _sides(text: str, language: Language) -> tuple[dict[str, str], str]:
    """Return what stands behind each opening, and the sentence of the counterfactual."""
    marks = {way: language.opening(way) for way in ("for", "against", "up", "down")} | {
        "flip": language.flip.partition("{")[0].strip()
    }
    found = sorted((text.find(mark), way) for way, mark in marks.items() if mark in text)
    ends = [*(at for at, _ in found[1:]), len(text)][: len(found)]
    parts = {way: text[at + len(marks[way]) : end] for (at, way), end in zip(found, ends, strict=True)}
    return parts, parts.pop("flip", "")


def _items(text: str, language: Language) -> dict[str, str]:
    """Return name to value of a list of ``name (value)``."""
    lead = re.compile(rf"^(?:,|{re.escape(language.and_)}\b)\s*")
    return {lead.sub("", name.strip()): cell for name, cell in _ITEM.findall(text)}


def _agrees(told: Told, language: Language) -> bool:
    """Whether the text names the fields that moved the answer, each on its side and with its value, and no others."""
    sides, flip = _sides(told.text, language)
    for ways, positive in ((("for", "up"), True), (("against", "down"), False)):
        said = {name: cell for way in ways for name, cell in _items(sides.get(way, ""), language).items()}
        wanted = {plain(field): value for field, value, credit in told.moved or () if (credit > 0) is positive}
        if said.keys() != wanted.keys():
            return False
        if not all(_same(said[name], value, language) for name, value in wanted.items()):
            return False
    if told.flip is None:
        return not flip
    return not flip or plain(told.flip[0]) in flip


def _same(said: str, value: Any, language: Language) -> bool:
    if value is None or isinstance(value, bool):
        return said == (language.missing if value is None else language.yes if value else language.no)
    if not isinstance(value, int | float):
        return said.startswith(short(str(value)))
    number = said.split(" ", maxsplit=1)[0].replace(language.thousands, "").replace(language.point, ".")
    try:
        return math.isclose(float(number), value, rel_tol=1e-5)
    except ValueError:
        return False


def _measured(told: Told, language: Language, units: Mapping[str, str]) -> bool:
    """Whether each value of a field with a unit has it."""
    sides, flip = _sides(told.text, language)
    said = {name: cell for text in sides.values() for name, cell in _items(text, language).items()}
    cells = [(field, value, said.get(plain(field), "")) for field, value, _ in told.moved or ()]
    cells += [(*told.flip, flip)] if told.flip is not None and plain(told.flip[0]) in flip else []
    return all(
        f" {short(units[field])}" in cell
        for field, value, cell in cells
        if units.get(field) and cell and value is not None and not isinstance(value, bool)
    )
