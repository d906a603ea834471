"""Moved: pictures turned, shifted, scaled, brighter or darker, within declared bounds, and the worst of many of these.

Source: Engstrom, Tran, Tsipras, Schmidt and Madry 2019 (a worst of drawn and extreme transformations; gradients do not
help here).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from fivefold.protection.evasion.engine.trial import Trial

if TYPE_CHECKING:
    from fivefold.protection.evasion.engine.trial import Field, Victim


@dataclass(frozen=True)
class Bounds:
    """How far a picture may be moved.

    Attributes:
        rotation: Degrees, either way.
        shift: Share of width and height, either way.
        scale: Share by which it may grow or shrink.
        brightness: Share of the range that may be added to or taken from every pixel.
    """

    rotation: float
    shift: float
    scale: float
    brightness: float

    @property
    def sizes(self) -> np.ndarray:
        """(5,) rotation, shift down, shift right, scale, brightness."""
        return np.array([self.rotation, self.shift, self.shift, self.scale, self.brightness])


def moved(images: np.ndarray, by: np.ndarray, low: float = 0.0, high: float = 1.0) -> np.ndarray:
    """Return moved pictures; what comes in from outside is ``low``.

    Args:
        images: (n, C, H, W) in [low, high].
        by: (n, 5) rotation in degrees, shift down and right as shares, growth, brightness.
        low: Smallest value.
        high: Largest.
    """
    n, channels, height, width = images.shape
    angle = np.deg2rad(by[:, 0])[:, None, None]
    y, x = np.meshgrid(np.arange(height) - (height - 1) / 2, np.arange(width) - (width - 1) / 2, indexing="ij")
    y = y[None] - by[:, 1, None, None] * height
    x = x[None] - by[:, 2, None, None] * width
    grown = 1.0 + by[:, 3, None, None]
    from_y = (np.cos(angle) * y - np.sin(angle) * x) / grown + (height - 1) / 2
    from_x = (np.sin(angle) * y + np.cos(angle) * x) / grown + (width - 1) / 2
    top, left = np.floor(from_y).astype(np.int64), np.floor(from_x).astype(np.int64)
    down, right = from_y - top, from_x - left
    flat = images.reshape(n, channels, -1)
    found = np.zeros((n, channels, height * width), dtype=np.float32)
    for dy, dx in ((0, 0), (0, 1), (1, 0), (1, 1)):
        weight = (down if dy else 1 - down) * (right if dx else 1 - right)
        at_y, at_x = top + dy, left + dx
        inside = (at_y >= 0) & (at_y < height) & (at_x >= 0) & (at_x < width)
        place = (np.clip(at_y, 0, height - 1) * width + np.clip(at_x, 0, width - 1)).reshape(n, 1, -1)
        seen = np.where(inside.reshape(n, 1, -1), np.take_along_axis(flat, place, axis=2), low)
        found += (seen * weight.reshape(n, 1, -1)).astype(np.float32)
    found = np.clip(found + by[:, 4, None, None] * (high - low), low, high)
    return np.asarray(found.reshape(images.shape), dtype=np.float32)


def attack(field: Field, victim: Victim, own: np.ndarray, plan: tuple[Bounds, int], rng: np.random.Generator) -> Trial:
    """Attack pictures with transformations: each bound by itself, then drawn ones, every other one at the bounds.

    Args:
        field: The pictures; its reach is not used.
        victim: The model.
        own: (n,) classes to be moved away from.
        plan: How far, and how many transformations of each picture.
        rng: Which.
    """
    bounds, tries = plan
    trial = Trial(replace(field, norm="linf", epsilon=1.0), victim, own)
    trial.begin("transformation")
    sizes = bounds.sizes
    alone = [sign * size * np.eye(5)[at] for at, size in enumerate(sizes) if size for sign in (1.0, -1.0)]
    for turn in range(tries):
        rows = trial.standing()
        if not len(rows) or not trial.victim.can(len(rows)):
            break
        drawn = rng.uniform(-1, 1, (len(rows), 5)) * sizes
        by = np.sign(drawn) * sizes if turn % 2 else drawn
        if turn < len(alone):
            by = np.broadcast_to(alone[turn], drawn.shape)
        images = field.start[rows].reshape(len(rows), *field.shape)
        trial.ask(rows, moved(images, by).reshape(len(rows), -1))
    return trial
