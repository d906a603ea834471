"""Series: a long table with an id and a time for each line, as one array; ends that are missing are NaN."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from fivefold.errors import InputError
from fivefold.subject import load
from fivefold.subject.inputs.stored import Stored, require_room
from fivefold.subject.kinds import column_fact

if TYPE_CHECKING:
    from fivefold.manifest.nouns import DataSet
    from fivefold.subject.inputs.stored import Source

_DATE = r"^\d{4}-\d{2}-\d{2}"


def read(source: Source) -> Stored:
    """Read a long table: lines in any order, series of any length.

    Returns:
        (n, C, T) float32, the steps of each series in the order of time, NaN behind its last and where a value is
        missing; a line for each series, in the order in which its id first occurs, with the columns that do not
        change along it.

    Raises:
        InputError: As :func:`fivefold.subject.load.read`; ``data.series`` for lines without id or time, two lines at
            the same time, a target or protected column that changes along a series, or a channel that holds no
            numbers; ``data.large``.
    """
    data = source.data
    long = load.read(
        source.root / data.path, missing=data.missing, strings=source.strings, sha256=source.files[data.path]
    )
    for field in (data.id, data.time):
        _require_column(data, long, field)
    index = _index(source)
    codes, ids = pd.factorize(long[data.id], use_na_sentinel=True)
    times = _times(data, long[data.time])
    _require_lines(data, codes, times)
    order = np.lexsort((times, codes))
    _require_distinct(data, codes[order], times[order])
    hidden = {data.id, data.time, data.target, *data.drop, *data.protected}
    channels = [name for name in long.columns if name not in hidden]
    if not channels:
        raise _fault(data, "it has no column that the model could see", "Take a column out of `drop:`.")
    lengths = np.bincount(codes, minlength=len(ids))
    longest = int(lengths.max(initial=0))
    size = 4 * len(ids) * len(channels) * longest
    require_room(size, f"{len(ids):,} series of up to {longest:,} steps", data.path)
    values = np.full((len(ids), len(channels), longest), np.nan, dtype=np.float32)
    rows = codes[order]
    steps = np.arange(len(rows)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    for at, name in enumerate(channels):
        values[rows, at, steps] = _numbers(data, long[name])[order]
    facts = tuple(column_fact(name, long[name]) for name in channels)
    frame = _lines(data, long, codes, ids, [name for name in long.columns if name not in channels])
    if index is not None:
        frame, values = _beside(data, frame, values, index)
    return Stored(frame, values, facts)


def _index(source: Source) -> pd.DataFrame | None:
    data = source.data
    if not data.index:
        return None
    found = load.read(
        source.root / data.index, missing=data.missing, strings=source.strings, sha256=source.files[data.index]
    )
    _require_column(data, found, data.id)
    if found[data.id].isna().any() or not found[data.id].is_unique:
        raise _fault(data, "the index names a series twice, or not at all", "Give each series one line.")
    return found


def _beside(
    data: DataSet, frame: pd.DataFrame, values: np.ndarray, index: pd.DataFrame
) -> tuple[pd.DataFrame, np.ndarray]:
    """Return lines of the index, in its order, and the series that belong to them."""
    at = pd.Index(frame[data.id].astype(str)).get_indexer(pd.Index(index[data.id].astype(str)))
    if (at < 0).any() or len(index) != len(frame):
        lacking, extra = int((at < 0).sum()), len(frame) - int((at >= 0).sum())
        why = f"{lacking} series of the index have no line, and {extra} series are not in the index"
        raise _fault(data, why, "Let index and data name the same series.")
    more = [name for name in frame.columns if name not in index.columns]
    return pd.concat([index, frame[more].iloc[at].reset_index(drop=True)], axis=1), values[at]


def _require_column(data: DataSet, frame: pd.DataFrame, name: str) -> None:
    if name not in frame.columns:
        known = ", ".join(map(str, list(frame.columns)[:30]))
        raise _fault(data, f'there is no column "{name}"', f"Its columns are: {known}.")


def _times(data: DataSet, column: pd.Series) -> np.ndarray:
    """Return times as float64 that grow with time, NaN where missing."""
    if pd.api.types.is_datetime64_any_dtype(column):
        return _stamps(column)
    if pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column):
        return np.asarray(column.to_numpy(dtype=np.float64, na_value=np.nan))
    texts = column.dropna().astype(str)
    if bool(texts.str.match(_DATE).all()):
        try:
            return _stamps(pd.to_datetime(column, format="ISO8601", utc=True))
        except (ValueError, TypeError):
            pass
    why = f'the time "{data.time}" holds neither numbers nor dates like 2024-01-31'
    raise _fault(data, why, "Write ISO dates, or count the steps.")


def _stamps(column: pd.Series) -> np.ndarray:
    plain = column.dt.tz_convert("UTC").dt.tz_localize(None) if getattr(column.dtype, "tz", None) else column
    whole = plain.astype("datetime64[us]")
    found = whole.astype("int64").to_numpy(dtype=np.float64)
    return np.where(whole.isna().to_numpy(), np.nan, found)


def _numbers(data: DataSet, column: pd.Series) -> np.ndarray:
    if not pd.api.types.is_numeric_dtype(column):
        why = f'the column "{column.name}" is a channel, and holds no numbers'
        raise _fault(data, why, "Encode it in the data, or name it under `drop:`.")
    found = column.to_numpy(dtype=np.float64, na_value=np.nan)
    if np.isinf(found).any():
        raise _fault(data, f'the column "{column.name}" holds infinite values', "Leave them empty, or mend them.")
    return np.asarray(found, dtype=np.float32)


def _require_lines(data: DataSet, codes: np.ndarray, times: np.ndarray) -> None:
    lost = int(((codes < 0) | ~np.isfinite(times)).sum())
    if lost:
        raise _fault(data, f"{lost:,} lines have no id or no time", "Fill them in, or leave those lines out.")


def _require_distinct(data: DataSet, codes: np.ndarray, times: np.ndarray) -> None:
    twice = int(((np.diff(codes) == 0) & (np.diff(times) == 0)).sum())
    if twice:
        why = f"{twice:,} lines have the same id and time as another"
        raise _fault(data, why, "Keep one line for each step, or choose a finer time.")


def _lines(data: DataSet, long: pd.DataFrame, codes: np.ndarray, ids: pd.Index, names: list[str]) -> pd.DataFrame:
    """Return the columns that do not change along a series, one line for each series."""
    first = np.full(len(ids), len(codes), dtype=np.int64)
    np.minimum.at(first, codes, np.arange(len(codes)))
    kept = []
    for name in names:
        places, _ = pd.factorize(long[name], use_na_sentinel=True)
        varies = len(np.unique(codes[places != places[first[codes]]]))
        if not varies or name == data.id:
            kept.append(name)
        elif name == data.target or name in data.protected:
            role = "target" if name == data.target else "protected column"
            why = f'the {role} "{name}" changes along {varies:,} of {len(ids):,} series'
            raise _fault(data, why, "Give it one value for each id, or cut the series where it changes.")
    return long[kept].iloc[first].reset_index(drop=True)


def _fault(data: DataSet, why: str, remedy: str) -> InputError:
    message = f"data.{data.name} cannot be read as series: {why}."
    return InputError("data.series", message, where=data.path, remedy=remedy)
