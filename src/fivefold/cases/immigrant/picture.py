"""The picture of the case: each share before and after, one above the other."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fivefold.cases.nouns import Told

_LINE, _PAIR, _LEFT, _WIDE, _TOP = 15, 44, 362, 270, 44
_BEFORE, _AFTER = "#c44e52", "#4878a8"


def drawn(told: Told) -> str:
    """Return an SVG of the shares before and after, in per cent."""
    parts = []
    for at, (word, colour) in enumerate((("before", _BEFORE), ("after", _AFTER))):
        x = _LEFT + 90 * at
        parts.append(f'<rect x="{x}" y="14" width="12" height="12" fill="{colour}"/>')
        parts.append(f'<text x="{x + 18}" y="24">{word}</text>')
    for at, (first, second) in enumerate(zip(told.before, told.after, strict=True)):
        top = _TOP + at * _PAIR
        parts.append(f'<text x="8" y="{top + 19}">{escape(first.what)}</text>')
        for row, (one, colour) in enumerate(((first, _BEFORE), (second, _AFTER))):
            share = one.count / max(one.n, 1)
            y = top + row * _LINE
            parts.append(f'<rect x="{_LEFT}" y="{y}" width="{_WIDE * share:.1f}" height="13" fill="{colour}"/>')
            parts.append(f'<text x="{_LEFT + _WIDE * share + 5:.0f}" y="{y + 11}">{100 * share:.1f} %</text>')
    tall = _TOP + len(told.before) * _PAIR + 4
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 700 {tall}" font-family="sans-serif" font-size="12">'
        f'<rect width="100%" height="100%" fill="white"/>{"".join(parts)}</svg>\n'
    )
