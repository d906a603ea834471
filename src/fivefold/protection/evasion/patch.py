"""Patch: a square of a picture that an attacker may paint as he likes, at the place that is worst for the model.

Source: Brown et al. 2017 (adversarial patch); Karmon, Zoran and Goldberg 2018 (one place in one picture); Croce et al.
2022 (Sparse-RS: contents and places by random search).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from fivefold.protection.evasion import surrogate
from fivefold.protection.evasion.engine import apgd
from fivefold.protection.evasion.engine.trial import Trial
from fivefold.protection.evasion.vectors import Vectors

if TYPE_CHECKING:
    from fivefold.protection.evasion.engine.trial import Field, Victim
    from fivefold.protection.evasion.hunt import Hunt

_RANKS = 3
"""Other classes that a surrogate aims at."""


@dataclass(frozen=True)
class Plan:
    """What is tried.

    Attributes:
        side: Of the square, in pixels.
        places: At so many places of each picture the gradient is followed.
        steps: Gradients at each place.
        pastes: Squares that are pasted without gradients.
        white: The model gives gradients.
        grey: It gives scores.
    """

    side: int
    places: int
    steps: int
    pastes: int
    white: bool
    grey: bool


def side_of(share: float, shape: tuple[int, ...]) -> int:
    """Return the side in pixels of a square whose side is ``share`` of the shorter one of a picture (C, H, W)."""
    return max(1, min(round(share * min(shape[1:])), *shape[1:]))


def sums(values: np.ndarray, side: int) -> np.ndarray:
    """Return (n, H - side + 1, W - side + 1) sums of (n, C, H, W) values over each square, all channels."""
    total = values.sum(axis=1, dtype=np.float64).cumsum(axis=1).cumsum(axis=2)
    padded = np.pad(total, ((0, 0), (1, 0), (1, 0)))
    return np.asarray(
        padded[:, side:, side:] - padded[:, :-side, side:] - padded[:, side:, :-side] + padded[:, :-side, :-side]
    )


def cells(shape: tuple[int, ...], side: int, top: np.ndarray, left: np.ndarray) -> np.ndarray:
    """Return (m, C * side * side) places in a flat picture of the squares whose upper left corners are given."""
    channels, height, width = shape
    inside = (np.arange(side)[:, None] * width + np.arange(side)).reshape(-1)
    every = (np.arange(channels)[:, None] * (height * width) + inside).reshape(-1)
    return np.asarray((top * width + left)[:, None] + every)


def hints(hunt: Hunt, vectors: Vectors, known: np.ndarray) -> tuple[np.ndarray, ...]:
    """Return where a linear surrogate, taught by the answers to known rows, would move each row: (n, c) slopes.

    Args:
        hunt: The rows.
        vectors: Their numbers.
        known: (p, d) rows of the space whose answers are asked.
    """
    if not len(known) or not len(hunt.start) or not hunt.oracle.can(len(known)):
        return ()
    told = hunt.oracle(known, np.resize(hunt.origin, len(known)))
    model = surrogate.linear(hunt.space, known, told, regression=False)
    if model is None:
        return ()
    rows = np.arange(len(hunt.start))
    slopes = [surrogate.towards(hunt, rows, model, rank)[1] for rank in range(min(_RANKS, len(model.answers) - 1))]
    return tuple((slope[:, vectors.columns] * vectors.scale).astype(np.float32) for slope in slopes)


def attack(hunt: Hunt, victim: Victim, plan: Plan, known: np.ndarray, rng: np.random.Generator) -> Trial:
    """Attack pictures with one square each.

    Args:
        hunt: The pictures; its reach is not used.
        victim: The model.
        plan: What is tried.
        known: (p, d) pictures that the attacker has: to ask for, and to cut squares from.
        rng: Places and contents.
    """
    vectors = Vectors.of(hunt)
    field = replace(vectors.field("linf"), epsilon=1.0)
    trial = Trial(field, victim, np.asarray(hunt.goal.answers, dtype=np.int64))
    if plan.white:
        trial.begin("patch by gradient")
        for turn in range(plan.places):
            _steer(trial, plan, turn, rng)
    trial.begin("patch pasted")
    _paste(trial, plan, (hints(hunt, vectors, known), vectors.encode(known)), rng)
    return trial


def _corner(rng: np.random.Generator, count: int, shape: tuple[int, ...], side: int) -> np.ndarray:
    return np.stack([rng.integers(0, shape[at] - side + 1, count) for at in (1, 2)])


def _aimed(
    field: Field, rows: np.ndarray, slope: np.ndarray, side: int, rng: np.random.Generator | None
) -> tuple[np.ndarray, np.ndarray]:
    """Return (2, m) the corner of the square in which a slope gains most (with an rng: of drawn ones), (m, d) steps."""
    start, (low, high) = field.start[rows], field.box(rows)
    move = np.where(slope > 0, high - start, low - start)
    gain = sums((slope * move).reshape(len(rows), *field.shape), side)
    gain = gain if rng is None else gain * rng.random(gain.shape)
    return np.stack(np.divmod(gain.reshape(len(rows), -1).argmax(axis=1), gain.shape[2])), move


def _steer(trial: Trial, plan: Plan, turn: int, rng: np.random.Generator) -> None:
    """Follow the gradient inside of one square of each picture that stands, from what the first gradient says."""
    field, rows = trial.field, trial.standing()
    if not len(rows) or not trial.victim.can((2 * plan.steps + 2) * len(rows)):
        return
    start, (low, high) = field.start[rows], field.box(rows)
    _, slope = trial.slopes(rows, start, trial.own[rows], "margin")
    corner, move = _aimed(field, rows, slope, plan.side, rng if turn else None)
    at, here = cells(field.shape, plan.side, *corner), np.arange(len(rows))[:, None]
    floor, roof, begin = field.start.copy(), field.start.copy(), start.copy()
    floor[rows[:, None], at] = np.broadcast_to(low, start.shape)[here, at]
    roof[rows[:, None], at] = np.broadcast_to(high, start.shape)[here, at]
    begin[here, at] += move[here, at]
    inside = Trial(replace(field, low=floor, high=roof), trial.victim, trial.own)
    apgd.climb(
        inside, "margin" if turn % 2 == 0 else "cross-entropy", steps=plan.steps, rng=rng, rows=rows, begin=begin
    )
    trial.answers += inside.answers
    trial.gradients += inside.gradients
    trial.note(rows, inside.found[rows], inside.fallen[rows])


def _paste(trial: Trial, plan: Plan, told: tuple[tuple[np.ndarray, ...], np.ndarray], rng: np.random.Generator) -> None:
    """Paste what a surrogate would, squares cut from other pictures, and drawn extremes; change parts of the best."""
    field, n = trial.field, len(trial.field.start)
    best, score, place = field.start.copy(), np.full(n, -np.inf), np.zeros((2, n), dtype=np.int64)
    for turn in range(plan.pastes):
        rows = trial.standing()
        if not len(rows) or not trial.victim.can(len(rows)):
            return
        if plan.grey and turn >= plan.pastes // 2 and plan.side > 1:
            size = int(rng.integers(1, plan.side))
            corner = place[:, rows] + rng.integers(0, plan.side - size + 1, (2, len(rows)))
            tried, at = best[rows], cells(field.shape, size, *corner)
            tried[np.arange(len(rows))[:, None], at] = _extremes(field, rows, at, rng)
        else:
            tried, corner = _fresh(field, rows, plan.side, (turn, *told), rng)
        if not plan.grey:
            trial.ask(rows, tried)
            continue
        found = trial.margins(rows, tried)
        better = np.flatnonzero(found > score[rows])
        best[rows[better]], score[rows[better]] = tried[better], found[better]
        if turn < plan.pastes // 2:
            place[:, rows[better]] = corner[:, better]


def _fresh(
    field: Field,
    rows: np.ndarray,
    side: int,
    told: tuple[int, tuple[np.ndarray, ...], np.ndarray],
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray]:
    """Return (m, d) pictures with a new square each, and (2, m) its corners."""
    turn, slopes, known = told
    tried, here = field.start[rows].copy(), np.arange(len(rows))[:, None]
    if slopes and (turn < len(slopes) or turn % 2):
        slope = slopes[turn % len(slopes)][rows]
        corner, move = _aimed(field, rows, slope, side, rng if turn >= len(slopes) else None)
        at = cells(field.shape, side, *corner)
        tried[here, at] += move[here, at]
        return tried, corner
    corner = _corner(rng, len(rows), field.shape, side)
    at = cells(field.shape, side, *corner)
    if turn % 4 < 2 or not len(known):
        tried[here, at] = _extremes(field, rows, at, rng)
        return tried, corner
    source = known[rng.integers(0, len(known), len(rows))]
    tried[here, at] = source[here, cells(field.shape, side, *_corner(rng, len(rows), field.shape, side))]
    return tried, corner


def _extremes(field: Field, rows: np.ndarray, at: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return (m, cells) one drawn extreme for each channel of a square (half of the time for each pixel)."""
    low, high = (np.broadcast_to(one, (len(rows), field.start.shape[1])) for one in field.box(rows))
    channels = field.shape[0]
    drawn = rng.random((len(rows), channels, 1 if rng.random() < 0.5 else at.shape[1] // channels)) < 0.5
    up = np.broadcast_to(drawn, (len(rows), channels, at.shape[1] // channels)).reshape(len(rows), -1)
    here = np.arange(len(rows))[:, None]
    return np.asarray(np.where(up, high[here, at], low[here, at]))
