"""Units: values of one column that stand where a power of ten of the others would, with nothing in between."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from fivefold.stats.proportion import clopper_pearson

_FACTORS = (-1.0, 10.0, 100.0, 1000.0, 0.1, 0.01, 0.001)
_MANY, _MANY_HALF = 20, 6
_MOSTLY = 0.75
_GAP = 0.25
_STEPS = 4
_ALIKE, _UNLIKE = 0.003, 1e-5
_FAR = 1.5


@dataclass(frozen=True)
class Slip:
    """One column and one factor.

    Half of a column's sizes, the half that lies closest together, stands times the factor where half of the slipped
    values must stand. A tail thins out on its way there, so what the emptiest quarter of the way holds is taken off.

    Attributes:
        column: Name of the column.
        position: Where it stands.
        factor: What the values would have been multiplied with.
        there: Values where the slipped ones would stand.
        between: Values in the emptiest quarter of the way.
        wide: Width of the one place over the other.
        n: Known values but zeros.
        rows: Rows, known or not.
        window: Ends of what stands there and around, divided by the factor, in the direction of most values.
        shape: Chance of a difference as large between what stands in the window and the others.
    """

    column: str
    position: int
    factor: float
    there: int
    between: int
    wide: float
    n: int
    rows: int
    window: tuple[float, float]
    shape: float

    @property
    def share(self) -> float:
        """Rows whose value slipped."""
        return self._of_rows((self.there - self.wide * self.between) / self.n)

    def bounds(self, confidence: float) -> tuple[float, float]:
        """One-sided bounds of :attr:`share`, from exact ones of both counts."""
        each = (1 + confidence) / 2
        low, high = clopper_pearson(self.there, self.n, each)
        less, more = clopper_pearson(self.between, self.n, each)
        return self._of_rows(float(low - self.wide * more)), self._of_rows(float(high - self.wide * less))

    def among(self, rows: pd.DataFrame) -> np.ndarray:
        """Return (n,) bool: rows whose value stands there or around."""
        values = rows.iloc[:, self.position].to_numpy(dtype=np.float64, na_value=np.nan)
        place = _place(_upright(values), self.factor)
        return np.asarray((place > self.window[0]) & (place < self.window[1]))

    def at_most(self, confidence: float) -> float:
        """Upper bound of the rows whose value slipped, were nothing there by itself."""
        return self._of_rows(float(clopper_pearson(self.there, self.n, confidence)[1]))

    def _of_rows(self, part: float) -> float:
        """Return the share of rows that slipped, from the part of values there.

        Half of the values that kept their size stand closest together: all do where only the sign slipped.
        """
        part = max(0.0, part)
        return min(1.0, self.n / self.rows * part / (0.5 if self.factor < 0 else part + 0.5))

    @property
    def alike(self) -> bool:
        """Whether what stands there has the shape of the others; another population would differ."""
        return self.shape > _ALIKE

    @property
    def tail(self) -> bool:
        """Whether what stands there is no more than a tail has, or has surely another shape and is not far off.

        Several heaps in one column, and values on both sides of zero in another shape on each, are common.
        """
        heap = self.there > self.wide * self.between
        doubtful = self.shape > _UNLIKE or self.wide <= _FAR if self.factor > 0 else self.alike
        return self.there > 0 and not (heap and doubtful)

    @property
    def clear(self) -> bool:
        """Whether nothing stands there nor half way, and most rows have a value: slipped ones must be seen."""
        return self.there + self.between == 0 and self.wide <= 1 and 2 * self.n > self.rows

    @property
    def told(self) -> str:
        """What happened to the rows, in words."""
        if self.factor < 0:
            return f"rows whose `{self.column}` has the wrong sign"
        if self.factor > 1:
            return f"rows whose `{self.column}` is {self.factor:,.0f} times too large"
        return f"rows whose `{self.column}` is {1 / self.factor:,.0f} times too small"


def slips(rows: pd.DataFrame) -> list[Slip]:
    """Return every column and factor that can be told: many values, and room between them and the slipped ones."""
    found = []
    for at in range(rows.shape[1]):
        column = rows.iloc[:, at]
        if not pd.api.types.is_numeric_dtype(column) or pd.api.types.is_bool_dtype(column):
            continue
        values = column.to_numpy(dtype=np.float64, na_value=np.nan)
        values = values[np.isfinite(values) & (values != 0)]
        if len(values) < _MANY:
            continue
        values = _upright(values)
        found += [
            slip
            for factor in _FACTORS
            if (slip := _slip(str(rows.columns[at]), at, values, factor, len(rows))) is not None
        ]
    return found


def _slip(column: str, position: int, values: np.ndarray, factor: float, rows: int) -> Slip | None:
    """Return what stands where; ``values`` are mostly positive."""
    from scipy.stats import ks_2samp

    low, high = _closest_half(np.abs(values))
    half = np.abs(values)[(np.abs(values) >= low) & (np.abs(values) <= high)]
    if len(np.unique(half)) < _MANY_HALF:
        return None
    if factor < 0:
        if (values > 0).mean() < _MOSTLY or low <= _GAP * (high - low):
            return None
        edges, wide = np.linspace(0.0, low, _STEPS + 1), (high - low) / (low / _STEPS)
        window = max(0.0, 2 * low - high), 2 * high - low
    else:
        width = np.log(high / low)
        gap = abs(np.log(factor)) - width
        if gap < _GAP * width:
            return None
        edges = np.geomspace(*((high / factor, low) if factor > 1 else (high, low / factor)), _STEPS + 1)
        wide = width / (gap / _STEPS)
        reach = np.exp(min(width, gap / 2))
        window = low / reach, high * reach
    place = _place(values, factor)
    there = int(((place >= low) & (place <= high)).sum())
    able = _able(edges * abs(factor), values)
    if not able.any():
        return None
    between = int(np.histogram(place[place > 0], edges)[0][able].min())
    here, others = (every[(every > window[0]) & (every < window[1])] for every in (place, np.abs(values)))
    shape = ks_2samp(here, others).pvalue if len(here) > 1 else 1.0
    return Slip(column, position, factor, there, between, float(wide), len(values), rows, window, float(shape))


def _able(edges: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Return (k,) bool: between which edges a value could stand at all; whole numbers leave room between small ones."""
    step = np.diff(np.unique(np.abs(values))).min()
    return np.asarray(np.diff(np.floor(edges / step)) > 0)


def _upright(values: np.ndarray) -> np.ndarray:
    """Return the values, turned round where most are negative."""
    return values if (values > 0).sum() >= (values < 0).sum() else -values


def _place(values: np.ndarray, factor: float) -> np.ndarray:
    """Return what the values would be, had they slipped."""
    return -values if factor < 0 else np.abs(values) / factor


def _closest_half(sizes: np.ndarray) -> tuple[float, float]:
    """Return the ends of the shortest interval, in logarithms, of half of the sizes: no minority moves it far."""
    ordered = np.sort(sizes)
    half = (len(ordered) + 1) // 2
    start = int(np.argmin(ordered[half - 1 :] / ordered[: len(ordered) - half + 1]))
    return float(ordered[start]), float(ordered[start + half - 1])
