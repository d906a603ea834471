"""Subjects of E1: pages that are or are not the model's, directions kept or broken, little or much lost."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import numpy as np
import pandas as pd

from fivefold.contract.subject import Capabilities, SettingsView, Subject, Table
from fivefold.errors import UnsupportedError
from fivefold.explanation.antehoc import page
from fivefold.explanation.antehoc.form import Condition, Model, Rule
from fivefold.explanation.antehoc.steps import Lesson, bare

from .entry import Entry
from .floors import floors
from .subjects import context, filler, table

if TYPE_CHECKING:
    from collections.abc import Callable

    from fivefold.contract.check import Context

FAITHFUL, CONSTRAINTS, COST = "E1.faithful", "E1.constraints", "E1.cost"
TASKS = {"scores": "binary", "labels": "binary", "several classes": "multiclass", "regression": "regression"}


@dataclass
class Deployed:
    """A function of frames as a subject: (n, K) chances or (n, 1) values."""

    answer: Callable[[pd.DataFrame], np.ndarray]
    task: str
    classes: tuple[str, ...]
    scored: bool = True

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(scores=self.scored and bool(self.classes), retrains=False, perturbable=True)

    def predict_proba(self, asked: Table) -> np.ndarray:
        return self.answer(asked.features)

    def predict(self, asked: Table) -> np.ndarray:
        told = self.answer(asked.features)
        return told.argmax(axis=1) if self.classes else told[:, 0]

    def retrain(self, asked: Table, seed: int) -> Subject:
        raise UnsupportedError("test.retrain", "no training.")


def random_model(frame: pd.DataFrame, kind: str, form: str, rng: np.random.Generator) -> Model:
    """Draw a model of some columns of a frame; scores are spread so that each answer is given."""
    task = TASKS[kind]
    classes = {"binary": ("no", "yes"), "multiclass": ("a", "b", "c"), "regression": ()}[task]
    lesson = Lesson(frame, np.arange(len(frame)) % 2, "binary", ("no", "yes"), {}, {})
    laid, _ = bare(lesson, 6)
    width = len(classes) if task == "multiclass" else 1
    if form == "rules":
        return _list(laid, task, classes, rng)
    terms = []
    for term in laid[:8]:
        adds = np.round(rng.normal(size=(len(term.adds) + 1, width)), 3)
        adds = np.round(3 * adds) if form == "points" else adds
        rows = [tuple(map(float, row + 0.0)) for row in adds]
        terms.append(msgspec.structs.replace(term, adds=tuple(rows[:-1]), missing=rows[-1]))
    bare_ = Model(form=form, task=task, classes=classes, base=(0.0,) * width, terms=tuple(terms))  # type: ignore[arg-type]
    middle = np.median(bare_.score(frame), axis=0)
    return msgspec.structs.replace(bare_, base=tuple(float(one) for one in np.round(-middle, 3)))


def _list(laid: list, task: str, classes: tuple[str, ...], rng: np.random.Generator) -> Model:
    def answer() -> tuple[float, ...]:
        if not classes:
            return (round(float(rng.normal()), 3),)
        told = np.round(rng.dirichlet(np.full(len(classes), 0.5)), 3)
        most = told.argmax()  # the rest of a small one could be below 0
        told[most] = round(1 - np.delete(told, most).sum(), 3)
        return tuple(float(one) for one in told)

    some = [term for term in laid if term.cuts or term.names]
    rules = []
    for at in rng.permutation(len(some))[:5]:
        term = some[at]
        if term.kind == "text":
            when = Condition(column=term.column, kind="text", test="is", name=term.names[0])
        else:
            cut = term.cuts[len(term.cuts) // 2]
            when = Condition(column=term.column, kind=term.kind, test=str(rng.choice(["from", "below"])), cut=cut)  # type: ignore[arg-type]
        rules.append(Rule(when=(when,), answer=answer()))
    return Model(form="rules", task=task, classes=classes, rules=tuple(rules), otherwise=answer())  # type: ignore[arg-type]


def settled(check: str, settings: SettingsView) -> SettingsView:
    """Return settings that declare the page."""
    return replace(settings, controls={"E1": {"page": "card.html"}}) if check != CONSTRAINTS else settings


def _frame(rng: np.random.Generator, rows: int, columns: tuple[int, int] = (4, 12)) -> pd.DataFrame:
    return filler(rng, rows, int(rng.integers(*columns)))


def faithful(seed: int, *, kind: str = "scores", form: str = "additive", fault: str = "", rows: int = 1500) -> Context:
    """Build a model with its page, or with another.

    Args:
        seed: Decides everything that is not given.
        kind: See ``TASKS``; ``labels``: chances are not told.
        form: Of the model.
        fault: ``rounded``: the page tells one digit; ``hidden``: one column acts that is not on it; ``stale``: the
            model was changed since, by a third of the spread of its steps at one step; empty: the page is the model's.
        rows: Test rows.
    """
    rng = np.random.default_rng([seed, 0])
    frame = _frame(rng, rows)
    for _ in range(50):
        model = random_model(frame, kind, form, rng)
        printed = _faulty(model, fault, rng)
        told, other = model.answers(frame), printed.answers(frame)
        differs = np.abs(told - other).max(axis=1) > 1e-5
        if kind == "labels":
            differs = told.argmax(axis=1) != other.argmax(axis=1)
        if not fault or differs.mean() >= 0.02:
            break
    folder = Path(tempfile.mkdtemp(prefix="fivefold-truth-"))
    (folder / "signed").mkdir()
    (folder / "scratch").mkdir()
    (folder / "signed" / "card.html").write_text(page.render(printed), encoding="utf-8", newline="")
    subject = Deployed(model.answers, model.task, model.classes, kind != "labels")
    test = table("test", frame, np.zeros(rows, dtype=np.int64))
    return context(
        FAITHFUL, subject, {"test": test}, seed, thresholds=floors(FAITHFUL),
        settings=settled(FAITHFUL, SettingsView()), model_root=folder / "signed", scratch=folder / "scratch",
    )  # type: ignore[arg-type]  # fmt: skip


def _faulty(model: Model, fault: str, rng: np.random.Generator) -> Model:
    if not fault:
        return model
    if model.form == "rules":
        at = int(rng.integers(len(model.rules)))
        rules = list(model.rules)
        kept = rules[:at] + rules[at + 1 :]
        turned = msgspec.structs.replace(rules[at], answer=rules[at].answer[::-1] if model.classes else (9.0,))
        rules[at] = turned
        return msgspec.structs.replace(model, rules=tuple(kept if fault == "hidden" else rules))
    if fault == "rounded":
        return msgspec.structs.replace(model, terms=tuple(
            msgspec.structs.replace(term, adds=tuple(tuple(round(one, 1) for one in row) for row in term.adds))
            for term in model.terms
        ))  # fmt: skip
    at = int(rng.integers(len(model.terms)))
    terms = list(model.terms)
    if fault == "hidden":
        return msgspec.structs.replace(model, terms=tuple(terms[:at] + terms[at + 1 :]))
    adds = np.array(terms[at].adds)
    adds[rng.integers(len(adds)), 0] += float(np.ptp(adds)) / 3 + 0.1
    terms[at] = msgspec.structs.replace(terms[at], adds=tuple(tuple(map(float, row)) for row in adds))
    return msgspec.structs.replace(model, terms=tuple(terms))


@dataclass
class Moving:
    """A score that rises or falls with some columns, smooth or in steps, with a dip in a small region or without.

    Attributes:
        names: Declared columns.
        signs: 1 or -1 for each.
        frame: Rows that the ranks are of.
        dip: Column, ranks between which it dips, the other column and up to which mixed cell of it.
        deep: How deep, in units of the whole score.
        kind: As ``TASKS``.
        steps: Steps of a column's function; 0: smooth.
    """

    names: list[str]
    signs: list[int]
    frame: pd.DataFrame
    kind: str
    steps: int
    dip: tuple[str, float, float, str, float] | None = None
    deep: float = 0.5
    gate: str | None = None

    def rank(self, name: str, asked: pd.DataFrame) -> np.ndarray:
        known = np.sort(self.frame[name].dropna().to_numpy(dtype=float))
        given = asked[name].to_numpy(dtype=float)
        rank = np.searchsorted(known, given, side="left") / len(known)
        return np.where(np.isnan(given), 0.5, rank)

    def __call__(self, asked: pd.DataFrame) -> np.ndarray:
        score = np.zeros(len(asked))
        for name, sign in zip(self.names, self.signs, strict=True):
            rank = self.rank(name, asked)
            score += sign * (np.floor(rank * self.steps) / self.steps if self.steps else rank)
        if self.gate is not None:
            score += 0.3 * pd.util.hash_array(asked[self.gate].astype(str).to_numpy(dtype=object)) / 2**64
        if self.dip is not None:
            name, low, high, other, share = self.dip
            at = self.signs[self.names.index(name)]
            inside = (self.rank(name, asked) >= low) & (self.rank(name, asked) <= high)
            score -= at * self.deep * (inside & (_mixed(asked[other]) <= share))
        score -= (sum(self.signs) + 0.3) / 2
        if self.kind == "regression":
            return 100 * score[:, None]
        one = 1 / (1 + np.exp(-4 * score))
        return np.column_stack([1 - one, one])


def lost_labels(score: Moving, rows: int = 100) -> float:
    """Return the share of rows from which a move of the column that dips loses the label that it should gain."""
    name = score.dip[0] if score.dip else ""
    known = np.unique(score.frame[name].dropna())
    cells = known[:: max(1, len(known) // 300)]
    asked = score.frame.iloc[np.repeat(np.arange(rows) % len(score.frame), len(cells))].reset_index(drop=True)
    asked[name] = np.tile(cells, rows)
    told = score(asked).argmax(axis=1).reshape(rows, len(cells))
    return float((np.diff(told, axis=1) * score.signs[score.names.index(name)] < 0).any(axis=1).mean())


def _mixed(column: pd.Series) -> np.ndarray:
    return pd.util.hash_array(column.astype(str).to_numpy(dtype=object), hash_key="another key 1234") / 2**64


def constrained(
    seed: int, *, kind: str = "scores", broken: bool = False, rows: int = 1500, deep: float = 0.5, share: float = 0.3,
    band: float = 0.1, steps: int | None = None,
) -> Context:  # fmt: skip
    """Build a model with declared directions.

    Args:
        seed: Decides everything that is not given.
        kind: ``scores``, ``labels`` or ``regression``.
        broken: It dips in a tenth of one column's rows, for three in ten cells of another column; of labels where that
            takes the favourable one away from one row in twenty or more.
        rows: Test rows.
        deep: How deep the dip is, in units of what one column moves the score by in all.
        share: For how many cells of the other column.
        band: Ranks of the column.
        steps: Steps of the functions; None: drawn, half of them smooth.
    """
    rng = np.random.default_rng([seed, 0])
    frame = filler(rng, rows, int(rng.integers(1, 6)))
    count = int(rng.integers(1, 4))
    names = [f"m{at}" for at in range(count)]
    for name in names:
        values = rng.normal(size=rows) if rng.random() < 0.6 else rng.integers(0, int(rng.integers(20, 80)), rows)
        frame[name] = np.where(rng.random(rows) < 0.1, np.nan, values) if rng.random() < 0.3 else values
    others = [str(name) for name in frame.columns if name not in names]
    signs = [int(one) for one in rng.choice([-1, 1], count)]
    many = (0 if rng.random() < 0.5 else int(rng.integers(3, 30))) if steps is None else steps
    score = Moving(names, signs, frame, kind, many, gate=others[int(rng.integers(len(others)))])
    for _ in range(100 if broken else 0):
        name, other = names[int(rng.integers(count))], others[int(rng.integers(len(others)))]
        ranks = np.sort(score.rank(name, frame))
        # a cell lies in the band; labels change only where the score has come past the middle
        start = rng.uniform(0.55, 0.75) if kind == "labels" else rng.uniform(0.3, 0.6)
        low = float(ranks[np.searchsorted(ranks, start)])
        score.deep = deep
        score.dip = (name, low, low + band, other, float(np.quantile(_mixed(frame[other]), share)))
        if kind != "labels" or lost_labels(score) >= 0.05:
            break
    classes = () if kind == "regression" else ("no", "yes")
    subject = Deployed(score, "regression" if kind == "regression" else "binary", classes, kind != "labels")
    features = {name: {"monotone": "up" if sign > 0 else "down"} for name, sign in zip(names, signs, strict=True)}
    test = table("test", frame, np.zeros(rows, dtype=np.int64))
    return context(
        CONSTRAINTS, subject, {"test": test}, seed, thresholds=floors(CONSTRAINTS), effort="quick",
        settings=SettingsView(features=features, positive=None if kind == "regression" else 1, classes=classes),
    )  # type: ignore[arg-type]  # fmt: skip


def cost(seed: int, *, kind: str = "scores", lost: float = 0.0, rows: int = 1600) -> Context:
    """Build a model that knows the rule of the data, but for a share of the rows.

    Args:
        seed: Decides everything that is not given.
        kind: As ``TASKS``; ``rare``: one row in ten is of the favourable class.
        lost: Share of the rows that it answers by another row's truth (values: of a constant answer's error it adds).
        rows: Test rows; there are as many training rows.
    """
    rng = np.random.default_rng([seed, 0])
    frame = filler(rng, 2 * rows, int(rng.integers(2, 6)))
    frame["a"], frame["b"] = rng.normal(size=2 * rows), rng.normal(size=2 * rows)
    score = 2 * frame["a"].to_numpy() + np.abs(frame["b"].to_numpy())
    noisy = score + 0.3 * rng.logistic(size=2 * rows)
    cuts = {"scores": [0.8], "rare": [3.5], "several classes": [0.0, 1.8], "labels": [0.8], "regression": []}[kind]
    target = noisy if kind == "regression" else np.digitize(noisy, cuts)
    classes = tuple("abc"[: len(cuts) + 1]) if cuts else ()
    luck = int(rng.integers(1 << 31))

    def answer(asked: pd.DataFrame) -> np.ndarray:
        told = 2 * asked["a"].to_numpy() + np.abs(asked["b"].to_numpy())
        mixed = pd.util.hash_array(asked["a"].to_numpy() + luck % 97)
        if not cuts:
            usual = np.abs(noisy - np.median(noisy)).mean()
            return (told + 2 * lost * usual * np.where(mixed % 2 == 0, 1, -1))[:, None]
        codes = np.digitize(told, cuts)
        other = mixed / 2**64 < lost
        return np.eye(len(classes))[np.where(other, (codes + 1) % len(classes), codes)]

    half = np.arange(2 * rows) < rows
    parts = {
        name: table(name, frame[some].reset_index(drop=True), target[some])
        for name, some in (("train", half), ("test", ~half))
    }
    task = "regression" if not cuts else "binary" if len(cuts) == 1 else "multiclass"
    subject = Deployed(answer, task, classes, kind != "labels")
    return context(
        COST,
        subject,
        parts,
        seed,
        thresholds=floors(COST),
        effort="quick",
        settings=settled(COST, SettingsView(classes=classes)),
    )


_FORMS = [("scores", "additive"), ("labels", "additive"), ("several classes", "additive"), ("regression", "additive"),
          ("scores", "points"), ("scores", "rules"), ("regression", "rules")]  # fmt: skip
ENTRIES = {
    FAITHFUL: Entry(
        check=FAITHFUL,
        documented="the page differs from the model for 2 % of the rows or more (told in one digit, a part left out, "
        "one step changed), 1,500 test rows",
        planted={
            f"{kind}, {form}, {fault}": partial(faithful, kind=kind, form=form, fault=fault)
            for kind, form in _FORMS
            for fault in ("rounded", "hidden", "stale")
            if (fault != "rounded") or (form == "additive" and kind != "labels")
        },
        clean={f"{kind}, {form}": partial(faithful, kind=kind, form=form) for kind, form in _FORMS},
        small={"60 rows, stale": partial(faithful, fault="stale", rows=60)},
        scratch=True,
    ),
    CONSTRAINTS: Entry(
        check=CONSTRAINTS,
        documented="the score dips by half of what the column moves it by, in a tenth of the column's rows and for "
        "three in ten rows by a cell of another (labels: where that takes the favourable one from one row in twenty); "
        "1,500 test rows",
        planted={kind: partial(constrained, kind=kind, broken=True) for kind in ("scores", "labels", "regression")},
        clean={kind: partial(constrained, kind=kind) for kind in ("scores", "labels", "regression")},
        between={"a band of 3 %, one cell in ten": partial(constrained, broken=True, band=0.03, share=0.1)},
        small={"60 rows": partial(constrained, broken=True, rows=60)},
    ),
    COST: Entry(
        check=COST,
        documented="15 % of the rows answered wrongly (values: 30 % of a constant answer's error added) that a black "
        "box answers rightly; 1,600 test rows",
        planted={kind: partial(cost, kind=kind, lost=0.15) for kind in TASKS},
        clean={kind: partial(cost, kind=kind) for kind in TASKS},
        between={"12 %": partial(cost, lost=0.12)},
        small={"60 rows": partial(cost, lost=0.15, rows=60)},
        shown={"one row in ten favourable": partial(cost, kind="rare")},
        thinned=6,
    ),
}  # fmt: skip
