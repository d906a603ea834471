"""Search: rows as they are are walked over, then rows put together anew, those first whose score rises least."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from fivefold.explanation.antehoc import sweep

if TYPE_CHECKING:
    from collections.abc import Callable

    import pandas as pd

    from fivefold.explanation.antehoc.sweep import Ask, Declared, Swept

FEWEST = 20


@dataclass(frozen=True)
class Seen:
    """What a search saw.

    Attributes:
        broken: (n,) bool: rows as they are from which a move the wrong way was found for sure.
        other: Rows put together anew.
        broken_anew: From how many of them one was found.
        asked: Questions.
        worst: Size, column, and the two numbers between which the score moved furthest the wrong way.
        walked: For each column (m,) bool: cells that a row was taken to.
    """

    broken: np.ndarray
    other: int
    broken_anew: int
    asked: int
    worst: tuple[float, str, float, float]
    walked: list[np.ndarray]


def search(
    ask: Ask, frame: pd.DataFrame, columns: list[Declared], how: tuple[sweep.Size, float], rng: np.random.Generator,
    *, progress: Callable[[float, str], None] = lambda _share, _words: None,
) -> Seen:  # fmt: skip
    """Look for moves the wrong way.

    Args:
        ask: The score.
        frame: n rows.
        columns: Columns to move.
        how: Size of the grids, and the largest move that is none.
        rng: Draws grids and rows.
        progress: Told how far it is.
    """
    size, hair = how
    progress(0.1, "walking over rows as they are")
    last = sweep.sweep(ask, frame, columns, size, rng)
    broken = sweep.confirmed(ask, frame, columns, last, hair)
    worst, walked = _worst(last, broken, columns), last.walked
    rows, asked, other, again = frame, last.asked, 0, 0
    for turn in range(sweep.ROUNDS):
        progress(0.3 + 0.15 * turn, "walking over rows put together anew")
        fewer = max(FEWEST, len(frame) // sweep.ROUNDS)
        rows = sweep.anew(rows, last, rng).iloc[:fewer].reset_index(drop=True)
        last = sweep.sweep(ask, rows, columns, size, rng)
        hit = sweep.confirmed(ask, rows, columns, last, hair)
        worst = max(worst, _worst(last, hit, columns))
        asked, other, again = asked + last.asked, other + len(rows), again + int(hit.sum())
        walked = [one | more for one, more in zip(walked, last.walked, strict=True)]
    return Seen(broken, other, again, asked, worst, walked)


def _worst(found: Swept, broken: np.ndarray, columns: list[Declared]) -> tuple[float, str, float, float]:
    if not broken.any():
        return 0.0, "", 0.0, 0.0
    at = int(np.argmax(np.where(broken, found.drop, -1.0)))
    one = columns[int(found.column[at])]
    low, high = (float(one.numbers[place]) for place in found.pair[at])
    return float(found.drop[at]), one.name, low, high
