"""Reading: which rows and columns are looked at, and what the cells of a column are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import pandas as pd

from fivefold.errors import UnsupportedError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from fivefold.contract.check import Context
    from fivefold.contract.finding import Canary
    from fivefold.contract.subject import Table

T = TypeVar("T")

SETS = ("train", "test")
_DATE = (
    r"\d{4}-\d{1,2}-\d{1,2}(?:[T ]\d{1,2}:\d{2}(?::\d{2})?.*)?",
    r"\d{4}/\d{1,2}/\d{1,2}(?: \d{1,2}:\d{2}.*)?",
    r"\d{1,2}\.\d{1,2}\.\d{2,4}(?: \d{1,2}:\d{2}.*)?",
    r"\d{1,2}/\d{1,2}/\d{2,4}(?: \d{1,2}:\d{2}.*)?",
    r"\d{1,2}-[A-Za-z]{3,9}-\d{2,4}",
    r"[A-Za-z]{3,9} \d{1,2},? \d{4}",
)
"""Written forms of dates; a column keeps to one of them."""
MOSTLY = 0.8
"""Share of cells from which on a column of texts is said to be one of numbers, or of dates."""
_MEASURED = 10


def each(context: Context, work: Callable[[Table], T]) -> list[T]:
    """Do something with the training data, then with the test data; no more than one of them is held at a time.

    Raises:
        UnsupportedError: ``quality.data`` where neither has rows, ``quality.inputs`` for anything but tables.
    """
    made = []
    for name in SETS:
        table = _table(context, name)
        if table is not None:
            made.append(work(table))
        del table  # before the next is read
    if not made:
        raise UnsupportedError("quality.data", "neither data.train nor data.test has rows.")
    return made


def proven(
    context: Context, look: Callable[[Table], T], prove: Callable[[Table, Context], Canary]
) -> tuple[list[T], Canary]:
    """Look at each data set as :func:`each` does, and plant canaries in drawn rows of the first."""
    proofs: list[Canary] = []

    def both(table: Table) -> T:
        made = look(table)
        if not proofs:
            proofs.append(prove(few(table, context), context))
        return made

    return each(context, both), proofs[0]


def _table(context: Context, name: str) -> Table | None:
    try:
        table = context.tables(name)
    except KeyError:
        return None
    if table.inputs is not None or table.kind == "text":
        raise UnsupportedError("quality.inputs", f"data.{name} holds no columns to look at.")
    return table if len(table) else None


def trusted(context: Context) -> Table | None:
    """Return the rows that people vetted, where `controls.S5.trusted` names a data set of them."""
    name = (context.settings.controls or {}).get("S5", {}).get("trusted", "")
    return _table(context, name) if isinstance(name, str) and name and name not in SETS else None


def main_table(context: Context) -> Table:
    """Return the training data; the test data where there are none.

    Raises:
        UnsupportedError: As :func:`each`.
    """
    for name in SETS:
        table = _table(context, name)
        if table is not None:
            return table
    raise UnsupportedError("quality.data", "neither data.train nor data.test has rows.")


def few(table: Table, context: Context) -> Table:
    """Return at most ``context.rows`` rows, drawn; in the order in which they were."""
    if len(table) <= context.rows:
        return table
    return table.take(np.sort(context.rng.choice(len(table), context.rows, replace=False)))


def columns(table: Table) -> Iterator[tuple[str, pd.Series]]:
    """Yield every column but target and id, those that the model does not see last."""
    for frame in (table.features, table.others):
        for name in frame.columns:
            yield str(name), frame[name]


def is_text(column: pd.Series) -> bool:
    """Whether the cells are texts (or categories), and neither numbers nor dates nor truth values."""
    kinds = pd.api.types
    return not (kinds.is_numeric_dtype(column) or kinds.is_bool_dtype(column) or kinds.is_datetime64_any_dtype(column))


@dataclass(frozen=True)
class Texts:
    """A column of texts by its distinct cells.

    Attributes:
        levels: (k,) distinct texts, stripped.
        counts: (k,) rows of each.
        codes: (n,) position in ``levels``, -1 where missing.
        number: (k,) float64 value; NaN: no number.
        form: (k,) position of the written form of a date; -1: no date.
    """

    levels: np.ndarray
    counts: np.ndarray
    codes: np.ndarray
    number: np.ndarray
    form: np.ndarray

    @property
    def present(self) -> int:
        """Cells that are there."""
        return int(self.counts.sum())

    def share(self, which: np.ndarray) -> float:
        """Return the share of cells whose text is among ``which`` (k,) bool."""
        return float(self.counts[which].sum()) / max(self.present, 1)


def texts(column: pd.Series) -> Texts:
    """Take a column of texts apart."""
    codes, raw = pd.factorize(column.astype(object), use_na_sentinel=True)
    levels = pd.Series(np.asarray([str(level) for level in raw], dtype=object), dtype=object).str.strip()
    counts = np.bincount(codes[codes >= 0], minlength=len(levels))
    number = pd.to_numeric(levels, errors="coerce").to_numpy(dtype=np.float64) if len(levels) else np.zeros(0)
    form = np.full(len(levels), -1, dtype=np.int64)
    for at, pattern in enumerate(_DATE):
        if len(levels):
            form[(form < 0) & levels.str.fullmatch(pattern).to_numpy(dtype=bool)] = at
    return Texts(levels.to_numpy(dtype=object), counts, codes, number, form)


def strays(found: Texts) -> tuple[np.ndarray, str]:
    """Return (k,) bool of the texts that are not what the column else holds, and what it else holds; empty: neither.

    A column is one of numbers where at least four cells in five are numbers of more than ten values; codes such as
    ``1, 2, 3+`` are no measured numbers. A column of dates keeps to one written form.
    """
    is_number, is_date = np.isfinite(found.number), found.form >= 0
    if found.share(is_number) >= MOSTLY and int(is_number.sum()) > _MEASURED:
        return ~is_number, "numbers"
    if found.share(is_date) >= MOSTLY:
        rows = np.bincount(found.form[is_date], weights=found.counts[is_date])
        return found.form != int(rows.argmax()), "dates"
    return np.zeros(len(found.levels), dtype=bool), ""


def known_target(table: Table) -> np.ndarray:
    """Return (n,) bool: the true answer is known."""
    target = table.target
    return np.asarray(target >= 0) if target.dtype.kind == "i" else np.isfinite(target)
