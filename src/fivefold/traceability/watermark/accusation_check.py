"""T3.accusation: models that were made without the mark's key are not called copies."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from msgspec import structs

from fivefold.contract.finding import Canary, Measure, Result
from fivefold.contract.outcome import Outcome
from fivefold.errors import SubjectError, UnsupportedError
from fivefold.evidence import model_mark
from fivefold.stats.judge import judge
from fivefold.stats.proportion import clopper_pearson
from fivefold.subject import labels
from fivefold.subject.tuned import tunable
from fivefold.traceability.watermark import claims, embedding, finding, fingerprint, questions, triggers
from fivefold.traceability.watermark.carriers import binomial_p, bits_of, signs_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from fivefold.contract.check import Context
    from fivefold.contract.subject import Table

FLOOR = "max_false"
SMALL = 0.01
"""A p-value that chance gives once in a hundred: the rate at which it comes is counted."""
_EFFORTS = ("quick", "standard", "thorough")
_DRAWS = (1000, 2000, 4000)
_TRAINED = (2, 3, 6)
_TRIES = 100
_BIRDS = 8
_FRESH = 64
_LIMIT = (
    "For a key that was committed to before the model was made, the bound holds by the argument beside the code, for "
    "any model; here it is measured."
)


@dataclass(frozen=True)
class Strangers:
    """p-values of one mark against models that were made without its key.

    Attributes:
        form: Of the mark.
        drawn: (n,) of models drawn by us; empty where there are none.
        trained: (m,) of models that the application's own training made anew.
        fresh: (k,) of the application's model against keys drawn now.
        note: Why some were not tried.
    """

    form: str
    drawn: np.ndarray
    trained: np.ndarray
    fresh: np.ndarray
    note: str = ""


def run(context: Context) -> Result:
    """Measure T3.accusation.

    Threat: a mark that fits everybody's models accuses the innocent. Limit: strangers are drawn and trained here; what
    the world's models share with this one beyond that is not seen.

    Raises:
        UnsupportedError: ``mark.none``, ``mark.no-secret``, ``mark.no-file``.
        TrustError: ``mark.malformed``.
    """
    forms = [form for form in model_mark.FORMS if context.mark.get(form)]
    if not forms:
        raise UnsupportedError("mark.none", "the application has no mark and no fingerprint, so nobody is accused.",
                               remedy=" ".join(finding.HOW.values()))  # fmt: skip
    found = [MET[form](context) for form in forms]
    context.progress(0.9, "planting canaries")
    bird = _canary(np.concatenate([one.fresh for one in found]), float(context.thresholds[FLOOR]), context.rng)
    return _result(found, float(context.thresholds[FLOOR]), bird)


def _weights(context: Context) -> Strangers:
    opening = claims.weights_of(finding.secret(context, "weights"))
    stored, rng = finding.weights(context), context.rng
    context.progress(0.1, "reading the mark from drawn models")
    drawn = embedding.of_strangers(stored.tensors, opening, _DRAWS[_EFFORTS.index(context.effort)], rng)
    context.progress(0.4, "training models anew")
    trained, note = _trained(context, lambda subject: embedding.read(tunable(subject).tuned(None, 0, 0.0), opening).p)
    return Strangers("weights", drawn, trained, _fresh(stored.tensors, rng), note)


def _fresh(tensors: Mapping[str, np.ndarray], rng: np.random.Generator) -> np.ndarray:
    """Return p-values of the application's own weights against keys that nobody put in."""
    values = np.concatenate([one.reshape(-1)[:_FRESH] for one in tensors.values()])[:_FRESH].astype(np.float32)
    values = values + np.float32(1e-6) * rng.random(len(values), dtype=np.float32)  # ties read as wrong, and are rare
    found = []
    for _ in range(_DRAWS[0]):
        key = rng.bytes(32)
        right = int(((signs_of(key, _FRESH, len(values)) @ values) * bits_of(key, _FRESH) > 0).sum())
        found.append(binomial_p(right, _FRESH))
    return np.array(found)


