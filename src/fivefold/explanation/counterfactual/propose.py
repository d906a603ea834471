"""Propose: changes that may be answered as wanted: single items, what helped together, known rows with that answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from fivefold.explanation.counterfactual.search import Tries, joined

if TYPE_CHECKING:
    from fivefold.explanation.counterfactual.question import Question
    from fivefold.explanation.counterfactual.search import Search

NEIGHBOURS = 8
"""Known rows with a wanted answer that each row is changed towards."""

_FAR = 40
"""Known rows that a row is changed towards for which nothing was found near by."""

_GRID = (0.0, 0.02, 0.1, 0.25, 0.5, 0.75, 0.9, 0.98, 1.0)
_LEVELS = 9
_TOGETHER = 6
_SHARE = 0.4
_CELLS = 4_000_000
_ASKED = 20_000

Aim = tuple[int, np.ndarray]
"""An item, and (k,) cells that its columns become."""


@dataclass(frozen=True)
class Singles:
    """What changes of one item do.

    Attributes:
        tries: What was asked for.
        flips: (n, items) the cheapest try that is answered as wanted; -1: none is.
        least: (n, items) effort of it; infinity: none.
        helps: (n, items) the try that brought the row nearest to a wanted answer; -1: none did, or labels only.
        gain: (n, items) by how much.
        effort: (n, items) of that try.
    """

    tries: list[Aim]
    flips: np.ndarray
    least: np.ndarray
    helps: np.ndarray
    gain: np.ndarray
    effort: np.ndarray

    @classmethod
    def none(cls, search: Search, tries: list[Aim]) -> Singles:
        """Return that nothing is known yet."""
        shape = (len(search.start), search.domain.items)
        return cls(
            tries, np.full(shape, -1), np.full(shape, np.inf), np.full(shape, -1), np.zeros(shape), np.ones(shape)
        )

    def note(self, at: int, effort: np.ndarray, met: np.ndarray, gain: np.ndarray) -> None:
        """Keep what a try did to each of n rows, where it is better than what was known of its item."""
        item = self.tries[at][0]
        cheaper = met & (effort < self.least[:, item])
        self.flips[cheaper, item], self.least[cheaper, item] = at, effort[cheaper]
        nearer = gain > self.gain[:, item]
        self.helps[nearer, item], self.gain[nearer, item], self.effort[nearer, item] = at, gain[nearer], effort[nearer]

    def values(self, search: Search, rows: np.ndarray, which: np.ndarray) -> np.ndarray:
        """Return (m, d) rows with a try each, as far as it is possible."""
        made = search.start[rows]
        for at in np.unique(which):
            item, level = self.tries[at]
            made[np.ix_(which == at, search.domain.columns_of(item))] = level
        return search.domain.fitted(search.start[rows], made)

    def hits(self, search: Search) -> Tries:
        """Return what is answered as wanted, one change of each item at most."""
        rows, items = np.nonzero(self.flips >= 0)
        values = self.values(search, rows, self.flips[rows, items])
        return Tries(rows, values, np.ones(len(rows), dtype=bool), np.full(len(rows), np.nan))


def aims(search: Search, known: np.ndarray) -> list[Aim]:
    """Return items and what each may become: values that were seen.

    Args:
        search: The rows.
        known: (M, d) encoded.
    """
    domain, found = search.domain, list[Aim]()
    for item, column in enumerate(domain.numbers.tolist()):
        cells = known[:, column][np.isfinite(known[:, column])]
        levels = np.unique(np.quantile(cells, _GRID, method="nearest")) if len(cells) else cells
        found += [(item, level) for level in levels[:, None]]
    for place, block in enumerate(domain.blocks):
        found += [(len(domain.numbers) + place, level) for level in block.levels[:_LEVELS]]
    return found


def singles(search: Search, tries: list[Aim], leads: np.ndarray) -> Singles:
    """Ask for every row what one item alone does, as many tries at once as a question carries.

    Args:
        search: The rows.
        tries: From :func:`aims`.
        leads: (n,) of the unchanged rows.
    """
    n, d = search.start.shape
    at_once = max(1, min(_CELLS // max(n * d, 1), _ASKED // max(n, 1)))
    made = Singles.none(search, tries)
    for begin in range(0, len(tries), at_once):
        some = np.arange(begin, min(begin + at_once, len(tries)))
        rows, which = np.tile(np.arange(n), len(some)), np.repeat(some, n)
        asked = search.ask(rows, made.values(search, rows, which))
        effort, met = search.effort(rows, asked.values).reshape(-1, n), asked.met.reshape(-1, n)
        gain = np.nan_to_num(asked.lead - leads[rows], nan=0.0).reshape(-1, n)
        for place, at in enumerate(some.tolist()):
            made.note(at, effort[place], met[place], gain[place])
    return made


def affordable(search: Search, tries: list[Aim], known: np.ndarray, answers: np.ndarray) -> list[Aim]:
    """Return the tries of as many items as a share of the purse pays for, those first that go with the answer."""
    most = int(_SHARE * search.purse.rows) // max(len(search.start), 1)
    if search.purse.calls is not None:
        most = min(most, int(_SHARE * search.purse.calls) * search.purse.batch // max(len(search.start), 1))
    if len(tries) <= most:
        return tries
    goes = _with_answer(search, known, answers)
    order = sorted(range(len(tries)), key=lambda at: -goes[tries[at][0]])
    return [tries[at] for at in sorted(order[:most])]


def _with_answer(search: Search, known: np.ndarray, answers: np.ndarray) -> np.ndarray:
    """Return (items,) how much of the variation of an item lies between rows of different answers, 0 to 1."""
    groups = answers if not search.wanted.classes.shape[1] else answers.astype(np.int64)
    if not search.wanted.classes.shape[1]:
        groups = (answers > np.median(answers)).astype(np.int64)
    sets = [np.flatnonzero(groups == one) for one in np.unique(groups)]
    columns = [known[:, [column]] for column in search.domain.numbers]
    for block in search.domain.blocks:
        cells = known[:, block.columns]
        columns.append(np.stack([(cells == level).all(axis=1) for level in block.levels[:_LEVELS]], axis=1) * 1.0)
    found = np.zeros(len(columns))
    for at, cells in enumerate(columns):
        filled = np.where(np.isfinite(cells), cells, np.nan)
        middle = np.nanmean(filled, axis=0) if np.isfinite(filled).any(axis=0).all() else 0.0
        away = np.nan_to_num(filled - middle)
        between = sum(len(one) * away[one].mean(axis=0) ** 2 for one in sets)
        found[at] = (between / np.maximum((away**2).sum(axis=0), 1e-300)).max()
    return found


def together(search: Search, alone: Singles, worth: np.ndarray, most: int = _TOGETHER) -> Tries:
    """Ask for what helps by itself, two items at once, then three, and so on.

    Args:
        search: The rows.
        alone: What single items do.
        worth: (n, items) those of most worth come first.
        most: Items at once.
    """
    ranked = np.argsort(-worth, axis=1, kind="stable")[:, :most]
    values, rows, parts = search.start.copy(), np.arange(len(search.start)), [search.nothing()]
    for rank in range(ranked.shape[1]):
        rows = rows[alone.gain[rows, ranked[rows, rank]] > 0]
        if not len(rows):
            break
        added = alone.values(search, rows, alone.helps[rows, ranked[rows, rank]])
        values[rows] = np.where(search.changed(rows, added), added, values[rows])
        if rank:
            parts.append(search.ask(rows, values[rows]))
    return joined(parts)


def learned(search: Search, question: Question, known: np.ndarray, tries: list[Aim], rows: np.ndarray) -> Singles:
    """Return what single items would do to some rows, by how often known rows are answered as wanted; nothing is asked.

    An item's gain is the log odds of a wanted answer among known rows near the best cell that may be reached, less
    those near the row's own cell (naive Bayes).

    Args:
        search: The rows.
        question: Whose answers to the known rows are used.
        known: (M, d) encoded.
        tries: From :func:`aims`.
        rows: (k,) rows to learn of; the others have no gain.
    """
    made = Singles.none(search, tries)
    goals = np.concatenate(
        [search.wanted.classes[rows], search.wanted.low[rows, None], search.wanted.high[rows, None]], axis=1
    )
    _, firsts, kinds = np.unique(goals, axis=0, return_index=True, return_inverse=True)
    of_item: dict[int, list[int]] = {}
    for at, (item, _) in enumerate(tries):
        of_item.setdefault(item, []).append(at)
    for kind, first in enumerate(firsts.tolist()):
        mine, met = rows[kinds.ravel() == kind], search.wanted.met(rows[[first]], question.answers)
        for item, places in of_item.items():
            columns = search.domain.columns_of(item)
            levels = np.stack([tries[at][1] for at in places])
            own, near = (_nearest(cells[:, columns], levels) for cells in (search.start[mine], known))
            hits, count = (np.bincount(near[some], minlength=len(levels)) for some in (met & (near >= 0), near >= 0))
            share = (hits + met.mean()) / (count + 1)
            odds = np.log(np.maximum(share, 1e-9) / np.maximum(1 - share, 1e-9))
            may = np.ones((len(mine), len(levels)), dtype=bool)
            if search.domain.rises[columns].any():
                may &= levels[None, :, 0] >= search.start[mine][:, columns]
            if search.domain.falls[columns].any():
                may &= levels[None, :, 0] <= search.start[mine][:, columns]
            reached = np.where(may, odds, -np.inf)
            best = reached.argmax(axis=1)
            gain = reached[np.arange(len(mine)), best] - odds[np.maximum(own, 0)]
            made.gain[mine, item] = np.where((own >= 0) & np.isfinite(gain), np.maximum(gain, 0.0), 0.0)
            made.helps[mine, item] = np.array(places)[best]
    return made


def _nearest(cells: np.ndarray, levels: np.ndarray) -> np.ndarray:
    """Return (m,) the level of each cell: for one column of sorted levels the nearest, else the same; -1: none."""
    if levels.shape[1] == 1 and (np.diff(levels[:, 0]) > 0).all():
        edges = (levels[1:, 0] + levels[:-1, 0]) / 2
        return np.where(np.isnan(cells[:, 0]), -1, np.searchsorted(edges, cells[:, 0]))
    same = (cells[:, None] == levels[None]).all(axis=2)
    return np.where(same.any(axis=1), same.argmax(axis=1), -1)


def neighbours(
    search: Search,
    question: Question,
    known: np.ndarray,
    *,
    without: np.ndarray | None = None,
    far: np.ndarray | None = None,
) -> Tries:
    """Ask for each row changed into known rows with a wanted answer, as far as it may be changed.

    Args:
        search: The rows.
        question: Whose answers to the known rows are used.
        known: (M, d) encoded.
        without: (n, items) bool, items that stay as they are; None: none.
        far: (k,) rows that are changed into more known rows, not the nearest but those that they can most nearly
            become; None: all rows, the nearest.
    """
    every, most = (np.arange(len(search.start)), NEIGHBOURS) if far is None else (far, _FAR)
    total, d = known.shape
    size = max(1, _CELLS // max(total * (d + search.domain.items), 1))
    rows_of, values_of = [search.nothing().rows], [search.nothing().values]
    for begin in range(0, len(every), size):
        rows = every[begin : begin + size]
        many, target = np.repeat(rows, total), np.tile(known, (len(rows), 1))
        values = search.domain.fitted(search.start[many], target)
        if without is not None:
            values = search.with_items(many, values, ~without[many])
        effort = search.effort(many, values)
        usable = search.wanted.met(rows[:, None], question.answers[None]).ravel() & (effort > 0)
        if far is not None:
            short = (values != target) & ~(np.isnan(values) & np.isnan(target))
            effort = short.sum(axis=1) + effort / (1 + effort)
        effort = np.where(usable, effort, np.inf).reshape(len(rows), total)
        first = np.argsort(effort, axis=1, kind="stable")[:, :most]
        there = np.isfinite(np.take_along_axis(effort, first, axis=1))
        picked = (np.arange(len(rows))[:, None] * total + first)[there]
        rows_of.append(many[picked])
        values_of.append(values[picked])
    return search.ask(np.concatenate(rows_of), np.concatenate(values_of))
