"""Subjects of D1.drift: applications whose watch notices relabelled requests, or tolerates nearly anything."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fivefold.contract.subject import SettingsView

from .entry import Entry
from .floors import floors
from .subjects import context, filler, table

if TYPE_CHECKING:
    from fivefold.contract.check import Context

CHECK = "D1.drift"


def _made(seed: int, tolerance: tuple[float, float] | None, *, rows: tuple[int, int] = (400, 1500)) -> Context:
    """Return mixed rows, and a declared tolerance between two."""
    rng = np.random.default_rng([seed, 0])
    n = int(rng.integers(*rows))
    features = filler(rng, n, int(rng.integers(3, 12)))
    features["measured"] = rng.normal(40, 12, n).round(2)
    control = {} if tolerance is None else {"D1": {"tolerance": float(rng.uniform(*tolerance))}}
    tables = {"train": table("train", features, np.zeros(n, dtype=np.int64))}
    settings = SettingsView(controls=control)
    return context(CHECK, None, tables, seed, thresholds=floors(CHECK), settings=settings)


def blind(seed: int) -> Context:
    """A watch that tolerates half of everything."""
    return _made(seed, (0.48, 0.5))


ENTRY = Entry(
    check=CHECK,
    documented="a tolerance of 0.45 or more, so that another half of the people is no drift",
    planted={"tolerates nearly anything": lambda seed: _made(seed, (0.45, 0.5))},
    clean={
        "as it is by default": lambda seed: _made(seed, None),
        "stricter": lambda seed: _made(seed, (0.0, 0.02)),
    },
    small={"tolerates nearly anything, few rows": lambda seed: _made(seed, (0.45, 0.5), rows=(120, 200))},
)
