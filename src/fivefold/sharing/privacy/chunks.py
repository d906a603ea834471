"""Chunks: a table read part by part, at most so many rows of a person, cells as numbers or as texts.

What a row is worth depends on that row alone (and, for the limit on rows, on earlier rows of the same person): a cell
that is no number never changes how the other rows are read.
"""

from __future__ import annotations

import math
import re
from itertools import repeat
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from fivefold.errors import InputError
from fivefold.manifest import scenario

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from fivefold.sharing.privacy.queries import Domain, Unit

ROWS = 200_000
"""Rows of a part."""
BLOCK = 1 << 15
"""Values that are worked on at once: what stays in a cache."""
_SOME = 1e15
_SPAN = 1 << 16
_WHOLE, _LONG = re.compile(r"-?[0-9]+"), 15


def parts(path: Path, columns: tuple[str, ...], missing: tuple[str, ...] = ()) -> Iterator[pd.DataFrame]:
    """Yield the columns of a CSV (also ``.gz``), Parquet or Arrow file, part by part.

    Raises:
        InputError: ``privacy.table`` for another kind of file, one that cannot be read, or a column that is not there.
    """
    try:
        yield from _read(path, columns, missing)
    except (OSError, ValueError, KeyError) as error:
        raise InputError(
            "privacy.table",
            f"the columns {', '.join(columns)} cannot be read ({type(error).__name__}).",
            where=path.name,
            remedy="Give a CSV, Parquet or Arrow file that has them.",
        ) from None


def _read(path: Path, columns: tuple[str, ...], missing: tuple[str, ...]) -> Iterator[pd.DataFrame]:
    name, wanted = path.name.lower(), list(columns)
    if name.endswith((".csv", ".csv.gz")):
        keep = (
            {"usecols": wanted} if wanted else {}
        )  # texts: what pandas guesses of a cell hangs on the cells around it
        with pd.read_csv(path, dtype="str", chunksize=ROWS, na_values=list(missing), **keep) as reader:  # type: ignore[call-overload]
            yield from reader
    elif name.endswith((".parquet", ".pq")):
        from pyarrow import parquet

        file = parquet.ParquetFile(path)
        if lacking := set(wanted) - set(file.schema_arrow.names):
            raise KeyError(lacking)
        for batch in file.iter_batches(ROWS, columns=wanted or None):
            yield _without(batch.to_pandas(), missing)
    elif name.endswith((".arrow", ".feather")):
        from pyarrow import feather

        frame = feather.read_table(path, columns=wanted or None, memory_map=True)
        for batch in frame.to_batches(ROWS):
            yield _without(batch.to_pandas(), missing)
    else:
        raise ValueError(name)


def _without(frame: pd.DataFrame, missing: tuple[str, ...]) -> pd.DataFrame:
    return frame.replace(list(missing), np.nan) if missing else frame


class Limit:
    """Keeps the first rows of each person; memory grows with people where a column names them, else not at all."""

    def __init__(self, unit: Unit) -> None:
        self._unit = unit
        self._seen: dict[str, int] = {}

    def keep(self, part: pd.DataFrame) -> pd.DataFrame:
        """Return the rows of the next part that are used; a row of nobody is not."""
        if not self._unit.column:
            return part
        people = part[self._unit.column]
        part, people = part[people.notna()], people[people.notna()]
        codes, levels = pd.factorize(people)
        names = [str(level).strip() for level in levels.tolist()]
        if len(set(names)) < len(names):  # spaces alone tell nobody from another
            codes, found = pd.factorize(pd.Series(names, dtype=object).to_numpy()[codes])
            names = found.tolist()
        before = np.fromiter(map(self._seen.get, names, repeat(0)), dtype=np.int64, count=len(names))
        nth = before[codes] + pd.Series(codes).groupby(codes).cumcount().to_numpy()
        after = np.minimum(before + np.bincount(codes, minlength=len(names)), self._unit.rows)
        self._seen.update(zip(names, after.tolist(), strict=True))
        return part[nth < self._unit.rows]


class Part:
    """Rows that are used, each column read once for all queries."""

    def __init__(self, frame: pd.DataFrame) -> None:
        self.frame = frame
        self._numbers: dict[str, np.ndarray] = {}
        self._cells: dict[str, np.ndarray] = {}

    def __len__(self) -> int:
        return len(self.frame)

    def where(self, condition: scenario.Expression) -> Part:
        """Return the rows that a condition names."""
        return Part(self.frame[held(condition, self.frame)])

    def number(self, name: str) -> np.ndarray:
        """Return a column as :func:`number` gives it."""
        if name not in self._numbers:
            self._numbers[name] = number(self.frame[name])
        return self._numbers[name]

    def cells(self, name: str, domain: Domain) -> np.ndarray:
        """Return a column as :func:`cells` gives it; a column has one domain."""
        if name not in self._cells:
            self._cells[name] = cells(self.frame[name], domain)
        return self._cells[name]

    def tally(self, name: str, domain: Domain) -> np.ndarray:
        """Return how many rows are in each cell of a column."""
        if name in self._cells:
            return np.bincount(self._cells[name], minlength=len(names(domain)))
        return tally(self.frame[name], domain)


