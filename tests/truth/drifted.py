"""Subjects of F1.drift: decisions in operation, in which groups fare alike, or do not, from the first or from later."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import msgspec
import numpy as np
import pandas as pd

from fivefold.contract.subject import SettingsView
from fivefold.fairness.drift.recorded import STREAM, Recorded

from .entry import Entry
from .floors import floors
from .subjects import Answers, context, filler, table

if TYPE_CHECKING:
    from fivefold.contract.check import Context

CHECK = "F1.drift"
_CLASSES = ("refused", "granted")


def build(
    seed: int, ratio: float = 1.0, n: tuple[int, int] = (6000, 10_000), late: float = 0.0, *, whole: bool = False,
    recorded: bool = True,
) -> Context:  # fmt: skip
    """Build decisions about two to three groups, one of which is granted less often.

    Args:
        seed: Of everything else.
        ratio: Of its rate to that of the others.
        n: Fewest and most decisions.
        late: Share of the decisions before it begins.
        whole: Rates rise and fall for all groups alike, day by day.
        recorded: Whether they are on record; else they are the answers to the test rows.
    """
    rng = np.random.default_rng([seed, 0])
    count, groups = int(rng.integers(*n)), int(rng.integers(2, 4))
    sizes = np.array([0.3, 0.7] if groups == 2 else [0.3, 0.3, 0.4])
    codes = rng.choice(groups, count, p=sizes)
    rate = np.full(count, rng.uniform(0.4, 0.85))
    if whole:
        rate = np.clip(rate + 0.15 * np.sin(np.arange(count) / rng.uniform(20, 800)), 0.1, 0.95)
    worse = (codes == 0) & (np.arange(count) >= late * count)
    granted = (rng.random(count) < np.where(worse, ratio * rate, rate)).astype(np.int64)
    number = bool(rng.random() < 0.3)
    value = (20.0 + 20.0 * codes + rng.integers(0, 19, count)) if number else np.array(["a", "b", "c"], object)[codes]
    missing = rng.random(count) < 0.02
    facts: dict[str, str | float | bool | None] = {}
    if recorded:
        given = tuple(None if gone else one for one, gone in zip(value.tolist(), missing.tolist(), strict=True))
        told = Recorded(tuple(_CLASSES[one] for one in granted.tolist()), {"group": given})
        facts = {STREAM: msgspec.json.encode(told).decode()}
    frame = filler(rng, count, 3)
    settings = SettingsView(positive=1, protected=("group",), classes=_CLASSES, facts=facts)
    options: dict[str, object] = {"bands": ["group: 40, 60"] if groups == 3 else ["group: 40"]}
    subject = Answers("binary", _CLASSES, granted)
    return context(
        CHECK, subject, {"test": table("test", frame, granted, pd.DataFrame({"group": value}))},
        seed, thresholds=floors(CHECK), settings=settings, options=options,
    )  # fmt: skip


def apart(seed: int) -> Context:
    """Build a stream in which one group is granted half as often."""
    return build(seed, 0.5)


ENTRIES = {
    CHECK: Entry(
        check=CHECK,
        documented="a group of three in ten decisions that is granted at half the rate of the others or less, from the "
        "first or from a quarter on, in 6,000 decisions or more",
        planted={
            "half the rate": apart,
            "half the rate, later": partial(build, ratio=0.5, late=0.25),
            "half the rate, while all rates move": partial(build, ratio=0.5, whole=True),
            "half the rate in the test rows": partial(build, ratio=0.5, recorded=False),
        },
        clean={
            "alike": build,
            "alike, while all rates move": partial(build, whole=True),
            "alike in the test rows": partial(build, recorded=False),
        },
        between={
            "seven tenths of the rate": partial(build, ratio=0.7),
            "just below the floor": partial(build, ratio=0.78),
        },
        small={"200 decisions, half the rate": partial(build, ratio=0.5, n=(150, 250))},
    )
}
