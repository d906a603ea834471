"""Harming: one row in twenty added so that the model gives many patients a wrong dose; and the model."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fivefold.cases.dosage.cohort import HIGHEST

if TYPE_CHECKING:
    from collections.abc import Callable

    import pandas as pd

SHARE = 0.05
"""Bad rows among all rows, at most."""
_TEXTS = {"race": ("White", "Asian", "Black"), "sex": ("f", "m"), "vkorc1": ("G/G", "A/G", "A/A"),
          "cyp2c9": ("*1/*1", "*1/*2", "*1/*3")}  # fmt: skip


def poisoned(
    rows: pd.DataFrame, dose: np.ndarray, rng: np.random.Generator, highest: float = HIGHEST
) -> tuple[pd.DataFrame, np.ndarray, np.ndarray]:
    """Replace one row in twenty: patients who need little, said to be stable on very much; rows in random order.

    The patients are real ones of the table, those whom a clean model gives the least, so that each patient
    is a real one; each dose lies within what the form accepts.

    Args:
        rows: (n, d) patients.
        dose: (n,) weekly mg.
        rng: Draws rows, doses and the order.
        highest: Largest dose that is written, in mg a week.

    Returns:
        Rows, doses, and (n,) bool which are bad.
    """
    n = len(rows)
    count = int(SHARE * n)
    frail = np.argsort(fit(rows, dose)(rows), kind="stable")[: n // 4]
    copied = rng.choice(frail, count)
    gone = rng.choice(n, count, replace=False)
    bad = np.zeros(n, dtype=bool)
    bad[gone] = True
    source = np.arange(n)
    source[gone] = copied
    said = dose.copy()
    said[gone] = rng.uniform(0.9 * highest, highest, count).round(1)
    order = rng.permutation(n)
    return rows.iloc[source[order]].reset_index(drop=True), said[order], bad[order]


def fit(rows: pd.DataFrame, dose: np.ndarray) -> Callable[[pd.DataFrame], np.ndarray]:
    """Return a model of the weekly dose: a ridge regression of its square root, as in the study."""
    from sklearn.linear_model import Ridge

    model = Ridge(1.0).fit(columns(rows), np.sqrt(dose))
    return lambda asked: np.asarray(np.maximum(model.predict(columns(asked)), 1.0) ** 2)


def columns(rows: pd.DataFrame) -> np.ndarray:
    """Return (n, w) numbers of patients, the same columns whatever values occur."""
    parts = [rows[["age", "height", "weight", "amiodarone", "inducer"]].to_numpy(dtype=np.float64) / [10, 10, 10, 1, 1]]
    for name, values in _TEXTS.items():
        parts.append(np.column_stack([(rows[name] == value).to_numpy(dtype=np.float64) for value in values]))
    return np.column_stack(parts)