def text(values: pd.Series) -> np.ndarray:
    """Return (n,) cells as texts, None where missing; 3, 3.0 and "3" are one text."""
    codes, levels = pd.factorize(values)
    said = np.array([*(plain(level) for level in levels), None], dtype=object)
    found: np.ndarray = said[codes]
    return found


def plain(value: object) -> str:
    """Return a cell as text: numbers, true and false in one form, anything else without spaces around it."""
    said = str(value).strip()
    if said.lower() in ("true", "false"):
        return said.lower()
    try:
        number = float(said)
    except ValueError:
        return said
    if not math.isfinite(number) or abs(number) > _SOME or "_" in said:
        return said
    return str(int(number)) if number == int(number) else repr(number)


def number(values: pd.Series) -> np.ndarray:
    """Return (n,) float64 cells, NaN where a cell is missing, infinite or no number."""
    if values.dtype.kind not in "iuf":
        values = pd.to_numeric(values.astype(object), errors="coerce")
    found = values.to_numpy() if values.dtype == np.float64 else values.to_numpy(dtype=np.float64, na_value=np.nan)
    finite = np.isfinite(found)
    return found if finite.all() else np.where(finite, found, np.nan)


def cells(values: pd.Series, domain: Domain) -> np.ndarray:
    """Return (n,) int64: the cell of each value; the last one is ``other``."""
    if domain.edges:
        edges, numbers = np.array(domain.edges), number(values)
        at = np.searchsorted(edges, numbers, side="right") - 1
        at[numbers == edges[-1]] = len(edges) - 2
        return np.where((at < 0) | (at > len(edges) - 2) | np.isnan(numbers), len(edges) - 1, at).astype(np.int64)
    if (whole := _whole(values, domain)) is not None:
        slots, table = whole
        return np.asarray(table[np.concatenate([np.zeros(0, dtype=np.int64), *slots])])
    known = {plain(value): at for at, value in enumerate(domain.values)}
    codes, levels = pd.factorize(values)
    held_by = [*(known.get(plain(level), len(known)) for level in levels), len(known)]
    return np.asarray(np.array(held_by, dtype=np.int64)[codes])


def tally(values: pd.Series, domain: Domain) -> np.ndarray:
    """Return (k,) int64: how many values are in each cell."""
    size = len(names(domain))
    if (whole := _whole(values, domain)) is None:
        return np.bincount(cells(values, domain), minlength=size)
    slots, table = whole
    counts, found = np.zeros(len(table), dtype=np.int64), np.zeros(size, dtype=np.int64)
    for slot in slots:
        counts += np.bincount(slot, minlength=len(table))
    np.add.at(found, table, counts)
    return found


def _whole(values: pd.Series, domain: Domain) -> tuple[Iterator[np.ndarray], np.ndarray] | None:
    """Return, for whole numbers in a domain of a few, slots of the values block by block and the cell of each slot.

    The last slot is for what is below or above all numbers of the domain: v - low, taken modulo 2^64, is beyond it.
    """
    fits = isinstance(values.dtype, np.dtype) and (values.dtype.kind == "i" or values.dtype in (np.uint8, np.uint16))
    known = {int(said): at for at, value in enumerate(domain.values) if _WHOLE.fullmatch(said := plain(value))}
    if not fits or not known or max(known) - min(known) >= _SPAN or len(str(max(map(abs, known)))) > _LONG:
        return None
    low, other = min(known), len(domain.values)
    table = np.array([known.get(low + at, other) for at in range(max(known) - low + 1)] + [other], dtype=np.int64)
    given = values.to_numpy()

    def slots() -> Iterator[np.ndarray]:
        for at in range(0, len(given), BLOCK):
            slot = np.subtract(given[at : at + BLOCK], low, dtype=np.int64)
            beyond = slot.view(np.uint64)
            np.minimum(beyond, np.uint64(len(table) - 1), out=beyond)
            yield slot

    return slots(), table


def names(domain: Domain) -> list[str]:
    """Return what the cells are called."""
    if domain.edges:
        inner = [f"{a:g} to {b:g}" for a, b in zip(domain.edges, domain.edges[1:], strict=False)]
        return [*inner, "other"]
    return [*(plain(value) for value in domain.values), "other"]  # noqa: PD011  no frame


def held(expression: scenario.Expression, part: pd.DataFrame) -> np.ndarray:
    """Return (n,) bool: which rows a condition names, each by its own cells alone."""
    if isinstance(expression, scenario.Test):
        values = part[expression.column]
        if expression.operator != "missing":
            if isinstance(expression.against[0], float):
                values = pd.Series(number(values))
            elif expression.operator in ("==", "!=", "in"):
                values = pd.Series(text(values), dtype=object)
            else:
                values = pd.Series(pd.to_datetime(values, errors="coerce", format="ISO8601", utc=True))
        return np.asarray(scenario.evaluate(expression, lambda _: values.reset_index(drop=True)))
    if isinstance(expression, scenario.Not):
        return ~held(expression.inner, part)
    answers = [held(inner, part) for inner in expression.parts]
    joined = np.logical_and if expression.word == "and" else np.logical_or
    return np.asarray(joined.reduce(answers))
