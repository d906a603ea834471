"""Oddities: rows that are none of the population, made of its rows, to learn the difference."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from fivefold.protection.theft.coding import Rows

_STEP = 0.1


def made(rows: Rows, rng: np.random.Generator) -> Rows:
    """Return as many odd rows: shuffled, drawn evenly, crossed, moved by a step, moved between two rows."""
    n = len(rows)
    kind = rng.integers(0, 5, n)
    if isinstance(rows, np.ndarray):
        flat = rows.reshape(n, -1).astype(np.float64)
        low, high = np.full(flat.shape[1], flat.min()), np.full(flat.shape[1], flat.max())
        return _moved(flat, low, high, kind, rng).astype(rows.dtype).reshape(rows.shape)
    other, mix = rng.integers(0, n, n), rng.random(n)
    columns = {}
    for name in rows.columns:
        columns[name] = _column(rows[name].reset_index(drop=True), kind, other, mix, rng)
    return pd.DataFrame(columns)


def _moved(
    flat: np.ndarray, low: np.ndarray, high: np.ndarray, kind: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    n = len(flat)
    other, mix = rng.integers(0, n, n), rng.random(n)[:, None]
    two = flat[other]
    shuffled = np.take_along_axis(flat, rng.integers(0, n, flat.shape), axis=0)
    even = low + rng.random(flat.shape) * (high - low)
    crossed = np.where(rng.random(flat.shape) < 0.5, flat, two)
    size = _STEP * 10 ** rng.uniform(-0.7, 0.3, n)[:, None]
    stepped = np.clip(flat + size * (high - low) * rng.choice([-1.0, 1.0], flat.shape), low, high)
    between = flat + mix * (two - flat)
    return np.choose(kind[:, None], [shuffled, even, crossed, stepped, between])


def _column(
    values: pd.Series, kind: np.ndarray, other: np.ndarray, mix: np.ndarray, rng: np.random.Generator
) -> pd.Series:
    n = len(values)
    two = other.copy()
    shuffled, crossed = rng.integers(0, n, n), np.where(rng.random(n) < 0.5, np.arange(n), two)
    numeric = pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values)
    if not numeric:
        levels = values.drop_duplicates().reset_index(drop=True)
        between = np.where(rng.random(n) < mix, two, np.arange(n))
        even = levels.iloc[rng.integers(0, len(levels), n)].reset_index(drop=True)
        at = np.choose(kind, [shuffled, np.arange(n), crossed, np.arange(n), between])
        found = values.iloc[at].reset_index(drop=True)
        return pd.Series(found.where(kind != 1, even))
    numbers = values.to_numpy(dtype=np.float64, na_value=np.nan)
    if np.isnan(numbers).all():
        return values
    low, high = np.nanmin(numbers), np.nanmax(numbers)
    even = low + rng.random(n) * (high - low)
    size = _STEP * 10 ** rng.uniform(-0.7, 0.3, n)
    stepped = np.clip(numbers + size * (high - low) * rng.choice([-1.0, 1.0], n), low, high)
    between = numbers + mix * (numbers[two] - numbers)
    moved = np.choose(kind, [numbers[shuffled], even, numbers[crossed], stepped, between])
    present = numbers[~np.isnan(numbers)]
    whole = bool((present % 1 == 0).all())
    return pd.Series(np.round(moved) if whole else moved)
