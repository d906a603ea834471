"""Check A1.observed: the level that operation shows, from the record, against the declared one."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from fivefold.catalogue.classify import Answers, propose
from fivefold.contract.finding import Canary, Measure, Result
from fivefold.contract.outcome import Outcome
from fivefold.errors import UnsupportedError
from fivefold.governance.operation.shares import share
from fivefold.governance.operation.told import AUTOMATIC, FOLLOWED, HURRIED, NOTHING, OVERRIDDEN, TRACE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fivefold.contract.check import Context

OVERRIDES, AUTOMATED, HASTE = "min_overrides", "max_automatic", "max_hurried"
_DECIDES = ("recommendation", "decision")
_CASES = 400
_TRIALS = 5
_REMEDY = (
    "Declare the level that operation shows, or have a person weigh each answer, and record what was done: an `action` "
    "in the decision's case with `by` and `answer`."
)


def run(context: Context) -> Result:
    """Judge A1.observed.

    Threat: people wave through what the model says, or nobody stands between, and the application is declared as if
    somebody did.
    Limit: what was done is on record only if whoever does it records it; the newest 10,000 decisions are read.

    Raises:
        UnsupportedError: ``operation.none`` where no decision is on record; ``level.none`` without a declared level.
    """
    settings = context.settings
    found = (settings.facts or {}).get(TRACE)
    if not settings.level or not settings.use:
        raise UnsupportedError("level.none", "no level and no use are declared.", remedy="Assess from a manifest.")
    if not found:
        raise UnsupportedError(
            "operation.none", "no decision is on record that this user can read.",
            remedy="Serve the application by the guard; assess it again from the same account.",
        )  # fmt: skip
    declared, trace = msgspec.convert(dict(settings.use), Answers), str(found)
    measures = measured(trace, declared, context.thresholds)
    level = propose(shown(declared, measures)).level
    bird = _canary(trace, declared, context.thresholds, context.rng)
    outcome = _worst(measures)
    if outcome is Outcome.FAIL and level <= settings.level:
        # what is declared already allows for it: the figures are shown, not judged
        outcome, measures = (
            Outcome.PASS,
            tuple(msgspec.structs.replace(one, outcome=None, threshold=None, direction=None) for one in measures),
        )
    return Result(
        outcome=outcome if bird.noticed else Outcome.INCONCLUSIVE,
        reason=_reason(bird, measures, level, settings.level, len(trace)),
        measures=measures,
        canary=bird,
        limits=("What was done is known only where it is on record.",),
        remedy="" if outcome is Outcome.PASS else _REMEDY,
    )


def measured(trace: str, declared: Answers, floors: Mapping[str, float]) -> tuple[Measure, ...]:
    """Return what the record shows against what is declared, those figures that the declaration hangs on.

    Args:
        trace: A letter for each decision; see :mod:`fivefold.governance.operation.told`.
        declared: Answers about the use.
        floors: ``min_overrides``, ``max_automatic``, ``max_hurried``.
    """
    counts = Counter(trace)
    n, people = len(trace), counts[FOLLOWED] + counts[HURRIED] + counts[OVERRIDDEN]
    made = []
    if declared.output in _DECIDES and not declared.alone:
        made.append(share("decisions that a person overrode", counts[OVERRIDDEN], n, OVERRIDES, floors))
    if declared.acts == "human" and not declared.alone:
        made.append(share("decisions acted on without a person", counts[AUTOMATIC], n, AUTOMATED, floors))
    if declared.within != "seconds" and people:
        made.append(share("a person's actions within seconds", counts[HURRIED], people, HASTE, floors))
    return tuple(made)


def shown(declared: Answers, measures: tuple[Measure, ...]) -> Answers:
    """Return the answers about the use that operation gives: the declared ones, but for what measures refute."""
    failed = {one.name for one in measures if one.outcome is Outcome.FAIL}
    changed: dict[str, object] = {}
    if "decisions that a person overrode" in failed or "decisions acted on without a person" in failed:
        changed["alone"] = True
    if "decisions acted on without a person" in failed:
        changed["acts"] = "system"
    if "a person's actions within seconds" in failed:
        changed["within"] = "seconds"
    return msgspec.structs.replace(declared, **changed)


def _worst(measures: tuple[Measure, ...]) -> Outcome:
    found = {one.outcome for one in measures}
    return next((one for one in (Outcome.FAIL, Outcome.INCONCLUSIVE) if one in found), Outcome.PASS)


def _canary(trace: str, declared: Answers, floors: Mapping[str, float], rng: np.random.Generator) -> Canary:
    """Plant operation without a person, and with one, among these very decisions, drawn again."""
    relies = bool(measured(NOTHING, declared, floors))
    found = alarms = planted = 0
    for _ in range(_TRIALS):
        letters = np.array(list(trace))[rng.integers(0, len(trace), _CASES)]
        bad, good = np.where(letters == OVERRIDDEN, FOLLOWED, letters), letters.copy()
        bad[rng.random(_CASES) < 0.5] = AUTOMATIC
        good[np.isin(good, [AUTOMATIC, HURRIED])] = FOLLOWED
        good[rng.random(_CASES) < rng.uniform(0.1, 0.3)] = OVERRIDDEN
        planted += relies
        found += relies and _worst(measured("".join(bad), declared, floors)) is Outcome.FAIL
        alarms += _worst(measured("".join(good), declared, floors)) is Outcome.FAIL
    return Canary(
        kind="operation without a person", planted=planted, found=found, clean=_TRIALS, false_alarms=alarms,
        noticed=found == planted and not alarms,
        detail=f"{_CASES} of these decisions, drawn again: overrides taken out and half done by themselves; "
        "overrides planted, haste taken out.",
    )  # fmt: skip


def _reason(bird: Canary, measures: tuple[Measure, ...], level: int, declared: int, n: int) -> str:
    if not bird.noticed:
        return "Planted operation without a person went unnoticed, so nothing of it is believed."
    said = "; ".join(f"{one.name}: {round((one.value or 0) * one.n):,} of {one.n:,}" for one in measures)
    return (
        f"Level {declared} is declared, operation shows level {level}. Of {n:,} decisions on record: {said or 'none'}."
    )
