"""Subjects of E4.stability: honest explainers, and explainers with an error by call or by the row's cells."""

from __future__ import annotations

from functools import partial

from fivefold.explanation.explainer import ours
from fivefold.explanation.measured.stability import jumping, noisy

from . import explanation_fidelity as fidelity
from .entry import Entry

CHECK = "E4.stability"
KINDS = fidelity.KINDS
build = partial(fidelity.build, check=CHECK)
by_call = partial(build, explain=noisy(0.3, ours))
by_cells = partial(build, explain=jumping(0.3, ours))

ENTRY = Entry(
    check=CHECK,
    documented="an error of 30 % of the squared credit, drawn at each call or fixed by the row's cells, 4 to 24 "
    "columns, 1,000 rows, effort quick",
    planted={
        **{f"{kind}, error by call": partial(by_call, kind=kind) for kind in KINDS},
        **{f"{kind}, error by cells": partial(by_cells, kind=kind) for kind in KINDS},
    },
    clean={f"{kind}, honest": partial(build, kind=kind) for kind in (*KINDS, "rare")},
    between={"error of 20 %": partial(build, explain=noisy(0.2, ours)),
             "error of 20 % by cells": partial(build, explain=jumping(0.2, ours))},
    small={"60 rows, error by call": partial(by_call, rows=60), "60 rows, error by cells": partial(by_cells, rows=60),
           "a constant model": partial(build, kind="constant")},
    shown={"error of 2 %": partial(build, explain=noisy(0.02, ours)), "100 columns": partial(build, columns=(100, 101)),
           "3 columns": partial(build, columns=(3, 4)), "answers that flicker": partial(build, flicker=3.0)},
    thinned=6,
)  # fmt: skip
