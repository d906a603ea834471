"""Check T2.admission: whether the guard serves a model that it must not, from the drill."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import msgspec

from fivefold.contract.finding import Canary, Measure, Result
from fivefold.contract.outcome import Outcome
from fivefold.errors import UnsupportedError
from fivefold.governance.operation.drilled import ADMITTED, AS_IT_IS, COMMAND, DOORS, Door, other, standing

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np

    from fivefold.contract.check import Context
    from fivefold.governance.operation.drilled import Drilled

FLOOR = "max_admitted"
_TRIALS = 5
_REFUSED = "refused: guard.unsigned"


def run(context: Context) -> Result:
    """Judge T2.admission.

    Threat: a model that nobody signed, that was changed, or that is older than one that was served, answers people.
    Limit: the faults are those of the drill; what the record holds is its owner's.

    Raises:
        UnsupportedError: ``drill.none``, ``drill.stale``; ``drill.partial`` where faults are missing;
            ``drill.endpoint`` for a model behind an endpoint, which has no files.
    """
    facts = context.settings.facts or {}
    table = standing(facts)
    if not table.doors:
        raise UnsupportedError(
            "drill.endpoint", "the model lies behind an endpoint and has no files whose signature could be asked for."
        )
    if _missing(table.doors):
        raise UnsupportedError("drill.partial", "the newest drill on record is not whole.", remedy=COMMAND)
    measure = judged(table.doors, context.thresholds)
    bird = _canary(table, facts, context.rng)
    came = {door.tried: door.came for door in table.doors}
    outcome = measure.outcome if bird.noticed and came[AS_IT_IS] == ADMITTED else Outcome.INCONCLUSIVE
    return Result(
        outcome=outcome or Outcome.INCONCLUSIVE,
        reason=_reason(came, bird),
        measures=(measure,),
        canary=bird,
        limits=("The faults are those of the drill; that no port is opened for them is tested, not tried here.",),
        remedy="" if outcome is Outcome.PASS else "Sign the model, and report a fault that was served.",
    )


def judged(doors: tuple[Door, ...], floors: Mapping[str, float]) -> Measure:
    """Return how many faults were admitted, against ``max_admitted``; every one was tried: no bounds."""
    faults = [door for door in doors if door.tried != AS_IT_IS]
    value = sum(door.came == ADMITTED for door in faults) / max(len(faults), 1)
    return Measure(
        name="models admitted that must not be", value=value, threshold=floors[FLOOR], direction="max", unit="share",
        n=len(faults), outcome=Outcome.PASS if value <= floors[FLOOR] else Outcome.FAIL,
    )  # fmt: skip


def _missing(doors: tuple[Door, ...]) -> bool:
    return Counter(door.tried for door in doors) != Counter((AS_IT_IS, *DOORS))


def _canary(table: Drilled, facts: Mapping[str, object], rng: np.random.Generator) -> Canary:
    """Plant, in this very table: a fault that is admitted, one that is missing, another model; and another order."""
    found = alarms = 0

    def fails(one: Drilled) -> bool:
        strange = bool(other(one, facts)) or _missing(one.doors)
        return strange or judged(one.doors, {FLOOR: 0.0}).outcome is Outcome.FAIL

    for _ in range(_TRIALS):
        names = [(AS_IT_IS, *DOORS)[at] for at in rng.permutation(len(DOORS) + 1)]
        sound = tuple(Door(name, ADMITTED if name == AS_IT_IS else _REFUSED) for name in names)
        victim = DOORS[int(rng.integers(len(DOORS)))]
        open_ = tuple(Door(door.tried, ADMITTED) if door.tried == victim else door for door in sound)
        short = tuple(door for door in sound if door.tried != victim)
        found += sum(fails(msgspec.structs.replace(table, doors=doors)) for doors in (open_, short))
        found += fails(msgspec.structs.replace(table, doors=sound, model="0" * 64))
        alarms += fails(msgspec.structs.replace(table, doors=sound))
    return Canary(
        kind="a door left open, and tables with gaps", planted=3 * _TRIALS, found=found, clean=_TRIALS,
        false_alarms=alarms, noticed=found == 3 * _TRIALS and not alarms,
        detail="This very table: with one fault admitted, without one, of another model; and with all refused.",
    )  # fmt: skip


def _reason(came: Mapping[str, str], bird: Canary) -> str:
    if not bird.noticed:
        return "Planted open doors went unnoticed, so nothing of the table is believed."
    if came[AS_IT_IS] != ADMITTED:
        return f"The model as it is was not admitted either ({came[AS_IT_IS]}), so its refusals show nothing."
    served = [name for name in DOORS if came[name] == ADMITTED]
    said = f"Of {len(DOORS)} models that must not be served, {len(served)} were admitted"
    return f"{said}: {', '.join(served)}." if served else f"{said}; the model as it is was."
