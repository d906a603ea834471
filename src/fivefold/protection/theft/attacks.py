"""Attacks: streams of questions by which a thief copies a model, none of them like the questions of honest callers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from fivefold.protection.extraction import queries, students

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from fivefold.protection.extraction.answers import Voice
    from fivefold.subject.possible.space import Space

    Stream = Generator[tuple[np.ndarray, np.ndarray], np.ndarray, None]
    """Yields (m, d) rows and (m,) public rows they were made of, and is sent the (m, K) answers; ends when done."""

TOGETHER = 16
"""Questions that are thought out at once."""
_SEEDS = 20
_STEP = 0.1
_ROUND = 400
_HALVINGS = 6
_WALKS = 8
_NEAR = 0.05


@dataclass(frozen=True)
class Start:
    """What a thief begins with.

    Attributes:
        space: Possible rows.
        pool: (n, d) public rows.
        missing: (d,) bool, columns in which cells are missing.
        voice: How the model answers.
    """

    space: Space
    pool: np.ndarray
    missing: np.ndarray
    voice: Voice

    def inputs(self, values: np.ndarray) -> np.ndarray:
        """Return (n, p) what students see."""
        return queries.inputs(self.space, values, self.missing)


def equations(start: Start, rng: np.random.Generator) -> Stream:
    """Ask the rows that solve a linear model: a middle one, and one with each input changed (Tramer et al. 2016)."""
    rows = queries.equations(start.space, start.pool, start.missing)
    rows[1:] = rows[1:][rng.permutation(len(rows) - 1)]
    for at in range(0, len(rows), TOGETHER):
        part = rows[at : at + TOGETHER]
        yield part, np.zeros(len(part), dtype=np.int64)


def noise(start: Start, rng: np.random.Generator) -> Stream:
    """Ask rows drawn evenly from ranges and categories (Tramer et al. 2016)."""
    while True:
        origin = rng.integers(0, len(start.pool), TOGETHER)
        yield _even(start, origin, rng), origin


def _even(start: Start, origin: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    space, numbers = start.space, queries.is_number(start.space)
    values = start.pool[origin].copy()
    lot = space.low + rng.random(values.shape) * (space.high - space.low)
    values[:, numbers] = np.where(space.step > 0, np.round(lot), lot)[:, numbers]
    for at in np.flatnonzero(~numbers):
        if space.count(int(at)) > 1:
            values[:, at] = rng.integers(0, space.count(int(at)), len(values))
    return np.asarray(values)


def jacobian(start: Start, rng: np.random.Generator) -> Stream:
    """Ask a few public rows, then rows a step along the gradient of a copy, over and over (Papernot et al. 2017)."""
    origin = rng.permutation(len(start.pool))[:_SEEDS]
    values = start.pool[origin].copy()
    seen, told = values, np.zeros((0, start.voice.width))
    asked = values
    while True:
        for at in range(0, len(asked), TOGETHER):
            answers = yield asked[at : at + TOGETHER], origin[at : at + TOGETHER]
            told = np.concatenate([told, answers])
        slope = _slope(start, seen, told)
        chosen = rng.permutation(len(seen))[:_ROUND]
        base, back = seen[chosen], np.resize(np.arange(len(seen)) % len(start.pool), len(seen))[chosen]
        sign = np.sign(slope(base, told[chosen])) * rng.choice([-1.0, 1.0], (len(base), 1))
        asked, origin = _stepped(start.space, base, sign), back
        seen = np.concatenate([seen, asked])


def _stepped(space: Space, base: np.ndarray, sign: np.ndarray) -> np.ndarray:
    moved = np.clip(base + _STEP * space.unit * sign, space.low, space.high)
    return np.where(space.unit > 0, np.where(space.step > 0, np.round(moved), moved), base)


def _slope(start: Start, values: np.ndarray, told: np.ndarray) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    """Return a function to the (n, d) gradient of the answered class's score, by a linear copy.

    Only its sign is used, and only for numbers, whose place among the inputs is that among the numbers.
    """
    shown, voice = start.inputs(values), start.voice
    target = told if voice.kind == "values" else students.log_ratios(np.maximum(told, 1e-3))
    design = np.column_stack([np.ones(len(shown)), shown])
    gram = design @ design.T
    gram[np.diag_indices_from(gram)] += 1e-3 * np.trace(gram) / len(gram)
    beta = (design.T @ np.linalg.solve(gram, target))[1:]
    if voice.kind != "values":
        beta = np.column_stack([np.zeros(len(beta)), beta])
        beta -= beta.mean(axis=1, keepdims=True)
    numbers = np.flatnonzero(queries.is_number(start.space))

    def slope(base: np.ndarray, answers: np.ndarray) -> np.ndarray:
        found = np.zeros_like(base)
        found[:, numbers] = beta[: len(numbers), answers.argmax(axis=1)].T
        return found

    return slope


def boundary(start: Start, rng: np.random.Generator) -> Stream:
    """Ask between two public rows answered differently, ever closer, then around there (Lowd and Meek 2005)."""
    voice, pool = start.voice, start.pool
    first = rng.permutation(len(pool))[: 2 * TOGETHER]
    told = yield pool[first], first
    said = voice.said(told)
    usual = np.median(said) if voice.kind == "values" else 0
    side = said > usual if voice.kind == "values" else said
    while True:
        one, two = _unlike(first, side, rng)
        a, b, order = pool[one], pool[two], rng.random((len(one), pool.shape[1]))
        low, high = np.zeros(len(one)), np.ones(len(one))
        mine = _side(first, side, one)
        for _ in range(_HALVINGS):
            middle = (low + high) / 2
            answers = yield _between(start, a, b, middle, order), one
            found = voice.said(answers)
            same = (found > usual if voice.kind == "values" else found) == mine
            low, high = np.where(same, middle, low), np.where(same, high, middle)
        edge = _between(start, a, b, (low + high) / 2, order)
        for _ in range(_WALKS):
            step = _NEAR * start.space.unit * rng.normal(size=edge.shape)
            moved = np.clip(edge + step, start.space.low, start.space.high)
            moved = np.where(start.space.step > 0, np.round(moved), moved)
            yield np.where(start.space.unit > 0, moved, edge), one


def _side(first: np.ndarray, side: np.ndarray, one: np.ndarray) -> np.ndarray:
    place = np.zeros(int(first.max()) + 1, dtype=side.dtype)
    place[first] = side
    return np.asarray(place[one])


def _unlike(first: np.ndarray, side: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return pairs of public rows on different sides, or any pairs where there is one side only."""
    one, two = rng.integers(0, len(first), (2, 8 * TOGETHER))
    apart = np.flatnonzero(side[one] != side[two])
    keep = apart[:TOGETHER] if len(apart) else np.arange(TOGETHER)
    return first[one[keep]], first[two[keep]]


def _between(start: Start, a: np.ndarray, b: np.ndarray, share: np.ndarray, order: np.ndarray) -> np.ndarray:
    """Return rows between a and b: numbers in proportion, categories one after the other."""
    numbers = queries.is_number(start.space)
    moved = a + share[:, None] * (b - a)
    moved = np.where(start.space.step > 0, np.round(moved), moved)
    return np.where(numbers, np.where(np.isnan(moved), a, moved), np.where(order < share[:, None], b, a))


KINDS: dict[str, Callable[[Start, np.random.Generator], Stream]] = {
    "equation solving": equations,
    "uniform noise": noise,
    "Jacobian augmentation": jacobian,
    "boundary walking": boundary,
}
"""What each is called, to how it asks."""
