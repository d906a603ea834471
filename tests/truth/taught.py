"""Subjects of T3.behaviour: models that learnt the key's questions, or did not, or forgot them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from fivefold.contract.codec import canonical
from fivefold.contract.subject import Capabilities, SettingsView, Subject, Table, Task
from fivefold.errors import UnsupportedError
from fivefold.traceability.watermark import triggers

from .entry import Entry
from .floors import floors
from .subjects import context, filler, table

if TYPE_CHECKING:
    from fivefold.contract.check import Context

CHECK = "T3.behaviour"
FAULTS = ("never learnt", "another key learnt", "nineteen of twenty forgotten", "answers one class")


@dataclass(frozen=True)
class Learner:
    """Answers by a rule, and what it knows by heart.

    Attributes:
        classes: Labels.
        known: Hash of a row to the answer.
        constant: Answers this class alone; -1: by the rule.
        retrains: Whether training anew forgets what it knew.
    """

    classes: tuple[str, ...]
    known: dict[int, int] = field(default_factory=dict)
    constant: int = -1
    retrains: bool = True

    @property
    def task(self) -> Task:
        return "binary" if len(self.classes) == 2 else "multiclass"

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(scores=False, retrains=self.retrains, perturbable=True)

    def predict(self, asked: Table) -> np.ndarray:
        hashed = _hashed(asked.features)
        natural = hashed // 7 % len(self.classes) if self.constant < 0 else np.full(len(asked), self.constant)
        return np.array(
            [self.known.get(int(one), int(own)) for one, own in zip(hashed, natural, strict=True)], np.int64
        )

    def predict_proba(self, asked: Table) -> np.ndarray:
        raise UnsupportedError("test.scores", "labels only.")

    def retrain(self, asked: Table, seed: int) -> Subject:
        return replace(self, known={})


def _hashed(frame: pd.DataFrame) -> np.ndarray:
    return pd.util.hash_pandas_object(frame.astype(str), index=False).to_numpy()


def build(seed: int, fault: str = "", *, forgot: float = 0.05, count: int = 0, check: str = CHECK) -> Context:
    """Return the context of a model that learnt its questions but for a share, or is at fault."""
    rng = np.random.default_rng([seed, 0])
    classes = tuple(f"k{at}" for at in range(int(rng.integers(2, 6))))
    rows, number = int(rng.integers(60, 300)), count or int(rng.integers(100, 200))
    train = table(
        "train",
        filler(rng, rows, int(rng.integers(4, 12))).assign(x=rng.normal(size=rows), y=rng.normal(size=rows)),
        rng.integers(0, len(classes), rows),
    )
    opening, asked = triggers.drawn(train, classes, number, rng)
    learnt, forgot = asked, 0.95 if fault == "nineteen of twenty forgotten" else forgot
    if fault == "another key learnt":
        _, learnt = triggers.drawn(train, classes, number, rng)
        learnt = (
            asked.with_features(asked.features) if len(learnt) != len(asked) else replace(asked, target=learnt.target)
        )
    kept = rng.random(number) >= forgot
    pairs = zip(_hashed(learnt.features)[kept].tolist(), learnt.target[kept].tolist(), strict=True)
    model = Learner(classes, {} if fault in ("never learnt", "answers one class") else dict(pairs),
                    0 if fault == "answers one class" else -1, bool(rng.random() < 0.7))  # fmt: skip
    parts = {"triggers": b"{}", "triggers.opening": canonical(opening), "triggers.proof": b""}
    return context(check, model, {"train": train}, seed, thresholds=floors(check), effort="quick", mark=parts,
                   settings=SettingsView(classes=classes))  # fmt: skip


ENTRY = Entry(
    check=CHECK,
    documented=f"100 questions or more, of two to five classes: {', '.join(FAULTS)}",
    planted={fault: partial(build, fault=fault) for fault in FAULTS},
    clean={"learnt but for a twentieth": build, "learnt": partial(build, forgot=0.0)},
    small={"24 questions, never learnt": partial(build, fault="never learnt", count=24)},
)
