"""Subjects of F1.metrics: groups whose errors, ranks and scores are set exactly."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from fivefold.contract.subject import SettingsView, Table

from .entry import Entry
from .floors import floors
from .gaps import _column, _exact, _groups, _shares
from .subjects import Answers, context, filler

if TYPE_CHECKING:
    from fivefold.contract.check import Context

CHECK = "F1.metrics"


def build(
    seed: int, *, beyond: float | None = None, which: str = "", rows: int = 4000, groups: int = 2, classes: int = 2,
    share: float = 0.2,
) -> Context:  # fmt: skip
    """Build a classifier.

    Args:
        seed: Decides everything that is not given.
        beyond: How far beyond its floor the first group's figure lies; None: all groups are served alike.
        which: ``error``, ``auc``, ``score``; empty: drawn.
        rows: Test rows.
        groups: Groups of the protected field.
        classes: Two, or more (then only errors are spoilt, and no favourable class is declared).
        share: Share of the first group.
    """
    rng = np.random.default_rng([seed, 0])
    codes = _groups(rng, rows, [share, *(np.array(_shares(rng, groups)[1:]) * (1 - share) / 0.8).tolist()])
    truth = _exact(rng, codes, float(rng.uniform(0.35, 0.5)))
    which = which or str(rng.choice(["error", "auc", "score"]))
    mine = codes == 0
    score = 1 / (1 + np.exp(-(2.6 * (truth - 0.5) + 0.9 * rng.normal(size=rows)) * 1.6))
    if classes > 2:
        which, truth = "error", rng.integers(0, classes, rows)
    wrong = rng.random(rows) < 0.1
    if beyond is not None and which == "error":
        wrong |= mine & (rng.random(rows) < (floors(CHECK)["max_error_rate_gap"] + beyond) / 0.9)
    if beyond is not None and which == "auc":
        mixed = np.flatnonzero(mine & (rng.random(rows) < (floors(CHECK)["max_auc_gap"] + beyond) / 0.45))
        score[mixed] = rng.permutation(score[mixed])
    if beyond is not None and which == "score":
        score = np.where(mine, np.clip(score * 0.3, 0, 1), score)
        score = np.where(mine, score + _lift(truth, score, mine, floors(CHECK)["max_score_gap"] + beyond), score)
    other = (truth + rng.integers(1, classes, rows)) % classes
    given = np.where(wrong, other, truth)
    table = np.column_stack([1 - score, score]) if classes == 2 else None
    return _context(seed, rng, truth, given, {"p0": _column(rng, codes)}, table, classes)


def _lift(truth: np.ndarray, score: np.ndarray, mine: np.ndarray, size: float) -> float:
    """Return what to add to the group's scores so that they lie ``size`` below what they should be."""
    return float(truth[mine].mean() - score[mine].mean()) - size


def values(seed: int, *, ratio: float = 1.0, bias: float = 0.0, rows: int = 4000) -> Context:
    """Build a regression: the first group's errors are ``ratio`` times as large, and off by ``bias`` deviations."""
    rng = np.random.default_rng([seed, 0])
    codes = _groups(rng, rows, [0.2, 0.8])
    target = rng.normal(size=rows) * 10.0 ** float(rng.integers(-2, 5)) + rng.normal()
    error = target.std() * 0.5 * rng.normal(size=rows)
    given = target + np.where(codes == 0, error * ratio + bias * target.std(), error)
    return _context(seed, rng, target, given, {"p0": _column(rng, codes)}, None, 0)


def one_sided(seed: int) -> Context:
    """Build the undefended reference: right for one of two groups, near chance and dishonest for the other."""
    rng = np.random.default_rng([seed, 0])
    rows = 20_000
    codes = _groups(rng, rows, [0.4, 0.6])
    truth = _exact(rng, codes, 0.4)
    score = np.where(codes == 0, 0.02 + 0.1 * rng.random(rows), np.clip(0.4 + (truth - 0.4) * rng.random(rows), 0, 1))
    given = np.where(rng.random(rows) < np.array([0.45, 0.05])[codes], 1 - truth, truth)
    return _context(seed, rng, truth, given, {"p0": _column(rng, codes)}, np.column_stack([1 - score, score]), 2)


def _context(
    seed: int, rng: np.random.Generator, truth: np.ndarray, given: np.ndarray, protected: dict[str, np.ndarray],
    scores: np.ndarray | None, classes: int,
) -> Context:  # fmt: skip
    rows = len(truth)
    features = filler(rng, rows, int(rng.integers(2, 20)))
    frame = pd.DataFrame(protected)
    hidden = bool(rng.random() < 0.5)
    features = features if hidden else pd.concat([features, frame], axis=1)
    test = Table("test", np.arange(rows), features, truth, frame if hidden else pd.DataFrame(index=features.index))
    task = "regression" if not classes else "binary" if classes == 2 else "multiclass"
    names = tuple(f"c{at}" for at in range(classes))
    return context(
        CHECK, Answers(task, names, given, scores), {"test": test}, seed, thresholds=floors(CHECK),
        settings=SettingsView(positive=1 if classes == 2 else None, protected=tuple(protected), classes=names),
    )  # fmt: skip


ENTRY = Entry(
    check=CHECK,
    documented="a gap 0.15 beyond its floor in a group of 20 % of 4,000 rows, or errors 2.25 times as large or off by "
    "half a standard deviation",
    planted={
        "errors": partial(build, beyond=0.15, which="error"),
        "errors, four classes": partial(build, beyond=0.15, classes=4),
        "ranks": partial(build, beyond=0.15, which="auc"),
        "scores": partial(build, beyond=0.15, which="score"),
        "values, larger errors": partial(values, ratio=2.25),
        "values, one-sided errors": partial(values, bias=0.5),
    },
    clean={
        "no gap": build, "no gap, three groups": partial(build, groups=3, rows=6000),
        "no gap, four classes": partial(build, classes=4), "no gap, values": values,
    },
    between={
        f"{beyond:.2f} beyond the floor": partial(build, beyond=beyond) for beyond in (0.0, 0.02, 0.05, 0.08)
    },
    small={
        "100 rows, 0.15 beyond": partial(build, beyond=0.15, rows=100),
        "100 rows, 0.35 beyond, half": partial(build, beyond=0.35, rows=100, which="error", share=0.5),
        "100 rows, values": partial(values, ratio=2.25, rows=100),
    },
)  # fmt: skip
