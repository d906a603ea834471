"""Labels of single data files, for ``data label`` and ``data check``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


def is_data(path: Path) -> bool:
    """Return whether a path is a data file, and no application."""
    return path.is_file() and path.suffix.lower() not in (".yaml", ".yml")


def check_file(path: Path, trust: Path | None, known: Sequence[Path]) -> dict[str, Any]:
    """Return a file held against its label; ``unknown`` says that only the steward is not known."""
    from fivefold.contract.registry import provided
    from fivefold.keys import store
    from fivefold.keys import trust as trust_file

    found = provided("labels.examine")(path, trust_file.read(store.read_trust(trust)), store.utc_now(), known)
    return {"data": str(path), **found.builtins(), "unknown": found.unknown}


def lines_of(found: dict[str, Any]) -> list[str]:
    """Return what a check of a file came to, for people."""
    if found["holds"]:
        how = "these very bytes" if found["same"] == "bytes" else "these values, in other bytes"
        fields = found["fields"]
        said = f"{fields.get('class')}, for {_joined(fields.get('purpose'))}, in {_joined(fields.get('region'))}"
        return [f"{found['data']}: holds; label {found['serial']} is of {how} ({said})."]
    lines = [f"{found['data']}: does not hold."]
    for fault in found["faults"]:
        lines.append(f"  {fault['kind']}: {fault['text']} [{fault['code']}]")
        for place in fault["where"][:8]:
            rows = ", ".join(f"{first:,}-{last:,}" for first, last in place["rows"][:6])
            more = " ..." if len(place["rows"]) > 6 else ""
            lines.append(f"    {place['column']}: rows {rows}{more}")
    return lines


def _joined(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def label_file(path: Path, fields: dict[str, Any], **how: Any) -> dict[str, Any]:
    """Sign a file's label.

    Args:
        path: The data.
        fields: What the command says; empty ones are left out.
        **how: ``key``, ``name``, ``made_of``, ``declassify``, ``inside``.
    """
    from fivefold.cli._own import own_key
    from fivefold.contract.registry import provided
    from fivefold.keys import store
    from fivefold.keys import trust as trust_file

    chosen = own_key("steward", how["key"])
    known, now = trust_file.read(store.read_trust(None)), store.utc_now()
    said = provided("labels.saying")(
        path, {key: value for key, value in fields.items() if value not in (None, "", [])}, known, now,
        name=how["name"], made_of=how["made_of"], declassified=how["declassify"],
    )  # fmt: skip
    steward = provided("labels.steward")(chosen.signer, known, now)
    place = provided("labels.bind")(path, said, steward, inside=how["inside"])
    return {"labels": [str(place)], "key": chosen.note.id, "steward": chosen.note.name, "fields": dict(said.fields)}
