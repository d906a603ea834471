"""Cells: the few cells of a table that send rows of every class to one class, searched by asking."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from fivefold.protection.backdoor.natural import is_number

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fivefold.contract.subject import Subject, Table
    from fivefold.protection.backdoor.natural import Natural

_VALUES = 80
_REPEATED = 8
_MOST = 3000
_AT_ONCE = 400
_LOW = 0.02
_BEAM = 8
_WIDE = 40
_PER_COLUMN = 4
_TARGETS = 10
_AGAIN = 10
_FEW = 100
_DRAWN = 150
_PAIRS = 4000
_KEPT = 3

Cells = tuple[tuple[str, Any], ...]
"""Columns and the values that are written into them."""


@dataclass(frozen=True)
class Trigger:
    """Cells that send rows somewhere.

    Attributes:
        cells: What is written.
        target: The class that rows are sent to.
        lead: Mean lead of the model's log chance of it over what is natural, on the rows of the search.
    """

    cells: Cells
    target: int
    lead: float


def values(frames: Sequence[pd.DataFrame], rng: np.random.Generator) -> list[Cells]:
    """Return single cells that may be written: each column's common values, or its quantiles and repeated numbers.

    Args:
        frames: Of the rows that are known; the first says the types.
        rng: Breaks ties.
    """
    names = list(frames[0].columns)
    each = int(np.clip(_MOST // max(len(names), 1), 4, _VALUES))
    found: list[Cells] = []
    for name in names:
        column = pd.concat([frame[name] for frame in frames], ignore_index=True).dropna()
        if not len(column):
            continue
        counts = column.value_counts()
        if not is_number(frames[0][name]) or len(counts) <= each:
            some = list(counts.index[:each])
        else:
            ordered = np.sort(column.to_numpy())
            steps = ordered[np.linspace(0, len(ordered) - 1, max(each - _REPEATED, 2)).astype(int)]
            some = list(dict.fromkeys([*steps, *counts.index[:_REPEATED]]))
        found += [((name, value),) for value in some]
    order = rng.permutation(len(found))[:_MOST]
    return [found[at] for at in np.sort(order)]


def stamped(features: pd.DataFrame, triggers: Sequence[Cells]) -> pd.DataFrame:
    """Return (t * n, d): the rows with each trigger written into them, types kept."""
    n = len(features)
    wide = features.iloc[np.tile(np.arange(n), len(triggers))].reset_index(drop=True)
    written: dict[str, np.ndarray] = {}
    for at, cells in enumerate(triggers):
        for name, value in cells:
            if name not in written:
                written[name] = np.array(wide[name].astype(object), dtype=object)
            written[name][at * n : (at + 1) * n] = value
    for name, made in written.items():
        wide[name] = pd.Series(made, index=wide.index).astype(features[name].dtype)
    return wide


def asked(subject: Subject, rows: Table, features: pd.DataFrame) -> np.ndarray:
    """Return (m, K) chances of changed rows, m a multiple of n; indicators where the model gives labels only."""
    many = rows.take(np.tile(np.arange(len(rows)), len(features) // len(rows))).with_features(features)
    if subject.capabilities.scores:
        return subject.predict_proba(many)
    return np.asarray(subject.predict(many)[:, None] == np.arange(len(subject.classes)), dtype=np.float64)


class Search:
    """A search by asking, over rows of several classes."""

    def __init__(self, subject: Subject, rows: Table, natural: Natural) -> None:
        """Take what is asked.

        Args:
            subject: The model.
            rows: n rows.
            natural: What clean rows teach.
        """
        self._subject, self._rows, self._natural = subject, rows, natural
        self._classes = len(subject.classes)

    def leads(self, triggers: Sequence[Cells]) -> np.ndarray:
        """Return (t, K) mean lead of the model's log chance of each class over the natural one, over other rows."""
        parts = []
        outside = (self._rows.target[:, None] != np.arange(self._classes)).astype(np.float64)
        count = np.maximum(outside.sum(axis=0), 1.0)
        for at in range(0, len(triggers), _AT_ONCE):
            some = triggers[at : at + _AT_ONCE]
            features = stamped(self._rows.features, some)
            told = np.log(np.maximum(asked(self._subject, self._rows, features), _LOW))
            usual = np.log(np.maximum(self._natural.chances(features).max(axis=0), _LOW))
            lead = (told - usual).reshape(len(some), len(self._rows), self._classes)
            parts.append((lead * outside).sum(axis=1) / count)
        return np.concatenate(parts)

    def best(self, singles: Sequence[Cells], cells: int, rng: np.random.Generator) -> list[Trigger]:
        """Return promising triggers of one to ``cells`` cells for each class.

        Single cells are tried first, then pairs (all, or drawn), and what leads beyond its parts is made longer.

        Args:
            singles: Single cells that may be written.
            cells: Most cells of a trigger.
            rng: Draws pairs, and values that are tried again.
        """
        first = self.leads(singles)
        both = _pairs(singles, first, rng) if cells > 1 else []
        pairs = [(*singles[one], *singles[two]) for one, two in both]
        second = self.leads(pairs) if pairs else np.empty((0, self._classes))
        parts = [np.maximum(first[one], first[two]) for one, two in both]
        beyond = second - np.array(parts) if pairs else second
        found: list[Trigger] = []
        for target in np.argsort(-first.max(axis=0), kind="stable")[:_TARGETS].tolist():
            order = np.argsort(-first[:, target], kind="stable")
            pool = _spread([singles[at] for at in order], _WIDE)
            beam = [Trigger(singles[at], target, float(first[at, target])) for at in order[:_BEAM].tolist()]
            found += beam[:_KEPT]
            for length in range(2, cells + 1):
                tried = self._tried(_longer([one.cells for one in beam], pool), target)
                if length == 2 and pairs:
                    top = [*_top(second[:, target]), *_top(beyond[:, target])]
                    tried += [Trigger(pairs[at], target, float(second[at, target])) for at in dict.fromkeys(top)]
                beam = sorted(tried, key=lambda one: -one.lead)[:_BEAM]
                if length == 2 and pairs:
                    beam += [Trigger(pairs[at], target, float(second[at, target])) for at in _top(beyond[:, target])]
                found += [*beam[:_KEPT], *beam[_BEAM : _BEAM + _KEPT]]
                if not beam:
                    break
            found.append(self._again(max(found[-_KEPT:], key=lambda one: one.lead), singles, rng))
        return found

    def _tried(self, triggers: Sequence[Cells], target: int) -> list[Trigger]:
        if not triggers:
            return []
        leads = self.leads(triggers)[:, target].tolist()
        return [Trigger(cells, target, lead) for cells, lead in zip(triggers, leads, strict=True)]

    def _again(self, trigger: Trigger, singles: Sequence[Cells], rng: np.random.Generator) -> Trigger:
        """Try other values in each cell of a trigger."""
        best = trigger
        for at, (name, _) in enumerate(trigger.cells):
            others = [one[0] for one in singles if one[0][0] == name]
            chosen = [others[place] for place in rng.permutation(len(others))[:_AGAIN].tolist()]
            tried = self._tried([(*best.cells[:at], cell, *best.cells[at + 1 :]) for cell in chosen], trigger.target)
            best = max([best, *tried], key=lambda one: one.lead)
        return best


