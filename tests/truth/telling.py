"""Subjects of P3.attribute: models that fit the truth best with the true attribute, for a known share of their rows."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import expit

from fivefold.contract.subject import Capabilities, SettingsView, Subject, Table, Task
from fivefold.errors import UnsupportedError

from .entry import Entry
from .floors import floors
from .subjects import context, filler, table

if TYPE_CHECKING:
    from fivefold.contract.check import Context

CHECK = "P3.attribute"


@dataclass(frozen=True)
class Teller:
    """A model whose odds of the truth rise where the asked attribute is the person's own.

    Attributes:
        key: Column of distinct numbers that names the row.
        keys: (N,) sorted keys.
        truth: (N,) class.
        odds: (N,) log odds of the truth as they are.
        own: (N,) the person's own attribute.
        remembered: (N,) bool, rows that were remembered.
        weight: What the attribute adds for everybody who has the first value.
        scores: Whether probabilities are given.
    """

    key: str
    keys: np.ndarray
    truth: np.ndarray
    odds: np.ndarray
    own: np.ndarray
    remembered: np.ndarray
    weight: float
    scores: bool

    @property
    def task(self) -> Task:
        return "binary"

    @property
    def classes(self) -> tuple[str, ...]:
        return ("no", "yes")

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(scores=self.scores, retrains=False, perturbable=True)

    def predict_proba(self, asked: Table) -> np.ndarray:
        at = np.clip(np.searchsorted(self.keys, asked.features[self.key].to_numpy()), 0, len(self.keys) - 1)
        said = asked.features["hidden"].to_numpy(dtype=object).astype(str)
        odds = self.odds[at] + self.weight * (said == "v0") + 4.0 * (self.remembered[at] & (said == self.own[at]))
        share = expit(np.where(self.truth[at] == 1, odds, -odds))
        return np.column_stack([1 - share, share])

    def predict(self, asked: Table) -> np.ndarray:
        return self.predict_proba(asked).argmax(axis=1)

    def retrain(self, asked: Table, seed: int) -> Subject:
        raise UnsupportedError("test.retrain", "no training.")


def build(
    seed: int, *, share: float = 0.0, rows: int = 1200, scores: bool = True, linked: bool | None = None
) -> Context:
    """Build one subject.

    Args:
        seed: Decides everything that is not given.
        share: Share of training rows whose attribute the model remembers.
        rows: Training rows; a third as many test rows.
        scores: Whether the model gives probabilities.
        linked: Whether the attribute hangs on another column and the truth, so that it can be guessed without the
            model; None: drawn.
    """
    rng = np.random.default_rng([seed, 0])
    total = rows + rows // 3
    frame = filler(rng, total, int(rng.integers(2, 7)))
    keys = np.sort(rng.normal(size=total))
    frame.insert(0, "key", keys)
    frame["beside"] = rng.normal(size=total)
    truth = (rng.random(total) < rng.uniform(0.3, 0.5)).astype(np.int64)
    levels = int(rng.integers(2, 5))
    hang = bool(rng.random() < 0.5) if linked is None else linked
    pull = np.zeros((total, levels))
    if hang:
        pull[:, 0] = 1.0 * frame["beside"] + 1.0 * truth
    own = np.array([f"v{at}" for at in (pull + rng.gumbel(size=pull.shape)).argmax(axis=1)], dtype=object)
    frame["hidden"] = own
    place = np.sort(rng.permutation(total)[:rows])
    member = np.zeros(total, dtype=bool)
    member[place] = True
    subject = Teller(
        "key", keys, truth, rng.normal(0.5, 1.0, total), own, member & (rng.random(total) < share),
        float(rng.normal(0, 0.5)), scores,
    )  # fmt: skip
    parts = {
        name: table(name, frame[where].reset_index(drop=True), truth[where])
        for name, where in (("train", member), ("test", ~member))
    }
    return context(CHECK, subject, parts, seed, thresholds=floors(CHECK), settings=SettingsView(personal=("hidden",)))


ENTRY = Entry(
    check=CHECK,
    documented="a model that remembers the attribute of 60 % of its 1,200 training rows",
    planted={
        "an attribute by itself": partial(build, share=0.6, linked=False),
        "an attribute that hangs on others": partial(build, share=0.6, linked=True),
    },
    clean={
        "nothing remembered, by itself": partial(build, linked=False),
        "nothing remembered, hangs on others": partial(build, linked=True),
    },
    small={"90 rows, 60 % remembered": partial(build, share=0.6, rows=90)},
    shown={"labels alone, 60 % remembered": partial(build, share=0.6, scores=False)},
)
