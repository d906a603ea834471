"""Subjects of E4.fooling: honest models of many kinds over columns that go together, and models with two faces."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy.special import ndtri

from fivefold.contract.subject import Capabilities, SettingsView, Subject, Table
from fivefold.errors import UnsupportedError
from fivefold.explanation.measured import faces

from .entry import Entry
from .floors import floors
from .subjects import context, table

if TYPE_CHECKING:
    from collections.abc import Callable

    from fivefold.contract.check import Context

CHECK = "E4.fooling"
DETECTED = 0.85
"""Share of unseen real rows, and of unseen perturbed ones, that a planted detector knows for what they are at least."""
_TRAIN = 2000


@dataclass
class Answering:
    """A model over numbers: (n, 2) chances of a function of them."""

    chance: Callable[[np.ndarray], np.ndarray]
    scored: bool = True
    task = "binary"
    classes = ("no", "yes")

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(scores=self.scored, retrains=False, perturbable=True)

    def predict_proba(self, asked: Table) -> np.ndarray:
        one = np.clip(self.chance(asked.features.to_numpy(dtype=float)), 0, 1)
        return np.column_stack([1 - one, one])

    def predict(self, asked: Table) -> np.ndarray:
        return (self.predict_proba(asked)[:, 1] > 0.5).astype(np.int64)

    def retrain(self, asked: Table, seed: int) -> Subject:
        raise UnsupportedError("test.retrain", "no training.")


def numbers(rng: np.random.Generator, n: int, columns: int, together: float) -> np.ndarray:
    """Return (n, d) cells of factors: normal, log-normal, whole and of two values.

    Args:
        rng: Draws.
        n: Rows.
        columns: d.
        together: Share of each column's variation that is shared.
    """
    factors = max(1, columns // 3)
    load = rng.normal(size=(factors, columns))
    load /= np.sqrt((load**2).sum(axis=0))
    plain = np.sqrt(together) * rng.normal(size=(n, factors)) @ load
    plain += np.sqrt(1 - together) * rng.normal(size=(n, columns))
    kind, cut = rng.random(columns), 0.5 * rng.normal(size=columns)
    made = np.where(kind < 0.25, plain > cut, np.where(kind < 0.4, np.digitize(plain, [-1, 0, 1]), plain))
    return np.where(kind > 0.8, np.exp(made), made)


def _learned(rng: np.random.Generator, kind: str, cells: np.ndarray) -> Any:
    from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.neural_network import MLPClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.tree import DecisionTreeClassifier

    scaled = StandardScaler().fit_transform(cells)
    score = scaled @ rng.normal(size=cells.shape[1]) + scaled[:, 0] * scaled[:, -1] * rng.normal()
    score += np.sin(2 * scaled[:, 1]) * rng.normal()
    told = score + 0.3 * score.std() * rng.normal(size=len(score)) > np.median(score)
    seed = int(rng.integers(2**31))
    made = {
        "linear": make_pipeline(StandardScaler(), LogisticRegression()),
        "tree": DecisionTreeClassifier(min_samples_leaf=5, random_state=seed),
        "forest": RandomForestClassifier(30, min_samples_leaf=2, random_state=seed, n_jobs=1),
        "boosting": HistGradientBoostingClassifier(max_iter=60, random_state=seed, early_stopping=False),
        "net": make_pipeline(StandardScaler(), MLPClassifier((24, 24), max_iter=30, random_state=seed)),
    }[kind]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a net that has not converged is a model as well
        return made.fit(cells, told)


def honest(seed: int, kind: str, *, scored: bool = True, rows: int = 1000) -> Context:
    """Build a model that learned from rows like those it is asked, 3 to 24 columns, shared by 0 to 0.95."""
    rng = np.random.default_rng([seed, 0])
    columns, together = int(rng.integers(3, 25)), rng.uniform(0, 0.95)
    cells = numbers(rng, _TRAIN + rows, columns, together)
    model = _learned(rng, kind, cells[:_TRAIN])
    return _given(Answering(lambda asked: model.predict_proba(asked)[:, 1], scored), cells[_TRAIN:], seed)


def two_faced(seed: int, kind: str, *, scored: bool = True, rows: int = 1000, learned: bool = False) -> Context:
    """Build a model as Slack et al. do: one column decides for rows that look real, another one for the others.

    Args:
        seed: Decides everything.
        kind: Which perturbed rows its detector learned (:data:`faces.KINDS`).
        scored: Gives chances.
        rows: Test rows.
        learned: Both faces are boosted trees in place of steps.
    """
    from sklearn.discriminant_analysis import QuadraticDiscriminantAnalysis

    rng = np.random.default_rng([seed, 1])
    columns, together = int(rng.integers(6, 20)), rng.uniform(0.4, 0.9)
    while True:
        cells = numbers(rng, _TRAIN + rows, columns, together)
        known = cells[:_TRAIN]
        ordered = np.sort(known, axis=0)

        def normal(asked: np.ndarray, ordered: np.ndarray = ordered) -> np.ndarray:
            rank = [np.searchsorted(ordered[:, at], asked[:, at], side) for at in range(asked.shape[1])
                    for side in ("left", "right")]  # fmt: skip
            share = np.column_stack(rank).reshape(len(asked), -1, 2).mean(axis=2) / _TRAIN
            return np.asarray(ndtri(np.clip(share, 0.5 / _TRAIN, 1 - 0.5 / _TRAIN)))

        around = _perturbed(known, kind, 2 * _TRAIN, rng)
        both = np.vstack([normal(known), normal(around)])
        detector = QuadraticDiscriminantAnalysis(reg_param=0.02).fit(both, np.arange(len(both)) < _TRAIN)
        cut = float(np.quantile(detector.decision_function(normal(known)), 0.1))
        real = detector.decision_function(normal(cells[_TRAIN:])) >= cut
        unreal = detector.decision_function(normal(_perturbed(cells[_TRAIN:], kind, 1000, rng))) < cut
        if min(real.mean(), unreal.mean()) >= DETECTED:
            break
        columns, together = min(columns + 1, 20), min(together + 0.03, 0.98)
    one, other = (_deciding(rng, known, at, learned=learned) for at in rng.choice(columns, 2, replace=False))

    def chance(asked: np.ndarray) -> np.ndarray:
        return np.where(detector.decision_function(normal(asked)) >= cut, one(asked), other(asked))

    return _given(Answering(chance, scored), cells[_TRAIN:], seed)


def _perturbed(cells: np.ndarray, kind: str, m: int, rng: np.random.Generator) -> np.ndarray:
    ranks = pd.DataFrame(cells).rank().to_numpy() / (len(cells) + 1)
    return cells[faces.PERTURB[kind](ranks, m, rng), np.arange(cells.shape[1])]


def _deciding(
    rng: np.random.Generator, cells: np.ndarray, at: int, *, learned: bool
) -> Callable[[np.ndarray], np.ndarray]:
    if learned:
        model = _learned(rng, "boosting", cells)
        return lambda asked: model.predict_proba(asked)[:, 1]
    cut = np.median(cells[:, at])
    strict = (cells[:, at] >= cut).mean() > 0.9
    return lambda asked: ((asked[:, at] > cut) if strict else (asked[:, at] >= cut)).astype(float)


def _given(model: Answering, cells: np.ndarray, seed: int) -> Context:
    frame = pd.DataFrame(cells, columns=[f"c{at}" for at in range(cells.shape[1])])
    test = table("test", frame, np.zeros(len(frame), dtype=np.int64))
    return context(
        CHECK, model, {"test": test}, seed, thresholds=floors(CHECK), settings=SettingsView(),  # type: ignore[arg-type]
        effort="quick",
    )  # fmt: skip


HONEST = ("linear", "tree", "forest", "boosting", "net")

ENTRY = Entry(
    check=CHECK,
    documented="one column decides for rows that a detector takes for real, another one for others; the detector knows "
    "at least 85 % of unseen real rows and of unseen perturbed ones; 1,000 rows, effort quick",
    planted={kind: partial(two_faced, kind=kind) for kind in faces.KINDS}
    | {f"{kind}, labels": partial(two_faced, kind=kind, scored=False) for kind in faces.KINDS},
    clean={kind: partial(honest, kind=kind) for kind in HONEST}
    | {f"{kind}, labels": partial(honest, kind=kind, scored=False) for kind in ("linear", "boosting")},
    small={"80 rows": partial(two_faced, kind=faces.KINDS[0], rows=80)},
    shown={
        "both faces learned": partial(two_faced, kind=faces.KINDS[0], learned=True),
        **{f"{kind}, labels": partial(honest, kind=kind, scored=False) for kind in ("tree", "forest")},
    },
    thinned=6,
)
