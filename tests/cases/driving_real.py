"""X1 on real tracks (GTSRB): `python -m tests.cases.driving_real DATA RUNS SEED` makes drives and prints figures.

A track is a real approach: ten frames in which the sign grows. Half of the frames are rehearsed with, a car drives by
the others. A sheet is the nearest frame; in the others a sticker is as blurred and as light as they are.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

from fivefold.cases.driving import case
from fivefold.cases.driving.attacking import SLOW
from fivefold.cases.driving.road import SIZE, Approaches, Looks
from fivefold.protection.evasion.moved import moved

GROUPS = {
    "stop": (14,), "give way": (13,), "priority road": (12,), "no entry": (17,), "limit": (0, 1, 2, 3, 4, 5, 7, 8),
    "danger": (11, *range(18, 32)), "direction": tuple(range(33, 41)), "end": (6, 32, 41, 42),
    "ban": (9, 10, 15, 16),
}  # fmt: skip
"""Kinds that a car tells apart here, and the data set's numbers of each; which limit or danger it is stays open."""
_FRAMES = 10


def tracks(folder: Path) -> Approaches:
    """Return all tracks; kinds are places in :data:`GROUPS`."""
    with np.load(folder / "gtsrb_open.npz") as stored:
        pixels, kinds, size = stored["X"], stored["y"].astype(np.int64), stored["orig_size"]
    pixels = pixels.reshape(-1, _FRAMES, *pixels.shape[1:]).transpose(0, 1, 4, 2, 3).astype(np.float32) / 255
    group = np.argsort([number for numbers in GROUPS.values() for number in numbers])
    kinds = np.repeat(np.arange(len(GROUPS)), [len(numbers) for numbers in GROUPS.values()])[group][kinds[::_FRAMES]]
    size = size.reshape(-1, _FRAMES, 2).mean(axis=2)
    n, _, channels, side, _ = pixels.shape
    frames = pixels.reshape(n, _FRAMES, channels, SIZE, side // SIZE, SIZE, side // SIZE).mean(axis=(4, 6))
    at = (np.arange(SIZE) + 0.5) / SIZE * 2 - 1
    y, x = np.meshgrid(at, at, indexing="ij")
    grid = np.tile(np.stack([x, y], axis=-1).astype(np.float32), (n, _FRAMES, 1, 1, 1))
    coarse = np.clip(0.5 + 24 / size, 0, 2)
    blur = np.maximum(0, 1 - np.abs(coarse[..., None] - np.arange(3))).astype(np.float32)
    bright = pixels.mean(axis=(3, 4)) + 0.02
    light = np.clip(bright / bright[:, -1:], 0.3, 3).astype(np.float32)
    return Approaches(kinds, frames, pixels[:, -1], Looks(grid, blur, light))


def frames(seen: Approaches, some: np.ndarray) -> Approaches:
    """Return the same approaches with some of the frames."""
    looks = Looks(seen.looks.grid[:, some], seen.looks.blur[:, some], seen.looks.light[:, some])
    return replace(seen, frames=seen.frames[:, some], looks=looks)


def _moved(seen: Approaches, rng: np.random.Generator) -> Approaches:
    """Return the same tracks once more, turned, shifted, grown and brightened frames behind the true ones."""
    n, count, *shape = seen.frames.shape
    by = rng.uniform(-1, 1, (n * count, 5)) * np.array([10, 0.08, 0.08, 0.1, 0.1])
    copies = moved(seen.frames.reshape(-1, *shape), by).reshape(seen.frames.shape)
    both = Looks(
        *(np.concatenate([each, each], axis=1) for each in (seen.looks.grid, seen.looks.blur, seen.looks.light))
    )
    return replace(seen, frames=np.concatenate([seen.frames, copies], axis=1), looks=both)


def road(whole: Approaches, rng: np.random.Generator) -> case.Road:
    """Deal the tracks of each kind: half to learn from, a sixth to try, a third to drive by."""
    part = np.zeros(len(whole), dtype=int)
    for kind in range(len(GROUPS)):
        mine = rng.permutation(np.flatnonzero(whole.kinds == kind))
        tried, driven = len(mine) // 6, len(mine) // 3
        part[mine[:tried]], part[mine[tried : tried + driven]] = 1, 2
    names, critical = tuple(GROUPS), (0, 1, 2)
    attacked = np.flatnonzero((part == 2) & np.isin(whole.kinds, critical))
    odd, even = np.arange(1, _FRAMES, 2), np.arange(0, _FRAMES, 2)
    return case.Road(
        names, _moved(whole[np.flatnonzero(part == 0)], rng),
        whole[np.flatnonzero(part == 1)], frames(whole[attacked], odd), frames(whole[attacked], even),
        frames(whole[np.flatnonzero((part == 2) & ~np.isin(whole.kinds, critical))], odd),
    )  # fmt: skip


def drive(folder: Path, seed: int, at: int = 0) -> case.Driven:
    """Deal, learn and drive once."""
    import torch

    torch.set_num_threads(1)
    rng = np.random.Generator(np.random.PCG64([seed, at]))
    return case.driven(road(tracks(folder), rng), rng, side=8)


def told(met: list[case.Driven]) -> list[str]:
    """Return figures over drives."""
    lines = []
    for word, which in (("before", 0), ("after", 1)):
        for way in (met[0].before, met[0].after)[which]:
            pairs = [(one, (one.before, one.after)[which][way]) for one in met]
            slow = [float((each == SLOW).mean()) for _, each in pairs]
            lines += [case.missed(f"{word}, {way}", pairs), case.spread("  slowed down at", slow, "of 100", 100)]
        others = [(one.quiet[which], one.others) for one in met]
        quiet = [float((each == SLOW).mean()) for each, _ in others]
        wrong = [float(((each != true) & (each != SLOW)).mean()) for each, true in others]
        lines += [case.spread(f"{word}, others slowed down at", quiet, "of 100", 100),
                  case.spread(f"{word}, others misread", wrong, "of 100", 100)]  # fmt: skip
    return lines


if __name__ == "__main__":
    drives = [drive(Path(sys.argv[1]), int(sys.argv[3]), at) for at in range(int(sys.argv[2]))]
    sys.stdout.write("\n".join(told(drives)) + "\n")
