"""The pictures of the case: shares before and after as bars, and each patient's dose beside the clean model's."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from fivefold.cases.nouns import Figure, Told

_LINE, _LEFT, _WIDE = 24, 330, 260
_BEFORE, _AFTER, _GREY = "#c44e52", "#4878a8", "#e8e8e8"
_SIDE, _GAP, _TOP, _MOST = 260, 70, 40, 80.0
_AXES = "mg a week; across: model of clean rows; up: of all rows, of rows kept; grey: within a fifth"
OPEN = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {wide} {tall}" width="{wide}" height="{tall}" '
    'font-family="sans-serif" font-size="12" role="img"><title>{title}</title>'
    '<rect width="100%" height="100%" fill="white"/>'
)


def shares(told: Told) -> str:
    """Return an SVG of the shares before and after, in per cent."""
    parts, top = [], 8
    for title, figures, colour in (("Before", told.before, _BEFORE), ("After", told.after, _AFTER)):
        parts.append(f'<text x="8" y="{top + 15}" font-weight="bold">{title}</text>')
        top += _LINE
        for one in figures:
            parts.append(bar(one, top, colour, _LEFT, _WIDE))
            top += _LINE
        top += 8
    return OPEN.format(wide=660, tall=top, title="Shares before and after the filter") + "".join(parts) + "</svg>\n"


def bar(one: Figure, top: int, colour: str, left: int, wide: int) -> str:
    """Return a line of SVG: what is counted, and its share as a bar from ``left`` on, ``wide`` being all."""
    share = one.count / max(one.n, 1)
    return (
        f'<text x="8" y="{top + 13}">{escape(one.what)}</text>'
        f'<rect x="{left}" y="{top}" width="{wide * share:.1f}" height="16" fill="{colour}"/>'
        f'<text x="{left + wide * share + 4:.0f}" y="{top + 13}">{100 * share:.1f} %</text>'
    )


def moved(clean: np.ndarray, before: np.ndarray, after: np.ndarray) -> str:
    """Return an SVG of doses in mg a week, one point a patient: those of the clean rows' model across, another's up.

    Args:
        clean: (n,) doses by the model of the clean rows.
        before: (n,) by the model of all rows.
        after: (n,) by the model of the rows that the filter leaves.
    """
    parts = []
    for at, (title, doses, colour) in enumerate((("Before", before, _BEFORE), ("After", after, _AFTER))):
        off = int((np.abs(doses / clean - 1) > 0.2).sum())
        parts.append(
            _panel(f"{title}: {off} of {len(clean)} doses moved", clean, doses, colour, 50 + at * (_SIDE + _GAP))
        )
    wide, tall = 50 + 2 * _SIDE + _GAP + 20, _TOP + _SIDE + 54
    title = "Dose of each patient beside that of the model of the clean rows"
    parts.append(f'<text x="20" y="{tall - 12}">{_AXES}</text>')
    return OPEN.format(wide=wide, tall=tall, title=title) + "".join(parts) + "</svg>\n"


def _panel(title: str, clean: np.ndarray, doses: np.ndarray, colour: str, left: int) -> str:
    scale, foot = _SIDE / _MOST, _TOP + _SIDE

    def at(x: float, y: float) -> str:
        return f"{left + min(x, _MOST) * scale:.1f},{foot - min(y, _MOST) * scale:.1f}"

    band = " ".join((at(0, 0), at(_MOST / 1.2, _MOST), at(_MOST, _MOST), at(_MOST, 0.8 * _MOST)))
    parts = [
        f'<text x="{left}" y="{_TOP - 12}" font-weight="bold">{escape(title)}</text>',
        f'<polygon points="{band}" fill="{_GREY}"/>',
        f'<path d="M{left},{_TOP} V{foot} H{left + _SIDE}" fill="none" stroke="black"/>',
    ]
    for tick in range(0, int(_MOST) + 1, 20):
        parts.append(f'<text x="{left + tick * scale:.0f}" y="{foot + 16}" text-anchor="middle">{tick}</text>')
        parts.append(f'<text x="{left - 6}" y="{foot + 4 - tick * scale:.0f}" text-anchor="end">{tick}</text>')
    for x, y in zip(clean.tolist(), doses.tolist(), strict=True):
        place = at(x, y).split(",")
        parts.append(f'<circle cx="{place[0]}" cy="{place[1]}" r="2" fill="{colour}" fill-opacity="0.6"/>')
    return "".join(parts)
