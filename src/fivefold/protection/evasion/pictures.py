"""Pictures: planted models of which it is known which pictures a patch, a transformation or noise makes fall."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from fivefold.contract.finding import Canary
from fivefold.protection.evasion import canary, moved, patch, standard
from fivefold.protection.evasion.hunt import Goal, Hunt
from fivefold.protection.evasion.oracle import Oracle
from fivefold.protection.evasion.vectors import Vectors

if TYPE_CHECKING:
    from fivefold.contract.subject import Loss

_MOST = 40
_POOL = 300
_CUTS = (0.5, 0.3, 0.7, 0.15, 0.85, 0.05, 0.95)


@dataclass(frozen=True)
class Weighing:
    """A model that answers with whether a weighted mean of all pixels lies in an even or an odd band; labels alone.

    Attributes:
        weights: (d,).
        width: Of a band; infinite: one band, always the same answer.
        classes: How many.
    """

    weights: np.ndarray
    width: float
    classes: int = 2

    def can(self, rows: int) -> bool:
        """Whether so many rows may be asked."""
        return rows >= 0

    def labels(self, values: np.ndarray, rows: np.ndarray) -> np.ndarray:  # noqa: ARG002
        """Return (m,) classes."""
        return np.asarray(np.floor(self.mean(values) / self.width)).astype(np.int64) % 2

    def mean(self, values: np.ndarray) -> np.ndarray:
        """Return (m,) weighted means."""
        return np.asarray((values.astype(np.float64) * self.weights).mean(axis=1))

    def scores(self, values: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """Return (m, 2): labels alone."""
        return np.asarray(np.eye(2)[self.labels(values, rows)])

    def slopes(
        self,
        values: np.ndarray,
        rows: np.ndarray,  # noqa: ARG002
        target: np.ndarray,  # noqa: ARG002
        loss: Loss,  # noqa: ARG002
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return nothing to follow."""
        return np.zeros(len(values)), np.zeros(values.shape, dtype=np.float32)


def prove(stage: standard.Stage, plans: tuple[patch.Plan, moved.Bounds, int], rng: np.random.Generator) -> Canary:
    """Attack planted models in all three ways.

    Args:
        stage: The user's pictures, and what his model gives.
        plans: Of the patch, the bounds of transformations, and how many of these are tried.
        rng: Which pictures.
    """
    plan, bounds, tries = plans
    still = not bounds.sizes.any()
    noise = standard.proof(stage, rng)
    told = [(noise.planted, noise.found, noise.clean, noise.false_alarms)]
    told += [_patched(stage, plan, rng), _turned(stage, (bounds, tries), rng)]
    enough = all(
        found >= canary.NOTICED * planted and planted >= _MOST // 4 for planted, found, _, _ in told[: 3 - still]
    )
    planted, found, clean, wrong = (sum(column) for column in zip(*told, strict=True))
    names = ("noise", "a patch", "a transformation")
    each = ", ".join(f"{one[1]} of {one[0]} by {name}" for one, name in zip(told, names, strict=True))
    return Canary(
        kind="linear models fitted to these pictures, and one that weighs light or place",
        planted=planted, found=found, clean=clean, false_alarms=wrong,
        noticed=noise.noticed and enough and not wrong,
        detail=f"It is known exactly which pictures fall: {each} did. Known-good: pictures that none of them reaches, "
        "and models that never change their answer.",
    )  # fmt: skip


