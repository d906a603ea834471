"""Players: which columns, patches or windows get credit as one, and what they are called."""

from __future__ import annotations

from dataclasses import dataclass
from math import isqrt
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from fivefold.stats.repeats import numbers

if TYPE_CHECKING:
    from fivefold.contract.subject import Table

TIED = 0.8
"""Rank correlation from which on two columns are said to tell nearly the same."""

_SIDE = 4
_WINDOWS = 12
_NAMED = 3


@dataclass(frozen=True)
class Players:
    """Who gets credit.

    Attributes:
        names: P names, shown in findings.
        of: (d,) the player of each column or flat input position.
        notes: What the reader should know.
    """

    names: tuple[str, ...]
    of: np.ndarray
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.names)


def of(table: Table, most: int | None = None, alone: tuple[str, ...] = ()) -> Players:
    """Return the players of a data set.

    Args:
        table: Rows; columns that form a one-hot code are one player.
        most: Largest number of players, at least 1; columns that go together most are then joined, patches and
            windows are larger. None: no limit.
        alone: Columns that are not joined with others.
    """
    if table.inputs is not None:
        return _patches(table, most or _SIDE**2) if table.kind == "image" else _windows(table, most or _WINDOWS)
    made = _one_hot(table)
    return made if most is None or len(made) <= most else _joined(table, made, most, alone)


def codes(table: Table, players: Players) -> np.ndarray:
    """Return (N, P) float64 ranks in [0, 1] of each player's cell; a missing cell has a rank of its own.

    Texts are ordered by how frequent they are, dates and numbers by value; a player of several columns is the mean of
    theirs, each weighted differently so that equal codes mean equal cells but for ties by chance.
    """
    if table.inputs is not None:
        flat = table.inputs.reshape(len(table), -1).astype(np.float64)
        sums = np.zeros((len(flat), len(players)))
        for player in range(len(players)):
            sums[:, player] = flat[:, players.of == player].mean(axis=1)
        return np.column_stack([_ranks(column) for column in sums.T])
    single = np.column_stack([_codes(table.features.iloc[:, at]) for at in range(table.features.shape[1])])
    if len(players) == single.shape[1]:
        return single
    made = np.zeros((len(table), len(players)))
    for player in range(len(players)):
        mine = single[:, players.of == player]
        made[:, player] = mine[:, 0] if mine.shape[1] == 1 else _ranks(mine @ (1 + 0.618 * np.arange(mine.shape[1])))
    return made


def tied(coded: np.ndarray, names: tuple[str, ...]) -> list[tuple[int, ...]]:
    """Return groups of players of which any two neighbours have a rank correlation of at least :data:`TIED`."""
    if coded.shape[1] < 2:
        return []
    labels = _clusters(coded, 1 - TIED, "single")
    groups = [tuple(np.flatnonzero(labels == label).tolist()) for label in np.unique(labels)]
    return sorted((group for group in groups if len(group) > 1), key=lambda group: names[group[0]])


def _clusters(coded: np.ndarray, height: float, method: str, most: int | None = None) -> np.ndarray:
    """Return (P,) cluster of each column; with ``most`` so many, and columns that never vary go together."""
    from scipy.cluster.hierarchy import cut_tree, fcluster, linkage  # a tenth of a check process, few of them need it
    from scipy.spatial.distance import squareform

    with np.errstate(all="ignore"):
        near = np.abs(np.nan_to_num(np.corrcoef(coded, rowvar=False)))
    if most is not None:
        still = np.ptp(coded, axis=0) == 0
        near[np.ix_(still, still)] = 1.0
    far = squareform(np.clip(1 - near, 0, 1), checks=False)
    tree = linkage(far, method)
    # of columns that are all as far apart a height would join all or none
    found = fcluster(tree, height, "distance") if most is None else cut_tree(tree, n_clusters=most)[:, 0]
    return np.asarray(found)


def _codes(column: pd.Series) -> np.ndarray:
    """Return (N,) ranks in [0, 1]."""
    gone = column.isna().to_numpy()
    if pd.api.types.is_numeric_dtype(column) or pd.api.types.is_datetime64_any_dtype(column):
        values = numbers(column)
    else:
        told, levels = pd.factorize(column.astype(object).where(~gone, None).astype(str), use_na_sentinel=False)
        counts = np.bincount(told, minlength=len(levels))
        values = np.argsort(np.argsort(-counts, kind="stable"), kind="stable")[told].astype(np.float64)
    return _ranks(np.where(gone, np.inf, values))


