"""Subjects of D1.admission: declarations that fit the application's own rows, and such that shut most of them out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fivefold.contract.subject import SettingsView
from fivefold.governance.operation.told import PURPOSES

from .entry import Entry
from .floors import floors
from .subjects import context, filler, table

if TYPE_CHECKING:
    from fivefold.contract.check import Context

CHECK = "D1.admission"


def _made(seed: int, share: float | None, *, rows: tuple[int, int] = (300, 2000)) -> Context:
    """Return mixed rows, and a range of one column into which a share of them falls; None: no range is declared."""
    rng = np.random.default_rng([seed, 0])
    n = int(rng.integers(*rows))
    features = filler(rng, n, int(rng.integers(1, 20)))
    features["measured"] = rng.normal(40, 12, n).round(2)
    features["counted"] = rng.integers(0, 400, n)
    declared: dict[str, dict[str, object]] = {"counted": {"type": "integer", "range": (0.0, 400.0)}}
    if share is not None:
        low, high = np.quantile(features["measured"], [(1 - share) / 2, (1 + share) / 2])
        declared["measured"] = {"type": "number", "range": (float(low), float(high)), "unit": "kg"}
    facts = {PURPOSES: "sorting\ntesting" if rng.random() < 0.5 else "sorting"}
    settings = SettingsView(features=declared, facts={**facts, "manifest.benefit": True, "data.basis": True}, level=4)
    tables = {"train": table("train", features, np.zeros(n, dtype=np.int64))}
    return context(CHECK, None, tables, seed, thresholds=floors(CHECK), settings=settings)


def narrow(seed: int) -> Context:
    """A range that shuts half of the rows out."""
    return _made(seed, 0.5)


ENTRY = Entry(
    check=CHECK,
    documented="a declared range that shuts out a fifth of the application's own rows",
    planted={"range too narrow": lambda seed: _made(seed, 0.8)},
    clean={
        "ranges that hold": lambda seed: _made(seed, 1.0),
        "ranges that hold but for a few": lambda seed: _made(seed, 0.98),
        "no range": lambda seed: _made(seed, None),
    },
    small={"range too narrow, few rows": lambda seed: _made(seed, 0.8, rows=(5, 40))},
)
