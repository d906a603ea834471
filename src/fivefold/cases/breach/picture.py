"""The picture of the case: diagnoses told rightly, and counts that are near, against the budget of the survey."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fivefold.cases.breach.case import NEAR, spent, wanted
from fivefold.cases.breach.scraping import EPSILON, SURE, Office
from fivefold.cases.dosage.picture import OPEN

if TYPE_CHECKING:
    from collections.abc import Callable

EPSILONS = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0)
_LEFT, _TOP, _WIDE, _TALL = 56, 46, 420, 260
_LINES = {
    "told rightly": "#c44e52", f"told at {SURE:.0%}, rightly": "#dd8452", "without a release": "#8c8c8c",
    f"counts within {NEAR} people": "#4878a8",
}  # fmt: skip


def drawn(surveys: int, seed: int, progress: Callable[[float, str], None] = lambda _share, _text: None) -> str:
    """Return an SVG: shares against epsilon, where all that is left beside the table is spent on one person.

    Args:
        surveys: How many are drawn.
        seed: Of all.
        progress: Called with a share in [0, 1].
    """
    found = np.zeros((len(EPSILONS), len(_LINES)))
    for at in range(surveys):
        rng = np.random.Generator(np.random.PCG64([seed, at]))
        on = wanted(rng)
        blind = float((on.prior.argmax(axis=1) == on.truth).mean())
        for row, epsilon in enumerate(EPSILONS):
            told, (said, exact) = spent(on, epsilon, rng), Office(on.rows, rng, epsilon).publish()
            near = float((np.abs(said - exact)[exact > 0] <= NEAR).mean())
            found[row] += np.array([told.right / len(on.people), told.sure / len(on.people), blind, near]) / surveys
        progress((at + 1) / surveys, f"survey {at + 1} of {surveys}")
    return _svg(found)


def _svg(found: np.ndarray) -> str:
    parts = ['<text x="8" y="20" font-weight="bold">All of the budget but the table\'s spent on one person</text>']
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        y = _y(share)
        parts.append(f'<line x1="{_LEFT}" y1="{y:.0f}" x2="{_LEFT + _WIDE}" y2="{y:.0f}" stroke="#ddd"/>')
        parts.append(f'<text x="{_LEFT - 8}" y="{y + 4:.0f}" text-anchor="end">{share:.0%}</text>')
    for at, epsilon in enumerate(EPSILONS):
        parts.append(f'<text x="{_x(at):.0f}" y="{_TOP + _TALL + 18}" text-anchor="middle">{epsilon:g}</text>')
    x = _x(EPSILONS.index(EPSILON))
    parts.append(f'<line x1="{x:.0f}" y1="{_TOP}" x2="{x:.0f}" y2="{_TOP + _TALL}" stroke="#555" '
                 'stroke-dasharray="4 3"/>')  # fmt: skip
    for line, (what, colour) in enumerate(_LINES.items()):
        points = " ".join(f"{_x(at):.1f},{_y(share):.1f}" for at, share in enumerate(found[:, line].tolist()))
        parts.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>')
        top = _TOP + 20 + 22 * line
        parts.append(f'<rect x="{_LEFT + _WIDE + 16}" y="{top - 8}" width="14" height="4" fill="{colour}"/>')
        parts.append(f'<text x="{_LEFT + _WIDE + 38}" y="{top}">{what}</text>')
    below = f'<text x="{_LEFT + _WIDE / 2}" y="{_TOP + _TALL + 40}" text-anchor="middle">'
    parts.append(f"{below}epsilon of the survey; dashed: the case</text>")
    return OPEN.format(wide=680, tall=_TOP + _TALL + 54, title="Told against the budget") + "".join(parts) + "</svg>\n"


def _x(at: int) -> float:
    return _LEFT + _WIDE * at / (len(EPSILONS) - 1)


def _y(share: float) -> float:
    return _TOP + _TALL * (1 - share)