def _ranks(values: np.ndarray) -> np.ndarray:
    return (pd.Series(values).rank().to_numpy(dtype=np.float64) - 0.5) / max(len(values), 1)


def _one_hot(table: Table) -> Players:
    """Return columns as players; runs of 0/1 columns of which each row has exactly one set are one player."""
    frame = table.features
    names = [str(name) for name in frame.columns]
    group = np.arange(len(names))
    start = 0
    while start < len(names):
        stop = _run(frame, start)
        group[start : stop + 1] = start
        start = stop + 1
    firsts, of_ = np.unique(group, return_inverse=True)
    joined = [[names[at] for at in np.flatnonzero(group == first)] for first in firsts]
    notes = tuple(f"{_name(part)}: one-hot columns, taken as one." for part in joined if len(part) > 1)
    return Players(tuple(_name(part) for part in joined), of_.astype(np.int64), notes)


def _run(frame: pd.DataFrame, start: int) -> int:
    """Return the last column of the one-hot code that begins at ``start``; ``start`` itself if none does."""
    total = np.zeros(len(frame))
    for at in range(start, frame.shape[1]):
        column = frame.iloc[:, at]
        if not (pd.api.types.is_numeric_dtype(column) or pd.api.types.is_bool_dtype(column)):
            return start
        values = column.to_numpy(dtype=np.float64, na_value=np.nan)
        if not np.isin(values, (0.0, 1.0)).all():
            return start
        total += values
        if total.max(initial=0.0) > 1:
            return start
        if at > start and total.min(initial=1.0) == 1:
            return at
    return start


def _joined(table: Table, made: Players, most: int, alone: tuple[str, ...]) -> Players:
    columns = [str(name) for name in table.features.columns]
    kept = np.unique([made.of[columns.index(name)] for name in alone]).astype(np.int64)
    rest = np.setdiff1d(np.arange(len(made)), kept)
    labels = np.arange(len(made)) + len(made)
    few = most - len(kept)
    labels[rest] = _clusters(codes(table, made)[:, rest], 0.0, "average", few) if few > 1 else 1
    order = np.unique(labels, return_index=True)[1]
    rank = np.argsort(np.argsort(order))[np.searchsorted(np.unique(labels), labels)]
    parts = [[made.names[at] for at in np.flatnonzero(rank == player)] for player in range(int(rank.max()) + 1)]
    note = f"{len(made)} columns are too many for the questions allowed; those that go together are {len(parts)} parts."
    return Players(tuple(_name(part) for part in parts), rank[made.of], (*made.notes, note))


def _name(parts: list[str]) -> str:
    if len(parts) <= _NAMED:
        return " + ".join(parts)
    return f"{parts[0]} + {len(parts) - 1} more"


def _patches(table: Table, most: int) -> Players:
    """Return a grid of at most 4 x 4 patches over images (n, C, H, W); channels move together."""
    _, channels, height, width = np.asarray(table.inputs).shape
    down = min(_SIDE, height, isqrt(most))
    across = min(_SIDE, width, most // down)
    y, x = np.arange(height) * down // height, np.arange(width) * across // width
    grid = y[:, None] * across + x[None, :]
    names = tuple(f"patch row {at // across + 1}, column {at % across + 1}" for at in range(down * across))
    note = f"Images are cut into {down} x {across} patches; a patch is swapped with that of another image."
    return Players(names, np.tile(grid.ravel(), channels), (note,))


def _windows(table: Table, most: int) -> Players:
    """Return at most 12 windows over series (n, C, T) or recordings (n, T); channels move together."""
    shape = np.asarray(table.inputs).shape
    length, channels = shape[-1], int(np.prod(shape[1:-1]))
    count = min(_WINDOWS, length, most)
    window = np.arange(length) * count // length
    names = tuple(f"window {at + 1} of {count}" for at in range(count))
    note = f"{'Recordings' if table.kind == 'audio' else 'Series'} are cut into {count} windows of equal length."
    return Players(names, np.tile(window, channels), (note,))
