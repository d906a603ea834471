"""Subjects of S5.removals: rows of one rule, and a group that follows another one."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from fivefold.contract.subject import SettingsView
from fivefold.sharing.filtering import strangers

from .entry import Entry
from .floors import floors
from .streamed import tied
from .subjects import context, table

if TYPE_CHECKING:
    from fivefold.contract.check import Context

CHECK = "S5.removals"


def build(seed: int, *, apart: bool = False, values: bool = False, rows: int = 1500, share: float = 0.12) -> Context:
    """Return training rows of which a hidden group may follow the opposite rule.

    Args:
        seed: Of everything.
        apart: Whether it does.
        values: Targets are values, not classes.
        rows: Training rows.
        share: Of the group.
    """
    rng = np.random.default_rng([seed, 0])
    size = int(rng.integers(4, 8))
    features = pd.DataFrame(rng.normal(size=(rows, size)), columns=[f"m{at}" for at in range(size)])
    said = features.to_numpy() @ (rng.choice([-1.0, 1.0], size) * rng.uniform(0.7, 1.3, size))
    group = rng.random(rows) < share
    said = np.where(group & apart, -said, said) / said.std()
    noise = 0.2 * rng.normal(size=rows)
    target = said + noise if values else (said + noise > 0).astype(np.int64)
    others = pd.DataFrame({"origin": np.where(group, "b", "a")})
    settings = SettingsView(protected=("origin",), classes=() if values else ("no", "yes"),
                            controls={"S5": {"filter": True}})  # fmt: skip
    sets = {"train": table("train", features, target, others)}
    return context(CHECK, None, sets, seed, thresholds=floors(CHECK), settings=settings)


def untold(seed: int, *, apart: bool = False, rows: int = 2500) -> Context:
    """Return rows of which nothing is learned, and of which a protected group may be drawn at random.

    Args:
        seed: Of everything.
        apart: Whether it is.
        rows: Rows.
    """
    rng = np.random.default_rng([seed, 0])
    ordinary = tied(rows, rng)
    group = rng.random(rows) < 0.08
    made = strangers.made_up(ordinary, group, rng) if apart else ordinary
    others = pd.DataFrame({"origin": np.where(group, "b", "a")})
    settings = SettingsView(protected=("origin",), controls={"S5": {"filter": True}})
    sets = {"train": table("train", made.features, ordinary.target, others)}
    return context(CHECK, None, sets, seed, thresholds=floors(CHECK), settings=settings)


ENTRY = Entry(
    check=CHECK,
    documented="12 % of 1,500 rows, a protected group, follow the opposite rule; without a target, 8 % drawn at random",
    planted={
        "classes": partial(build, apart=True),
        "values": partial(build, apart=True, values=True),
        "no target": partial(untold, apart=True),
    },
    clean={"classes": build, "values": partial(build, values=True), "no target": untold},
    small={"320 rows": partial(build, apart=True, rows=320)},
)