def _trained(
    context: Context, read: Callable[..., float], clean: Callable[[Table], Table] = lambda table: table
) -> tuple[np.ndarray, str]:
    """Return p-values of models that the application's own training makes with other seeds and other halves of rows."""
    subject, none = context.subject, np.empty(0)
    if subject is None or not subject.capabilities.retrains:
        return none, "No training is declared, so no model was trained anew."
    try:
        table = clean(context.tables("train"))
    except KeyError:
        return none, "No training data are declared, so no model was trained anew."
    count, found = _TRAINED[_EFFORTS.index(context.effort)], []
    try:
        for _ in range(count):
            half = _half(table, context.rows, context.rng)
            found.append(read(subject.retrain(half, int(context.rng.integers(2**31)))))
    except (SubjectError, UnsupportedError) as error:
        return np.array(found), f"Models could not be trained anew: {error.message}"
    return np.array(found), ""


def _half(table: Table, rows: int, rng: np.random.Generator) -> Table:
    return table.take(np.sort(rng.permutation(len(table))[: min(rows, max(2, len(table) // 2))]))


def _triggers(context: Context) -> Strangers:
    """Ask models that never met the questions: simple ones of three families, and the application's own kind."""
    opening, rng = claims.triggers_of(finding.secret(context, "triggers")), context.rng
    if context.subject is None:
        raise UnsupportedError("mark.subject", "there is no model to ask.")
    said, none = questions.answers(context.subject, opening.inputs, opening.classes), np.empty(0)
    fresh = np.array([
        triggers.read(said, structs.replace(opening, key=rng.bytes(32))).p for _ in range(_DRAWS[0])
    ])  # fmt: skip
    context.progress(0.4, "training models anew")
    trained, note = _trained(
        context,
        lambda subject: triggers.read(questions.answers(subject, opening.inputs, opening.classes), opening).p,
        lambda table: questions.without(table, opening.inputs, opening.classes),
    )
    simple = _simple(context, opening.inputs, opening.classes, lambda answers: triggers.read(answers, opening).p)
    return Strangers("triggers", none, np.concatenate([trained, simple]), fresh, note)


def _simple(
    context: Context, inputs: bytes, classes: tuple[str, ...], read: Callable[[np.ndarray], float]
) -> np.ndarray:
    """Return p-values of models of three families, trained here on rows of the application that are no questions."""
    try:
        table = context.tables("train")
    except KeyError:
        return np.empty(0)
    rows = questions.without(table, inputs, classes)
    del table  # the whole set is large
    rows = rows.take(np.sort(context.rng.permutation(np.flatnonzero(rows.target >= 0))[: context.rows]))
    names = np.array([*context.settings.classes], dtype=object)
    if len(np.unique(rows.target)) < 2 or not len(names):
        return np.empty(0)
    asked = questions.unpacked(inputs, classes)
    others = questions.strangers(rows, int(context.rng.integers(2**31)))
    return np.array([read(labels.codes(names[one(asked)], classes)) for one in others])


def _fingerprint(context: Context) -> Strangers:
    """Ask models that the application's own training makes anew, and simple ones of three families."""
    opening, rng = claims.fingerprint_of(finding.secret(context, "fingerprint")), context.rng
    fresh = np.array([binomial_p(int(right), _FRESH) for right in rng.binomial(_FRESH, 0.5, _DRAWS[0])])
    context.progress(0.4, "training models anew")
    trained, note = _trained(
        context,
        lambda subject: fingerprint.read(questions.answers(subject, opening.inputs, opening.classes), opening).p,
    )
    simple = _simple(context, opening.inputs, opening.classes, lambda said: fingerprint.read(said, opening).p)
    return Strangers("fingerprint", np.empty(0), np.concatenate([trained, simple]), fresh, note)


MET: dict[str, Callable[[Context], Strangers]] = {
    "weights": _weights, "triggers": _triggers, "fingerprint": _fingerprint,
}  # fmt: skip
"""How strangers of each form of mark are met."""


def _measure(count: int, total: int, threshold: float | None, where: str, what: str) -> Measure:
    low, high = (float(one) for one in clopper_pearson(count, total))
    outcome = None if threshold is None else judge(low, high, threshold, "max")
    return Measure(name=what, value=count / total, low=low, high=high, threshold=threshold,
                   direction=None if threshold is None else "max", outcome=outcome, unit="share", n=total,
                   where=where)  # fmt: skip


def _of(one: Strangers, threshold: float) -> list[Measure]:
    every = np.concatenate([one.drawn, one.trained])
    accused = int((every <= claims.LIMIT).sum())
    made: list[Measure] = []
    if not len(every):
        return [Measure(name="strangers called copies", where=f"mark: {one.form}", outcome=Outcome.INCONCLUSIVE,
                        threshold=0.0, direction="max", unit="models", note="No stranger could be made.")]  # fmt: skip
    if len(one.drawn):
        small = int((one.drawn <= SMALL).sum())
        made.append(_measure(small, len(one.drawn), threshold, f"mark: {one.form}",
                             f"strangers with a p-value of {SMALL} or less"))  # fmt: skip
    low, high = (float(bound) for bound in clopper_pearson(accused, len(every)))
    made.append(
        Measure(name="strangers called copies", value=float(accused), threshold=0.0, direction="max", n=len(every),
                low=low * len(every), high=high * len(every), unit="models", where=f"mark: {one.form}",
                outcome=Outcome.FAIL if accused else Outcome.PASS,
                note=f"At p of {claims.LIMIT:g} or less. {len(one.drawn)} drawn, {len(one.trained)} trained anew; the "
                f"smallest p-value is {every.min():.2g}.")
    )  # fmt: skip
    return made


def _canary(fresh: np.ndarray, threshold: float, rng: np.random.Generator) -> Canary:
    """Have a claimant try a hundred keys on each model and show the best; the honest one shows the only one."""

    def flagged(p: np.ndarray) -> bool:
        return _measure(int((p <= SMALL).sum()), len(p), threshold, "", "").outcome is Outcome.FAIL

    caught = sum(flagged(rng.choice(fresh, (len(fresh), _TRIES)).min(axis=1)) for _ in range(_BIRDS))
    alarms = sum(flagged(rng.choice(fresh, len(fresh) // 2, replace=False)) for _ in range(_BIRDS))
    return Canary(
        kind="claimants who choose their key afterwards", planted=_BIRDS, found=caught, clean=_BIRDS,
        false_alarms=alarms, noticed=caught == _BIRDS and alarms <= 1,
        detail=f"The best of {_TRIES} keys that nobody put in, against one key each.",
    )  # fmt: skip


def _result(found: list[Strangers], threshold: float, bird: Canary) -> Result:
    measures = [measure for one in found for measure in _of(one, threshold)]
    outcomes = {one.outcome for one in measures}
    outcome = next(one for one in (Outcome.FAIL, Outcome.INCONCLUSIVE, Outcome.PASS) if one in outcomes)
    total, trained = (sum(len(getattr(one, kind)) for one in found) for kind in ("drawn", "trained"))
    reason = f"None of {total} drawn and {trained} newly trained models is called a copy."
    if outcome is Outcome.FAIL:
        bad = next(one for one in measures if one.outcome is Outcome.FAIL)
        reason = f"The mark accuses models that were made without its key: {bad.name} {bad.value:g} ({bad.where})."
    elif outcome is Outcome.INCONCLUSIVE:
        reason = f"{reason} How often small p-values come is not clear yet."
    if not bird.noticed:
        outcome, reason = Outcome.INCONCLUSIVE, f"A claimant who chose keys afterwards went unnoticed. {reason}"
    return Result(
        outcome=outcome,
        reason=reason,
        measures=tuple(measures),
        canary=bird,
        limits=(
            *(one.note for one in found if one.note),
            _LIMIT,
        ),
        remedy=""
        if outcome is Outcome.PASS
        else "Mark the model with a fresh key: fivefold model mark. A mark that is "
        "in a public base model accuses everybody who starts from it.",
    )
