"""Subjects of E4.randomisation: as those of E4.planted; explainers that stay the same whatever the model does."""

from __future__ import annotations

from functools import partial

from . import explanation_planted as planted
from .entry import Entry

CHECK = "E4.randomisation"
build = partial(planted.build, check=CHECK)

ENTRY = Entry(
    check=CHECK,
    documented="an explainer of whose credit 75 % comes from the data alone, 4 to 24 columns, 1,000 rows, effort quick",
    planted={
        **{f"{kind}, 75 % made up": partial(build, kind=kind, made_up=0.75) for kind in planted.KINDS},
        "never asks the model": partial(build, made_up=1.0),
    },
    clean={f"{kind}, honest": partial(build, kind=kind) for kind in (*planted.KINDS, "rare")},
    between={"65 % made up": partial(build, made_up=0.65)},
    small={"60 rows, 75 % made up": partial(build, made_up=0.75, rows=60)},
    shown={"25 % made up": partial(build, made_up=0.25), "100 columns": partial(build, columns=(100, 101))},
    thinned=6,
)
