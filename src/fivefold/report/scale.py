"""Scale: from figures to places on an axis, with round ticks; linear or logarithmic."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_TINY = 1e-250
_STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)


@dataclass(frozen=True)
class Scale:
    """An axis from ``low`` to ``high``; both positive if ``log``."""

    low: float
    high: float
    log: bool = False

    def place(self, value: float) -> float:
        """Return the place of a value on the axis in per cent, clipped to [0, 100]."""
        if self.log:
            value = max(value, self.low)
            share = (math.log(value) - math.log(self.low)) / (math.log(self.high) - math.log(self.low))
        else:
            share = (value - self.low) / (self.high - self.low)
        return round(min(max(share, 0.0), 1.0) * 100, 2)

    def ticks(self, most: int = 6) -> tuple[float, ...]:
        """Return at most about ``most`` round values on the axis, both ends included where they are round."""
        if self.log:
            first, last = math.ceil(math.log10(self.low) - 1e-9), math.floor(math.log10(self.high) + 1e-9)
            every = max(1, math.ceil((last - first + 1) / most))
            return tuple(10.0**power for power in range(first, last + 1, every))
        step = round_step((self.high - self.low) / max(most - 1, 1))
        first = math.ceil(self.low / step - 1e-9)
        count = math.floor(self.high / step + 1e-9) - first + 1
        return tuple(round((first + i) * step, 12) for i in range(min(count, 4 * most)))


def round_step(size: float) -> float:
    """Return the smallest of 1, 2, 2.5, 5 times a power of ten that is at least ``size`` (above 0)."""
    if size <= 0 or not math.isfinite(size):
        return 1.0
    power = 10.0 ** math.floor(math.log10(size))
    return next((step * power for step in _STEPS if step * power >= size * (1 - 1e-9)), 10.0 * power)


def linear(values: Iterable[float], *, zero: bool = True) -> Scale:
    """Return a linear scale that holds all values between round ends; includes 0 unless ``zero`` is off."""
    found = [value for value in values if math.isfinite(value)]
    if zero:
        found.append(0.0)
    low, high = min(found, default=0.0), max(found, default=1.0)
    if 0.5 < high <= 1.0 and low >= 0.0:
        return Scale(0.0 if zero else min(_down(low, 0.1), 0.9), 1.0)
    if high - low < max(1e-9, 1e-12 * abs(high)):
        pad = 0.5 * max(abs(low), 1e-6)
        low, high = low - pad, high + pad
    step = round_step((high - low) / 4)
    return Scale(_down(low, step), -_down(-high, step))


def logarithmic(values: Iterable[float]) -> Scale:
    """Return a logarithmic scale over whole decades that holds all positive values; others sit at its low end."""
    found = [value for value in values if value >= _TINY and math.isfinite(value)]
    low, high = min(found, default=0.1), max(found, default=1.0)
    first, last = math.floor(math.log10(low) + 1e-9), math.ceil(math.log10(high) - 1e-9)
    first = max(first, last - 12)
    return Scale(10.0**first, 10.0 ** max(last, first + 1), log=True)


def _down(value: float, step: float) -> float:
    return round(math.floor(value / step + 1e-9) * step, 12)
