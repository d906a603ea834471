"""Falls: ways in which rungs of a ladder may be gone, and who has to answer each row then, worked out a second time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from fivefold.adaptation.fallback.rules import ASK
from fivefold.adaptation.fallback.terms import MODELS

if TYPE_CHECKING:
    from fivefold.adaptation.fallback.ladder import Descent, Ladder, Told
    from fivefold.adaptation.fallback.terms import Terms
    from fivefold.subject.rows import Rows

    Model = tuple[np.ndarray, np.ndarray | None]

KILLABLE = (*MODELS, "rules")
"""Rungs that can be taken away; people and refusal cannot."""


@dataclass(frozen=True)
class Fall:
    """One way in which rungs are gone.

    Attributes:
        gone: Names of the rungs that are.
        suspect: Whether half of the rows look like an attack, so that no model may answer them.
    """

    gone: tuple[str, ...] = ()
    suspect: bool = False


def falls(terms: Terms, *, judges: bool) -> tuple[Fall, ...]:
    """Return them: nothing is gone; the upper rungs are, one more each time; one rung alone is; rows are suspect.

    Args:
        terms: As declared.
        judges: The simpler model says how sure the served one is, which therefore cannot run without it.
    """
    killable = tuple(level for level in terms.levels if level in KILLABLE)
    upper = [Fall(killable[:most]) for most in range(len(killable) + 1)]
    alone = [Fall((level,)) for level in killable[1:] if not (judges and level == "simpler")]
    return (*upper, *alone, Fall(suspect=True))


def said(ladder: Ladder, rows: Rows, model: Model) -> dict[str, Told]:
    """Return what each model of a ladder says to n rows, the served one first."""
    from fivefold.adaptation.fallback.ladder import Told

    found = {"model": Told(model[0], ladder.certainty(rows, model))}
    return found | {name: ladder.asked(name, rows) for name in ladder.terms.models[1:]}


def expected(
    ladder: Ladder, rows: Rows, told: dict[str, Told], fall: Fall, suspect: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return (n,) which level has to answer each row, and (n,) what; NaN where there is no answer.

    Args:
        ladder: With nothing gone.
        rows: (n, ...) what is asked.
        told: What each model says to them.
        fall: What is gone.
        suspect: (n,) rows that no model may answer.
    """
    levels, models = ladder.terms.levels, ladder.terms.models
    first = next((place for place, name in enumerate(models) if name not in fall.gone), len(models))
    by, answers = np.full(len(rows), -1), np.full(len(rows), np.nan)
    for place, level in enumerate(levels):
        free = by < 0
        if level in fall.gone:
            continue
        if level in MODELS:
            sure = told[level].certainty >= _thresholds(ladder, rows, level, min(first, models.index(level)))
            mine = free & sure & ~suspect
            answers[mine] = told[level].answers[mine]
        elif level == "rules":
            decided = _decided(ladder, rows)
            mine = free & np.isfinite(decided)
            answers[mine] = decided[mine]
        else:
            mine = free
        by[mine] = place
    return by, answers


def misplaced(found: Descent, by: np.ndarray, answers: np.ndarray) -> np.ndarray:
    """Return (n,) rows that another level answered than has to, or otherwise than that level says."""
    given = found.answers.astype(np.float64)
    given[~np.isfinite(given) | ((found.answers.dtype.kind != "f") & (given < 0))] = np.nan
    return np.asarray((found.by != by) | ~((given == answers) | (np.isnan(given) & np.isnan(answers))))


def _thresholds(ladder: Ladder, rows: Rows, level: str, gone: int) -> np.ndarray:
    held, column = ladder.guarantees[level][gone], ladder.terms.group
    if not column or isinstance(rows, np.ndarray):
        return np.full(len(rows), next(iter(held.values())).threshold)
    return np.array([held[kind].threshold if kind in held else np.inf for kind in rows[column].astype(str)])


def _decided(ladder: Ladder, rows: Rows) -> np.ndarray:
    """Return (n,) what the first rule says that holds; NaN: none does."""
    decided = np.full(len(rows), np.nan)
    if ladder.rules is None or isinstance(rows, np.ndarray):
        return decided
    which = ladder.rules.decide(rows)
    told = np.array([rule.answer for rule in ladder.rules.table], dtype=np.float64)
    decided[which != ASK] = told[which[which != ASK]]
    return decided
