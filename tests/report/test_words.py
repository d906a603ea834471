"""Figures and texts as people read them."""

from __future__ import annotations

import pytest
from factories import measure

from fivefold.contract.outcome import Outcome
from fivefold.report import words

G = words.GAP


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0.745, "share", f"74.5{G}%"),
        (-0.0749, "share", f"{words.MINUS}7.5{G}%"),
        (-0.0001, "share", f"0.0{G}%"),
        (0.5368, "", "0.537"),
        (0.00004, "", "4e\N{MINUS SIGN}05"),
        (12.34, "", "12.3"),
        (1234567.0, "rows", f"1{G}234{G}567{G}rows"),
        (1e300, "", "1e+300"),
        (0.0, "", "0"),
        (-3.0, "", f"{words.MINUS}3"),
        (0.8, "ratio", "0.800"),
        (None, "share", "\N{EN DASH}"),
    ],
)
def test_a_figure_is_written_with_its_unit(value: float | None, unit: str, text: str) -> None:
    """Shares become per cents, large numbers get thin groups, minus is a minus sign."""
    assert words.number(value, unit) == text


@pytest.mark.parametrize(
    ("low", "high", "text"),
    [
        (0.7, 0.8, f"70.0{G}% to 80.0{G}%"),
        (0.7, None, f"at least 70.0{G}%"),
        (None, 0.8, f"at most 80.0{G}%"),
        (None, None, ""),
    ],
)
def test_an_interval_names_the_bounds_it_has(low: float | None, high: float | None, text: str) -> None:
    """A missing bound is not written as a number."""
    assert words.interval(measure(low=low, high=high)) == text


def test_a_threshold_says_in_which_direction_it_binds() -> None:
    """At least, at most, or nothing for figures that are shown only."""
    assert words.threshold(measure(threshold=0.6, direction="max", unit="")) == "\N{LESS-THAN OR EQUAL TO} 0.600"
    assert words.threshold(measure(threshold=0.7)).startswith("\N{GREATER-THAN OR EQUAL TO}")
    assert not words.threshold(measure(threshold=None))


def test_every_outcome_has_a_word() -> None:
    """An outcome that is added to the contract cannot be forgotten here."""
    assert set(words.OUTCOMES) == set(Outcome)


@pytest.mark.parametrize("mark", ["\x00", "\x1b", "\u202e", "\u2066", "\ud800", "\x85", "\r"])
def test_characters_that_disguise_text_are_replaced(mark: str) -> None:
    """Terminal escapes, text-direction overrides and broken Unicode never reach a reader."""
    assert words.plain(f"a{mark}b") == "a\N{REPLACEMENT CHARACTER}b"


def test_ordinary_text_of_any_language_is_left_alone() -> None:
    """Letters, combining marks, line ends and tabs stay."""
    text = "größe \u05d0\u05d1 \u4f60\u597d e\u0301\n\tend"
    assert words.plain(text) == text
