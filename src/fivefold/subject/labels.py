"""Labels: class labels as text, the same text whichever type a file or a model gives them.

A whole float is written as an integer (``1.0`` is ``1``), truth values are ``True`` and ``False``, surrounding blanks
are dropped. A missing value has no text.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

UNKNOWN = -1
"""Code of a missing label, and of one that is not among the classes."""

_FEW = 32
_LONGEST = 200


def text(value: Any) -> str | None:
    """Return a label's text; None for a missing value."""
    if value is None or value is pd.NaT or value is pd.NA:
        return None
    if isinstance(value, bool | np.bool_):
        return str(bool(value))
    if isinstance(value, int | np.integer):
        return str(int(value))
    if isinstance(value, float | np.floating):
        number = float(value)
        if math.isnan(number):
            return None
        return str(int(number)) if number.is_integer() else repr(number)
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    return str(value).strip()[:_LONGEST]


def texts(values: pd.Series | np.ndarray | Sequence[Any]) -> np.ndarray:
    """Return (n,) object array of label texts, None where missing."""
    if isinstance(values, np.ndarray) and values.dtype.kind == "O" and values.ndim == 1 and len(values) <= _FEW:
        given = values.tolist()
        if all(type(value) is str for value in given):  # the tables of pandas cost more than a few texts
            return np.array([*map(text, given), None], dtype=object)[:-1]
    cells = pd.Series(values)
    if not isinstance(cells.dtype, pd.StringDtype):  # a Python text for every row would take more than the rows
        cells = cells.astype(object)
    codes, kinds = pd.factorize(cells, use_na_sentinel=True)
    known = np.array([*(text(kind) for kind in kinds), None], dtype=object)
    found: np.ndarray = known[codes]
    return found


def known(target: np.ndarray) -> np.ndarray:
    """Return (n,) bool: of (n,) codes of classes, or values, those that are known."""
    return np.asarray(np.isfinite(target) if target.dtype.kind == "f" else target >= 0)


def number(label: str) -> float | None:
    """Return the number that a label's text says, or None."""
    try:
        value = float(label)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def ordered(labels: Iterable[str]) -> tuple[str, ...]:
    """Return labels in order, each once: by number if all are numbers, else as text."""
    distinct = sorted(set(labels))
    values = {label: number(label) for label in distinct}
    if all(value is not None for value in values.values()):
        distinct.sort(key=lambda label: (values[label] or 0.0, label))
    return tuple(distinct)


def distinct(values: np.ndarray) -> tuple[str, ...]:
    """Return the ordered labels that occur in (n,) texts."""
    return ordered(value for value in pd.unique(values) if value is not None)


def codes(values: np.ndarray, classes: Sequence[str]) -> np.ndarray:
    """Return (n,) int64 class indices of label texts; :data:`UNKNOWN` for missing and foreign ones."""
    if len(values) <= _FEW:
        places = {name: at for at, name in enumerate(classes)}
        return np.array([places.get(value, UNKNOWN) for value in values.tolist()], dtype=np.int64)
    names: Any = np.array([*classes], dtype=object)
    found = pd.Index(names, dtype=object).get_indexer(pd.Index(values, dtype=object))
    return np.asarray(found, dtype=np.int64)


def find(label: str, classes: Sequence[str]) -> int | None:
    """Return the index of a label that a person wrote, or None.

    ``1.0`` finds ``1`` and ``true`` finds ``True``; nothing else is guessed.
    """
    wanted = label.strip()
    if wanted in classes:
        return list(classes).index(wanted)
    value = number(wanted)
    same = [index for index, name in enumerate(classes) if value is not None and number(name) == value]
    if not same and wanted.lower() in ("true", "false"):
        same = [index for index, name in enumerate(classes) if name.lower() == wanted.lower()]
    return same[0] if len(same) == 1 else None


def natural(classes: Sequence[str]) -> np.ndarray:
    """Return (K,) labels in the type that a file of them would be read as: int64, float64, bool or text."""
    if all(name in ("True", "False") for name in classes):
        return np.array([name == "True" for name in classes])
    values = [number(name) for name in classes]
    if all(value is not None for value in values):
        numbers = np.array(values, dtype=np.float64)
        whole = bool(np.all(numbers == np.floor(numbers))) and bool(np.all(np.abs(numbers) < 2**53))
        return numbers.astype(np.int64) if whole else numbers
    return np.array(classes, dtype=object)
