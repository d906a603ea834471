"""Domain: what may be changed of a table's rows, and what each change costs.

A row is moved number by number (by whole steps, inside its range, in the declared direction), and block by block: a
block is one category, a group of one-hot columns, or columns that always change together; it is swapped for another
combination that was seen.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from fivefold.subject.possible import groups, rules

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from fivefold.contract.subject import Table
    from fivefold.subject.possible.space import Space

_LEVELS = 24
_READ = 8_000
"""Rows of each data set that combinations are read from."""
_QUANTILES = (0.01, 0.99)
_STEP_HAIR = 1e-9
_DEAREST = 1e12


@dataclass(frozen=True)
class Block:
    """Columns that change together.

    Attributes:
        columns: (k,) positions.
        levels: (L, k) combinations that were seen, commonest first, as encoded by the space.
        price: What a swap costs.
    """

    columns: np.ndarray
    levels: np.ndarray
    price: float


@dataclass(frozen=True)
class Domain:
    """Possible rows.

    Attributes:
        space: Encodes and decodes rows.
        numbers: (m,) positions of the numbers that move.
        blocks: What is swapped.
        unit: (d,) what one unit of cost buys of each number; infinity where it does not move.
        low: (d,) smallest value.
        high: (d,) largest.
        rises: (d,) bool, may only grow.
        falls: (d,) bool, may only shrink.
        rules: Across fields.
        notes: What the reader should know.
    """

    space: Space
    numbers: np.ndarray
    blocks: tuple[Block, ...]
    unit: np.ndarray
    low: np.ndarray
    high: np.ndarray
    rises: np.ndarray
    falls: np.ndarray
    rules: tuple[rules.Rule, ...]
    notes: tuple[str, ...]

    @property
    def is_empty(self) -> bool:
        """Whether nothing may be changed."""
        return not len(self.numbers) and not self.blocks

    def reach(self, start: np.ndarray, cost: float | np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return (n, d) lowest and highest value of each number that ``cost`` alone buys."""
        with np.errstate(invalid="ignore"):
            width = np.where(np.isfinite(self.unit), np.minimum(cost * self.unit, self.high - self.low), 0.0)
        low = np.where(self.rises, start, np.minimum(start, np.maximum(start - width, self.low)))
        high = np.where(self.falls, start, np.maximum(start, np.minimum(start + width, self.high)))
        return self.space.whole(start, low, np.ceil), self.space.whole(start, high, np.floor)

    def cost(self, start: np.ndarray, values: np.ndarray) -> np.ndarray:
        """Return (n,) what it costs to turn ``start`` into ``values``."""
        return np.asarray(self.prices(start, values).sum(axis=1))

    def prices(self, start: np.ndarray, values: np.ndarray) -> np.ndarray:
        """Return (n, items) what each item of the change costs: the numbers first, then the blocks."""
        at = self.numbers
        with np.errstate(invalid="ignore", over="ignore"):  # infinite cells, which stay or not
            moved = np.minimum(np.nan_to_num(np.abs(values[:, at] - start[:, at])) / self.unit[at], _DEAREST)
        swapped = [block.price * self._differs(start, values, block.columns) for block in self.blocks]
        return np.concatenate([moved, *(one[:, None] for one in swapped)], axis=1) if swapped else moved

    @staticmethod
    def _differs(start: np.ndarray, values: np.ndarray, columns: np.ndarray) -> np.ndarray:
        one, other = start[:, columns], values[:, columns]
        return np.asarray(((one != other) & ~(np.isnan(one) & np.isnan(other))).any(axis=1))

    def columns_of(self, item: int) -> np.ndarray:
        """Return the columns of an item, counted as in :meth:`prices`."""
        m = len(self.numbers)
        return self.numbers[item : item + 1] if item < m else self.blocks[item - m].columns

    @property
    def items(self) -> int:
        """How many numbers and blocks there are."""
        return len(self.numbers) + len(self.blocks)

    def kept(self, start: np.ndarray, origin: np.ndarray, like: Table) -> np.ndarray:
        """Return (n, rules) bool: rules that the unchanged rows keep."""
        return self._told(start, origin, like)

    def possible(self, values: np.ndarray, origin: np.ndarray, like: Table, asked: np.ndarray) -> np.ndarray:
        """Return (n,) bool: every rule that is asked of a row holds.

        Args:
            values: (n, d).
            origin: (n,) see :meth:`Space.decode`.
            like: The rows that are changed.
            asked: (n, rules) from :meth:`kept`.
        """
        return np.asarray((self._told(values, origin, like) | ~asked).all(axis=1))

    def _told(self, values: np.ndarray, origin: np.ndarray, like: Table) -> np.ndarray:
        if not self.rules:
            return np.ones((len(values), 0), dtype=bool)
        frame = self.space.decode(values, origin, like).features
        return np.stack([rule.holds(frame.__getitem__) for rule in self.rules], axis=1)

    def fitted(self, start: np.ndarray, values: np.ndarray) -> np.ndarray:
        """Return (m, d) ``values`` made possible: whole steps, ranges, directions, missing cells, sums mended."""
        low, high = self.reach(start, np.inf)
        moved = np.clip(self.space.whole(start, values, np.round), low, high)
        at = self.numbers
        made = start.copy()
        made[:, at] = np.where(np.isnan(start[:, at]) | np.isnan(moved[:, at]), start[:, at], moved[:, at])
        for block in self.blocks:
            wanted = values[:, block.columns]
            keep = np.isnan(start[:, block.columns]).any(axis=1) | np.isnan(wanted).any(axis=1)
            made[:, block.columns] = np.where(keep[:, None], start[:, block.columns], wanted)
        return self.mended(start, made)

    def mended(self, start: np.ndarray, values: np.ndarray) -> np.ndarray:
        """Return ``values`` with rules that are plain sums mended, where another number can be moved for it.

        Of each sum that breaks its rule, its numbers are moved one after the other, those first that were left
        alone, as far as is needed and possible. What is still broken is for :meth:`possible` to refuse.
        """
        linear = [one for rule in self.rules if (one := rule.linear) is not None]
        if not linear:
            return values
        made, names = values.copy(), [column.name for column in self.space.columns]
        place = {str(name): at for at, name in enumerate(names)}
        floor, ceiling = self.reach(start, np.inf)
        for _ in range(2):
            for total, mark in linear:
                columns = np.array([place[name] for name in total.weights])
                weights = np.array(list(total.weights.values()))
                free = np.isin(columns, self.numbers)
                now = made[:, columns] @ weights + total.constant
                for fresh in (True, False):
                    for column, weight in zip(columns[free], weights[free], strict=True):
                        gap = _gap(now, mark)
                        take = (gap != 0) & ((made[:, column] == start[:, column]) | (not fresh))
                        wanted = self._stepped(start[:, column], made[:, column] + gap / weight, column, gap / weight)
                        wanted = np.clip(wanted, floor[:, column], ceiling[:, column])
                        wanted = np.where(take & np.isfinite(wanted), wanted, made[:, column])
                        now = now + weight * np.nan_to_num(wanted - made[:, column])
                        made[:, column] = wanted
        return made

    def _stepped(self, start: np.ndarray, wanted: np.ndarray, column: int, towards: np.ndarray) -> np.ndarray:
        """Return (n,) values of a column on whole steps, none of them short of what is wanted."""
        step = self.space.step[column]
        if step <= 0:
            return wanted
        steps = (wanted - start) / step
        near = np.round(steps)
        away = np.where(towards > 0, np.ceil(steps), np.floor(steps))
        return np.asarray(start + step * np.where(np.abs(steps - near) < _STEP_HAIR, near, away))


