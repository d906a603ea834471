"""Canary: the user's own network with much of its weights broken, and with nothing lost but last digits."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fivefold.contract.finding import Canary
from fivefold.contract.outcome import Outcome
from fivefold.stats.judge import judge
from fivefold.stats.proportion import clopper_pearson

if TYPE_CHECKING:
    from fivefold.protection.faults.bench import Bench

_MODELS = 3
_DRAWS = 20
_ROWS = 100


def bounds(shares: np.ndarray) -> tuple[float, float, float]:
    """Return the mean of (d,) shares in [0, 1] over draws, with one-sided 95 % bounds.

    Of all variables in [0, 1] with a mean, a coin spreads most (Hoeffding 1963): bounds of a coin's share hold.
    """
    low, high = clopper_pearson(float(shares.sum()), len(shares))
    return float(shares.mean()), float(low), float(high)


def trial(bench: Bench, floor: float, rng: np.random.Generator) -> Canary:
    """Judge planted faults through the same counting.

    Known-bad: the highest exponent bit flips in a tenth to a half of the weights. Known-good: the lowest bit of the
    mantissa flips in as many.

    Args:
        bench: The network and its rows.
        floor: Smallest share that must stay right.
        rng: Draws all.
    """
    rows = np.arange(len(bench.table))
    few = bench.take(np.sort(rng.choice(rows, _ROWS, replace=False))) if len(rows) > _ROWS else bench
    found = alarms = 0
    left = []
    for _ in range(_MODELS):
        share = float(rng.uniform(0.1, 0.5))
        for kind in ("top", "last"):
            shares = np.array([few.share(few.kept(few.of_kind(kind, share, rng))) for _ in range(_DRAWS)])
            outcome = judge(*bounds(shares)[1:], floor, "min")
            found += kind == "top" and outcome is not Outcome.PASS
            alarms += kind == "last" and outcome is Outcome.FAIL
            left += [float(shares.mean())] if kind == "top" else []
    return Canary(
        kind="the model with the highest exponent bit of many weights flipped",
        planted=_MODELS,
        found=found,
        clean=_MODELS,
        false_alarms=alarms,
        noticed=found == _MODELS and alarms == 0,
        detail=(
            f"In a tenth to a half of {bench.weights} weights, {_DRAWS} draws each on {len(few.table)} rows; "
            f"{min(left):.0%} to {max(left):.0%} stayed right. Known-good: the lowest bit of the mantissa instead."
        ),
    )
