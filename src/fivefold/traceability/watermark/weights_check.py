"""T3.weights: the mark is read from the weights that are loaded, and again after what thieves do to weights."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fivefold.contract.finding import Bar, Canary, Measure, Plot, Result
from fivefold.contract.outcome import Outcome
from fivefold.errors import InputError, SubjectError, UnsupportedError
from fivefold.subject.tuned import tunable
from fivefold.traceability.watermark import attacks, claims, embedding, finding

if TYPE_CHECKING:
    from fivefold.contract.check import Context
    from fivefold.contract.finding import Canary as Bird
    from fivefold.traceability.watermark.attacks import Weights
    from fivefold.traceability.watermark.embedding import Reading, WeightsOpening

FLOOR = "max_p"
_EFFORTS = ("quick", "standard", "thorough")
_BIRDS = (2, 4, 8)
_EPOCHS = (2, 10, 20)
_ROWS = 20_000
_RATES = (1e-3, 1e-2)
_FURTHER = "trained further on its own data, {epochs} epochs at {rate:g}"
_APART = (
    "The model is no torch module with training data, so it was not trained further; a change of 0.3 of the weights' "
    "size that does not know the key stands for that."
)
_LIMITS = (
    "The mark is in weights at their places: reordered neurons, and distillation from answers alone, lose it.",
    "Whoever knows the key can remove the mark; it is secret until it is claimed.",
)


def run(context: Context) -> Result:
    """Measure T3.weights.

    Threat: weights are stolen, changed and released as somebody else's. Limit: see the module of the embedding.

    Raises:
        UnsupportedError: ``mark.none``, ``mark.no-secret``, ``mark.no-file``.
        TrustError: ``mark.malformed`` for a secret that is none.
    """
    opening = claims.weights_of(finding.secret(context, "weights"))
    stored = finding.weights(context)
    weights = {name: stored.tensors[name] for name in stored.marked}
    limit = float(context.thresholds[FLOOR])
    context.progress(0.1, "reading the mark after changes")
    measures, notes = list[Measure](), list[str]()
    for what, attack in attacks.WITHSTOOD.items():
        try:
            measures.append(_measure(what, embedding.read(attack(weights, context.rng), opening), limit))
        except InputError as error:
            notes.append(f"Not done: {what}. For {error.message}")
    context.progress(0.4, "training further")
    further, more = _further(context, opening, limit)
    shown = [_measure(what, embedding.read(attack(weights, context.rng), opening), None)
             for what, attack in attacks.SHOWN.items()]  # fmt: skip
    context.progress(0.9, "planting canaries")
    bird = _canary(weights, limit, context)
    return _result([*measures, *further, *shown], bird, limit, (*notes, *more))


def _measure(what: str, found: Reading, limit: float | None) -> Measure:
    said = f"{found.matched} of {found.bits} bits are read rightly."
    shown = Measure(name="p-value of the mark", value=found.p, n=found.bits, where=what, note=said)
    if limit is None:
        return shown
    from msgspec import structs

    outcome = Outcome.PASS if found.p <= limit else Outcome.FAIL
    return structs.replace(shown, low=found.p, high=found.p, threshold=limit, direction="max", outcome=outcome)


def _further(context: Context, opening: WeightsOpening, limit: float) -> tuple[list[Measure], tuple[str, ...]]:
    """Train a copy of a torch module further on the application's own rows; others cannot be trained here."""
    try:
        network = tunable(context.subject)
        table = context.tables("train")
    except (UnsupportedError, KeyError):
        return [], (_APART,)
    known = np.flatnonzero(table.target >= 0 if context.settings.classes else np.isfinite(table.target))
    rows = table.take(np.sort(context.rng.permutation(known)[: min(_ROWS, context.rows)]))
    del table  # the whole set is large
    epochs, made = _EPOCHS[_EFFORTS.index(context.effort)], list[Measure]()
    for rate in _RATES:
        try:
            found = embedding.read(network.tuned(rows, epochs, rate), opening)
        except SubjectError as error:
            return made, (f"It could not be trained further: {error.message}",)
        judged = limit if rate == _RATES[0] else None
        made.append(_measure(_FURTHER.format(epochs=epochs, rate=rate), found, judged))
    return made, ()


def _canary(weights: Weights, limit: float, context: Context) -> Bird:
    """Put throw-away marks into the user's own weights, and wash half of them out; others' keys read nothing."""
    count = _BIRDS[_EFFORTS.index(context.effort)]
    caught = alarms = tried = 0
    for _ in range(count):
        try:
            made = embedding.embed(weights, context.rng.bytes(32), change=0.5)
        except InputError:
            break
        copy, tried = {**weights, **made.tensors}, tried + 1
        alarms += embedding.read(copy, made.opening).p > limit
        washed = attacks.reordered(copy, context.rng) if tried % 2 else weights
        caught += embedding.read(washed, made.opening).p > limit
    return Canary(
        kind="marks washed out, or never put in",
        planted=count,
        found=caught,
        clean=count,
        false_alarms=alarms + count - tried,
        noticed=tried == count and caught == count and alarms == 0,
        detail=f"{count} throw-away keys: their marks put into the application's own weights and read, and not read "
        "where neurons were reordered or nothing was put in.",
    )


def _result(measures: list[Measure], bird: Bird, limit: float, notes: tuple[str, ...]) -> Result:
    judged = [one for one in measures if one.outcome is not None]
    lost = [one for one in judged if one.outcome is Outcome.FAIL]
    weakest = max(judged, key=lambda one: one.value or 0.0)
    outcome, remedy = (Outcome.FAIL, _REMEDY) if lost else (Outcome.PASS, "")
    reason = (
        f"The mark is read after all of {len(judged)} changes; at worst chance gives that with p = {weakest.value:.2g}."
    )
    if lost:
        reason = (
            f"The mark is not read where the weights are {lost[0].where} (p = {lost[0].value:.2g}, at most {limit:g} "
            f"is asked); so in {len(lost)} of {len(judged)} changes."
        )
    if not bird.noticed:
        outcome, remedy = Outcome.INCONCLUSIVE, "Mark a network with more weights."
        reason = f"Marks that were planted and washed out were not told apart, so nothing is concluded. {reason}"
    bars = tuple(Bar(label=one.where[:60], value=-float(np.log10(max(one.value or 0.0, 1e-300))), n=one.n,
                     outcome=one.outcome) for one in measures[:24])  # fmt: skip
    plot = Plot(kind="intervals", title="How surely the mark is read", x_label="minus log10 of the p-value", bars=bars,
                threshold=-float(np.log10(limit)))  # fmt: skip
    return Result(outcome=outcome, reason=reason, measures=tuple(measures), canary=bird, plots=(plot,),
                  limits=(*notes, *_LIMITS), remedy=remedy)  # fmt: skip


_REMEDY = (
    "Name the marked file under model.path (fivefold model mark writes it), or mark it more strongly: --change; a "
    "larger network bears more."
)
