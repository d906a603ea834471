"""Pipelines: what programs do to an application's rows, for the canary of T1.propagation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import pyarrow as pa

    from fivefold.traceability.labels.flow import Library

KEY = "fivefold_row"
"""Column that numbers the rows."""


def _frame_from_numbers(a: Any, b: Any) -> Any:
    """Return the rows' hashes and those of the other frame as a bare array made a frame: no library keeps a label."""
    one, other = pd.util.hash_pandas_object(a, index=False), pd.util.hash_pandas_object(b, index=False)
    return pd.DataFrame(np.column_stack([one.to_numpy()[: len(other)] >> 11, other.to_numpy()[: len(one)] >> 11]))


def _counted(a: Any, b: Any) -> Any:
    first = next(name for name in a.columns if name != KEY)
    return a.merge(b, on=KEY).groupby(first, dropna=False).size().reset_index(name="rows")


CARRIED: dict[str, tuple[Library, Callable[[Any, Any], Any]]] = {
    "pandas merge": ("pandas", lambda a, b: a.merge(b, on=KEY)),
    "pandas concat": ("pandas", lambda a, b: pd.concat([a.set_index(KEY), b.set_index(KEY)], axis=1)),
    "pandas group": ("pandas", _counted),
    "pandas sort": ("pandas", lambda a, b: a.sort_values(KEY, ascending=False).head(len(b))),
    "bare arrays": ("pandas", _frame_from_numbers),
    "arrow join": ("arrow", lambda a, b: a.join(b, KEY)),
    "arrow select": ("arrow", lambda a, b: a.select([KEY]).slice(0, max(1, len(b) // 2))),
    "arrow to pandas": ("arrow", lambda a, b: a.join(b, KEY).to_pandas()),
}
"""Name to the library that reads, and what is made of two frames."""


def _past_pandas(a: pd.DataFrame, out: Path) -> None:
    a.to_csv(out, index=False)


def _past_arrow(a: pa.Table, out: Path) -> None:
    from pyarrow import csv

    csv.write_csv(a, out)


def _past_parquet(a: pa.Table, out: Path) -> None:
    from pyarrow import parquet

    parquet.write_table(a, out)


PAST: dict[str, tuple[Library, str, Callable[[Any, Path], None]]] = {
    "pandas writes": ("pandas", "csv", _past_pandas),
    "arrow writes": ("arrow", "parquet", _past_parquet),
}
"""Writing past the flow: name to library, ending, and the library's own writer."""
