"""Subjects of E2.shapley: honest explainers, and explainers of whose squared credit a known share is wrong."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from fivefold.contract.subject import SettingsView
from fivefold.explanation.explainer import ours
from fivefold.explanation.measured import deaf

from .entry import Entry
from .explanation_local import both, model, tables
from .floors import floors
from .subjects import context, table

if TYPE_CHECKING:
    from fivefold.contract.check import Context
    from fivefold.explanation.explainer import Explainer, Question

CHECK = "E2.shapley"


def noisy(share: float) -> Explainer:
    """Return an explainer whose squared error is a share of its squared credit."""

    def explain(question: Question, rng: np.random.Generator) -> np.ndarray:
        true = ours(question, rng)
        return np.asarray(true + rng.normal(size=true.shape) * np.sqrt(share * (true**2).mean(axis=1, keepdims=True)))

    return explain


def half_made_up(question: Question, rng: np.random.Generator) -> np.ndarray:
    """Give credit that half comes from the data alone, as large in all as the true one."""
    size = np.abs(ours(question, rng)).sum(axis=1, keepdims=True)
    return deaf.half_deaf(0.5)(question, rng) * size


def displaced(question: Question, rng: np.random.Generator) -> np.ndarray:
    """Give each column the credit of its neighbour."""
    return np.roll(ours(question, rng), 1, axis=1)


def build(
    seed: int,
    *,
    kind: str = "scores",
    explain: Explainer | None = None,
    rows: int = 1000,
    columns: tuple[int, int] = (3, 24),
) -> Context:
    """Build one subject.

    Args:
        seed: Decides everything that is not given.
        kind: See :func:`tests.truth.explanation_local.model`.
        explain: Handed in; None: the product's own.
        rows: Test rows.
        columns: Fewest and most columns.
    """
    rng, frame, count = tables(seed, rows, columns)
    made = model(rng, frame, kind)
    score = made.score(table("all", frame, np.zeros(len(frame), dtype=np.int64)))
    truth = score[:, 0] if made.kind == "regression" else score.argmax(axis=1)
    return context(
        CHECK, made, both(frame, truth, count), seed, thresholds=floors(CHECK), settings=SettingsView(),
        effort="quick", uses={"explainer": explain} if explain else {},
    )  # fmt: skip


def half(seed: int) -> Context:
    """Build the undefended reference: credit that is half made up."""
    return build(seed, explain=half_made_up)


KINDS = ("scores", "labels", "several classes", "regression")

ENTRY = Entry(
    check=CHECK,
    documented="a squared error of a quarter of the squared credit, 3 to 24 columns, 1,000 rows, effort quick",
    planted={
        **{f"{kind}, a quarter wrong": partial(build, kind=kind, explain=noisy(0.25)) for kind in KINDS},
        "the neighbour's credit": partial(build, explain=displaced),
        "half made up": half,
    },
    clean={f"{kind}, honest": partial(build, kind=kind) for kind in (*KINDS, "rare")},
    between={"a tenth wrong": partial(build, explain=noisy(0.1))},
    small={"60 rows, a quarter wrong": partial(build, explain=noisy(0.25), rows=60)},
    shown={"100 columns": partial(build, columns=(100, 101))},
    thinned=6,
)
