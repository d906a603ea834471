"""Views: what a column may hide, each as numbers or codes: its value, order, gaps, digits, letters, words, hours."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from fivefold.governance.quality import reading
from fivefold.stats.repeats import numbers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from fivefold.contract.subject import Table

View = tuple[str, np.ndarray, bool]
"""Name (empty: the value itself), (n,) float64 with NaN where missing, and whether its order means something."""

_MOST_WORDS = 200
_MOST_LEVELS = 2000
_WORD_ROWS = 0.02


def of(name: str, column: pd.Series) -> Iterator[tuple[str, View]]:
    """Yield the views of a column, by the column's name."""
    for view in (*_gaps(column), *_own(column)):
        yield name, view


def _gaps(column: pd.Series) -> Iterator[View]:
    gone = column.isna().to_numpy()
    if gone.any() and not gone.all():
        yield "whether it is missing", gone.astype(np.float64), True


def _own(column: pd.Series) -> Iterator[View]:
    if pd.api.types.is_bool_dtype(column):
        yield "", column.astype("float64").to_numpy(dtype=np.float64, na_value=np.nan), True
        return
    if not reading.is_text(column):
        yield from _numeric(numbers(column), dates=pd.api.types.is_datetime64_any_dtype(column))
        return
    found = reading.texts(column)
    is_number, is_date = np.isfinite(found.number), found.form >= 0
    if found.present and found.share(is_number) >= reading.MOSTLY:
        yield from _numeric(np.append(found.number, np.nan)[found.codes], dates=False)
    if found.present and found.share(is_date) >= reading.MOSTLY:
        times = pd.to_datetime(pd.Series(found.levels), errors="coerce", format="mixed", utc=True)
        yield from _numeric(np.append(numbers(times), np.nan)[found.codes], dates=True)
    yield from _text(found, column)


def _numeric(values: np.ndarray, *, dates: bool) -> Iterator[View]:
    yield "", values, True
    there = values[np.isfinite(values)]
    if not len(there):
        return
    if dates:
        yield "its day of the week", np.floor(values + 3) % 7, False
        yield "its day of the month", pd.to_datetime(values, unit="D", errors="coerce").day.to_numpy(dtype=float), False
        if (there != np.floor(there)).any():
            yield "its hour", np.floor((values % 1) * 24), False
            yield "its minute", np.floor((values * 24 % 1) * 60), False
        return
    scaled = np.where(np.abs(values) < 2.0**40, values, np.nan)
    if (there != np.floor(there)).any():
        cents = np.round(np.abs(scaled) * 100)
        yield "its last decimals", cents % 100, False
        yield "its last decimal", cents % 10, False
    else:
        yield "its last digit", np.abs(scaled) % 10, False
        yield "whether it is odd", np.abs(scaled) % 2, False


def _text(found: reading.Texts, column: pd.Series) -> Iterator[View]:
    levels = pd.Series(found.levels, dtype=object).astype(str)

    def told(values: np.ndarray) -> np.ndarray:
        return np.asarray(np.append(values.astype(np.float64), np.nan)[found.codes])

    if 1 < len(levels) <= _MOST_LEVELS:
        yield "", told(np.arange(len(levels))), False
    if not len(levels):
        return
    yield "its length", told(levels.str.len().to_numpy()), True
    for name, at in (("its first letter", 0), ("its last letter", -1)):
        yield name, told(pd.factorize(levels.str.get(at))[0]), False
    raw, which = pd.factorize(column.astype(object), use_na_sentinel=True)
    padded = pd.Series(which, dtype=object).astype(str)
    blanks = (padded.str.len() - padded.str.strip().str.len()).to_numpy(dtype=np.float64)
    if blanks.any():
        yield "the blanks around it", np.append(blanks, np.nan)[raw], True
    upper = levels.str.contains(r"^[^a-z]*[A-Z]").to_numpy(dtype=bool)
    if upper.any() and not upper.all():
        yield "its capitals", told(upper), True
    if len(levels) > 20:
        yield from _words(levels, found, told)


def _words(levels: pd.Series, found: reading.Texts, told: Callable[[np.ndarray], np.ndarray]) -> Iterator[View]:
    """Yield whether one of the commoner words stands in a text."""
    split = levels.str.casefold().str.findall(r"\w+").map(set)
    counts: dict[str, int] = {}
    for some, rows in zip(split, found.counts.tolist(), strict=True):
        for word in some:
            counts[word] = counts.get(word, 0) + rows
    least = max(_WORD_ROWS * found.present, 5)
    common = sorted((word for word, rows in counts.items() if least <= rows < found.present), key=lambda w: -counts[w])
    for word in common[:_MOST_WORDS]:
        holds = np.fromiter((word in some for some in split), dtype=bool, count=len(levels))
        yield "a word in it", told(holds), True


def flags(table: Table) -> list[str]:
    """Return the columns of zeros and ones, which together may spell what none of them says."""
    made = []
    for name in table.features.columns:
        column = table.features[name]
        if pd.api.types.is_bool_dtype(column):
            made.append(str(name))
        elif pd.api.types.is_numeric_dtype(column):
            values = column.to_numpy(dtype=np.float64, na_value=np.nan)
            if np.isin(values, (0.0, 1.0)).all() and values.any():
                made.append(str(name))
    return made
