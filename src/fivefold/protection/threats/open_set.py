"""Check P5.open-set: of unknown threats that the model takes for benign, how many go to the fallback."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from threadpoolctl import threadpool_limits

from fivefold.contract.finding import Result
from fivefold.contract.outcome import Outcome
from fivefold.protection.threats import figures
from fivefold.protection.threats.known import required
from fivefold.protection.threats.setting import FEWEST_FLOWS, lay_out
from fivefold.protection.threats.unseen import hold_out

if TYPE_CHECKING:
    from fivefold.contract.check import Context
    from fivefold.contract.finding import Measure
    from fivefold.protection.threats.unseen import Held

HANDED, NEEDLESS = "min_handed", "max_handed_benign"
_REMEDY = "Declare controls.P5, and a fallback (C3) that decides what it hands over."


def run(context: Context) -> Result:
    """Measure what is handed over: unknown threats that the model takes for benign, and benign flows.

    Threat: a flow of a kind that the model never saw is answered all the same, as if it were known.
    Limit: who decides what is handed over, and whether rightly, is measured by C3.

    Args:
        context: Needs a classifier and ``test``; thresholds ``min_handed`` and ``max_handed_benign``.

    Raises:
        UnsupportedError: As :mod:`fivefold.protection.threats.unseen`.
        SubjectError: The model misbehaved.
    """
    with threadpool_limits(limits=1):
        return _run(context)


def _run(context: Context) -> Result:
    subject, setting = required(context), lay_out(context)
    held = hold_out(context, setting, subject)
    pairs = [_handed(one) for one in held]
    taken, handed = (np.concatenate([pair[at] for pair in pairs]) for at in (0, 1))
    needless = held[0].found_benign
    if needless is None:
        needless = np.zeros(len(held[0].false), dtype=bool)
    judged = _judged(context, handed[taken], needless)
    many = int(taken.sum())
    proof = figures.proven(
        lambda ring, cry: figures.decided(
            *_judged(context, figures.drawn(many, ring), figures.drawn(len(needless), cry))
        ),
        context.rng, context.thresholds[NEEDLESS], f"{many} unknown threats taken for benign.",
    )  # fmt: skip
    shown = [figures.share("unknown threats handed over", one[1][one[0]], where=family.name)
             for family, one in zip(held, pairs, strict=True) if one[0].any()]  # fmt: skip
    outcome, text = figures.decided(*judged), _text(many, judged)
    if many < FEWEST_FLOWS and outcome is not Outcome.PASS:
        outcome, text = Outcome.INCONCLUSIVE, f"{text} That is too few flows to say what becomes of them."
    elif not proof.noticed:
        outcome, text = Outcome.INCONCLUSIVE, f"Alarms that look at nothing were not told. {text}"
    return Result(
        outcome=outcome, reason=text,
        measures=(*(figures.opened(*judged) if outcome is Outcome.INCONCLUSIVE else judged), *shown), canary=proof,
        limits=(*figures.LIMITS, setting.how, *setting.notes, *_stand_in(held[0])),
        remedy="" if outcome is Outcome.PASS else _REMEDY,
    )  # fmt: skip


def _handed(one: Held) -> tuple[np.ndarray, np.ndarray]:
    """Return (n,) bool, flows taken for benign, and (n,) bool, flows that the detector alarms."""
    taken = one.taken if one.taken is not None else one.stand_in
    if taken is None:
        return np.zeros(0, dtype=bool), np.zeros(0, dtype=bool)
    return taken, np.zeros(len(taken), dtype=bool) if one.found is None else one.found


def _judged(context: Context, handed: np.ndarray, needless: np.ndarray) -> tuple[Measure, Measure]:
    floors = context.thresholds
    return (
        figures.share("unknown threats handed over, of those taken for benign", handed, floors[HANDED], "min"),
        figures.share("benign flows handed over", needless, floors[NEEDLESS], "max"),
    )


def _text(many: int, judged: tuple[Measure, Measure]) -> str:
    value = judged[0].value or 0.0
    return (
        f"Of {many} flows of unknown families that the model takes for benign, {value:.1%} are handed to the "
        f"fallback, and of benign flows {judged[1].value:.2%}."
    )


def _stand_in(one: Held) -> tuple[str, ...]:
    if one.taken is not None:
        return ()
    return ("The model cannot be trained again: the detector's own forest of known threats stood in for it.",)
