"""Subjects of S6: devices whose noise, memory and ranges are as claimed, or off by a known amount."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from fivefold.contract.subject import SettingsView

from .entry import Entry
from .floors import floors
from .subjects import context, table

if TYPE_CHECKING:
    from fivefold.contract.check import Context

WORDS = ("north", "south", "east", "west", "centre")


def build(check: str, seed: int, *, excess: float = 1.0, permanent: bool = True, narrow: bool = False) -> Context:
    """Build rows of three columns, two of which devices report.

    Args:
        check: Check id.
        seed: Of names, rows and claim.
        excess: The loss that the columns add up to, as a multiple of the claim.
        permanent: Whether devices repeat themselves.
        narrow: The declared range of the numbers cuts the upper half of them off.
    """
    rng = np.random.default_rng([seed, 2])
    rows, names = 4000, [f"{word}_{int(rng.integers(1000))}" for word in ("place", "amount", "more")]
    places = np.array(WORDS, dtype=object)[rng.choice(5, rows, p=(0.4, 0.25, 0.2, 0.1, 0.05))]
    places[rng.random(rows) < 0.03] = None
    numbers = rng.normal(50.0, 12.0, rows)
    frame = pd.DataFrame({names[0]: places, names[1]: numbers, names[2]: rng.normal(size=rows)})
    claim = float(rng.choice([1.0, 2.0]))
    ends = [0.0, 40.0] if narrow else [0.0, 110.0]
    whats: list[dict[str, Any]] = [
        {"column": names[0], "as": "frequency", "values": list(WORDS), "way": str(rng.choice(["oue", "hadamard"]))},
        {"column": names[1], "as": "mean", "range": ends},
    ]
    chosen = whats if rng.random() < 0.3 else whats[1:] if narrow or rng.random() < 0.5 else whats[:1]
    for item in chosen:
        item["epsilon"] = excess * claim / len(chosen)
    options = {"epsilon": claim, "collect": chosen, "permanent": permanent}
    settings = SettingsView(level=1, controls={"S6": options})
    tables = {"train": table("train", frame, rng.integers(0, 2, rows))}
    return context(check, None, tables, seed, thresholds=floors(check), settings=settings)


AUDIT, REPEATS, ESTIMATES = "S6.audit", "S6.repeats", "S6.estimates"

ENTRIES = {
    AUDIT: Entry(
        check=AUDIT,
        documented="a loss of 1.2 times the claimed one, all columns together, at effort standard",
        planted={"too little noise": lambda seed: build(AUDIT, seed, excess=1.2)},
        clean={"as claimed": lambda seed: build(AUDIT, seed)},
    ),
    REPEATS: Entry(
        check=REPEATS,
        documented="devices that draw afresh with each report",
        planted={"afresh each time": lambda seed: build(REPEATS, seed, permanent=False)},
        clean={"repeats itself": lambda seed: build(REPEATS, seed)},
    ),
    ESTIMATES: Entry(
        check=ESTIMATES,
        documented="a declared range that cuts off the upper four fifths of the numbers",
        planted={"range too narrow": lambda seed: build(ESTIMATES, seed, narrow=True)},
        clean={"range that holds": lambda seed: build(ESTIMATES, seed)},
    ),
}

noisy_by_half = partial(build, AUDIT, excess=2.0)
afresh = partial(build, REPEATS, permanent=False)
cut_off = partial(build, ESTIMATES, narrow=True)
