"""Subjects of E3.permutation: models that lean on one column by a known share of what they know."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from fivefold.contract.subject import SettingsView

from .entry import Entry
from .explanation_local import Scored, _scores, both, model, tables
from .floors import floors
from .subjects import context, table

if TYPE_CHECKING:
    import pandas as pd

    from fivefold.contract.check import Context
    from fivefold.contract.subject import Table

CHECK = "E3.permutation"


def _truth(made: Scored, frame: pd.DataFrame, rng: np.random.Generator) -> np.ndarray:
    whole = table("all", frame, np.zeros(len(frame), dtype=np.int64))
    if made.kind == "regression":
        values = made.score(whole)[:, 0]
        return values + 0.5 * values.std() * rng.normal(size=len(values))
    if made.scored:
        chance = made.predict_proba(whole)
        return (rng.random(len(chance))[:, None] > chance.cumsum(axis=1)).sum(axis=1).clip(0, chance.shape[1] - 1)
    answers = made.predict(whole)
    return np.where(rng.random(len(answers)) < 0.1, (answers + 1) % len(made.offset), answers)


def _loss(made: Scored, asked: Table, target: np.ndarray) -> float:
    if made.kind == "regression":
        return float(np.abs(made.predict(asked) - target).mean())
    truth = (target[:, None] == np.arange(len(made.offset))).astype(float)
    return float(((_scores(made, asked) - truth) ** 2).sum(axis=1).mean() / 2)


def share(made: Scored, frame: pd.DataFrame, target: np.ndarray, name: str, rng: np.random.Generator) -> float:
    """Return the share of what the model knows that hangs on a column, by plain loops over shuffled copies."""
    whole = table("all", frame, target)
    plain = _loss(made, whole, target)
    one, every = 0.0, 0.0
    for _ in range(2):
        shuffled = frame.copy()
        shuffled[name] = frame[name].to_numpy()[rng.permutation(len(frame))]
        one += _loss(made, whole.with_features(shuffled), target) - plain
        every += _loss(
            made, whole.with_features(frame.iloc[rng.permutation(len(frame))].reset_index(drop=True)), target
        )
        every -= plain
    return one / every if every > 0 else 0.0  # a drawn model that knows nothing leans on nothing


def build(
    seed: int,
    *,
    kind: str = "scores",
    lean: float | None = 0.0,
    limit: float | None = None,
    rows: int = 4000,
    columns: tuple[int, int] = (4, 30),
) -> Context:
    """Build one subject.

    Args:
        seed: Decides everything that is not given.
        kind: See :func:`tests.truth.explanation_local.model`.
        lean: Share of what the model knows that hangs on the column of the rule; None: no rule.
        limit: Declared largest share; None: the column may not be used.
        rows: Test rows.
        columns: Fewest and most columns.
    """
    rng, frame, count = tables(seed, rows, columns)
    names = [str(name) for name in frame.columns]
    ruled = names[int(rng.integers(len(names)))]
    others = [name for name in names if name != ruled]
    used = [others[at] for at in rng.choice(len(others), min(max(2, 2 * len(others) // 3), 10), replace=False)]
    made = model(rng, frame, kind, [*used, ruled] if lean else used)
    made.crossed = None if made.crossed is not None and ruled in made.crossed[:2] else made.crossed
    if lean:
        _settle(made, frame, ruled, lean, rng)
    target = _truth(made, frame, rng)
    options: dict[str, object] = {}
    if lean is not None:
        options = {"may_not_use": [ruled]} if limit is None else {"max_importance": [f"{ruled}: {limit}"]}
    return context(
        CHECK,
        made,
        both(frame, target, count),
        seed,
        thresholds=floors(CHECK),
        settings=SettingsView(),
        options=options,
    )


def _settle(made: Scored, frame: pd.DataFrame, ruled: str, wanted: float, rng: np.random.Generator) -> None:
    """Scale the weights of one column until the wanted share hangs on it, by bisection; truth is drawn anew."""
    frame = frame.iloc[:2500].reset_index(drop=True)
    start = made.weights[ruled] - made.weights[ruled].mean(axis=1, keepdims=True)
    low, high = 0.0, 64.0
    for _ in range(11):
        scale = (low + high) / 2 if high < 64 else max(2 * low, 0.1) if low < 32 else 48.0
        made.weights[ruled] = scale * start
        truth = _truth(made, frame, np.random.default_rng(1))
        if share(made, frame, truth, ruled, rng) < wanted:
            low = scale
        else:
            high = scale


def leaning(seed: int) -> Context:
    """Build the undefended reference: a third of what the model knows hangs on a column that it may not use."""
    return build(seed, lean=0.33)


def nothing(seed: int) -> Context:
    """Build the undefended reference: a model whose answers have nothing to do with the truth."""
    rng, frame, count = tables(seed, 4000, (4, 30))
    made = model(rng, frame, "scores")
    target = rng.integers(0, 2, len(frame))
    return context(
        CHECK, made, both(frame, target, count), seed, thresholds=floors(CHECK), settings=SettingsView(), options={}
    )


KINDS = ("scores", "labels", "several classes", "regression")

ENTRY = Entry(
    check=CHECK,
    documented="a column that may not be used carries 6 % of what the model knows (floor 1 %), or one with a declared "
    "limit of 20 % carries 30 %; 4 to 30 columns, 4,000 test rows",
    planted={
        **{f"{kind}, forbidden, 6 %": partial(build, kind=kind, lean=0.06) for kind in KINDS},
        **{f"{kind}, 30 % of 20 %": partial(build, kind=kind, lean=0.3, limit=0.2) for kind in KINDS},
    },
    clean={
        **{f"{kind}, forbidden and unused": partial(build, kind=kind) for kind in KINDS},
        **{f"{kind}, 12 % of 20 %": partial(build, kind=kind, lean=0.12, limit=0.2) for kind in KINDS},
        "no rule": partial(build, lean=None),
    },
    between={"forbidden, 3 %": partial(build, lean=0.03), "25 % of 20 %": partial(build, lean=0.25, limit=0.2)},
    small={"100 rows, forbidden, 6 %": partial(build, lean=0.06, rows=100)},
    shown={"150 columns, forbidden, 6 %": partial(build, lean=0.06, columns=(150, 151))},
    thinned=6,
)
