"""Subjects of E4.planted: honest explainers, and explainers whose credit comes from the data by a known share."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from fivefold.contract.subject import SettingsView
from fivefold.explanation.measured import deaf

from .entry import Entry
from .explanation_local import both, model, tables
from .floors import floors
from .subjects import context, table

if TYPE_CHECKING:
    from fivefold.contract.check import Context

CHECK = "E4.planted"


def build(
    seed: int,
    *,
    kind: str = "scores",
    made_up: float = 0.0,
    rows: int = 1000,
    columns: tuple[int, int] = (4, 24),
    check: str = CHECK,
) -> Context:
    """Build one subject.

    Args:
        seed: Decides everything that is not given.
        kind: See :func:`tests.truth.explanation_local.model`.
        made_up: Share of the credit that comes from the data alone; 0: the product's own explainer.
        rows: Test rows.
        columns: Fewest and most columns.
        check: Check id.
    """
    rng, frame, count = tables(seed, rows, columns)
    made = model(rng, frame, kind)
    score = made.score(table("all", frame, np.zeros(len(frame), dtype=np.int64)))
    truth = score[:, 0] if made.kind == "regression" else score.argmax(axis=1)
    explain = deaf.deaf if made_up == 1.0 else deaf.half_deaf(made_up)
    return context(
        check,
        made,
        both(frame, truth, count),
        seed,
        thresholds=floors(check),
        settings=SettingsView(),
        effort="quick",
        uses={"explainer": explain} if made_up else {},
    )


def deaf_to_the_model(seed: int) -> Context:
    """Build the undefended reference: an explainer that never asks the model."""
    return build(seed, made_up=1.0)


KINDS = ("scores", "labels", "several classes", "regression")

ENTRY = Entry(
    check=CHECK,
    documented="an explainer of whose credit 80 % comes from the data alone, 4 to 24 columns, 1,000 rows, effort quick",
    planted={
        **{f"{kind}, 80 % made up": partial(build, kind=kind, made_up=0.8) for kind in KINDS},
        "never asks the model": deaf_to_the_model,
    },
    clean={f"{kind}, honest": partial(build, kind=kind) for kind in (*KINDS, "rare")},
    between={"60 % made up": partial(build, made_up=0.6)},
    small={"60 rows, 80 % made up": partial(build, made_up=0.8, rows=60)},
    shown={"10 % made up": partial(build, made_up=0.1), "100 columns": partial(build, columns=(100, 101))},
    thinned=6,
)
