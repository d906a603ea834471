"""Lacking: which rows would help where a judgement stays open; where a class is missing, more of the same do not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

RARE = 0.05
_NAMED = 4
_LONGEST = 40


def more_rows(target: np.ndarray, classes: Sequence[str], usual: str) -> str:
    """Return what to bring where too little is known.

    Args:
        target: (n,) class indices of the measured rows, or values.
        classes: Labels; empty for a quantity.
        usual: The advice where no class is rare.

    Returns:
        A sentence that names the classes that are missing or rare, with their rows; else ``usual``.
    """
    if not len(target):
        return usual
    if not len(classes):
        same = bool(np.all(target == target[0]))
        return "All rows have the same target: bring rows with other values." if same else usual
    counts = np.bincount(target[target >= 0], minlength=len(classes))
    present = [int(at) for at in np.flatnonzero(counts)]
    if len(present) == 1:
        others = ", ".join(_short(name) for at, name in enumerate(classes) if at != present[0]) or "other classes"
        return (
            f"All {counts.sum():,} rows are of the class {_short(classes[present[0]])}, and more of them show nothing: "
            f"bring rows of {others}."
        )
    rare = [at for at in present if counts[at] < RARE * counts.sum()]
    if not rare:
        return usual
    shown = ", ".join(f"{_short(classes[at])} ({counts[at]:,} of {counts.sum():,} rows)" for at in rare[:_NAMED])
    more = f" and {len(rare) - _NAMED} more" if len(rare) > _NAMED else ""
    return f"Bring rows of the rare classes: {shown}{more}. Rows of the frequent ones add little."


def _short(name: str) -> str:
    return f'"{name if len(name) <= _LONGEST else name[:_LONGEST] + "..."}"'
