"""Members: models of other families, each fitted to another view of the rows, so that they err differently.

Diversity is enforced: no two of the first six share both family and view. A change that is just large enough for the
model is seen through half of the inputs, through their main directions, rounded, or by trees.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from threadpoolctl import threadpool_limits

from fivefold.errors import UnsupportedError

if TYPE_CHECKING:
    from collections.abc import Callable

MOST = 12
"""Most members."""
FEWEST_ROWS = 100
"""Fewest training rows."""
_ROWS = 10_000
_KERNEL_ROWS = 5000
_DIRECTIONS = 40
_ROUNDS = 25


@dataclass(frozen=True)
class Member:
    """One member.

    Attributes:
        name: What it is, in words.
        view: (n, p) inputs to what it sees.
        model: A classifier of scikit-learn.
        classes: (k,) class index of each of its score columns.
    """

    name: str
    view: Callable[[np.ndarray], np.ndarray]
    model: Any
    classes: np.ndarray

    def scores(self, inputs: np.ndarray, width: int) -> np.ndarray:
        """Return (n, width) probabilities."""
        found = np.zeros((len(inputs), width))
        found[:, self.classes] = self.model.predict_proba(self.view(inputs))
        return found


def fit(
    inputs: np.ndarray, source: np.ndarray, labels: np.ndarray, count: int, rng: np.random.Generator
) -> tuple[Member, ...]:
    """Fit members.

    Args:
        inputs: (n, p) encoded training rows.
        source: (p,) column that each input stems from; halves take whole columns.
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
    kinds = (_half_net, _directions_net, _rounded_net, _trees, _kernel, _half_trees)
    made: list[Member] = []
    with threadpool_limits(limits=1), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a net that has not converged is a member none the less
        for place in range(count):
            seed = int(rng.integers(2**31))
            made.append(kinds[place % len(kinds)](inputs, source, labels, seed))
    return tuple(made)


def _half(source: np.ndarray, seed: int) -> np.ndarray:
    """Return positions of the inputs of a random half of the columns."""
    columns = np.unique(source)
    rng = np.random.default_rng(seed)
    return np.flatnonzero(np.isin(source, rng.choice(columns, (len(columns) + 1) // 2, replace=False)))


def _net(seed: int, width: int = 64) -> Any:
    from sklearn.neural_network import MLPClassifier

    return MLPClassifier((width,), max_iter=_ROUNDS, alpha=1e-3, random_state=seed, learning_rate_init=3e-3)


def _forest(seed: int) -> Any:
    from sklearn.ensemble import ExtraTreesClassifier

    return ExtraTreesClassifier(100, random_state=seed, n_jobs=1)


def _made(name: str, view: Callable[[np.ndarray], np.ndarray], model: Any, rows: np.ndarray, labels: Any) -> Member:
    model.fit(view(rows), labels)
    return Member(name, view, model, np.asarray(model.classes_, dtype=np.int64))


def _half_net(rows: np.ndarray, source: np.ndarray, labels: np.ndarray, seed: int) -> Member:
    mine = _half(source, seed)
    return _made("net on half of the inputs", lambda given: given[:, mine], _net(seed), rows, labels)


def _half_trees(rows: np.ndarray, source: np.ndarray, labels: np.ndarray, seed: int) -> Member:
    mine = _half(source, seed)
    return _made("trees on half of the inputs", lambda given: given[:, mine], _forest(seed), rows, labels)


def _trees(rows: np.ndarray, source: np.ndarray, labels: np.ndarray, seed: int) -> Member:  # noqa: ARG001
    return _made("trees", lambda given: given, _forest(seed), rows, labels)


def _directions(rows: np.ndarray, seed: int, *, whiten: bool) -> Callable[[np.ndarray], np.ndarray]:
    """Return the view on the main directions; whitened: each with spread 1."""
    from sklearn.decomposition import PCA

    found = PCA(min(_DIRECTIONS, *rows.shape), whiten=whiten, svd_solver="randomized", random_state=seed)
    found.fit(rows)
    transform: Callable[[np.ndarray], np.ndarray] = found.transform
    return transform


def _directions_net(rows: np.ndarray, source: np.ndarray, labels: np.ndarray, seed: int) -> Member:  # noqa: ARG001
    return _made("net on the main directions", _directions(rows, seed, whiten=True), _net(seed, 100), rows, labels)


def _rounded_net(rows: np.ndarray, source: np.ndarray, labels: np.ndarray, seed: int) -> Member:
    """Fit a net to rows whose numbers are one of three: in the lowest or highest quarter of the range, or between.

    The range is that of all inputs for arrays; for columns nine tenths of the rows.
    """
    if len(np.unique(source)) == len(source):
        ends = rows.min(), rows.max()
    else:
        ends = tuple(np.quantile(rows, [0.05, 0.95], axis=0))
        alike = ends[1] <= ends[0]
        ends = np.where(alike, rows.min(axis=0), ends[0]), np.where(alike, rows.max(axis=0), ends[1])
    low, high = ends[0] + 0.25 * (ends[1] - ends[0]), ends[0] + 0.75 * (ends[1] - ends[0])

    def view(given: np.ndarray) -> np.ndarray:
        return np.asarray((given > low).astype(np.float32) + (given > high) - 1.0)

    return _made("net on rounded inputs", view, _net(seed), rows, labels)


def _kernel(rows: np.ndarray, source: np.ndarray, labels: np.ndarray, seed: int) -> Member:  # noqa: ARG001
    """Fit a logistic model to random Fourier features (Rahimi and Recht 2007) of the main directions."""
    from sklearn.kernel_approximation import RBFSampler
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    rng = np.random.default_rng(seed)
    some = np.sort(rng.choice(len(rows), min(len(rows), _KERNEL_ROWS), replace=False))
    if len(np.unique(labels[some])) < 2:
        some = np.arange(len(rows))
    view = _directions(rows, seed, whiten=False)
    seen = view(rows[some[:2000]])
    gamma = 1.0 / float(seen.var(axis=0).sum() or 1.0)  # the mean squared distance is twice the variance
    model = make_pipeline(
        RBFSampler(gamma=gamma, n_components=500, random_state=seed), LogisticRegression(C=30.0, max_iter=80)
    )
    return _made("kernel on the main directions", view, model, rows[some], labels[some])
