"""Sound: noise, other voices, hum, clipping, gaps and a coarse codec, at five severities (0 to 4)."""

from __future__ import annotations

import numpy as np

NAMES = ("white noise", "other recordings", "hum", "clipping", "gaps", "coarse codec")
_RATIO = (20.0, 15.0, 10.0, 5.0, 0.0)  # signal to noise in dB


def sound(inputs: np.ndarray, kind: str, severity: int, rng: np.random.Generator) -> np.ndarray:
    """Return worse recordings.

    Args:
        inputs: (n, T) float32, T at least 64.
        kind: One of :data:`NAMES`.
        severity: 0 to 4.
        rng: Draws all.
    """
    made = _worse(inputs.astype(np.float32), kind, severity, rng)
    return np.clip(made, -1.0, 1.0).astype(inputs.dtype) if np.abs(inputs).max(initial=0) <= 1 else made


def _worse(inputs: np.ndarray, kind: str, severity: int, rng: np.random.Generator) -> np.ndarray:
    n, steps = int(inputs.shape[0]), int(inputs.shape[1])
    if kind == "white noise":
        return mixed(inputs, rng.standard_normal(inputs.shape, dtype=np.float32), _RATIO[severity])
    if kind == "other recordings":
        shifts = rng.integers(0, steps, size=n)
        at = (np.arange(steps) + shifts[:, None]) % steps
        return mixed(inputs, np.take_along_axis(np.asarray(inputs[_others(n, rng)]), at, axis=1), _RATIO[severity])
    if kind == "hum":
        turns = 2 * np.pi * np.arange(steps, dtype=np.float32) / 160.0
        wave = np.sin(turns + rng.uniform(0, 2 * np.pi, (n, 1))) + 0.5 * np.sin(2 * turns)
        return mixed(inputs, wave.astype(np.float32), _RATIO[severity])
    if kind == "clipping":
        edge = (0.5, 0.35, 0.2, 0.12, 0.06)[severity] * np.abs(inputs).max(axis=1, keepdims=True)
        return np.asarray(np.clip(inputs, -edge, edge))
    if kind == "gaps":
        share, parts = (0.05, 0.1, 0.2, 0.35, 0.5)[severity], 40
        lost = rng.random((n, parts)) < share
        return np.where(lost[:, np.minimum(np.arange(steps) * parts // steps, parts - 1)], np.float32(0), inputs)
    return _coded(inputs, severity)


def mixed(inputs: np.ndarray, noise: np.ndarray, decibels: float) -> np.ndarray:
    """Add noise so that its power lies ``decibels`` below that of each recording."""
    power = (inputs**2).mean(axis=1, keepdims=True)
    other = np.maximum((noise**2).mean(axis=1, keepdims=True), 1e-12)
    return np.asarray(inputs + noise * np.sqrt(power / other * np.float32(10 ** (-decibels / 10))), dtype=np.float32)


def _others(n: int, rng: np.random.Generator) -> np.ndarray:
    """Return for each recording another one (a shift of a random order)."""
    order = rng.permutation(n)
    other = np.empty(n, dtype=np.int64)
    other[order] = np.roll(order, 1)
    return other


def _coded(inputs: np.ndarray, severity: int) -> np.ndarray:
    """Cut high frequencies, and quantise by the mu-law (ITU-T G.711) with few bits."""
    from scipy.signal import butter, sosfiltfilt

    cut, bits = ((0.9, 8), (0.75, 7), (0.6, 6), (0.45, 5), (0.3, 4))[severity]
    low = sosfiltfilt(butter(4, cut, output="sos"), inputs, axis=1)
    largest = np.maximum(np.abs(low).max(axis=1, keepdims=True), 1e-9)
    squeezed = np.sign(low) * np.log1p(255 * np.abs(low) / largest) / np.log(256)
    levels = 2.0 ** (bits - 1)
    coarse = np.round(squeezed * levels) / levels
    return np.asarray(np.sign(coarse) * (np.expm1(np.abs(coarse) * np.log(256)) / 255) * largest, dtype=np.float32)
