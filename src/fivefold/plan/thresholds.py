"""Thresholds and options of a check: the catalogue's floors, tightened by the manifest, and the pack's defaults."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from fivefold.errors import Problem, ProblemsError

if TYPE_CHECKING:
    from fivefold.catalogue.nouns import CheckEntry
    from fivefold.contract.registry import CheckSpec
    from fivefold.manifest.nouns import Manifest


def settle(entry: CheckEntry, spec: CheckSpec, manifest: Manifest) -> tuple[dict[str, float], dict[str, Any]]:
    """Return thresholds (floor key to value) and options (option key to value, defaults filled in).

    What stands under the check's id in ``checks:`` goes before what stands under its row's id; a key under the row's id
    counts for every check of the row that has it.

    Raises:
        ProblemsError: ``plan.looser-than-floor`` for a threshold that asks less than the floor.
    """
    stated = _stated(entry, manifest)
    thresholds, problems = {}, []
    for floor in entry.floors:
        place, value = stated.get(floor.key, ("", floor.value))
        if not _number(value) or floor.looser(float(value)):
            problems.append(_looser(manifest, place, value, f"{floor.direction}imum {floor.value:g}"))
            continue
        thresholds[floor.key] = float(value)
    if problems:
        raise ProblemsError(tuple(problems))
    options: dict[str, Any] = {}
    for key, option in sorted(spec.options.items()):
        value = stated[key][1] if key in stated else option.default
        if key not in thresholds and value is not None:
            options[key] = value
    return thresholds, options


def _stated(entry: CheckEntry, manifest: Manifest) -> dict[str, tuple[str, Any]]:
    row = manifest.checks.get(entry.technique, {})
    found = {key: (f"checks.{entry.technique}.{key}", value) for key, value in row.items()}
    own = manifest.checks.get(entry.id, {})
    return found | {key: (f"checks.{entry.id}.{key}", value) for key, value in own.items()}


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _looser(manifest: Manifest, place: str, value: Any, floor: str) -> Problem:
    return Problem(
        code="plan.looser-than-floor",
        where=f"{manifest.file.name}:{manifest.lines.get(place, 1)}",
        field=place,
        message=f"{value!r} asks less than the floor ({floor}).",
        remedy="A manifest may tighten a floor, never loosen it: leave the key out, or ask more.",
    )
