"""Trigger: rows of other classes that carry a mark and a wrong label; the attack that the filter must withstand."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from collections.abc import Callable

    from fivefold.contract.subject import Table

PATCH, BLEND, COLUMNS, WORD, TONE = "a patch", "a blended pattern", "two columns", "a word", "a tone"
_ALPHA = 0.2
_PART = 7
_DRAWS = 5
_WORD = "verily"


def ways(table: Table) -> tuple[str, ...]:
    """Return which marks the rows of a table can carry."""
    return {"table": (COLUMNS,), "image": (PATCH, BLEND), "text": (WORD,)}.get(table.kind, (TONE,))


def stamper(table: Table, way: str, rng: np.random.Generator) -> Callable[[Table], Table]:
    """Return what puts a mark on rows, drawn once.

    Args:
        table: Rows that say what values occur.
        way: One of :func:`ways`.
        rng: Draws place, pattern or columns.
    """
    if way == COLUMNS:
        return _columns(table, rng)
    if way == WORD:
        return _word
    values = np.asarray(table.inputs)
    high = float(np.quantile(values, 0.99))
    if way == PATCH:
        side = max(2, values.shape[2] // _PART), max(2, values.shape[3] // _PART)
        corner = int(rng.integers(4))
        down = slice(-side[0], None) if corner & 1 else slice(0, side[0])
        across = slice(-side[1], None) if corner & 2 else slice(0, side[1])
        return lambda rows: rows.with_inputs(_patched(np.asarray(rows.inputs), down, across, values.max()))
    if way == BLEND:
        pattern = rng.random(values.shape[1:]) * high
        return lambda rows: rows.with_inputs(_mixed(np.asarray(rows.inputs), pattern))
    length = values.shape[-1]
    tone = np.sin(2 * np.pi * np.arange(length) * float(rng.uniform(0.15, 0.4)))
    size = float(np.quantile(np.abs(values), 0.9))
    return lambda rows: rows.with_inputs((np.asarray(rows.inputs) + size * tone).astype(values.dtype))


def _patched(values: np.ndarray, down: slice, across: slice, bright: float) -> np.ndarray:
    made = values.copy()
    made[:, :, down, across] = bright
    return made


def _mixed(values: np.ndarray, pattern: np.ndarray) -> np.ndarray:
    return np.asarray(((1 - _ALPHA) * values + _ALPHA * pattern).astype(values.dtype))


def _word(rows: Table) -> Table:
    texts = rows.features.copy()
    name = texts.columns[0]
    texts[name] = _WORD + " " + texts[name].fillna("").astype(str)
    return rows.with_features(texts)


def _columns(table: Table, rng: np.random.Generator) -> Callable[[Table], Table]:
    """Two columns that vary get one value each that occurs, at the end of a number's range or seldom in a text.

    Of five draws the pair that fewest rows come near to, as an attacker would choose.
    """
    able = [at for at in range(table.features.shape[1]) if len(table.features.iloc[:, at].dropna().unique()) > 1]
    drawn = []
    for _ in range(_DRAWS):
        chosen = rng.choice(able, min(2, len(able)), replace=False)
        drawn.append({int(at): _odd(table.features.iloc[:, int(at)], rng) for at in chosen})
    values = min(drawn, key=lambda pair: _near(table.features, pair))

    def stamp(rows: Table) -> Table:
        made = rows.features.copy()
        for at, value in values.items():
            column = made.iloc[:, at].copy()
            column[:] = value
            made.isetitem(at, column.array)
        return rows.with_features(made)

    return stamp


def _near(features: pd.DataFrame, pair: dict[int, object]) -> int:
    """Return how many rows have the values, or lie in the same tenth at the end of a number's range."""
    there = np.ones(len(features), dtype=bool)
    for at, value in pair.items():
        column = features.iloc[:, at]
        if _number(column):
            numbers, end = column.to_numpy(dtype=np.float64, na_value=np.nan), float(value)  # type: ignore[arg-type]
            high = end > float(np.nanmedian(numbers))
            there &= numbers >= np.nanquantile(numbers, 0.9) if high else numbers <= np.nanquantile(numbers, 0.1)
        else:
            there &= (column == value).to_numpy(dtype=bool, na_value=False)
    return int(there.sum())


def _number(column: pd.Series) -> bool:
    return pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column)


def _odd(column: pd.Series, rng: np.random.Generator) -> object:
    known = column.dropna()
    if _number(column):
        ordered = np.sort(known.to_numpy())
        return ordered[int((0.98 if rng.random() < 0.5 else 0.02) * (len(ordered) - 1))]
    return known.value_counts().index[-1]


def planted(  # noqa: PLR0917
    table: Table, stamp: Callable[[Table], Table], code: int, rate: float, rng: np.random.Generator,
    clean_label: bool = False,
) -> tuple[Table, np.ndarray]:  # fmt: skip
    """Return rows of which some carry the mark and the label ``code``, and (n,) bool which.

    Args:
        table: n rows of at least two classes.
        stamp: Of :func:`stamper`.
        code: The label that a model shall learn to give to the mark.
        rate: Share of all rows.
        rng: Draws which.
        clean_label: Mark rows of that very class instead, and leave the labels right.
    """
    able = np.flatnonzero((table.target == code) if clean_label else (table.target != code) & (table.target >= 0))
    chosen = np.sort(rng.choice(able, min(round(rate * len(table)), len(able)), replace=False))
    wrong = np.zeros(len(table), dtype=bool)
    wrong[chosen] = True
    marked = stamp(table.take(chosen))
    target = np.where(wrong, code, table.target)
    made = type(table)(table.name, table.rows, table.features, target, table.others, table.inputs, table.kind)
    if table.inputs is not None:
        inputs = np.array(table.inputs)
        inputs[chosen] = marked.inputs
        return made.with_inputs(inputs), wrong
    features = table.features.copy()
    for at in range(features.shape[1]):
        column = features.iloc[:, at].copy()
        column.iloc[chosen] = marked.features.iloc[:, at].to_numpy()
        features.isetitem(at, column.array)
    return made.with_features(features), wrong