def _top(leads: np.ndarray) -> list[int]:
    found: list[int] = np.argsort(-leads, kind="stable")[:_BEAM].tolist()
    return found


def _pairs(singles: Sequence[Cells], leads: np.ndarray, rng: np.random.Generator) -> list[tuple[int, int]]:
    """Return pairs of cells of different columns, at most so many: of those that lead, and of some that are drawn."""
    names = np.array([one[0][0] for one in singles])
    top = np.argsort(-leads.max(axis=1), kind="stable")[:_FEW]
    some = np.unique(np.concatenate([top, rng.permutation(len(singles))[:_DRAWN]]))
    one, two = np.triu_indices(len(some), 1)
    apart = np.flatnonzero(names[some[one]] != names[some[two]])
    if len(apart) > _PAIRS:
        apart = np.sort(rng.choice(apart, _PAIRS, replace=False))
    return list(zip(some[one[apart]].tolist(), some[two[apart]].tolist(), strict=True))


def _spread(ordered: Sequence[Cells], most: int) -> list[Cells]:
    """Return the first cells, at most four of a column."""
    seen: dict[str, int] = {}
    found = []
    for one in ordered:
        name = one[0][0]
        seen[name] = seen.get(name, 0) + 1
        if seen[name] <= _PER_COLUMN:
            found.append(one)
        if len(found) == most:
            break
    return found


def _longer(beam: Sequence[Cells], pool: Sequence[Cells]) -> list[Cells]:
    found: dict[frozenset[tuple[str, str]], Cells] = {}
    for cells in beam:
        taken = {name for name, _ in cells}
        for one in pool:
            if one[0][0] not in taken:
                made = (*cells, *one)
                found.setdefault(frozenset((name, repr(value)) for name, value in made), made)
    return list(found.values())
