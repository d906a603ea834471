"""Options: which keys ``checks:`` and ``controls:`` may hold, and that no threshold is looser than its floor.

The packs' option tables are read from their ``pack.toml`` as text, through package resources; no code is imported.
"""

from __future__ import annotations

import math
import tomllib
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from fivefold import catalogue
from fivefold.errors import InternalError
from fivefold.manifest.places import check_path
from fivefold.manifest.walk import suggest

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from fivefold.catalogue.nouns import Catalogue, CheckEntry, Floor
    from fivefold.manifest.walk import Walk

_TYPES: dict[str, tuple[type | tuple[type, ...], str]] = {
    "number": ((int, float), "a number"),
    "integer": (int, "a whole number"),
    "boolean": (bool, "true or false"),
    "string": (str, "a text"),
    "path": (str, "the path of a file"),
    "list": ((tuple, list), "a list"),
    "mapping": (dict, "keys of its own"),
}


@cache
def shipped() -> dict[str, dict[str, Any]]:
    """Return room -> the table of its ``pack.toml``, of every shipped pack, in name order.

    Raises:
        InternalError: ``manifest.pack`` if a shipped pack is not TOML (a build fault).
    """
    found: dict[str, dict[str, Any]] = {}
    for room in sorted(files("fivefold").iterdir(), key=lambda entry: entry.name):
        pack = room.joinpath("pack.toml")
        if not room.is_dir() or not pack.is_file():
            continue
        try:
            found[room.name] = tomllib.loads(pack.read_text(encoding="utf-8"))
        except tomllib.TOMLDecodeError as error:
            raise InternalError("manifest.pack", f"{room.name}/pack.toml is malformed: {error}.") from error
    return found


@cache
def described() -> dict[str, dict[str, dict[str, Any]]]:
    """Return check id, or ``controls.`` and technique id, -> option key -> the option's table, of every shipped pack.

    Raises:
        InternalError: ``manifest.pack`` if a shipped pack is malformed (a build fault).
    """
    found: dict[str, dict[str, dict[str, Any]]] = {}
    for room, told in shipped().items():
        try:
            found |= {check["id"]: check.get("options", {}) for check in told.get("check", [])}
            found |= {f"controls.{technique}": options for technique, options in told.get("control", {}).items()}
        except KeyError as error:
            raise InternalError("manifest.pack", f"{room}/pack.toml is malformed: {error}.") from error
    return found


def check_options(walk: Walk, root: Path, document: Mapping[str, Any]) -> None:
    """Note unknown ids and keys, values of a wrong type or range, and thresholds looser than the floor.

    A row or check of which nothing is built yet may carry any key: its options are not known to this version.
    """
    rows = catalogue.load()
    for name, values in (document.get("checks") or {}).items():
        place = f"checks.{name}"
        if name not in rows.checks and name not in rows.rows:
            known = [*rows.checks, *rows.rows]
            walk.report("unknown-check", place, f'"{name[:80]}" is no check and no row.', suggest(name, known, many=0))
            continue
        _check_one(walk, root, name, values)
    for name, values in (document.get("controls") or {}).items():
        if name not in rows.rows:
            message = f'"{name[:80]}" is no row of the catalogue.'
            walk.report("unknown-control", f"controls.{name}", message, _row_remedy(name, rows))
        elif f"controls.{name}" in described():
            _check_control(walk, root, name, values or {})
    for index, path in enumerate(document.get("sharing") or ()):
        control = path.get("control", "")
        if control and control not in rows.rows:
            message = f'"{control[:80]}" is no row of the catalogue.'
            walk.report("unknown-control", f"sharing.{index}.control", message, _row_remedy(control, rows))


def _check_control(walk: Walk, root: Path, name: str, values: Mapping[str, Any]) -> None:
    known = described()[f"controls.{name}"]
    for key, value in values.items():
        place, option = f"controls.{name}.{key}", known.get(key)
        if option is None:
            walk.report("unknown-key", place, f'{name} has no option "{key[:80]}".', suggest(key, known, many=20))
            continue
        _check_value(walk, root, place, value, option=option, floor=None)
        choices = option.get("choices", ())
        if choices and isinstance(value, str) and value not in choices:
            walk.report("range", place, f'"{value[:80]}" is not among them.', f"Write one of: {', '.join(choices)}.")


def _row_remedy(name: str, rows: Catalogue) -> str:
    close = suggest(name, rows.rows, many=0)
    return close if close.startswith("Did") else "Name a row such as S2; `fivefold list` shows all."


def _check_one(walk: Walk, root: Path, name: str, values: Mapping[str, Any]) -> None:
    rows = catalogue.load()
    entries = [rows.checks[name]] if name in rows.checks else list(rows.rows[name].checks)
    built = [entry for entry in entries if entry.state == "built"]
    known: dict[str, list[str]] = {}
    for entry in entries:
        for key in _keys(entry):
            known.setdefault(key, []).append(entry.id)
    for key, value in values.items():
        place = f"checks.{name}.{key}"
        owners = known.get(key, [])
        # a key that several checks of a row share, written under the row, holds for each of them
        told: list[tuple[Any, Floor | None]] = []
        for owner in owners:
            option, floor = described().get(owner, {}).get(key, {"type": "number"}), rows.checks[owner].floor(key)
            if (option, floor) in told:
                continue
            told.append((option, floor))
            _check_value(walk, root, place, value, option=option, floor=floor)
        if not owners and built:
            walk.report("unknown-key", place, f'{name} has no option "{key[:80]}".', suggest(key, known, many=20))


def _check_value(
    walk: Walk, root: Path, place: str, value: Any, *, option: Mapping[str, Any], floor: Floor | None
) -> None:
    if not _fits(walk, place, value, option):
        return
    if option["type"] == "path":
        check_path(walk, root, place, value)
    elif isinstance(value, int | float):
        _check_number(walk, place, float(value), option, floor)


def _keys(entry: CheckEntry) -> tuple[str, ...]:
    floors = [floor.key for floor in entry.floors]
    return tuple(dict.fromkeys([*floors, *described().get(entry.id, {})]))


def _fits(walk: Walk, place: str, value: Any, option: Mapping[str, Any]) -> bool:
    kind, wanted = _TYPES[option["type"]]
    fits = isinstance(value, kind) and (kind is bool or not isinstance(value, bool))
    if not fits:
        walk.report("type", place, f"expected {wanted}.", f"Write {wanted}.")
    return fits


def _check_number(walk: Walk, place: str, value: float, option: Mapping[str, Any], floor: Floor | None) -> None:
    low, high = option.get("low", -math.inf), option.get("high", math.inf)
    if not low <= value <= high:
        walk.report("range", place, f"{value:g} is out of range.", f"Write a number from {low:g} to {high:g}.")
    elif floor is not None and floor.looser(value):
        side = "at least" if floor.direction == "min" else "at most"
        remedy = f"Write {side} {floor.value:g} or leave the key out; a floor may be tightened, never loosened."
        message = f"{value:g} is looser than the floor ({floor.measures}: {side} {floor.value:g})."
        walk.report("looser-than-floor", place, message, remedy)
