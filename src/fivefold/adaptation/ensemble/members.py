"""Members: models of other families, each fitted to another view of the rows, so that they err differently.

Diversity is enforced: no two of the first six share family and view. Every member is also fitted to stirred copies of
the rows, so that what moves the model a little moves no member much, and none of them is ever quite sure: a forest's
share of trees, a kernel's scores softened. Sure members would hold nothing apart from the rows that the model gets
wrong by itself, of which there are more than false alarms are allowed.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from threadpoolctl import threadpool_limits

from fivefold.errors import UnsupportedError
from fivefold.stats.forest import shares

if TYPE_CHECKING:
    from collections.abc import Callable

    from fivefold.adaptation.encoding import Encoding

MOST = 12
"""Most members."""
FEWEST_ROWS = 100
"""Fewest training rows."""
_ROWS = 6000
_DIRECTIONS = 40
_TREES = 60
_STIR = 0.3
_SOFT = 3.0
_FOURIER = 500


@dataclass(frozen=True)
class Member:
    """One member.

    Attributes:
        name: What it is, in words.
        view: (n, p) inputs to what it sees.
        model: A classifier of scikit-learn.
        classes: (k,) class index of each of its score columns.
        soft: Its log probabilities are divided by this.
    """

    name: str
    view: Callable[[np.ndarray], np.ndarray]
    model: Any
    classes: np.ndarray
    soft: float = 1.0

    def scores(self, inputs: np.ndarray, width: int) -> np.ndarray:
        """Return (n, width) probabilities."""
        found = np.zeros((len(inputs), width))
        told = _told(self.model, self.view(inputs)) ** (1.0 / self.soft)
        found[:, self.classes] = told / told.sum(axis=1, keepdims=True)
        return found


def _told(model: Any, seen: np.ndarray) -> np.ndarray:
    """Return (n, k) probabilities; of a forest straight from its trees, a few times as quick for single rows."""
    return shares(model, seen) if hasattr(model, "estimators_") else np.asarray(model.predict_proba(seen))


def fit(
    inputs: np.ndarray, coded: Encoding, labels: np.ndarray, count: int, rng: np.random.Generator
) -> tuple[Member, ...]:
    """Fit members.

    Args:
        inputs: (n, p) encoded training rows.
        coded: Their encoding.
        labels: (n,) class indices.
        count: How many, 2 to :data:`MOST`.
        rng: Draws rows, halves and first weights.

    Raises:
        UnsupportedError: ``ensemble.rows`` for too few rows, or rows of one class.
    """
    if len(inputs) < FEWEST_ROWS or len(np.unique(labels)) < 2:
        raise UnsupportedError(
            "ensemble.rows",
            f"members need at least {FEWEST_ROWS} training rows of at least two classes, and there are {len(inputs)}.",
        )
    if len(inputs) > _ROWS:
        chosen = np.sort(rng.choice(len(inputs), _ROWS, replace=False))
        inputs, labels = inputs[chosen], labels[chosen]
    kinds = (_trees, _half_trees, _kernel, _rounded_trees, _half_trees, _directions_trees)
    made: list[Member] = []
    with threadpool_limits(limits=1), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a kernel that has not converged is a member none the less
        for place in range(count):
            seed = int(rng.integers(2**31))
            both = np.concatenate([inputs, coded.stirred(inputs, _STIR, rng)])
            made.append(kinds[place % len(kinds)](_Lesson(both, coded.source, np.tile(labels, 2), seed)))
    return tuple(made)


@dataclass(frozen=True)
class _Lesson:
    """What a member is fitted to: (n, p) inputs, the column of each, (n,) labels, and a seed."""

    rows: np.ndarray
    source: np.ndarray
    labels: np.ndarray
    seed: int

    def made(self, name: str, view: Callable[[np.ndarray], np.ndarray], model: Any, soft: float = 1.0) -> Member:
        model.fit(view(self.rows), self.labels)
        return Member(name, view, model, np.asarray(model.classes_, dtype=np.int64), soft)

    def forest(self) -> Any:
        from sklearn.ensemble import ExtraTreesClassifier

        return ExtraTreesClassifier(_TREES, random_state=self.seed, n_jobs=1)

    def directions(self) -> Callable[[np.ndarray], np.ndarray]:
        """Return the view on the main directions."""
        from sklearn.decomposition import PCA

        found = PCA(min(_DIRECTIONS, *self.rows.shape), svd_solver="randomized", random_state=self.seed)
        transform: Callable[[np.ndarray], np.ndarray] = found.fit(self.rows).transform
        return transform


def _trees(lesson: _Lesson) -> Member:
    return lesson.made("trees", lambda given: given, lesson.forest())


def _half_trees(lesson: _Lesson) -> Member:
    columns = np.unique(lesson.source)
    chosen = np.random.default_rng(lesson.seed).choice(columns, (len(columns) + 1) // 2, replace=False)
    mine = np.flatnonzero(np.isin(lesson.source, chosen))
    return lesson.made("trees on half of the columns", lambda given: given[:, mine], lesson.forest())


def _directions_trees(lesson: _Lesson) -> Member:
    return lesson.made("trees on the main directions", lesson.directions(), lesson.forest())


def _rounded_trees(lesson: _Lesson) -> Member:
    """Fit trees to rows whose numbers are one of three: in the lowest or highest quarter of the range, or between.

    The range is that of all inputs for arrays; for columns nine tenths of the rows.
    """
    rows = lesson.rows
    ends: tuple[Any, Any] = rows.min(), rows.max()
    if len(np.unique(lesson.source)) < len(lesson.source):
        low, high = np.quantile(rows, [0.05, 0.95], axis=0)
        ends = np.where(high > low, low, rows.min(axis=0)), np.where(high > low, high, rows.max(axis=0))
    first, last = ends[0] + 0.25 * (ends[1] - ends[0]), ends[0] + 0.75 * (ends[1] - ends[0])

    def view(given: np.ndarray) -> np.ndarray:
        return np.asarray((given > first).astype(np.float32) + (given > last))

    return lesson.made("trees on rounded numbers", view, lesson.forest())


def _kernel(lesson: _Lesson) -> Member:
    """Fit a logistic model to random Fourier features (Rahimi and Recht 2007) of the main directions."""
    from sklearn.kernel_approximation import RBFSampler
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    view = lesson.directions()
    gamma = 1.0 / float(view(lesson.rows).var(axis=0).sum() or 1.0)  # mean squared distance: twice the variance
    features = RBFSampler(gamma=gamma, n_components=_FOURIER, random_state=lesson.seed)
    model = make_pipeline(features, LogisticRegression(C=30.0, max_iter=80))
    return lesson.made("kernel on the main directions", view, model, _SOFT)
