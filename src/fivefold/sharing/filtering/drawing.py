"""Drawing: how suspect the rows are and whom the filter hits, as a picture."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from fivefold.contract.finding import Measure
    from fivefold.sharing.filtering.removal import Removal

_BINS, _WIDE, _HIGH, _LEFT = 40, 640, 160, 40
_LINE, _MOST = 18, 16
_KEPT, _HELD = "#4878a8", "#c44e52"


def drawn(found: Removal, hit: list[Measure], name: str) -> str:
    """Return an SVG: a histogram of suspicion, kept and in quarantine, and the share left out in each group.

    Args:
        found: What the filter said.
        hit: Shares by group, see :func:`~fivefold.sharing.filtering.removal.by_group`; at most 16 are drawn.
        name: Of the data set.
    """
    values = np.where(np.isfinite(found.suspicion), found.suspicion, np.nan)
    known = values[np.isfinite(values)]
    low, high = (float(known.min()), float(np.quantile(known, 0.995))) if len(known) else (0.0, 1.0)
    edges = np.linspace(low, max(high, low + 1e-9), _BINS + 1)
    clipped = np.clip(values, edges[0], edges[-1])
    kept = np.histogram(clipped[found.kept & np.isfinite(values)], edges)[0]
    held = np.histogram(clipped[~found.kept & np.isfinite(values)], edges)[0]
    top = float(np.log1p((kept + held).max() if len(known) else 1)) or 1.0
    step = (_WIDE - 2 * _LEFT) / _BINS
    parts = [_text(_LEFT, 18, f"{name}: rows by suspicion (logarithmic), kept and in quarantine")]
    for at in range(_BINS):
        base = float(_HIGH + 20)
        for count, colour in ((kept[at] + held[at], _HELD), (kept[at], _KEPT)):
            tall = _HIGH * 0.9 * float(np.log1p(count)) / top
            parts.append(_bar(_LEFT + at * step, base - tall, step * 0.9, tall, colour))
    parts.append(_text(_LEFT, _HIGH + 36, f"{edges[0]:.3g}"))
    parts.append(_text(_WIDE - 2 * _LEFT, _HIGH + 36, f"{edges[-1]:.3g}"))
    down = _HIGH + 64
    parts.append(_text(_LEFT, down, "Share of rows left out, by group"))
    most = max([one.high or 0.0 for one in hit[:_MOST]], default=1.0) or 1.0
    for at, one in enumerate(hit[:_MOST]):
        place = down + 8 + at * _LINE
        parts.append(_bar(300, place, 280 * (one.value or 0.0) / most, _LINE * 0.7, _HELD))
        parts.append(_text(_LEFT, place + 12, f"{one.where[:34]} ({one.n})"))
        parts.append(_text(590, place + 12, f"{one.value or 0.0:.1%}"))
    tall = down + 20 + _LINE * len(hit[:_MOST])
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDE} {tall}" font-family="sans-serif" '
        f'font-size="12"><rect width="100%" height="100%" fill="white"/>{"".join(parts)}</svg>\n'
    )


def _bar(left: float, top: float, wide: float, tall: float, colour: str) -> str:
    return f'<rect x="{left:.1f}" y="{top:.1f}" width="{wide:.1f}" height="{tall:.1f}" fill="{colour}"/>'


def _text(left: float, top: float, words: str) -> str:
    return f'<text x="{left:.0f}" y="{top:.0f}">{escape(words)}</text>'
