"""Verdict on a column: whether it is personal, of which kind, how sure that is, and by what: its name or its cells."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from fivefold.governance.personal.find import SURE, Found, find
from fivefold.governance.personal.kinds import forms, kinds, named

if TYPE_CHECKING:
    from collections.abc import Mapping

_MOSTLY = 0.7
_ENOUGH = 10
_FREE_WORDS = 3.0
_STRONG = 0.95
_CLEAR = 0.85
_WEAK = 0.6
_STRAY = 0.02
_VAGUE = ("name", "nom", "nombre", "nome", "naam", "address", "adresse", "location", "mobile", "street")


@dataclass(frozen=True)
class Verdict:
    """What was found in one column.

    Attributes:
        column: Its name.
        personal: Whether it holds personal data, by a confidence of at least one half.
        kind: The kind that is surest; empty: none.
        sure: Confidence in [0, 1].
        by: ``name``, ``cells``, ``name and cells``; empty: nothing was found.
        cells: Cells that are there.
        found: Kind to the number of cells that hold a find of it.
        free: The cells are free text.
    """

    column: str
    personal: bool
    kind: str
    sure: float
    by: str
    cells: int
    found: dict[str, int]
    free: bool

    @property
    def share(self) -> float:
        """Cells with a find of the surest kind, of all that are there."""
        return self.found.get(self.kind, 0) / self.cells if self.cells else 0.0


@cache
def kind_of() -> np.ndarray:
    """Return the position of the kind of each form."""
    return np.array([list(kinds()).index(form.kind) for form in forms()], dtype=np.int64)


def count(columns: Mapping[str, Column], cells: Mapping[str, pa.Array]) -> None:
    """Count what is in more cells of columns; all are searched in one go.

    Args:
        columns: By name.
        cells: Name to (n,) Arrow strings, null where missing.
    """
    taken = [(columns[name], *columns[name].take(some)) for name, some in cells.items()]
    if not taken:
        return
    first = np.concatenate([[0], np.cumsum([len(counts) for _, _, counts in taken])])
    expected: dict[str, np.ndarray] = {}
    for at, (column, _, _) in enumerate(taken):
        for kind in named(column.name):
            expected.setdefault(kind, np.zeros(first[-1], dtype=bool))[first[at] : first[at + 1]] = True
    result = find(pa.concat_arrays([texts for _, texts, _ in taken]), expected)
    for at, (column, _, counts) in enumerate(taken):
        column.count(result, counts, int(first[at]))


@dataclass
class Column:
    """Counts of one column, batch by batch; no cell is kept.

    Attributes:
        name: As in the header.
        cells: Cells that are there.
        words: Words of two letters and more in them.
        forms: Form to cells with a find of it.
        tried: Form to cells that hold something written so.
        found: Kind to cells with a find of it.
        plain: Kind that the name tells of to cells that look like it.
        sure: Kind to the sum of the confidence of its finds.
    """

    name: str
    cells: int = 0
    words: int = 0
    forms: Counter[int] = field(default_factory=Counter)
    tried: Counter[int] = field(default_factory=Counter)
    found: Counter[str] = field(default_factory=Counter)
    plain: Counter[str] = field(default_factory=Counter)
    sure: dict[int, float] = field(default_factory=dict)

    def take(self, cells: pa.Array) -> tuple[pa.Array, np.ndarray]:
        """Count the cells that are there, and return the distinct ones and how often each stands there."""
        levels = pc.value_counts(cells.drop_null())
        texts, counts = levels.field("values"), np.asarray(levels.field("counts"))
        there = np.asarray(pc.greater(pc.binary_length(pc.utf8_trim_whitespace(texts)), 0))
        texts, counts = texts.filter(pa.array(there)), counts[there]
        self.cells += int(counts.sum())
        self.words += int((np.asarray(pc.count_substring_regex(texts, pattern=r"\pL\pL+")) * counts).sum())
        for kind in named(self.name):
            fits = np.asarray(pc.match_substring_regex(pc.utf8_trim_whitespace(texts), pattern=kinds()[kind].plain))
            self.plain[kind] += int(counts[fits].sum())
        return texts, counts

    def count(self, result: Found, counts: np.ndarray, first: int) -> None:
        """Count finds.

        Args:
            result: Of the texts of several columns.
            counts: (k,) how often each distinct text of this column stands there.
            first: Position of its first text in ``result``.
        """
        part = slice(*np.searchsorted(result.row, (first, first + len(counts))).tolist())
        row, form, sure = result.row[part] - first, result.form[part], result.sure[part]
        for at, tried in result.tried.items():
            self.tried[at] += int(counts[tried[first : first + len(counts)]].sum())
        for at in np.unique(form).tolist():
            mine = form == at
            self.forms[at] += int(counts[np.unique(row[mine])].sum())
            self.sure[at] = max(self.sure.get(at, 0.0), float(np.median(sure[mine])))
        of = kind_of()[form]
        for at in np.unique(of).tolist():
            self.found[list(kinds())[at]] += int(counts[np.unique(row[of == at])].sum())

    def verdict(self) -> Verdict:
        """Judge what was counted."""
        free = self.cells > 0 and self.words / self.cells >= _FREE_WORDS
        chance = {
            form
            for form, tried in self.tried.items()
            if tried >= _ENOUGH and self.forms[form] < forms()[form].least * tried
        }
        found, best = self._content(chance, free=free)
        expected = {kind: self._by_name(kind, found) for kind in named(self.name)}
        kind, sure = max((*best.items(), *expected.items(), ("", 0.0)), key=lambda one: one[1])
        told = (("name", expected.get(kind, 0.0)), ("cells", best.get(kind, 0.0)))
        by = " and ".join(word for word, much in told if much >= SURE)
        kind = kind if sure >= SURE else ""
        return Verdict(self.name, sure >= SURE, kind, round(sure, 3), by, self.cells, found, free)

    def _content(self, chance: set[int], *, free: bool) -> tuple[dict[str, int], dict[str, float]]:
        """Return cells by kind, without the forms that keep their rule by chance, and confidence by deciding kind."""
        kept = Counter[str]()
        best: dict[str, float] = {}
        for form, cells in self.forms.items():
            if form in chance:
                continue
            kind = forms()[form].kind
            kept[kind] = min(kept[kind] + cells, self.found[kind])
            sure = self.sure[form]
            strong = _STRONG if forms()[form].holds else _CLEAR
            if not free and (sure < _WEAK or (sure < strong and cells < _STRAY * self.cells)):
                sure /= 2  # a form that says enough within a sentence is any code's in a column of codes
            if kinds()[kind].decides:
                best[kind] = max(best.get(kind, 0.0), sure)
        return dict(sorted(kept.items())), best

    def _by_name(self, kind: str, found: dict[str, int]) -> float:
        """Return how sure the name makes it; 0 where the cells do not look like it."""
        if not self.cells or self.plain[kind] < _MOSTLY * self.cells:
            return 0.0
        if found.get(kind, 0) >= self.cells / 2:
            return 0.97
        return 0.6 if self.name.casefold() in _VAGUE else 0.85
