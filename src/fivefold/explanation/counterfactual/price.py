"""Price: what a change costs where nobody says it in money: median absolute deviations, times the declared cost."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from fivefold.subject.possible import domain as domains
from fivefold.subject.possible import space as spaces

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fivefold.contract.subject import Table
    from fivefold.subject.possible.domain import Domain


def possible(
    tables: Sequence[Table], declared: Mapping[str, Mapping[str, object]], options: Mapping[str, object]
) -> Domain:
    """Return possible rows, priced in deviations; a swap costs ``swap_cost`` (1) times the declared cost.

    Args:
        tables: The rows to explain and known ones, stored alike; ranges and categories are read from them.
        declared: Feature name to what the manifest declares.
        options: ``swap_cost``, ``rules`` and ``groups``.

    Raises:
        InputError: ``evasion.rule`` or ``evasion.group``.
    """
    space = spaces.of_tables(tables, declared)
    made = domains.make(space, tables, declared, {"swap_cost": 1.0, **options})
    unit = deviations(np.concatenate([space.encode(table) for table in tables]), space.high - space.low) / space.cost
    return replace(made, unit=np.where(np.isfinite(made.unit), unit, np.inf))


def deviations(values: np.ndarray, width: np.ndarray) -> np.ndarray:
    """Return (d,) median absolute deviations; the mean ones, then ``width``, then 1, where those are 0.

    Args:
        values: (n, d); missing cells are NaN.
        width: (d,) of the ranges.
    """
    there = np.isfinite(values)
    some = there.any(axis=0)
    cells = np.where(there & some, values, np.nan)
    cells[:, ~some] = 0.0
    away = np.abs(cells - np.nanmedian(cells, axis=0))
    found = np.nanmedian(away, axis=0)
    for other in (np.nanmean(away, axis=0), width, np.ones_like(width)):
        found = np.where(found > 0, found, other)
    return np.asarray(found)
