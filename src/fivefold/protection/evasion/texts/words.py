"""Words: texts in parts, and what may stand for one of their words."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np

_WORD = re.compile(r"\w+")
_MOST = 400
_ALIKE = str.maketrans({"a": "@", "e": "3", "i": "1", "l": "1", "o": "0", "s": "5", "b": "8", "g": "9"})
_SHORT = 3


@dataclass(frozen=True)
class Text:
    """A text as pieces.

    Attributes:
        pieces: Words and what lies between, in order; joined they are the text.
        places: Positions in ``pieces`` of the words that may be changed (the first 400).
    """

    pieces: tuple[str, ...]
    places: tuple[int, ...]

    def put(self, place: int, word: str) -> Text:
        """Return the text with another word at a position of ``pieces``."""
        return Text((*self.pieces[:place], word, *self.pieces[place + 1 :]), self.places)

    def __str__(self) -> str:
        return "".join(self.pieces)


def cut(text: str) -> Text:
    """Cut a text into words and what lies between."""
    pieces, places, behind = [], [], 0
    for found in _WORD.finditer(text):
        pieces += [text[behind : found.start()], found.group()]
        places.append(len(pieces) - 1)
        behind = found.end()
    pieces.append(text[behind:])
    return Text(tuple(pieces), tuple(places[:_MOST]))


def variants(word: str, rng: np.random.Generator) -> tuple[str, ...]:
    """Return what a reader would still take for the word: misspelt in one place, or another that means the same.

    Two letters inside swapped, one dropped, one doubled, one written by a character that looks like it; the first
    letter stays, and the last one of longer words.
    """
    made = list(_synonyms(word))
    if len(word) > _SHORT:
        at = int(rng.integers(1, len(word) - 2))
        made += [
            word[:at] + word[at + 1] + word[at] + word[at + 2 :],
            word[:at] + word[at + 1 :],
            word[: at + 1] + word[at:],
        ]
    else:
        made.append(word + word[-1:])
    alike = word[0] + word[1:].translate(_ALIKE) if len(word) > 1 else word
    spots = [at for at, (one, other) in enumerate(zip(word, alike, strict=True)) if one != other]
    if spots:
        at = spots[int(rng.integers(len(spots)))]
        made.append(word[:at] + alike[at] + word[at + 1 :])
    return tuple(dict.fromkeys(one for one in made if one != word))


def _synonyms(word: str) -> tuple[str, ...]:
    known = _groups().get(word.lower(), ())
    if word.isupper() and len(word) > 1:
        return tuple(one.upper() for one in known)
    return tuple(one.capitalize() for one in known) if word[:1].isupper() else known


@cache
def _groups() -> Mapping[str, tuple[str, ...]]:
    told = (files(__package__) / "synonyms.txt").read_text(encoding="utf-8")
    found: dict[str, tuple[str, ...]] = {}
    for line in told.splitlines():
        group = line.split()
        if line.startswith("#") or not group:
            continue
        for word in group:
            found[word] = (*found.get(word, ()), *(one for one in group if one != word))
    return found
