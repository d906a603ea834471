"""Regression: rows whose target the other rows contradict, whatever the order, the scale or the shape."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from fivefold.errors import UnsupportedError
from fivefold.sharing.filtering.columns import alike, encoded
from fivefold.sharing.filtering.removal import Removal, joined
from fivefold.sharing.filtering.robust import KEEP, Fit, trimmed
from fivefold.stats.growing import grown

if TYPE_CHECKING:
    from collections.abc import Callable

    from fivefold.contract.subject import Table

FEWEST = 60
_OVER = 10
_FOLDS, _TREES, _FEW, _LEAF, _ROUNDS = 4, 60, 15, 3, 6
_PARTED, _NEAR = 2, 0.75
_BETTER = 0.8
_FAR = 8.0
_WIDE = 32
_SKEWED = 0.3
_MAD = 1.4826
_SCALES: dict[str, Callable[[np.ndarray], np.ndarray]] = {"square root": np.sqrt, "logarithm": np.log}
_TEXTS = (
    "the target lies over {far:g} spreads of the noise off what the other rows say",
    "the target lies {keep:g} to {far:g} spreads of the noise off what the other rows say",
    "the target is no number",
)


@dataclass(frozen=True)
class Judged:
    """A robust fit, and how it was come by.

    Attributes:
        away: (n,) float64, distance of each target from what the others say, in spreads of the noise.
        scale: On which scale of the target: ``as it is``, ``square root`` or ``logarithm``.
        shape: ``linear`` or ``trees``.
        signed: (n,) float64, the same distances with their sign.
    """

    away: np.ndarray
    scale: str
    shape: str
    signed: np.ndarray


def filtered(table: Table, rng: np.random.Generator, trusted: Table | None = None) -> Removal:
    """Say which rows of a regression are left out before anything is learned from them.

    Threat: targets (and inputs) made to bend a model, up to a third of the rows.
    Limit: bad rows within three spreads of the noise stay. Where bad rows are most of a region, they are the rule.

    Args:
        table: n rows, at least 60 with the trusted ones; rows without a target are left out.
        rng: Draws subsets, folds and trees.
        trusted: Rows that are known to be good; they take part and are never left out.

    Raises:
        UnsupportedError: ``filter.task`` for classes, ``filter.rows`` for too few rows.
    """
    if table.target.dtype.kind == "i":
        raise UnsupportedError("filter.task", "the target is a class, not a value.")
    known = np.flatnonzero(np.isfinite(table.target))
    there, n = joined(table.take(known), trusted)
    if len(there) < FEWEST:
        raise UnsupportedError("filter.rows", f"fewer than {FEWEST} training rows have a target.")
    found = judged(encoded(there).astype(np.float64), there.target, alike(there), rng)
    away = np.full(len(table), np.inf)
    away[known] = found.away[:n]
    reasons = np.where(away > _FAR, 0, np.where(away > KEEP, 1, -1))
    reasons[~np.isfinite(table.target)] = 2
    return Removal(
        kept=reasons < 0, suspicion=away, reasons=reasons,
        texts=tuple(text.format(far=_FAR, keep=KEEP) for text in _TEXTS),
        notes=(f"fit: {found.shape}; target: {found.scale}",),
    )  # fmt: skip


def judged(inputs: np.ndarray, target: np.ndarray, same: np.ndarray, rng: np.random.Generator) -> Judged:
    """Judge each row by the others: by a linear fit, or by trees where they follow the rows clearly better.

    Args:
        inputs: (n, w) float64, finite; w may be 0.
        target: (n,) float64, finite.
        same: (n,) a number that equal rows share; such rows do not vouch for each other.
        rng: Draws subsets, folds and trees.
    """
    if inputs.shape[1] + 1 + _OVER > len(target):
        inputs = _narrowed(inputs, max(1, len(target) // 4))
    best = _scaled(inputs, target, rng)
    name, goal, fit = best
    signed = (goal - fit(inputs)) / fit.spread
    if inputs.shape[1]:
        trees = _by_trees(inputs, goal, fit, same, rng)
        if trees is not None:
            return Judged(np.abs(trees), name, "trees", trees)
    return Judged(fit.away, name, "linear", np.sign(signed) * fit.away)


def _narrowed(inputs: np.ndarray, width: int) -> np.ndarray:
    from sklearn.decomposition import PCA

    return np.asarray(PCA(min(width, inputs.shape[1]), random_state=0).fit_transform(inputs))


def _scaled(inputs: np.ndarray, target: np.ndarray, rng: np.random.Generator) -> tuple[str, np.ndarray, Fit]:
    """Return the scale of the target on which the noise depends least on the value, among skewed positive targets."""
    found = [("as it is", target, trimmed(inputs, target, rng))]
    low, middle, high = np.quantile(target, [0.1, 0.5, 0.9])
    skew = (high + low - 2 * middle) / ((high - low) or 1.0)
    if target.min() > 0 and skew > _SKEWED / 2 and inputs.shape[1]:
        found += [(name, to(target), trimmed(inputs, to(target), rng)) for name, to in _SCALES.items()]
    return min(found, key=lambda one: _uneven(one[2], inputs))


def _uneven(fit: Fit, inputs: np.ndarray) -> float:
    """Return how much the noise grows with the fitted value, among the rows that were kept."""
    from scipy.stats import spearmanr

    size, value = fit.away[fit.kept], fit(inputs[fit.kept])
    if len(size) < _OVER or np.ptp(value) == 0 or np.ptp(size) == 0:
        return 0.0
    return abs(float(spearmanr(size, value).statistic))


def _by_trees(
    inputs: np.ndarray, goal: np.ndarray, fit: Fit, same: np.ndarray, rng: np.random.Generator
) -> np.ndarray | None:
    """Return (n,) signed distances from what trees say that never saw the row; None where they are no better."""
    _, group = np.unique(same, return_inverse=True)
    fold = rng.permutation(np.arange(int(group.max()) + 1) % _FOLDS)[group]
    if len(np.unique(fold)) < _FOLDS:
        return None
    line = goal - fit(inputs)
    kept, found = np.ones(len(goal), dtype=bool), line

    def off(trees: int) -> np.ndarray:
        return np.asarray(goal - _answers(inputs, goal, kept, fold, trees, rng))

    for turn in range(_ROUNDS):
        # From 15 trees to 60 the squared error falls by at most 1/15 - 1/60 of one tree's variance. For trees that are
        # behind the line at 15 to be clearly better at 60 (0.8), that would have to be seven times all of the error.
        if turn == _PARTED and _middle(off(_FEW)) > _middle(line):
            return None
        found = off(_TREES if turn >= _PARTED else _FEW)
        spread = _middle(found)
        if turn == _PARTED and spread > _BETTER * _middle(line):
            return None
        # bad rows bend the first trees so much that no distance stands out: the nearer part of the rows begins anew
        new = np.abs(found) <= (KEEP * spread if turn >= _PARTED else np.quantile(np.abs(found), _NEAR))
        if (new == kept).all() or new.mean() < 0.5:
            break
        kept = new
    inside = np.abs(found) <= KEEP * _middle(found)
    return np.asarray(found / max(_middle(found[inside]), 1e-12))


def _middle(off: np.ndarray) -> float:
    return float(np.median(np.abs(off))) * _MAD


def _answers(  # noqa: PLR0917
    inputs: np.ndarray, goal: np.ndarray, kept: np.ndarray, fold: np.ndarray, count: int, rng: np.random.Generator
) -> np.ndarray:
    found = np.zeros(len(goal))
    for at in range(_FOLDS):
        taught, asked = kept & (fold != at), fold == at
        forest = grown(
            inputs[taught], goal[taught], trees=count, leaf=_LEAF, seed=int(rng.integers(2**31)), values=True,
            features=0.5 if inputs.shape[1] <= _WIDE else "sqrt",
        )  # fmt: skip
        found[asked] = forest.said(inputs[asked])
    return found


def fitted(
    inputs: np.ndarray, target: np.ndarray, asked: np.ndarray, shape: str, rng: np.random.Generator
) -> np.ndarray:
    """Return (m,) values that an ordinary learner of a shape, which trusts every row, gives to other rows.

    Args:
        inputs: (n, w) float64.
        target: (n,) float64.
        asked: (m, w) float64.
        shape: ``linear`` or ``trees``, as in :class:`Judged`.
        rng: Draws trees.
    """
    from sklearn.linear_model import Ridge

    seed = int(rng.integers(2**31))
    if shape == "linear":
        return np.asarray(Ridge(1.0).fit(inputs, target).predict(asked))
    return grown(inputs, target, trees=_TREES, leaf=_LEAF, features=None, seed=seed, values=True).said(asked)
