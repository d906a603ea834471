"""Tables and subjects with known truth: mixed columns, missing values, answers fixed by the generator."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from fivefold.contract.check import Context
from fivefold.contract.registry import checks
from fivefold.contract.subject import Capabilities, SettingsView, Subject, Table, Task
from fivefold.errors import UnsupportedError


@dataclass(frozen=True)
class Answers:
    """A subject that gives fixed answers: a file of predictions held in memory.

    Attributes:
        task: The task.
        classes: Labels.
        answers: (n,) answer to the row at each stored position.
        scores: (n, K) probabilities; None: labels only.
    """

    task: Task
    classes: tuple[str, ...]
    answers: np.ndarray
    scores: np.ndarray | None = None

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(scores=self.scores is not None, retrains=False, perturbable=False)

    def predict(self, table: Table) -> np.ndarray:
        return self.answers[table.rows]

    def predict_proba(self, table: Table) -> np.ndarray:
        if self.scores is None:
            raise UnsupportedError("test.scores", "labels only.")
        return self.scores[table.rows]

    def retrain(self, table: Table, seed: int) -> Subject:
        raise UnsupportedError("test.retrain", "fixed answers.")


def filler(rng: np.random.Generator, rows: int, columns: int) -> pd.DataFrame:
    """Return ``columns`` columns of mixed kinds with missing values and names that mean nothing."""
    names = [f"{''.join(chr(97 + c) for c in rng.integers(0, 26, 4))}_{i}" for i in range(columns)]
    made: dict[str, object] = {}
    for i, name in enumerate(names):
        kind = int(rng.integers(4))
        if kind == 0:
            made[name] = rng.normal(size=rows)
        elif kind == 1:
            made[name] = rng.integers(0, int(rng.integers(2, 50)), rows).astype(float)
        elif kind == 2:
            labels = np.array([f"v{j}" for j in range(int(rng.integers(2, 9)))], dtype=object)
            made[name] = labels[rng.integers(0, len(labels), rows)]
        else:
            made[name] = rng.lognormal(size=rows) * 10.0 ** int(rng.integers(0, 5))
        if rng.random() < 0.3 and i > 0:
            gone = rng.random(rows) < 0.2 * rng.random()
            made[name] = np.where(gone, None if kind == 2 else np.nan, made[name])  # type: ignore[arg-type]
    return pd.DataFrame(made)


def table(name: str, features: pd.DataFrame, target: np.ndarray, others: pd.DataFrame | None = None) -> Table:
    """Return a table whose row positions are 0 to n-1."""
    rows = np.arange(len(target), dtype=np.int64)
    return Table(name, rows, features, target, pd.DataFrame(index=features.index) if others is None else others)


def context(
    check: str,
    subject: Subject | None,
    tables: dict[str, Table],
    seed: int,
    *,
    thresholds: dict[str, float],
    settings: SettingsView,
    options: dict[str, object] | None = None,
    effort: str = "standard",
    **more: object,
) -> Context:
    """Return the context that the runner would hand to a check, options at their defaults."""
    spec = checks()[check]
    chosen = {key: option.default for key, option in spec.options.items()} | (options or {})
    return Context(
        subject=subject,
        tables=tables.__getitem__,
        rng=np.random.default_rng([seed, 1]),
        thresholds=thresholds,
        options=chosen,
        rows=spec.rows[("quick", "standard", "thorough").index(effort)],
        settings=settings,
        effort=effort,
        **more,  # type: ignore[arg-type]
    )


def with_thresholds(given: Context, thresholds: dict[str, float]) -> Context:
    """Return the same context with other thresholds."""
    return replace(given, thresholds=thresholds)
