"""Masks: the smallest part of a picture that sends pictures of every class to one class.

With gradients a mask and a pattern are fitted together for each class, the mask kept small (Neural Cleanse: Wang et al.
2019, section IV). Without, pasted squares of growing size are searched by asking.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from fivefold.protection.backdoor.found import Found

if TYPE_CHECKING:
    from fivefold.contract.subject import Subject, Table

_STEPS = 100
_RATE = 0.25
_SUCCESS = 0.95
_MARGIN = 1.0
_ASKED = 32
_CLASSES = 12
_SHARE = 1 / 3
_ROOM = 1.2
_SIDES = (2, 3, 4, 6)
_PATCHES = 40
_MUTANTS = 3
_LOW, _DECAY, _SQUARES = 0.02, 0.9, 0.99


@dataclass(frozen=True)
class Mask:
    """What is pasted.

    Attributes:
        target: The class that pictures are sent to.
        cover: (H, W) in [0, 1], how far each pixel is replaced.
        pattern: (C, H, W) in the units of the pictures.
    """

    target: int
    cover: np.ndarray
    pattern: np.ndarray

    @property
    def size(self) -> float:
        """Pixels covered."""
        return float(self.cover.sum())

    def within(self, pixels: float) -> Mask:
        """Return the mask with its most covered pixels only, about so many."""
        kept = max(1, int(np.floor(pixels)))
        order = np.argsort(-self.cover.ravel(), kind="stable")[:kept]
        cover = np.zeros(self.cover.size)
        cover[order] = (self.cover.ravel()[order] > _LOW).astype(np.float64)
        return Mask(self.target, cover.reshape(self.cover.shape), self.pattern)

    def on(self, pictures: np.ndarray) -> np.ndarray:
        """Return (n, C, H, W) pictures with it, of their type."""
        made = pictures + self.cover * (self.pattern - pictures.astype(np.float64))
        rounded = made.round() if pictures.dtype == np.uint8 else made
        return np.asarray(rounded.astype(pictures.dtype))


def scan(subject: Subject, clean: Table, rng: np.random.Generator) -> Found | None:
    """Return the class whose trigger is smallest.

    It is judged at its own size, at most a third of what the usual class needs, beside masks of that size for others.

    Args:
        subject: The model.
        clean: Pictures whose truth is known; half of them for the search, the other half state.
        rng: Draws all.

    Returns:
        None where the pictures are of one class only.
    """
    pictures = clean.inputs
    classes = np.unique(clean.target)
    if pictures is None or len(classes) < 2:
        return None
    order = rng.permutation(len(clean))
    fit, held = (clean.take(np.sort(part)) for part in (order[: len(order) // 2], order[len(order) // 2 :]))
    targets = np.arange(len(subject.classes))
    if len(targets) > _CLASSES:
        targets = np.sort(rng.choice(targets, _CLASSES, replace=False))
    fitted = _by_gradient if subject.capabilities.gradients else _by_asking
    made = [fitted(subject, _outside(fit, int(target), rng), int(target), rng) for target in targets]
    sizes = np.log(np.maximum([one.size for one in made], 1.0))
    least = int(sizes.argmin())
    usual = float(np.median(np.delete(sizes, least)))
    budget = min(_SHARE * float(np.exp(usual)), _ROOM * made[least].size)
    tight = made[least].within(budget)
    rows = held.take(np.flatnonzero(held.target != tight.target))
    others = [mask.within(budget) for at, mask in enumerate(made) if at != least]
    shares = [_sent(subject, held.take(np.flatnonzero(held.target != one.target)), one).mean() for one in others]
    area = made[least].cover.size
    return Found(
        f"a patch of {made[least].size / area:.1%} of the picture (others need {np.exp(usual) / area:.1%})",
        tight.target, _sent(subject, rows, tight), _dealt(float(np.mean(shares)), len(rows)),
        usual - float(sizes[least]),
    )  # fmt: skip


def _dealt(share: float, n: int) -> np.ndarray:
    """Return (n,) bool with so many at equal steps: rows of another class stand beside these in number alone."""
    return np.asarray(np.diff(np.floor(np.arange(n + 1) * share + 1e-9)) > 0)


def _sent(subject: Subject, rows: Table, mask: Mask) -> np.ndarray:
    if rows.inputs is None or not len(rows):
        return np.zeros(0, dtype=bool)
    return np.asarray(subject.predict(rows.with_inputs(mask.on(rows.inputs))) == mask.target)


def _outside(rows: Table, target: int, rng: np.random.Generator) -> Table:
    others = np.flatnonzero(rows.target != target)
    return rows.take(np.sort(rng.permutation(others)[:_ASKED]))


def _by_gradient(subject: Subject, rows: Table, target: int, rng: np.random.Generator) -> Mask:
    """Fit mask and pattern, the weight of the mask's size rising while the attack works and falling while not."""
    given = np.asarray(rows.inputs, dtype=np.float64)
    top = 255.0 if rows.inputs is not None and rows.inputs.dtype == np.uint8 else float(given.max())
    low = 0.0 if top == 255.0 else float(given.min())
    shape = given.shape[1:]
    raw = [rng.normal(0, 0.5, shape[1:]) - 1.0, rng.normal(0, 0.5, shape)]
    moments = [[np.zeros_like(one), np.zeros_like(one)] for one in raw]
    weight, best = 1e-3, Mask(target, np.ones(shape[1:]), np.full(shape, (low + top) / 2))
    aim = np.full(len(rows), target, dtype=np.int64)
    for step in range(1, _STEPS + 1):
        cover, tone = _squash(raw[0]), _squash(raw[1])
        mask = Mask(target, cover, low + tone * (top - low))
        shown = rows.with_inputs(mask.on(rows.inputs) if rows.inputs is not None else given)
        losses, slopes = subject.gradient(shown, aim, "margin")
        success = float((losses < 0).mean())
        if success >= _SUCCESS and mask.size < best.size:
            best = mask
        weight = min(weight * 1.3, 1.0) if success >= _SUCCESS else max(weight / 1.5, 1e-5)
        live = (losses > -_MARGIN)[:, None, None, None] / len(rows)
        pull = slopes.astype(np.float64) * live
        down = (pull * (mask.pattern - given)).sum(axis=(0, 1)) + weight
        tint = (pull * cover).sum(axis=0) * (top - low)
        for at, slope in enumerate((down * cover * (1 - cover), tint * tone * (1 - tone))):
            first, second = moments[at]
            first += (1 - _DECAY) * (slope - first)
            second += (1 - _SQUARES) * (slope**2 - second)
            fixed = first / (1 - _DECAY**step) / (np.sqrt(second / (1 - _SQUARES**step)) + 1e-12)
            raw[at] = raw[at] - _RATE * fixed
    return best


