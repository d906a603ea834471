"""Subjects of the checks of theft: models that a guard watches or does not, callers like the training rows or not.

Columns depend on each other through two hidden factors, so that rows drawn cell by cell are none of the population. The
model is logistic: whoever has its exact scores has it with one question for each input.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from fivefold.contract.subject import SettingsView

from .entry import Entry, Rates
from .extraction import Rule
from .floors import floors
from .subjects import context, table

if TYPE_CHECKING:
    from fivefold.contract.check import Context

_WATCHED = {"detect": True}
TEXTS, LEVELS = ("town", "job", "kind"), 16


def _rows(rng: np.random.Generator, count: int, loads: np.ndarray, loose: float) -> pd.DataFrame:
    """Return rows: numbers that lean on two factors, some of them whole, and three texts that are factors in words.

    Args:
        rng: Draws.
        count: Rows.
        loads: (2, d).
        loose: 0: the columns depend on each other, 1: not at all.
    """
    factors = rng.normal(size=(count, 2))
    own = rng.normal(size=(count, loads.shape[1]))
    values = (1 - loose) * factors @ loads + (0.25 + 1.3 * loose) * own
    made: dict[str, object] = {f"n{at}": values[:, at] for at in range(loads.shape[1])}
    made["n0"] = np.round(values[:, 0] * 10)
    made["n1"] = np.where(rng.random(count) < 0.1, np.nan, values[:, 1])
    for at, name in enumerate(TEXTS):
        drawn = rng.normal(size=(count, 2))
        word = (1 - loose) * factors[:, at % 2] + (0.3 + loose) * drawn[:, 0]
        made[name] = np.array([f"{name[0]}{j}" for j in range(LEVELS)], dtype=object)[
            np.searchsorted(np.linspace(-1.8, 1.8, LEVELS - 1), word)
        ]
    return pd.DataFrame(made)


def build(
    seed: int,
    *,
    check: str = "P2.detection",
    controls: dict[str, object] | None = None,
    gives: bool = True,
    rows: int = 8000,
    loose: float = 0.0,
    foreign: bool = False,
    floor: float | None = None,
    kind: str = "logistic",
    budget: int | None = None,
) -> Context:
    """Build one subject.

    Args:
        seed: Decides everything that is not given.
        check: Check id.
        controls: Of P2, as declared.
        gives: The model gives probabilities.
        rows: Of train; test has at most 3,000.
        loose: 1: columns do not depend on each other.
        foreign: Test rows are of another population with the same ranges.
        floor: Declared; None: the catalogue's.
        kind: ``logistic`` or ``stump``.
        budget: Questions of each attack; None: as by default.
    """
    rng = np.random.default_rng([seed, 0])
    d = int(rng.integers(9, 15))
    loads = rng.normal(size=(2, d))
    train = _rows(rng, rows, loads, loose)
    asked = min(rows, 3000)
    test = _rows(rng, asked, loads * rng.choice([-1.0, 1.0], (2, d)) if foreign else loads, loose)
    numbers = tuple(name for name in train.columns if name not in TEXTS)
    levels = (
        {name: {f"{name[0]}{j}": np.array([0.0, rng.normal()]) for j in range(LEVELS)} for name in TEXTS}
        if kind == "logistic"
        else {}
    )
    scale = train[list(numbers)].std().to_numpy()
    weights = np.zeros((d, 2))
    weights[:, 1] = rng.normal(size=d) / scale / np.sqrt(d) * 2
    cut = float(train[numbers[0]].median()) if kind == "stump" else None
    bare = Rule("binary", numbers, weights, np.zeros(2), levels, cut, 0.0, gives)
    middle = float(np.median(bare.logits(table("train", train, np.zeros(rows, np.int64)))[:, 1]))
    model = Rule("binary", numbers, weights, np.array([0.0, -middle]), levels, cut, 0.0, gives)
    tables = {}
    for name, frame in (("train", train), ("test", test)):
        made = table(name, frame, np.zeros(len(frame), dtype=np.int64))
        chance = model.answers(made)[:, 1]
        tables[name] = table(name, frame, (rng.random(len(frame)) < chance).astype(np.int64))
    thresholds = floors(check) if floor is None else dict.fromkeys(floors(check), floor)
    settings = SettingsView(controls={"P2": controls or {}})
    options = None if budget is None else {"budget": budget}
    return context(check, model, tables, seed, thresholds=thresholds, settings=settings, options=options)


_of_detection = partial(build, check="P2.detection")
_of_benign = partial(build, check="P2.benign", controls=_WATCHED)
_of_shaping = partial(build, check="P2.shaping", budget=600)

unwatched = _of_detection
foreign_callers = partial(_of_benign, foreign=True)
bare_scores = _of_shaping

ENTRIES = {
    "P2.detection": Entry(
        check="P2.detection",
        documented="a model that nobody watches, against the catalogue's floor, with 9 to 14 numbers that depend on "
        "two hidden factors and three text columns of 16 values, 8,000 training and 3,000 test rows",
        planted={
            "logistic, nobody watches": unwatched,
            "logistic, labels only, nobody watches": partial(_of_detection, gives=False),
            "stump, nobody watches": partial(_of_detection, kind="stump"),
        },
        clean={
            "logistic, watched": partial(_of_detection, controls=_WATCHED),
            "logistic, labels only, 800 questions, watched": partial(
                _of_detection, controls=_WATCHED, gives=False, budget=800
            ),
        },
        small={"150 rows, nobody watches": partial(_of_detection, rows=150)},
        shown={
            "logistic, labels only, watched": partial(_of_detection, controls=_WATCHED, gives=False),
            "columns that do not depend on each other, watched": partial(_of_detection, controls=_WATCHED, loose=1.0),
            "3,000 rows, watched": partial(_of_detection, controls=_WATCHED, rows=3000),
        },
        rates=Rates(as_points=True),
        thinned=6,
    ),
    "P2.benign": Entry(
        check="P2.benign",
        documented="callers whose columns depend on each other in another way than in the training rows, 8,000 rows",
        planted={"foreign callers": foreign_callers},
        clean={
            "callers like the training rows": _of_benign,
            "1,000 rows": partial(_of_benign, rows=1000),
        },
        small={"150 rows, foreign callers": partial(_of_benign, rows=150, foreign=True)},
        shown={"columns that do not depend on each other": partial(_of_benign, loose=1.0)},
        rates=Rates(as_points=True),
        thinned=6,
    ),
    "P2.shaping": Entry(
        check="P2.shaping",
        documented="the bare scores of a logistic model against the catalogue's floor, as of P2.detection, and 600 "
        "questions: with 1,000 and more, labels alone come near enough to the model that the floor is a close call",
        planted={"bare scores": bare_scores, "ten decimals": partial(_of_shaping, controls={"decimals": 10})},
        clean={
            "labels alone": partial(_of_shaping, controls={"decimals": 0}),
            "labels alone, top 1": partial(_of_shaping, controls={"decimals": 0, "top": 1}),
        },
        small={"300 rows, bare scores": partial(_of_shaping, rows=300)},
        shown={
            "bare scores, 1,000 questions": partial(_of_shaping, budget=1000),
            "two decimals": partial(_of_shaping, controls={"decimals": 2}),
            "noise 1, one decimal": partial(_of_shaping, controls={"noise": 1.0, "decimals": 1}),
        },
        rates=Rates(as_points=True),
        thinned=6,
    ),
}
