"""Asking: what the model says when only a protected field is another's, and of a twin who hardly differs."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from collections.abc import Callable

    from fivefold.contract.subject import Table
    from fivefold.fairness.gaps.groups import Field

NEAR = 0.02
"""By how much of its standard deviation a number of a twin differs at most."""
MOVED = 0.25
"""A value counts as another answer from this share of the standard deviation of all answers on."""
_MOST_GROUPS = 6


Model: TypeAlias = "Callable[[Table], np.ndarray]"
"""Gives (n,) classes or values of rows."""


def changed(first: np.ndarray, second: np.ndarray, scale: float) -> np.ndarray:
    """Return (n,) whether two answers differ: classes by being others, values by a quarter of ``scale``."""
    if np.issubdtype(first.dtype, np.integer):
        return np.asarray(first != second)
    return np.asarray(np.abs(first - second) > MOVED * scale)


def flipped(
    model: Model, table: Table, field: Field, column: str, rng: np.random.Generator
) -> list[tuple[str, np.ndarray, np.ndarray]]:
    """Ask for every row with the protected field of a person of another group, all else as it is.

    Args:
        model: Answers.
        table: Rows whose features hold the column.
        field: Its groups; the six largest are tried.
        column: Its name.
        rng: Draws whose value a row is given.

    Returns:
        Of each group its name, the positions of the rows of all other groups, and the answers to them.
    """
    sizes = np.bincount(field.codes, minlength=len(field.labels))
    made = []
    for code in np.argsort(-sizes, kind="stable")[:_MOST_GROUPS].tolist():
        donors, others = np.flatnonzero(field.codes == code), np.flatnonzero(field.codes != code)
        if not len(donors) or not len(others):
            continue
        part = table.take(others)
        given = table.features[column].iloc[rng.choice(donors, len(others))].reset_index(drop=True)
        made.append((field.labels[code], others, model(part.with_features(part.features.assign(**{column: given})))))
    return made


def movable(table: Table, without: tuple[str, ...]) -> list[str]:
    """Return the columns of numbers in which a twin may differ: more than ten values, none protected."""
    return [
        str(name)
        for name in table.features.columns
        if name not in without
        and pd.api.types.is_numeric_dtype(table.features[name])
        and not pd.api.types.is_bool_dtype(table.features[name])
        and table.features[name].nunique() > 10
    ]


def twins(table: Table, columns: list[str], rng: np.random.Generator) -> Table:
    """Return the rows with each of the columns moved by at most 2 % of its spread; whole numbers by at most 1."""
    shifted = {}
    for name in columns:
        values = table.features[name]
        numbers = values.to_numpy(dtype=np.float64, na_value=np.nan)
        shift = rng.uniform(-NEAR, NEAR, len(numbers)) * (float(np.nanstd(numbers)) or 1.0)
        low, high = float(np.nanmin(numbers)), float(np.nanmax(numbers))
        near = np.clip(numbers + shift, low, high)
        whole = np.isfinite(numbers)
        if (numbers[whole] == np.round(numbers[whole])).all():
            near = np.where(
                np.abs(shift) >= 0.5, np.round(near), numbers + np.sign(shift) * (rng.random(len(near)) < 0.25)
            )
            near = np.clip(near, low, high)
        if pd.api.types.is_integer_dtype(values.dtype):
            shifted[name] = pd.Series(np.where(whole, near, 0.0)).astype(values.dtype).where(pd.Series(whole), values)
        else:
            shifted[name] = pd.Series(near).astype(values.dtype)
    return table.with_features(table.features.assign(**shifted))


def moved(table: Table, other: Table, columns: list[str]) -> float:
    """Return the share of rows that differ in any of the columns."""
    before, after = table.features[columns], other.features[columns]
    same = before.eq(after) | (before.isna() & after.isna())
    return float((~same).any(axis=1).mean())
