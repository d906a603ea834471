"""The view for the terminal."""

from __future__ import annotations

import io

import factories
import pytest
from rich.console import Console

from fivefold.report import terminal
from fivefold.report.nouns import Trouble


def shown(view: object, width: int = 100) -> str:
    """Return what a terminal of that width would show, without colours."""
    page = io.StringIO()
    Console(file=page, width=width, no_color=True, highlight=False).print(view)
    return page.getvalue()


def test_the_verdict_comes_first_and_the_worst_check_next() -> None:
    """A reader who sees ten lines knows the outcome and what to mend."""
    text = shown(terminal.show(factories.verdict(), factories.findings()))
    marks = ("No level is attained", "4  assisted decision", "1 failed", "F1.gaps", "P3.membership", "Blocked claims")
    places = [text.index(mark) for mark in marks]
    assert places == sorted(places)
    assert "do: Turn on control C3" in text


@pytest.mark.parametrize("width", [20, 80, 200])
def test_every_width_works(width: int) -> None:
    """No line is longer than the terminal."""
    text = shown(terminal.show_document(factories.document()), width)
    assert max(len(line) for line in text.splitlines()) <= width


def test_hostile_text_cannot_steer_the_terminal() -> None:
    """No escape, no markup of ours is interpreted."""
    text = shown(terminal.show(factories.verdict(summary="\x1b[31mred [bold]x[/bold]"), ()))
    assert "\x1b" not in text
    assert "[bold]x[/bold]" in text


def test_evidence_that_does_not_verify_is_said_before_all_else() -> None:
    """The warning is the first line."""
    trouble = Trouble(code="evidence.changed", text="it changed.", where="attempts/0001/plan.json")
    text = shown(terminal.show_document(factories.document(verified="no", troubles=(trouble,))))
    assert text.startswith("The evidence does not verify.")
    assert "attempts/0001/plan.json: it changed. [evidence.changed]" in text
