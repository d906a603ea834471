"""Subjects of E2.local: functions of mixed columns, of whose answers a known share flickers from call to call."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from fivefold.contract.subject import Capabilities, SettingsView, Subject, Table, Task
from fivefold.errors import UnsupportedError

from .entry import Entry
from .floors import floors
from .subjects import context, filler, table

if TYPE_CHECKING:
    from fivefold.contract.check import Context

CHECK = "E2.local"


@dataclass
class Scored:
    """A model whose K scores are sums of functions of single columns and products of two.

    Attributes:
        kind: Task.
        levels: Column name to edges of numbers (J,) or texts; a missing cell counts as the last.
        weights: Column name to (K, L) score of each level.
        crossed: Two columns and (K, L, L) score of their levels together.
        scored: Gives probabilities.
        flicker: Standard deviation of noise on the scores, or chance of another label where there are labels only.
        sharp: Scores are multiplied by this before they become probabilities.
        offset: (K,) added.
        ignored: Share of calls so far, to draw fresh noise.
    """

    kind: Task
    levels: dict[str, np.ndarray]
    weights: dict[str, np.ndarray]
    crossed: tuple[str, str, np.ndarray] | None = None
    scored: bool = True
    flicker: float = 0.0
    sharp: float = 1.0
    offset: np.ndarray = field(default_factory=lambda: np.zeros(1))
    noise: np.random.Generator = field(default_factory=lambda: np.random.default_rng(5))

    @property
    def task(self) -> Task:
        return self.kind

    @property
    def classes(self) -> tuple[str, ...]:
        return () if self.kind == "regression" else tuple(f"k{i}" for i in range(len(self.offset)))

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(scores=self.scored and self.kind != "regression", retrains=False, perturbable=True)

    def codes(self, cells: pd.Series, name: str) -> np.ndarray:
        levels = self.levels[name]
        if levels.dtype == object:
            found = pd.Index(levels).get_indexer(pd.Index(cells))
            return np.where(found < 0, len(levels), found)
        values = cells.to_numpy(dtype=float)
        return np.where(np.isnan(values), len(levels) + 1, np.searchsorted(levels, values))

    def score(self, asked: Table) -> np.ndarray:
        total = np.tile(self.offset, (len(asked), 1))
        for name, weight in self.weights.items():
            total += weight.T[self.codes(asked.features[name], name)]
        if self.crossed is not None:
            one, two, weight = self.crossed
            both = self.codes(asked.features[one], one), self.codes(asked.features[two], two)
            total += weight[:, both[0], both[1]].T
        return total

    def predict_proba(self, asked: Table) -> np.ndarray:
        if not self.scored:
            raise UnsupportedError("test.scores", "labels only.")
        score = self.sharp * self.score(asked) + self.flicker * self.noise.normal(size=(len(asked), len(self.offset)))
        chance = np.exp(score - score.max(axis=1, keepdims=True))
        return chance / chance.sum(axis=1, keepdims=True)

    def predict(self, asked: Table) -> np.ndarray:
        if self.kind == "regression":
            return self.score(asked)[:, 0] + self.flicker * self.noise.normal(size=len(asked))
        if self.scored:
            return self.predict_proba(asked).argmax(axis=1)
        answers = self.score(asked).argmax(axis=1)
        other = self.noise.random(len(asked)) < self.flicker
        return np.where(
            other, (answers + self.noise.integers(1, len(self.offset), len(asked))) % len(self.offset), answers
        )

    def retrain(self, asked: Table, seed: int) -> Subject:
        raise UnsupportedError("test.retrain", "no training.")


def model(rng: np.random.Generator, frame: pd.DataFrame, kind: str, used: list[str] | None = None) -> Scored:
    """Return a model that leans on some columns of the frame, its scores about as frequent.

    Args:
        rng: Draws it.
        frame: Rows.
        kind: ``scores``, ``labels``, ``several classes``, ``rare`` or ``regression``.
        used: Columns that it uses; None: about two thirds of at most 12.
    """
    names = [str(name) for name in frame.columns]
    if used is None:
        count = min(max(2, 2 * len(names) // 3), 12)
        used = [names[at] for at in np.sort(rng.choice(len(names), min(count, len(names)), replace=False))]
    classes = {"regression": 1, "several classes": int(rng.integers(3, 6))}.get(kind, 2)
    levels: dict[str, np.ndarray] = {}
    weights: dict[str, np.ndarray] = {}
    for name in used:
        cells = frame[name]
        if cells.dtype == object or isinstance(cells.dtype, pd.StringDtype):
            levels[name] = np.array(sorted({str(one) for one in cells.dropna()}), dtype=object)
        else:
            levels[name] = np.unique(np.nanquantile(cells.to_numpy(dtype=float), np.linspace(0.1, 0.9, 7)))
        steps = rng.normal(size=(classes, len(levels[name]) + 2)) * rng.lognormal(sigma=0.5)
        weights[name] = steps
    made = Scored("regression" if classes == 1 else "binary" if classes == 2 else "multiclass", levels, weights)
    if len(used) > 1:
        one, two = (used[at] for at in rng.choice(len(used), 2, replace=False))
        shape = (classes, len(levels[one]) + 2, len(levels[two]) + 2)
        made.crossed = one, two, 0.5 * rng.normal(size=shape)
    made.scored, made.offset = kind not in ("labels", "rare"), np.zeros(classes)
    score = made.score(table("all", frame, np.zeros(len(frame), dtype=np.int64)))
    if classes == 1:
        made.offset = -score.mean(axis=0) + rng.normal(size=1)
        return made
    made.sharp = 3.0 / max(float(score.std()), 1e-9)
    middle = np.median(score, axis=0)
    if classes == 2:
        share = 0.1 if kind == "rare" else rng.uniform(0.3, 0.7)
        middle = np.array([0.0, np.quantile(score[:, 1] - score[:, 0], 1 - share)])
    made.offset = -middle
    return made


def tables(seed: int, rows: int, columns: tuple[int, int]) -> tuple[np.random.Generator, pd.DataFrame, int]:
    """Return the generator, a frame of test and training rows, and how many are test rows."""
    rng = np.random.default_rng([seed, 0])
    count = int(np.exp(rng.uniform(np.log(columns[0]), np.log(columns[1]))))
    return rng, filler(rng, rows + max(rows // 2, 200), count), rows


def both(frame: pd.DataFrame, target: np.ndarray, rows: int) -> dict[str, Table]:
    """Return test and training tables."""
    return {
        "test": table("test", frame.iloc[:rows].reset_index(drop=True), target[:rows]),
        "train": table("train", frame.iloc[rows:].reset_index(drop=True), target[rows:]),
    }


def _flicker(made: Scored, frame: pd.DataFrame, noise: float) -> float:
    """Return the flicker at which the share ``noise`` of the answers' variation is noise, by bisection."""
    whole = table("all", frame, np.zeros(len(frame), dtype=np.int64))
    low, high = (
        0.0,
        0.5 * (1 - 1 / max(len(made.offset), 2)) * 2 if not made.scored and made.kind != "regression" else 60.0,
    )
    if made.kind == "regression":
        return float(made.score(whole).std() * np.sqrt(noise / (1 - noise)))
    for _ in range(14):
        made.flicker = (low + high) / 2
        one, two = (_scores(made, whole) for _ in range(2))
        inner = ((one - two) ** 2).sum(axis=1).mean() / 2
        outer = ((one - one.mean(axis=0)) ** 2).sum(axis=1).mean()
        low, high = (made.flicker, high) if inner < noise * outer else (low, made.flicker)
    return (low + high) / 2


