"""Subjects of E3.sensitivity: models of whose answers' variance a known share hangs on the columns of a declaration."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from fivefold.contract.subject import SettingsView

from .entry import Entry
from .explanation_local import Scored, _scores, both, model, tables
from .floors import floors
from .subjects import context, table

if TYPE_CHECKING:
    from fivefold.contract.check import Context

CHECK = "E3.sensitivity"


def total(made: Scored, frame: pd.DataFrame, names: list[str], rng: np.random.Generator) -> float:
    """Return the total index of columns, by plain loops over shuffled copies; the columns of a frame are independent.

    Args:
        made: Model.
        frame: Rows.
        names: Columns that change together.
        rng: Shuffles.
    """

    def answers(part: pd.DataFrame) -> np.ndarray:
        return _scores_of(made, part)

    loose = pd.DataFrame({name: frame[name].to_numpy()[rng.permutation(len(frame))] for name in frame.columns})
    plain = answers(loose)
    shuffled = loose.copy()
    for name in names:
        shuffled[name] = loose[name].to_numpy()[rng.permutation(len(frame))]
    whole = ((plain - plain.mean(axis=0)) ** 2).sum(axis=1).mean()
    changed = ((answers(shuffled) - plain) ** 2).sum(axis=1).mean() / 2
    return float(changed / whole) if whole > 0 else 0.0


def _scores_of(made: Scored, frame: pd.DataFrame) -> np.ndarray:
    rows = table("all", frame, np.zeros(len(frame), dtype=np.int64))
    return made.score(rows) if made.kind == "regression" else _scores(made, rows)


def _settle(made: Scored, frame: pd.DataFrame, names: list[str], wanted: float, rng: np.random.Generator) -> None:
    """Scale the weights of columns until their total index is as wanted, by bisection."""
    frame = frame.iloc[:2500].reset_index(drop=True)
    start = {name: made.weights[name] - made.weights[name].mean(axis=1, keepdims=True) for name in names}
    low, high = 0.0, 64.0
    for _ in range(12):
        scale = (low + high) / 2 if high < 64 else max(2 * low, 0.1) if low < 32 else 48.0
        made.weights |= {name: scale * one for name, one in start.items()}
        _centre(made, frame)
        if np.mean([total(made, frame, names, rng) for _ in range(2)]) < wanted:
            low = scale
        else:
            high = scale


def _centre(made: Scored, frame: pd.DataFrame) -> None:
    """Make the classes about as frequent again."""
    if made.kind == "regression":
        return
    made.offset = np.zeros(len(made.offset))
    score = made.score(table("all", frame, np.zeros(len(frame), dtype=np.int64)))
    score = score - score[:, :1] if len(made.offset) == 2 else score
    made.offset = -np.median(score, axis=0)


def build(
    seed: int,
    *,
    kind: str = "scores",
    carried: float | None = None,
    forbidden: float | None = None,
    rows: int = 1500,
    columns: tuple[int, int] = (4, 30),
) -> Context:
    """Build one subject.

    Args:
        seed: Decides everything that is not given.
        kind: See :func:`tests.truth.explanation_local.model`.
        carried: Share of the variance that the declared drivers carry; None: none are declared.
        forbidden: Total index of a column that may not be used; None: none is declared.
        rows: Test rows.
        columns: Fewest and most columns.
    """
    rng, frame, count = tables(seed, rows, columns)
    names = [str(name) for name in frame.columns]
    ruled = names[int(rng.integers(len(names)))]
    others = [name for name in names if name != ruled or forbidden is None]
    # nothing declared: ten columns are named
    most = 9 if carried is None else 12
    used = [others[at] for at in rng.choice(len(others), min(max(2, 2 * len(others) // 3), most), replace=False)]
    made = model(rng, frame, kind, [*used, ruled] if forbidden else used)
    options: dict[str, object] = {}
    if forbidden is not None:
        options["may_not_use"] = [ruled]
        made.crossed = None if made.crossed is not None and ruled in made.crossed[:2] else made.crossed
        if forbidden:
            _settle(made, frame, [ruled], forbidden, rng)
    if carried is not None:
        drivers, rest = used[: max(len(used) // 2, 1)], used[max(len(used) // 2, 1) :]
        options["drivers"] = drivers
        made.crossed = None
        _settle(made, frame, rest, 1 - carried, rng)
    target = np.zeros(len(frame)) if kind == "regression" else np.zeros(len(frame), dtype=np.int64)
    return context(CHECK, made, both(frame, target, count), seed, thresholds=floors(CHECK), settings=SettingsView(),
                   options=options, effort="quick")  # fmt: skip


def thin(seed: int, *, kind: str = "scores") -> Context:
    """Build the undefended reference: the answers hang on sixty columns about alike, and ten of them are named."""
    rng, frame, count = tables(seed, 1500, (80, 81))
    made = model(rng, frame, kind, [str(name) for name in rng.choice(frame.columns, 60, replace=False)])
    made.crossed = None
    whole = table("all", frame, np.zeros(len(frame), dtype=np.int64))
    for name, one in made.weights.items():
        drawn = one[:, made.codes(frame[name], name)]
        made.weights[name] = one / max(float(drawn.std(axis=1).mean()), 0.1)
    _centre(made, frame)
    made.sharp = 3.0 / max(float(made.score(whole).std()), 1e-9)
    target = np.zeros(len(frame)) if kind == "regression" else np.zeros(len(frame), dtype=np.int64)
    return context(CHECK, made, both(frame, target, count), seed, thresholds=floors(CHECK), settings=SettingsView(),
                   effort="quick")  # fmt: skip


def quiet(seed: int) -> Context:
    """Build the undefended reference: a third of the answers' variance hangs on a column that may not be used."""
    return build(seed, forbidden=0.33)


KINDS = ("scores", "labels", "several classes", "regression")

ENTRY = Entry(
    check=CHECK,
    documented="the columns declared carry 36 % of the variance of the answers (floor 60 %), or a column that may not "
    "be used has a total index of 6 % (floor 1 %); 4 to 30 columns, 1,500 test rows, effort quick",
    planted={
        **{f"{kind}, drivers carry 36 %": partial(build, kind=kind, carried=0.36) for kind in KINDS},
        **{f"{kind}, forbidden, 6 %": partial(build, kind=kind, forbidden=0.06) for kind in KINDS},
    },
    clean={
        **{f"{kind}, drivers carry 85 %": partial(build, kind=kind, carried=0.85) for kind in KINDS},
        **{f"{kind}, forbidden and unused": partial(build, kind=kind, forbidden=0.0) for kind in KINDS},
        "nothing declared": build,
    },
    between={"drivers carry 50 %": partial(build, carried=0.5), "forbidden, 3 %": partial(build, forbidden=0.03)},
    small={
        "100 rows, drivers carry 36 %": partial(build, carried=0.36, rows=100),
        "100 rows, forbidden, 6 %": partial(build, forbidden=0.06, rows=100),
    },
    shown={
        "80 columns, 60 of about equal weight": thin,
        "150 columns, forbidden, 6 %": partial(build, forbidden=0.06, columns=(150, 151)),
        "150 columns, drivers carry 85 %": partial(build, carried=0.85, columns=(150, 151)),
    },
    thinned=6,
)
