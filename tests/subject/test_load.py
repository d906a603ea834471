"""Stored tables are read as they are: types, missing values, order, and what cannot be read is said."""

from __future__ import annotations

import gzip
import hashlib
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import feather, parquet

from fivefold.errors import InputError
from fivefold.manifest.nouns import DataSet, Feature
from fivefold.subject.load import read
from fivefold.subject.tables import Coding, Store

if TYPE_CHECKING:
    from pathlib import Path

CSV = b"""\xef\xbb\xbfnumber,word,day,code,half,flag,odd
1,red,2020-01-01,00123,NA,True,1
2,"green, ""deep"" sea",2020-02-30,00456,0.5,False,x
,NA,2021-01-01,,nan,True,2
4,?,,00789,1e3,False,?
"""


def write(place: Path, data: bytes) -> Path:
    """Write bytes to a file."""
    place.write_bytes(data)
    return place


@pytest.mark.parametrize("ending", [".csv", ".csv.gz"])
def test_a_csv_file_keeps_texts_and_reads_numbers(tmp_path: Path, ending: str) -> None:
    """Empty cells and declared texts are missing; NA is missing among numbers and a word among words."""
    place = write(tmp_path / f"t{ending}", gzip.compress(CSV) if ending.endswith("gz") else CSV)
    frame = read(place, missing=["?"], strings=["code"])
    assert list(frame.columns) == ["number", "word", "day", "code", "half", "flag", "odd"]
    assert frame["number"].dtype == np.float64
    assert frame["word"].tolist()[:3] == ["red", 'green, "deep" sea', "NA"]
    assert frame["word"].isna().tolist() == [False, False, False, True]
    assert frame["day"].dropna().tolist() == ["2020-01-01", "2020-02-30", "2021-01-01"]
    assert frame["code"].dropna().tolist() == ["00123", "00456", "00789"]
    assert frame["half"].isna().tolist() == [True, False, True, False]
    assert frame["half"].dropna().tolist() == [0.5, 1000.0]
    assert frame["flag"].dtype == bool
    assert frame["odd"].dropna().tolist() == ["1", "x", "2"]


def test_a_column_that_turns_into_text_late_is_text_from_the_start(tmp_path: Path) -> None:
    """Reading in chunks does not leave numbers and texts in one column."""
    rows = ["1"] * 400_000 + ["x"]
    place = write(tmp_path / "t.csv", ("a,b\n" + "\n".join(f"{value},{at}" for at, value in enumerate(rows))).encode())
    frame = read(place)
    assert set(frame["a"].map(type)) == {str}
    assert frame["b"].dtype == np.int64


TYPED = pd.DataFrame(
    {
        "whole": pd.Series([1, 2, None], dtype="Int64"),
        "real": [1.5, None, 3.0],
        "text": ["a", None, "ü"],
        "kind": pd.Series(["x", "y", None], dtype="category"),
        "time": pd.to_datetime(["2020-01-01", None, "2021-01-01"]),
        "x.1": [True, False, True],
    }
)


def _arrow_stream(frame: pd.DataFrame, place: Path) -> None:
    table = pa.Table.from_pandas(frame)
    with pa.OSFile(str(place), "wb") as sink, pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)


@pytest.mark.parametrize(
    ("name", "writer"),
    [
        ("t.parquet", lambda frame, place: frame.to_parquet(place)),
        ("t.pq", lambda frame, place: parquet.write_table(pa.Table.from_pandas(frame), place, row_group_size=2)),
        ("t.feather", feather.write_feather),
        ("t.arrow", _arrow_stream),
    ],
)
def test_typed_files_keep_their_types(tmp_path: Path, name: str, writer: object) -> None:
    """Nullable integers, categories, times, and names with dots."""
    writer(TYPED, tmp_path / name)  # type: ignore[operator]
    back = read(tmp_path / name)
    pd.testing.assert_frame_equal(back, TYPED, check_dtype=True, check_column_type=False)


