"""Tables: a frame split into what the model sees, what it does not, and the coded target."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from fivefold.contract.subject import Table
from fivefold.errors import InputError
from fivefold.subject import labels
from fivefold.subject.inputs.read import read

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from fivefold.contract.subject import Task
    from fivefold.manifest.nouns import DataSet, Feature
    from fivefold.subject.inputs.stored import Stored

_RUNS = 32
"""Most runs of neighbouring columns that are put side by side without a copy."""


@dataclass(frozen=True)
class Coding:
    """How targets become numbers: class indices, or values for a regression (then without classes)."""

    task: Task
    classes: tuple[str, ...] = ()

    def target(self, values: pd.Series) -> np.ndarray:
        """Return (n,) int64 class indices, -1 where unknown, or (n,) float64, NaN where unknown.

        Raises:
            InputError: ``data.target`` if a regression's target is no number.
        """
        if self.task != "regression":
            return labels.codes(labels.texts(values), self.classes)
        numbers = pd.to_numeric(values, errors="coerce")
        if bool((numbers.isna() & values.notna()).any()):
            raise InputError(
                "data.target",
                f'the target "{values.name}" of a regression holds texts.',
                remedy="Declare model.task, or name the texts that mean a missing value under `missing:`.",
            )
        found = np.asarray(numbers.to_numpy(dtype=np.float64, na_value=np.nan))
        return np.where(np.isfinite(found), found, np.nan)


@dataclass
class Store:
    """The declared data sets, each read when it is first asked for.

    Attributes:
        root: The application's folder.
        sets: Data-set name to its declaration.
        features: Feature name to its declaration.
        digests: Data-set name to the SHA-256 that its stored bytes must have; absent: not compared.
        seen: What the model sees of the training data, column name to kind; empty: there are none.
    """

    root: Path
    sets: Mapping[str, DataSet]
    features: Mapping[str, Feature] = field(default_factory=dict)
    digests: Mapping[str, str] = field(default_factory=dict)
    seen: Mapping[str, str] = field(default_factory=dict)
    _kept: dict[str, Stored] = field(default_factory=dict)

    def stored(self, name: str) -> Stored:
        """Return a data set as it was read.

        Raises:
            KeyError: It is not declared.
            InputError: As :func:`fivefold.subject.inputs.read.read`; ``data.column-absent`` for a declared column.
        """
        if name not in self._kept:
            data = self.sets[name]
            strings = tuple(column for column, declared in self.features.items() if declared.type in ("string", "date"))
            found = read(self.root, data, strings, self.digests.get(name, ""))
            require_columns(data, found.columns)
            self._kept[name] = found
        return self._kept[name]

    def frame(self, name: str) -> pd.DataFrame:
        """Return a data set as stored, one line for each row; what the model sees may stand beside it.

        Raises:
            KeyError: It is not declared.
            InputError: As :meth:`stored`.
        """
        return self.stored(name).frame

    def release(self, name: str) -> None:
        """Give up a data set: it is read again if it is asked for again."""
        self._kept.pop(name, None)

    def target(self, name: str) -> pd.Series | None:
        """Return the stored target of a data set; None if none is declared."""
        data = self.sets[name]
        return self.frame(name)[data.target].copy() if data.target else None

    def table(self, name: str, coding: Coding) -> Table:
        """Return a data set as a table.

        Raises:
            KeyError: It is not declared.
            InputError: As :meth:`frame` and :meth:`Coding.target`; ``data.columns`` if it lacks columns of ``train``;
                ``data.reasons`` of a set of ranked reasons whose lines cannot be told to be about test rows.
        """
        data, like = self.sets[name], self.seen if name != "train" else None
        if data.reasons:
            return self._reasons(data, coding)
        if data.kind == "table":
            return split(data, self.frame(name), coding, like)
        return beside(data, self.stored(name), coding, like)

    def _reasons(self, data: DataSet, coding: Coding) -> Table:
        """Return lines of ranked reasons; ``rows`` are positions in the test data, the key is left out."""
        test = self.sets.get("test")
        if test is None or not data.id:
            raise InputError(
                "data.reasons", f"nothing says which test row a line of data.{data.name} is about.", where=data.path,
                remedy="Declare data.test, and `id:`, the column with the id of the test row, or, where data.test has "
                "none, its number counted from 1.",
            )  # fmt: skip
        lines, rows = self.frame(data.name), len(self.frame("test"))
        keys = labels.texts(self.frame("test")[test.id] if test.id else np.arange(1, rows + 1))
        self.release("test")
        known = pd.Index(keys)
        if not known.is_unique:
            raise InputError(
                "data.reasons", f"several test rows have the same {test.id}.", where=test.path,
                remedy="Name a column under data.test.id that is another in each row.",
            )  # fmt: skip
        at = known.get_indexer(pd.Index(labels.texts(lines[data.id])))
        if (at < 0).any():
            raise InputError(
                "data.reasons",
                f"{int((at < 0).sum())} of {len(at)} lines of data.{data.name} are about rows that data.test does not "
                f"have; the first is line {int(np.argmax(at < 0)) + 1} below the header.", where=data.path,
                remedy="Mend their ids, or take the lines out.",
            )  # fmt: skip
        return Table(
            name=data.name, rows=at.astype(np.int64), features=lines.drop(columns=data.id),
            target=_no_target(len(at), coding), others=pd.DataFrame(index=lines.index),
        )  # fmt: skip


def beside(data: DataSet, stored: Stored, coding: Coding, like: Mapping[str, str] | None = None) -> Table:
    """Return rows of images, series, texts or recordings as a table.

    Args:
        data: The declaration.
        stored: What was read.
        coding: How the target is coded.
        like: Channels of the training series; the same must be here.

    Raises:
        InputError: ``data.columns`` if channels differ; ``data.target``.
    """
    frame, channels = stored.frame, [item.name for item in stored.channels]
    inner = stored.inputs
    if like and channels != list(like):
        _ordered_like(data, channels, like)
        order = [channels.index(name) for name in like]
        inner = None if inner is None else np.ascontiguousarray(inner[:, order])
    shown = [stored.text] if stored.text else []
    rest = [name for name in frame.columns if name not in {*shown, data.target, data.id}]
    n = len(frame)
    return Table(
        name=data.name,
        rows=np.arange(n, dtype=np.int64),
        features=frame[shown].astype("str") if shown else pd.DataFrame(index=pd.RangeIndex(n)),
        target=coding.target(frame[data.target]) if data.target else _no_target(n, coding),
        others=frame[rest],
        inputs=inner,
        kind=data.kind,
    )


def split(data: DataSet, frame: pd.DataFrame, coding: Coding, like: Mapping[str, str] | None = None) -> Table:
    """Split a frame into features, hidden columns and target.

    Args:
        data: The declaration.
        frame: (n, c) as stored.
        coding: How the target is coded.
        like: What the model sees of the training data, column name to kind; names and order are taken over.

    Raises:
        InputError: ``data.columns`` if columns of ``like`` are missing; ``data.target``.
    """
    hidden = {data.target, data.id, *data.drop}
    names = [column for column in frame.columns if column not in hidden]
    if like:
        names = _ordered_like(data, names, like)
    features = _columns(frame, names)
    if like:
        features = _typed_like(features, like)
    rest = [column for column in frame.columns if column not in {*names, data.target, data.id}]
    n = len(frame)
    return Table(
        name=data.name,
        rows=np.arange(n, dtype=np.int64),
        features=features,
        target=coding.target(frame[data.target]) if data.target else _no_target(n, coding),
        others=frame[rest],
    )


def _columns(frame: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    """Return columns by name, sharing the frame's memory wherever they lie in a few runs: selecting would copy them."""
    if not frame.columns.is_unique:
        return frame[list(names)]
    places = frame.columns.get_indexer(pd.Index(names))
    runs = np.split(places, np.flatnonzero(np.diff(places) != 1) + 1)
    if len(runs) > _RUNS or not len(places):
        return frame[list(names)]
    return pd.concat([frame.iloc[:, run[0] : run[-1] + 1] for run in runs], axis=1)


