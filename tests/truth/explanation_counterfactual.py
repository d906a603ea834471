"""Subjects of E2.counterfactual: models whose answers flicker, and makers that err in ways that are known."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from fivefold.contract.subject import SettingsView, Table
from fivefold.explanation.counterfactual.make import ours
from fivefold.explanation.counterfactual.question import KEY, Given, Maker, Question

from . import explanation_local
from .entry import Entry
from .floors import floors
from .subjects import context

if TYPE_CHECKING:
    from fivefold.contract.check import Context

CHECK = "E2.counterfactual"


def idle(question: Question, _rng: np.random.Generator) -> Given:
    """Give the rows as they are."""
    every = np.arange(len(question.rows))
    return Given(question.rows.take(every), every)


def careless(question: Question, rng: np.random.Generator) -> Given:
    """Give whole known rows with a wanted answer, whatever may not be changed."""
    every = np.arange(len(question.rows))
    met = question.wanted.met(every[:, None], question.answers[None])
    every = every[met.any(axis=1)]
    pick = np.argmax(met[every] * rng.random(met[every].shape), axis=1)
    return Given(question.known.take(pick), every)


def hasty(question: Question, rng: np.random.Generator) -> Given:
    """Give honest rows, their fields put back towards what they were after the model was asked."""
    given = ours(question, rng)
    space = question.domain.space
    start, values = space.encode(question.rows)[given.origin], space.encode(given.rows)
    at = question.domain.numbers
    values[:, at] = np.where(values[:, at] != start[:, at], (values[:, at] + start[:, at]) / 2, values[:, at])
    for block in question.domain.blocks:
        values[:, block.columns] = start[:, block.columns]
    return Given(space.decode(values, given.origin, question.rows), given.origin)


def declared(rng: np.random.Generator, test: Table) -> dict[str, dict[str, object]]:
    """Return that some columns are immutable, some change one way only, and some cost more."""
    made: dict[str, dict[str, object]] = {}
    for name in test.features.columns:
        draw = rng.random()
        if draw < 0.1:
            made[str(name)] = {"immutable": True}
        elif draw < 0.3 and test.features[name].dtype.kind == "f":
            made[str(name)] = {"changes": "up" if draw < 0.2 else "down"}
        elif draw < 0.5:
            made[str(name)] = {"cost": float(rng.uniform(0.5, 3))}
    return made


def build(
    seed: int,
    *,
    kind: str = "scores",
    noise: float = 0.0,
    maker: Maker | None = None,
    rows: int = 1000,
    columns: tuple[int, int] = (6, 16),
) -> Context:
    """Build one subject; see :func:`explanation_local.build`.

    Args:
        seed: Decides everything that is not given.
        kind: Kind of model.
        noise: Share of the variation of its answers that is noise.
        maker: Makes the counterfactuals; None: this product.
        rows: Test rows.
        columns: Fewest and most columns.
    """
    plain = explanation_local.build(seed, kind=kind, noise=noise, rows=rows, columns=columns)
    tables = {name: plain.tables(name) for name in ("test", "train")}
    features = declared(np.random.default_rng([seed, 4]), tables["test"])
    if maker is careless or not any(column not in features for column in tables["test"].features.columns):
        first, *others = [str(name) for name in tables["test"].features.columns]
        features = {**{name: features.get(name, {}) for name in others}, first: {"immutable": True}}
        features[others[0]] = {}
    positive = None if kind in ("several classes", "regression") else 1
    made = context(
        CHECK, plain.subject, tables, seed, thresholds=floors(CHECK),
        settings=SettingsView(features=features, positive=positive), effort="quick",
    )  # fmt: skip
    return made if maker is None else replace(made, uses={KEY: maker})


KINDS = explanation_local.KINDS

ENTRY = Entry(
    check=CHECK,
    documented="30 % of the variation of the answers is noise of the moment, or the maker gives rows as they are, "
    "whole known rows, or rows put back half-way after asking; 6 to 16 columns, 1,000 test rows, effort quick",
    planted={f"{kind}, 30 % noise": partial(build, kind=kind, noise=0.3) for kind in KINDS}
    | {"idle maker": partial(build, maker=idle), "careless maker": partial(build, maker=careless)}
    | {"hasty maker": partial(build, maker=hasty, kind="labels")},
    clean={f"{kind}, steady": partial(build, kind=kind) for kind in KINDS},
    between={"20 % noise": partial(build, noise=0.2), "20 % noise, labels": partial(build, kind="labels", noise=0.2)},
    small={
        "60 rows, 30 % noise": partial(build, noise=0.3, rows=60),
        "60 rows, careless maker": partial(build, maker=careless, rows=60),
    },
    shown={"5 % noise": partial(build, noise=0.05), "150 columns": partial(build, columns=(150, 151))},
)
