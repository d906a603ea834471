"""Subjects of P3.membership: a model that knows its training rows by a margin of known strength.

The log odds of the true class are normal, N(m, s^2), on rows the model has not seen, and larger by c on its training
rows; the loss then tells members apart with AUC = Phi(c / (s sqrt 2)), so c follows from the AUC wanted.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import expit, ndtri

from fivefold.contract.subject import Capabilities, SettingsView, Subject, Table, Task
from fivefold.errors import UnsupportedError

from .entry import Entry
from .floors import floors
from .subjects import context, filler, table

if TYPE_CHECKING:
    from fivefold.contract.check import Context

CHECK = "P3.membership"


@dataclass(frozen=True)
class Memoriser:
    """A model with a margin per known row, recognised by one column, larger for the rows that it was trained on.

    Attributes:
        key: Name of a column of distinct numbers.
        keys: (N,) sorted keys of all rows in the world.
        truth: (N,) class of each.
        margin: (N,) log odds of the true class on unseen rows.
        members: (N,) bool.
        boost: What membership adds.
        spread: Standard deviation of the noise that one training adds.
        seed: Of the training.
        can_retrain: Whether the application names a training factory.
    """

    key: str
    keys: np.ndarray
    truth: np.ndarray
    margin: np.ndarray
    members: np.ndarray
    boost: float
    spread: float
    seed: int
    can_retrain: bool

    @property
    def task(self) -> Task:
        return "binary"

    @property
    def classes(self) -> tuple[str, ...]:
        return ("no", "yes")

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(scores=True, retrains=self.can_retrain, perturbable=True)

    def predict_proba(self, asked: Table) -> np.ndarray:
        values = asked.features[self.key].to_numpy(dtype=float)
        place = np.clip(np.searchsorted(self.keys, values), 0, len(self.keys) - 1)
        # rows that are not in the world are nobody's: the nearest row's margin, never its membership
        known = self.keys[place] == values
        noise = np.random.default_rng(self.seed).normal(0, self.spread, len(self.keys))[place]
        odds = self.margin[place] + noise + self.boost * (self.members[place] & known)
        share = expit(np.where(self.truth[place] == 1, odds, -odds))
        return np.column_stack([1 - share, share])

    def predict(self, asked: Table) -> np.ndarray:
        return self.predict_proba(asked).argmax(axis=1)

    def retrain(self, asked: Table, seed: int) -> Subject:
        if not self.can_retrain:
            raise UnsupportedError("test.retrain", "no training factory.")
        members = np.isin(self.keys, asked.features[self.key].to_numpy(dtype=float))
        return replace(self, members=members, seed=seed)


def build(seed: int, *, auc: float = 0.5, rows: int = 4000, retrains: bool | None = None) -> Context:
    """Build one subject.

    Args:
        seed: Decides everything that is not given.
        auc: AUC of the loss between members and others.
        rows: Training rows; as many test rows.
        retrains: Whether shadow models are possible; None: drawn.
    """
    rng = np.random.default_rng([seed, 0])
    total = 2 * rows
    frame = filler(rng, total, int(rng.integers(3, 12)))
    keys = np.sort(rng.normal(size=total))
    frame.insert(0, "key", keys)
    truth = (rng.random(total) < rng.uniform(0.2, 0.5)).astype(np.int64)
    middle, width = float(rng.uniform(0.8, 2.5)), float(rng.uniform(0.8, 2.0))
    can = bool(rng.random() < 0.5) if retrains is None else retrains
    # shadow models learn a row's own difficulty; what they cannot learn carries the AUC then
    noise = width * (0.95 if can else 0.3)
    margin = rng.normal(middle, np.sqrt(width**2 - noise**2), total)
    chosen = rng.permutation(total)
    inner, outer = np.sort(chosen[:rows]), np.sort(chosen[rows:])
    members = np.isin(np.arange(total), inner)
    boost = float(np.sqrt(2) * width * ndtri(auc))
    subject = Memoriser("key", keys, truth, margin, members, boost, noise, seed, can)

    def part(name: str, where: np.ndarray) -> Table:
        return table(name, frame.iloc[where].reset_index(drop=True), truth[where])

    return context(
        CHECK,
        subject,
        {"train": part("train", inner), "test": part("test", outer)},
        seed,
        thresholds=floors(CHECK),
        settings=SettingsView(),
    )


ENTRY = Entry(
    check=CHECK,
    documented="a model that memorises its training rows so that the best attack on its losses has AUC 0.70",
    planted={
        "without retraining": partial(build, auc=0.7, retrains=False),
        "with shadow models": partial(build, auc=0.7, retrains=True),
    },
    clean={
        "nothing memorised, without retraining": partial(build, retrains=False),
        "nothing memorised, with shadow models": partial(build, retrains=True),
    },
    between={f"AUC {auc:.2f}": partial(build, auc=auc) for auc in (0.62, 0.64, 0.66, 0.68)},
    small={"100 rows, AUC 0.70": partial(build, auc=0.7, rows=100)},
    shown={"AUC 0.55": partial(build, auc=0.55)},
)
