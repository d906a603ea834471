"""Bending: targets changed on purpose so that a regression follows them; the attack that its filter must withstand."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_STRETCH = 0.5
_SHARP = 0.1


def opposite(_inputs: np.ndarray, target: np.ndarray, chosen: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return (n,) targets of which the chosen ones stand at the other end from where they stood.

    Args:
        _inputs: (n, w) float64; not looked at.
        target: (n,) float64.
        chosen: (n,) bool.
        rng: Draws where about the end.
    """
    low, high = _ends(target)
    ends = np.where(target < np.median(target), high, low)
    return _placed(target, chosen, ends, rng)


def leaning(inputs: np.ndarray, target: np.ndarray, chosen: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return (n,) targets of which the chosen ones follow another slope: high on one side of a direction, low beyond.

    The direction is one of the columns' own, against what the target does along it.
    """
    low, high = _ends(target)
    along = inputs @ rng.normal(size=inputs.shape[1]) if inputs.shape[1] else rng.normal(size=len(target))
    with_it = float(np.corrcoef(along, target)[0, 1]) if np.ptp(along) > 0 else 0.0
    along = -along if with_it > 0 else along
    return _placed(target, chosen, np.where(along > np.median(along), high, low), rng)


def _ends(target: np.ndarray) -> tuple[float, float]:
    """Return values somewhat beyond the least and the most, as a form may still accept; positive ones stay positive."""
    low, middle, high = float(target.min()), float(np.median(target)), float(target.max())
    below = low if low > 0 else low - _STRETCH * (middle - low)
    return below, high + _STRETCH * (high - middle)


def _placed(target: np.ndarray, chosen: np.ndarray, ends: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    low, high = _ends(target)
    noise = _SHARP * float(target.std()) * rng.standard_normal(len(target))
    return np.where(chosen, np.clip(ends + noise, low, high), target)


WAYS: Mapping[str, Callable[[np.ndarray, np.ndarray, np.ndarray, np.random.Generator], np.ndarray]] = {
    "at the other end": opposite,
    "along another slope": leaning,
}
"""How targets are bent, in words."""
