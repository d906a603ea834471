"""Store: explained rows and background rows side by side, and rows put together out of their cells.

A *player* is what gets credit as one: a column, several columns that belong together, a patch of an image, a window of
a series. Cells are only ever taken whole from another row, never computed with, so texts, dates and missing values are
as good as numbers, and every cell that the model sees is one that occurs.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from fivefold.contract.subject import Table
    from fivefold.explanation.players import Players


@dataclass(frozen=True)
class Store:
    """Rows to mix.

    Attributes:
        rows: N = n + M rows: the explained ones, then the background.
        explained: n.
        players: Which columns or positions move together.
        codes: (N, P) a number for each player's cell, equal where the cells are equal; order is that of the values.
    """

    rows: Table
    explained: int
    players: Players
    codes: np.ndarray

    @property
    def background(self) -> int:
        """M."""
        return len(self.rows) - self.explained

    def mixed(self, cells: np.ndarray) -> Table:
        """Return (m, P) positions of cells as m rows; targets and other columns are those of the first player's row."""
        players, rows = self.players, self.rows
        first = cells[:, 0]
        if rows.inputs is not None:
            flat = rows.inputs.reshape(len(rows), -1)
            made = flat[cells[:, players.of], np.arange(flat.shape[1])]
            return replace(rows.take(first), inputs=made.reshape(len(cells), *rows.inputs.shape[1:]))
        columns = {
            name: rows.features.iloc[:, at].take(cells[:, players.of[at]]).reset_index(drop=True)
            for at, name in enumerate(rows.features.columns)
        }
        frame = pd.DataFrame(columns, copy=False)
        return replace(
            rows,
            rows=rows.rows[first],
            features=frame,
            target=rows.target[first],
            others=pd.DataFrame(index=frame.index),
        )


def plain(value: Any) -> Any:
    """Return a cell as a plain value: dates as text, missing ones as None."""
    if value is None or value is pd.NA or value != value:  # noqa: PLR0124  NaN
        return None
    if isinstance(value, pd.Timestamp):
        return value.date().isoformat()
    return value.item() if isinstance(value, np.generic) else value
