"""Subjects with a known leak for the tests of P3.membership."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import expit

from fivefold.contract.check import Context
from fivefold.contract.subject import Capabilities, SettingsView, Subject, Table, Task
from fivefold.errors import UnsupportedError

FLOORS = {"max_auc": 0.60, "max_tpr_at_1pct_fpr": 0.05}


@dataclass
class Fixed:
    """A file of predictions: one answer for each row of each table."""

    task: Task
    classes: tuple[str, ...]
    answers: dict[str, np.ndarray]
    scores: dict[str, np.ndarray] | None = None
    asked: int = 0

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(scores=self.scores is not None, retrains=False, perturbable=False)

    def predict(self, table: Table) -> np.ndarray:
        self.asked += len(table)
        return self.answers[table.name][table.rows]

    def predict_proba(self, table: Table) -> np.ndarray:
        self.asked += len(table)
        if self.scores is None:
            raise UnsupportedError("test.scores", "labels only.")
        return self.scores[table.name][table.rows]

    def retrain(self, table: Table, seed: int) -> Subject:
        raise UnsupportedError("test.retrain", "a file of predictions.")


@dataclass
class Fitted:
    """A scikit-learn pipeline that can be asked for any row and trained again."""

    model: object
    make: object
    task: Task
    classes: tuple[str, ...]
    can_score: bool = True
    can_retrain: bool = False

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(scores=self.can_score, retrains=self.can_retrain, perturbable=True)

    def predict(self, table: Table) -> np.ndarray:
        return self.model.predict(table.features)  # type: ignore[attr-defined]

    def predict_proba(self, table: Table) -> np.ndarray:
        return self.model.predict_proba(table.features)  # type: ignore[attr-defined]

    def retrain(self, table: Table, seed: int) -> Subject:
        model = self.make(seed).fit(table.features, table.target)  # type: ignore[operator]
        return Fitted(model, self.make, self.task, self.classes, self.can_score, self.can_retrain)


def table(name: str, features: pd.DataFrame, target: np.ndarray) -> Table:
    features = features.reset_index(drop=True)
    rows = np.arange(len(target), dtype=np.int64)
    return Table(name, rows, features, np.asarray(target), pd.DataFrame(index=features.index))


def context(subject: Subject, train: Table, test: Table, *, rows: int = 4000, seed: int = 0) -> Context:
    tables = {"train": train, "test": test}
    return Context(
        subject=subject,
        tables=tables.__getitem__,
        rng=np.random.default_rng(seed),
        thresholds=FLOORS,
        options={},
        rows=rows,
        settings=SettingsView(),
    )


def mixed(rng: np.random.Generator, n: int) -> pd.DataFrame:
    """Numbers, integers with ties, texts, dates and missing values."""
    days = pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.integers(0, 900, n), unit="D")
    frame = pd.DataFrame(
        {
            "a": rng.normal(size=n),
            "b": rng.normal(size=n),
            "steps": rng.integers(0, 5, n),
            "town": np.array(["north", "south", "east", None], dtype=object)[rng.integers(0, 4, n)],
            "since": days,
        }
    )
    frame.loc[rng.random(n) < 0.1, "b"] = np.nan
    return frame


def world(seed: int, n: int, *, classes: int = 2) -> tuple[pd.DataFrame, np.ndarray, np.ndarray]:
    """Return features, log odds (n, K) and the truth drawn from them, for n members followed by n others."""
    rng = np.random.default_rng(seed)
    frame = mixed(rng, 2 * n)
    base = np.column_stack([frame["a"], frame["b"].fillna(0.0), frame["steps"] - 2.0])
    odds = 1.2 * base @ rng.normal(size=(3, classes))
    chance = np.exp(odds) / np.exp(odds).sum(axis=1, keepdims=True)
    truth = (chance.cumsum(axis=1) < rng.random(2 * n)[:, None]).sum(axis=1)
    return frame, odds, np.minimum(truth, classes - 1)


def predictions(seed: int, n: int, *, leak: str, classes: int = 2, labels_only: bool = False) -> Context:
    """Build a subject whose answers are calibrated, with ``leak`` on its training rows.

    ``lookup``: two of five members are answered by heart; ``boost``: all members by more log odds for the truth,
    drawn with noise; ``none``: nothing.
    """
    rng = np.random.default_rng([seed, 1])
    frame, odds, truth = world(seed, n, classes=classes)
    member = np.arange(2 * n) < n
    at = np.arange(2 * n)
    odds = odds + rng.normal(0, 0.5, odds.shape)
    if leak == "boost":
        odds[at, truth] += np.where(member, 1.6, 0.0)
    scores = np.exp(odds) / np.exp(odds).sum(axis=1, keepdims=True)
    if leak == "lookup":
        known = member & (rng.random(2 * n) < 0.4)
        scores[known] = 0.1 * scores[known]
        scores[at[known], truth[known]] += 0.9
    labels = scores.argmax(axis=1)
    if leak == "right":
        labels[member] = truth[member]
    if leak == "wrong outside":
        hit = ~member & (rng.random(2 * n) < 0.6)
        labels[hit] = (truth[hit] + 1) % classes
    names = tuple(f"c{code}" for code in range(classes))
    parts = {"train": slice(0, n), "test": slice(n, 2 * n)}
    subject = Fixed(
        "binary" if classes == 2 else "multiclass",
        names,
        {name: labels[part] for name, part in parts.items()},
        None if labels_only else {name: scores[part] for name, part in parts.items()},
    )
    tables = [table(name, frame.iloc[part], truth[part]) for name, part in parts.items()]
    return context(subject, *tables, seed=seed)


def numbers(seed: int, n: int, *, pull: float) -> Context:
    """Build a regression whose answers on training rows lie nearer to the truth by the share ``pull``."""
    rng = np.random.default_rng([seed, 2])
    frame, odds, _ = world(seed, n)
    truth = odds[:, 0] + rng.normal(0, 0.7, 2 * n)
    answers = odds[:, 0] + rng.normal(0, 0.2, 2 * n)
    answers[:n] += pull * (truth[:n] - answers[:n])
    parts = {"train": slice(0, n), "test": slice(n, 2 * n)}
    subject = Fixed("regression", (), {name: answers[part] for name, part in parts.items()})
    return context(subject, *[table(name, frame.iloc[part], truth[part]) for name, part in parts.items()], seed=seed)


def shifted(seed: int, n: int, *, remembers: bool) -> Context:
    """Build a model asked about test rows of another distribution, with or without memory of its training rows."""
    rng = np.random.default_rng([seed, 3])
    frame = mixed(rng, 2 * n)
    frame["a"] += np.where(np.arange(2 * n) < n, 0.0, 1.2)
    chance = expit(-2.5 * frame["a"].to_numpy() + 1.5)
    truth = (rng.random(2 * n) < chance).astype(np.int64)
    # the model is surer of the rows it was trained for, as any model is under a shift
    answer = expit(np.log(chance / (1 - chance)) * np.where(frame["a"] > 1.0, 0.3, 1.0) + rng.normal(0, 0.3, 2 * n))
    if remembers:
        answer[:n] = np.where(rng.random(n) < 0.7, 0.05 * answer[:n] + 0.95 * truth[:n], answer[:n])
    scores = np.column_stack([1 - answer, answer])
    parts = {"train": slice(0, n), "test": slice(n, 2 * n)}
    subject = Fixed(
        "binary",
        ("no", "yes"),
        {name: scores[part].argmax(axis=1) for name, part in parts.items()},
        {name: scores[part] for name, part in parts.items()},
    )
    return context(subject, *[table(name, frame.iloc[part], truth[part]) for name, part in parts.items()], seed=seed)
