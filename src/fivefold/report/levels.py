"""Levels: the names of the five levels and the objectives that they bind, read from the catalogue."""

from __future__ import annotations

from fivefold.catalogue.load import load


def levels() -> dict[int, tuple[str, str]]:
    """Return level number to its name and its objective."""
    return {level.number: (level.title, level.objective) for level in load().levels}
