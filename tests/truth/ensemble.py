"""Subjects of C2: a model that hangs on two of many columns, each of which tells the classes by itself.

Class centres lie six spreads apart in every column, so whoever reads other columns than the model's two knows a row's
class whatever an attacker does to those two. The model cuts close to the first class: a small change makes it wrong.
Undefended are: no ensemble, members fitted to shuffled labels (they know nothing),
a threshold from rows that vary less.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from fivefold.contract.registry import checks
from fivefold.contract.subject import Capabilities, SettingsView, Subject, Table, Task
from fivefold.errors import UnsupportedError
from fivefold.subject.uses import handed

from .entry import Entry
from .floors import floors
from .subjects import context, table

if TYPE_CHECKING:
    from fivefold.contract.check import Context

APART = 6.0
"""Distance of class centres, in spreads."""
_NEAR = 1.6
_SCALE = 2.0


@dataclass(frozen=True)
class Hanging:
    """A model that reads two columns, and a third where there are three classes.

    Attributes:
        reads: Names of the columns.
        cut: Mean of the first two above which it answers with the second class.
        kinds: Number of classes.
        gives: Gives probabilities.
    """

    reads: tuple[str, str, str]
    cut: float
    kinds: int
    gives: bool

    @property
    def task(self) -> Task:
        return "binary" if self.kinds == 2 else "multiclass"

    @property
    def classes(self) -> tuple[str, ...]:
        return tuple(f"k{i}" for i in range(self.kinds))

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(scores=self.gives, retrains=False, perturbable=True)

    def chances(self, asked: Table) -> np.ndarray:
        first, second, third = (asked.features[name].to_numpy(dtype=float) for name in self.reads)
        side = _SCALE * ((first + second) / 2 - self.cut)
        scores = np.column_stack([np.zeros(len(side)), side])
        if self.kinds == 3:
            scores = np.column_stack([scores, _SCALE * 4 * (third - 1.5 * APART) + np.maximum(side, 0)])
        chance = np.exp(scores - scores.max(axis=1, keepdims=True))
        return chance / chance.sum(axis=1, keepdims=True)

    def predict(self, asked: Table) -> np.ndarray:
        return self.chances(asked).argmax(axis=1).astype(np.int64)

    def predict_proba(self, asked: Table) -> np.ndarray:
        if not self.gives:
            raise UnsupportedError("test.scores", "labels only.")
        return self.chances(asked)

    def retrain(self, asked: Table, seed: int) -> Subject:
        raise UnsupportedError("test.retrain", "no training.")


def build(
    check: str,
    seed: int,
    *,
    declared: bool = True,
    shuffled: bool = False,
    quiet: bool = False,
    gives: bool = True,
    kinds: int = 2,
    rows: int = 2000,
    first: float | None = None,
    cut: float = _NEAR,
    **options: object,
) -> Context:
    """Build one subject.

    Args:
        check: Check id.
        seed: Decides everything that is not given.
        declared: ``controls.C2`` is declared.
        shuffled: Training labels say nothing, and so do the members.
        quiet: The calibration rows have a third of the spread of all others.
        gives: The model gives probabilities.
        kinds: Classes, 2 or 3.
        rows: Rows of calibration and test; training rows are at least 400.
        first: Share of the first class, next to which the model cuts; None: all are as common.
        cut: Mean of its two columns above which the model leaves the first class.
        options: Of the check.
    """
    rng = np.random.default_rng([seed, 0])
    columns = int(rng.integers(7, 11))
    names = tuple(f"n{at}_{int(rng.integers(1000))}" for at in range(columns))
    reads = (names[0], names[1], names[2])
    has_text, has_gaps = bool(rng.random() < 0.5), bool(rng.random() < 0.5)

    def drawn(count: int, spread: float = 1.0) -> tuple[pd.DataFrame, np.ndarray]:
        target = rng.integers(0, kinds, count)
        if first is not None:
            target = np.where(rng.random(count) < first, 0, rng.integers(1, kinds, count))
        values = APART * target[:, None] + spread * rng.normal(size=(count, columns))
        frame = pd.DataFrame(values, columns=list(names))
        if has_gaps:
            frame[names[-1]] = np.where(rng.random(count) < 0.2, np.nan, frame[names[-1]])
        if has_text:
            frame["town"] = np.array(["north", "south", "west"], dtype=object)[rng.integers(0, 3, count)]
        return frame, target

    model = Hanging(reads, cut, kinds, gives)
    tables = {}
    for name, count in (("train", max(400, rows // 2)), ("calibration", rows), ("test", rows)):
        frame, target = drawn(count, 1 / 3 if quiet and name == "calibration" else 1.0)
        tables[name] = table(name, frame, target)
    if shuffled:
        tables["train"] = table("train", tables["train"].features, rng.permutation(tables["train"].target))
    return context(
        check,
        model,
        tables,
        seed,
        thresholds=floors(check),
        settings=SettingsView(controls={"C2": {"members": 3}} if declared else {}, classes=model.classes, level=5),
        uses=handed(checks()[check]),
        options=options,
    )


_DOCUMENTED = (
    "a model that hangs on two of 7 to 10 columns, with text and missing cells in half of the subjects, 2,000 rows of "
    "calibration and of test (C2.drift: 4,000); bad: no ensemble, members fitted to shuffled labels beside a model "
    "that gives labels only, or calibration rows of a third of the spread"
)


def _attacked(check: str) -> Entry:
    made = partial(build, check)
    return Entry(
        check=check,
        documented=_DOCUMENTED,
        planted={
            "no ensemble": partial(made, declared=False),
            "no ensemble, labels only, three classes": partial(made, declared=False, gives=False, kinds=3),
            "members that know nothing, labels only": partial(made, shuffled=True, gives=False),
        },
        clean={
            "scores": made,
            "labels only": partial(made, gives=False),
            "three classes": partial(made, kinds=3),
        },
        small={"60 rows, no ensemble": partial(made, declared=False, rows=60)},
        thinned=6,
    )


_drift = partial(build, "C2.drift", rows=4000)

ENTRIES = {
    "C2.detection": _attacked("C2.detection"),
    "C2.adaptive": _attacked("C2.adaptive"),
    "C2.drift": Entry(
        check="C2.drift",
        documented=_DOCUMENTED,
        planted={
            "calibration rows that vary less": partial(_drift, quiet=True),
            "the same, labels only": partial(_drift, quiet=True, gives=False),
            "the same, three classes": partial(_drift, quiet=True, kinds=3),
        },
        clean={
            "scores": _drift,
            "labels only": partial(_drift, gives=False),
            "three classes": partial(_drift, kinds=3),
        },
        small={"120 rows, calibration rows that vary less": partial(_drift, quiet=True, rows=120)},
        thinned=6,
    ),
}
