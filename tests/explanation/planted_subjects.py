"""Subjects whose Shapley values are known, and how well the explainer's bars cover those."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np

from fivefold.explanation.explainer import Question, explain
from fivefold.stats import clustered, shapley

KINDS = ("linear", "additive", "interaction", "correlated")
LOW, WIDE = 0.93, 1.3
_NEAR = 1e-9


@dataclass(frozen=True)
class Subject:
    """g = sum of a_j + sum of u prod a_j over terms of two or three players, perhaps bent by tanh.

    Attributes:
        parts: (N, P) a_j of each cell, explained rows first.
        terms: Players of each product.
        strength: (T,) u.
        bent: Whether tanh is taken of it all; then at most 12 players.
        explained: Rows to explain.
        pairs: Pairs of permutations for each.
    """

    parts: np.ndarray
    terms: tuple[tuple[int, ...], ...]
    strength: np.ndarray
    bent: bool
    explained: int
    pairs: int

    def __call__(self, cells: np.ndarray) -> np.ndarray:
        """Return (m, 1) answers for (m, P) cells."""
        a = self.parts[cells, np.arange(self.parts.shape[1])]
        made = a.sum(axis=1)
        for term, u in zip(self.terms, self.strength.tolist(), strict=True):
            made += u * a[:, term].prod(axis=1)
        return (np.tanh(made) if self.bent else made)[:, None]

    def question(self) -> Question:
        """Return what the explainer is told."""
        return Question(self, self.explained, self.parts, np.zeros(self.explained, dtype=np.int64), self.pairs, 20_000)

    def exact(self) -> np.ndarray:
        """Return (n, P): of all coalitions where it is bent; else of each term, whose players share it among them."""
        n, (total, players) = self.explained, self.parts.shape
        if self.bent:
            return shapley.by_enumeration(self.question().mixed, n, total - n, players=players)
        made: np.ndarray = self.parts[:n] - self.parts[n:].mean(axis=0)
        for term, u in zip(self.terms, self.strength.tolist(), strict=True):
            a = self.parts[:, term]

            def product(present: np.ndarray, who: np.ndarray, base: np.ndarray, a: np.ndarray = a) -> np.ndarray:
                return np.where(present, a[who], a[n + base]).prod(axis=1)  # type: ignore[no-any-return]

            made[:, term] += u * shapley.by_enumeration(product, n, total - n, players=len(term))
        return made


def draw(kind: str, seed: int) -> Subject:
    """Draw a subject: 3 to 30 columns, some rare, heavy-tailed, of few values, without use, or without variance.

    Args:
        kind: One of :data:`KINDS`.
        seed: Decides all else.
    """
    rng = np.random.default_rng([KINDS.index(kind), seed])
    players, n, background = int(rng.integers(3, 31)), int(rng.integers(10, 31)), int(rng.integers(40, 301))
    pairs = int(rng.choice([16, 64, 256]))
    values = rng.normal(size=(n + background, players))
    if kind == "correlated":
        values = 0.3 * values + rng.normal(size=(n + background, 1 + players // 5)).repeat(5, axis=1)[:, :players]
    form = rng.integers(6, size=players)
    values[:, form == 1] = values[:, form == 1] > 1.5
    values[:, form == 2] = np.round(values[:, form == 2])
    values[:, form == 3] **= 3
    values[:, rng.random(players) < 0.1] = 1.0
    if kind != "linear":
        shape = rng.integers(3, size=players)
        values = np.where(shape == 0, values, np.where(shape == 1, values > 0.3, np.sin(2 * values)))
    weight = rng.normal(size=players) * (rng.random(players) < 0.8)
    weight[0] = 1.0
    terms: list[tuple[int, ...]] = []
    if kind in {"interaction", "correlated"}:
        near = [*combinations(range(min(players, 5)), 2)]
        terms = [near[at] for at in rng.permutation(len(near))[:2]]
        terms += [tuple(rng.permutation(players)[: rng.integers(2, 4)].tolist()) for _ in range(max(players // 3, 1))]
    bent = kind == "interaction" and players <= shapley.MOST_ENUMERATED and bool(rng.integers(2))
    return Subject(weight * values, tuple(terms), rng.normal(size=len(terms)), bent, n, pairs)


def bars(kind: str, seed: int, repeats: int, cut: float = 1.0) -> dict[str, Any]:
    """Return of each explained row how many bars cover the truth, and how wide they are.

    Cells whose estimate is the truth in every repeat (columns without use or variance) are left out.

    Args:
        kind: One of :data:`KINDS`.
        seed: Of the subject.
        repeats: How often it is explained.
        cut: Bars are taken this much as wide.
    """
    subject = draw(kind, seed)
    truth = subject.exact()
    values, reach = np.empty((repeats, *truth.shape)), np.empty((repeats, *truth.shape))
    for at in range(repeats):
        made = explain(subject.question(), np.random.default_rng([seed, at, 5]))
        values[at], reach[at] = made.value, cut * made.quantile() * made.error
    near = _NEAR * np.abs(truth).max(initial=1.0)
    off = np.abs(values - truth)
    told = (off > near).any(axis=0)
    hit = (off <= reach + near).sum(axis=0) * told
    spread = 1.96 * values.std(axis=0, ddof=1)[told].mean() if told.any() else None
    return {
        "kind": kind, "seed": seed, "players": truth.shape[1], "pairs": subject.pairs, "bent": subject.bent,
        "hits": hit.sum(axis=1).tolist(), "bars": (told.sum(axis=1) * repeats).tolist(),
        "width": None if spread is None else float(reach[:, told].mean() / spread),
    }  # fmt: skip


def covered(found: list[dict[str, Any]]) -> dict[str, float]:
    """Return coverage over subjects, lower bounds clustered by row and by subject, and widths over 1.96 deviations."""
    hits, many = (np.concatenate([one[key] for one in found]).astype(np.int64) for key in ("hits", "bars"))
    hit = np.repeat(np.tile([True, False], len(many)), np.column_stack([hits, many - hits]).ravel())
    rows = np.repeat(np.arange(len(many)), many)
    subjects = np.repeat(np.repeat(np.arange(len(found)), [len(one["bars"]) for one in found]), many)
    widths = [one["width"] for one in found if one["width"] is not None]
    each = [sum(one["hits"]) / sum(one["bars"]) for one in found if sum(one["bars"])]
    return {
        "bars": float(len(hit)), "coverage": float(hit.mean()), "by row": clustered.bounds(hit, [rows])[0],
        "by subject": clustered.bounds(hit, [subjects])[0], "least": min(each), "width": float(np.mean(widths)),
        "widest": max(widths),
    }  # fmt: skip
