"""Subjects of E2.surrogate: models that are sums of single columns but for a known share of how answers move nearby."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from fivefold.contract.subject import Capabilities, SettingsView, Subject, Table, Task
from fivefold.errors import UnsupportedError

from .entry import Entry
from .explanation_local import both, tables
from .floors import floors
from .subjects import context

if TYPE_CHECKING:
    from fivefold.contract.check import Context

CHECK = "E2.surrogate"


@dataclass
class Slopes:
    """A sum of slopes over numbers and steps over texts, and a fine grain: what hangs on all cells together.

    Attributes:
        kind: Task.
        slopes: Column name to what each unit adds, its middle and spread.
        steps: Column name to texts and what each adds.
        grain: Share of answers that are those of another row, by the digest of the cells.
        many: Classes; 0: a regression.
        scored: Gives probabilities.
        pool: Scores that the grain deals.
    """

    kind: Task
    slopes: dict[str, tuple[np.ndarray, float, float]]
    steps: dict[str, dict[str, np.ndarray]]
    grain: float
    many: int
    scored: bool
    pool: np.ndarray

    @property
    def task(self) -> Task:
        return self.kind

    @property
    def classes(self) -> tuple[str, ...]:
        return tuple(f"k{at}" for at in range(self.many))

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(scores=self.scored and self.many > 0, retrains=False, perturbable=True)

    def plain(self, frame: pd.DataFrame) -> np.ndarray:
        """Return (m, K) sums."""
        total = np.zeros((len(frame), max(self.many, 1)))
        for name, (weight, middle, spread) in self.slopes.items():
            cells = frame[name].to_numpy(dtype=float)
            away = np.clip((np.where(np.isnan(cells), middle, cells) - middle) / spread, -2, 2)
            total += away[:, None] * weight
        for name, added in self.steps.items():
            told = frame[name].astype(object).map(lambda cell, added=added: added.get(cell))
            total += np.array([np.zeros(total.shape[1]) if one is None else one for one in told])
        return total

    def score(self, asked: Table) -> np.ndarray:
        """Return (m, K) sums, or those that the grain deals."""
        made = self.plain(asked.features)
        digest = pd.util.hash_pandas_object(asked.features, index=False).to_numpy()
        other = self.pool[((digest >> np.uint64(32)) % np.uint64(len(self.pool))).astype(np.int64)]
        is_other = (digest % np.uint64(1 << 30)).astype(float) / (1 << 30) < self.grain
        return np.where(is_other[:, None], other, made)

    def predict_proba(self, asked: Table) -> np.ndarray:
        if not self.scored:
            raise UnsupportedError("test.scores", "labels only.")
        score = self.score(asked)
        chance = np.exp(score - score.max(axis=1, keepdims=True))
        return chance / chance.sum(axis=1, keepdims=True)

    def predict(self, asked: Table) -> np.ndarray:
        score = self.score(asked)
        return score[:, 0] if self.kind == "regression" else score.argmax(axis=1)

    def retrain(self, asked: Table, seed: int) -> Subject:
        raise UnsupportedError("test.retrain", "no training.")


def slopes(rng: np.random.Generator, frame: pd.DataFrame, kind: str, told: float) -> Slopes:
    """Return a sum of at most six columns of whose answers' movements a share can be told."""
    many = {"regression": 0, "several classes": 3}.get(kind, 2)
    names = [str(name) for name in frame.columns]
    made = Slopes("regression" if not many else "binary" if many == 2 else "multiclass", {}, {}, 0.0, many,
                  kind != "labels", np.zeros((1, max(many, 1))))  # fmt: skip
    for name in rng.permutation(names)[:6].tolist():
        weight = rng.normal(size=max(many, 1))
        cells = frame[name]
        if cells.dtype == object or isinstance(cells.dtype, pd.StringDtype):
            made.steps[name] = {str(one): rng.normal(size=max(many, 1)) for one in cells.dropna().unique()}
        else:
            values = cells.to_numpy(dtype=float)
            low, middle, high = np.nanquantile(values, (0.1, 0.5, 0.9))
            made.slopes[name] = weight, float(middle), float((high - low) / 2 or 1.0)
    made.pool = made.plain(frame.sample(min(2000, len(frame)), random_state=int(rng.integers(1 << 30))))
    if kind == "labels":
        made.pool = np.eye(2)  # either label as often, so that neighbours of a sure row are dealt the other one too
    # a dealt answer is wrong about the difference from the mean and adds its own: (1 - grain) squared is told
    made.grain = 1 - float(np.sqrt(told))
    return made


def build(
    seed: int, *, kind: str = "scores", told: float = 1.0, rows: int = 1000, columns: tuple[int, int] = (4, 24)
) -> Context:
    """Build one subject.

    Args:
        seed: Decides everything that is not given.
        kind: ``scores``, ``labels``, ``several classes`` or ``regression``.
        told: Share of the movements of its answers that a sum can tell, at most.
        rows: Test rows.
        columns: Fewest and most columns.
    """
    rng, frame, count = tables(seed, rows, columns)
    made = slopes(rng, frame, kind, told)
    target = np.zeros(len(frame)) if kind == "regression" else np.zeros(len(frame), dtype=np.int64)
    return context(CHECK, made, both(frame, target, count), seed, thresholds=floors(CHECK), settings=SettingsView(),
                   effort="quick")  # fmt: skip


def untellable(seed: int) -> Context:
    """Build the undefended reference: a tenth of how the answers move can be told."""
    return build(seed, told=0.1)


KINDS = ("scores", "labels", "several classes", "regression")

ENTRY = Entry(
    check=CHECK,
    documented="a sum can tell at most 0.40 of how the answers move nearby (floor 0.60), 4 to 24 columns, 1,000 rows, "
    "effort quick",
    planted={f"{kind}, 0.40 told": partial(build, kind=kind, told=0.4) for kind in KINDS},
    clean={f"{kind}, sums": partial(build, kind=kind) for kind in KINDS},
    between={"0.50 told": partial(build, told=0.5)},
    small={"40 rows, 0.40 told": partial(build, told=0.4, rows=40)},
    shown={"150 columns, sums": partial(build, columns=(150, 151))},
    thinned=6,
)
