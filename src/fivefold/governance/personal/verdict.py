"""Verdict on a column: whether it is personal, of which kind, how sure that is, and by what: its name or its cells."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from fivefold.governance.personal.find import SURE, find
from fivefold.governance.personal.kinds import forms, kinds, named

_MOSTLY = 0.7
_ENOUGH = 10
_FREE_WORDS = 3.0
_STRONG = 0.85
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


@dataclass
class Column:
    """Counts of one column, batch by batch; no cell is kept.

    Attributes:
        name: As in the header.
        cells: Cells that are there.
        words: Blanks in them.
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

    def add(self, cells: pa.Array) -> None:
        """Count what is in more cells: Arrow strings, null where missing."""
        levels = pc.value_counts(cells.drop_null())
        texts, counts = levels.field("values"), np.asarray(levels.field("counts"))
        there = np.asarray(pc.greater(pc.binary_length(pc.utf8_trim_whitespace(texts)), 0))
        texts, counts = texts.filter(pa.array(there)), counts[there]
        if not len(texts):
            return
        self.cells += int(counts.sum())
        self.words += int((np.asarray(pc.count_substring(texts, " ")) * counts).sum())
        expected = named(self.name)
        for kind in expected:
            fits = np.asarray(pc.match_substring_regex(pc.utf8_trim_whitespace(texts), pattern=kinds()[kind].plain))
            self.plain[kind] += int(counts[fits].sum())
        result = find(texts, expected)
        for form, tried in result.tried.items():
            self.tried[form] += int(counts[tried].sum())
        for form in np.unique(result.form).tolist():
            mine = result.form == form
            self.forms[form] += int(counts[np.unique(result.row[mine])].sum())
            self.sure[form] = max(self.sure.get(form, 0.0), float(np.median(result.sure[mine])))
        of = np.array([list(kinds()).index(form.kind) for form in forms()])
        for position in np.unique(of[result.form]).tolist():
            rows = np.unique(result.row[of[result.form] == position])
            self.found[list(kinds())[position]] += int(counts[rows].sum())

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
            stray = not free and cells < _STRAY * self.cells
            sure = self.sure[form] * (0.6 if stray and self.sure[form] < _STRONG else 1.0)
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
