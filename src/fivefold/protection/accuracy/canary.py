"""Planted cases in the user's own rows: useless and good models, and slices where the model is wrong."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from fivefold.contract.outcome import Outcome
from fivefold.protection.accuracy import figures, scan, slices
from fivefold.stats.judge import judge

if TYPE_CHECKING:
    from collections.abc import Callable

REPLICATES = {"quick": 4, "standard": 8, "thorough": 12}
EXTRA = 0.15  # planted excess beyond the floor: the documented size for a floor of 0.05
_MODELS = 20
_MANY = 50_000  # rows above which half as many models are dealt out
_TRIES = 400


@dataclass(frozen=True)
class Trial:
    """How one part of the check did on planted cases.

    Attributes:
        planted: Known-bad cases.
        found: Of these, noticed.
        clean: Known-good cases.
        alarms: Of these, flagged.
        detail: Place and size, in words.
    """

    planted: int
    found: int
    clean: int
    alarms: int
    detail: str

    @property
    def noticed(self) -> bool:
        """Whether the part can be believed: at least three quarters found, at most one in eight flagged."""
        return self.planted > 0 and self.found >= 0.75 * self.planted and self.alarms <= max(0.125 * self.clean, 1)


def useless_models(
    margin: Callable[[np.ndarray], figures.Margin],
    predicted: np.ndarray,
    target: np.ndarray,
    floor: float,
    rng: np.random.Generator,
) -> Trial:
    """Judge models that know nothing and models that are right on three quarters of what this one gets wrong.

    Known-bad: the model's own answers dealt out to other rows; it must not pass. Known-good: the truth with the
    answers of this model kept on a random quarter of the rows; it must not fail.

    Args:
        margin: Maps (r, n) answers to ``(value, low, high)``.
        predicted: (n,) answers.
        target: (n,) truth.
        floor: Least margin.
        rng: Source of the deals.
    """
    count = _MODELS if len(target) <= _MANY else _MODELS // 2
    useless = np.stack([predicted[rng.permutation(len(predicted))] for _ in range(count)])
    good = np.where(rng.random((count, len(target))) < 0.25, predicted, target)
    bad = [judge(float(low), float(high), floor, "min") for low, high in zip(*margin(useless)[1:], strict=True)]
    fine = [judge(float(low), float(high), floor, "min") for low, high in zip(*margin(good)[1:], strict=True)]
    refused = sum(one is not Outcome.PASS for one in bad)
    flagged = sum(one is Outcome.FAIL for one in fine)
    return Trial(count, refused, count, flagged, f"{count} models whose answers were dealt out to other rows")


def planted_slices(
    terrain: slices.Terrain, errors: np.ndarray, floor: float, replicates: int, rng: np.random.Generator
) -> Trial:
    """Search shuffled errors with and without a slice in which the model is wrong.

    The errors are shuffled first, so that what is found is what was planted. A planted slice counts as found if a
    confirmed one shares at least three tenths of the rows that either holds.

    Args:
        terrain: The user's columns.
        errors: (n,) bool, the model's errors.
        floor: Excess that is allowed.
        replicates: Planted cases; as many clean ones.
        rng: Source of place, size and errors.
    """
    found = alarms = planted = 0
    sizes = []
    for _ in range(replicates):
        clean = errors[rng.permutation(len(errors))]
        alarms += bool(slices.failing(slices.confirmed(terrain, clean, floor)))
        inside = _place(terrain, rng)
        if inside is None:
            continue
        planted += 1
        sizes.append(float(inside.mean()))
        wrong = clean | (inside & (rng.random(len(clean)) < _needed(clean, inside, floor + EXTRA)))
        confirmed = slices.failing(slices.confirmed(terrain, wrong, floor))
        found += any((one.inside & inside).sum() >= 0.3 * (one.inside | inside).sum() for one in confirmed)
    span = f"{min(sizes):.0%} to {max(sizes):.0%} of the rows" if sizes else "no place was large enough"
    return Trial(
        planted, found, replicates, alarms, f"slices at random places ({span}), {floor + EXTRA:.0%} more errors"
    )


def _needed(errors: np.ndarray, inside: np.ndarray, excess: float) -> float:
    """Return which share of the right answers inside must turn wrong."""
    now, rest = float(errors[inside].mean()), float(errors[~inside].mean())
    return float(np.clip((min(rest + excess, 1.0) - now) / max(1 - now, 1e-9), 0.0, 1.0))


def _place(terrain: slices.Terrain, rng: np.random.Generator) -> np.ndarray | None:
    """Return a rectangle of the class, between the smallest size and twice that; None if there is none."""
    grid = terrain.coarse
    for _ in range(_TRIES):
        pair = int(rng.integers(len(grid.left)))
        one, two = grid.columns[grid.left[pair]], grid.columns[grid.right[pair]]
        place = scan.Place(pair, int(rng.integers(len(one.sets))), int(rng.integers(len(two.sets))))
        inside = scan.members(grid, place)
        if terrain.smallest <= inside.mean() <= min(2 * terrain.smallest, 0.5):
            return inside
    return None
