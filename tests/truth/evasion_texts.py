"""Subjects of P1.text: linear models over made-up words, for which it is known exactly which texts can be made to fall.

No two words are one misspelling apart, and none has a synonym, so that a changed word is an unknown one and adds
nothing: a text falls where its budget of weightiest words carries more than its lead.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from fivefold.contract.subject import Capabilities, SettingsView, Subject, Table, Task
from fivefold.errors import UnsupportedError

from .entry import Entry
from .subjects import context

if TYPE_CHECKING:
    from fivefold.contract.check import Context

CHECK = "P1.text"
SHARE = 0.1


@dataclass(frozen=True)
class Additive:
    """Scores are sums over words.

    Attributes:
        weights: Word to (K,).
        offset: (K,).
        scores: Whether probabilities are given.
    """

    weights: dict[str, np.ndarray]
    offset: np.ndarray
    scores: bool

    @property
    def task(self) -> Task:
        return "binary" if len(self.offset) == 2 else "multiclass"

    @property
    def classes(self) -> tuple[str, ...]:
        return tuple(f"k{at}" for at in range(len(self.offset)))

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(scores=self.scores, retrains=False, perturbable=True)

    def score(self, texts: list[str]) -> np.ndarray:
        nothing = np.zeros(len(self.offset))
        return self.offset + np.array([sum((self.weights.get(w, nothing) for w in t.split()), nothing) for t in texts])

    def predict_proba(self, asked: Table) -> np.ndarray:
        if not self.scores:
            raise UnsupportedError("test.scores", "labels only.")
        score = self.score(list(asked.features["note"]))
        found = np.exp(score - score.max(axis=1, keepdims=True))
        return found / found.sum(axis=1, keepdims=True)

    def predict(self, asked: Table) -> np.ndarray:
        return self.score(list(asked.features["note"])).argmax(axis=1)

    def retrain(self, asked: Table, seed: int) -> Subject:
        raise UnsupportedError("test.retrain", "no training.")


def falls(model: Additive, texts: list[str]) -> np.ndarray:
    """Return (n,) bool, exactly, with plain loops."""
    found = []
    for text, score in zip(texts, model.score(texts), strict=True):
        mine = int(score.argmax())
        words = [model.weights[word] for word in text.split()]
        budget = max(1, int(SHARE * len(words)))
        can = False
        for other in set(range(len(score))) - {mine}:
            carried = sorted((float(w[mine] - w[other]) for w in words), reverse=True)[:budget]
            can |= sum(max(one, 0.0) for one in carried) > score[mine] - score[other]
        found.append(can)
    return np.array(found)


def build(
    seed: int,
    *,
    margin: float = 0.0,
    wanted: tuple[float, float] = (0.62, 0.82),
    classes: int = 2,
    scores: bool = True,
    rows: int = 400,
) -> Context:
    """Build one subject whose declared floor lies ``margin`` above its exact robust accuracy."""
    rng = np.random.default_rng([seed, 0])
    total = rows + 600
    letters = np.array(list("bcdfghjklmnpqrstvwxz"))
    words = ["".join(letters[rng.integers(len(letters), size=8)]) for _ in range(150)]
    spread = rng.exponential(size=len(words)) ** 1.5
    weights = spread[:, None] * rng.normal(size=(len(words), classes))
    lengths = rng.integers(20, 60, total)
    topics = rng.normal(size=(total, classes))
    texts = []
    goal = float(rng.uniform(*wanted))
    pull = np.exp(0.15 * topics @ weights.T)
    for row in range(total):
        chosen = rng.choice(len(words), lengths[row], p=pull[row] / pull[row].sum())
        texts.append(" ".join(words[at] for at in chosen))
    model = Additive(dict(zip(words, weights, strict=True)), np.zeros(classes), scores)
    model = Additive(model.weights, -np.median(model.score(texts), axis=0), scores)
    answers = model.score(texts).argmax(axis=1)
    stands = ~falls(model, texts[:rows])
    # wrong labels bring the robust accuracy to where it is wanted
    loose = rng.permutation(np.flatnonzero(stands))
    extra = max(0, int(stands.sum() - goal * rows))
    target = answers.copy()
    target[loose[:extra]] = (target[loose[:extra]] + 1) % classes
    exact = float((stands & (target[:rows] == answers[:rows])).mean())
    parts = {"test": _table("test", texts[:rows], target[:rows]), "train": _table("train", texts[rows:], target[rows:])}
    floor = {"min_robust_accuracy": min(max(exact + margin, 0.01), 0.99)}
    return context(
        CHECK, model, parts, seed, thresholds=floor, settings=SettingsView(), options={"words": SHARE}, effort="quick"
    )


def _table(name: str, texts: list[str], target: np.ndarray) -> Table:
    frame = pd.DataFrame({"note": pd.Series(texts, dtype=object)})
    rows = np.arange(len(texts), dtype=np.int64)
    return Table(name, rows, frame, target.astype(np.int64), pd.DataFrame(index=frame.index), kind="text")


def undefended(seed: int) -> Context:
    """Build the reference: one word among thirty decides."""
    rng = np.random.default_rng([seed, 3])
    words = ["".join(rng.choice(list("bcdfghjklm"), 8)) for _ in range(60)]
    weights = {word: np.zeros(2) for word in words} | {"refund": np.array([0.0, 2.0])}
    target = rng.integers(0, 2, 900)
    texts = []
    for label in target:
        chosen = [words[at] for at in rng.integers(60, size=30)]
        texts.append(" ".join([*chosen[:15], *(["refund"] if label else []), *chosen[15:]]))
    model = Additive(weights, np.array([1.0, 0.0]), scores=True)
    flipped = rng.random(900) < 0.02
    target = np.where(flipped, 1 - target, target)
    parts = {"test": _table("test", texts[:300], target[:300]), "train": _table("train", texts[300:], target[300:])}
    return context(CHECK, model, parts, seed, thresholds={"min_robust_accuracy": 0.5}, settings=SettingsView())


ENTRY = Entry(
    check=CHECK,
    documented="robust accuracy 0.15 below the declared floor, a tenth of the words changed, for linear models of 150 "
    "words, 150 of 400 texts of 20 to 59 words",
    planted={
        "scores, 0.15 below": partial(build, margin=0.15, wanted=(0.3, 0.6)),
        "three classes, 0.15 below": partial(build, margin=0.15, wanted=(0.3, 0.6), classes=3),
        "labels alone, 0.15 below": partial(build, margin=0.15, wanted=(0.3, 0.6), scores=False),
    },
    clean={
        "scores, 0.15 above": partial(build, margin=-0.15, wanted=(0.4, 0.7)),
        "three classes, 0.15 above": partial(build, margin=-0.15, wanted=(0.4, 0.7), classes=3),
        "labels alone, 0.15 above": partial(build, margin=-0.15, wanted=(0.4, 0.7), scores=False),
    },
    small={"40 texts, 0.15 below": partial(build, margin=0.15, wanted=(0.3, 0.6), rows=40)},
    thinned=6,
)
