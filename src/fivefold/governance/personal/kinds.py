"""Kinds of personal data: what ``kinds.toml`` says of each, its written forms and the words that stand near it."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from fivefold.manifest.words import tokens, words

MARKED = "\x01\\0\x02"
"""Replacement that marks a whole match."""
_WIDE = 0x2E80


@dataclass(frozen=True)
class Kind:
    """One kind of personal data.

    Attributes:
        name: As in reports, for example ``birth-date``.
        says: Words for the reader.
        near: Phrases of column names and sentences, lower case, without accents.
        plain: RE2 pattern of a cell in a column that is named so.
        decides: A find by its form alone tells of a person.
    """

    name: str
    says: str
    near: tuple[str, ...]
    plain: str
    decides: bool


@dataclass(frozen=True)
class Form:
    """One written form.

    Attributes:
        kind: Name of its kind.
        pattern: RE2 pattern; linear time in the length of the text.
        alone: Confidence in [0, 1] by form (and rule) alone.
        beside: Confidence beside a word of its kind, or in a column that is named so.
        cut: Replacement that marks the find within the match.
        needs: A byte that must be in the text (``0``: any digit; empty: none).
        holds: Rule of :mod:`fivefold.governance.personal.rules` that the find keeps; empty: none.
        least: Smallest share of such forms in a column that must keep the rule; below it, they keep it by chance.
    """

    kind: str
    pattern: str
    alone: float
    beside: float
    cut: str = MARKED
    needs: str = ""
    holds: str = ""
    least: float = 0.0


@cache
def _table() -> dict[str, Any]:
    return tomllib.loads(files("fivefold.governance.personal").joinpath("kinds.toml").read_text(encoding="utf-8"))


@cache
def kinds() -> dict[str, Kind]:
    """Return every kind by name."""
    return {
        name: Kind(name, told["says"], tuple(told["near"]), _spelt(told["plain"]), told["decides"])
        for name, told in _table()["kind"].items()
    }


@cache
def forms() -> tuple[Form, ...]:
    """Return every written form."""
    return tuple(Form(**{**told, "pattern": _spelt(told["pattern"])}) for told in _table()["form"])


def _spelt(pattern: str) -> str:
    for word, letters in _table()["letters"].items():
        pattern = pattern.replace(word, letters)
    return pattern


@cache
def near(kind: str) -> str:
    """Return the RE2 pattern of the words that stand near a kind; accents in the text do not hide them."""
    spaced: list[str] = []
    joined: list[str] = []
    for phrase in kinds()[kind].near:
        wide = ord(phrase[0]) > _WIDE
        (joined if wide else spaced).append(r"[\s_'-]*".join(_loose(word) for word in phrase.split()))
    return "(?i)" + "|".join(([rf"\b(?:{'|'.join(spaced)})\b"] if spaced else []) + joined)


def _loose(word: str) -> str:
    """Return a pattern in which a vowel may bear an accent."""
    accents = {"a": "[aàáâãäå]", "e": "[eèéêë]", "i": "[iìíîï]", "o": "[oòóôõöø]", "u": "[uùúûü]", "n": "[nñ]",
               "c": "[cç]"}  # fmt: skip
    plain = word.replace("ss", "\0")
    return (
        "".join(accents.get(letter, re.escape(letter)) for letter in plain)
        .replace("\\\0", "(?:ss|ß)")
        .replace("\0", "(?:ss|ß)")
    )


@cache
def named(column: str) -> tuple[str, ...]:
    """Return the kinds that a column's name tells of, in any of the languages; an empty tuple if none.

    The name of a thing (``product_name``, ``company address``) tells of nobody.
    """
    found = tokens(column)
    if not found or set(found) & {*words("things"), *_table()["column"]["things"]}:
        return ()
    whole = "".join(found)
    return tuple(kind.name for kind in kinds().values() if any(_is(phrase, found, whole) for phrase in kind.near))


def _is(phrase: str, found: tuple[str, ...], whole: str) -> bool:
    if ord(phrase[0]) > _WIDE:
        return phrase in whole
    parts = tuple(phrase.split())
    if phrase in _table()["column"]["alone"] or "".join(parts) == whole:
        return "".join(parts) == whole
    return any(found[at : at + len(parts)] == parts for at in range(len(found)))
