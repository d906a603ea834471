"""Subjects of E4.experts: additive models beside experts who know them, or who know another model of the same rows."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from fivefold.contract.subject import SettingsView, Table

from .entry import Entry
from .explanation_local import both, model, tables
from .floors import floors
from .subjects import context, table

if TYPE_CHECKING:
    from fivefold.contract.check import Context

    from .explanation_local import Scored

CHECK = "E4.experts"


def parts(made: Scored, frame: pd.DataFrame, answers: np.ndarray) -> np.ndarray:
    """Return (n, d) what each column adds to the score of the answer beside its mean; 0 for columns not used."""
    added = np.zeros(frame.shape)
    for at, name in enumerate(frame.columns):
        if name in made.weights:
            score = made.weights[name].T[made.codes(frame[name], str(name))]
            score -= score.mean(axis=0)
            rest = (score.sum(axis=1) - score[np.arange(len(score)), answers]) / max(score.shape[1] - 1, 1)
            added[:, at] = score[np.arange(len(score)), answers] - rest
    return added


def file_of(
    size: np.ndarray, names: list[str], rng: np.random.Generator, *, experts: int, ranks: int, noise: float
) -> Table:
    """Return ranked reasons: each expert orders the columns by size, seen with noise.

    Args:
        size: (n, d) what each column adds.
        names: d.
        rng: Draws the noise.
        experts: Lines a row.
        ranks: Reasons a line.
        noise: Standard deviation of the noise, in that of all sizes.
    """
    lines = np.repeat(np.arange(len(size)), experts)
    seen = np.abs(size)[lines]
    seen = np.where(seen > 0, seen + noise * size.std() * rng.normal(size=seen.shape), -np.inf)
    order = np.argsort(-seen, axis=1)[:, : min(ranks, len(names))]
    told = np.where(np.take_along_axis(seen, order, axis=1) > -np.inf, np.array(names, dtype=object)[order], None)
    told[:, 0] = np.where(np.equal(told[:, 0], None), names[0], told[:, 0])
    frame = pd.DataFrame(told, columns=[f"reason {at + 1}" for at in range(told.shape[1])])
    frame["doctor"] = np.tile(np.arange(experts), len(size))
    made = table("experts", frame, np.full(len(frame), -1))
    return replace(made, rows=lines.astype(np.int64))


def build(
    seed: int, *, kind: str = "scores", foreign: float = 0.0, experts: int = 1, rows: int = 300, noise: float = 0.05,
    columns: tuple[int, int] = (8, 24),
) -> Context:  # fmt: skip
    """Build one subject.

    Args:
        seed: Decides everything that is not given.
        kind: See :func:`tests.truth.explanation_local.model`.
        foreign: Share of the rows whose experts know another model of the same columns.
        experts: Lines a row.
        rows: Test rows.
        noise: See :func:`file_of`.
        columns: Fewest and most columns.
    """
    rng, frame, count = tables(seed, rows, columns)
    made = model(rng, frame, kind)
    made.crossed = None
    score = made.score(table("all", frame, np.zeros(len(frame), dtype=np.int64)))
    answers = score.argmax(axis=1)
    data = both(frame, score[:, 0] if made.kind == "regression" else answers, count)
    size = parts(made, frame[:count], answers[:count])
    names, lesser = [str(name) for name in frame.columns], made.weights
    rest = [name for name in names if name not in lesser]
    used = (rest + [name for name in names if name in lesser])[: max(2, len(lesser))]
    other = model(rng, frame, kind, used)
    other.crossed = None
    wrong = rng.random(count) < foreign
    size = np.where(wrong[:, None], parts(other, frame[:count], answers[:count]), size)
    data["experts"] = file_of(size, names, rng, experts=experts, ranks=3, noise=noise)
    return context(
        CHECK, made, data, seed, thresholds=floors(CHECK), settings=SettingsView(), effort="quick",
        options={"by": "doctor"},
    )  # fmt: skip


def foreign(seed: int) -> Context:
    """Build the undefended reference: experts whose reasons are those of another model."""
    return build(seed, foreign=1.0)


KINDS = ("scores", "labels", "regression")

ENTRY = Entry(
    check=CHECK,
    documented="experts of four rows in five know another model of the same columns, 8 to 24 columns, 60 of 300 rows "
    "explained, effort quick",
    planted={f"{kind}, four in five foreign": partial(build, kind=kind, foreign=0.8) for kind in KINDS}
    | {"three experts a row, all foreign": partial(build, foreign=1.0, experts=3)},
    clean={f"{kind}, experts know it": partial(build, kind=kind) for kind in KINDS}
    | {"three experts a row": partial(build, experts=3)},
    between={"half foreign": partial(build, foreign=0.5)},
    small={"24 rows, four in five foreign": partial(build, foreign=0.8, rows=24)},
    shown={
        "experts at odds": partial(build, experts=3, noise=5.0),
        "three columns": partial(build, columns=(3, 4)),
        "200 columns": partial(build, columns=(200, 201)),
    },
    thinned=6,
)
