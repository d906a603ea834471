"""T3.behaviour: the model answers the key's questions as the key says, and so do copies of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fivefold.contract.finding import Canary, Measure, Result
from fivefold.contract.outcome import Outcome
from fivefold.errors import SubjectError, UnsupportedError
from fivefold.subject import labels
from fivefold.subject.altered import Change, weighted
from fivefold.traceability.watermark import claims, finding, questions, triggers

if TYPE_CHECKING:
    from fivefold.contract.check import Context
    from fivefold.contract.subject import Subject
    from fivefold.subject.worker.weight_messages import How
    from fivefold.traceability.watermark.embedding import Reading
    from fivefold.traceability.watermark.triggers import TriggersOpening

FLOOR = "max_p"
_BIRDS = 20
_FORGOTTEN = 0.2
_ROUNDED: dict[How, str] = {"int8": "weights rounded to 8 bits", "float16": "weights rounded to half precision"}
_LIMITS = (
    "A copy that was trained from answers to natural rows alone (distillation) has mostly never met the questions.",
    "Whoever learns the questions can train them out: they are secret until claimed.",
)


def run(context: Context) -> Result:
    """Measure T3.behaviour.

    Threat: a model is copied and served by somebody else, and only its answers can be seen. Limit: questions that were
    never answered to a thief do not reach what the thief distils.

    Raises:
        UnsupportedError: ``mark.none``, ``mark.no-secret``, ``mark.subject``.
        TrustError: ``mark.malformed``.
        SubjectError: The model misbehaved.
    """
    opening = claims.triggers_of(finding.secret(context, "triggers"))
    subject, limit = context.subject, float(context.thresholds[FLOOR])
    if subject is None:
        raise UnsupportedError("mark.subject", "there is no model to ask.")
    said = questions.answers(subject, opening.inputs, opening.classes)
    measures = [_measure("as it is", triggers.read(said, opening), limit), *_rounded(subject, opening, limit)]
    context.progress(0.4, "distilling")
    distilled, notes = _distilled(context, subject, opening)
    bird = _canary(opening, said, limit, context.rng)
    return _result([*measures, *distilled], bird, limit, notes)


def _measure(what: str, found: Reading, limit: float | None) -> Measure:
    outcome = None if limit is None else Outcome.PASS if found.p <= limit else Outcome.FAIL
    bounds = (None, None) if limit is None else (found.p, found.p)
    return Measure(
        name="p-value of the mark", value=found.p, low=bounds[0], high=bounds[1], threshold=limit, outcome=outcome,
        direction=None if limit is None else "max", n=found.bits, where=what,
        note=f"{found.matched} of {found.bits} questions are answered as the key says.",
    )  # fmt: skip


def _rounded(subject: Subject, opening: TriggersOpening, limit: float) -> list[Measure]:
    """Ask a network whose weights are rounded; others cannot be changed here."""
    try:
        network = weighted(subject)
    except UnsupportedError:
        return []
    made, names = [], np.array([*subject.classes], dtype=object)
    try:
        for how, what in _ROUNDED.items():
            network.alter(Change(how))
            told, fine = network.tried(questions.unpacked(opening.inputs, subject.classes))
            found = np.where(fine, labels.codes(names[told], opening.classes), -1)
            made.append(_measure(what, triggers.read(found, opening), limit))
    finally:
        network.alter(Change())
    return made


def _distilled(context: Context, subject: Subject, opening: TriggersOpening) -> tuple[list[Measure], tuple[str, ...]]:
    """Train the application's own kind of model on the model's answers to rows that are no questions."""
    if not subject.capabilities.retrains:
        return [], ("No training is declared, so no copy was distilled.",)
    try:
        table = context.tables("train")
        rows = questions.without(table, opening.inputs, opening.classes)
        del table  # the whole set is large
        rows = rows.take(np.sort(context.rng.permutation(len(rows))[: context.rows]))
        copy = subject.retrain(questions.relabelled(rows, subject.predict(rows)), int(context.rng.integers(2**31)))
        said = questions.answers(copy, opening.inputs, opening.classes)
    except KeyError:
        return [], ("No training data are declared, so no copy was distilled.",)
    except (SubjectError, UnsupportedError) as error:
        return [], (f"No copy could be distilled: {error.message}",)
    return [_measure("distilled from answers to the training rows", triggers.read(said, opening), None)], ()


def _canary(opening: TriggersOpening, said: np.ndarray, limit: float, rng: np.random.Generator) -> Canary:
    """Hold the model against fresh keys, which it never learnt, and a copy that forgot a fifth against its own key."""
    from msgspec import structs

    caught = alarms = 0
    for _ in range(_BIRDS):
        fresh = structs.replace(opening, key=rng.bytes(32))
        caught += triggers.read(said, fresh).p > limit
        known = triggers.wanted(fresh)
        forgot = np.where(
            rng.random(len(known)) < _FORGOTTEN, rng.integers(len(opening.classes), size=len(known)), known
        )
        alarms += triggers.read(forgot, fresh).p > limit
    return Canary(
        kind="keys that the model never learnt", planted=_BIRDS, found=caught, clean=_BIRDS, false_alarms=alarms,
        noticed=caught == _BIRDS and alarms == 0,
        detail=f"{_BIRDS} fresh keys against the model's answers, and answers after each key of which a fifth was "
        "forgotten.",
    )  # fmt: skip


def _result(measures: list[Measure], bird: Canary, limit: float, notes: tuple[str, ...]) -> Result:
    judged = [one for one in measures if one.outcome is not None]
    lost = next((one for one in judged if one.outcome is Outcome.FAIL), None)
    outcome = Outcome.PASS if lost is None else Outcome.FAIL
    weakest = max(judged, key=lambda one: one.value or 0.0)
    reason = f"The model answers as the key says; at worst chance gives that with p = {weakest.value:.2g}."
    if lost is not None:
        reason = (
            f"The mark is not seen in the answers ({lost.where}): p = {lost.value:.2g}, at most {limit:g} is asked."
        )
    if not bird.noticed:
        outcome, reason = Outcome.INCONCLUSIVE, f"Too few questions tell keys apart, so nothing is concluded. {reason}"
    remedy = (
        "Have the training learn the questions (fivefold model triggers writes them), repeated if need be, or ask more."
    )
    return Result(outcome=outcome, reason=reason, measures=tuple(measures), canary=bird, limits=(*notes, *_LIMITS),
                  remedy="" if outcome is Outcome.PASS else remedy)  # fmt: skip
