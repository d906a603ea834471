"""Words by which columns are recognised when a manifest is proposed: names and values, in several languages.

They stand in ``words.toml`` and only propose; what the manifest declares is what counts.
"""

from __future__ import annotations

import re
import tomllib
import unicodedata
from functools import cache
from importlib.resources import files
from typing import Any


@cache
def _table() -> dict[str, Any]:
    return tomllib.loads(files("fivefold.manifest").joinpath("words.toml").read_text(encoding="utf-8"))


@cache
def words(name: str) -> tuple[str, ...]:
    """Return one of the lists: ``things``, ``targets``, ``ids``, ``missing``, ``contact`` and so on.

    Raises:
        KeyError: There is no such list.
    """
    return tuple(_table()["lists"][name])


def tokens(name: str) -> tuple[str, ...]:
    """Return the words of a column name: cut at signs, digits and capitals; lower case; without accents."""
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name)
    plain = unicodedata.normalize("NFKD", spaced)
    plain = "".join(character for character in plain if not unicodedata.combining(character)).casefold()
    return tuple(re.findall(r"[^\W\d_]+", unicodedata.normalize("NFC", plain)))


def protected_kind(name: str) -> str:
    """Return which protected field a column name tells of, or an empty text."""
    found = tokens(name)
    for kind, known in _table()["protected"].items():
        if any(_is(word, known) for word in found) and not (kind == "age" and set(words("things")) & set(found)):
            return str(kind)
    phrases = _table()["phrases"].items()
    return next((str(kind) for kind, any_of in phrases if any(set(phrase) <= set(found) for phrase in any_of)), "")


def is_word(wanted: str, found: tuple[str, ...]) -> bool:
    """Whether a known word is among those of a name; scripts without spaces also match within a longer word."""
    return any(_is(word, [wanted]) for word in found)


def _is(word: str, known: list[str]) -> bool:
    """Whether a word is known; scripts without spaces also match within a longer word."""
    return word in known or any(ord(entry[0]) > 0x2E80 and entry in word for entry in known)


def value_kind(values: frozenset[str]) -> str:
    """Return which protected field a column's distinct values tell of, or an empty text.

    Args:
        values: Distinct texts, missing ones left out; more than twelve tell nothing.
    """
    if not 2 <= len(values) <= 12:
        return ""
    spoken = [set(tokens(value)) | {value.casefold()} for value in values]
    sexes, races = set(words("sex_values")), set(words("race_values"))
    if all(part & sexes for part in spoken) and len({min(part & sexes) for part in spoken}) > 1:
        return "sex"
    return "race" if sum(bool(part & races) for part in spoken) >= 2 else ""


def reaches_a_person(name: str) -> bool:
    """Whether a column name says that it names or reaches a person."""
    found = tokens(name)
    known = set(words("contact"))
    whole = "".join(found) in known or (bool(found) and set(found) <= known)
    return whole and found not in (("number",), ("code",), ("first",), ("last",), ("full",))
