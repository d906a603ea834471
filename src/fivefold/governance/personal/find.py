"""Find: personal data in texts, each with its kind, its place and how sure that is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from fivefold.governance.personal.kinds import Form, forms, near
from fivefold.governance.personal.rules import RULES, TRIED, WIDTH
from fivefold.governance.personal.spans import Spans, Texts
from fivefold.governance.personal.written import WRITTEN

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

SURE = 0.5
"""Confidence from which on something counts as found."""
_BEFORE, _AFTER = 45, 15
_GAP = 24


@dataclass(frozen=True)
class Found:
    """Finds in texts, in the order of the texts; they do not overlap.

    Attributes:
        row: (m,) which text.
        start: (m,) first byte within the text (UTF-8).
        end: (m,) byte after the last.
        form: (m,) position in :func:`fivefold.governance.personal.kinds.forms`.
        sure: (m,) confidence in [0, 1].
        tried: Form to (n,) bool: the text holds something written so, whether it keeps the rule or not.
    """

    row: np.ndarray
    start: np.ndarray
    end: np.ndarray
    form: np.ndarray
    sure: np.ndarray
    tried: dict[int, np.ndarray]


@dataclass
class _Near:
    """Where the words of each kind stand; looked up once."""

    texts: Texts
    places: dict[str, Spans]

    def _of(self, kind: str) -> Spans:
        if kind not in self.places:
            self.places[kind] = self.texts.find(near(kind))
        return self.places[kind]

    def rows(self, kind: str) -> np.ndarray:
        """Return (n,) bool: the text holds a word of the kind."""
        return np.bincount(self.texts.rows(self._of(kind).start), minlength=len(self.texts)) > 0

    def beside(self, kind: str, spans: Spans) -> np.ndarray:
        """Return (m,) bool: a word of the kind stands shortly before or after each find, in the same text."""
        words = self._of(kind)
        if not len(words):
            return np.zeros(len(spans), dtype=bool)
        row = self.texts.rows(spans.start)
        last = np.searchsorted(words.end, spans.start, side="right") - 1
        before = (last >= 0) & (words.start[last] >= self.texts.offsets[row])
        before &= spans.start - words.end[last] <= _BEFORE
        first = np.minimum(np.searchsorted(words.start, spans.end), len(words) - 1)
        after = (words.start[first] >= spans.end) & (words.start[first] < self.texts.offsets[row + 1])
        after &= words.start[first] - spans.end <= _AFTER
        return np.asarray(before | after)


def find(
    strings: object, expected: Mapping[str, np.ndarray] | None = None, only: Collection[str] | None = None
) -> Found:
    """Return what is found in texts with a confidence of at least :data:`SURE`.

    Args:
        strings: Arrow strings, a sequence of texts (None: a gap), or what is made of them.
        expected: Kind to (n,) bool, the texts of columns whose names tell of it: a find of that kind in one of them
            counts as one beside a word of it.
        only: Kinds to look for; None: all.

    Returns:
        The finds; where two overlap, the surer one, then the longer.
    """
    texts = strings if isinstance(strings, Texts) else Texts(strings)
    expected = expected or {}
    around = _Near(texts, {})
    parts: list[tuple[Spans, np.ndarray, int]] = []
    tried: dict[int, np.ndarray] = {}
    for at, form in enumerate(forms()):
        if only is not None and form.kind not in only:
            continue
        rows = texts.having(form.needs) if form.needs else np.arange(len(texts))
        if form.alone < SURE:
            told = around.rows(form.kind)
            rows = rows[told[rows] | expected[form.kind][rows]] if form.kind in expected else rows[told[rows]]
        spans = texts.find(form.pattern, form.cut, rows)
        spans = spans.where(_free(texts, spans, form))
        if not len(spans):
            continue
        held = _holds(texts, spans, form)
        if form.least:
            tried[at] = np.bincount(texts.rows(spans.start[_tried(texts, spans, form)]), minlength=len(texts)) > 0
        spans = spans.where(held)
        if not len(spans):
            continue
        named = expected[form.kind][texts.rows(spans.start)] if form.kind in expected else False
        sure = np.where(named | around.beside(form.kind, spans), form.beside, form.alone)
        kept = sure >= SURE
        if kept.any():
            parts.append((spans.where(kept), sure[kept], at))
    return _apart(texts, parts, tried)


def _free(texts: Texts, spans: Spans, form: Form) -> np.ndarray:
    """Return (m,) bool: the find is no part of a longer word or number."""
    if not len(spans):
        return np.zeros(0, dtype=bool)
    before, after = texts.before(spans), texts.after(spans)
    free = ~_wordy(after)
    if form.cut.startswith("\x01"):
        free &= ~_wordy(before)
    if form.needs in ("0", ".", "-", "+"):
        joined = (ord("."), ord("-"), ord("/"), ord(","))
        beyond = texts.after(spans, 1)
        free &= ~(np.isin(after, joined) & (beyond >= 48) & (beyond <= 57))
        if form.kind in _BARE:
            free &= ~np.isin(before, [ord(sign) for sign in "./-"])
        if form.kind == "phone" and form.needs == "0":
            further = texts.before(spans, 1)
            free &= ~((before == ord(" ")) & (further >= 48) & (further <= 57))  # a part of a number in groups
    return np.asarray(free)


_BARE = ("card", "us-ssn", "ip", "phone", "national-id", "tax-id", "postcode", "passport", "driver-licence")


def _wordy(letters: np.ndarray) -> np.ndarray:
    """Return (m,) bool: a digit, a letter, or a part of a letter that is not ASCII."""
    digit = (letters >= 48) & (letters <= 57)
    plain = ((letters | 32) >= 97) & ((letters | 32) <= 122)
    return np.asarray(digit | plain | (letters == ord("_")))


def _tried(texts: Texts, spans: Spans, form: Form) -> np.ndarray:
    return TRIED[form.holds](*texts.letters(spans, WIDTH)) if form.holds in TRIED else np.ones(len(spans), dtype=bool)


def _holds(texts: Texts, spans: Spans, form: Form) -> np.ndarray:
    if not form.holds:
        return np.ones(len(spans), dtype=bool)
    if form.holds in WRITTEN:
        return WRITTEN[form.holds](_cut(texts, spans))
    cells, count = texts.letters(spans, WIDTH)
    return RULES[form.holds](cells, count)


def _cut(texts: Texts, spans: Spans) -> pa.Array:
    """Return the finds as Arrow strings."""
    lengths = spans.end - spans.start
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    at = np.arange(offsets[-1]) - np.repeat(offsets[:-1], lengths) + np.repeat(spans.start, lengths)
    data = np.ascontiguousarray(texts.data[at])
    return pa.StringArray.from_buffers(
        len(spans), pa.py_buffer(offsets.astype(np.int32).tobytes()), pa.py_buffer(data.tobytes())
    )


def _apart(texts: Texts, parts: list[tuple[Spans, np.ndarray, int]], tried: dict[int, np.ndarray]) -> Found:
    """Return the finds without those that a surer (then longer) one overlaps."""
    empty = np.zeros(0, dtype=np.int64)
    start = np.concatenate([empty, *(part[0].start for part in parts)])
    end = np.concatenate([empty, *(part[0].end for part in parts)])
    sure = np.concatenate([np.zeros(0), *(part[1] for part in parts)])
    form = np.concatenate([empty, *(np.full(len(part[0]), part[2]) for part in parts)])
    kept = np.zeros(len(start), dtype=bool)
    open_ = np.ones(len(start), dtype=bool)
    place = np.lexsort((-(end - start), -sure, start))
    start, end, sure, form = start[place], end[place], sure[place], form[place]
    rank = np.lexsort((start, -(end - start), -sure))
    order = np.empty(len(start), dtype=np.int64)
    order[rank] = np.arange(len(start))
    while open_.any():
        left = np.flatnonzero(open_)
        best = _best_of_chains(start[left], end[left], order[left])
        kept[left[best]] = True
        chosen = left[best]
        at = np.searchsorted(start[chosen], start[left], side="right") - 1
        hit = (at >= 0) & (end[chosen][np.maximum(at, 0)] > start[left])
        following = np.minimum(at + 1, len(chosen) - 1)
        hit |= (start[chosen][following] < end[left]) & (start[chosen][following] >= start[left])
        open_[left[hit]] = False
    start, end, sure, form = start[kept], end[kept], sure[kept], form[kept]
    start, end, sure, form = _joined(texts, start, end, sure, form)
    row = texts.rows(start) if len(start) else empty
    return Found(row, start - texts.offsets[row], end - texts.offsets[row], form, sure, tried)


def _joined(
    texts: Texts, start: np.ndarray, end: np.ndarray, sure: np.ndarray, form: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return the finds with the parts of one postal address (street, flat, town) joined."""
    if len(start) < 2:
        return start, end, sure, form
    postal = np.isin(form, [at for at, one in enumerate(forms()) if one.kind == "address"])
    row = texts.rows(start)
    on = postal[1:] & postal[:-1] & (row[1:] == row[:-1]) & (start[1:] - end[:-1] <= _GAP)
    first = np.flatnonzero(np.concatenate([[True], ~on]))
    last = np.concatenate([first[1:] - 1, [len(start) - 1]])
    return start[first], end[last], np.maximum.reduceat(sure, first), form[first]


def _best_of_chains(start: np.ndarray, end: np.ndarray, order: np.ndarray) -> np.ndarray:
    """Return the positions of the best find of each chain of finds that overlap one after the other."""
    reach = np.maximum.accumulate(end)
    new = np.concatenate([[True], start[1:] >= reach[:-1]])
    chain = np.cumsum(new) - 1
    best = np.lexsort((order, chain))
    first = np.concatenate([[True], chain[best][1:] != chain[best][:-1]])
    return np.asarray(np.sort(best[first]))
