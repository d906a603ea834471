"""Applications: what reads the frames before and after, each with a manifest, pictures and a net."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np

from fivefold.cases.dosage.applications import free
from fivefold.cases.driving import picture
from fivefold.cases.driving.attacking import SLOW, painted
from fivefold.cases.driving.case import again
from fivefold.cases.driving.learning import LADDER, MEMBERS, REACH, ROBUST, flat
from fivefold.cases.driving.signs import KINDS

if TYPE_CHECKING:
    from pathlib import Path

    from fivefold.cases.driving.case import Driven, Road
    from fivefold.cases.nouns import Told

__all__ = ["free", "write"]

_MANIFEST = """# X1, {which} the controls: what a car's camera sees of signs. Written by `fivefold case X1`.
fivefold: 1

application:
  id: signs-{which}
  level: 4
  purpose: read traffic signs for a car that drives itself
  scenario: transport

use: {{output: action, acts: system, alone: true}}
benefit: {{measure: share of frames read rightly, target: 0.95}}
purposes: [driving]

data:
  train: {{path: data/train.npz, kind: image, target: kind, source: a program that draws signs}}
  calibration: {{path: data/calibration.npz, source: a program that draws signs}}
  test: {{path: data/test.npz, source: a program that draws signs}}

model:
  factory: "net:build"
  path: net.safetensors
  version: 1
  output: logits
  classes: {classes}
{controls}
checks: {{P1.images: {{epsilon: {reach}}}, P1.standard: {{epsilon: {reach}}}}}
"""
_NET = '''"""The net that reads frames of {size} by {size} pixels."""

from torch import nn


def build():
    """Return it untrained; net.safetensors holds its weights."""
    return nn.Sequential(
        nn.LayerNorm([3, {size}, {size}], eps=1e-2, elementwise_affine=False),
        nn.Conv2d(3, 16, 4, 2, 1), nn.ReLU(), nn.Conv2d(16, 32, 4, 2, 1), nn.ReLU(), nn.Flatten(),
        nn.Linear({wide}, 64), nn.ReLU(), nn.Linear(64, {kinds}),
    )
'''
_SHOWN = 8


def write(folder: Path, told: Told) -> list[Path]:
    """Write both applications of the first drive of a case that was run, and the pictures.

    Args:
        folder: See :func:`free`.
        told: The case; its seed decides the drive, which is made again.

    Returns:
        Paths that were written.
    """
    road, one = again(told.seed)
    lessons = flat(road.learned), one.lesson
    made: list[Path] = []
    for which, reader, lesson in zip(("before", "after"), one.readers, lessons, strict=True):
        made += _application(folder / which, which, reader.net, (lesson, flat(road.tried), flat(road.others)))
    for name, text in (("shares.svg", picture.shares(told)), ("frames.svg", picture.seen(_rows(road, one)))):
        made.append(folder / name)
        made[-1].write_text(text, encoding="utf-8")
    return made


def _application(folder: Path, which: str, net: Any, parts: tuple[tuple[np.ndarray, np.ndarray], ...]) -> list[Path]:
    from safetensors.torch import save_file

    (folder / "data").mkdir(parents=True)
    side = parts[0][0].shape[-1]
    controls = {"P1": {"training": ROBUST}, "C2": MEMBERS, "C3": LADDER} if which == "after" else {}
    texts = {
        "fivefold.yaml": _MANIFEST.format(
            which=which, classes=json.dumps(KINDS), reach=REACH,
            controls=f"\ncontrols: {json.dumps(controls)}\n" if controls else "",
        ),
        "net.py": _NET.format(size=side, wide=32 * (side // 4) ** 2, kinds=len(KINDS)),
    }  # fmt: skip
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")
    save_file({name: value.contiguous() for name, value in net.state_dict().items()}, str(folder / "net.safetensors"))
    names = [f"data/{name}.npz" for name in ("train", "calibration", "test")]
    for name, (frames, kinds) in zip(names, parts, strict=True):
        pixels = np.round(frames * 255).astype(np.float32) / np.float32(255)
        np.savez_compressed(folder / name, frame=pixels, kind=np.array(KINDS)[kinds])
    return [folder / name for name in (*texts, "net.safetensors", *names)]


def _rows(road: Road, one: Driven) -> list[tuple[str, np.ndarray, np.ndarray]]:
    """Return a sign of each kind with its stickers: of those that are missed before, the first."""
    rows, (_, old, new) = [], one.faces
    frames = [painted(road.signs, faces) for faces in (old, new)]
    some = np.linspace(0, road.signs.frames.shape[1] - 1, _SHOWN).astype(int)
    for kind in np.unique(one.kinds):
        mine = np.flatnonzero(one.kinds == kind)
        at = mine[one.missed(one.before["sticker"])[mine].argmax()]
        for word, faces, seen, told in (("Before", old, frames[0], one.before), ("After", new, frames[1], one.after)):
            read = told["sticker"][at]
            decision = "the car slows down" if read == SLOW else f"read as {KINDS[read]}"
            none = " (no sticker found)" if (faces[at] == one.faces[0][at]).all() else ""
            rows.append((f"{word}: {KINDS[kind]}, {decision}{none}", faces[at], seen[at, some]))
    return rows
