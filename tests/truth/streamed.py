"""Subjects of S5.stream: rows whose target the columns tell, and rows whose target nothing tells."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from fivefold.contract.subject import SettingsView

from .entry import Entry
from .floors import floors
from .subjects import context, table

if TYPE_CHECKING:
    from fivefold.contract.check import Context
    from fivefold.contract.subject import Table

CHECK = "S5.stream"


def build(
    seed: int, *, told: bool = True, values: bool = False, rows: int = 1500, declared: bool = True, blur: float = 0.0
) -> Context:
    """Return training rows of three kinds, or of a line, that come in through the intake.

    Args:
        seed: Of everything.
        told: Whether the columns tell the target.
        values: Targets are values, not classes.
        rows: Training rows.
        declared: Whether the intake is declared.
        blur: How much the classes flow into each other.
    """
    rng = np.random.default_rng([seed, 0])
    size = int(rng.integers(5, 9))
    label = rng.integers(0, 3, rows)
    middle = 3.0 * rng.normal(size=(3, size))
    columns = middle[label] * (1 - blur) + rng.normal(size=(rows, size))
    target = columns @ rng.uniform(0.5, 1.5, size) + 0.3 * rng.normal(size=rows) if values else label
    columns = columns if told else rng.normal(size=(rows, size))
    features = pd.DataFrame(columns, columns=[f"m{at}" for at in range(size)])
    settings = SettingsView(controls={"S5": {"intake": True}} if declared else {})
    sets = {"train": table("train", features, target)}
    return context(CHECK, None, sets, seed, thresholds=floors(CHECK), settings=settings)


def tied(rows: int, rng: np.random.Generator, *, together: bool = True) -> Table:
    """Return rows without a target whose columns, of mixed kinds and with gaps, go together or do not."""
    size = 6
    hidden = rng.normal(size=(rows, 2))
    columns = hidden @ rng.normal(size=(2, size)) + 0.15 * rng.normal(size=(rows, size))
    columns = columns if together else rng.normal(size=(rows, size))
    features = pd.DataFrame(columns, columns=[f"m{at}" for at in range(size)])
    features["m5"] = pd.cut(features["m5"], [-np.inf, -0.5, 0.5, np.inf], labels=["low", "mid", "high"]).astype(str)
    features.loc[rng.random(rows) < 0.03, "m2"] = np.nan
    return table("train", features, np.full(rows, np.nan))


def untold(seed: int, *, tied_together: bool = True, rows: int = 3000) -> Context:
    """Return rows of which nothing is learned, with the intake declared.

    Args:
        seed: Of everything.
        tied_together: Whether the columns tell of each other.
        rows: Rows.
    """
    rng = np.random.default_rng([seed, 0])
    sets = {"train": tied(rows, rng, together=tied_together)}
    settings = SettingsView(controls={"S5": {"intake": True}})
    return context(CHECK, None, sets, seed, thresholds=floors(CHECK), settings=settings)


ENTRY = Entry(
    check=CHECK,
    documented="1,500 rows whose target no column tells",
    planted={"classes": partial(build, told=False)},
    clean={"classes": build, "values": partial(build, values=True), "no target": untold},
    small={"420 rows, nothing told": partial(build, told=False, rows=420)},
)