def _scores(made: Scored, asked: Table) -> np.ndarray:
    if made.scored:
        return made.predict_proba(asked)
    return (made.predict(asked)[:, None] == np.arange(len(made.offset))).astype(float)


def build(
    seed: int, *, kind: str = "scores", noise: float = 0.0, rows: int = 1500, columns: tuple[int, int] = (3, 30)
) -> Context:
    """Build one subject.

    Args:
        seed: Decides everything that is not given.
        kind: See :func:`model`.
        noise: Share of the variation of its answers that is noise.
        rows: Test rows.
        columns: Fewest and most columns.
    """
    rng, frame, count = tables(seed, rows, columns)
    made = model(rng, frame, kind)
    made.noise = np.random.default_rng([seed, 9])
    made.flicker = 0.0 if noise == 0.0 else _flicker(made, frame, noise)
    target = made.score(table("all", frame, np.zeros(len(frame), dtype=np.int64)))
    truth = target[:, 0] if made.kind == "regression" else target.argmax(axis=1)
    return context(
        CHECK, made, both(frame, truth, count), seed, thresholds=floors(CHECK), settings=SettingsView(), effort="quick"
    )


KINDS = ("scores", "labels", "several classes", "rare", "regression")

ENTRY = Entry(
    check=CHECK,
    documented="30 % of the variation of the answers is noise of the moment (steadiness 0.70 against the floor 0.90), "
    "3 to 30 columns, 1,500 test rows, effort quick",
    planted={f"{kind}, 30 % noise": partial(build, kind=kind, noise=0.3) for kind in KINDS},
    clean={f"{kind}, steady": partial(build, kind=kind) for kind in KINDS},
    between={"20 % noise": partial(build, noise=0.2), "20 % noise, labels": partial(build, kind="labels", noise=0.2)},
    small={"100 rows, 30 % noise": partial(build, noise=0.3, rows=100)},
    shown={"5 % noise": partial(build, noise=0.05), "150 columns": partial(build, columns=(150, 151))},
)
