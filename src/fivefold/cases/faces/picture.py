"""The picture of the case: officials matched against the threshold, one line for each size of the gallery."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fivefold.cases.faces.case import LIMIT, SHIPPED, SIZES

if TYPE_CHECKING:
    from fivefold.cases.faces.case import Seen
    from fivefold.cases.faces.gallery import World

_LEFT, _TOP, _WIDE, _TALL = 64, 60, 520, 300
_FROM, _TO = 0.05, 0.65
_COLOURS = ("#9aa5b1", "#7fb069", "#4878a8", "#8e6bb0", "#c44e52")


def drawn(known: World, met: list[Seen]) -> str:
    """Return an SVG of the share of officials matched at each threshold.

    Args:
        known: How far faces are apart.
        met: The galleries, pooled.
    """
    near = np.concatenate([one.near for one in met])
    at = np.linspace(_FROM, _TO, 121)
    parts = [_axes()]
    for which, size in enumerate(SIZES):
        rising = np.sort(near[:, which])
        shares = np.searchsorted(rising, at, side="right") / len(rising)
        points = " ".join(f"{_x(x):.1f},{_y(y):.1f}" for x, y in zip(at.tolist(), shares.tolist(), strict=True))
        colour = _COLOURS[which]
        parts.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>')
        name = f"{size:,} in the gallery" if size > 1 else "one pair"
        top = _TOP + 20 + 18 * which
        parts.append(f'<rect x="{_LEFT + _WIDE + 16}" y="{top - 9}" width="14" height="4" fill="{colour}"/>')
        parts.append(f'<text x="{_LEFT + _WIDE + 36}" y="{top - 2}">{name}</text>')
    edge = float(np.mean([one.edge for one in met]))
    marks = ((edge, f"at most {LIMIT:.0%},", "with confidence"), (SHIPPED, "as it", "is shipped"))
    for x, first, second in (*marks, (known.gap, "no error in", "280 pairs")):
        parts.append(_mark(x, first, second))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_LEFT + _WIDE + 176} {_TOP + _TALL + 52}" '
        f'font-family="sans-serif" font-size="12"><rect width="100%" height="100%" fill="white"/>'
        f"{''.join(parts)}</svg>\n"
    )


def _x(value: float) -> float:
    return _LEFT + _WIDE * (value - _FROM) / (_TO - _FROM)


def _y(share: float) -> float:
    return _TOP + _TALL * (1 - share)


def _mark(x: float, first: str, second: str) -> str:
    ends = f'x1="{_x(x):.1f}" y1="{_TOP}" x2="{_x(x):.1f}" y2="{_TOP + _TALL}"'
    line = f'<line {ends} stroke="#555" stroke-dasharray="4 3"/>'
    texts = [
        f'<text x="{_x(x):.1f}" y="{_TOP - up}" text-anchor="middle">{text}</text>'
        for up, text in ((20, first), (6, second))
    ]
    return line + "".join(texts)


def _axes() -> str:
    """Return frame, ticks and names of the axes."""
    parts = [f'<rect x="{_LEFT}" y="{_TOP}" width="{_WIDE}" height="{_TALL}" fill="none" stroke="#888"/>']
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        parts.append(f'<text x="{_LEFT - 8}" y="{_y(share) + 4:.1f}" text-anchor="end">{share:.0%}</text>')
        parts.append(
            f'<line x1="{_LEFT}" y1="{_y(share):.1f}" x2="{_LEFT + _WIDE}" y2="{_y(share):.1f}" stroke="#eee"/>'
        )
    parts += [
        f'<text x="{_x(value):.1f}" y="{_TOP + _TALL + 18}" text-anchor="middle">{value:.1f}</text>'
        for value in (0.1, 0.2, 0.3, 0.4, 0.5, 0.6)
    ]
    middle, below = _LEFT + _WIDE / 2, _TOP + _TALL + 40
    parts.append(
        f'<text x="{middle}" y="{below}" text-anchor="middle">threshold: largest distance that is a match</text>'
    )
    parts.append(f'<text x="{_LEFT}" y="14">officials matched to somebody else\'s mug shot</text>')
    return "".join(parts)
