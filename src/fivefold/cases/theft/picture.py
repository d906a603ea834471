"""The picture of the case: how far each thief's copy is the model, a dot for each bank."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fivefold.cases.dosage.picture import OPEN
from fivefold.cases.theft.case import WAYS

if TYPE_CHECKING:
    from fivefold.cases.theft.case import Seen

_LINE, _LEFT, _WIDE, _TOP = 36, 308, 340, 58
_BEFORE, _AFTER = "#c44e52", "#4878a8"


def drawn(met: list[Seen]) -> str:
    """Return an SVG of the way to the model (0: what needs no question, 100: the model) in each bank, and its mean."""
    parts = ['<text x="8" y="20" font-weight="bold">How much of the model a thief has, in points of a hundred</text>']
    tall = _TOP + len(WAYS) * _LINE
    for mark in (0, 25, 50, 75, 100):
        x = _x(mark / 100)
        parts.append(f'<line x1="{x:.0f}" y1="{_TOP - 12}" x2="{x:.0f}" y2="{tall - 8}" stroke="#ddd"/>')
        parts.append(f'<text x="{x:.0f}" y="{_TOP - 18}" text-anchor="middle">{mark}</text>')
    for at, (what, of) in enumerate(WAYS):
        way, y = [of(one).rescaled for one in met], _TOP + at * _LINE + 8
        colour = _BEFORE if what.startswith("before") else _AFTER
        parts.append(f'<text x="8" y="{y + 4}">{what}</text>')
        parts += [f'<circle cx="{_x(one):.1f}" cy="{y}" r="4" fill="{colour}" fill-opacity="0.45"/>' for one in way]
        mean = _x(float(np.mean(way)))
        parts.append(f'<rect x="{mean - 1.5:.1f}" y="{y - 11}" width="3" height="22" fill="{colour}"/>')
    parts.append(f'<text x="{_LEFT}" y="{tall + 12}">a dot is a bank, a bar their mean; 0: nothing was asked</text>')
    return OPEN.format(wide=680, tall=tall + 24, title="Copies before and after") + "".join(parts) + "</svg>\n"


def _x(share: float) -> float:
    return _LEFT + _WIDE * share
