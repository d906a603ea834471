"""Subjects of A1.observed, E5.delivery, D1.benefit: records of decisions, of who stands behind, and of outcomes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fivefold.contract.subject import SettingsView
from fivefold.governance.operation.told import (
    AUTOMATIC,
    DELIVERED,
    DELIVERY,
    FOLLOWED,
    HURRIED,
    LATE,
    NONE,
    NOTHING,
    OUTCOMES,
    OVERRIDDEN,
    SAID_NONE,
    TARGET,
    TRACE,
)

from .entry import Entry
from .floors import floors
from .subjects import context

if TYPE_CHECKING:
    from fivefold.contract.check import Context

LEVEL, REASONS, BENEFIT = "A1.observed", "E5.delivery", "D1.benefit"
_LETTERS = (NOTHING, FOLLOWED, HURRIED, OVERRIDDEN, AUTOMATIC)


def _use(rng: np.random.Generator) -> dict[str, object]:
    output = ("recommendation", "decision")[int(rng.integers(2))]
    return {"output": output, "acts": "human", "alone": False, "within": ("minutes", "days")[int(rng.integers(2))]}


def _observed(seed: int, shares: tuple[float, float, float, float], *, rows: tuple[int, int] = (200, 4000)) -> Context:
    """Return a record in which decisions were hurried, overridden or done by themselves at these shares.

    Args:
        seed: Of everything.
        shares: Of no action, haste, overrides, automatic actions; the rest was followed.
        rows: Fewest and most decisions.
    """
    rng = np.random.default_rng([seed, 0])
    nothing, hurried, overridden, automatic = shares
    chances = [nothing, 1 - sum(shares), hurried, overridden, automatic]
    trace = "".join(rng.choice(_LETTERS, int(rng.integers(*rows)), p=chances))
    settings = SettingsView(level=4, use=_use(rng), facts={TRACE: trace})
    return context(LEVEL, None, {}, seed, thresholds=floors(LEVEL), settings=settings)


def waved(seed: int, rows: tuple[int, int] = (200, 4000)) -> Context:
    """Nobody ever overrides, nearly all is done within seconds or by itself."""
    return _observed(seed, (0.0, 0.6, 0.0, 0.3), rows=rows)


def _delivered(seed: int, shares: tuple[float, float, float], rows: tuple[int, int] = (300, 4000)) -> Context:
    """Return a record in which reasons were late, said to be none, or missing at these shares."""
    rng = np.random.default_rng([seed, 0])
    letters = rng.choice((LATE, SAID_NONE, NONE, DELIVERED), int(rng.integers(*rows)), p=(*shares, 1 - sum(shares)))
    settings = SettingsView(facts={DELIVERY: "".join(letters)})
    return context(REASONS, None, {}, seed, thresholds=floors(REASONS), settings=settings)


def silent(seed: int) -> Context:
    """Half of the reasons are missing, and half of the others late."""
    return _delivered(seed, (0.25, 0.0, 0.5))


def _benefit(seed: int, above: float, *, plain: bool, n: tuple[int, int] = (600, 5000)) -> Context:
    """Return outcomes whose mean lies ``above`` the target: in shares, or in standard deviations."""
    rng = np.random.default_rng([seed, 0])
    count = int(rng.integers(*n))
    if plain:
        target = float(rng.uniform(0.3, 0.8))
        values = (rng.random(count) < target + above).astype(float)
    else:
        target = float(rng.normal(0, 50))
        scale = float(10.0 ** rng.integers(-2, 4))
        values = target + scale * (above + rng.gamma(2.0, 1.0, count) / np.sqrt(2) - np.sqrt(2))
    facts = {OUTCOMES: ",".join(map(repr, map(float, values))), TARGET: target}
    settings = SettingsView(facts=facts)
    return context(BENEFIT, None, {}, seed, thresholds={}, settings=settings)


ENTRIES = {
    LEVEL: Entry(
        check=LEVEL,
        documented="no override in 200 decisions or more; one decision in eight done without a person; two of three "
        "actions within seconds",
        planted={
            "nobody overrides": lambda seed: _observed(seed, (0.1, 0.1, 0.0, 0.0)),
            "nothing else is on record": lambda seed: _observed(seed, (1.0, 0.0, 0.0, 0.0)),
            "done by itself": lambda seed: _observed(seed, (0.0, 0.1, 0.08, 0.12)),
            "within seconds": lambda seed: _observed(seed, (0.0, 0.66, 0.08, 0.0)),
        },
        clean={
            "weighed": lambda seed: _observed(seed, (0.1, 0.2, 0.08, 0.01)),
            "often overridden": lambda seed: _observed(seed, (0.3, 0.1, 0.25, 0.0)),
        },
        small={"few decisions, nobody overrides": lambda seed: waved(seed, (1, 60))},
    ),
    REASONS: Entry(
        check=REASONS,
        documented="one decision in ten without a reason, or with one that came late, in 300 decisions or more",
        planted={
            "no reason": lambda seed: _delivered(seed, (0.0, 0.0, 0.1)),
            "word that there is none": lambda seed: _delivered(seed, (0.0, 0.1, 0.0)),
            "late reasons": lambda seed: _delivered(seed, (0.1, 0.0, 0.0)),
        },
        clean={
            "every decision has its reason": lambda seed: _delivered(seed, (0.0, 0.0, 0.0)),
            "one in fifty late or missing": lambda seed: _delivered(seed, (0.01, 0.005, 0.005)),
        },
        small={"few decisions": lambda seed: _delivered(seed, (0.0, 0.0, 0.5), (1, 5))},
    ),
    BENEFIT: Entry(
        check=BENEFIT,
        documented="a share a tenth below its target, or a mean a quarter of a standard deviation below, in 600 "
        "outcomes or more",
        planted={
            "too few benefit": lambda seed: _benefit(seed, -0.1, plain=True),
            "too little benefit": lambda seed: _benefit(seed, -0.25, plain=False),
        },
        clean={
            "enough benefit": lambda seed: _benefit(seed, 0.1, plain=True),
            "plenty of benefit": lambda seed: _benefit(seed, 0.25, plain=False),
        },
        small={"few outcomes below the target": lambda seed: _benefit(seed, -0.1, plain=True, n=(1, 20))},
    ),
}
