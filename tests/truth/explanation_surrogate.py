"""Subjects of E3.surrogate: models that are a tree of four leaves but for a known share of their answers' variation."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from fivefold.contract.subject import Capabilities, SettingsView, Subject, Table, Task
from fivefold.errors import UnsupportedError

from .entry import Entry
from .explanation_local import both, model, tables
from .floors import floors
from .subjects import context

if TYPE_CHECKING:
    from fivefold.contract.check import Context

CHECK = "E3.surrogate"


@dataclass
class Grained:
    """A tree of four leaves over two columns, and a fine grain: what hangs on all cells of a row together.

    Attributes:
        kind: Task.
        high: Two columns, each with the texts, or the number from which on, it counts as high.
        levels: (4,) the leaf's value, or class.
        grain: Share of rows whose answer is another leaf's, by the digest of their cells.
        many: Classes; 0: a regression.
        scored: Gives probabilities.
    """

    kind: Task
    high: dict[str, set[str] | float]
    levels: np.ndarray
    grain: float
    many: int = 2
    scored: bool = True
    names: tuple[str, ...] = field(default=())

    @property
    def task(self) -> Task:
        return self.kind

    @property
    def classes(self) -> tuple[str, ...]:
        return tuple(f"k{at}" for at in range(self.many))

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(scores=self.scored and self.many > 0, retrains=False, perturbable=True)

    def value(self, asked: Table) -> np.ndarray:
        """Return (m,) values of the leaves, or of those that the grain says."""
        leaf = np.zeros(len(asked), dtype=np.int64)
        for name, limit in self.high.items():
            cells = asked.features[name]
            told = cells.isin(limit) if isinstance(limit, set) else cells.astype(float) >= limit
            leaf = 2 * leaf + told.to_numpy(dtype=bool)
        digest = pd.util.hash_pandas_object(asked.features, index=False).to_numpy()
        other = (digest >> np.uint64(40)) % np.uint64(4)
        is_other = (digest % np.uint64(1 << 30)).astype(float) / (1 << 30) < self.grain
        return self.levels[np.where(is_other, other.astype(np.int64), leaf)]

    def predict_proba(self, asked: Table) -> np.ndarray:
        if not self.scored:
            raise UnsupportedError("test.scores", "labels only.")
        value = self.value(asked)
        if self.many == 2:
            return np.column_stack([1 - value, value])
        return 0.1 / self.many + 0.9 * (value[:, None] == np.arange(self.many))

    def predict(self, asked: Table) -> np.ndarray:
        if self.kind == "regression":
            return self.value(asked)
        return self.predict_proba(asked).argmax(axis=1) if self.scored else self.value(asked).astype(np.int64)

    def retrain(self, asked: Table, seed: int) -> Subject:
        raise UnsupportedError("test.retrain", "no training.")


def grained(rng: np.random.Generator, frame: pd.DataFrame, kind: str, told: float) -> Grained:
    """Return a model of whose answers' variation a tree of four leaves tells the share ``told``."""
    high: dict[str, set[str] | float] = {}
    for name in rng.permutation([str(name) for name in frame.columns]).tolist():
        cells = frame[name]
        if cells.dtype == object or isinstance(cells.dtype, pd.StringDtype):
            names = sorted({str(one) for one in cells.dropna()})
            limit: set[str] | float = set(names[: len(names) // 2])
            share = float(cells.isin(limit).mean())
        else:
            limit = float(np.nanmedian(cells.to_numpy(dtype=float)))
            share = float((cells.astype(float) >= limit).mean())
        if 0.3 <= share <= 0.7 or len(frame.columns) - len(high) <= 2:
            high[name] = limit
        if len(high) == 2:
            break
    grain = 1 - np.sqrt(told)
    if kind == "several classes":
        return Grained("multiclass", high, np.array([0, 1, 2, 0]), grain, many=3)
    if kind == "labels":
        return Grained("binary", high, rng.permutation([0, 0, 1, 1]), grain, scored=False)
    level = rng.permutation([0.05, 0.3, 0.7, 0.95])
    if kind == "regression":
        return Grained("regression", high, 100 * level, grain, many=0)
    return Grained("binary", high, level, grain)


def build(
    seed: int, *, kind: str = "scores", told: float | None = 0.9, rows: int = 1500, columns: tuple[int, int] = (3, 30),
    both_sets: bool = True,
) -> Context:  # fmt: skip
    """Build one subject.

    Args:
        seed: Decides everything that is not given.
        kind: ``scores``, ``labels``, ``several classes`` or ``regression``.
        told: Share of the variation of its answers that a tree of four leaves tells; None: a sum of functions of single
            columns, of whom nobody knows it.
        rows: Test rows.
        columns: Fewest and most columns.
        both_sets: Whether there are training rows beside them.
    """
    rng, frame, count = tables(seed, rows, columns)
    made: Subject = model(rng, frame, kind) if told is None else grained(rng, frame, kind, told)  # type: ignore[assignment]
    target = rng.integers(0, 2, len(frame)) if kind != "regression" else rng.normal(size=len(frame))
    data = both(frame, target, count)
    if not both_sets:
        del data["train"]
    return context(CHECK, made, data, seed, thresholds=floors(CHECK), settings=SettingsView(), effort="quick")


def untellable(seed: int) -> Context:
    """Build the undefended reference: a model of which a tree tells a tenth."""
    return build(seed, told=0.1)


KINDS = ("scores", "labels", "several classes", "regression")

ENTRY = Entry(
    check=CHECK,
    documented="a tree tells 0.45 of the variation of the answers (floor 0.60), 3 to 30 columns, 1,500 test rows, "
    "effort quick",
    planted={f"{kind}, 0.45 told": partial(build, kind=kind, told=0.45) for kind in KINDS},
    clean={
        **{f"{kind}, 0.80 told": partial(build, kind=kind, told=0.8) for kind in KINDS},
        "no training rows, 0.80 told": partial(build, told=0.8, both_sets=False),
    },
    between={"0.55 told": partial(build, told=0.55)},
    small={"100 rows, 0.45 told": partial(build, told=0.45, rows=100)},
    shown={
        "150 columns, 0.80 told": partial(build, told=0.8, columns=(150, 151)),
        "sums of single columns": partial(build, told=None),
    },
)
