"""The picture of the case: shares before and after, as bars."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fivefold.cases.nouns import Told

_LINE, _LEFT, _WIDE = 24, 380, 240
_BEFORE, _AFTER = "#c44e52", "#4878a8"


def drawn(told: Told) -> str:
    """Return an SVG of the shares of doses before and after, in per cent."""
    lines = [(one, _BEFORE) for one in told.before] + [(one, _AFTER) for one in told.after]
    parts = []
    for at, (one, colour) in enumerate(lines):
        top, share = 16 + at * _LINE, one.count / max(one.n, 1)
        parts.append(f'<text x="8" y="{top + 13}">{escape(one.what)}</text>')
        parts.append(f'<rect x="{_LEFT}" y="{top}" width="{_WIDE * share:.1f}" height="16" fill="{colour}"/>')
        parts.append(f'<text x="{_LEFT + _WIDE * share + 4:.0f}" y="{top + 13}">{100 * share:.1f} %</text>')
    tall = 24 + len(lines) * _LINE
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 700 {tall}" font-family="sans-serif" font-size="12">'
        f'<rect width="100%" height="100%" fill="white"/>{"".join(parts)}</svg>\n'
    )
