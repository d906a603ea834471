"""Tables cross between processes bit for bit, and nothing malformed is built."""

from __future__ import annotations

import math
from typing import Any

import msgspec
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fivefold.errors import InputError, SubjectError
from fivefold.subject.batch import Batch, Tensor, array, decode, encode, from_array, series

FLOATS = st.floats(allow_nan=True, allow_infinity=True)
TEXTS = st.one_of(st.none(), st.text(max_size=8), st.just(math.nan))
SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**63), 2**63 - 1), st.floats(allow_nan=False), st.text(max_size=5)
)


def across(frame: pd.DataFrame) -> pd.DataFrame:
    """Send a frame over the wire."""
    return decode(msgspec.msgpack.decode(msgspec.msgpack.encode(encode(frame)), type=Batch))


@given(st.lists(st.tuples(FLOATS, TEXTS, SCALARS, st.integers(-(2**63), 2**63 - 1)), max_size=20))
@settings(max_examples=80, deadline=None)
def test_any_rows_come_back_as_they_were(rows: list[tuple[Any, ...]]) -> None:
    """Every bit of a float, every kind of missing text, every scalar with its type."""
    frame = pd.DataFrame(
        {
            "float": np.array([row[0] for row in rows], dtype=np.float64),
            "text": pd.Series([row[1] for row in rows], dtype=object),
            "mixed": pd.Series([row[2] for row in rows], dtype=object),
            "whole": np.array([row[3] for row in rows], dtype=np.int64),
        }
    )
    back = across(frame)
    assert back["float"].to_numpy().tobytes() == frame["float"].to_numpy().tobytes()
    for name in ("text", "mixed"):
        assert list(map(_exact, back[name])) == list(map(_exact, frame[name]))
    assert back["whole"].equals(frame["whole"])


def _exact(value: Any) -> tuple[type, str]:
    return type(value), repr(value)


@pytest.mark.parametrize(
    "column",
    [
        pd.Series(["a", None, "é", ""], dtype="str"),
        pd.Series(["a", None, "b"], dtype="string"),
        pd.Series([1, None, 3], dtype="Int64"),
        pd.Series([True, None, False], dtype="boolean"),
        pd.Series([1.5, None], dtype="Float64"),
        pd.Series([True, False]),
        pd.Series([1, 2], dtype="uint8"),
        pd.Series([1.5, math.nan], dtype="float32"),
        pd.Series(["x", None, "y"], dtype="category"),
        pd.Series(pd.Categorical([3, 1, None], categories=[3, 2, 1], ordered=True)),
        pd.Series(pd.to_datetime(["2020-01-01", None, "2021-06-01T12:30:00.123456"], format="ISO8601")),
        pd.Series(pd.to_datetime(["2020-01-01", "2020-07-01"]).tz_localize("Europe/Vienna")),
        pd.Series([None, None], dtype=object),
        pd.Series([math.nan, None, "x"], dtype=object),
        pd.Series([], dtype="float64"),
        pd.Series([], dtype="str"),
        pd.Series(["\ud800", "ok"], dtype=object),
    ],
    ids=lambda column: str(column.dtype),
)
def test_every_type_of_column_comes_back(column: pd.Series) -> None:
    """Values, missing values and type."""
    frame = column.to_frame("c")
    pd.testing.assert_frame_equal(across(frame), frame)


def test_names_order_and_empty_frames_stay() -> None:
    """Two columns of one name, no column, no row."""
    doubled = pd.DataFrame([[1, "a"]], columns=["x", "x"])
    assert list(across(doubled).columns) == ["x", "x"]
    assert across(pd.DataFrame(index=range(3))).shape == (3, 0)
    assert across(pd.DataFrame({"a": []})).shape == (0, 1)


def test_what_came_back_can_be_written_to() -> None:
    """Models change their input in place."""
    back = across(pd.DataFrame({"a": [1.0, 2.0]}))
    values = back["a"].to_numpy(copy=True)
    values[0] = 9
    back.loc[0, "a"] = 5.0
    assert back["a"].tolist() == [5.0, 2.0]


@pytest.mark.parametrize(
    "values",
    [np.arange(6).reshape(2, 3), np.zeros((0, 2)), np.array(["no", "yes"]), np.array([True]), np.array([1, "a", None])],
)
def test_answers_come_back(values: np.ndarray) -> None:
    """Arrays of numbers in any shape, labels in one dimension."""
    tensor = msgspec.msgpack.decode(msgspec.msgpack.encode(array(values)), type=Tensor)
    assert from_array(tensor).tolist() == values.tolist()


@pytest.mark.parametrize(
    "column",
    [pd.Series([1j]), pd.Series([object()]), pd.Series([2**70], dtype=object), pd.Series([pd.Timedelta("1D")])],
)
def test_what_cannot_cross_is_named(column: pd.Series) -> None:
    """No silent conversion."""
    with pytest.raises(InputError) as caught:
        encode(column.to_frame("c"))
    assert caught.value.code == "batch.type"


GOOD = encode(pd.DataFrame({"t": ["ab", None, "c"]}, dtype=object)).columns[0]
BAD = [
    Tensor("x", "plain", "float64", (3,), b"1234"),
    Tensor("x", "plain", "object", (1,), b"12345678"),
    Tensor("x", "plain", "float64", (-1,), b""),
    Tensor("x", "plain", "float64", (2**40,), b""),
    Tensor("x", "plain", "int8", (2, 2), b"1234"),
    Tensor("x", "masked", "int64", (1,), b"12345678"),
    Tensor("x", "masked", "Int64", (2,), bytes(16), b"\0"),
    Tensor("x", "time", "fortnight", (1,), bytes(8)),
    Tensor("x", "time", "ns", (1,), bytes(8), extra="Nowhere/Land"),
    Tensor("x", "mixed", "", (2,), scalars=["a"]),
    Tensor("x", "category", "", (1,), (5).to_bytes(4, "little"), levels=(GOOD,)),
    Tensor("x", "category", "", (1,), bytes(4), levels=()),
    msgspec.structs.replace(GOOD, offsets=b""),
    msgspec.structs.replace(GOOD, offsets=np.array([0, 9, 3]).tobytes()),
    msgspec.structs.replace(GOOD, offsets=np.array([1, 2, 3]).tobytes()),
    msgspec.structs.replace(GOOD, codes=np.array([0, 7, 1], dtype=np.int32).tobytes()),
    msgspec.structs.replace(GOOD, codes=np.array([0, -2, 1], dtype=np.int32).tobytes()),
    msgspec.structs.replace(GOOD, data=b"\xff\xfe\xfd"),
    msgspec.structs.replace(GOOD, mask=b"\0"),
    msgspec.structs.replace(GOOD, shape=(2,)),
    msgspec.structs.replace(GOOD, dtype="int64"),
]


@pytest.mark.parametrize("tensor", BAD, ids=range(len(BAD)))
def test_a_malformed_tensor_is_refused(tensor: Tensor) -> None:
    """Sizes, types, offsets and places are checked before anything is built."""
    with pytest.raises(SubjectError) as caught:
        series(tensor)
    assert caught.value.code == "batch.malformed"


def test_columns_of_different_length_are_refused() -> None:
    """A batch has one number of rows."""
    with pytest.raises(SubjectError):
        decode(Batch(2, (array(np.zeros(2), "a"), array(np.zeros(3), "b"))))
