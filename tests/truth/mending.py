"""Subjects of F1.mitigation: gaps that are cheap to mend, and gaps that are dear."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from fivefold.contract.subject import SettingsView, Table

from .entry import Entry
from .floors import floors
from .gaps import _column, _groups
from .subjects import Answers, context, filler

if TYPE_CHECKING:
    from fivefold.contract.check import Context

CHECK = "F1.mitigation"


def build(seed: int, *, dear: bool = False, shift: float = 0.25, rows: int = 8000, aim: str = "selection",
          blind: bool = False) -> Context:  # fmt: skip
    """Build a scorer with a gap.

    Args:
        seed: Decides everything that is not given.
        dear: Truth hangs on the group (or, for ``tpr``, nothing tells who of one group deserves the answer).
        shift: By how much the scores of the first group are too low, where mending is cheap.
        rows: Test rows.
        aim: ``selection`` or ``tpr``.
        blind: A feature tells the group.
    """
    rng = np.random.default_rng([seed, 0])
    codes = _groups(rng, rows, [float(rng.uniform(0.3, 0.45)), 0.5])
    share = np.array([0.03, 0.9]) if dear and aim == "selection" else np.full(2, 0.2 if dear else rng.uniform(0.4, 0.5))
    truth = (rng.random(rows) < share[codes]).astype(np.int64)
    level = np.where(truth == 1, 0.75, 0.25)
    if dear and aim == "tpr":
        level = np.where(codes == 0, 0.25, level)
    if not dear:
        level = level - shift * (codes == 0)
    score = np.clip(level + 0.1 * rng.normal(size=rows), 0.001, 0.999)
    features = filler(rng, rows, int(rng.integers(2, 8)))
    if blind:
        features["tells"] = codes + 0.3 * rng.normal(size=rows)
    frame = pd.DataFrame({"p0": _column(rng, codes)})
    test = Table("test", np.arange(rows), features, truth, frame)
    subject = Answers("binary", ("no", "yes"), (score >= 0.5).astype(np.int64), np.column_stack([1 - score, score]))
    return context(
        CHECK, subject, {"test": test}, seed, thresholds=floors(CHECK), options={"aim": aim},
        settings=SettingsView(positive=1, protected=("p0",), classes=("no", "yes")),
    )  # fmt: skip


ENTRY = Entry(
    check=CHECK,
    documented="equal rates cost a third of the accuracy (alike shares), or a tenth (alike true-positive rates), in "
    "8,000 rows",
    planted={
        "truth hangs on the group": partial(build, dear=True),
        "nothing tells who deserves it": partial(build, dear=True, aim="tpr"),
    },
    clean={
        "scores too low": build, "scores too low, tpr": partial(build, aim="tpr"), "no gap": partial(build, shift=0.0),
    },
    small={"100 rows": partial(build, dear=True, rows=100)},
    shown={"a feature tells the group": partial(build, blind=True)},
)  # fmt: skip
