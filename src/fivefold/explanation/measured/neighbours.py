"""Neighbours: rows that differ from an explained one by a little, and that the model does not tell from it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from fivefold.explanation.asking import pure

if TYPE_CHECKING:
    from fivefold.explanation.explainer import Question

REACH = 0.05
"""How far, in ranks from 0 to 1, a changed cell may lie from its own."""

ALIKE = 0.05
"""Largest difference of the answers, as a share of what the row's cells move them by."""

_MIXED = 24
_NEAR = 4
_ANY = 2


@dataclass(frozen=True)
class Near:
    """Neighbours of explained rows.

    Attributes:
        rows: (n,) explained rows that have one.
        cells: (n, P) positions of the neighbour's cells.
        changed: (n,) how many of them are others than the row's.
        small: Whether any cell of the explained rows has another one within reach.
    """

    rows: np.ndarray
    cells: np.ndarray
    changed: np.ndarray
    small: bool


def find(question: Question, rng: np.random.Generator) -> Near:
    """Change cells a little, and keep of each row's changes the widest that the model does not notice.

    First several cells go to others at most ``REACH`` away in rank, then one cell to any other: for a text there is no
    small change but that which the model does not tell. Noticed is what moves the answer, alone or with half of the
    cells from a background row, by more than ``ALIKE`` of what the row's cells move it by (root mean squares).

    Args:
        question: Model and rows; answers to rows as they are, where they are not known, are asked.
        rng: Draws.
    """
    n, codes, (total, players) = question.explained, question.codes, question.codes.shape
    scores = question.ask(pure(np.arange(total), players)) if question.scores is None else question.scores
    close = _moved(codes, n, rng)
    tried = np.concatenate([_same(n, players), close, _any(codes, n, rng)], axis=1)
    stays = rng.random((n, 1, _MIXED, players)) < 0.5
    base = rng.integers(n, len(codes), size=(n, _MIXED))
    mixed = np.where(stays, tried[:, :, None], base[:, None, :, None])
    asked = np.concatenate([tried[:, :, None], mixed], axis=2)  # (n, C + 1, 1 + T, P)
    told = _answers(question, asked)
    moved = told[:, 0, 1:] - scores[base, question.column[:, None]]
    scale = np.sqrt((moved**2).mean(axis=1))
    off = np.sqrt(((told[:, 1:] - told[:, :1]) ** 2).mean(axis=2))
    changed = (tried[:, 1:] != tried[:, :1]).sum(axis=2)
    good = (changed > 0) & (off <= ALIKE * scale[:, None]) & (scale[:, None] > 0)
    rows = np.flatnonzero(good.any(axis=1))
    first = good[rows].argmax(axis=1)
    return Near(rows, tried[rows, 1 + first], changed[rows, first], bool((close != _same(n, players)).any()))


def _answers(question: Question, cells: np.ndarray) -> np.ndarray:
    """Return (n, C, T) answers to (n, C, T, P) cells, each in its explained row's score, asked in batches."""
    flat = cells.reshape(-1, cells.shape[-1])
    column = np.repeat(question.column, len(flat) // len(cells))
    parts = []
    for start in range(0, len(flat), question.batch):
        answers = question.ask(flat[start : start + question.batch])
        parts.append(answers[np.arange(len(answers)), column[start : start + question.batch]])
    return np.concatenate(parts).reshape(cells.shape[:3])


def _same(n: int, players: int) -> np.ndarray:
    return np.repeat(np.arange(n)[:, None, None], players, axis=2)


def _moved(codes: np.ndarray, n: int, rng: np.random.Generator) -> np.ndarray:
    """Return (n, near, P) cells of which ever fewer are others, near in rank."""
    total, players = codes.shape
    aim = codes[:n, None] + rng.uniform(-REACH, REACH, size=(n, _NEAR, players))
    made = np.empty(aim.shape, dtype=np.int64)
    for player in range(players):
        order = np.argsort(codes[:, player], kind="stable")
        found = np.searchsorted(codes[order, player], aim[:, :, player])
        made[:, :, player] = order[np.minimum(found, total - 1)]
    away = np.abs(codes[made, np.arange(players)] - codes[:n, None])
    own = _same(n, players)
    made = np.where((away > 0) & (away <= REACH), made, own)
    many = np.maximum(np.round(players * 0.5 ** np.arange(_NEAR)), 1)
    turn = np.argsort(np.argsort(rng.random(made.shape) + (made == own), axis=2), axis=2)
    return np.where(turn < many[:, None], made, own)


def _any(codes: np.ndarray, n: int, rng: np.random.Generator) -> np.ndarray:
    """Return (n, any, P) cells of which one is that of another row."""
    total, players = codes.shape
    which = rng.integers(players, size=(n, _ANY))
    other = rng.integers(total, size=(n, _ANY))
    takes = np.arange(players) == which[:, :, None]
    differs = codes[other, which] != codes[np.arange(n)[:, None], which]
    return np.where(takes & differs[:, :, None], other[:, :, None], _same(n, players))
