"""Road: signs as a camera sees them from a car that comes nearer, frame by frame."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from fivefold.cases.driving.signs import SIDE, clutter, covers, sheets

FRAMES = 15
"""Pictures that the camera takes of a sign, from 60 m to 30 m: there a car at 50 km/h has to brake at the latest."""
FAR, NEAR = 60.0, 30.0
SIZE = 16
"""Pixels of a frame, cut out around the sign."""
_GRAIN = 0.02
_BLURS = (0.0, 0.9, 1.8)  # pixels of a sheet
_WIDE = 900.0  # pixels over which one metre at one metre is spread, times metres of the sign and its surroundings


@dataclass(frozen=True)
class Looks:
    """How each frame shows its sheet.

    Attributes:
        grid: (n, F, SIZE, SIZE, 2) float32, the place of the sheet that each pixel shows, (x, y) in [-1, 1] if inside.
        blur: (n, F, 3) float32, weights of :data:`_BLURS`.
        light: (n, F, 3) float32, brightness of each channel.
    """

    grid: np.ndarray
    blur: np.ndarray
    light: np.ndarray

    def __getitem__(self, rows: np.ndarray) -> Looks:
        return Looks(self.grid[rows], self.blur[rows], self.light[rows])


@dataclass(frozen=True)
class Approaches:
    """Signs that a car comes near to.

    Attributes:
        kinds: (n,) int64.
        frames: (n, F, 3, H, W) float32 in [0, 1].
        sheets: (n, 3, S, S) float32, the sign from in front.
        looks: How the frames show it.
    """

    kinds: np.ndarray
    frames: np.ndarray
    sheets: np.ndarray
    looks: Looks

    def __len__(self) -> int:
        return len(self.kinds)

    def __getitem__(self, rows: np.ndarray) -> Approaches:
        return Approaches(self.kinds[rows], self.frames[rows], self.sheets[rows], self.looks[rows])


def approaches(
    kinds: np.ndarray, rng: np.random.Generator, frames: int = FRAMES, faces: np.ndarray | None = None
) -> Approaches:
    """Draw signs and what a camera sees of each: angle, distance, blur, light, surroundings, and noise.

    Args:
        kinds: (n,) places in :data:`fivefold.cases.driving.signs.KINDS`.
        rng: All of it.
        frames: How many of each.
        faces: (n, 3, S, S) the very signs, which a car comes near to anew; None: others.
    """
    import torch

    n = len(kinds)
    faces = sheets(kinds, rng) if faces is None else faces
    looks, cover = _looks(n, frames, rng), covers(kinds)[:, None]
    seen = shown(torch.as_tensor(np.concatenate([faces * cover, cover], axis=1)), looks).numpy()
    ground = _surroundings(n, frames, rng)
    light = looks.light[..., None, None]
    made = light * (seen[:, :, :3] + (1 - seen[:, :, 3:]) * ground)
    made += np.float32(_GRAIN) * rng.standard_normal(made.shape, dtype=np.float32)
    return Approaches(kinds, np.clip(made, 0, 1, out=made), faces, looks)


def _surroundings(n: int, frames: int, rng: np.random.Generator) -> np.ndarray:
    """Return (n, F, 3, SIZE, SIZE) what is behind signs, which moves from frame to frame."""
    wide = clutter(n, rng, 2 * SIZE) * rng.uniform(0.5, 1.0, (n, 1, 1, 1)).astype(np.float32)
    at = np.clip(SIZE // 2 + np.cumsum(rng.integers(-2, 3, (2, n, frames)), axis=2), 0, SIZE)
    windows = np.lib.stride_tricks.sliding_window_view(wide, (SIZE, SIZE), axis=(2, 3))
    return np.asarray(windows[np.arange(n)[:, None], :, at[0], at[1]])


def _looks(n: int, frames: int, rng: np.random.Generator) -> Looks:
    """Return looks: the car comes nearer, the sign is turned away and tilted, the cut is off by a little."""
    distance = np.linspace(FAR, NEAR, frames) * rng.uniform(0.95, 1.05, (n, 1))
    yaw, tilt = np.deg2rad(rng.uniform(-35, 35, (n, 1))), np.deg2rad(rng.normal(0, 4, (n, 1)))
    yaw, tilt = yaw + 0.02 * rng.standard_normal((n, frames)), tilt + 0.02 * rng.standard_normal((n, frames))
    grown = rng.uniform(0.92, 1.2, (n, 1)) * rng.normal(1, 0.03, (n, frames))
    off = rng.normal(0, 0.05, (2, n, 1)) + rng.normal(0, 0.03, (2, n, frames))
    at = (np.arange(SIZE) + 0.5) / SIZE * 2 - 1
    y, x = np.meshgrid(at, at, indexing="ij")
    x, y = (x[None, None] + off[0][..., None, None]), (y[None, None] + off[1][..., None, None])
    cos, sin = np.cos(tilt)[..., None, None], np.sin(tilt)[..., None, None]
    across, down = cos * x + sin * y, cos * y - sin * x
    scale = grown[..., None, None]
    grid = np.stack([across * scale / np.cos(yaw)[..., None, None], down * scale], axis=-1).astype(np.float32)
    # a pixel of the camera covers so many of the sheet: the far sign is small
    coarse = np.clip(SIDE * distance / _WIDE - 0.6 + rng.exponential(0.25, (n, frames)), 0, 2)
    blur = np.maximum(0, 1 - np.abs(coarse[..., None] - np.arange(3))).astype(np.float32)
    light = rng.uniform(0.55, 1.1, (n, 1, 1)) * rng.normal(1, 0.05, (n, frames, 1)) * rng.normal(1, 0.05, (n, 1, 3))
    return Looks(grid, blur, light.astype(np.float32))


def shown(faces: Any, looks: Looks) -> Any:
    """Return (n, F, C, H, W) what frames show of sheets, (n, C, S, S), a torch tensor; linear; 0 outside; no light."""
    import torch
    from torch.nn.functional import conv2d, grid_sample, pad

    n, channels, side, _ = faces.shape
    frames = looks.grid.shape[1]
    levels = [faces]
    for spread in _BLURS[1:]:
        reach = int(np.ceil(2 * spread))
        weights = np.exp(-0.5 * (np.arange(-reach, reach + 1) / spread) ** 2)
        line = torch.as_tensor((weights / weights.sum()).astype(np.float32))
        flat = pad(faces.reshape(n * channels, 1, side, side), (reach, reach, reach, reach))
        flat = conv2d(conv2d(flat, line.reshape(1, 1, 1, -1)), line.reshape(1, 1, -1, 1))
        levels.append(flat.reshape(n, channels, side, side))
    stack = torch.cat(levels, dim=1)
    grid = torch.as_tensor(looks.grid).reshape(n, frames * looks.grid.shape[2], -1, 2)
    seen = grid_sample(stack, grid, align_corners=False)
    seen = seen.reshape(n, len(levels), channels, frames, looks.grid.shape[2], -1)
    return torch.einsum("nlcfhw,nfl->nfchw", seen, torch.as_tensor(looks.blur))


def repainted(approach: Approaches, faces: Any) -> Any:
    """Return (n, F, 3, H, W) frames, a torch tensor, as if the sheets had been painted over; see :func:`shown`.

    Args:
        approach: As it was seen.
        faces: (n, 3, S, S) torch tensor, the sheets painted over.
    """
    import torch

    change = shown(faces - torch.as_tensor(approach.sheets), approach.looks)
    light = torch.as_tensor(approach.looks.light)[..., None, None]
    return (torch.as_tensor(approach.frames) + light * change).clamp(0, 1)