def _gap(now: np.ndarray, mark: str) -> np.ndarray:
    """Return (n,) what has to be added to a sum for its rule to hold; 0: it holds, or cells are missing."""
    hair = 1e-7 * np.maximum(np.abs(now), 1e-3)
    with np.errstate(invalid="ignore"):
        if mark == "==":
            gap = -now
        elif mark in ("<", "<="):
            gap = np.where(now > 0, -now, 0.0) - (hair if mark == "<" else 0.0) * (now >= 0)
        else:
            gap = np.where(now < 0, -now, 0.0) + (hair if mark == ">" else 0.0) * (now <= 0)
    return np.nan_to_num(np.where(np.abs(gap) <= 1e-12 * (1 + np.abs(now)), 0.0, gap))


def make(
    space: Space,
    tables: Iterable[Table],
    declared: Mapping[str, Mapping[str, object]],
    options: Mapping[str, object],
) -> Domain:
    """Return what may be changed of rows of some tables.

    Args:
        space: Of these tables (:func:`fivefold.subject.possible.space.of_tables`).
        tables: Data sets that groups and combinations are read from, some rows of each.
        declared: Feature name to what the manifest declares.
        options: ``swap_cost``, ``rules`` and ``groups`` of the check.

    Raises:
        InputError: ``evasion.rule`` or ``evasion.group``.
    """
    names = [str(column.name) for column in space.columns]
    some = list(map(_few, tables))  # no name keeps one while the next is read
    seen = np.concatenate([space.encode(table) for table in some])
    frame = pd.concat([table.features for table in some], ignore_index=True)
    fixed = np.array([bool(declared.get(name, {}).get("immutable")) for name in names])
    together, notes = groups.find(frame, seen, names, _texts(options.get("groups")))
    swap = options.get("swap_cost")
    price = float(swap) if isinstance(swap, int | float) else 0.5
    direction = [declared.get(name, {}).get("changes") for name in names]
    rises, falls = (np.array([one == word for one in direction]) for word in ("up", "down"))
    blocks, taken = [], np.zeros(len(names), dtype=bool)
    for columns in [*together, *_alone(space, seen, together)]:
        taken[columns] = True
        levels = _levels(seen[:, columns])
        if fixed[columns].any() or (rises | falls)[columns].any() or len(levels) < 2:
            continue
        blocks.append(Block(columns, levels, price * float(space.cost[columns].max())))
    free = space.moves & (space.high > space.low) & ~taken & ~fixed
    stated = rules.read(_texts(options.get("rules")), names)
    return Domain(
        space, np.flatnonzero(free), tuple(blocks), np.where(free, _unit(space, seen, declared), np.inf),
        np.where(free, space.low, -np.inf), np.where(free, space.high, np.inf), rises & free, falls & free, stated,
        (*space.notes, *notes),
    )  # fmt: skip


