"""The office: households that were visited, those that ask, and who gets support by a model learned from the visits."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from sklearn.linear_model import LogisticRegression

VISITED, ASKING = 3_000, 1_000
TARGET = "need"
"""Whether the visit found need."""
DISTRICTS = np.array(["Harbour", "Hill", "Mill", "North", "Old Town", "Station"], dtype=object)
_HEALTH = np.array(["", "ill", "disabled"], dtype=object)
_USUAL = {"adults": 2, "children": 1, "income": 1500, "rent": 680, "debts": 1500, "waiting": 6}
_WORDS = {"district": DISTRICTS, "health": _HEALTH[1:]}
_DAY = np.datetime64("2025-01-02")


def households(n: int, rng: np.random.Generator) -> pd.DataFrame:
    """Draw n households in the order of their filing, with what a visit found.

    Args:
        n: How many.
        rng: Draws them.

    Returns:
        ``adults``, ``children``; ``income``, ``rent`` (both a month, sometimes missing), ``debts``; months of
        ``waiting``; ``district``, ``health`` (missing: nothing said), ``filed``; ``need``, 0 or 1.
    """
    adults, children = rng.integers(1, 4, n), rng.poisson(1.1, n)
    income = np.exp(7.2 + 0.25 * np.log(adults) + 0.45 * rng.normal(size=n)).round(2)
    rent = (420 + 90 * adults + 70 * children + 130 * rng.normal(size=n)).clip(150).round(2)
    debts = np.where(rng.random(n) < 0.4, np.exp(7.5 + 0.9 * rng.normal(size=n)), 0).round(2)
    health = _HEALTH[rng.choice(3, n, p=[0.78, 0.15, 0.07])]
    waiting = rng.gamma(2.0, 3.0, n).round(1)
    pressed = 3.2 * (rent / income - 0.5) + 0.55 * children + 0.00012 * debts + 0.8 * (health != "") - 1.1
    need = (rng.random(n) < 1 / (1 + np.exp(-1.6 * pressed))).astype(int)
    filed = _DAY + np.sort(rng.integers(0, 500, n)).astype("timedelta64[D]")
    return pd.DataFrame({
        "filed": pd.Series(filed).dt.date, "district": DISTRICTS[rng.integers(0, len(DISTRICTS), n)],
        "adults": adults, "children": children, "income": np.where(rng.random(n) < 0.06, np.nan, income),
        "rent": np.where(rng.random(n) < 0.03, np.nan, rent), "debts": debts, "waiting": waiting,
        "health": pd.Series(health).where(health != "", None), TARGET: need,
    })  # fmt: skip


def learned(rows: pd.DataFrame) -> LogisticRegression:
    """Return what the office learns from visited households: a logistic regression over all columns but the date."""
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(max_iter=500).fit(_told(rows), rows[TARGET])


def granted(model: LogisticRegression, rows: pd.DataFrame) -> np.ndarray:
    """Return (n,) bool: who gets support."""
    return np.asarray(model.predict(_told(rows)) == 1)


def _told(rows: pd.DataFrame) -> np.ndarray:
    """Return (n, 14) what a model reads of households: numbers in usual amounts, usual where missing, and words."""
    numbers = [rows[name].fillna(usual).to_numpy() / usual for name, usual in _USUAL.items()]
    words = [(rows[name] == word).to_numpy() for name, told in _WORDS.items() for word in told]
    return np.column_stack([*numbers, *words]).astype(float)
