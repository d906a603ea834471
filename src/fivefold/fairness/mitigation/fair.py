"""Learning under a declared aim: a logistic regression without protected features, as JSON that anybody can read."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, cast, get_args

import msgspec
import numpy as np

from fivefold.errors import InputError
from fivefold.fairness.encode import Column, learned, matrix
from fivefold.fairness.mitigation import blind, thresholds
from fivefold.fairness.mitigation.aims import Aim
from fivefold.fairness.mitigation.reductions import constrained
from fivefold.fairness.mitigation.weights import reweighed

if TYPE_CHECKING:
    from collections.abc import Callable

    import pandas as pd

Method = Literal["none", "reweigh", "constraints", "thresholds", "blind"]
METHODS: tuple[str, ...] = get_args(Method)
_FORM = 1
_PENALTY = 1.0
_FOLDS = 3


class Model(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A fair-trained logistic regression, as it is stored.

    Attributes:
        columns: How features become numbers.
        weights: Of each number, the intercept last.
        classes: Labels of the other and of the favourable class.
        method: How it was learned.
        aim: What was to be alike.
        protected: The column; asked for at decision time only where ``cuts`` has entries.
        groups: Its values, as text, in the order of ``cuts``, ``telling`` and ``multipliers``.
        cuts: Threshold of each group (method ``thresholds``); another value: one half.
        telling: Weights (groups x numbers, intercept last) that tell the group from the features (method ``blind``).
        multipliers: Of each group (method ``blind``).
        base: Share of each group (method ``blind``).
        form: Version.
    """

    columns: tuple[Column, ...]
    weights: tuple[float, ...]
    classes: tuple[str, str]
    method: Method
    aim: Aim
    protected: str
    groups: tuple[str, ...]
    cuts: tuple[float, ...] = ()
    telling: tuple[tuple[float, ...], ...] = ()
    multipliers: tuple[float, ...] = ()
    base: tuple[float, ...] = ()
    form: int = _FORM


@dataclass(frozen=True)
class Scorer:
    """A stored model at work: what ``model.factory`` of a manifest returns."""

    model: Model

    @property
    def classes_(self) -> np.ndarray:
        """Labels, the favourable one last."""
        return np.array(self.model.classes, dtype=object)

    def predict_proba(self, frame: pd.DataFrame) -> np.ndarray:
        """Return (n, 2) scores that sum to 1; the favourable answer is given from one half on."""
        inputs = matrix(frame, self.model.columns)
        score = _sigmoid(inputs, np.array(self.model.weights))
        if self.model.method == "blind":
            chance = _softmax(inputs, np.array(self.model.telling))
            found = np.array(self.model.multipliers), np.array(self.model.base)
            score = np.clip(blind.moved(score, chance, found, self.model.aim), 0.0, 1.0)
        if self.model.cuts:
            codes = codes_of(frame[self.model.protected], self.model.groups)
            cut = np.append(np.array(self.model.cuts), 0.5)[codes]
            score = np.clip(score - cut + 0.5, 0.0, 1.0)
        return np.column_stack([1 - score, score])

    def predict(self, frame: pd.DataFrame) -> np.ndarray:
        """Return (n,) labels."""
        return np.asarray(self.classes_[(self.predict_proba(frame)[:, 1] >= 0.5).astype(int)])


def read(raw: bytes) -> Scorer:
    """Return the model of a file that ``fivefold model train --fair`` wrote.

    Raises:
        InputError: ``fair.model`` if it is none, or of another version.
    """
    try:
        model = msgspec.json.decode(raw, type=Model)
    except (msgspec.DecodeError, UnicodeError) as error:
        raise InputError("fair.model", "this is no model that was trained with --fair.",
                         remedy="Train it again: fivefold model train --fair METHOD.") from error  # fmt: skip
    if model.form != _FORM:
        raise InputError("fair.model", f"the model is of form {model.form}, this version reads {_FORM}.",
                         remedy="Train it again.")  # fmt: skip
    return Scorer(model)


def write(model: Model) -> bytes:
    """Return a model as JSON."""
    return json.dumps(msgspec.to_builtins(model), indent=1, sort_keys=True).encode() + b"\n"


def codes_of(column: pd.Series, groups: tuple[str, ...]) -> np.ndarray:
    """Return (n,) positions of values, as text, among groups; one past the last for any other."""
    text = column.astype(str).where(column.notna(), "").to_numpy(dtype=object)
    place = {name: at for at, name in enumerate(groups)}
    return np.array([place.get(value, len(groups)) for value in text], dtype=np.int64)


@dataclass(frozen=True)
class Lesson:
    """What is learned from.

    Attributes:
        features: (n, d) what the model may see.
        truth: (n,) 0 or 1.
        group: (n,) protected column.
        classes: Labels of the other and of the favourable class.
    """

    features: pd.DataFrame
    truth: np.ndarray
    group: pd.Series
    classes: tuple[str, str]