def _no_target(n: int, coding: Coding) -> np.ndarray:
    return np.full(n, np.nan) if coding.task == "regression" else np.full(n, labels.UNKNOWN, dtype=np.int64)


def _ordered_like(data: DataSet, names: Sequence[str], like: Mapping[str, str]) -> list[str]:
    wanted = list(like)
    lacking = [name for name in wanted if name not in set(names)]
    if lacking:
        shown = ", ".join(lacking[:5]) + (f" and {len(lacking) - 5} more" if len(lacking) > 5 else "")
        raise InputError(
            "data.columns",
            f"data.{data.name} lacks what the model sees in data.train: {shown}.",
            where=data.path,
            remedy="Add the columns, or name them under `drop:` of data.train if the model does not use them.",
        )
    return wanted


def _typed_like(features: pd.DataFrame, like: Mapping[str, str]) -> pd.DataFrame:
    """Give columns without a single value the type of text if they hold text in the training data."""
    empty = [name for name in features.columns if like[name] in ("string", "date") and features[name].isna().all()]
    changed = {name: pd.Series(index=features.index, dtype="str", name=name) for name in empty}
    return features.assign(**changed) if changed else features


def require_columns(data: DataSet, columns: Sequence[str]) -> None:
    """Check that every column that a data set declares is there.

    Raises:
        InputError: ``data.column-absent``.
    """
    known = set(columns)
    declared = {"target": [data.target], "id": [data.id], "drop": data.drop, "protected": data.protected}
    for key, names in declared.items():
        for name in names:
            if name and name not in known:
                raise InputError(
                    "data.column-absent",
                    f'data.{data.name}.{key} names "{name}", which is no column of {data.path}.',
                    remedy=f"Its columns are: {', '.join(list(columns)[:30])}.",
                )
