"""Groups: columns that make one field: one-hot codes, and columns that say the same in other words."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from fivefold.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

_FEWEST = 50
"""Rows that are needed to believe that columns belong together."""

_TIED = (3, 200)
"""Fewest and most values of columns that may say the same."""

_STEM = re.compile(r"^(.+)[_=.:/ -][^_=.:/ -]*$")


def find(
    frame: pd.DataFrame, seen: np.ndarray, names: Sequence[str], declared: Sequence[str]
) -> tuple[list[np.ndarray], list[str]]:
    """Return the columns of each group, disjoint, and notes.

    Declared groups come first. Then columns of 0 and 1 of which exactly one is 1 in every row, among neighbours or
    names of one stem (with one stem also: at most one); then columns whose values stand for each other one to one.

    Args:
        frame: (n, d) features.
        seen: (n, d) the same, encoded.
        names: Of the columns.
        declared: Texts, each names of columns with commas between.

    Raises:
        InputError: ``evasion.group`` for a column that is not there or is named twice.
    """
    found = _declared(names, declared)
    notes: list[str] = []
    free = np.ones(len(names), dtype=bool)
    for columns in found:
        free[columns] = False
    if len(seen) < _FEWEST:
        return found, notes
    for columns in (*_one_hot(seen, names, free), *_tied(frame, free)):
        if free[columns].all():
            free[columns] = False
            found.append(columns)
            shown = ", ".join(f"`{names[at]}`" for at in columns[:3]) + (", ..." if len(columns) > 3 else "")
            notes.append(f"{shown} always change together in these rows, and are swapped as one field.")
    return found, notes[:6]


def _declared(names: Sequence[str], declared: Sequence[str]) -> list[np.ndarray]:
    place, used, found = {name: at for at, name in enumerate(names)}, set(), []
    for text in declared:
        columns = [one.strip() for one in text.split(",") if one.strip()]
        for name in columns:
            if name not in place or name in used:
                why = "is named twice" if name in used else "is no column that the model sees"
                raise InputError(
                    "evasion.group", f'groups: "{name[:80]}" {why}.',
                    remedy='Write groups: ["job_a, job_b, job_c"], each column once.',
                )  # fmt: skip
            used.add(name)
        if len(columns) > 1:
            found.append(np.array([place[name] for name in columns]))
    return found


def _one_hot(seen: np.ndarray, names: Sequence[str], free: np.ndarray) -> list[np.ndarray]:
    binary = free & ((seen == 0) | (seen == 1)).all(axis=0)
    found, used = [], ~binary
    stems: dict[str, list[int]] = {}
    for at in np.flatnonzero(binary).tolist():
        stem = _STEM.match(names[at])
        stems.setdefault(stem.group(1) if stem else "", []).append(at)
    for told, columns in stems.items():
        if told and len(columns) > 1 and seen[:, columns].sum(axis=1).max() <= 1 and seen[:, columns].any(axis=0).all():
            found.append(np.array(columns))
            used[columns] = True
    start = 0
    while start < len(names):
        total, at = np.zeros(len(seen)), start
        while at < len(names) and not used[at]:
            total = total + seen[:, at]
            if total.max() > 1 or (at > start and (total == 1).all()):
                break
            at += 1
        if at < len(names) and not used[at] and at > start and (total == 1).all():
            found.append(np.arange(start, at + 1))
            start = at
        start += 1
    return found


def _tied(frame: pd.DataFrame, free: np.ndarray) -> list[np.ndarray]:
    codes: dict[int, list[tuple[int, np.ndarray]]] = {}
    for at in np.flatnonzero(free).tolist():
        cells = frame.iloc[:, at]
        try:
            code, values = pd.factorize(cells, use_na_sentinel=False)
        except TypeError:
            continue
        if _TIED[0] <= len(values) <= min(_TIED[1], len(frame) // 3):
            codes.setdefault(len(values), []).append((at, code))
    found = []
    for alike in codes.values():
        left = alike
        while left:
            # factorize numbers values in order of appearance: columns that say the same have the same codes
            first, rest = left[0], left[1:]
            same = [at for at, code in rest if np.array_equal(code, first[1])]
            if same:
                found.append(np.array([first[0], *same]))
            left = [(at, code) for at, code in rest if at not in same]
    return found