def _patched(stage: standard.Stage, plan: patch.Plan, rng: np.random.Generator) -> tuple[int, int, int, int]:
    """Return planted, found, clean, false alarms: the best patch of a linear model is had square by square."""
    layout = stage.layout
    model = canary.plant(layout, rng).model
    pool = layout.public_values
    pool = pool[rng.choice(len(pool), min(len(pool), _POOL), replace=False)]
    place = np.zeros(len(pool), dtype=np.int64)
    vectors = Vectors.of(
        Hunt(layout.space, Oracle(model), pool, place, goal=Goal(model(pool, place)), limit=layout.limit)
    )
    x, weights = vectors.encode(pool), model.slopes()[vectors.columns] * vectors.scale
    score, shape = model.score(pool), layout.space.shape
    up = patch.sums(np.maximum(weights * (1 - x), -weights * x).reshape(-1, *shape), plan.side).max(axis=(1, 2))
    down = patch.sums(np.maximum(-weights * (1 - x), weights * x).reshape(-1, *shape), plan.side).max(axis=(1, 2))
    best = None
    for cut in _CUTS:
        moved_by = float(np.quantile(score, cut))
        now = score - moved_by
        left = np.where(now > 0, down - now, up + now)
        hair = 1e-6 * (1 + np.abs(now))
        doomed, safe = np.flatnonzero(left > hair), np.flatnonzero(left < -hair)
        if best is None or min(len(doomed), _MOST) + min(len(safe), _MOST) > best[0]:
            best = min(len(doomed), _MOST) + min(len(safe), _MOST), moved_by, doomed, safe
    if best is None:
        return 0, 0, 0, 0
    _, moved_by, doomed, safe = best
    model = replace(model, offset=model.offset - moved_by)
    sides = [rng.permutation(side)[:_MOST] for side in (doomed, safe)]
    rows = np.concatenate(sides)
    hunt = Hunt(
        layout.space, Oracle(model), pool[rows], place[rows], goal=Goal(model(pool[rows], place[rows])),
        limit=layout.limit,
    )  # fmt: skip
    mine = Vectors.of(hunt)
    fell = patch.attack(hunt, standard.linear(stage, mine, model), plan, layout.public_values, rng).fallen
    many = len(sides[0])
    return many, int(fell[:many].sum()), len(sides[1]), int(fell[many:].sum())


def _turned(
    stage: standard.Stage, how: tuple[moved.Bounds, int], rng: np.random.Generator
) -> tuple[int, int, int, int]:
    """Return the same for transformations: a model that looks at light or place, and one that looks at nothing."""
    layout, (bounds, _) = stage.layout, how
    pool = layout.public_values[:_POOL]
    place = np.zeros(len(pool), dtype=np.int64)
    mine = Vectors.of(Hunt(layout.space, layout.oracle, pool, place, goal=Goal(place), limit=layout.limit))
    field, images = mine.field("linf"), mine.encode(pool).reshape(-1, *layout.space.shape)
    reached = [
        moved.moved(images, np.broadcast_to(sign * size * np.eye(5)[at], (len(images), 5))).reshape(len(images), -1)
        for at, size in enumerate(bounds.sizes) if size for sign in (1.0, -1.0)
    ]  # fmt: skip
    if not reached:
        return 0, 0, 0, 0
    best: tuple[Weighing, np.ndarray] | None = None
    for weights in _weights(layout.space.shape):
        start = images.reshape(len(images), -1)
        model = Weighing(weights, np.inf)
        far = np.max([np.abs(model.mean(each) - model.mean(start)) for each in reached], axis=0)
        model = replace(model, width=max(2 * float(np.median(far)), 1e-9))
        own = model.labels(start, place)
        falls = np.any([model.labels(each, place) != own for each in reached], axis=0)
        if best is None or falls.sum() > best[1].sum():
            best = model, falls
    model, falls = best or (Weighing(np.ones(1), np.inf), np.zeros(len(images), dtype=bool))
    rows = rng.permutation(np.flatnonzero(falls))[:_MOST]
    some = replace(field, start=field.start[rows], low=field.low[:1], high=field.high[:1])
    fell = moved.attack(some, model, model.labels(some.start, rows), how, rng).fallen
    never = replace(model, width=np.inf)
    still = moved.attack(some, never, never.labels(some.start, rows), how, rng).fallen
    return len(rows), int(fell.sum()), len(rows), int(still.sum())


def _weights(shape: tuple[int, ...]) -> list[np.ndarray]:
    """Return (d,) weights that light, a shift, growth and a turn change most."""
    y, x = np.meshgrid(np.linspace(-1, 1, shape[1]), np.linspace(-1, 1, shape[2]), indexing="ij")
    return [np.tile(one.reshape(-1), shape[0]) for one in (np.ones(shape[1:]), y, x, x * y, x**2 + y**2)]
