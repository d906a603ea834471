"""Plots and bars as places on axes."""

from __future__ import annotations

import factories
import msgspec
import pytest

from fivefold.contract.finding import Bar, Curve, Plot
from fivefold.report import figures


def test_figures_of_one_name_share_an_axis() -> None:
    """A wider interval is drawn wider, and equal thresholds stand at the same place."""
    narrow = factories.measure("gap", value=0.05, low=0.04, high=0.06, threshold=0.1)
    wide = factories.measure("gap", value=0.05, low=0.01, high=0.2, threshold=0.1)
    first, second = figures.strokes([narrow, wide])
    assert first
    assert second
    assert first.threshold == second.threshold
    assert first.value == second.value
    assert (second.high or 0) > (first.high or 0)


@pytest.mark.parametrize(
    "parts", [{"value": None}, {"low": None, "high": None, "threshold": None}], ids=["no value", "only a value"]
)
def test_what_cannot_be_compared_gets_no_bar(parts: dict[str, None]) -> None:
    """A count of rows, a figure that could not be formed."""
    assert figures.strokes([factories.measure(**parts)]) == [None]


def test_an_interval_that_is_open_to_one_side_stays_open() -> None:
    """The missing bound is not invented."""
    stroke = figures.strokes([factories.measure(high=None)])[0]
    assert stroke
    assert stroke.high is None
    assert stroke.low is not None


def test_values_and_thresholds_keep_their_order_on_the_axis() -> None:
    """Bars of gaps below and above zero, and the line between them."""
    bars = tuple(Bar(label=str(value), value=value, low=value - 0.1, high=value + 0.1) for value in (-0.3, 0.1, 0.4))
    drawing = figures.draw(Plot(kind="intervals", title="t", x_label="x", bars=bars, threshold=0.2))
    places = [row.stroke.value for row in drawing.rows]
    assert places == sorted(places)
    assert drawing.threshold is not None
    assert places[1] < drawing.threshold < places[2]
    assert drawing.rows[0].stroke.zero is not None


def test_a_curve_rises_to_the_upper_right_and_its_table_has_its_ends() -> None:
    """Places run from the left edge to the right, from the lower edge to the upper."""
    drawing = figures.draw(msgspec.structs.replace(factories.roc(), log=False))
    points = [tuple(map(int, point.split(","))) for point in drawing.lines[1].points.split()]
    assert points[0] == (0, 1000)
    assert points[-1] == (1000, 0)
    assert drawing.lines[0].rows[0] == ("0", "0")
    assert drawing.lines[0].rows[-1] == ("1", "1")
    assert len(drawing.lines[0].rows) <= figures.TABLE_POINTS + 1


def test_logarithmic_axes_take_zeros_to_the_edge() -> None:
    """A false-positive rate of 0 has a place, and small rates have room."""
    drawing = figures.draw(factories.roc())
    assert drawing.log
    assert [tick.text for tick in drawing.x_ticks] == ["0.01", "0.1", "1"]
    assert drawing.lines[0].points.startswith("0,1000")


@pytest.mark.parametrize("kind", ["intervals", "curves"])
def test_an_empty_plot_is_drawn_empty(kind: str) -> None:
    """Nothing measured, nothing drawn, no fault."""
    plot = Plot(kind=kind, title="t", x_label="x", curves=(Curve(name="c", x=(), y=()),))  # type: ignore[arg-type]
    drawing = figures.draw(plot)
    assert drawing.rows == ()
    assert all(not line.points for line in drawing.lines)
