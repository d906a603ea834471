"""Foreign: rows that could not be, made from the rows that are, and what tells the two apart."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from fivefold.contract.subject import Table
from fivefold.sharing.filtering.columns import encoded
from fivefold.sharing.filtering.embedded import components, plain
from fivefold.stats.growing import grown
from fivefold.stats.proportion import clopper_pearson

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

MIXED, ANYWHERE, SLIPPED = "cells of several rows", "cells anywhere in their ranges", "a slipped unit or sign"
_FOLDS = 3
_TREES = 40
_LEAF = 3
_WIDE = 32
_SLIPS = np.array([-1.0, 10.0, 100.0, 1000.0])
_FEW_VALUES = 2
_ENOUGH = 0.25


@dataclass(frozen=True)
class Sample:
    """Rows that are judged.

    Attributes:
        rows: (n, d) columns of a table, or pooled pixels and their like.
        same: (n,) a number that equal rows share.
        named: Whether the columns are a table's own, which have units.
    """

    rows: pd.DataFrame
    same: np.ndarray
    named: bool

    @classmethod
    def of(cls, table: Table, same: np.ndarray) -> Sample:
        """Return what the model sees of a table of any kind."""
        if table.kind == "table":
            return cls(table.features.reset_index(drop=True), same, named=True)
        return cls(pd.DataFrame(plain(table)), same, named=False)

    @property
    def makers(self) -> tuple[str, ...]:
        """Foreign kinds that can be made: pixels have no unit that could slip."""
        return tuple(MAKERS) if self.named else (MIXED, ANYWHERE)

    def take(self, kept: np.ndarray) -> Sample:
        """Return the rows at these positions."""
        return replace(self, rows=self.rows.iloc[kept].reset_index(drop=True), same=self.same[kept])

    def plant(self, foreign: pd.DataFrame, wrong: np.ndarray) -> Sample:
        """Return the rows of which those at ``wrong`` are taken from ``foreign``, which has the same index."""
        spoilt = []
        for at in range(self.rows.shape[1]):
            column, other = self.rows.iloc[:, at], foreign.iloc[:, at].reindex(self.rows.index)
            column = column if column.dtype == other.dtype else column.astype(other.dtype)
            spoilt.append(column.mask(wrong, other))
        unlike = np.where(wrong, np.arange(len(wrong), dtype=np.uint64), self.same)  # a planted row equals no other
        return replace(self, rows=pd.concat(spoilt, axis=1), same=unlike)


def mixed(rows: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """Return (n, d) rows of which each cell comes from a row of its own: no combination is left as it was."""
    made = [rows.iloc[rng.permutation(len(rows)), at].reset_index(drop=True) for at in range(rows.shape[1])]
    return pd.concat(made, axis=1)


def anywhere(rows: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """Return (n, d) rows of numbers drawn evenly between the least and the most, and of levels drawn evenly."""
    made = [_anywhere(rows.iloc[:, at], rng) for at in range(rows.shape[1])]
    return pd.concat(made, axis=1)


def _anywhere(column: pd.Series, rng: np.random.Generator) -> pd.Series:
    missing = rng.permutation(column.isna().to_numpy())
    if _counts(column):
        values = column.to_numpy(dtype=np.float64, na_value=np.nan)
        known = values[np.isfinite(values)]
        drawn = rng.uniform(known.min(), known.max(), len(values))
        drawn = np.round(drawn) if _whole(known) else drawn
        return pd.Series(np.where(missing, np.nan, drawn), name=column.name)
    codes, _ = pd.factorize(column.astype("str").where(column.notna()))
    first = np.unique(codes[codes >= 0], return_index=True)[1]
    if not len(first):
        return column
    places = np.flatnonzero(codes >= 0)[first]
    return column.iloc[places[rng.integers(0, len(places), len(column))]].reset_index(drop=True).mask(missing)


def completed(rows: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """Return rows of which each missing cell holds what another row holds there."""
    full = rows.copy()
    for at in range(rows.shape[1]):
        there = np.flatnonzero(rows.iloc[:, at].notna())
        if 0 < len(there) < len(rows):
            places = np.arange(len(rows))
            gone = np.setdiff1d(places, there)
            places[gone] = there[rng.integers(0, len(there), len(gone))]
            full.isetitem(at, rows.iloc[places, at].to_numpy())
    return full


def slipped(rows: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """Return (at most n, d) rows of which one number is 10, 100 or 1,000 times what it was, or has the other sign.

    Rows without a number that this changes are left out; the index says which row each was.
    """
    numeric = [at for at in range(rows.shape[1]) if _counts(rows.iloc[:, at], _FEW_VALUES + 1)]
    if not numeric:
        return rows.iloc[:0]
    values = rows.iloc[:, numeric].to_numpy(dtype=np.float64, na_value=np.nan, copy=True)
    able = np.isfinite(values) & (values != 0)
    chosen = np.where(able, rng.random(values.shape), -1.0).argmax(axis=1)
    able_rows = np.flatnonzero(able.any(axis=1))
    values[able_rows, chosen[able_rows]] *= _SLIPS[rng.integers(0, len(_SLIPS), len(able_rows))]
    made = [rows.iloc[:, at] for at in range(rows.shape[1])]
    for place, at in enumerate(numeric):
        made[at] = pd.Series(values[:, place], name=rows.columns[at])
    return pd.concat(made, axis=1).iloc[able_rows]


def _counts(column: pd.Series, least: int = 2) -> bool:
    """Return whether a column holds numbers, and at least so many different ones."""
    if not pd.api.types.is_numeric_dtype(column) or pd.api.types.is_bool_dtype(column):
        return False
    values = column.to_numpy(dtype=np.float64, na_value=np.nan)
    return len(np.unique(values[np.isfinite(values)])) >= least


def _whole(values: np.ndarray) -> bool:
    return bool((values % 1 == 0).all())


MAKERS: Mapping[str, Callable[[pd.DataFrame, np.random.Generator], pd.DataFrame]] = {
    MIXED: mixed,
    ANYWHERE: anywhere,
    SLIPPED: slipped,
}


@dataclass(frozen=True)
class Kind:
    """Rows of one foreign kind against the rows that are, all judged by trees that never saw them.

    Attributes:
        name: Which kind.
        real: (n,) chance that a row is of this kind, were there as many of both.
        foreign: (m,) the same of rows that are.
    """

    name: str
    real: np.ndarray
    foreign: np.ndarray

    @property
    def auc(self) -> float:
        """Chance that a foreign row looks more foreign than a row that is."""
        from scipy.stats import rankdata

        n, m = len(self.real), len(self.foreign)
        ranks = rankdata(np.concatenate([self.real, self.foreign]))
        return float((ranks[n:].sum() - m * (m + 1) / 2) / (n * m))

    def inside(self, part: float) -> np.ndarray:
        """Return (n,) bool: rows among the most foreign-looking ``part`` of the foreign ones."""
        return np.asarray(self.real >= np.quantile(self.foreign, 1 - part, method="higher"))

    def share(self, part: float) -> float:
        """Largest share of this kind that the rows can hold, told where ``part`` of the kind lies.

        It is the mixture proportion of Blanchard, Lee and Scott (2010) on one region: rows there over foreign there.
        """
        return min(1.0, float(self.inside(part).mean()) / self._part(part))

    def bounds(self, part: float, confidence: float) -> tuple[float, float]:
        """Exact one-sided bounds of :meth:`share`."""
        low, high = clopper_pearson(int(self.inside(part).sum()), len(self.real), confidence)
        return min(1.0, float(low) / self._part(part)), min(1.0, float(high) / self._part(part))

    def _part(self, part: float) -> float:
        return float((self.foreign >= np.quantile(self.foreign, 1 - part, method="higher")).mean())


def told_apart(sample: Sample, rng: np.random.Generator, names: tuple[str, ...]) -> list[Kind]:
    """Have extremely randomised trees, cross-fitted, tell rows from foreign ones made of them, kind by kind.

    Rows that equal each other, and what was made from them, share a fold.

    Args:
        sample: n rows.
        rng: Draws everything.
        names: Kinds to make.

    Returns:
        The kinds that can be made from these columns.
    """
    rows = sample.rows
    _, group = np.unique(sample.same, return_inverse=True)
    fold = rng.permutation(np.arange(int(group.max()) + 1) % _FOLDS)[group]
    found = []
    for name in names:
        known = completed(rows, rng) if name == ANYWHERE else rows  # what is missing must not tell random rows apart
        made = MAKERS[name](known, rng)
        if len(made) < _ENOUGH * len(rows):
            continue
        every = pd.concat([known, made], ignore_index=True)
        inputs = encoded(_table(every)) if sample.named else components(every.to_numpy(), len(rows))
        if inputs.size and (inputs.max(axis=0) > inputs.min(axis=0)).any():
            foreign = np.arange(len(inputs)) >= len(rows)
            chance = _chances(inputs, foreign, np.concatenate([fold, fold[made.index]]), rng)
            found.append(Kind(name, chance[~foreign], chance[foreign]))
    return found


def suspicion(kinds: list[Kind]) -> np.ndarray:
    """Return (n,) the chance that a row is of the kind that it is likest, were there as many of that as of yours."""
    return np.asarray(np.max([kind.real for kind in kinds], axis=0))


def _chances(inputs: np.ndarray, foreign: np.ndarray, fold: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return (n,) the chance of being foreign, each by trees that saw nothing of its fold."""
    found = np.full(len(foreign), 0.5)
    features = 0.5 if inputs.shape[1] <= _WIDE else "sqrt"
    weight = np.where(foreign, len(foreign) / foreign.sum(), len(foreign) / (~foreign).sum())
    for at in np.unique(fold):
        taught, asked = fold != at, fold == at
        if len(np.unique(foreign[taught])) == 1:
            continue
        forest = grown(
            inputs[taught], foreign[taught], trees=_TREES, leaf=_LEAF, features=features,
            seed=int(rng.integers(2**31)), weight=weight[taught],
        )  # fmt: skip
        found[asked] = forest.shares(inputs[asked])[:, 1]
    return np.asarray(found)


def _table(rows: pd.DataFrame) -> Table:
    n = len(rows)
    return Table("", np.arange(n), rows, np.zeros(n, dtype=np.int64), pd.DataFrame(index=rows.index))
