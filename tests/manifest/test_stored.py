"""Column names of stored tables, compared with those that pyarrow and pandas read."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import feather, parquet

from fivefold.errors import InputError
from fivefold.manifest.stored import stored_columns

if TYPE_CHECKING:
    from pathlib import Path

FRAME = pd.DataFrame(
    {
        "a": [1, 2],
        "ü b": ["x", "y"],
        "list": [[1], [2]],
        "nested": [{"k": 1, "m": {"z": 2}}, {"k": 2, "m": {"z": 2}}],
        "cat": pd.Categorical(["u", "v"]),
        "when": pd.to_datetime(["2020-01-01", "2021-01-01"]),
    },
    index=[5, 6],
)


@pytest.mark.parametrize("columns", [1, 14, 15, 300])
def test_any_number_of_columns(tmp_path: Path, columns: int) -> None:
    """Short and long lists of columns are told apart rightly (their length is written in two ways)."""
    frame = pd.DataFrame({f"c{index}": [0] for index in range(columns)})
    frame.to_parquet(tmp_path / "x.parquet")
    feather.write_feather(frame, tmp_path / "x.feather")
    for name in ("x.parquet", "x.feather"):
        assert stored_columns(tmp_path / name) == tuple(frame.columns)


def test_nested_types_and_an_index_of_pandas(tmp_path: Path) -> None:
    """Inner fields are no columns, and a stored index is none either."""
    FRAME.to_parquet(tmp_path / "x.parquet")
    table = pa.Table.from_pandas(FRAME, preserve_index=False)
    feather.write_feather(table, tmp_path / "x.feather")
    with pa.OSFile(str(tmp_path / "x.arrow"), "wb") as file, pa.ipc.new_stream(file, table.schema) as writer:
        writer.write_table(table)
    for name in ("x.parquet", "x.feather", "x.arrow"):
        assert stored_columns(tmp_path / name) == tuple(FRAME.columns)
    assert set(parquet.read_schema(tmp_path / "x.parquet").names) > set(FRAME.columns)


def test_a_text_named_parquet_is_refused(tmp_path: Path) -> None:
    """The name of a file does not make it a table."""
    file = tmp_path / "x.parquet"
    file.write_text("a,b\n1,2\n")
    with pytest.raises(InputError) as caught:
        stored_columns(file)
    assert caught.value.code == "manifest.unreadable"
