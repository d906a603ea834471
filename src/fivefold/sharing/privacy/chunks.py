"""Chunks: a table read part by part, at most so many rows of a person, cells as numbers or as texts.

What a row is worth depends on that row alone (and, for the limit on rows, on earlier rows of the same person): a cell
that is no number never changes how the other rows are read.
"""

from __future__ import annotations

import math
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
_SOME = 1e15


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
    found = values.to_numpy(dtype=np.float64, na_value=np.nan)
    return np.where(np.isfinite(found), found, np.nan)


def cells(values: pd.Series, domain: Domain) -> np.ndarray:
    """Return (n,) int64: the cell of each value; the last one is ``other``."""
    if domain.edges:
        edges, numbers = np.array(domain.edges), number(values)
        at = np.searchsorted(edges, numbers, side="right") - 1
        at[numbers == edges[-1]] = len(edges) - 2
        return np.where((at < 0) | (at > len(edges) - 2) | np.isnan(numbers), len(edges) - 1, at).astype(np.int64)
    known = {plain(value): at for at, value in enumerate(domain.values)}
    codes, levels = pd.factorize(values)
    table = [*(known.get(plain(level), len(known)) for level in levels), len(known)]
    return np.asarray(np.array(table, dtype=np.int64)[codes])


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
