"""Check E5.text: whether the reasons on record say what their credits say, in words that a person can read."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import numpy as np

from fivefold.contract.finding import Canary, Measure, Result
from fivefold.contract.outcome import Outcome
from fivefold.errors import UnsupportedError
from fivefold.explanation.delivered import Flip, Moved, Reason
from fivefold.explanation.words import reading
from fivefold.explanation.words.reading import CONTRADICTS, FAULTS, HARD, UNREAD, Told, faults
from fivefold.explanation.words.wording import Wording, short
from fivefold.stats.judge import judge
from fivefold.stats.proportion import clopper_pearson

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from fivefold.contract.check import Context

FLOOR, TEXTS = "max_faulty", "operation.reasons"
_CASES = 60
_FILLER = "This was looked at with care and nothing was left out of it."
_MORE = "What you wrote did not count."
_LONG_WORDS = "consideration notwithstanding "


def run(context: Context) -> Result:
    """Judge E5.text.

    Threat: the person is told something else than what moved the answer, or something that she cannot understand.
    Limit: whether the credits are right is not asked here (E2, E4); nor is whether she does understand.

    Raises:
        UnsupportedError: ``reason.none`` where no decision with a reason is on record.
    """
    told = read(str((context.settings.facts or {}).get(TEXTS) or ""))
    if not told:
        raise UnsupportedError(
            "reason.none", "no decision that left with a reason is on record that this user can read.",
            remedy="Serve the application by the guard; assess it again from the same account.",
        )  # fmt: skip
    units = {name: str(one.get("unit") or "") for name, one in (context.settings.features or {}).items()}
    found = [faults(one, units) for one in told]
    bird = _canary(told, units, context.rng)
    outcome, reason = _decide(told, found, bird, context.thresholds[FLOOR])
    bad = np.array([bool(one - {UNREAD}) for one in found])
    measures = [_share("reasons with a fault", bad, floor=context.thresholds[FLOOR], outcome=outcome)]
    measures += [_share(f"reason {words}", np.array([key in one for one in found])) for key, words in FAULTS.items()]
    measures += [
        _share("reasons with words that no credit says", np.array([UNREAD in one for one in found])),
        _share("reasons without credits on record", np.array([one.moved is None for one in told])),
        Measure(
            name="reading level (LIX)", value=float(np.median([reading.lix(one.text) for one in told])), n=len(told),
            note="The median; below 30 children's books, 40 to 50 newspapers.",
        ),
    ]  # fmt: skip
    return Result(
        outcome=outcome, reason=reason, measures=tuple(measures), canary=bird,
        limits=("Whether the credits are right is asked by E2 and E4; whether a person understands, by nobody here.",),
        remedy=_remedy(outcome, found),
    )  # fmt: skip


def read(text: str) -> list[Told]:
    """Return the reasons that a fact holds."""
    return msgspec.json.decode(text, type=list[Told]) if text else []


def _decide(
    told: Sequence[Told], found: Sequence[frozenset[str]], bird: Canary, floor: float
) -> tuple[Outcome, str]:  # fmt: skip
    """Judge the faults, and pass nothing on reasons that could not be held against credits."""
    n, held = len(found), [one for said, one in zip(told, found, strict=True) if said.moved is not None]
    bad, unread = sum(bool(one - {UNREAD}) for one in found), sum(UNREAD in one for one in held)
    text = f"Of {n:,} reasons on record {bad:,} have a fault."
    if not bird.noticed:
        return Outcome.INCONCLUSIVE, f"Planted faults went unnoticed, or sound reasons were blamed. {text}"
    if against := sum(CONTRADICTS in one for one in found):
        return Outcome.FAIL, f"{text} {against:,} say otherwise than the credits that were recorded with them."
    outcome = _judged(bad, n, floor)
    if outcome is Outcome.PASS and _judged(sum(map(bool, held)), len(held), floor) is not Outcome.PASS:
        lacking = f"{n - len(held):,} have no credits on record, and {unread:,} say something that no credit says"
        return Outcome.INCONCLUSIVE, f"{text} {lacking}: those cannot be held against any."
    return outcome, text


def _judged(bad: int, n: int, floor: float) -> Outcome:
    low, high = (float(one) for one in clopper_pearson(bad, n)) if n else (None, None)
    return judge(low, high, floor, "max")


def _share(name: str, hits: np.ndarray, *, floor: float | None = None, outcome: Outcome | None = None) -> Measure:
    low, high = (float(one) for one in clopper_pearson(int(hits.sum()), len(hits)))
    return Measure(
        name=name, value=float(hits.mean()), low=low, high=high, threshold=floor, n=len(hits), unit="share",
        direction=None if floor is None else "max", outcome=outcome,
    )  # fmt: skip


def _canary(told: Sequence[Told], units: Mapping[str, str], rng: np.random.Generator) -> Canary:
    """Word these very credits anew, which must be without a fault, and plant each fault in that."""
    drawn = [told[at] for at in rng.permutation(len(told))[:_CASES]]
    sound = [_anew(one, units) for one in drawn]
    # names that are hard to read make sound reasons hard to read, which is no error of this check
    alarms, planted, found = sum(bool(faults(one, units) - {HARD}) for one in sound), 0, 0
    for key, plant in _PLANTS:
        for one in sound:
            if (bad := plant(one, units)) is not None:
                planted, found = planted + 1, found + (key in faults(bad, units))
    return Canary(
        kind="reasons turned round, with another flip, more words, without units, with causes, too long, hard to read",
        planted=planted, found=found, clean=len(sound), false_alarms=alarms, noticed=found == planted and not alarms,
        detail=f"The credits of {len(drawn)} of these reasons, worded anew, and spoilt in every way that applies.",
    )  # fmt: skip


def _anew(one: Told, units: Mapping[str, str]) -> Told:
    moved = tuple(Moved(field, value, credit, 0.0) for field, value, credit in one.moved or ())
    flip = None if one.flip is None else Flip(one.flip[0], None, one.flip[1], 0)
    worded = Wording({}, units)(Reason(moved, flip), ("another", ""))
    return Told(worded.text, one.moved or (), one.flip)


def _turned(one: Told, _units: Mapping[str, str]) -> Told | None:
    """Turn the credits round: what spoke for the answer spoke against it."""
    if not one.moved:
        return None
    return msgspec.structs.replace(one, moved=tuple((name, value, -credit) for name, value, credit in one.moved))


def _stripped(one: Told, units: Mapping[str, str]) -> Told | None:
    """Leave out the units."""
    said = [unit for field, value, _ in one.moved or () if (unit := units.get(field)) and value is not None]
    text = one.text
    for unit in said:
        text = text.replace(f" {short(unit)})", ")")
    return msgspec.structs.replace(one, text=text) if text != one.text else None


_PLANTS: tuple[tuple[str, Callable[[Told, Mapping[str, str]], Told | None]], ...] = (
    (CONTRADICTS, _turned),
    (
        CONTRADICTS,
        lambda one, _: msgspec.structs.replace(one, flip=(one.flip[0], "another value")) if one.flip else None,
    ),
    (UNREAD, lambda one, _: msgspec.structs.replace(one, text=f"{_MORE} {one.text}")),
    (reading.UNIT, _stripped),
    (reading.CAUSE, lambda one, _: msgspec.structs.replace(one, text=f"{one.text} This is so because of it.")),
    (reading.LONG, lambda one, _: msgspec.structs.replace(one, text=" ".join([one.text, *[_FILLER] * 5]))),
    (HARD, lambda one, _: msgspec.structs.replace(one, text=f"{one.text} {_LONG_WORDS * 20}")),
)


def _remedy(outcome: Outcome, found: Sequence[frozenset[str]]) -> str:
    if outcome is Outcome.PASS:
        return ""
    if outcome is Outcome.INCONCLUSIVE:
        return "Let the guard word the reasons, and decide more cases before assessing again."
    if any(CONTRADICTS in one for one in found):
        return "Take the reasons back: word them from the credits, as the guard does."
    return "Declare units under features:, give fields short and common names, and claim no causes."
