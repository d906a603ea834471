"""Lenses: the corruptions of images that move or smear pixels: four blurs, glass and stretching.

Images are (n, C, H, W) float32 in [0, 1]; severities are 0 to 4. Radii grow with the image from those that Hendrycks
and Dietterich 2019 use at 32 x 32.
"""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter, map_coordinates

BASE = 32
_LEAST = 0.75


def scale(images: np.ndarray) -> float:
    """Return by how much radii grow with the image; in very small ones they shrink no further."""
    return max(float(min(images.shape[2:])) / BASE, _LEAST)


def convolve(images: np.ndarray, kernels: np.ndarray) -> np.ndarray:
    """Convolve each image with its kernel, edges mirrored.

    Args:
        images: (n, C, H, W).
        kernels: (k, k), or (n, k, k), k odd; each sums to 1.
    """
    half = kernels.shape[-1] // 2
    reach = [min(half, size - 1) for size in images.shape[2:]]
    padded = np.pad(images, ((0, 0), (0, 0), *((one, one) for one in reach)), mode="reflect")
    one_for_all = kernels.ndim == 2
    made = np.zeros_like(images)
    high, wide = images.shape[2:]
    for row in range(-reach[0], reach[0] + 1):
        for column in range(-reach[1], reach[1] + 1):
            weight = kernels[..., half + row, half + column].astype(np.float32)
            if np.any(weight):
                part = padded[
                    :, :, reach[0] + row : reach[0] + row + high, reach[1] + column : reach[1] + column + wide
                ]
                made += part * (weight if one_for_all else weight[:, None, None, None])
    return made


def defocus_blur(images: np.ndarray, severity: int, _rng: np.random.Generator) -> np.ndarray:
    """Blur with a disc that is a little soft at its edge."""
    radius, soft = ((0.3, 0.4), (0.4, 0.5), (0.5, 0.6), (1.0, 0.2), (1.5, 0.1))[severity]
    size = scale(images)
    reach = max(3, int(np.ceil(radius * size)) + 2)
    at = np.arange(-reach, reach + 1)
    disc = np.clip(radius * size + 0.5 - np.hypot(at[:, None], at), 0.0, 1.0)
    kernel = gaussian_filter(disc, soft * size)
    return convolve(images, kernel / kernel.sum())


def motion_blur(images: np.ndarray, severity: int, rng: np.random.Generator) -> np.ndarray:
    """Smear along a line of random direction, at most 45 degrees from level, fading to one end."""
    radius, soft = ((6, 1.0), (6, 1.5), (6, 2.0), (8, 2.0), (9, 2.5))[severity]
    reach = max(1, round(radius * scale(images)))
    return convolve(images, lines(rng.uniform(-45, 45, len(images)), reach, soft * scale(images)))


def lines(angles: np.ndarray, reach: int, soft: float) -> np.ndarray:
    """Return (n, k, k) kernels along lines at (n,) angles in degrees that fade as a half of a normal curve."""
    steps = np.arange(0, reach + 1)
    weights = np.exp(-(steps**2) / (2 * max(soft, 1e-3) ** 2))
    kernels = np.zeros((len(angles), 2 * reach + 1, 2 * reach + 1))
    turned = np.deg2rad(angles)[:, None]
    rows = np.round(reach + steps * np.sin(turned)).astype(int)
    columns = np.round(reach + steps * np.cos(turned)).astype(int)
    np.add.at(kernels, (np.arange(len(angles))[:, None], rows, columns), weights)
    return np.asarray(kernels / kernels.sum(axis=(1, 2), keepdims=True))


def zoom_blur(images: np.ndarray, severity: int, _rng: np.random.Generator) -> np.ndarray:
    """Average the image with enlargements of its middle."""
    most = (1.06, 1.11, 1.16, 1.21, 1.26)[severity]
    factors = np.arange(1.0, most, 0.01)
    high, wide = images.shape[2:]
    total = np.zeros_like(images)
    for factor in factors:
        total += _stretched(_stretched(images, high, float(factor), 2), wide, float(factor), 3)
    return np.asarray(total / np.float32(len(factors)))


def _stretched(images: np.ndarray, size: int, factor: float, axis: int) -> np.ndarray:
    """Enlarge about the middle along one axis, linearly between pixels."""
    middle = (size - 1) / 2
    at = middle + (np.arange(size) - middle) / factor
    low = np.floor(at).astype(int)
    share = (at - low).astype(np.float32)
    shape = [1, 1, 1, 1]
    shape[axis] = size
    share = share.reshape(shape)
    first = images.take(low, axis=axis)
    return np.asarray(first * (1 - share) + images.take(np.minimum(low + 1, size - 1), axis=axis) * share)


def glass_blur(images: np.ndarray, severity: int, rng: np.random.Generator) -> np.ndarray:
    """Exchange pixels with near ones at random between two slight blurs."""
    sigma, most, rounds = ((0.05, 1, 1), (0.25, 1, 1), (0.4, 1, 1), (0.25, 1, 2), (0.4, 1, 2))[severity]
    size = scale(images)
    near = max(1, round(most * size))
    made = gaussian_filter(images, (0, 0, sigma * size, sigma * size))
    n, _, high, wide = images.shape
    row, column = np.arange(high)[None, :, None], np.arange(wide)[None, None, :]
    for _ in range(rounds):
        moves = rng.integers(-near, 1, size=(2, n, high, wide))
        rows, columns = np.clip(row + moves[0], 0, high - 1), np.clip(column + moves[1], 0, wide - 1)
        made = made[np.arange(n)[:, None, None], :, rows, columns].transpose(0, 3, 1, 2)
    return np.asarray(gaussian_filter(made, (0, 0, sigma * size, sigma * size)))


def elastic(images: np.ndarray, severity: int, rng: np.random.Generator) -> np.ndarray:
    """Stretch each image by a smooth random field and a slight random affine map."""
    alpha, sigma, affine = ((0, 1, 0.08), (0.05, 0.2, 0.07), (0.08, 0.06, 0.06), (0.1, 0.04, 0.05), (0.1, 0.03, 0.03))[
        severity
    ]
    n, channels, high, wide = images.shape
    size = min(high, wide)
    field = rng.uniform(-1, 1, size=(2, n, high, wide))
    field = gaussian_filter(field, (0, 0, sigma * size, sigma * size)) * alpha * size
    row, column = np.meshgrid(np.arange(high), np.arange(wide), indexing="ij")
    bend = rng.uniform(-affine, affine, size=(n, 2, 3)) * 2
    made = np.empty_like(images)
    centred = np.stack([row - (high - 1) / 2, column - (wide - 1) / 2])
    for at in range(n):
        moved = np.einsum("ij,jhw->ihw", bend[at, :, :2], centred) + bend[at, :, 2, None, None] * size / 10
        where = np.stack([row, column]) + moved + field[:, at]
        for channel in range(channels):
            made[at, channel] = map_coordinates(images[at, channel], where, order=1, mode="reflect")
    return made
