"""Learning: models of the weekly dose, one that remembers its patients and one that is learned privately."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from fivefold.cases.dosage.cohort import LOWEST, NOISE
from fivefold.cases.dosage.harming import columns
from fivefold.protection.theft.shaping import Shaping
from fivefold.sharing.privacy import noise, training

if TYPE_CHECKING:
    from collections.abc import Callable

    import pandas as pd

    Model = Callable[[pd.DataFrame], np.ndarray]
    """Gives (n,) weekly doses in mg."""

CUT = 30.0
"""Weekly mg; the private model learns who needs more."""
EPSILON, DELTA = 1.0, 1e-6
"""What the private training may cost."""
STEP = 10.0
"""Weekly mg of the interval whose middle is told as a coarse dose."""
EXACT, COARSE = Shaping(decimals=1), Shaping(step=STEP)
"""A dose as it is written down, and a coarse one."""
SPREAD = NOISE * np.sqrt(3) / np.pi
"""Of a logistic law as wide as the noise that the study reports of the root of the dose."""
_TREES = 100
_NO_IDS = np.zeros((0, 2), dtype=np.uint64)  # only noise needs them
_FINE = 1 << 12  # weights are multiples of 2^-12
COLUMNS: dict[str, dict[str, Any]] = {
    "age": {"bounds": [30, 90]}, "height": {"bounds": [150, 190]}, "weight": {"bounds": [40, 120]},
    "race": {"values": ["White", "Asian", "Black"]}, "vkorc1": {"values": ["G/G", "A/G", "A/A"]},
    "cyp2c9": {"values": ["*1/*1", "*1/*2", "*1/*3"]}, "amiodarone": {"values": [True]}, "inducer": {"values": [True]},
}  # fmt: skip
"""Bounds and domains, which anybody may know."""


def declared(epsilon: float = EPSILON) -> dict[str, Any]:
    """Return the private training as a manifest declares it."""
    return {"target": "more", "positive": "yes", "steps": 80, "loss": {"epsilon": epsilon, "delta": DELTA},
            "columns": COLUMNS}  # fmt: skip


def forest(rows: pd.DataFrame, dose: np.ndarray, rng: np.random.Generator) -> Model:
    """Return a forest as its library sets it: trees grown to the end, of which most have seen each patient."""
    from sklearn.ensemble import RandomForestRegressor

    seed = int(rng.integers(2**31))
    model = RandomForestRegressor(_TREES, random_state=seed, n_jobs=1).fit(columns(rows), np.sqrt(dose))
    return lambda asked: np.asarray(model.predict(columns(asked)) ** 2)


def private(rows: pd.DataFrame, dose: np.ndarray, rng: np.random.Generator, epsilon: float = EPSILON) -> Model:
    """Return a model whose weights come of the product's private logistic regression: does one need more than 30 mg?

    Where the root of the dose is a line and noise, the odds of being above a cut say how far the line is from it:
    root = root(cut) + spread * log odds, with the spread from the study and not from the rows.

    Args:
        rows: (n, d) patients.
        dose: (n,) weekly mg.
        rng: Stands for the cryptographic source, so that the case can be repeated.
        epsilon: What it costs, with :data:`DELTA`.
    """
    found = model_of(rows, dose, rng, epsilon)
    return lambda asked: doses(training.predict(found, asked))


def model_of(
    rows: pd.DataFrame, dose: np.ndarray, rng: np.random.Generator, epsilon: float = EPSILON
) -> dict[str, Any]:
    """Return what :func:`private` learns, as `fivefold model train --private` would write it."""
    made = training.plan(training.read(declared(epsilon)))
    weights = training.descend(made, *training.encoded(made.training, [lesson(rows, dose)]), noise.seeded(rng))
    return {**declared(epsilon), "weights": (weights / _FINE).tolist()}


def lesson(rows: pd.DataFrame, dose: np.ndarray) -> pd.DataFrame:
    """Return patients and whether each needs more than :data:`CUT`."""
    return rows.assign(more=np.where(dose > CUT, "yes", "no"))


def doses(chance: np.ndarray) -> np.ndarray:
    """Return (n,) weekly doses in mg of patients who need more than :data:`CUT` with that chance."""
    chance = np.clip(chance, 1e-9, 1 - 1e-9)
    root = np.sqrt(CUT) + SPREAD * (np.log(chance) - np.log1p(-chance))
    return np.asarray(np.maximum(root, np.sqrt(LOWEST)) ** 2)


def told(model: Model, shaping: Shaping) -> Model:
    """Return a model whose doses are told as the control P2 lets them out."""
    return lambda asked: shaping.values(model(asked), _NO_IDS, 1.0)
