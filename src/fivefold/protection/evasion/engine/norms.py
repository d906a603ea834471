"""Norms: projections on a ball within a box, steepest steps, random starts, nearest points of a hyperplane in a box."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from fivefold.protection.evasion.engine.trial import Field, Norm

_NEWTON = 12
_TINY = np.float32(1e-12)


def size(change: np.ndarray, norm: Norm) -> np.ndarray:
    """Return (m,) norms of changes (m, d)."""
    if norm == "linf":
        return np.asarray(np.abs(change).max(axis=1))
    if norm == "l2":
        return np.asarray(np.sqrt(np.einsum("ij,ij->i", change, change)))
    return np.asarray(np.abs(change).sum(axis=1))


def project(field: Field, rows: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Return (m, d) vectors in ball and box near to ``values``, which is overwritten.

    Linf: the nearest. l2: scaled to the ball, then cut to the box (Croce and Hein 2020). l1: cut to the box, then
    every change shrunk by one threshold (the nearest point of ball and box, Croce and Hein 2021).
    """
    start, (low, high) = field.start[rows], field.box(rows)
    if field.norm == "linf":
        np.maximum(values, start - np.float32(field.epsilon), out=values)
        np.minimum(values, start + np.float32(field.epsilon), out=values)
        return np.asarray(np.clip(values, low, high, out=values))
    if field.norm == "l2":
        change = values - start
        change *= np.minimum(1.0, field.epsilon / np.maximum(size(change, "l2"), _TINY))[:, None].astype(np.float32)
        return np.asarray(np.clip(start + change, low, high))
    change = values - start
    room = np.where(change > 0, high - start, start - low)
    length = _shrunk(np.abs(change), room, field.epsilon)
    return np.asarray(start + np.copysign(length, change))


def _shrunk(length: np.ndarray, room: np.ndarray, most: float) -> np.ndarray:
    """Return min(max(length - t, 0), room) with the smallest t >= 0 for which it sums to ``most`` (bisection)."""
    whole = np.minimum(length, room)
    over = whole.sum(axis=1) > most
    if not over.any():
        return np.asarray(whole)
    low, high = np.zeros((int(over.sum()), 1), dtype=np.float32), length[over].max(axis=1, keepdims=True)
    for _ in range(24):
        middle = (low + high) / 2
        total = np.minimum(np.maximum(length[over] - middle, 0), room[over]).sum(axis=1, keepdims=True)
        low, high = np.where(total > most, middle, low), np.where(total > most, high, middle)
    whole[over] = np.minimum(np.maximum(length[over] - high, 0), room[over])
    return np.asarray(whole)


def steepest(gradient: np.ndarray, norm: Norm, sparse: np.ndarray | None = None) -> np.ndarray:
    """Return (m, d) the step of length 1 along which a linear function rises most.

    Args:
        gradient: (m, d).
        norm: Of the step.
        sparse: l1: (m,) how many features of largest slope move, by as much each; None: one.
    """
    if norm == "linf":
        return np.asarray(np.sign(gradient))
    if norm == "l2":
        return np.asarray(gradient / np.maximum(size(gradient, "l2"), _TINY)[:, None])
    many = np.ones(len(gradient), dtype=np.int64) if sparse is None else np.maximum(sparse.astype(np.int64), 1)
    height = np.abs(gradient)
    cut = -np.partition(-height, np.minimum(np.unique(many), height.shape[1]) - 1, axis=1)
    cut = np.take_along_axis(cut, np.minimum(many, height.shape[1])[:, None] - 1, axis=1)
    picked = np.where(height >= np.maximum(cut, _TINY), np.sign(gradient), 0)
    return np.asarray(picked / np.maximum(np.abs(picked).sum(axis=1, keepdims=True), 1), dtype=np.float32)


def anywhere(field: Field, rows: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return (m, d) random vectors in ball and box."""
    start = field.start[rows]
    if field.norm == "linf":
        drawn = rng.random(start.shape, dtype=np.float32) * 2 - 1
    elif field.norm == "l2":
        drawn = steepest(rng.standard_normal(start.shape, dtype=np.float32), "l2")
    else:
        drawn = rng.laplace(size=start.shape).astype(np.float32)
        drawn /= np.abs(drawn).sum(axis=1, keepdims=True)
    return project(field, rows, start + np.float32(field.epsilon) * drawn)


def nearest(
    values: np.ndarray, slope: np.ndarray, wanted: np.ndarray, box: tuple[np.ndarray, np.ndarray], norm: Norm
) -> np.ndarray:
    """Return (m, d) smallest changes in a box after which slope . change >= wanted, as far as the box allows.

    With r the largest change of a feature (l2: r times its slope), what the box allows is gained by
    g(r) = sum |w| min(r, room) (l2: min(r |w|, room)), concave and piecewise linear; Newton's method from below ends
    on the exact r in a few steps. l1: features in falling order of slope, each as far as it goes.
    Source: Croce and Hein 2020 (FAB), equations 4 to 6.

    Args:
        values: (m, d) from where.
        slope: (m, d) of the hyperplane.
        wanted: (m,) rise needed; where it is negative, the change is a step back to the hyperplane.
        box: Lowest and highest values.
        norm: Of the change.
    """
    slope = slope * np.where(wanted < 0, -1, 1).astype(np.float32)[:, None]
    wanted = np.abs(wanted).astype(np.float32)
    room = np.where(slope > 0, box[1] - values, values - box[0])
    weight = np.abs(slope)
    if norm == "l1":
        return np.asarray(np.copysign(_greedy(weight, room, wanted), slope))
    pull = weight if norm == "l2" else (weight > 0).astype(np.float32)
    speed = weight * pull
    reach = wanted / np.maximum(speed.sum(axis=1), _TINY)
    for _ in range(_NEWTON):
        moved = np.minimum(reach[:, None] * pull, room)
        short = wanted - np.einsum("ij,ij->i", weight, moved)
        left = np.einsum("ij,ij->i", speed, (moved < room).astype(np.float32))
        open_ = (short > 1e-6 * wanted) & (left > _TINY)
        if not open_.any():
            break
        reach = reach + np.where(open_, short / np.maximum(left, _TINY), 0).astype(np.float32)
    return np.asarray(np.copysign(np.minimum(reach[:, None] * pull, room), slope))


def _greedy(weight: np.ndarray, room: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    order = np.argsort(-weight, axis=1)
    gain = np.take_along_axis(weight * room, order, axis=1)
    before = np.cumsum(gain, axis=1) - gain
    share = np.clip((wanted[:, None] - before) / np.maximum(gain, _TINY), 0, 1)
    moved = np.zeros_like(room)
    np.put_along_axis(moved, order, np.take_along_axis(room, order, axis=1) * share, axis=1)
    return moved
