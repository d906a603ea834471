"""Waves: series as vectors that can be moved in, so that every change is smooth.

The engine moves each number of a vector within a box. The difference to the row that is attacked is smoothed before it
is added, by weights that are not negative and add up to 1: it stays within the box, and no corner is left in it.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from fivefold.subject.possible.space import Space

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fivefold.contract.subject import Table


@dataclass(frozen=True)
class Smooth(Space):
    """Series (C, T).

    Attributes:
        kernel: (w,) weights over neighbouring times.
    """

    kernel: np.ndarray = field(default_factory=lambda: np.ones(1))

    def told(self, epsilon: float) -> str:
        """Say how far an attacker may go."""
        return f"Smooth changes of at most {epsilon:g} of each channel's range"

    def decode(self, values: np.ndarray, origin: np.ndarray, like: Table) -> Table:
        """Return vectors as series: the row that each is made of, and the smoothed difference."""
        from scipy.ndimage import convolve1d

        home = self.encode(like.take(origin))
        moved = np.nan_to_num(values - home).reshape(-1, *self.shape)
        smoothed = convolve1d(moved, self.kernel, axis=-1, mode="nearest").reshape(values.shape)
        return super().decode(np.clip(home + smoothed, self.low, self.high), origin, like)


def of_series(tables: Sequence[Table], width: float) -> Smooth:
    """Return the space of series: each channel has its own range, missing values stay.

    Args:
        tables: All data sets that the ranges are read from, inputs (n, C, T).
        width: Share of the length over which changes are smoothed.
    """
    inputs = [table.inputs for table in tables if table.inputs is not None and len(table)]
    shape = inputs[0].shape[1:]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a channel of which nothing is known
        low = np.nan_to_num(np.nanmin([np.nanmin(one, axis=(0, 2)) for one in inputs], axis=0))
        high = np.nan_to_num(np.nanmax([np.nanmax(one, axis=(0, 2)) for one in inputs], axis=0))
    half = max(1, round(width * shape[-1] / 2))
    kernel = np.hanning(2 * half + 3)[1:-1]
    size = int(np.prod(shape))
    return Smooth(
        columns=(),
        low=np.repeat(low.astype(np.float64), shape[-1]),
        high=np.repeat(high.astype(np.float64), shape[-1]),
        step=np.zeros(size),
        cost=np.ones(size),
        moves=np.ones(size, dtype=bool),
        swaps=np.zeros(size, dtype=bool),
        shape=shape,
        dtype=inputs[0].dtype,
        notes=(f"Changes are smoothed over {2 * half + 1} of {shape[-1]} times.",),
        kernel=kernel / kernel.sum(),
    )
