"""Subjects of E3.dependence: models of which a known share of the steps hangs on another column's cell as well."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from fivefold.contract.subject import Capabilities, SettingsView, Subject
from fivefold.errors import UnsupportedError

from .entry import Entry
from .explanation_local import both, tables
from .explanation_nearby import Slopes, slopes
from .floors import floors
from .subjects import context

if TYPE_CHECKING:
    from fivefold.contract.check import Context
    from fivefold.contract.subject import Table, Task

CHECK = "E3.dependence"


@dataclass
class Turned:
    """A sum of functions of single columns of which some rows, by a column of their own, get the opposite.

    Attributes:
        sum: The sum.
        turning: Column by whose cell rows are turned.
        limit: Number or text from which on they are.
        share: Weight of the part that turns: 0 a plain sum, 1 turned wholly.
    """

    sum: Slopes
    turning: str
    limit: float | set[str]
    share: float
    scored: bool = True

    @property
    def task(self) -> Task:
        return self.sum.task

    @property
    def classes(self) -> tuple[str, ...]:
        return self.sum.classes

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(scores=self.scored and self.sum.many > 0, retrains=False, perturbable=True)

    def score(self, asked: Table) -> np.ndarray:
        """Return (m, K) sums, of half of the rows turned round in part."""
        cells = asked.features[self.turning]
        if isinstance(self.limit, set):
            high = cells.isin(self.limit).to_numpy(dtype=bool)
        else:
            high = cells.to_numpy(dtype=float) >= self.limit
        sign = np.where(high, 1.0, 1.0 - 2.0 * self.share)
        return self.sum.plain(asked.features) * sign[:, None]

    def predict_proba(self, asked: Table) -> np.ndarray:
        if not self.scored:
            raise UnsupportedError("test.scores", "labels only.")
        chance = 0.35 * self.score(asked)
        chance = np.exp(chance - chance.max(axis=1, keepdims=True))
        return chance / chance.sum(axis=1, keepdims=True)

    def predict(self, asked: Table) -> np.ndarray:
        score = self.score(asked)
        return score[:, 0] if self.task == "regression" else score.argmax(axis=1)

    def retrain(self, asked: Table, seed: int) -> Subject:
        raise UnsupportedError("test.retrain", "no training.")


def turned(rng: np.random.Generator, frame: pd.DataFrame, kind: str, share: float) -> Turned:
    """Return a model whose rows are turned by a column that adds nothing itself."""
    names = [str(name) for name in frame.columns]
    for name in rng.permutation(names).tolist():
        cells = frame[name]
        if not pd.api.types.is_numeric_dtype(cells):
            texts = sorted({str(one) for one in cells.dropna()})
            limit: float | set[str] = set(texts[: len(texts) // 2])
            high = float(cells.isin(limit).mean())
        else:
            limit = float(np.nanmedian(cells.to_numpy(dtype=float)))
            high = float((cells.to_numpy(dtype=float) >= limit).mean())
        if 0.4 <= high <= 0.6:
            break
    made = slopes(rng, frame.drop(columns=[name]), kind, 1.0)
    return Turned(made, name, limit, share, made.scored)


def build(
    seed: int, *, kind: str = "scores", share: float = 0.0, rows: int = 1500, columns: tuple[int, int] = (4, 24)
) -> Context:
    """Build one subject.

    Args:
        seed: Decides everything that is not given.
        kind: ``scores``, ``labels``, ``several classes`` or ``regression``.
        share: See :class:`Turned`: of steps of +1 and 1 - 2 ``share`` a curve tells (1 - share)^2 over
            (1 + (1 - 2 share)^2) / 2.
        rows: Test rows.
        columns: Fewest and most columns.
    """
    rng, frame, count = tables(seed, rows, columns)
    made = turned(rng, frame, kind, share)
    target = np.zeros(len(frame)) if kind == "regression" else np.zeros(len(frame), dtype=np.int64)
    return context(CHECK, made, both(frame, target, count), seed, thresholds=floors(CHECK), settings=SettingsView(),
                   effort="quick")  # fmt: skip


def crossing(seed: int) -> Context:
    """Build the undefended reference: half of the rows go up where the other half goes down."""
    return build(seed, share=1.0)


KINDS = ("scores", "several classes", "regression")

ENTRY = Entry(
    check=CHECK,
    documented="the curves tell 0.36 of the rows' steps (floor 0.60), 4 to 24 columns, 1,500 rows, effort quick",
    planted={f"{kind}, 0.36 told": partial(build, kind=kind, share=0.57) for kind in KINDS},
    clean={f"{kind}, sums": partial(build, kind=kind) for kind in KINDS},
    between={"0.50 told": partial(build, share=0.5)},
    small={"60 rows, 0.36 told": partial(build, share=0.57, rows=60)},
    shown={
        "150 columns, sums": partial(build, columns=(150, 151)),
        "labels alone, never judged": partial(build, kind="labels"),
    },
    thinned=6,
)
