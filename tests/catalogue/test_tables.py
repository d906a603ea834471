"""The tables of the documentation say what the catalogue says."""

from __future__ import annotations

from pathlib import Path

import pytest

from fivefold.catalogue import load
from fivefold.catalogue.tables import render

PAGE = Path(__file__).resolve().parents[2] / "docs" / "catalogue.md"


def test_the_page_is_up_to_date() -> None:
    """Renewing the tables changes nothing."""
    text = PAGE.read_text(encoding="utf-8")
    assert render(text, load()) == text


@pytest.mark.parametrize("name", ["rows", "claims", "floors", "predicates", "aims"])
def test_every_table_stands_on_the_page(name: str) -> None:
    """No table is forgotten."""
    assert f"<!-- table: {name} -->\n\n| " in PAGE.read_text(encoding="utf-8")


def test_a_stale_table_is_noticed() -> None:
    """An edited cell does not survive."""
    text = PAGE.read_text(encoding="utf-8")
    assert "at most 0.6 " in text
    assert render(text.replace("at most 0.6 ", "at most 0.9 "), load()) == text


def test_an_unknown_table_is_refused() -> None:
    """A misspelt mark is an error, not an empty table."""
    with pytest.raises(KeyError):
        render("<!-- table: nothing -->\n<!-- end -->", load())
