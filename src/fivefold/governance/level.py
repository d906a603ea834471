"""A1.answers: the declared level against the one that the use of the output asks for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from fivefold.catalogue.classify import Answers, options, propose
from fivefold.contract.finding import Canary, Measure, Result
from fivefold.contract.outcome import Outcome
from fivefold.errors import InputError, UnsupportedError

if TYPE_CHECKING:
    import numpy as np

    from fivefold.contract.check import Context

_TRIALS = 20


def run(context: Context) -> Result:
    """Judge A1.answers.

    Threat: an application is declared at a lower level than what it does, so that fewer claims bind it.
    Limit: the answers are the owner's word.

    Raises:
        UnsupportedError: ``level.none`` where no level is declared (an object in memory).
        InputError: ``level.answers`` if the answers cannot be read.
    """
    if not context.settings.level or not context.settings.use:
        raise UnsupportedError("level.none", "no level and no use are declared.", remedy="Assess from a manifest.")
    try:
        answers = msgspec.convert(dict(context.settings.use), Answers)
    except msgspec.ValidationError as error:
        raise InputError("level.answers", f"the answers under `use:` cannot be read: {error}.") from None
    proposal, declared = propose(answers), context.settings.level
    outcome = judged(answers, declared)
    bird = _canary(context.rng)
    why = " ".join(proposal.reasons)
    if outcome is Outcome.PASS:
        reason = f"Level {declared} is declared, level {proposal.level} is asked for. {why}"
    else:
        reason = f"Level {declared} is declared, but the use asks for level {proposal.level}. {why}"
    return Result(
        outcome=outcome if bird.noticed else Outcome.INCONCLUSIVE,
        reason=reason,
        measures=(
            Measure(
                name="declared level",
                value=float(declared),
                threshold=float(proposal.level),
                direction="min",
                outcome=outcome,
                n=1,
                where=", ".join(f"{name} {_word(getattr(answers, name))}" for name in options()),
                note="Exact: a rule decides, nothing is sampled.",
            ),
        ),
        canary=bird,
        limits=("The answers under `use:` are the owner's word.",),
        remedy="" if outcome is Outcome.PASS else f"Declare level {proposal.level}, or change the use.",
    )


def judged(answers: Answers, declared: int) -> Outcome:
    """Return pass if the declared level is at least the one that the answers ask for, else fail."""
    return Outcome.PASS if declared >= propose(answers).level else Outcome.FAIL


def draw(rng: np.random.Generator) -> Answers:
    """Return answers drawn at random, each as likely as any other."""
    return Answers(**{name: some[int(rng.integers(len(some)))] for name, some in options().items()})


def _canary(rng: np.random.Generator) -> Canary:
    found = clean = alarms = planted = 0
    for _ in range(_TRIALS):
        answers = draw(rng)
        level = propose(answers).level
        if level > 1:
            planted += 1
            found += judged(answers, int(rng.integers(1, level))) is Outcome.FAIL
        clean += 1
        alarms += judged(answers, int(rng.integers(level, 6))) is Outcome.FAIL
    return Canary(
        kind="levels below what drawn answers ask for",
        planted=planted,
        found=found,
        clean=clean,
        false_alarms=alarms,
        noticed=planted > 0 and found == planted and not alarms,
        detail="Answers drawn from the seed, with a level below and one not below what they ask for.",
    )


def _word(value: object) -> str:
    return {True: "yes", False: "no"}.get(value, str(value)) if isinstance(value, bool) else str(value)
