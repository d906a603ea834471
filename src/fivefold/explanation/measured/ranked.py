"""Ranked: reasons that experts ranked for test rows, read from a declared set and held against the model's columns."""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from fivefold.errors import InputError, UnsupportedError
from fivefold.manifest.walk import suggest
from fivefold.subject import labels

if TYPE_CHECKING:
    from fivefold.contract.check import Context
    from fivefold.contract.subject import Table

_MEASURED = ("train", "test", "calibration")
_SHOWN = 40


@dataclass(frozen=True)
class Ranked:
    """What experts said, a line for each expert and test row.

    Attributes:
        rows: (L,) int64 positions of the test rows.
        names: (L, k) object, names of columns of the test data, the first reason first; None after the last.
    """

    rows: np.ndarray
    names: np.ndarray

    def of(self, rows: np.ndarray) -> Ranked:
        """Return the lines about some test rows, whose positions are from now on those in ``rows``."""
        at = pd.Index(rows).get_indexer(pd.Index(self.rows))
        return Ranked(at[at >= 0], self.names[at >= 0])

    def players(self, columns: tuple[str, ...], of: np.ndarray) -> np.ndarray:
        """Return (L, k) int64 players in the order of their ranks, each once, -1 after the last.

        Args:
            columns: d names of what the model sees; another name gets a player of its own, from P on.
            of: (d,) the player of each.
        """
        lines, k = self.names.shape
        codes, found = pd.factorize(self.names.ravel(), use_na_sentinel=True)
        seen, own = pd.Index(columns).get_indexer(pd.Index(found)), int(of.max()) + 1
        who = np.where(seen >= 0, of[seen], own + np.arange(len(found)))
        made = np.where(codes >= 0, np.append(who, -1)[codes], -1).reshape(lines, k)
        again = ((made[:, :, None] == made[:, None, :]) & np.tri(k, k=-1, dtype=bool)).any(axis=2)
        made[again] = -1
        order = np.argsort(made < 0, axis=1, kind="stable")
        return np.asarray(np.take_along_axis(made, order, axis=1), dtype=np.int64)


def read(context: Context, test: Table) -> Ranked:
    """Return the ranked reasons.

    Args:
        context: ``options`` ``file``, ``by`` and ``ranks``.
        test: The test data.

    Raises:
        UnsupportedError: ``experts.undeclared``.
        InputError: ``experts.column``, ``experts.ranks``, ``experts.twice``, ``experts.gap``, ``experts.foreign`` or
            ``experts.tie``.
    """
    name = str(context.options.get("file") or "experts")
    table = None
    if name not in _MEASURED:
        with suppress(KeyError):
            table = context.tables(name)
    if table is None:
        raise UnsupportedError(
            "experts.undeclared", f"no set data.{name[:_SHOWN]} with ranked reasons is declared.",
            remedy="Declare it under `data:` with `reasons: true`, and name it under checks.E4.experts.file.",
        )  # fmt: skip
    frame = table.features
    by, ranks = _columns(frame, context)
    if by:
        _once(table.rows, frame[by])
    names = np.column_stack([labels.texts(frame[one]) for one in ranks])
    names[names == ""] = None
    made = Ranked(table.rows, names)
    _sound(made, (*map(str, test.features.columns), *map(str, test.others.columns)))
    return made


def _columns(frame: pd.DataFrame, context: Context) -> tuple[str, list[str]]:
    """Return the column that says whose a line is (empty: none), and those of the reasons in their order."""
    columns = [str(one) for one in frame.columns]
    by, declared = str(context.options.get("by") or ""), context.options.get("ranks")
    ranks = [str(one) for one in declared or ()]
    for one in (by, *ranks):
        if one and one not in columns:
            raise InputError("experts.column", f'the ranked reasons have no column "{one[:_SHOWN]}".',
                             remedy=suggest(one, columns))  # fmt: skip
    if not ranks:
        numbered = {one: int(end[0]) for one in columns if one != by and (end := re.findall(r"\d{1,4}$", one))}
        ranks = sorted(numbered, key=lambda one: (numbered[one], columns.index(one)))
        if len(set(numbered.values())) < len(ranks):
            ranks = []
    if not ranks or len(set(ranks)) < len(ranks):
        raise InputError(
            "experts.ranks", "it cannot be told which columns hold the reasons, and in which order.",
            remedy="Name them under checks.E4.experts.ranks, the first reason first, each column once.",
        )  # fmt: skip
    return by, ranks


def _once(rows: np.ndarray, who: pd.Series) -> None:
    twice = pd.DataFrame({"row": rows, "who": who.to_numpy()}).duplicated().to_numpy()
    _refuse(twice, "twice", "say anew what the same expert already said of the same row", "Keep one line of them.")


def _sound(made: Ranked, columns: tuple[str, ...]) -> None:
    there = np.asarray(pd.notna(made.names))
    gap = ~there[:, 0] | (there[:, 1:] & ~there[:, :-1]).any(axis=1)
    _refuse(gap, "gap", "lack a reason before the last", "Fill ranks from the first on; take empty lines out.")
    foreign = there & ~np.isin(np.where(there, made.names, "").astype(str), np.array(columns, dtype=str))
    if foreign.any():
        first = str(made.names[foreign][0])
        what = f'name what is no column of data.test, such as "{first[:_SHOWN]}"'
        _refuse(np.asarray(foreign.any(axis=1)), "foreign", what, suggest(first, columns))
    k = made.names.shape[1]
    same = (made.names[:, :, None] == made.names[:, None, :]) & there[:, :, None] & np.tri(k, k=-1, dtype=bool)
    _refuse(
        np.asarray(same.any(axis=(1, 2))),
        "tie",
        "name the same column at two ranks",
        "Keep the better of the two ranks.",
    )


def _refuse(bad: np.ndarray, code: str, what: str, remedy: str) -> None:
    if bad.any():
        where = f"the first is line {int(np.argmax(bad)) + 1} below the header"
        message = f"{int(bad.sum())} of {len(bad)} lines of the ranked reasons {what}; {where}."
        raise InputError(f"experts.{code}", message, remedy=remedy)
