"""Worlds: training sets with fewer or more rows of a group than usual, and what models trained on them answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import logit

from fivefold.protection.attribute.levels import hidden
from fivefold.stats.repeats import numbers

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import pandas as pd

    from fivefold.contract.subject import Subject, Table

_FEWEST = 20
_TINY = 1e-3


@dataclass(frozen=True)
class Group:
    """A group whose share is to be told.

    Attributes:
        name: For the reader.
        inside: (n,) bool, training rows in it.
        asked: (q,) bool, asked rows in it.
        judged: A class is shown only: whoever answers well tells how usual each class is.
    """

    name: str
    inside: np.ndarray
    asked: np.ndarray
    judged: bool = True

    @property
    def share(self) -> float:
        """Its share of the training rows."""
        return float(self.inside.mean())

    @property
    def reach(self) -> float:
        """How far the share is moved: half of the rarer side."""
        return min(self.share, 1 - self.share) / 2


@dataclass(frozen=True)
class Worlds:
    """m models trained on sets of known shares.

    Attributes:
        halves: (m,) bool, which half of the rows the set is drawn from: the attacker's, or the victim's.
        more: (g, m) bool, whether the set holds more of each group.
        answers: (m, q, k) what each model says of the asked rows.
    """

    halves: np.ndarray
    more: np.ndarray
    answers: np.ndarray


def groups(train: Table, asked: Table, columns: Sequence[str], classes: Sequence[str]) -> list[Group]:
    """Return the value of each column that is nearest to a half of the rows, and the commonest class."""
    found = []
    for name in columns:
        cut = hidden(train.column(name))
        if cut is None:
            continue
        rows = np.bincount(cut.codes[cut.codes >= 0], minlength=len(cut.samples))
        level = int(np.abs(rows / len(train) - 0.5).argmin())
        inside = cut.codes == level
        told = f"{name} = {cut.samples[level]}"
        own = _alike(train.column(name), inside, asked.column(name))
        if len(np.unique(train.column(name).dropna().to_numpy()[:5000])) > len(cut.samples):
            told = f"{name} about {cut.samples[level]}"
        found.append(Group(told, inside, own))
    if classes:
        common = int(np.bincount(train.target, minlength=len(classes)).argmax())
        found.append(Group(f"class {classes[common]}", train.target == common, asked.target == common, judged=False))
    return [one for one in found if _FEWEST <= one.inside.sum() <= len(train) - _FEWEST]


def _alike(column: pd.Series, inside: np.ndarray, other: pd.Series) -> np.ndarray:
    """Return which values of another set are in the group: between its ends for numbers, else one of its values."""
    values = column[inside]
    ends = numbers(values) if values.dtype.kind in "iufM" else None
    if ends is not None and np.isfinite(ends).any():
        asked = numbers(other)
        return np.asarray((asked >= np.nanmin(ends)) & (asked <= np.nanmax(ends)))
    return np.asarray(other.isin(values.unique()), dtype=bool)


def drawn(
    train: Table, found: Sequence[Group], models: int, most: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, list[np.ndarray]]:
    """Return halves, shares and rows of sets: two halves of the rows, each group raised in one half of their sets.

    Args:
        train: n rows.
        found: Groups.
        models: How many sets; even.
        most: Most rows of a set.
        rng: Draws all.

    Returns:
        (m,) bool, (g, m) bool and m arrays of positions.
    """
    order = rng.permutation(len(train))
    parts = order[: len(order) // 2], order[len(order) // 2 :]
    halves = np.arange(models) % 2 == 1
    more = np.zeros((len(found), models), dtype=bool)
    for row in more:
        for half in (False, True):
            own = np.flatnonzero(halves == half)
            row[rng.permutation(own)[: len(own) // 2]] = True
    size = min(most, len(order) // 4)
    sets = []
    for at in range(models):
        part = parts[int(halves[at])]
        weight = np.ones(len(part))
        for group, wanted in zip(found, more[:, at], strict=True):
            inside = group.inside[part]
            share = group.share + (group.reach if wanted else -group.reach)
            weight *= np.where(inside, share / group.share, (1 - share) / (1 - group.share))
        sets.append(part[rng.choice(len(part), size, replace=False, p=weight / weight.sum())])
    return halves, more, sets


def said(subject: Subject, asked: Table) -> np.ndarray:
    """Return (q, k) what a model says as numbers: log odds of each class, indicators of the class, or the value."""
    if subject.task == "regression":
        return np.asarray(subject.predict(asked)[:, None], dtype=np.float64)
    if not subject.capabilities.scores:
        return np.asarray(subject.predict(asked)[:, None] == np.arange(len(subject.classes)), dtype=np.float64)
    return np.asarray(logit(np.clip(subject.predict_proba(asked), _TINY, 1 - _TINY)))


def worlds(
    train: Table,
    found: Sequence[Group],
    sizes: tuple[int, int],
    answer: Callable[[Table, int], np.ndarray],
    rng: np.random.Generator,
) -> Worlds:
    """Train models on sets of known shares.

    Args:
        train: Rows.
        found: Groups.
        sizes: How many models, and most rows of each.
        answer: Trains on rows with a seed and returns (q, k) answers.
        rng: Draws all.

    Raises:
        SubjectError: Training failed.
    """
    halves, more, sets = drawn(train, found, *sizes, rng)
    answers = [answer(train.take(np.sort(rows)), int(rng.integers(2**31))) for rows in sets]
    return Worlds(halves, more, np.stack(answers))
