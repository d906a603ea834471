"""Subjects of E4.fidelity: honest explainers, and reasons that belong to other columns, another model, or chance."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from fivefold.contract.subject import SettingsView
from fivefold.explanation import known
from fivefold.explanation.explainer import Question, ours
from fivefold.explanation.measured import deaf

from .entry import Entry
from .explanation_enumerated import displaced, noisy
from .explanation_local import both, model, tables
from .floors import floors
from .subjects import context, table

if TYPE_CHECKING:
    from fivefold.contract.check import Context
    from fivefold.explanation.explainer import Explainer

CHECK = "E4.fidelity"


def dealt(question: Question, rng: np.random.Generator) -> np.ndarray:
    """Deal the true credit of each row out over the columns at random."""
    return rng.permuted(ours(question, rng), axis=1)


def anothers(question: Question, rng: np.random.Generator) -> np.ndarray:
    """Give the exact credit of another function of the same cells."""
    return known.draw(question.codes, rng).exact(question.explained)


def build(
    seed: int,
    *,
    kind: str = "scores",
    explain: Explainer | None = None,
    rows: int = 1000,
    columns: tuple[int, int] = (4, 24),
    check: str = CHECK,
    flicker: float = 0.0,
) -> Context:
    """Build one subject.

    Args:
        seed: Decides everything that is not given.
        kind: See :func:`tests.truth.explanation_local.model`; ``constant``: the same answer everywhere.
        explain: Handed in; None: the product's own.
        rows: Test rows.
        columns: Fewest and most columns.
        check: Check id.
        flicker: See :class:`tests.truth.explanation_local.Scored`.
    """
    rng, frame, count = tables(seed, rows, columns)
    made = model(rng, frame, "scores" if kind == "constant" else kind)
    made.sharp = 0.0 if kind == "constant" else made.sharp
    score = made.score(table("all", frame, np.zeros(len(frame), dtype=np.int64)))
    truth = score[:, 0] if made.kind == "regression" else score.argmax(axis=1)
    made.flicker, made.noise = flicker, np.random.default_rng([seed, 9])
    return context(
        check, made, both(frame, truth, count), seed, thresholds=floors(check), settings=SettingsView(),
        effort="quick", uses={"explainer": explain} if explain else {},
    )  # fmt: skip


KINDS = ("scores", "labels", "several classes", "regression")
MOSTLY = deaf.half_deaf(0.8)

ENTRY = Entry(
    check=CHECK,
    documented="reasons of which nothing (dealt out, the neighbour's, another model's) or a fifth is true, 4 to 24 "
    "columns, 1,000 rows, effort quick",
    planted={
        **{f"{kind}, dealt out": partial(build, kind=kind, explain=dealt) for kind in KINDS},
        "the neighbour's credit": partial(build, explain=displaced),
        "another model's": partial(build, explain=anothers),
        **{f"{kind}, 80 % made up": partial(build, kind=kind, explain=MOSTLY) for kind in KINDS},
        "never asks the model": partial(build, explain=deaf.deaf),
    },
    clean={f"{kind}, honest": partial(build, kind=kind) for kind in (*KINDS, "rare")},
    between={
        "65 % made up": partial(build, explain=deaf.half_deaf(0.65)),
        "regression, noise as large as the credit": partial(build, kind="regression", explain=noisy(1.0)),
    },
    small={
        "60 rows, dealt out": partial(build, explain=dealt, rows=60),
        "a constant model": partial(build, kind="constant"),
    },
    shown={
        "half made up": partial(build, explain=deaf.half_deaf(0.5)),
        "10 % noise": partial(build, explain=noisy(0.1)),
        "100 columns": partial(build, columns=(100, 101)),
        "300 columns, dealt out": partial(build, columns=(300, 301), explain=dealt, kind="labels"),
        "answers that flicker": partial(build, flicker=3.0),
        "3 columns": partial(build, columns=(3, 4)),
    },
    thinned=6,
)
