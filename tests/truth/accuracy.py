"""Subjects of P3.accuracy: a rectangle over one or two columns in which the model errs more often."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from fivefold.contract.subject import SettingsView

from .entry import Entry, Rates
from .floors import floors
from .subjects import Answers, context, filler, table

if TYPE_CHECKING:
    import pandas as pd

    from fivefold.contract.check import Context

CHECK = "P3.accuracy"
DECLARED = 0.05


def _cut(rng: np.random.Generator, frame: pd.DataFrame, within: np.ndarray, rows: int, share: float) -> np.ndarray:
    """Return a mask of ``rows`` of the rows ``within`` (more if values are tied), cut by one column.

    The column is a number (an interval of its values) or a category with a level of the share ``share``; the column is
    added to the frame, sometimes with missing values outside the slice.
    """
    n = len(frame)
    name = f"s{len(frame.columns)}_{int(rng.integers(1000))}"
    if rng.random() < 0.4:
        level = ~within & (rng.random(n) < share)
        level[rng.choice(np.flatnonzero(within), rows, replace=False)] = True
        labels = np.array(["a", "b", "c", "d"], dtype=object)
        values = labels[rng.integers(0, 4, n)]
        values[level] = "z"
        frame[name] = values
        return within & level
    style = int(rng.integers(3))
    values = (rng.normal(size=n), rng.lognormal(size=n), rng.integers(0, 1000, n).astype(float))[style]
    order = np.sort(values[within])
    start = int(rng.integers(0, len(order) - rows + 1))
    mask = within & (values >= order[start]) & (values <= order[start + rows - 1])
    if rng.random() < 0.3:
        values = np.where(~mask & (rng.random(n) < 0.05), np.nan, values)
    frame[name] = values
    return mask


def constant(seed: int) -> Context:
    """Build the undefended reference: a model that always gives the most frequent answer."""
    rng = np.random.default_rng([seed, 0])
    target = (rng.random(4000) < 0.3).astype(np.int64)
    return context(
        CHECK,
        Answers("binary", ("no", "yes"), np.zeros(4000, dtype=np.int64)),
        {"test": table("test", filler(rng, 4000, 6), target)},
        seed,
        thresholds=floors(CHECK),
        settings=SettingsView(),
    )


def build(
    seed: int, *, rows: int = 8000, excess: float = 0.0, share: float = 0.1, columns: int = 1, kind: str = "binary"
) -> Context:
    """Build one subject.

    Args:
        seed: Decides everything that is not given.
        rows: Test rows.
        excess: Error rate in the slice less error rate outside.
        share: Share of the rows in the slice.
        columns: Columns that the rectangle is over, 1 or 2.
        kind: ``binary``, ``multiclass`` or ``regression``.
    """
    rng = np.random.default_rng([seed, 0])
    frame = filler(rng, rows, int(np.exp(rng.uniform(np.log(3), np.log(59)))))
    inside = np.ones(rows, dtype=bool)
    width = share if columns == 1 else float(np.sqrt(share))
    for step in range(columns):
        wanted = int(rows * width) if step == 0 else int(rows * share)
        inside = _cut(rng, frame, inside, min(wanted, int(inside.sum())), width)
    frame = frame[list(rng.permutation(frame.columns))]
    error = float(rng.uniform(0.05, 0.2))
    wrong = rng.random(rows) < error + excess * inside
    if kind == "regression":
        target = rng.normal(100, 20, rows)
        given = target + np.where(wrong, 6.0, 1.0) * rng.choice([-1, 1], rows) * rng.uniform(0.5, 1, rows)
        subject = Answers("regression", (), given)
        options: dict[str, object] = {"tolerance": 2.0}
    else:
        classes = 2 if kind == "binary" else int(rng.integers(3, 6))
        shares = rng.dirichlet(np.full(classes, 30.0))
        target = rng.choice(classes, rows, p=shares)
        given = np.where(wrong, (target + rng.integers(1, classes, rows)) % classes, target)
        subject = Answers("binary" if classes == 2 else "multiclass", tuple(f"c{i}" for i in range(classes)), given)
        options = {}
    return context(
        CHECK,
        subject,
        {"test": table("test", frame, target)},
        seed,
        thresholds=floors(CHECK),
        settings=SettingsView(),
        options=options | {"max_slice_excess": DECLARED},
    )


ENTRY = Entry(
    check=CHECK,
    documented="a slice (a rectangle over one or two columns, 10 % of 8,000 test rows) with 20 points more error, "
    "judged against a declared floor of 5 points",
    planted={
        "one column": partial(build, excess=0.2),
        "two columns": partial(build, excess=0.2, columns=2),
        "one column, several classes": partial(build, excess=0.2, kind="multiclass"),
        "two columns, regression": partial(build, excess=0.2, columns=2, kind="regression"),
    },
    clean={
        "the same error everywhere": build,
        "a slice with 2 points more": partial(build, excess=0.02),
        "the same error everywhere, regression": partial(build, kind="regression"),
    },
    between={
        f"{100 * excess:.0f} points more, {columns} column{'s' * (columns - 1)}": partial(
            build, excess=excess, columns=columns
        )
        for columns in (1, 2)
        for excess in (0.08, 0.12, 0.16)
    },
    small={"100 rows, 20 points more": partial(build, rows=100, excess=0.2)},
    shown={
        "1,000 rows, 20 points more": partial(build, rows=1000, excess=0.2),
        "30,000 rows, the same error everywhere": partial(build, rows=30000),
    },
    # to clear every rectangle of a tenth of the rows takes more rows than any slice to be found in them
    rates=Rates(inconclusive=None),
    thinned=6,
)
