"""Subjects of E4.agreement: honest explainers, and reasons that belong to other columns, another model, or the data."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from fivefold.contract.subject import SettingsView
from fivefold.explanation.measured import deaf

from . import explanation_fidelity as fidelity
from .entry import Entry
from .explanation_enumerated import displaced, noisy
from .explanation_local import both, model
from .floors import floors
from .subjects import context, table

if TYPE_CHECKING:
    from fivefold.contract.check import Context
    from fivefold.explanation.explainer import Question

CHECK = "E4.agreement"
KINDS = fidelity.KINDS
build = partial(fidelity.build, check=CHECK)


def upside_down(question: Question, rng: np.random.Generator) -> np.ndarray:
    """Give the true credit with its sign turned: what speaks for is told as against."""
    return -fidelity.ours(question, rng)


def to_the_copy(question: Question, rng: np.random.Generator) -> np.ndarray:
    """Give the credit of each column to the one that follows it, and back: of copies side by side, to the copy."""
    true = fidelity.ours(question, rng)
    return true[:, np.arange(true.shape[1]) ^ 1]


def copied(seed: int, *, honest: bool = True) -> Context:
    """Build a subject of which each column has a copy beside it that tells nearly the same; the model uses some.

    Args:
        seed: Decides everything that is not given.
        honest: The product's own explainer; else all credit goes to the other copy.
    """
    rng = np.random.default_rng([seed, 3])
    base = rng.normal(size=(1500, int(rng.integers(3, 7))))
    twice = np.repeat(base, 2, axis=1) + 0.2 * rng.normal(size=(len(base), 2 * base.shape[1]))
    frame = pd.DataFrame({f"c{at}": column for at, column in enumerate(twice.T)})
    made = model(rng, frame, "scores")
    truth = made.score(table("all", frame, np.zeros(len(frame), dtype=np.int64))).argmax(axis=1)
    return context(
        CHECK, made, both(frame, truth, 1000), seed, thresholds=floors(CHECK), settings=SettingsView(), effort="quick",
        uses={} if honest else {"explainer": to_the_copy},
    )  # fmt: skip


ENTRY = Entry(
    check=CHECK,
    documented="reasons of which nothing (dealt out, the neighbour's, another model's) or a tenth is true, 4 to 24 "
    "columns, 1,000 rows, effort quick",
    planted={
        **{f"{kind}, dealt out": partial(build, kind=kind, explain=fidelity.dealt) for kind in KINDS},
        "the neighbour's credit": partial(build, explain=displaced),
        "another model's": partial(build, explain=fidelity.anothers),
        "signs turned": partial(build, explain=upside_down),
        "never asks the model": partial(build, explain=deaf.deaf),
        "90 % made up": partial(build, explain=deaf.half_deaf(0.9)),
    },
    clean={
        **{f"{kind}, honest": partial(build, kind=kind) for kind in (*KINDS, "rare")},
        "copies beside each other": copied,
        "credit given to the copy": partial(copied, honest=False),
    },
    between={"80 % made up": partial(build, explain=fidelity.MOSTLY)},
    small={"60 rows, dealt out": partial(build, explain=fidelity.dealt, rows=60),
           "a constant model": partial(build, kind="constant")},
    shown={"half made up": partial(build, explain=deaf.half_deaf(0.5)),
           "noise as large as the credit": partial(build, explain=noisy(1.0)),
           "100 columns": partial(build, columns=(100, 101)), "3 columns": partial(build, columns=(3, 4)),
           "answers that flicker": partial(build, flicker=3.0)},
    thinned=6,
)  # fmt: skip
