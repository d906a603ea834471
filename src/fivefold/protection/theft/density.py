"""Density: how unlike the population's rows a row is, by which values occur together and which do not.

For each cell and for pairs of cells, tables say how much rarer than expected a value or combination is. A logistic
model weighs them: it is taught to tell real rows from rows made of them (columns shuffled, drawn evenly, crossed,
moved between two rows).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

_PULL = 1.0
_HALF = 0.5
_ALL_PAIRS = 24
_PAIRS = 3
_MOST_PAIRS = 900
_MOST = 8.0
_RIDGE = 0.02
_AT_ONCE = 1000
_BENDS = (("excess", 1.5), ("excess", 2.5), ("excess", 4.0), ("count", 2.0), ("count", 3.5), ("count", 5.0))


@dataclass(frozen=True)
class Tables:
    """How surprising cells and pairs of cells are.

    Attributes:
        one: (e,) column of each table.
        other: (e,) the column beside it; the same one: a table of single cells.
        offset: (e,) where each table begins.
        width: (e,) codes of the other column.
        surprise: Flat tables, in nats: minus the logarithm of a code's chance, or of how much likelier a pair is than
            by chance.
    """

    one: np.ndarray
    other: np.ndarray
    offset: np.ndarray
    width: np.ndarray
    surprise: np.ndarray

    def look(self, codes: np.ndarray) -> np.ndarray:
        """Return (n, e) nats of n rows of codes."""
        return np.asarray(self.surprise[self.offset + codes[:, self.one] * self.width + codes[:, self.other]])


@dataclass(frozen=True)
class Unlike:
    """Tables whose entries add up to the log odds of a row not being of the population.

    Attributes:
        tables: Log odds in place of surprise.
        alone: (d, w) minus the logarithm of the chance of each code.
    """

    tables: Tables
    alone: np.ndarray

    def score(self, codes: np.ndarray) -> np.ndarray:
        """Return (n,) log odds, up to a constant, of n rows not being of the population."""
        if len(codes) == 1:
            return self._one(codes[0])
        parts = [self.tables.look(codes[at : at + _AT_ONCE]).sum(axis=1) for at in range(0, len(codes), _AT_ONCE)]
        return np.concatenate(parts) if parts else np.zeros(0)

    def _one(self, codes: np.ndarray) -> np.ndarray:
        """Return (1,), with few and small steps: tables of one width, two columns' parts of all places at once."""
        flat, offset, both, wide, ones = self._even
        first, second = (codes * wide).take(both)
        return np.array([flat.take(first + second + offset).dot(ones)])

    @cached_property
    def _even(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        made, d = self.tables, self.alone.shape[0]
        wide, count = self.alone.shape[1], len(made.one)
        flat = np.zeros((count, wide, wide))
        ends = np.concatenate([made.offset[1:], [len(made.surprise)]])
        for at, (begin, end, width) in enumerate(zip(made.offset, ends, made.width, strict=True)):
            table = made.surprise[begin:end].reshape(-1, width)
            flat[at, : len(table), :width] = table
        both = np.stack([made.one, made.other + d])
        return flat.ravel(), np.arange(count) * wide * wide, both, np.array([[wide], [1]]), np.ones(count)


def tables(codes: np.ndarray, widths: np.ndarray) -> tuple[Tables, np.ndarray]:
    """Return tables of single columns and of the pairs that depend most, and the surprise of single codes.

    Args:
        codes: (n, d) uint8.
        widths: (d,) how many codes each column has.
    """
    n, d = codes.shape
    starts = np.concatenate([[0], np.cumsum(widths)])
    shown = np.zeros((n, int(starts[-1])), dtype=np.float32)
    shown[np.arange(n)[:, None], starts[:-1] + codes] = 1.0
    joint = shown.T @ shown
    counts = np.diagonal(joint).astype(np.float64)
    chance = (counts + _HALF) / (n + _HALF * np.repeat(widths, widths))
    alone = np.zeros((d, int(widths.max())))
    for column in range(d):
        alone[column, : widths[column]] = -np.log(chance[starts[column] : starts[column + 1]])
    one, other = _pairs(joint, starts, n)
    made, offsets, at = [], [], 0
    for first, second in zip(one, other, strict=True):
        mine, its = slice(starts[first], starts[first + 1]), slice(starts[second], starts[second + 1])
        if first == second:
            table = np.repeat(-np.log(chance[mine])[:, None], widths[second], axis=1)
        else:
            expected = n * chance[mine][:, None] * chance[its]
            # a pair that few would show by chance tells nothing by its absence
            table = np.log((expected + _PULL) / (joint[mine, its] + _PULL))
        made.append(np.clip(table, -_MOST, _MOST).ravel())
        offsets.append(at)
        at += table.size
    return Tables(one, other, np.array(offsets), widths[other], np.concatenate(made)), alone


def _pairs(joint: np.ndarray, starts: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray]:
    d = len(starts) - 1
    one, other = np.triu_indices(d, 1)
    if d > _ALL_PAIRS:
        worth = _information(joint, starts, n)[one, other]
        keep = np.argsort(-worth, kind="stable")[: min(_PAIRS * d, _MOST_PAIRS)]
        one, other = one[keep], other[keep]
    single = np.arange(d)
    return np.concatenate([single, one]), np.concatenate([single, other])


def _information(joint: np.ndarray, starts: np.ndarray, n: int) -> np.ndarray:
    """Return (d, d) mutual information of each pair of columns, less what chance gives (Miller and Madow 1955)."""
    share = joint.astype(np.float64) / n
    single = np.diagonal(share)
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = np.where(share > 0, share * np.log(share / (single[:, None] * single)), 0.0)
    found = np.add.reduceat(np.add.reduceat(terms, starts[:-1], axis=0), starts[:-1], axis=1)
    seen = np.add.reduceat((single > 0).astype(np.float64), starts[:-1])
    return np.asarray(found - (seen[:, None] - 1) * (seen - 1) / (2 * n))


def weigh(made: Tables, alone: np.ndarray, real: np.ndarray, odd: np.ndarray) -> Unlike:
    """Return weights that tell rows of the population from others.

    Args:
        made: Tables.
        alone: Surprise of single codes.
        real: (n, d) codes of rows that the tables were not learnt from.
        odd: (m, d) codes of rows that are none of the population.
    """
    from sklearn.linear_model import LogisticRegression

    codes, width = np.concatenate([real, odd]), len(made.one)
    parts = np.empty((len(codes), width + len(_BENDS)))
    for at in range(0, len(codes), _AT_ONCE):
        shown = made.look(codes[at : at + _AT_ONCE])
        parts[at : at + _AT_ONCE, :width] = shown
        for place, how in enumerate(_BENDS, width):
            parts[at : at + _AT_ONCE, place] = _bent(shown, how).sum(axis=1)
    scale = _spread(parts) + 0.1
    parts /= scale
    right = np.concatenate([np.zeros(len(real)), np.ones(len(odd))])
    model = LogisticRegression(C=_RIDGE, max_iter=500, class_weight="balanced").fit(parts, right)
    weights = model.coef_[0] / scale
    sizes = np.diff(np.concatenate([made.offset, [len(made.surprise)]]))
    flat = np.repeat(weights[: len(sizes)], sizes) * made.surprise
    for weight, how in zip(weights[len(sizes) :], _BENDS, strict=True):
        flat += weight * _bent(made.surprise, how)
    return Unlike(replace(made, surprise=flat), alone)


def _spread(parts: np.ndarray) -> np.ndarray:
    """Return (p,) standard deviations of columns, one after the other: the whole is large."""
    return np.array([float(parts[:, at].std()) for at in range(parts.shape[1])])


def _bent(surprise: np.ndarray, how: tuple[str, float]) -> np.ndarray:
    """Return what lies beyond a threshold, or whether something does: one great surprise is more than many small."""
    kind, cut = how
    return np.maximum(surprise - cut, 0.0) if kind == "excess" else (surprise > cut).astype(np.float64)
