"""T3.fingerprint: the model's own answers tell it, and copies of it, from models trained on the same data."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fivefold.contract.finding import Canary, Measure, Result
from fivefold.contract.outcome import Outcome
from fivefold.errors import InputError, SubjectError, UnsupportedError
from fivefold.traceability.watermark import claims, finding, fingerprint, questions

if TYPE_CHECKING:
    from fivefold.contract.check import Context
    from fivefold.contract.subject import Subject
    from fivefold.traceability.watermark.fingerprint import FingerprintOpening

FLOOR = "max_p"
_BIRDS = 20
_NOISE = 0.05
_OWN = "the committed answers themselves"
_EFFORTS = ("quick", "standard", "thorough")
_QUERIES = (1000, 5000, 20_000)
_LIMITS = (
    "The p-value rests on a panel of models that the owner trained; who judges can train another on the same data.",
    "Distilled copies are told only as far as they repeat what the model alone answers so.",
)


def run(context: Context) -> Result:
    """Measure T3.fingerprint.

    Threat: an ensemble is copied and served by somebody else. Limit: see the module of the fingerprint.

    Raises:
        UnsupportedError: ``mark.none``, ``mark.no-secret``, ``mark.subject``.
        TrustError: ``mark.malformed``.
        SubjectError: The model misbehaved.
    """
    opening = claims.fingerprint_of(finding.secret(context, "fingerprint"))
    subject, limit, rng = context.subject, float(context.thresholds[FLOOR]), context.rng
    if subject is None:
        raise UnsupportedError("mark.subject", "there is no model to ask.")
    said = questions.answers(subject, opening.inputs, opening.classes)
    noisy = np.where(rng.random(len(said)) < _NOISE, rng.integers(len(opening.classes), size=len(said)), said)
    measures = [_measure(_OWN, np.array(opening.answers), opening, limit),
                _measure("as it is", said, opening, limit),
                _measure("a twentieth of its answers replaced at random", noisy, opening, limit)]  # fmt: skip
    context.progress(0.3, "distilling")
    distilled, notes = _distilled(context, subject, opening)
    bird = _canary(opening, limit, rng, tells=measures[0].outcome is Outcome.PASS)
    return _result([*measures, *distilled], bird, limit, notes)


def _measure(what: str, said: np.ndarray, opening: FingerprintOpening, limit: float | None) -> Measure:
    found = fingerprint.read(said, opening)
    outcome = None if limit is None else Outcome.PASS if found.p <= limit else Outcome.FAIL
    bounds = (None, None) if limit is None else (found.p, found.p)
    usual = f"{np.mean(opening.agree):.0%}"
    return Measure(
        name="p-value of the fingerprint", value=found.p, low=bounds[0], high=bounds[1], threshold=limit,
        direction=None if limit is None else "max", outcome=outcome, n=found.bits, where=what,
        note=f"{found.matched} of {found.bits} answers are the model's; others trained on the same data give {usual}.",
    )  # fmt: skip


def _distilled(
    context: Context, subject: Subject, opening: FingerprintOpening
) -> tuple[list[Measure], tuple[str, ...]]:
    """Train the application's own kind of model on the model's answers: to its training rows, and to mixed ones."""
    if not subject.capabilities.retrains:
        return [], ("No training is declared, so no copy was distilled.",)
    made = []
    try:
        table = context.tables("train")
        table = table.take(np.sort(context.rng.permutation(len(table))[: context.rows]))
        count = min(_QUERIES[_EFFORTS.index(context.effort)], 4 * len(table))
        for what, rows in (("the training rows", table), ("mixed rows", questions.mixed(table, count, context.rng))):
            copy = subject.retrain(questions.relabelled(rows, subject.predict(rows)), int(context.rng.integers(2**31)))
            said = questions.answers(copy, opening.inputs, opening.classes)
            made.append(_measure(f"distilled from answers to {what}", said, opening, None))
    except KeyError:
        return [], ("No training data are declared, so no copy was distilled.",)
    except (InputError, SubjectError, UnsupportedError) as error:
        return made, (f"No copy could be distilled: {error.message}",)
    return made, ()


def _canary(opening: FingerprintOpening, limit: float, rng: np.random.Generator, *, tells: bool) -> Canary:
    """Plant answers that agree as often as one of the held-back trainings, and copies of which a twentieth is noise.

    Both are held against the committed shares of agreement: a stranger against those of the other trainings. Where the
    model's own answers are too usual to tell anybody (not ``tells``), which is judged by itself, copies are held
    against trainings that never agree: the reader has to tell them then.
    """
    from msgspec import structs

    own, kinds, agree = np.array(opening.answers), len(opening.classes), np.array(opening.agree)
    base = opening if tells else structs.replace(opening, agree=(0.0,) * len(agree))
    caught = alarms = 0
    for _ in range(_BIRDS):
        at = int(rng.integers(len(agree)))
        rest = np.where(np.arange(len(agree)) == at, np.delete(agree, at).mean(), agree)
        others = structs.replace(opening, agree=tuple(rest.tolist()))
        other = (own + rng.integers(1, kinds, size=len(own))) % kinds
        caught += fingerprint.read(np.where(rng.random(len(own)) < agree[at], own, other), others).p > limit
        alarms += fingerprint.read(np.where(rng.random(len(own)) < _NOISE, other, own), base).p > limit
    return Canary(
        kind="models trained on the same data, and noisy copies", planted=_BIRDS, found=caught, clean=_BIRDS,
        false_alarms=alarms, noticed=caught == _BIRDS and alarms == 0,
        detail="Answers that agree as often as one of the held-back trainings, against the others of them, must not be "
        "called a copy; the model's own, a twentieth of them changed, must.",
    )  # fmt: skip


def _result(measures: list[Measure], bird: Canary, limit: float, notes: tuple[str, ...]) -> Result:
    judged = [one for one in measures if one.outcome is not None]
    lost = next((one for one in judged if one.outcome is Outcome.FAIL), None)
    outcome = Outcome.PASS if lost is None else Outcome.FAIL
    weakest = max(judged, key=lambda one: one.value or 0.0)
    reason = f"The model is told by its own answers; at worst with p = {weakest.value:.2g}."
    if lost is not None:
        reason = (
            f"The fingerprint is not that of this model ({lost.where}): p = {lost.value:.2g}, at most {limit:g} is "
            "asked."
        )
    if lost is not None and lost.where == _OWN:
        reason = (
            f"The fingerprint tells nobody: other trainings give its answers, too, and even they have p = "
            f"{lost.value:.2g}; at most {limit:g} is asked."
        )
    if not bird.noticed:
        outcome, reason = (
            Outcome.INCONCLUSIVE,
            f"Copies and strangers are not told apart, so nothing is concluded. {reason}",
        )
    remedy = "Take the fingerprint of this very version: fivefold model fingerprint."
    return Result(outcome=outcome, reason=reason, measures=tuple(measures), canary=bird, limits=(*notes, *_LIMITS),
                  remedy="" if outcome is Outcome.PASS else remedy)  # fmt: skip
