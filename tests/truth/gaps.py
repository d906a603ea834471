"""Subjects of F1.gaps: groups whose selection, true-positive and false-positive rates are set exactly."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from fivefold.contract.subject import SettingsView, Table

from .entry import Entry
from .floors import floors
from .subjects import Answers, context, filler

if TYPE_CHECKING:
    from fivefold.contract.check import Context

CHECK = "F1.gaps"
CELL = 240


def _groups(rng: np.random.Generator, rows: int, shares: list[float]) -> np.ndarray:
    """Return codes with exact group sizes in random order."""
    sizes = np.floor(np.array(shares) * rows).astype(int)
    sizes[-1] += rows - sizes.sum()
    return rng.permutation(np.repeat(np.arange(len(shares)), sizes))


def _shares(rng: np.random.Generator, count: int) -> list[float]:
    """The first group has a fifth of the rows, the others share the rest and none has less than a fifth."""
    rest = rng.dirichlet(np.full(count - 1, 20.0)) * (0.8 - 0.2 * (count - 1)) + 0.2
    return [0.2, *rest.tolist()]


def _column(rng: np.random.Generator, codes: np.ndarray) -> np.ndarray:
    """Dress codes as a column of texts, small numbers, truth values, numbers to be banded, or with missing values."""
    kinds = int(codes.max()) + 1
    style = int(rng.integers(4))
    if style == 1:
        return codes.astype(float)
    if style == 2 and kinds == 2:
        return codes.astype(bool)
    labels = np.array([f"g{int(i)}" for i in rng.permutation(kinds)], dtype=object)
    if style == 3:
        labels[int(rng.integers(kinds))] = None
    return labels[codes]


def _exact(rng: np.random.Generator, codes: np.ndarray, base: float) -> np.ndarray:
    """Return truth with the same share of positives in every group."""
    truth = np.zeros(len(codes), dtype=np.int64)
    for code in range(int(codes.max()) + 1):
        members = np.flatnonzero(codes == code)
        truth[rng.choice(members, int(np.ceil(base * len(members))), replace=False)] = 1
    return truth


def build(
    seed: int,
    *,
    rows: int | None = None,
    groups: int = 2,
    fields: int = 1,
    age: bool = False,
    gap: float = 0.0,
    ratio: float = 1.0,
    rate: str = "",
    base: tuple[float, float] = (0.3, 0.5),
    hit: tuple[float, float] = (0.7, 0.92),
) -> Context:
    """Build one subject.

    Args:
        seed: Decides everything that is not given.
        rows: Test rows; None: as few as give every cell of the first group ``CELL`` rows of both outcomes, or up to
            half as many more.
        groups: Groups of the first protected field; the first one has a fifth of the rows.
        fields: Protected fields; further ones have two groups and no gap.
        age: One more protected field of numbers without a gap, which the check has to band.
        gap: Difference of the first group's rate from the others' (``tpr``, ``fpr``).
        ratio: Ratio of the first group's selection rate to the others' (``selection``).
        rate: ``selection``, ``tpr``, ``fpr``; empty: drawn.
        base: Range of the share of positives.
        hit: Range of the true-positive rate.
    """
    rng = np.random.default_rng([seed, 0])
    positives = float(rng.uniform(*base))
    rows = rows or int(CELL / (0.2 * min(positives, 1 - positives)) * rng.uniform(1.02, 1.5)) + 5
    codes = _groups(rng, rows, _shares(rng, groups))
    truth = _exact(rng, codes, positives)
    rate = rate or str(rng.choice(["selection", "tpr", "fpr"]))
    tpr, fpr = np.full(groups, rng.uniform(*hit)), np.full(groups, rng.uniform(0.05, 0.25))
    if rate == "tpr":
        tpr[0] -= gap
    elif rate == "fpr":
        fpr[0] += gap
    else:
        tpr[0], fpr[0] = tpr[0] * ratio, fpr[0] * ratio
    if rng.random() < 0.5 and groups == 2 and rate == "tpr":
        tpr = tpr[::-1].copy()
    chance = np.where(truth == 1, tpr[codes], fpr[codes])
    answers = (rng.random(rows) < chance).astype(np.int64)
    protected = {"p0": _column(rng, codes)}
    for extra in range(1, fields):
        protected[f"p{extra}"] = _column(rng, rng.permutation(_groups(rng, rows, [0.5, 0.5])))
    if age:
        protected["years"] = np.clip(rng.normal(45, 14, rows).round(), 18, 95)
    return _context(seed, rng, truth, answers, protected)


def unfair(seed: int, *, rows: int) -> Context:
    """Build the undefended reference: one of two groups is treated far worse in every judged rate."""
    rng = np.random.default_rng([seed, 0])
    codes = _groups(rng, rows, [0.4, 0.6])
    truth = _exact(rng, codes, 0.4)
    chance = np.where(truth == 1, np.array([0.4, 0.9])[codes], np.array([0.02, 0.3])[codes])
    return _context(seed, rng, truth, (rng.random(rows) < chance).astype(np.int64), {"p0": _column(rng, codes)})


def crossed(seed: int, *, gap: float, rows: int = 4000) -> Context:
    """Build a subject in which both declared fields look fair and two of their four intersections are worse off."""
    rng = np.random.default_rng([seed, 0])
    first, second = rng.integers(0, 2, rows), rng.integers(0, 2, rows)
    truth = _exact(rng, 2 * first + second, float(rng.uniform(0.3, 0.5)))
    chance = np.where(truth == 1, 0.85 - gap * (first == second), 0.15)
    answers = (rng.random(rows) < chance).astype(np.int64)
    return _context(seed, rng, truth, answers, {"p0": _column(rng, first), "p1": _column(rng, second)})


def _context(
    seed: int, rng: np.random.Generator, truth: np.ndarray, answers: np.ndarray, protected: dict[str, np.ndarray]
) -> Context:
    """Dress truth and answers as a table and a subject."""
    rows = len(truth)
    features = filler(rng, rows, int(rng.integers(2, 20)))
    frame = pd.DataFrame(protected)
    hidden = bool(rng.random() < 0.5)
    features = features if hidden else pd.concat([features, frame], axis=1)
    order = rng.permutation(2)
    labels = np.array(["good", "bad"])[order]
    positive = int(np.flatnonzero(labels == "good")[0])
    target = np.where(truth == 1, positive, 1 - positive)
    given = np.where(answers == 1, positive, 1 - positive)
    scores = np.zeros((rows, 2))
    scores[:, positive] = np.clip(np.where(answers == 1, 0.75, 0.25) + rng.normal(0, 0.05, rows), 0, 1)
    scores[:, 1 - positive] = 1 - scores[:, positive]
    test = Table("test", np.arange(rows), features, target, frame if hidden else pd.DataFrame(index=features.index))
    return context(
        CHECK,
        Answers("binary", tuple(labels.tolist()), given, scores if rng.random() < 0.5 else None),
        {"test": test},
        seed,
        thresholds=floors(CHECK),
        settings=SettingsView(positive=positive, protected=tuple(protected)),
    )


def _drawn(seed: int, *, beyond: float, rate: str = "", **more: object) -> Context:
    """Build a subject whose gap lies ``beyond`` the floor; negative: inside it."""
    found = floors(CHECK)
    ratio = found["min_selection_ratio"] - beyond
    gap = found["max_tpr_gap"] + beyond
    return build(seed, gap=gap, ratio=ratio, rate=rate, **more)  # type: ignore[arg-type]


def _inside(seed: int, **more: object) -> Context:
    """Build a subject with a gap 0.05 inside the floor and a selection ratio of at least 0.95."""
    rng = np.random.default_rng([seed, 3])
    rate = str(rng.choice(["tpr", "fpr"]))
    gap = floors(CHECK)[f"max_{rate}_gap"] - 0.05
    return build(seed, gap=gap * float(rng.choice([1, 1])), rate=rate, **more)  # type: ignore[arg-type]


def _hardest(seed: int, **more: object) -> Context:
    """Build the subject in which a gap of the documented size is hardest to see: 240 rows, variance at its largest."""
    return _drawn(seed, beyond=0.15, rate="tpr", rows=4005, base=(0.3, 0.3), hit=(0.625, 0.625), **more)


ENTRY = Entry(
    check=CHECK,
    documented="a gap 0.15 beyond the floor in a group of 20 % of the rows, every compared cell with at least 240 rows "
    "of that outcome",
    planted={
        "one field of two groups": partial(_drawn, beyond=0.15),
        "one field of three groups": partial(_drawn, beyond=0.15, groups=3),
        "two fields": partial(_drawn, beyond=0.15, fields=2),
        "a field and an age": partial(_drawn, beyond=0.15, age=True),
    },
    clean={
        "no gap, 4,000 rows": partial(build, rows=4000),
        "0.05 inside the floor, 16,000 rows": partial(_inside, rows=16000),
    },
    between={
        f"{beyond:.2f} beyond the floor": partial(_drawn, beyond=beyond, rows=4000)
        for beyond in (0.0, 0.02, 0.05, 0.08, 0.10, 0.12)
    },
    small={
        "100 rows, 0.15 beyond": partial(_drawn, beyond=0.15, rows=100),
        "100 rows, 0.35 beyond": partial(_drawn, beyond=0.35, rows=100),
        "200 rows, 2 % positives": partial(_drawn, beyond=0.15, rows=200, base=(0.02, 0.05)),
    },
    shown={
        "no gap, three groups, 4,000 rows": partial(build, rows=4000, groups=3),
        "no gap, two fields and an age, 4,000 rows": partial(build, rows=4000, fields=2, age=True),
        "0.15 beyond the floor, five groups of 20 %": partial(_drawn, beyond=0.15, groups=5),
        "0.15 beyond the floor, rates around one half, smallest cells": _hardest,
        "0.15 beyond the floor, rates around one half, smallest cells, two fields and an age": partial(
            _hardest, fields=2, age=True
        ),
        "no gap, 400 rows": partial(build, rows=400),
        "no gap, 300 rows, 2 to 10 % positives": partial(build, rows=300, base=(0.02, 0.1)),
        "0.15 beyond the floor in two intersections alone, 4,000 rows": partial(crossed, gap=0.25),
    },
)
