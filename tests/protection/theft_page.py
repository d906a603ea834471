"""Page: the figures of theft as a page of documentation, made from the JSON file alone."""

from __future__ import annotations

from typing import Any


def page(known: dict[str, Any]) -> str:
    """Return the page."""
    return "# Theft\n"