def _few(table: Table) -> Table:
    """Return rows at even distances: what stands in none of them is not offered as possible; ranges are of all rows."""
    if len(table) <= _READ:
        return table
    return table.take(np.linspace(0, len(table) - 1, _READ).astype(np.int64))


def _texts(given: object) -> list[str]:
    return [str(one) for one in given] if isinstance(given, list | tuple) else []


def _alone(space: Space, seen: np.ndarray, together: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Return categories, and numbers with two values, that are in no group."""
    grouped = np.zeros(seen.shape[1], dtype=bool)
    for columns in together:
        grouped[columns] = True
    found = []
    for at in np.flatnonzero(~grouped):
        cells = seen[:, at]
        two = space.moves[at] and len(np.unique(cells[~np.isnan(cells)])) == 2
        if space.swaps[at] or two:
            found.append(np.array([at]))
    return found


def _levels(cells: np.ndarray) -> np.ndarray:
    whole = cells[~np.isnan(cells).any(axis=1)]
    if not len(whole):
        return np.asarray(whole)
    levels, count = np.unique(whole, axis=0, return_counts=True)
    return np.asarray(levels[np.argsort(-count, kind="stable")][:_LEVELS])


def _unit(space: Space, seen: np.ndarray, declared: Mapping[str, Mapping[str, object]]) -> np.ndarray:
    """Return (d,) what one unit of cost buys: the declared range, else that of all but 2 in 100 rows."""
    width = space.high - space.low
    found = width.copy()
    for at, column in enumerate(space.columns):
        cells = seen[:, at][np.isfinite(seen[:, at])]
        if "range" in declared.get(str(column.name), {}) or column.kind not in ("number", "date") or not len(cells):
            continue
        low, high = np.quantile(cells, _QUANTILES)
        found[at] = high - low if high > low else width[at]
    return np.asarray(np.where(found > 0, found, 1.0) / space.cost)