def learn(given: Lesson, method: Method, aim: Aim, rng: np.random.Generator) -> Model:
    """Learn a logistic regression by a method.

    Limit: linear in what it sees; groups rarer than 1 in 50 are left as they are.

    Args:
        given: Rows, truth, groups.
        method: ``none``: as usual; ``reweigh``: rows weighed; ``constraints``: exponentiated gradient; ``thresholds``:
            own thresholds of the groups; ``blind``: correction by what the features tell of the group.
        aim: What is to be alike.
        rng: Deals the folds of ``thresholds`` and ``blind``, which look at scores of rows that were not learned from.

    Raises:
        InputError: ``fair.groups`` without two groups of at least 1 in 50; ``fair.truth`` with one class alone.
    """
    text = given.group.astype(str).where(given.group.notna(), "")
    counts = text.value_counts()
    groups = tuple(str(name) for name in counts.index[counts >= len(text) / 50][:20])
    codes = codes_of(given.group, groups)
    if len(groups) < 2:
        raise InputError("fair.groups", f"{given.group.name} has no two groups that are large enough.")
    if len(np.unique(given.truth)) < 2:
        raise InputError("fair.truth", "all rows have the same truth.", remedy="Bring rows of both classes.")
    columns = learned(given.features, list(map(str, given.features.columns)))
    inputs = matrix(given.features, columns)
    known = codes < len(groups)
    plain = Model(columns=columns, weights=(), classes=given.classes, method=method, aim=aim,
                  protected=str(given.group.name), groups=groups)  # fmt: skip
    if method == "reweigh":
        weight = np.ones(len(codes))
        weight[known] = reweighed(codes[known], given.truth[known])
        return _with(plain, logistic(inputs, given.truth, weight))
    if method == "constraints":
        best = constrained(_Linear(inputs[known]), given.truth[known], codes[known], aim)
        return _with(plain, cast("_Fitted", best).weights)
    usual = _with(plain, logistic(inputs, given.truth))
    if method == "none":
        return usual
    score, chance = np.zeros(len(codes)), np.zeros((len(codes), len(groups)))
    fold = rng.permutation(len(codes)) % _FOLDS
    for at in range(_FOLDS):
        train, rest = fold != at, fold == at
        score[rest] = _sigmoid(inputs[rest], logistic(inputs[train], given.truth[train]))
        chance[rest] = _softmax(inputs[rest], telling(inputs[train & known], codes[train & known], len(groups)))
    if method == "thresholds":
        cuts = thresholds.by_group(score[known], given.truth[known], codes[known], aim)
        return msgspec.structs.replace(usual, cuts=tuple(map(float, cuts)))
    found, base = blind.multipliers(score[known], chance[known], given.truth[known], codes[known], aim)
    tells = telling(inputs[known], codes[known], len(groups))
    return msgspec.structs.replace(
        usual, telling=tuple(tuple(map(float, row)) for row in tells), multipliers=tuple(map(float, found)),
        base=tuple(map(float, base)),
    )  # fmt: skip


def _with(model: Model, weights: np.ndarray) -> Model:
    return msgspec.structs.replace(model, weights=tuple(map(float, weights)))


@dataclass(frozen=True)
class _Fitted:
    """Weights, and the scores they give to the rows they were learned from."""

    weights: np.ndarray
    inputs: np.ndarray

    def __call__(self) -> np.ndarray:
        return _sigmoid(self.inputs, self.weights)


@dataclass(frozen=True)
class _Linear:
    """The learner of the reductions: a logistic regression of fixed rows."""

    inputs: np.ndarray

    def __call__(self, truth: np.ndarray, weight: np.ndarray) -> Callable[[], np.ndarray]:
        return _Fitted(logistic(self.inputs, truth, weight), self.inputs)


def logistic(inputs: np.ndarray, truth: np.ndarray, weight: np.ndarray | None = None) -> np.ndarray:
    """Return (w + 1,) weights of a logistic regression, the intercept last (ridge of 1, scikit-learn's solver)."""
    from sklearn.linear_model import LogisticRegression

    if len(np.unique(truth)) < 2:
        return np.append(np.zeros(inputs.shape[1]), 20.0 if truth.mean() > 0.5 else -20.0)
    model = LogisticRegression(C=_PENALTY, max_iter=500).fit(inputs, truth, sample_weight=weight)
    return np.append(model.coef_[0], model.intercept_[0])


def telling(inputs: np.ndarray, codes: np.ndarray, groups: int) -> np.ndarray:
    """Return (G, w + 1) weights of a multinomial regression of the group."""
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(C=_PENALTY, max_iter=500).fit(inputs, codes)
    found = np.column_stack([model.coef_, model.intercept_])
    if len(found) == 1:  # two groups: one row of weights, for the second
        found = np.vstack([np.zeros_like(found), found])
    made = np.zeros((groups, found.shape[1]))
    made[:, -1] = -30.0
    made[model.classes_] = found
    return made


def _sigmoid(inputs: np.ndarray, weights: np.ndarray) -> np.ndarray:
    return np.asarray(1 / (1 + np.exp(-np.clip(inputs @ weights[:-1] + weights[-1], -30, 30))))


def _softmax(inputs: np.ndarray, weights: np.ndarray) -> np.ndarray:
    level = inputs @ weights[:, :-1].T + weights[:, -1]
    odds = np.exp(level - level.max(axis=1, keepdims=True))
    return np.asarray(odds / odds.sum(axis=1, keepdims=True))
