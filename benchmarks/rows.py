"""Rows: one target each, its figure, its floor and whether it was met."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Literal

Status = Literal["met", "missed", "not measured"]


@dataclass(frozen=True)
class Row:
    """One line of the table.

    Attributes:
        name: What is measured.
        ours: Our figure; None: not measured.
        peer: The peer's figure; None: the floor is absolute.
        floor: What ``figure`` may be at most (or at least).
        direction: ``max`` or ``min``.
        unit: Of ``ours`` and ``peer``.
        required: Optional rows never count.
        note: One sentence.
    """

    name: str
    ours: float | None
    peer: float | None
    floor: float
    direction: Literal["max", "min"]
    unit: str
    required: bool = True
    note: str = ""

    @property
    def figure(self) -> float | None:
        """The ratio to the peer, or our figure where there is none."""
        if self.ours is None or self.peer is None:
            return self.ours
        return self.ours / self.peer if self.peer else None

    @property
    def status(self) -> Status:
        """Whether the floor is kept."""
        if self.figure is None:
            return "not measured"
        kept = self.figure <= self.floor if self.direction == "max" else self.figure >= self.floor
        return "met" if kept else "missed"


def exit_code(rows: list[Row], *, peers_absent: bool) -> int:
    """Return 1 if a required row is missed, 3 if a peer is absent, 1 if one could not be measured, else 0."""
    wanted = [row.status for row in rows if row.required]
    if "missed" in wanted:
        return 1
    if peers_absent:
        return 3
    return 1 if "not measured" in wanted else 0


def as_text(rows: list[Row]) -> str:
    """Return the table for people."""
    lines = [("target", "ours", "peer", "figure", "floor", "")]
    for row in rows:
        peer = "-" if row.peer is None else f"{row.peer:.3g} {row.unit}"
        ours = "-" if row.ours is None else f"{row.ours:.3g} {row.unit}"
        figure = "-" if row.figure is None else f"{row.figure:.3g}{' x' if row.peer is not None else ''}"
        floor = f"{'<=' if row.direction == 'max' else '>='} {row.floor:g}"
        lines.append((row.name, ours, peer, figure, floor, row.status + ("" if row.required else " (optional)")))
    widths = [max(len(line[at]) for line in lines) for at in range(6)]
    text = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines]
    notes = [f"  {row.name}: {row.note}" for row in rows if row.note]
    return "\n".join([*text, *(["", *notes] if notes else [])])


def as_json(name: str, rows: list[Row], code: int) -> str:
    """Return the table for machines."""
    listed = [asdict(row) | {"figure": row.figure, "status": row.status} for row in rows]
    return json.dumps({"benchmark": name, "exit_code": code, "rows": listed}, indent=2)
