"""Figures: plots and interval bars as places in per cent, ready for a template that draws them in SVG.

Places are per cents of the drawing area, so that a picture fills a phone and a printed page alike while text and
strokes keep their size.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fivefold.report import words
from fivefold.report.scale import Scale, linear, logarithmic

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fivefold.contract.finding import Bar, Curve, Measure, Plot

TABLE_POINTS = 12
"""Most points of a curve that its table shows."""


@dataclass(frozen=True)
class Tick:
    """A mark on an axis."""

    at: float
    text: str


@dataclass(frozen=True)
class Stroke:
    """A value with its interval on an axis: places in per cent, None where there is nothing."""

    value: float
    low: float | None
    high: float | None
    outcome: str
    threshold: float | None = None
    direction: str = ""
    zero: float | None = None


@dataclass(frozen=True)
class Row:
    """One row of an interval plot."""

    label: str
    stroke: Stroke
    value: str
    bounds: str
    n: int
    word: str


@dataclass(frozen=True)
class Line:
    """One curve: points in thousandths of the drawing area, and a few of its values for the table."""

    name: str
    points: str
    rows: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Drawing:
    """A plot, placed.

    Attributes:
        about: One sentence for readers who do not see the picture.
        threshold: Place of the threshold: on the x axis for intervals, on the y axis for curves.
    """

    kind: str
    title: str
    x_label: str
    y_label: str
    about: str
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...] = ()
    rows: tuple[Row, ...] = ()
    lines: tuple[Line, ...] = ()
    threshold: float | None = None
    threshold_text: str = ""
    log: bool = False


def strokes(measures: Sequence[Measure]) -> list[Stroke | None]:
    """Place measures on axes, one for each name, unit and threshold; None where there is nothing to compare."""
    groups: dict[tuple[str, str, float | None], list[float]] = {}
    for measure in measures:
        groups.setdefault(_axis(measure), []).extend(_known(measure))
    scales = {key: linear(values) for key, values in groups.items()}
    return [_stroke(measure, scales[_axis(measure)]) for measure in measures]


def draw(plot: Plot) -> Drawing:
    """Place a plot."""
    return _intervals(plot) if plot.kind == "intervals" else _curves(plot)


def _axis(measure: Measure) -> tuple[str, str, float | None]:
    return (measure.name, measure.unit, measure.threshold)


def _known(measure: Measure) -> list[float]:
    parts = (measure.value, measure.low, measure.high, measure.threshold)
    return [part for part in parts if part is not None]


def _stroke(measure: Measure, scale: Scale) -> Stroke | None:
    if measure.value is None or len(_known(measure)) == 1:
        return None
    return Stroke(
        value=scale.place(measure.value),
        low=None if measure.low is None else scale.place(measure.low),
        high=None if measure.high is None else scale.place(measure.high),
        outcome=str(measure.outcome or "shown"),
        threshold=None if measure.threshold is None else scale.place(measure.threshold),
        direction=measure.direction or "",
        zero=scale.place(0.0) if scale.low < 0 else None,
    )


def _intervals(plot: Plot) -> Drawing:
    parts = [part for bar in plot.bars for part in (bar.value, bar.low, bar.high) if part is not None]
    scale = linear(parts if plot.threshold is None else [*parts, plot.threshold])
    rows = tuple(_row(bar, scale) for bar in plot.bars)
    limit = "" if plot.threshold is None else f" The line stands at {words.number(plot.threshold)}."
    return Drawing(
        kind=plot.kind,
        title=plot.title,
        x_label=plot.x_label,
        y_label="",
        about=f"{words.plural(len(rows), 'row')}, each with value and interval, on {plot.x_label}.{limit}",
        x_ticks=_ticks(scale),
        rows=rows,
        threshold=None if plot.threshold is None else scale.place(plot.threshold),
        threshold_text="" if plot.threshold is None else words.number(plot.threshold),
    )


def _row(bar: Bar, scale: Scale) -> Row:
    bounds = (bar.low, bar.high)
    known = " to ".join(words.number(part) for part in bounds if part is not None)
    return Row(
        label=bar.label,
        stroke=Stroke(
            value=scale.place(bar.value),
            low=None if bar.low is None else scale.place(bar.low),
            high=None if bar.high is None else scale.place(bar.high),
            outcome=str(bar.outcome or "shown"),
            zero=scale.place(0.0) if scale.low < 0 else None,
        ),
        value=words.number(bar.value),
        bounds=known,
        n=bar.n,
        word=words.OUTCOMES[bar.outcome] if bar.outcome else "shown",
    )


def _curves(plot: Plot) -> Drawing:
    build = logarithmic if plot.log else lambda values: linear(values, zero=False)
    limit = [] if plot.threshold is None else [plot.threshold]
    across = build([value for curve in plot.curves for value in curve.x])
    up = build([*(value for curve in plot.curves for value in curve.y), *limit])
    names = words.listed([curve.name for curve in plot.curves])
    return Drawing(
        kind=plot.kind,
        title=plot.title,
        x_label=plot.x_label,
        y_label=plot.y_label,
        about=f"{plot.y_label} against {plot.x_label} for {names}.{' Both axes are logarithmic.' if plot.log else ''}",
        x_ticks=_ticks(across),
        y_ticks=_ticks(up),
        lines=tuple(_line(curve, across, up) for curve in plot.curves),
        threshold=None if plot.threshold is None else round(100 - up.place(plot.threshold), 2),
        threshold_text="" if plot.threshold is None else words.number(plot.threshold),
        log=plot.log,
    )


def _line(curve: Curve, across: Scale, up: Scale) -> Line:
    pairs = list(zip(curve.x, curve.y, strict=False))
    places = [(round(10 * across.place(x)), round(1000 - 10 * up.place(y))) for x, y in pairs]
    # Neighbours that fall on the same place add bytes, not shape.
    kept = [place for i, place in enumerate(places) if i == 0 or place != places[i - 1]]
    every = max(1, -(-len(pairs) // TABLE_POINTS))
    shown = pairs[::every] if not pairs or pairs[-1] in pairs[::every] else [*pairs[::every], pairs[-1]]
    return Line(
        name=curve.name,
        points=" ".join(f"{x},{y}" for x, y in kept),
        rows=tuple((words.number(x), words.number(y)) for x, y in shown),
    )


def _ticks(scale: Scale) -> tuple[Tick, ...]:
    return tuple(Tick(at=scale.place(value), text=_tick_text(value)) for value in scale.ticks())


def _tick_text(value: float) -> str:
    return f"{value:g}".replace("-", words.MINUS) if abs(value) < 1e5 else words.number(value)
