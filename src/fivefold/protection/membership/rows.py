"""Rows: which rows of training and test data may be compared, and how columns of any kind become numbers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from fivefold.stats.repeats import hashes, numbers

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fivefold.contract.subject import Table

_LEVELS = 8
_WIDEST = 192
_NAMED = 6
_BY_CHANCE = 5


@dataclass(frozen=True)
class Pool:
    """Members and non-members, in that order.

    Attributes:
        members: Sampled rows of the training data.
        others: Sampled rows of the test data.
        shared: Test rows left out because the training data holds them too.
        repeated: Training and test rows left out because the same set holds them earlier.
        unknown: Training and test rows left out because their target is missing.
        apart: Classes that one set lacks, and not by chance, with their training and test rows, all left out: the class
            alone would tell members from others, whatever the model remembers.
    """

    members: Table
    others: Table
    shared: int
    repeated: int
    unknown: int = 0
    apart: Mapping[int, tuple[int, int]] = field(default_factory=dict)

    @property
    def is_member(self) -> np.ndarray:
        """(n,) bool over members, then non-members."""
        return np.arange(len(self.members) + len(self.others)) < len(self.members)

    @property
    def target(self) -> np.ndarray:
        """(n,) classes or values."""
        return np.concatenate([self.members.target, self.others.target])

    @property
    def features(self) -> pd.DataFrame:
        """(n, d) frame of both."""
        return pd.concat([self.members.features, self.others.features], ignore_index=True)

    def left_out(self, classes: Sequence[str]) -> str:
        """Say which classes were left out because one set lacks them; empty if none was."""
        told = []
        for index, (inner, outer) in list(self.apart.items())[:_NAMED]:
            name = classes[index] if index < len(classes) else f"number {index}"
            told.append(
                f'"{name}" ({inner} rows) is in the training data only'
                if inner
                else f'"{name}" ({outer} rows) is in the test data only'
            )
        more = f"; and {len(self.apart) - _NAMED} more" if len(self.apart) > _NAMED else ""
        return f"Classes that one set lacks were left out: {'; '.join(told)}{more}." if told else ""


def pool(train: Table, test: Table, rows: int, rng: np.random.Generator) -> Pool:
    """Leave out rows that decide nothing, then sample the same number from each side where there are enough.

    A row (features and target) that occurs in both sets is neither member nor non-member; a row repeated within
    a set counts once; rows of a class that the other set lacks are left out.

    Args:
        train: Training data.
        test: Rows that the model has not seen.
        rows: Most rows in all; what one side cannot fill goes to the other.
        rng: Draws the sample.
    """
    given = len(train) + len(test)
    train, test = _labelled(train), _labelled(test)
    unknown = given - len(train) - len(test)
    apart = _apart(train.target, test.target)
    train, test = _without(train, apart), _without(test, apart)
    inner, outer = hashes(train), hashes(test)
    first_inner, first_outer = _first(inner), _first(outer)
    keep_inner = first_inner[~_among(inner[first_inner], outer)]
    keep_outer = first_outer[~_among(outer[first_outer], inner)]
    repeated = len(inner) - len(first_inner) + len(outer) - len(first_outer)
    half = rows // 2
    take_inner = min(len(keep_inner), max(half, rows - len(keep_outer)))
    take_outer = min(len(keep_outer), rows - take_inner)
    chosen_inner = np.sort(rng.choice(keep_inner, take_inner, replace=False))
    chosen_outer = np.sort(rng.choice(keep_outer, take_outer, replace=False))
    shared = len(first_outer) - len(keep_outer)
    return Pool(train.take(chosen_inner), test.take(chosen_outer), shared, repeated, unknown, apart)


def _among(values: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Return (n,) bool: the value occurs among others; in a third of the memory of ``np.isin``."""
    if not len(others):
        return np.zeros(len(values), dtype=bool)
    known = np.sort(others)
    return np.asarray(known[np.minimum(np.searchsorted(known, values), len(known) - 1)] == values)


def _labelled(table: Table) -> Table:
    """Leave out rows without a target: class -1, or a value that is not finite."""
    known = table.target >= 0 if table.target.dtype.kind == "i" else np.isfinite(table.target)
    return table if known.all() else table.take(np.flatnonzero(known))


def _apart(inner: np.ndarray, outer: np.ndarray) -> dict[int, tuple[int, int]]:
    """Return the classes of one side only, with their rows on each; values are no classes.

    A class so rare in the training data that the test may lack it by chance stays.
    """
    if inner.dtype.kind != "i":
        return {}
    width = int(max(inner.max(initial=-1), outer.max(initial=-1))) + 1
    left, right = np.bincount(inner, minlength=width), np.bincount(outer, minlength=width)
    expected = left * (len(outer) / max(len(inner), 1))
    lonely = np.flatnonzero((right == 0) & (expected >= _BY_CHANCE) | (left == 0) & (right > 0))
    return {int(index): (int(left[index]), int(right[index])) for index in lonely}


def _without(table: Table, classes: Mapping[int, tuple[int, int]]) -> Table:
    gone = np.isin(table.target, list(classes)) if classes else np.zeros(len(table), dtype=bool)
    return table.take(np.flatnonzero(~gone)) if gone.any() else table


def _first(codes: np.ndarray) -> np.ndarray:
    """Return the sorted positions at which each distinct value occurs first."""
    return np.sort(np.unique(codes, return_index=True)[1])


def encode(features: pd.DataFrame, rng: np.random.Generator) -> np.ndarray:
    """Turn any frame into numbers without looking at membership, target or model.

    Numbers are centred on the median, scaled by the spread and clipped at 4; missing values become 0 with an
    indicator; other columns become indicators of their commonest levels. Beyond 192 columns a random projection
    keeps the width.

    Args:
        features: (n, d) frame.
        rng: Draws the projection.

    Returns:
        (n, w) float64, w at most 192.
    """
    parts: list[np.ndarray] = []
    for name in features.columns:
        column = features[name]
        if pd.api.types.is_numeric_dtype(column) or pd.api.types.is_datetime64_any_dtype(column):
            parts.extend(_scaled(numbers(column)))
        else:
            parts.extend(_indicators(column))
    if not parts:
        return np.zeros((len(features), 1))
    matrix = np.column_stack(parts)
    if matrix.shape[1] > _WIDEST:
        matrix = matrix @ rng.normal(size=(matrix.shape[1], _WIDEST)) / np.sqrt(_WIDEST)
    return matrix


def _scaled(values: np.ndarray) -> list[np.ndarray]:
    finite = np.isfinite(values)
    if not finite.any():
        return []
    known = values[finite]
    low, middle, high = np.quantile(known, [0.25, 0.5, 0.75])
    spread = (high - low) / 1.349 or known.std() or 1.0
    scaled = np.clip(np.where(finite, (values - middle) / spread, 0.0), -4.0, 4.0)
    return [scaled] if finite.all() else [scaled, (~finite).astype(np.float64)]


def _indicators(column: pd.Series) -> list[np.ndarray]:
    codes, levels = pd.factorize(column.astype(object), use_na_sentinel=True)
    counts = np.bincount(codes + 1, minlength=len(levels) + 1)
    common = np.argsort(-counts, kind="stable")[:_LEVELS]
    return [(codes + 1 == level).astype(np.float64) for level in common if 0 < counts[level] < len(codes)]
