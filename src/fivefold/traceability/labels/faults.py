"""Faults: what was done to labelled data, and where."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence


@dataclass(frozen=True)
class Fault:
    """One thing that is not as it was labelled.

    Attributes:
        kind: ``edited``, ``reordered``, ``partial``, ``added``, ``swapped``, ``stripped``, ``downgraded``, ``forged``
            or ``outlived``.
        code: Stable identifier.
        text: What it is, in one sentence.
        cells: Column to the groups of rows in which it stands, counted from 0; empty where it has no place.
        rows: Rows of a group.
    """

    kind: str
    code: str
    text: str
    cells: Mapping[str, Sequence[int]] = field(default_factory=dict)
    rows: int = 0

    def builtins(self) -> dict[str, Any]:
        """Return it for JSON: each column with its first and last rows, counted from 0, neighbours joined."""
        where = [
            {"column": name, "groups": list(groups), "rows": [list(span) for span in spans(groups, self.rows)]}
            for name, groups in self.cells.items()
        ]
        return {"kind": self.kind, "code": self.code, "text": self.text, "where": where}


def spans(groups: Sequence[int], size: int) -> Iterator[tuple[int, int]]:
    """Yield first and last row of runs of neighbouring groups."""
    start = None
    for at, group in enumerate(groups):
        start = group if start is None else start
        if at + 1 == len(groups) or groups[at + 1] != group + 1:
            yield start * size, (group + 1) * size - 1
            start = None
