"""Floors as the catalogue states them."""

from __future__ import annotations

from functools import cache

from fivefold import catalogue


@cache
def _all() -> dict[str, dict[str, float]]:
    found: dict[str, dict[str, float]] = {}
    for check, floor in catalogue.load().floors():
        found.setdefault(check.id, {})[floor.key] = floor.value
    return found


def floors(check: str) -> dict[str, float]:
    """Return floor key to value for a check; empty if it has none."""
    return dict(_all().get(check, {}))