def test_stored_indexes_dates_and_decimals_become_plain(tmp_path: Path) -> None:
    """A named index is a column, an unnamed one is dropped; dates are times, decimals numbers."""
    from datetime import date
    from decimal import Decimal

    frame = pd.DataFrame(
        {"d": [date(2020, 1, 1), None], "n": [Decimal("1.5"), None]}, index=pd.Index([5, 7], name="id")
    )
    frame.to_parquet(tmp_path / "a.parquet")
    back = read(tmp_path / "a.parquet")
    assert set(back.columns) == {"id", "d", "n"}
    assert back["d"].dtype.kind == "M"
    assert back["n"].tolist()[0] == 1.5
    frame.rename_axis(None).to_parquet(tmp_path / "b.parquet")
    assert list(read(tmp_path / "b.parquet").columns) == ["d", "n"]


@pytest.mark.parametrize(
    ("name", "data", "code"),
    [
        ("a.csv", b"", "data.empty"),
        ("a.csv", b"a,b\n1,2,3\n", "data.ragged"),
        ("a.csv", b"a,b\n1,2\n1,2,3,4\n", "data.ragged"),
        ("a.csv", b"a\n\xff\xfe\n", "data.encoding"),
        ("a.csv.gz", b"not gzip", "data.unreadable"),
        ("a.csv.gz", gzip.compress(CSV)[:-20], "data.unreadable"),
        ("a.parquet", b"PAR1 nothing", "data.unreadable"),
        ("a.arrow", b"nothing", "data.unreadable"),
    ],
)
def test_what_cannot_be_read_is_said(tmp_path: Path, name: str, data: bytes, code: str) -> None:
    """No traceback, no half table."""
    with pytest.raises(InputError) as caught:
        read(write(tmp_path / name, data))
    assert caught.value.code == code


def test_nested_columns_are_refused_by_name(tmp_path: Path) -> None:
    """Lists and bytes are no plain values."""
    pd.DataFrame({"ok": [1], "lists": [[1, 2]]}).to_parquet(tmp_path / "a.parquet")
    with pytest.raises(InputError) as caught:
        read(tmp_path / "a.parquet")
    assert caught.value.code == "data.nested"
    assert "lists" in caught.value.message


def test_only_the_planned_bytes_are_read(tmp_path: Path) -> None:
    """One byte more, and nothing is measured."""
    place = write(tmp_path / "t.csv", CSV)
    digest = hashlib.sha256(CSV).hexdigest()
    assert len(read(place, sha256=digest)) == 4
    write(place, CSV + b"\n")
    with pytest.raises(InputError) as caught:
        read(place, sha256=digest)
    assert caught.value.code == "data.changed"


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """Return two sets whose columns stand in different order."""
    write(tmp_path / "train.csv", b"id,a,b,secret,y\n1,1.5,x,u,yes\n2,2.5,,v,no\n")
    write(tmp_path / "test.csv", b"y,b,a,more,secret,id\nno,,3,9,u,3\n,,4,9,v,4\nmaybe,,5,9,v,5\n")
    shared = {"target": "y", "drop": ("secret",), "protected": ("secret",), "id": "id"}
    sets = {name: DataSet(name=name, path=f"{name}.csv", **shared) for name in ("train", "test")}  # type: ignore[arg-type]
    return Store(tmp_path, sets, {"b": Feature(type="string")}, seen={"a": "number", "b": "string"})


def test_a_table_holds_what_the_model_sees_in_the_order_of_the_training_data(store: Store) -> None:
    """Target, id and dropped columns are hidden; extra columns are not shown; unknown labels are -1."""
    table = store.table("test", Coding("binary", ("no", "yes")))
    assert list(table.features.columns) == ["a", "b"]
    assert set(table.others.columns) == {"secret", "more"}
    assert table.target.tolist() == [0, -1, -1]
    assert table.column("secret").tolist() == ["u", "v", "v"]
    assert table.features["b"].dtype == store.table("train", Coding("binary", ("no", "yes"))).features["b"].dtype


def test_columns_that_the_model_saw_in_training_must_be_there(store: Store) -> None:
    """A renamed column is an error with its name, not a column of missing values."""
    write(store.root / "test.csv", b"y,b,A,secret,id\nno,,3,u,3\n")
    with pytest.raises(InputError) as caught:
        store.table("test", Coding("binary", ("no", "yes")))
    assert caught.value.code == "data.columns"
    assert "data.train: a." in caught.value.message


def test_a_regression_refuses_a_target_of_words(store: Store) -> None:
    """A number that cannot be read is not quietly missing."""
    with pytest.raises(InputError) as caught:
        store.table("train", Coding("regression"))
    assert caught.value.code == "data.target"
