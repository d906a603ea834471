"""Repeats: rows that occur more than once, and whether they are copies or what few possible values make likely.

Intervals take rows as independent. A row that was copied twenty times would count as twenty, so copies count once.
Where features have few values, equal rows are honest and frequent: then the training data hold about as many equals of
a test row as the test data do, and every row counts.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from collections.abc import Callable

    from fivefold.contract.subject import Table

_NAN_BITS = np.uint64(0x7FF8000000000000)
_SHARE = 0.02
_FACTOR = 2.0
_GUESS_FACTOR = 50.0
_FEW = 0.005
_SAMPLE = 20_000


@dataclass(frozen=True)
class Repeats:
    """Which rows count.

    Attributes:
        keep: (k,) positions of the rows that count, rising.
        rows: Rows that there were.
        repeated: Rows that equal an earlier one.
        once: Whether repeated rows were left out.
    """

    keep: np.ndarray
    rows: int
    repeated: int
    once: bool

    @property
    def limit(self) -> str:
        """What a reader has to know; empty if nothing was left out."""
        if not self.once:
            return ""
        return (
            f"{self.repeated} of {self.rows} test rows equal an earlier one, more than chance explains; "
            "each is counted once."
        )


def counted(table: Table, train: Callable[[], Table | None]) -> Repeats:
    """Say which rows of a table count.

    Args:
        table: n rows.
        train: Gives the training data, or None where there are none; asked only if rows repeat.

    Returns:
        All rows, or the first of each where pairs of equal rows exceed what is expected: the rate of equals between
        training and test rows; without training data what independent columns would give, taken fifty times.
    """

    def expected(codes: np.ndarray) -> float:
        other = train()
        return crossing(codes, hashes(other)) if other is not None and len(other) else independent(table)

    return told(hashes(table), expected)


def told(codes: np.ndarray, expected: Callable[[np.ndarray], float]) -> Repeats:
    """Say which rows count, as :func:`counted`.

    Args:
        codes: (n,) uint64, see :func:`hashes`.
        expected: Gives the share of pairs that are equal by chance from ``codes``: :func:`crossing` with the training
            data or :func:`independent`; asked only if rows repeat.
    """
    first = np.sort(np.unique(codes, return_index=True)[1])
    n, repeated = len(codes), len(codes) - len(first)
    every = Repeats(np.arange(n), n, repeated, once=False)
    if repeated <= _FEW * n:
        return every
    counts = np.unique(codes, return_counts=True)[1].astype(np.float64)
    pairs = float((counts * (counts - 1)).sum() / 2)
    honest = expected(codes) * n * (n - 1) / 2
    return Repeats(first, n, repeated, once=True) if pairs - honest > _SHARE * n else every


def crossing(one: np.ndarray, other: np.ndarray) -> float:
    """Return twice the share of pairs of one row from each side that are equal, both (n,) hashes."""
    values, counts = np.unique(one, return_counts=True)
    others, more = np.unique(other, return_counts=True)
    _, at, where = np.intersect1d(values, others, assume_unique=True, return_indices=True)
    return _FACTOR * float((counts[at].astype(np.float64) * more[where]).sum() / (len(one) * len(other)))


def independent(table: Table) -> float:
    """Return fifty times the share of pairs that were equal if the columns were independent."""
    few = np.linspace(0, len(table) - 1, min(len(table), _SAMPLE)).astype(np.int64)
    part = table.take(few)
    columns = [_bits(part.features[name]) for name in part.features.columns]
    if part.inputs is not None:
        columns.append(_inputs(part.inputs))
    rate = 1.0
    for bits in [*columns, _float_bits(np.asarray(part.target, dtype=np.float64))]:
        share = np.unique(bits, return_counts=True)[1] / len(bits)
        rate *= float((share**2).sum())
    return _GUESS_FACTOR * rate


def hashes(table: Table) -> np.ndarray:
    """Return (n,) uint64 hashes of features, inputs and target that do not depend on how numbers are stored."""
    mixed = np.zeros(len(table), dtype=np.uint64)
    for name in table.features.columns:
        mixed = _mix(mixed ^ _bits(table.features[name]))
    if table.inputs is not None:
        mixed = _mix(mixed ^ _inputs(table.inputs))
    return _mix(mixed ^ _float_bits(np.asarray(table.target, dtype=np.float64)))


def _inputs(values: np.ndarray) -> np.ndarray:
    """Return (n,) uint64 of images, series or recordings: a few positions at a time, so that memory stays small."""
    flat = values.reshape(len(values), -1)
    mixed = np.zeros(len(flat), dtype=np.uint64)
    for at in range(flat.shape[1]):
        mixed = _mix(mixed ^ _float_bits(flat[:, at].astype(np.float64)))
    return mixed


def _bits(column: pd.Series) -> np.ndarray:
    """Return (n,) uint64 that are equal where the values are equal, missing values included."""
    if pd.api.types.is_numeric_dtype(column) or pd.api.types.is_datetime64_any_dtype(column):
        return _float_bits(numbers(column))
    cells = column if isinstance(column.dtype, pd.StringDtype) else column.astype(object)
    codes, levels = pd.factorize(cells, use_na_sentinel=True)
    table = np.append(pd.util.hash_array(np.asarray(levels.astype(str), dtype=object)), _NAN_BITS)
    return cast("np.ndarray", table[codes])


def _float_bits(values: np.ndarray) -> np.ndarray:
    bits = (values + 0.0).view(np.uint64)  # adding 0.0 turns -0.0 into 0.0
    return np.where(np.isnan(values), _NAN_BITS, bits)


def _mix(value: np.ndarray) -> np.ndarray:
    """Scramble (splitmix64, Steele et al. 2014), so that columns do not cancel each other."""
    value = value + np.uint64(0x9E3779B97F4A7C15)
    value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return cast("np.ndarray", value ^ (value >> np.uint64(31)))


def numbers(column: pd.Series) -> np.ndarray:
    """Return (n,) float64 of a numeric or date column; missing is NaN, dates are days since 1970."""
    if pd.api.types.is_datetime64_any_dtype(column):
        naive = column.dt.tz_convert(None) if getattr(column.dt, "tz", None) is not None else column
        days = naive.astype("datetime64[us]").astype("int64").to_numpy() / 8.64e10
        return np.where(column.isna().to_numpy(), np.nan, days)
    return np.array(column.to_numpy(dtype=np.float64, na_value=np.nan))
