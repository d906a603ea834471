"""Sensors: faults of single columns of a table and of single channels of a series.

Five faults, five severities (0 to 4). In tables each row has its own faulty columns, one at the least severity and half
of them at the worst; in series each row has one faulty channel at first and half of them at the worst.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

NAMES = ("stuck sensor", "drift", "dropped values", "spikes", "other unit")
_VALUES = 3
_SHARES = (0.0, 0.1, 0.2, 0.35, 0.5)
_DRIFT = (0.25, 0.5, 1.0, 2.0, 3.0)
_SPIKE = (3.0, 5.0, 8.0, 12.0, 20.0)
_UNITS = (1000.0, 0.001, 100.0, 0.01, 2.54, 1 / 2.54, 0.4536, 1 / 0.4536)


@dataclass(frozen=True)
class Sensor:
    """One numeric column as seen in the data.

    Attributes:
        name: Of the column.
        middle: Median.
        spread: Standard deviation; never 0.
        gaps: Whether values are missing in the data as they are.
    """

    name: str
    middle: float
    spread: float
    gaps: bool


def sensors(frame: pd.DataFrame) -> list[Sensor]:
    """Return the columns of numbers with at least three values; flags, texts and dates are no sensors."""
    found = []
    for name in frame.columns:
        column = frame[name]
        if not pd.api.types.is_numeric_dtype(column) or pd.api.types.is_bool_dtype(column):
            continue
        values = column.to_numpy(dtype=np.float64, na_value=np.nan)
        known = values[np.isfinite(values)]
        if len(np.unique(known)) >= _VALUES:
            found.append(
                Sensor(str(name), float(np.median(known)), float(known.std()) or 1.0, len(known) < len(values))
            )
    return found


def faulty(width: int, rows: int, severity: int, rng: np.random.Generator) -> np.ndarray:
    """Return (rows, width) bool: which sensors of each row are at fault."""
    count = max(1, int(np.ceil(_SHARES[severity] * width)))
    order = rng.random((rows, width)).argsort(axis=1)
    return np.asarray(order < count)


def table(
    frame: pd.DataFrame, known: list[Sensor], fault: str, severity: int, rng: np.random.Generator
) -> pd.DataFrame:
    """Return a frame with a fault in some numeric columns of each row; types stay as they are.

    Dropped values are missing where the data have missing values in that column anyway, else 0 (what a dead sensor
    sends). Whole numbers are rounded, and cut to what their type holds.

    Args:
        frame: (n, d).
        known: From :func:`sensors`, at least one.
        fault: One of :data:`NAMES`.
        severity: 0 to 4.
        rng: Draws all.
    """
    hit = faulty(len(known), len(frame), severity, rng)
    made = {}
    for at, sensor in enumerate(known):
        column = frame[sensor.name]
        values = column.to_numpy(dtype=np.float64, na_value=np.nan)
        bad = _changed(values, sensor, fault, severity, rng)
        mixed = np.where(hit[:, at] & (np.isfinite(values) | (fault == "stuck sensor")), bad, values)
        made[sensor.name] = _like(mixed, column)
    return frame.assign(**made)


def _changed(values: np.ndarray, sensor: Sensor, fault: str, severity: int, rng: np.random.Generator) -> np.ndarray:
    n = len(values)
    if fault == "stuck sensor":
        seen = values[np.isfinite(values)]
        return np.full(n, seen[rng.integers(len(seen))])
    if fault == "drift":
        return np.asarray(values + _DRIFT[severity] * sensor.spread * (1 if rng.random() < 0.5 else -1))
    if fault == "dropped values":
        return np.full(n, np.nan if sensor.gaps else 0.0)
    if fault == "spikes":
        return np.asarray(sensor.middle + _SPIKE[severity] * sensor.spread * rng.choice([-1.0, 1.0], n))
    return np.asarray(values * _UNITS[int(rng.integers(len(_UNITS)))])


def _like(values: np.ndarray, column: pd.Series) -> pd.Series:
    """Return numbers in the type of a column."""
    if pd.api.types.is_integer_dtype(column.dtype):
        bounds = np.iinfo(str(column.dtype).lower())
        # the float nearest to the end of a 64-bit type lies beyond it
        whole = np.clip(np.round(values), float(bounds.min), np.nextafter(float(bounds.max), 0.0))
        if not np.isnan(whole).any():
            return pd.Series(whole.astype(np.int64 if bounds.max < 2**63 else np.uint64), index=column.index).astype(
                column.dtype
            )
        return pd.Series(whole, index=column.index).astype(column.dtype)
    return pd.Series(values, index=column.index).astype(column.dtype)


def _signs(shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    """Return -1 or 1 at random, float32."""
    return np.where(rng.random(shape) < 0.5, np.float32(-1), np.float32(1))


def series(inputs: np.ndarray, fault: str, severity: int, rng: np.random.Generator) -> np.ndarray:
    """Return series with a fault in some channels of each.

    A sensor sticks, drifts off or sends nothing from a random time of the first half on (at the least severity for a
    fifth of the time, at the worst to the end); spikes hit one value in fifty to one in five.

    Args:
        inputs: (n, C, T) float32; NaN where a series has ended.
        fault: One of :data:`NAMES`.
        severity: 0 to 4.
        rng: Draws all.
    """
    n, channels, steps = inputs.shape
    hit = faulty(channels, n, severity, rng)[:, :, None]
    spread = np.nan_to_num(np.nanstd(inputs, axis=(0, 2), keepdims=True), nan=1.0)
    spread = np.where(spread > 0, spread, 1.0).astype(np.float32)
    time = np.arange(steps)
    start = rng.integers(0, max(steps // 2, 1), size=(n, 1, 1))
    length = max(1, int(np.ceil(steps * (0.2, 0.35, 0.5, 0.75, 1.0)[severity])))
    inside = hit & (time >= start) & (time < start + length)
    if fault == "stuck sensor":
        made = np.broadcast_to(
            np.take_along_axis(inputs, np.broadcast_to(start, (n, channels, 1)), axis=2), inputs.shape
        )
    elif fault == "drift":
        slope = np.float32(_DRIFT[severity]) * spread * _signs((n, 1, 1), rng)
        made, inside = inputs + slope * ((time + 1) / steps).astype(np.float32), hit
    elif fault == "dropped values":
        made = np.zeros_like(inputs)
    elif fault == "spikes":
        share = (0.02, 0.04, 0.08, 0.12, 0.2)[severity]
        sign = _signs(inputs.shape, rng)
        made, inside = inputs + sign * np.float32(_SPIKE[severity]) * spread, hit & (rng.random(inputs.shape) < share)
    else:
        made, inside = inputs * np.float32(_UNITS[int(rng.integers(len(_UNITS)))]), hit
    return np.asarray(np.where(inside & np.isfinite(inputs), made, inputs), dtype=inputs.dtype)
