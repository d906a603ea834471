"""Sweep: a column is moved through its own cells in rows of the data; where the score falls, it does not only rise.

Each sweep asks every row with a grid of cells of one column, drawn anew for each row, so that a fall that is there in
many rows is met in some, however narrow it is. Rows that hold are followed by rows put together anew, those first whose
score rises least: a function that holds for rows as they are need not do so elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from fivefold.errors import UnsupportedError
from fivefold.explanation.antehoc import cells
from fivefold.explanation.antehoc.steps import without_order

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from fivefold.contract.subject import Table

    Ask = Callable[[pd.DataFrame], np.ndarray]
    """(m, d) frame to (m,) scores."""

GRID = 24
AT_ONCE = 64
ROUNDS = 3
_PARENTS = 0.2
_SWAPPED = 0.3


@dataclass(frozen=True)
class Declared:
    """A column with a declared direction.

    Attributes:
        name: The column.
        sign: 1: the score may only rise with it; -1: only fall.
        cells: Its distinct cells, rising.
        numbers: (m,) what they stand for.
        kind: ``number`` or ``date``.
    """

    name: str
    sign: int
    cells: pd.Series
    numbers: np.ndarray
    kind: str


@dataclass
class Swept:
    """What a sweep saw of n rows.

    Attributes:
        drop: (n,) largest move the wrong way, over all columns; 0: none.
        pair: (n, 2) positions among the column's cells between which it was, the lower first.
        column: (n,) position of the column in which it was.
        rise: (n,) least rise between neighbouring cells.
        walked: For each column (m,) bool: cells that a row was taken to.
    """

    drop: np.ndarray
    pair: np.ndarray
    column: np.ndarray
    rise: np.ndarray
    walked: list[np.ndarray]
    asked: int = field(default=0)


def declared(table: Table, signs: Mapping[str, int], types: Mapping[str, str]) -> list[Declared]:
    """Return the columns to sweep.

    Args:
        table: Rows whose cells may stand in a row.
        signs: Column to 1 or -1.
        types: Column to its declared type.

    Raises:
        UnsupportedError: ``antehoc.monotone`` for a column of texts.
    """
    found = []
    for name, sign in signs.items():
        if name not in table.features.columns:
            continue
        column = table.features[name].drop_duplicates().reset_index(drop=True)
        kind = cells.kind_of(column, types.get(name, ""))
        if kind == "text":
            raise without_order(name, UnsupportedError)
        numbers = cells.numbers(column, kind)
        values, first = np.unique(numbers, return_index=True)
        known = np.isfinite(values)
        if known.sum() > 1:
            held = column.iloc[first[known]].reset_index(drop=True)
            found.append(Declared(name, sign, held, values[known], kind))
    return found


@dataclass(frozen=True)
class Size:
    """How much is asked: cells of a column in each row, and rows that are asked together."""

    grid: int
    at_once: int = AT_ONCE


def sweep(ask: Ask, frame: pd.DataFrame, columns: Sequence[Declared], size: Size, rng: np.random.Generator) -> Swept:
    """Move each column of each row through a grid of its cells.

    Args:
        ask: The score.
        frame: n rows.
        columns: Columns to move.
        size: Of the grids.
        rng: Draws the grids.
    """
    n = len(frame)
    made = Swept(np.zeros(n), np.zeros((n, 2), dtype=np.int64), np.zeros(n, dtype=np.int64), np.full(n, np.inf),
                 [np.zeros(len(one.cells), dtype=bool) for one in columns])  # fmt: skip
    for start in range(0, n, size.at_once):
        part = frame.iloc[start : start + size.at_once]
        rows = np.arange(start, start + len(part))
        for at, one in enumerate(columns):
            places = _grid(len(part), len(one.cells), size.grid, rng)
            score = one.sign * ask(placed(part, one, places)).reshape(places.shape)
            made.asked += score.size
            made.walked[at][places] = True
            own = np.maximum.accumulate(score, axis=1)
            fall = own - score
            last = fall.argmax(axis=1)
            own_rows = np.arange(len(part))
            found = fall[own_rows, last]
            ahead = np.where(np.arange(places.shape[1]) <= last[:, None], score, -np.inf).argmax(axis=1)
            worse = found > made.drop[rows]
            hit = rows[worse]
            made.drop[hit], made.column[hit] = found[worse], at
            made.pair[hit] = np.column_stack([places[own_rows, ahead], places[own_rows, last]])[worse]
            made.rise[rows] = np.minimum(made.rise[rows], np.diff(score, axis=1).min(axis=1))
    return made


def _grid(rows: int, count: int, grid: int, rng: np.random.Generator) -> np.ndarray:
    """Return (rows, g) rising positions of at most ``grid`` cells, one drawn from each of as many equal parts."""
    if count <= grid:
        return np.tile(np.arange(count), (rows, 1))
    edges = np.linspace(0, count, grid + 1).astype(np.int64)
    return rng.integers(edges[:-1], edges[1:], size=(rows, grid))


def placed(frame: pd.DataFrame, column: Declared, places: np.ndarray) -> pd.DataFrame:
    """Return each of n rows with each of its (n, g) cells of a column: n x g rows."""
    made = frame.iloc[np.repeat(np.arange(len(frame)), places.shape[1])].reset_index(drop=True)
    held = column.cells.iloc[places.ravel()].reset_index(drop=True)
    made[column.name] = held.astype(frame[column.name].dtype)
    return made


def confirmed(ask: Ask, frame: pd.DataFrame, columns: Sequence[Declared], found: Swept, hair: float) -> np.ndarray:
    """Return (n,) bool: moves the wrong way by more than ``hair`` that are there again when the pair is asked again."""
    still = found.drop > hair
    for at, one in enumerate(columns):
        rows = np.flatnonzero(still & (found.column == at))
        if not len(rows):
            continue
        part = frame.iloc[rows].reset_index(drop=True)
        both = pd.concat([placed(part, one, found.pair[rows, side][:, None]) for side in (0, 1)], ignore_index=True)
        for _ in range(2):
            score = one.sign * ask(both)
            still[rows] &= score[: len(rows)] - score[len(rows) :] > hair
    return still


def anew(frame: pd.DataFrame, first: Swept, rng: np.random.Generator) -> pd.DataFrame:
    """Return as many rows: those whose score rises least, some of their cells from other rows."""
    n = len(frame)
    order = np.lexsort((rng.random(n), first.rise))[: max(1, int(_PARENTS * n))]
    parents = rng.choice(order, n)
    made = {}
    for name in frame.columns:
        other = np.where(rng.random(n) < _SWAPPED, rng.integers(n, size=n), parents)
        made[name] = frame[name].iloc[other].reset_index(drop=True)
    return pd.DataFrame(made)
