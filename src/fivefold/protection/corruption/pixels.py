"""Pixels: the corruptions of images that act on single values: three noises, brightness, contrast, blocks, JPEG.

Images are (n, C, H, W) float32 in [0, 1]; severities are 0 to 4. Parameters are those of Hendrycks and Dietterich 2019
for images of 32 x 32.
"""

from __future__ import annotations

import numpy as np
from scipy.fft import dctn, idctn

_LUMINANCE = np.array(
    [
        [16, 11, 10, 16, 24, 40, 51, 61],
        [12, 12, 14, 19, 26, 58, 60, 55],
        [14, 13, 16, 24, 40, 57, 69, 56],
        [14, 17, 22, 29, 51, 87, 80, 62],
        [18, 22, 37, 56, 68, 109, 103, 77],
        [24, 35, 55, 64, 81, 104, 113, 92],
        [49, 64, 78, 87, 103, 121, 120, 101],
        [72, 92, 95, 98, 112, 100, 103, 99],
    ],
    dtype=np.float32,
)
"""Quantisation of luminance at quality 50 (ITU-T T.81, table K.1)."""
_CHROMA = np.full((8, 8), 99, dtype=np.float32)
_CHROMA[:4, :4] = [[17, 18, 24, 47], [18, 21, 26, 66], [24, 26, 56, 99], [47, 66, 99, 99]]
_TO_YCC = np.array([[0.299, 0.587, 0.114], [-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]], dtype=np.float32)


def gaussian_noise(images: np.ndarray, severity: int, rng: np.random.Generator) -> np.ndarray:
    """Add normal noise."""
    size = (0.04, 0.06, 0.08, 0.09, 0.10)[severity]
    return np.asarray(images + np.float32(size) * rng.standard_normal(images.shape, dtype=np.float32))


def shot_noise(images: np.ndarray, severity: int, rng: np.random.Generator) -> np.ndarray:
    """Count photons: Poisson noise."""
    photons = (500, 250, 100, 75, 50)[severity]
    return (rng.poisson(images * photons) / photons).astype(np.float32)


def impulse_noise(images: np.ndarray, severity: int, rng: np.random.Generator) -> np.ndarray:
    """Set single values to black or white."""
    share = (0.01, 0.02, 0.03, 0.05, 0.07)[severity]
    drawn = rng.random(images.shape, dtype=np.float32)
    return np.where(drawn < share / 2, np.float32(0), np.where(drawn > 1 - share / 2, np.float32(1), images))


def brightness(images: np.ndarray, severity: int, _rng: np.random.Generator) -> np.ndarray:
    """Raise the value of each pixel (its largest channel), keeping hue and saturation."""
    more = (0.05, 0.1, 0.15, 0.2, 0.3)[severity]
    value = images.max(axis=1, keepdims=True)
    raised = np.minimum(value + more, 1.0)
    return np.asarray(np.where(value > 0, images * (raised / np.maximum(value, 1e-6)), raised), dtype=np.float32)


def contrast(images: np.ndarray, severity: int, _rng: np.random.Generator) -> np.ndarray:
    """Draw all values of a channel towards its mean."""
    left = np.float32((0.75, 0.5, 0.4, 0.3, 0.15)[severity])
    mean = images.mean(axis=(2, 3), keepdims=True)
    return np.asarray((images - mean) * left + mean)


def pixelate(images: np.ndarray, severity: int, _rng: np.random.Generator) -> np.ndarray:
    """Shrink by averaging boxes, and enlarge again to blocks."""
    share = (0.95, 0.9, 0.85, 0.75, 0.65)[severity]
    made = images
    for axis in (2, 3):
        size = images.shape[axis]
        weights = _boxes(size, max(1, round(size * share)))
        made = np.moveaxis(np.moveaxis(made, axis, -1) @ weights, -1, axis)
    return np.asarray(made)


def _boxes(size: int, fewer: int) -> np.ndarray:
    """Return (size, size): the mean of each box of ``size / fewer`` pixels, and its nearest enlargement."""
    edges = np.linspace(0, size, fewer + 1)
    start, end = np.arange(size)[:, None], np.arange(1, size + 1)[:, None]
    overlap = np.clip(np.minimum(end, edges[1:]) - np.maximum(start, edges[:-1]), 0, None)
    shrink = overlap / overlap.sum(axis=0)
    nearest = np.minimum(((np.arange(size) + 0.5) * fewer / size).astype(int), fewer - 1)
    return np.asarray(shrink[:, nearest], dtype=np.float32)


def jpeg(images: np.ndarray, severity: int, _rng: np.random.Generator) -> np.ndarray:
    """Quantise blocks of 8 x 8 in the frequency domain as JPEG does; three channels as luminance and colour."""
    quality = (80, 65, 58, 50, 40)[severity]
    scale = (5000 / quality if quality < 50 else 200 - 2 * quality) / 100
    colour = images.shape[1] == 3
    planes = np.einsum("dc,nchw->ndhw", _TO_YCC, images) if colour else images
    high, wide = images.shape[2:]
    padded = np.pad(planes, ((0, 0), (0, 0), (0, -high % 8), (0, -wide % 8)), mode="edge") * 255
    n, c, h, w = padded.shape
    blocks = padded.reshape(n, c, h // 8, 8, w // 8, 8).swapaxes(3, 4)
    tables = [_CHROMA if colour and at else _LUMINANCE for at in range(c)]
    steps = np.clip(np.floor(np.stack(tables) * scale + 0.5), 1, 255)[None, :, None, None]
    shift = np.zeros((1, c, 1, 1, 1, 1), dtype=np.float32)
    shift[:, 0 if colour else slice(None)] = 128
    coded = np.round(dctn(blocks - shift, axes=(4, 5), norm="ortho") / steps)
    back = idctn(coded * steps, axes=(4, 5), norm="ortho") + shift
    made = back.swapaxes(3, 4).reshape(n, c, h, w)[:, :, :high, :wide] / 255
    if colour:
        made = np.einsum("cd,ndhw->nchw", np.linalg.inv(_TO_YCC), made)
    return np.asarray(made, dtype=np.float32)
