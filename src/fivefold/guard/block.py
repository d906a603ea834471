"""Block: admitted rows of one type of number as one array, made a table only where somebody needs one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

if TYPE_CHECKING:
    import numpy as np


class Block:
    """Rows as one array.

    Attributes:
        names: Of the columns.
        values: (n, d) finite numbers.
    """

    def __init__(self, index: pd.Index, names: tuple[str, ...], values: np.ndarray) -> None:
        """Take the columns, as an index of pandas and by name, and (n, d) numbers."""
        self._index, self.names, self.values = index, names, values
        self._frame: pd.DataFrame | None = None

    def __len__(self) -> int:
        return len(self.values)

    def keys(self) -> tuple[str, ...]:
        """Return the names: it is recorded like any mapping of columns."""
        return self.names

    def columns(self) -> dict[str, np.ndarray]:
        """Return (n,) numbers by column."""
        return dict(zip(self.names, self.values.T, strict=True))

    def frame(self) -> pd.DataFrame:
        """Return the table; the same one each time."""
        if self._frame is None:
            self._frame = pd.DataFrame(self.values, columns=self._index, copy=False)
        return self._frame
