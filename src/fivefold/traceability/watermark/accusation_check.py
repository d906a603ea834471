"""T3.accusation: models that were made without the mark's key are not called copies."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from msgspec import structs

from fivefold.contract.finding import Canary, Measure, Result
from fivefold.contract.outcome import Outcome
from fivefold.errors import InputError, SubjectError, UnsupportedError
from fivefold.stats.judge import judge
from fivefold.stats.proportion import clopper_pearson
from fivefold.subject import labels
from fivefold.subject.tuned import tunable
from fivefold.traceability.watermark import attacks, claims, embedding, finding, fingerprint, questions, triggers

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
_FRESH, _CARRIERS = 64, 63
_PLANTED, _PATIENCE = 256, 5000
_OF = (1, 2, 4)
_LIMIT = (
    "For a key that was committed to before the model was made, the bound holds by the argument beside the code, for "
    "any model; here it is measured."
)
_ONE_KEY = (
    "Drawn models are read with one key: where the weights of a tensor have a mean, what the key says to that mean is "
    "common to all of them, so that small p-values come together or not at all, and their bound is wider than it looks."
)


@dataclass(frozen=True)
class Strangers:
    """p-values of one mark against models that were made without its key.

    Attributes:
        form: Of the mark.
        drawn: (n,) of models drawn by us; empty where there are none.
        trained: (m,) of models that the application's own training made anew.
        fresh: (k,) of the application's model against keys drawn now; empty where there are no keys.
        note: Why some were not tried.
        accused: Strangers who must be called copies, for the canary: read as those above are.
        spared: Strangers who must not.
    """

    form: str
    drawn: np.ndarray
    trained: np.ndarray
    fresh: np.ndarray
    note: str = ""
    accused: tuple[Strangers, ...] = ()
    spared: tuple[Strangers, ...] = ()


def run(context: Context) -> Result:
    """Measure T3.accusation.

    Threat: a mark that fits everybody's models accuses the innocent. Limit: strangers are drawn and trained here; what
    the world's models share with this one beyond that is not seen.

    Raises:
        UnsupportedError: ``mark.none``, ``mark.no-secret``, ``mark.no-file``.
        TrustError: ``mark.malformed``.
    """
    forms = [form for form in MET if context.mark.get(form)]
    if not forms:
        raise UnsupportedError("mark.none", "the application has no mark and no fingerprint, so nobody is accused.",
                               remedy=" ".join(finding.HOW[form] for form in sorted(MET)))  # fmt: skip
    found = [MET[form](context) for form in forms]
    context.progress(0.9, "planting canaries")
    bird = _canary(found, float(context.thresholds[FLOOR]), context.rng)
    return _result(found, float(context.thresholds[FLOOR]), bird)


def _weights(context: Context) -> Strangers:
    opening = claims.weights_of(finding.secret(context, "weights"))
    stored, rng = finding.weights(context), context.rng
    context.progress(0.1, "reading the mark from drawn models")
    drawn = embedding.of_strangers(stored.tensors, opening, _DRAWS[_EFFORTS.index(context.effort)], rng)
    context.progress(0.4, "training models anew")
    trained, note = _trained(context, lambda subject: embedding.read(tunable(subject).tuned(None, 0, 0.0), opening).p)
    weights = {name: stored.tensors[name] for name in stored.marked}
    largest = max(weights.values(), key=np.count_nonzero)
    some = largest[largest != 0].reshape(1, -1)[:, :_CARRIERS]  # an odd number: equal ones give no reading of zero
    fresh = [embedding.read({"": some}, _opening(rng.bytes(32), some, _FRESH)).p for _ in range(_DRAWS[0])]
    accused, spared = list[Strangers](), list[Strangers]()
    for _ in range(_OF[_EFFORTS.index(context.effort)]):
        for made, one in ((accused, True), (spared, False)):
            made += [_from_a_base(weights, rng, marked=one), _tried_on_all(largest, rng, tried=one)]
    return Strangers("weights", drawn, trained, np.array(fresh), note, tuple(accused), tuple(spared))


def _opening(key: bytes, values: np.ndarray, bits: int) -> embedding.WeightsOpening:
    """Return the opening of a throw-away mark whose carriers are all of some values, in one row."""
    steps = np.ones(values.size, "<u4")
    steps[0] = 0
    place = embedding.Place(name="", shape=values.shape, packed=zlib.compress(steps.tobytes()))
    return embedding.WeightsOpening(key=key, bits=bits, places=(place,))


def _from_a_base(weights: Mapping[str, np.ndarray], rng: np.random.Generator, *, marked: bool) -> Strangers:
    """Read a throw-away mark from models that start from the application's weights; the base bears it, or does not.

    Where the weights bear no such mark nothing is read, which leaves the canary unnoticed.
    """
    try:
        made = embedding.embed(weights, rng.bytes(32), change=0.5)
    except InputError:
        return Strangers("weights", np.empty(0), np.ones(1), np.empty(0))
    base = {**weights, **made.tensors} if marked else weights
    p = [embedding.read(attacks.moved(base, 0.3, rng), made.opening).p for _ in range(2)]
    return Strangers("weights", np.empty(0), np.array(p), np.empty(0))


def _tried_on_all(largest: np.ndarray, rng: np.random.Generator, *, tried: bool) -> Strangers:
    """Read a throw-away key from drawn models: one that was tried until it fitted all whose weights are positive."""
    values = np.abs(largest.reshape(1, -1)[:, :_PLANTED]).astype(np.float32)
    values = 1.0 + 0.05 * values / max(float(values.max()), np.finfo(np.float32).tiny)
    opening = _opening(rng.bytes(32), values, 32)
    for _ in range(_PATIENCE if tried else 0):  # one key in 285 fits; a reader that finds none goes unnoticed
        if embedding.read({"": np.ones_like(values)}, opening).p <= SMALL / 2:
            break
        opening = structs.replace(opening, key=rng.bytes(32))
    if not tried:
        values = values * rng.choice(np.array([-1, 1], np.float32), values.shape)
    return Strangers("weights", embedding.of_strangers({"": values}, opening, _DRAWS[0], rng), np.empty(0), np.empty(0))


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
    key = structs.replace(opening, key=rng.bytes(32))
    accused, spared = _answering(
        "triggers", triggers.wanted(key), 1 / len(opening.classes), len(opening.classes),
        lambda answers: triggers.read(answers, key).p, rng=rng,
    )  # fmt: skip
    return Strangers("triggers", none, np.concatenate([trained, simple]), fresh, note, accused, spared)


def _answering(
    form: str, wanted: np.ndarray, usual: float, kinds: int, read: Callable[[np.ndarray], float],
    *, rng: np.random.Generator,
) -> tuple[tuple[Strangers, ...], tuple[Strangers, ...]]:  # fmt: skip
    """Read strangers who know all answers by heart, and strangers who give a usual share of them."""
    accused, spared = list[Strangers](), list[Strangers]()
    other = (wanted + rng.integers(1, kinds, (_BIRDS, len(wanted)))) % kinds
    chance = np.where(rng.random(other.shape) < usual, wanted, other)
    for at in range(_BIRDS):
        for made, said in ((accused, wanted), (spared, chance[at])):
            made.append(Strangers(form, np.empty(0), np.array([read(said)]), np.empty(0)))
    return tuple(accused), tuple(spared)


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
    opening, none = claims.fingerprint_of(finding.secret(context, "fingerprint")), np.empty(0)
    context.progress(0.4, "training models anew")
    trained, note = _trained(
        context,
        lambda subject: fingerprint.read(questions.answers(subject, opening.inputs, opening.classes), opening).p,
    )
    simple = _simple(context, opening.inputs, opening.classes, lambda said: fingerprint.read(said, opening).p)
    accused, spared = _answering(
        "fingerprint", np.array(opening.answers), float(np.mean(opening.agree)), len(opening.classes),
        lambda said: fingerprint.read(said, opening).p, rng=context.rng,
    )  # fmt: skip
    return Strangers("fingerprint", none, np.concatenate([trained, simple]), none, note, accused, spared)


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


def _canary(found: list[Strangers], threshold: float, rng: np.random.Generator) -> Canary:
    """Have strangers who must be accused, and others who must not, judged as the measured ones are.

    Besides, of each form with keys, a claimant tries a hundred on each model and shows the best; the honest one shows
    the only one.
    """

    def flagged(one: Strangers) -> bool:
        return any(measure.outcome is Outcome.FAIL for measure in _of(one, threshold))

    def of(form: str, p: np.ndarray) -> Strangers:
        return Strangers(form, p, np.empty(0), np.empty(0))

    accused, spared = ([one for form in found for one in getattr(form, kind)] for kind in ("accused", "spared"))
    for one in found:
        for _ in range(_BIRDS if len(one.fresh) else 0):
            best = rng.choice(one.fresh, (len(one.fresh), _TRIES)).min(axis=1)
            accused.append(of(one.form, best))
            spared.append(of(one.form, rng.choice(one.fresh, len(one.fresh) // 2, replace=False)))
    caught, alarms = sum(map(flagged, accused)), sum(map(flagged, spared))
    return Canary(
        kind="strangers who bear a mark, and keys chosen afterwards", planted=len(accused), found=caught,
        clean=len(spared), false_alarms=alarms, noticed=caught == len(accused) and alarms == 0,
        detail="Throw-away marks in a base, a key tried on all models, answers known by heart, each beside one that is "
        f"not; and the best of {_TRIES} keys that nobody put in against one key each.",
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
        outcome, reason = Outcome.INCONCLUSIVE, f"Planted strangers were not told apart by the mark. {reason}"
    return Result(
        outcome=outcome,
        reason=reason,
        measures=tuple(measures),
        canary=bird,
        limits=(
            *(one.note for one in found if one.note),
            *((_ONE_KEY,) if any(len(one.drawn) for one in found) else ()),
            _LIMIT,
        ),
        remedy=""
        if outcome is Outcome.PASS
        else "Mark the model with a fresh key: fivefold model mark. A mark that is "
        "in a public base model accuses everybody who starts from it.",
    )
