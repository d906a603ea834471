"""Kinds: what the values of a column are, whatever file they stand in, and columns read as a kind says."""

from __future__ import annotations

import re
from functools import cache

import pyarrow as pa
import pyarrow.compute as pc

from fivefold.errors import InputError

NULL, INTEGER, UNSIGNED, NUMBER, SINGLE = "null", "integer", "unsigned", "number", "float32"
BOOLEAN, TEXT, BYTES, DATE, DECIMAL, CLOCK = "boolean", "text", "bytes", "date", "decimal", "time"
MOMENT = re.compile(r"(timestamp|duration)\[(us|ns)\](?: (utc))?")

_TYPES = {
    NULL: pa.null(),
    INTEGER: pa.int64(),
    UNSIGNED: pa.uint64(),
    NUMBER: pa.float64(),
    SINGLE: pa.float32(),
    BOOLEAN: pa.bool_(),
    TEXT: pa.large_string(),
    DECIMAL: pa.large_string(),
    BYTES: pa.large_binary(),
    DATE: pa.date32(),
    CLOCK: pa.time64("ns"),
}
_SIMPLE = (
    (pa.types.is_null, NULL),
    (pa.types.is_boolean, BOOLEAN),
    (pa.types.is_uint64, UNSIGNED),
    (pa.types.is_integer, INTEGER),
    (pa.types.is_float64, NUMBER),
    (pa.types.is_floating, SINGLE),
    (pa.types.is_string, TEXT),
    (pa.types.is_large_string, TEXT),
    (pa.types.is_string_view, TEXT),
    (pa.types.is_date, DATE),
    (pa.types.is_decimal, DECIMAL),
    (pa.types.is_time, CLOCK),
    (pa.types.is_binary, BYTES),
    (pa.types.is_large_binary, BYTES),
    (pa.types.is_binary_view, BYTES),
    (pa.types.is_fixed_size_binary, BYTES),
)


def kind_of(name: str, dtype: pa.DataType) -> str:
    """Return the kind of an Arrow type; a category is what its values are.

    Raises:
        InputError: ``label.kind`` for lists, structures and other nested values.
    """
    if pa.types.is_dictionary(dtype):
        return kind_of(name, dtype.value_type)
    for test, kind in _SIMPLE:
        if test(dtype):
            return kind
    unit = "ns" if getattr(dtype, "unit", "") == "ns" else "us"
    if pa.types.is_timestamp(dtype):
        return f"timestamp[{unit}]" + (" utc" if dtype.tz else "")
    if pa.types.is_duration(dtype):
        return f"duration[{unit}]"
    raise InputError(
        "label.kind",
        f"the column {name[:60]} holds {str(dtype)[:60]}, which no label can be bound to.",
        remedy="Store nested values as texts or as columns of their own.",
    )


@cache
def type_of(kind: str) -> pa.DataType | None:
    """Return the Arrow type in which values of a kind are hashed; None for a kind that this version does not know."""
    moment = MOMENT.fullmatch(kind)
    if moment is None:
        return _TYPES.get(kind)
    if moment[1] == "duration":
        return pa.duration(moment[2])
    return pa.timestamp(moment[2], "UTC" if moment[3] else None)


def read_as(column: pa.Array, kind: str) -> pa.Array | None:
    """Return a column's values in the type of a kind, or None where they are none of it.

    Texts become what the kind says, as they stand in a CSV file; numbers change their width only without loss; NaN
    is a missing value.
    """
    wanted = type_of(kind)
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if wanted is None or _zones_differ(column.type, wanted):
        return None
    if kind == NULL or column.null_count == len(column):
        return pa.nulls(len(column), wanted) if column.null_count == len(column) else None
    try:
        return column if column.type == wanted else _exact(column, wanted)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return None


def _exact(column: pa.Array, wanted: pa.DataType) -> pa.Array | None:
    """Return values in another type, or None where one of them is lost on the way there and back.

    Without this a time hidden in a date, or a truth value of 2, would be read as what was labelled.
    """
    found = _cast(column, wanted)
    if _is_text(column.type) or _is_text(wanted):
        return found
    same = pc.equal(found.cast(column.type), column)
    if pa.types.is_floating(column.type):
        same = pc.or_(same, pc.is_nan(column))
    return found if pc.all(same, min_count=0).as_py() else None


def _is_text(dtype: pa.DataType) -> bool:
    return bool(pa.types.is_string_view(dtype) or pa.types.is_string(dtype) or pa.types.is_large_string(dtype))


def _cast(column: pa.Array, wanted: pa.DataType) -> pa.Array:
    if _is_text(column.type):
        if not pa.types.is_large_string(wanted):
            column = pc.if_else(pc.equal(column, ""), None, column)
        if pa.types.is_timestamp(wanted) and wanted.tz is None:
            return column.cast(wanted)
    if pa.types.is_float32(wanted):
        return column.cast(pa.float64()).cast(wanted)
    if pa.types.is_time(wanted) and pa.types.is_time32(column.type):
        column = column.cast(pa.time64("us"))
    if pa.types.is_floating(column.type) and not pa.types.is_floating(wanted):
        column = pc.if_else(pc.is_nan(column), None, column)
    return column.cast(wanted)


def _zones_differ(one: pa.DataType, other: pa.DataType) -> bool:
    """Return whether both are moments, and only one of them is bound to a zone."""
    return pa.types.is_timestamp(one) and pa.types.is_timestamp(other) and (one.tz is None) != (other.tz is None)
