"""The pictures of the case: types guessed before and after, and what privacy and coarse doses cost."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

import numpy as np

from fivefold.cases.dosage.picture import OPEN, bar
from fivefold.stats.mean import skew_t

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from fivefold.cases.genetics.tradeoff import Curves
    from fivefold.cases.nouns import Told

_LINE, _LEFT, _WIDE = 24, 390, 260
_RED, _BLUE, _GREY, _GREEN = "#c44e52", "#4878a8", "#8a8a8a", "#3a7d44"
_SIDE, _TALL, _FOOT = 360, 180, 84
Line = tuple[str, str, "Sequence[Sequence[float]]"]
"""Name, colour, and at each place of the axis a value a cohort."""


def guessed(told: Told) -> str:
    """Return an SVG of the types guessed and the doses that are right before and after, in per cent."""
    title = "Types guessed and doses right, before and after"
    parts, top = [], 8
    for word, figures, colour in (("Before", told.before, _RED), ("After", told.after, _BLUE)):
        parts.append(f'<text x="8" y="{top + 15}" font-weight="bold">{word}</text>')
        top += _LINE
        for one in figures:
            base = "without the model" in one.what
            parts.append(bar(one, top, _GREY if base else _GREEN if one.good else colour, _LEFT, _WIDE))
            top += _LINE
        top += 8
    return f"{OPEN.format(wide=730, tall=top, title=title)}{''.join(parts)}</svg>\n"


def price(found: Curves) -> str:
    """Return an SVG of leads and right doses against epsilon, and against the step of doses; one-sided 95 % bounds."""
    models, steps = list(found.epsilon), list(found.step)
    order = [name for name in models if name not in {"forest", "no privacy"}] + ["no privacy", "forest"]
    by = [[found.epsilon[name][which] for name in order] for which in range(3)]
    at = [[found.step[step][which] for step in steps] for which in range(3)]
    widths = ["0.1" if not step else f"{step:g}" for step in steps]
    gain, right = (-10.0, 35.0), (20.0, 55.0)
    low, far = 50 + _TALL + _FOOT, 120 + _SIDE
    lead, good = "Lead over the guess without the model, points", "Doses right, of 100"
    parts = [
        _panel(_Frame(60, 50, gain, order, lead, ""),
               (("patients learned from", _RED, by[0]), ("others", _GREY, by[1]))),
        _panel(_Frame(60, low, right, order, good, "epsilon of the training; doses to a tenth of a mg"),
               (("right within a fifth", _BLUE, by[2]),)),
        _panel(_Frame(far, 50, gain, widths, lead, ""),
               (("private, proposed dose is read", _RED, at[0]), ("forest, patients learned from", _GREY, at[1]))),
        _panel(_Frame(far, low, right, widths, good, "step in which a dose is told, mg a week; epsilon 1"),
               (("private model", _BLUE, at[2]), ("clinical rule, no genes", _GREEN, [found.clinical] * len(steps)))),
    ]  # fmt: skip
    wide, tall = 120 + 2 * _SIDE + 30, 50 + 2 * (_TALL + _FOOT) + 4
    title = "What privacy and coarse doses cost"
    return f"{OPEN.format(wide=wide, tall=tall, title=title)}{''.join(parts)}</svg>\n"


@dataclass(frozen=True)
class _Frame:
    """One panel: its place, what its upright axis spans, the places of the other one, and its words."""

    left: int
    top: int
    span: tuple[float, float]
    places: Sequence[str]
    title: str
    below: str


def _panel(frame: _Frame, lines: Sequence[Line]) -> str:
    (low, high), left, top = frame.span, frame.left, frame.top
    foot, apart = top + _TALL, _SIDE / len(frame.places)

    def y(value: float) -> float:
        return foot - _TALL * (min(max(value, low), high) - low) / (high - low)

    parts = [
        f'<text x="{left}" y="{top - 32}" font-weight="bold">{escape(frame.title)}</text>',
        f'<path d="M{left},{top} V{foot} H{left + _SIDE}" fill="none" stroke="black"/>',
    ]
    for tick in np.arange(low, high + 1e-9, 10):
        parts.append(f'<text x="{left - 6}" y="{y(tick) + 4:.1f}" text-anchor="end">{tick:g}</text>')
        parts.append(f'<path d="M{left},{y(tick):.1f} H{left + _SIDE}" stroke="#e4e4e4"/>')
    for at, place in enumerate(frame.places):
        parts.append(
            f'<text x="{left + (at + 0.5) * apart:.1f}" y="{foot + 14}" text-anchor="middle" font-size="10">'
            f"{escape(place)}</text>"
        )
    start = left
    for name, colour, values in lines:
        parts.append(f'<rect x="{start}" y="{top - 22}" width="12" height="12" fill="{colour}"/>')
        parts.append(f'<text x="{start + 16}" y="{top - 12}" font-size="10">{escape(name)}</text>')
        start += 30 + 6 * len(name)
        parts += _series(colour, [[100 * one for one in each] for each in values], left + apart / 2, apart, y)
    parts.append(f'<text x="{left}" y="{foot + 34}">{escape(frame.below)}</text>')
    return "".join(parts)


def _series(
    colour: str, values: list[list[float]], left: float, apart: float, y: Callable[[float], float]
) -> list[str]:
    """Return a line through means, and at each its one-sided 95 % bounds."""
    spots = [(left + at * apart, y(float(np.mean(each)))) for at, each in enumerate(values)]
    points = " ".join(f"{x:.1f},{mean:.1f}" for x, mean in spots)
    parts = [f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>']
    for (x, mean), each in zip(spots, values, strict=True):
        low, high = skew_t(each)
        if np.isfinite(low):
            parts.append(f'<path d="M{x:.1f},{y(low):.1f} V{y(high):.1f}" stroke="{colour}" stroke-width="1.5"/>')
        parts.append(f'<circle cx="{x:.1f}" cy="{mean:.1f}" r="3" fill="{colour}"/>')
    return parts