def _squash(values: np.ndarray) -> np.ndarray:
    return np.asarray(1 / (1 + np.exp(-np.clip(values, -30, 30))))


def _by_asking(subject: Subject, rows: Table, target: int, rng: np.random.Generator) -> Mask:
    """Paste squares of growing size, plain, checked and drawn, and change the best until it works or none is left."""
    given = rows.inputs
    if given is None:
        raise ValueError("no pictures")
    shape = given.shape[1:]
    low, top = float(given.min()), float(given.max())
    whole = Mask(target, np.ones(shape[1:]), np.full(shape, (low + top) / 2))
    some = rows.take(np.arange(min(len(rows), 16)))
    for side in [one for one in _SIDES if one < min(shape[1:])]:
        tried = [_patch(target, shape, side, (low, top), rng) for _ in range(_PATCHES)]
        scores = _scores(subject, some, tried)
        for _ in range(_MUTANTS):
            lead = tried[int(scores.argmax())]
            changed = [_mutant(lead, side, (low, top), rng) for _ in range(_PATCHES // 2)]
            more = _scores(subject, some, changed)
            tried, scores = [lead, *changed], np.concatenate([[scores.max()], more])
        best = tried[int(scores.argmax())]
        if float(_sent(subject, rows, best).mean()) >= _SUCCESS:
            return best
    return whole


def _patch(target: int, shape: tuple[int, ...], side: int, ends: tuple[float, float], rng: np.random.Generator) -> Mask:
    cover, pattern = np.zeros(shape[1:]), np.full(shape, ends[0])
    row, column = (int(rng.integers(0, size - side + 1)) for size in shape[1:])
    cover[row : row + side, column : column + side] = 1.0
    kind = int(rng.integers(3))
    drawn = rng.integers(0, 2, (shape[0], side, side)) if kind else np.ones((shape[0], side, side))
    colours = rng.uniform(*ends, (shape[0], 1, 1)) if kind == 2 else ends[1]
    pattern[:, row : row + side, column : column + side] = ends[0] + drawn * (colours - ends[0])
    return Mask(target, cover, pattern)


def _mutant(mask: Mask, side: int, ends: tuple[float, float], rng: np.random.Generator) -> Mask:
    """Return the square with a few pixels changed, or moved by a pixel."""
    if rng.random() < 0.4:
        shift = tuple(int(one) for one in rng.integers(-1, 2, 2))
        cover = np.roll(mask.cover, shift, (0, 1))
        edges = (cover[0].any() and cover[-1].any()) or (cover[:, 0].any() and cover[:, -1].any())
        return mask if edges else Mask(mask.target, cover, np.roll(mask.pattern, shift, (1, 2)))
    pattern = mask.pattern.copy()
    spots = np.argwhere(mask.cover > 0)
    for row, column in spots[rng.permutation(len(spots))[: max(1, side * side // 6)]].tolist():
        pattern[:, row, column] = rng.choice(ends, len(pattern))
    return Mask(mask.target, mask.cover, pattern)


def _scores(subject: Subject, rows: Table, masks: list[Mask]) -> np.ndarray:
    """Return (t,) mean log chance of the target, or share sent there."""
    if rows.inputs is None:
        return np.zeros(len(masks))
    shown = np.concatenate([mask.on(rows.inputs) for mask in masks])
    many = rows.take(np.tile(np.arange(len(rows)), len(masks))).with_inputs(shown)
    target = masks[0].target
    if subject.capabilities.scores:
        each = np.log(np.maximum(subject.predict_proba(many)[:, target], 1e-3))
    else:
        each = (subject.predict(many) == target).astype(np.float64)
    return np.asarray(each.reshape(len(masks), len(rows)).mean(axis=1))
