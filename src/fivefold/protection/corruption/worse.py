"""Worse: which corruptions a kind of data has, and a table with one of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from fivefold.errors import UnsupportedError
from fivefold.protection.corruption import lenses, pixels, sensors, sound, weather

if TYPE_CHECKING:
    from collections.abc import Callable

    from fivefold.contract.subject import Table

SEVERITIES = 5
_CELLS = 4_000_000  # values of images held in float32 at once
IMAGES: dict[str, Callable[[np.ndarray, int, np.random.Generator], np.ndarray]] = {
    "gaussian noise": pixels.gaussian_noise,
    "shot noise": pixels.shot_noise,
    "impulse noise": pixels.impulse_noise,
    "defocus blur": lenses.defocus_blur,
    "glass blur": lenses.glass_blur,
    "motion blur": lenses.motion_blur,
    "zoom blur": lenses.zoom_blur,
    "snow": weather.snow,
    "frost": weather.frost,
    "fog": weather.fog,
    "brightness": pixels.brightness,
    "contrast": pixels.contrast,
    "elastic": lenses.elastic,
    "pixelate": pixels.pixelate,
    "jpeg": pixels.jpeg,
}
"""The fifteen corruptions of Hendrycks and Dietterich 2019."""


@dataclass(frozen=True)
class Way:
    """How rows of one kind get worse.

    Attributes:
        names: The corruptions.
        make: Name, severity (0 to 4) and a source of chance to the same rows, made worse.
    """

    names: tuple[str, ...]
    make: Callable[[str, int, np.random.Generator], Table]


def way(table: Table) -> Way:
    """Return the corruptions of a table.

    Args:
        table: n rows, at least 1.

    Raises:
        UnsupportedError: ``corruption.kind`` for texts, ``corruption.sensors`` for a table without sensors.
    """
    if table.kind == "text":
        raise UnsupportedError("corruption.kind", "there are no corruptions of texts.")
    if table.inputs is None:
        known = sensors.sensors(table.features)
        if not known:
            raise UnsupportedError(
                "corruption.sensors", "no column holds numbers of three values or more, so there is no sensor to fail."
            )
        return Way(
            sensors.NAMES,
            lambda name, at, rng: table.with_features(sensors.table(table.features, known, name, at, rng)),
        )
    inputs = table.inputs
    if table.kind == "series":
        return Way(sensors.NAMES, lambda name, at, rng: table.with_inputs(sensors.series(inputs, name, at, rng)))
    if table.kind == "audio":
        if inputs.shape[1] < 64:
            raise UnsupportedError("corruption.kind", "recordings of fewer than 64 values are no sound.")
        return Way(sound.NAMES, lambda name, at, rng: table.with_inputs(sound.sound(inputs, name, at, rng)))
    return Way(tuple(IMAGES), lambda name, at, rng: table.with_inputs(images(inputs, name, at, rng)))


def images(inputs: np.ndarray, name: str, severity: int, rng: np.random.Generator) -> np.ndarray:
    """Return images made worse, in their own dtype and range; a few at a time, so that memory stays small.

    Bytes run from 0 to 255, numbers from the smallest to the largest that occurs (0 to 1 where they lie within).
    """
    low, high = 0.0, 255.0
    if inputs.dtype != np.uint8:
        low, high = float(min(inputs.min(), 0.0)), float(max(inputs.max(), 1.0))
    made = np.empty_like(inputs)
    step = max(1, _CELLS // max(int(np.prod(inputs.shape[1:])), 1))
    for start in range(0, len(inputs), step):
        part = (inputs[start : start + step].astype(np.float32) - np.float32(low)) / np.float32(high - low)
        worse = np.clip(IMAGES[name](part, severity, rng), 0.0, 1.0) * (high - low) + low
        made[start : start + step] = np.round(worse) if inputs.dtype == np.uint8 else worse
    return made
