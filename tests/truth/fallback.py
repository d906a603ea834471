"""Subjects of C3: ladders on calibration rows that are like the rows to come, or are not."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from fivefold.contract.subject import SettingsView

from .entry import Entry
from .floors import floors
from .subjects import Answers, context, filler, table

if TYPE_CHECKING:
    from fivefold.contract.check import Context

RISK, SHIFT = "C3.risk", "C3.shift"


def build(
    seed: int, check: str = RISK, *, excess: float = 0.0, calibration: int = 2000, test: int = 2000,
    kind: str = "binary", saturated: bool = False, hidden: float = 0.0, declared: bool = True, hard: float = 0.5,
    moved: bool = False,
) -> Context:  # fmt: skip
    """Build one subject whose certainty is the chance of being right.

    Args:
        seed: Decides everything that is not given.
        check: Which one.
        excess: Share of test rows that are wrong for no reason that shows, none of the calibration rows: the model was
            fitted to those.
        calibration: Rows.
        test: Rows.
        kind: ``binary``, ``multiclass`` or ``regression``.
        hidden: Share of all rows that are wrong for no reason that shows.
        saturated: The scores are 0 and 1 whatever the chance.
        declared: Whether controls.C3 is.
        hard: The least sure rows are wrong with this chance.
        moved: Test rows are less sure than calibration rows.
    """
    rng = np.random.default_rng([seed, 0])
    n = calibration + test
    frame = filler(rng, n, int(np.exp(rng.uniform(np.log(3), np.log(40)))))
    later = np.arange(n) >= calibration
    ease = rng.random(n) ** np.where(later & moved, 0.7, 2.0)
    wrong = rng.random(n) < hard * ease**3
    wrong |= rng.random(n) < np.where(later, excess + hidden, hidden)
    options: dict[str, Any] = {"risk": 0.05, "delta": 0.1, "levels": ["model", "human"]}
    scores, classes = None, ()
    if kind == "regression":
        frame["w"] = rng.normal(size=n)
        truth = 10 * frame["w"].to_numpy()
        answers = truth + np.where(wrong, 3.0 + ease, 0.2 * ease) * rng.choice([-1, 1], n)
        options["tolerance"] = 1.0
    else:
        width = 2 if kind == "binary" else int(rng.integers(3, 6))
        answers = rng.integers(0, width, n)
        truth = np.where(wrong, (answers + rng.integers(1, width, n)) % width, answers)
        sure = np.ones(n) if saturated else 1 - hard * ease**3 * (width - 1) / width
        scores = np.tile(((1 - sure) / (width - 1))[:, None], (1, width))
        scores[np.arange(n), answers] = sure
        classes = tuple(f"c{i}" for i in range(width))
    task = "regression" if not classes else "binary" if len(classes) == 2 else "multiclass"
    whole = table("all", frame, truth)
    tables = {"calibration": whole.take(~later), "test": whole.take(later), "train": whole.take(~later)}
    settings = SettingsView(controls={"C3": options} if declared else {}, classes=classes)
    return context(
        check, Answers(task, classes, answers, scores), tables, seed, thresholds=floors(check), settings=settings
    )


def everything(seed: int) -> Context:
    """Build the undefended reference: a model that is often wrong and answers whatever it is asked."""
    return build(seed, hard=0.9, excess=0.12, declared=False)


def nothing(seed: int) -> Context:
    """Build a ladder that lets nothing through: the model is as often wrong where it is sure as elsewhere."""
    return build(seed, hidden=0.3)


_SHIFT = partial(build, check=SHIFT)
ENTRIES = {
    RISK: Entry(
        check=RISK,
        documented="answers wrong at least three times as often as declared (5 %) on 2,000 test rows, since the "
        "calibration rows were those that the model was fitted to, or nothing is declared; or a ladder that lets "
        "nothing through",
        planted={
            "two classes": partial(build, excess=0.15),
            "several classes": partial(build, excess=0.15, kind="multiclass"),
            "nothing is declared": everything,
            "nothing is answered": nothing,
            "a regression": partial(build, excess=0.15, kind="regression"),
        },
        clean={
            "two classes": build,
            "several classes": partial(build, kind="multiclass"),
            "a regression": partial(build, kind="regression", hard=0.2),
        },
        between={
            f"{100 * more:.0f} points of errors that do not show": partial(build, excess=more) for more in (0.08, 0.1)
        },
        small={
            "55 calibration rows": partial(build, calibration=55),
            "60 test rows": partial(build, excess=0.15, test=60),
        },
        shown={"500 test rows": partial(build, test=500)},
    ),
    SHIFT: Entry(
        check=SHIFT,
        documented="scores that say nothing of the errors (all 1), or test rows that are less sure than calibration "
        "rows, 2,000 of each",
        planted={
            "saturated scores": partial(_SHIFT, saturated=True),
            "saturated scores, several classes": partial(_SHIFT, saturated=True, kind="multiclass"),
            "other test rows": partial(_SHIFT, moved=True),
        },
        clean={"two classes": _SHIFT, "several classes": partial(_SHIFT, kind="multiclass")},
        small={"300 rows of each, saturated": partial(_SHIFT, saturated=True, calibration=300, test=300)},
        shown={"500 rows of each": partial(_SHIFT, calibration=500, test=500)},
    ),
}
