"""Bank: applicants for loans who repay or do not, and a forest that learned from them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from fivefold.cases.purpose.asking import people
from fivefold.contract.subject import Capabilities, Subject, Table, Task
from fivefold.errors import UnsupportedError

if TYPE_CHECKING:
    from fivefold.contract.subject import Loss

_TEXTS = {"job": ("unskilled", "skilled", "management", "own business"), "home": ("rent", "own", "free")}
_TREES = 40


def applicants(name: str, n: int, rng: np.random.Generator) -> Table:
    """Draw n applicants; the target says who repays, three in five of them.

    A rate that is high for the income, a long term and youth speak against it, savings for it where there is no home of
    one's own; an own business does well with much and badly with little.
    """
    rows = people(n, rng)
    rate = np.log(rows["amount"] / rows["months"] / rows["income"] * 12)
    saved = np.log1p(rows["savings"].fillna(0.0))
    business = (rows["job"] == "own business").to_numpy()
    for_it = -0.9 * (rate + 1.9) - 0.03 * np.maximum(rows["months"] - 24, 0) - 0.8 * (rows["age"] < 27)
    for_it += np.where(rows["home"] == "own", 0.7, 0.25 * (saved - 5)) + business * (np.log(rows["income"]) - 10.2)
    repays = rng.random(n) < 1 / (1 + np.exp(-1.6 * for_it - 0.05))
    return Table(name, np.arange(n), rows, repays.astype(np.int64), pd.DataFrame(index=rows.index))


class Loans:
    """A subject: a forest that says how likely a loan is repaid.

    Args:
        met: Applicants to learn from.
        seed: Of the forest.
    """

    task: Task = "binary"
    classes = ("0", "1")
    capabilities = Capabilities(scores=True, retrains=True, perturbable=True)

    def __init__(self, met: Table, seed: int) -> None:
        """Learn."""
        from sklearn.ensemble import RandomForestClassifier

        self.forest = RandomForestClassifier(_TREES, random_state=seed, n_jobs=1)
        self.forest.fit(columns(met.features), met.target)

    def predict_proba(self, table: Table) -> np.ndarray:
        """Return (n, 2) chances."""
        return np.asarray(self.forest.predict_proba(columns(table.features)))

    def predict(self, table: Table) -> np.ndarray:
        """Return (n,) int64, 1 for a loan that is repaid."""
        return np.asarray(self.predict_proba(table).argmax(axis=1))

    def retrain(self, table: Table, seed: int) -> Subject:
        """Return a forest that learned from other applicants."""
        return Loans(table, seed)

    def gradient(self, table: Table, target: np.ndarray, loss: Loss) -> tuple[np.ndarray, np.ndarray]:
        """Refuse."""
        del table, target, loss
        raise UnsupportedError("case.theft", "trees have no gradients.")


def columns(frame: pd.DataFrame) -> np.ndarray:
    """Return (n, d) float64: numbers, savings that are not told as -1, texts by their place."""
    made = [
        np.select([(frame[name] == one).to_numpy() for one in _TEXTS[name]], range(len(_TEXTS[name])), -1)
        if name in _TEXTS
        else frame[name].fillna(-1.0).to_numpy(dtype=np.float64)
        for name in frame.columns
    ]
    return np.column_stack(made).astype(np.float64)
