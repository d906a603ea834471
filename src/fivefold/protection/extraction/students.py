"""Students: models that a thief fits to the answers, from equations to a small network."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from fivefold.protection.extraction.answers import Voice

    Student = Callable[[np.ndarray], np.ndarray]
    """(n, p) inputs to (n, K) scores, or (n, 1) values."""

QUICK = ("linear", "logistic", "tree", "small tree")
SLOW = ("forest", "boosted", "network")
_TINY = 1e-12
_STEEP = 12.0
_WIDE = 10_000
_BOOSTED = 2000
_MANY = 100


def fit(name: str, inputs: np.ndarray, told: np.ndarray, voice: Voice, seed: int) -> Student | None:
    """Fit one student.

    Args:
        name: One of :data:`QUICK` or :data:`SLOW`.
        inputs: (m, p) of the questions.
        told: (m, K) answers.
        voice: How they are to be read.
        seed: Of forests and networks.

    Returns:
        None if this student cannot learn such answers.
    """
    labels = voice.said(told)
    if voice.kind != "values" and len(np.unique(labels)) < 2:
        only = told.mean(axis=0)
        return lambda asked: np.tile(only, (len(asked), 1))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a network that has not converged is still a copy
        return _MAKERS[name](inputs, told, voice, seed)


def log_ratios(scores: np.ndarray) -> np.ndarray:
    """Return (m, K - 1) logarithms of each class's score over the first one's; linear in a logistic model."""
    logs = np.log(np.maximum(scores, _TINY))
    return np.asarray(logs[:, 1:] - logs[:, :1])


def solved(inputs: np.ndarray, told: np.ndarray, voice: Voice) -> Student | None:
    """Solve the equations of a linear or logistic model exactly: p + 1 questions, one unknown each (per class).

    Args:
        inputs: (p + 1, p) of :func:`fivefold.protection.extraction.queries.equations`.
        told: (p + 1, K) answers.
        voice: How they are to be read.
    """
    right = told if voice.kind == "values" else log_ratios(told)
    design = np.column_stack([np.ones(len(inputs)), inputs])
    beta = np.linalg.lstsq(design, right, rcond=None)[0]
    return _linear(beta, voice)


def _linear(beta: np.ndarray, voice: Voice) -> Student:
    def answer(asked: np.ndarray) -> np.ndarray:
        out = beta[0] + asked @ beta[1:]
        return np.asarray(out if voice.kind == "values" else shares(out))

    return answer


def shares(ratios: np.ndarray) -> np.ndarray:
    """Return (n, K) probabilities of (n, K - 1) log ratios to the first class."""
    logits = np.column_stack([np.zeros(len(ratios)), ratios])
    logits = logits - logits.max(axis=1, keepdims=True)
    found = np.exp(logits)
    return np.asarray(found / found.sum(axis=1, keepdims=True))


def _fit_logistic(inputs: np.ndarray, told: np.ndarray, voice: Voice, seed: int) -> Student | None:
    if voice.kind == "values" or voice.width * inputs.shape[1] > _WIDE:
        return None
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(C=10.0, max_iter=100, random_state=seed).fit(inputs, voice.said(told))
    return _padded(model.predict_proba, model.classes_, voice.width)


def _fit_linear(inputs: np.ndarray, told: np.ndarray, voice: Voice, seed: int) -> Student | None:  # noqa: ARG001
    if voice.kind == "labels":
        return None
    design = np.column_stack([np.ones(len(inputs)), inputs])
    if voice.kind == "values":
        return _linear(_ridge(design, told, np.ones(len(told))), voice)
    # answers near 0 or 1 are coarse in logarithms: weigh by the variance that p (1 - p) gives them
    ratios = np.clip(log_ratios(np.maximum(told, 1e-6)), -_STEEP, _STEEP)
    weight = np.maximum(told.max(axis=1) * (1 - told.max(axis=1)), 1e-6)
    return _linear(_ridge(design, ratios, weight), voice)


def _ridge(design: np.ndarray, right: np.ndarray, weight: np.ndarray) -> np.ndarray:
    if design.shape[1] > len(design):
        # more inputs than answers: the same solution through the smaller of the two matrices
        root = np.sqrt(weight)[:, None]
        rows, told = design * root, right * root
        gram = rows @ rows.T
        gram[np.diag_indices_from(gram)] += 1e-9 * float(np.trace(gram)) / len(gram) + 1e-12
        return np.asarray(rows.T @ np.linalg.solve(gram, told))
    scaled = design * weight[:, None]
    gram = scaled.T @ design
    gram[np.diag_indices_from(gram)] += 1e-9 * float(np.trace(gram)) / len(gram) + 1e-12
    return np.asarray(np.linalg.solve(gram, scaled.T @ right))


def _padded(answer: Callable[[np.ndarray], np.ndarray], classes: np.ndarray, width: int) -> Student:
    def padded(asked: np.ndarray) -> np.ndarray:
        found = np.zeros((len(asked), width))
        found[:, classes] = answer(asked)
        return found

    return padded


def _column(answer: Callable[[np.ndarray], np.ndarray]) -> Student:
    def column(asked: np.ndarray) -> np.ndarray:
        found = answer(asked)
        return found[:, None] if found.ndim == 1 else found

    return column


def _fit_tree(inputs: np.ndarray, told: np.ndarray, voice: Voice, seed: int) -> Student:
    from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

    if voice.kind != "labels":
        return _column(DecisionTreeRegressor(min_samples_leaf=2, random_state=seed).fit(inputs, told).predict)
    model = DecisionTreeClassifier(min_samples_leaf=2, random_state=seed, max_leaf_nodes=None)
    model.fit(inputs, voice.said(told))
    return _padded(model.predict_proba, model.classes_, voice.width)


def _fit_small_tree(inputs: np.ndarray, told: np.ndarray, voice: Voice, seed: int) -> Student:
    from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

    few: dict[str, Any] = {"min_samples_leaf": max(2, len(inputs) // 50), "max_leaf_nodes": 16, "random_state": seed}
    if voice.kind == "values":
        return _column(DecisionTreeRegressor(**few).fit(inputs, told).predict)
    model = DecisionTreeClassifier(**few).fit(inputs, voice.said(told))
    return _padded(model.predict_proba, model.classes_, voice.width)


def _fit_forest(inputs: np.ndarray, told: np.ndarray, voice: Voice, seed: int) -> Student:
    from sklearn.ensemble import ExtraTreesClassifier, ExtraTreesRegressor

    if voice.kind != "labels":
        some = 1.0 if inputs.shape[1] <= _MANY else 0.1
        forest = ExtraTreesRegressor(60, max_features=some, random_state=seed, n_jobs=1)
        return _column(forest.fit(inputs, told).predict)
    model = ExtraTreesClassifier(60, random_state=seed, n_jobs=1).fit(inputs, voice.said(told))
    return _padded(model.predict_proba, model.classes_, voice.width)


def _fit_boosted(inputs: np.ndarray, told: np.ndarray, voice: Voice, seed: int) -> Student | None:
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    if voice.kind == "values":
        return _column(HistGradientBoostingRegressor(random_state=seed).fit(inputs, told[:, 0]).predict)
    if voice.kind == "scores" and voice.width == 2:
        ratios = np.clip(log_ratios(np.maximum(told, 1e-6)), -_STEEP, _STEEP)[:, 0]
        model = HistGradientBoostingRegressor(random_state=seed).fit(inputs, ratios)
        return lambda asked: shares(model.predict(asked)[:, None])
    if voice.width * inputs.shape[1] > _BOOSTED:
        return None
    boosted = HistGradientBoostingClassifier(random_state=seed, max_iter=60).fit(inputs, voice.said(told))
    return _padded(boosted.predict_proba, boosted.classes_, voice.width)


def _fit_network(inputs: np.ndarray, told: np.ndarray, voice: Voice, seed: int) -> Student:
    from sklearn.neural_network import MLPClassifier, MLPRegressor

    spread = np.where(inputs.std(axis=0) > 0, inputs.std(axis=0), 1.0)
    middle = inputs.mean(axis=0)
    settings: dict[str, Any] = {
        "hidden_layer_sizes": (64,), "max_iter": 120, "random_state": seed, "learning_rate_init": 5e-3
    }  # fmt: skip
    if voice.kind == "labels":
        model = MLPClassifier(**settings).fit((inputs - middle) / spread, voice.said(told))
        return _padded(lambda asked: model.predict_proba((asked - middle) / spread), model.classes_, voice.width)
    scale, centre = told.std() or 1.0, told.mean(axis=0)
    right = (told - centre) / scale
    learned = MLPRegressor(**settings).fit((inputs - middle) / spread, right if right.shape[1] > 1 else right[:, 0])
    return _column(lambda asked: _wide(learned.predict((asked - middle) / spread)) * scale + centre)


def _wide(found: np.ndarray) -> np.ndarray:
    return found[:, None] if found.ndim == 1 else found


_MAKERS: dict[str, Callable[[np.ndarray, np.ndarray, Voice, int], Student | None]] = {
    "linear": _fit_linear,
    "logistic": _fit_logistic,
    "tree": _fit_tree,
    "small tree": _fit_small_tree,
    "forest": _fit_forest,
    "boosted": _fit_boosted,
    "network": _fit_network,
}
