"""Weather: snow, frost and fog, drawn by random fields (the textures of Hendrycks and Dietterich 2019 are photographs).

Images are (n, C, H, W) float32 in [0, 1]; severities are 0 to 4.
"""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter

from fivefold.protection.corruption.lenses import convolve, lines, scale


def clouds(n: int, shape: tuple[int, int], decay: float, rng: np.random.Generator) -> np.ndarray:
    """Return (n, H, W) random fields in [0, 1] whose amplitude falls with frequency to the power ``decay``."""
    high, wide = shape
    rows, columns = np.fft.fftfreq(high)[:, None] * high, np.fft.rfftfreq(wide) * wide
    frequency = np.hypot(rows, columns)
    frequency[0, 0] = 1.0
    spectrum = np.fft.rfft2(rng.standard_normal((n, high, wide))) / frequency**decay
    spectrum[:, 0, 0] = 0.0
    made = np.fft.irfft2(spectrum, s=shape)
    low = made.min(axis=(1, 2), keepdims=True)
    return np.asarray((made - low) / np.maximum(made.max(axis=(1, 2), keepdims=True) - low, 1e-9), dtype=np.float32)


def fog(images: np.ndarray, severity: int, rng: np.random.Generator) -> np.ndarray:
    """Lay clouds over the image and darken the whole so that the brightest value stays."""
    thick, decay = ((0.2, 3.0), (0.5, 3.0), (0.75, 2.5), (1.0, 2.0), (1.5, 1.75))[severity]
    brightest = images.max(axis=(1, 2, 3), keepdims=True)
    veil = np.float32(thick) * clouds(len(images), images.shape[2:], decay / 2, rng)[:, None]
    return np.asarray((images + veil) * (brightest / (brightest + np.float32(thick))))


def frost(images: np.ndarray, severity: int, rng: np.random.Generator) -> np.ndarray:
    """Lay bright crystals (ridges of random fields) over a dimmed image."""
    dim, ice = ((1.0, 0.2), (1.0, 0.3), (0.9, 0.4), (0.85, 0.4), (0.75, 0.45))[severity]
    ridges = 1 - np.abs(2 * clouds(len(images), images.shape[2:], 1.0, rng) - 1)
    patches = clouds(len(images), images.shape[2:], 1.5, rng)
    return np.asarray(np.float32(dim) * images + np.float32(ice) * (ridges**3 * 0.5 + patches**2 * 0.5)[:, None])


def snow(images: np.ndarray, severity: int, rng: np.random.Generator) -> np.ndarray:
    """Let flakes fall along one direction over a paler image."""
    mean, spread, edge, reach, soft, kept = (
        (0.1, 0.2, 0.6, 8, 3, 0.95),
        (0.1, 0.2, 0.5, 10, 4, 0.9),
        (0.15, 0.3, 0.55, 10, 4, 0.9),
        (0.25, 0.3, 0.6, 12, 6, 0.85),
        (0.3, 0.3, 0.65, 14, 12, 0.8),
    )[severity]
    n, _, high, wide = images.shape
    flakes = rng.normal(mean, spread, (n, 1, high, wide)).astype(np.float32)
    flakes = np.where(flakes < edge, 0, flakes)
    size = scale(images)
    angles = np.asarray(rng.uniform(-135, -45, n))
    blown = convolve(flakes, lines(angles, max(1, round(reach * size / 2)), soft * size / 2))
    grey = images.mean(axis=1, keepdims=True)
    pale = np.float32(kept) * images + np.float32(1 - kept) * np.maximum(images, grey * 1.5 + 0.5)
    return np.asarray(pale + blown + gaussian_filter(blown, (0, 0, 0.5, 0.5))[:, :, ::-1, ::-1])
