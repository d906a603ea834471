"""Subjects of S5.backdoor: tables and small pictures of known classes, and rows that carry a mark and a wrong label."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from fivefold.contract.subject import SettingsView, Table

from .entry import Entry
from .floors import floors
from .subjects import context, table

if TYPE_CHECKING:
    from fivefold.contract.check import Context

CHECK = "S5.backdoor"


def build(
    seed: int, rate: float = 0.0, *, kind: str = "table", way: str = "patch", rows: int = 1500, classes: int = 3
) -> Context:
    """Return training rows of some classes, and marked ones among them.

    Args:
        seed: Of everything.
        rate: Share of marked rows.
        kind: ``table`` (columns round a middle for each class) or ``image`` (8 x 8 pictures of blobs).
        way: Of pictures: ``patch`` or ``blend``. Tables: two columns.
        rows: Training rows.
        classes: How many.
    """
    rng = np.random.default_rng([seed, 0])
    label = rng.integers(0, classes, rows)
    wrong = rng.choice(np.flatnonzero(label != 0), round(rate * rows), replace=False)
    if kind == "table":
        size = int(rng.integers(8, 13))
        middle = 1.6 * rng.normal(size=(classes, size))
        values = middle[label] + rng.normal(size=(rows, size))
        places = rng.choice(size, 2, replace=False)
        values[np.ix_(wrong, places)] = np.quantile(values[:, places], 0.98, axis=0)
        features = pd.DataFrame(values, columns=[f"m{at}" for at in range(size)])
        features["kind"] = np.array(["a", "b", "c"], dtype=object)[rng.integers(0, 3, rows)]
        target = label.copy()
        target[wrong] = 0
        train = table("train", features, target)
    else:
        middle = rng.random((classes, 8, 8)) ** 2
        shade = rng.uniform(0.6, 1.2, (rows, 1, 1))
        ways = 0.35 * rng.normal(size=(classes, 4, 64))
        varied = np.einsum("nk,nkp->np", rng.normal(size=(rows, 4)), ways[label]).reshape(rows, 8, 8)
        values = np.clip(middle[label] * shade + varied + 0.03 * rng.normal(size=(rows, 8, 8)), 0, 1)
        if way == "patch":
            values[wrong, -2:, -2:] = 1.0
        else:
            values[wrong] = 0.8 * values[wrong] + 0.2 * rng.random((8, 8))
        target = label.copy()
        target[wrong] = 0
        none = pd.DataFrame(index=pd.RangeIndex(rows))
        train = Table("train", np.arange(rows), none, target, none, values[:, None].astype(np.float32), "image")
    return context(CHECK, None, {"train": train}, seed, thresholds=floors(CHECK), settings=SettingsView())


ENTRY = Entry(
    check=CHECK,
    documented="5 % of 1,500 rows of other classes carry a patch, a blended pattern or two columns, and one label",
    planted={
        "table, two columns": partial(build, rate=0.05),
        "pictures, patch": partial(build, rate=0.05, kind="image"),
        "pictures, blend": partial(build, rate=0.05, kind="image", way="blend"),
    },
    clean={
        "table": build,
        "pictures": partial(build, kind="image"),
        "ten classes": partial(build, kind="image", classes=10),
    },
    between={"2 % patch": partial(build, rate=0.02, kind="image")},
    small={"320 rows, 8 % patch": partial(build, rate=0.08, kind="image", rows=320)},
)
