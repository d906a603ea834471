"""Wording: from credits and a counterfactual to at most sixty words, in the language that was declared."""

from __future__ import annotations

import re
import tomllib
from decimal import Decimal
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import msgspec

from fivefold.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fivefold.explanation.delivered import Flip, Reason

MOST_WORDS = 60
"""Of one reason, what says how to appeal not counted."""
_HUGE, _TINY = 1e15, 1e-9
_MOST_LETTERS = 40
_MOST_PARTS = 4
"""Words of a field, or of a value, that are said; the rest is cut."""


class Language(msgspec.Struct, frozen=True, rename={"for_": "for", "and_": "and"}, forbid_unknown_fields=True):
    """Sentences of one language; see ``templates.toml``."""

    for_: str
    against: str
    up: str
    down: str
    flip: str
    none: str
    and_: str
    missing: str
    yes: str
    no: str
    point: str
    thousands: str
    causes: tuple[str, ...]

    def opening(self, way: str) -> str:
        """Return what begins the list of fields that moved the answer one way: for, against, up or down."""
        return {"for": self.for_, "against": self.against, "up": self.up, "down": self.down}[way]


class Worded(msgspec.Struct, frozen=True):
    """A reason in words.

    Attributes:
        text: For people.
        fields: At most three: name, value, and ``for`` or ``against`` (of values: ``up`` or ``down``).
        flip: Field, its value, the value that would change the answer, and the answer then; None: there is none.
    """

    text: str
    fields: tuple[tuple[str, Any, str], ...]
    flip: tuple[str, Any, Any, str] | None


@cache
def languages() -> dict[str, Language]:
    """Return all languages by their code (ISO 639-1)."""
    text = files("fivefold.explanation.words").joinpath("templates.toml").read_text(encoding="utf-8")
    return {code: msgspec.convert(told, Language) for code, told in tomllib.loads(text).items()}


class Wording:
    """Puts reasons into words.

    Limit: names and values of fields are said as the application has them; a field called ``V17`` stays ``V17``.
    """

    def __init__(self, controls: Mapping[str, Mapping[str, Any]], units: Mapping[str, str]) -> None:
        """Take the language that ``controls.E5.language`` declares (English if none), and units.

        Args:
            controls: The manifest's.
            units: Field to unit; empty or absent: none.

        Raises:
            InputError: ``reason.language`` for one that there is not.
        """
        code = str(controls.get("E5", {}).get("language", "en"))
        if code not in languages():
            raise InputError(
                "reason.language",
                f"controls.E5.language is {code[:20]!r}.",
                remedy=f"Choose: {', '.join(languages())}.",
            )
        self.language, self._units = languages()[code], units

    def __call__(self, found: Reason, classes: Sequence[str]) -> Worded:
        """Return a reason in words.

        Args:
            found: Credits and counterfactual.
            classes: Labels; empty: the answer is a value.
        """
        ways = ("for", "against") if classes else ("up", "down")
        fields = tuple((one.field, one.value, ways[one.credit <= 0]) for one in found.moved)
        parts = [
            f"{self.language.opening(way)} {self._listed([self._named(*one[:2]) for one in fields if one[2] == way])}."
            for way in ways
            if any(one[2] == way for one in fields)
        ]
        flip = None if found.flip is None else (found.flip, classes[found.flip.answer])
        if flip is not None:
            parts.append(self._flipped(*flip))
        told = None if flip is None else (flip[0].field, flip[0].value, flip[0].instead, flip[1])
        return Worded(" ".join(parts) or self.language.none, fields, told)

    def _flipped(self, flip: Flip, answer: str) -> str:
        return self.language.flip.format(
            field=plain(flip.field), value=self.valued(flip.field, flip.instead), answer=short(answer)
        )

    def _listed(self, parts: list[str]) -> str:
        return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} {self.language.and_} {parts[-1]}"

    def _named(self, field: str, value: Any) -> str:
        return f"{plain(field)} ({self.valued(field, value)})"

    def valued(self, field: str, value: Any) -> str:
        """Return a value with its unit, numbers with six digits."""
        unit = f" {short(self._units[field])}" if self._units.get(field) else ""
        if value is None:
            return self.language.missing
        if isinstance(value, bool):
            return self.language.yes if value else self.language.no
        if not isinstance(value, int | float):
            return f"{short(str(value))}{unit}"
        marks = {",": self.language.thousands, ".": self.language.point}
        return "".join(marks.get(letter, letter) for letter in _digits(value)) + unit


def _digits(value: float) -> str:
    """Return whole numbers as they are and others with six digits, without an exponent where that is readable."""
    if isinstance(value, int) and abs(value) < _HUGE:
        return f"{value:,}"
    rounded = Decimal(f"{value:.6g}")
    return f"{rounded:,f}" if not value or _TINY <= abs(value) < _HUGE else f"{value:,.6g}"


def plain(field: str) -> str:
    """Return a field's name as it is said."""
    return short(field.replace("_", " "))


def short(text: str) -> str:
    """Return at most four words and forty letters of a text, and no brackets, which enclose values."""
    words = re.sub(r"[()\s]+", " ", text).split()
    cut = " ".join(words[:_MOST_PARTS])
    whole = len(words) <= _MOST_PARTS and len(cut) <= _MOST_LETTERS
    return cut if whole else f"{cut[:_MOST_LETTERS].rstrip()}\N{HORIZONTAL ELLIPSIS}"
