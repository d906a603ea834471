"""T3.commitment: whether the key of each mark was committed to before the release, so that a claim proves something."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fivefold.contract.finding import Canary, Measure, Result
from fivefold.contract.outcome import Outcome
from fivefold.errors import TrustError, UnsupportedError
from fivefold.evidence import model_mark
from fivefold.keys import trust as trust_file
from fivefold.traceability.watermark import committing, finding, forging

if TYPE_CHECKING:
    from fivefold.contract.check import Context

_REMEDIES = {
    "mark.no-witness": "Have a witness vouch for it before the release: fivefold model mark --witness URL.",
    "mark.not-logged": "Mark the model again: fivefold model mark enters the commitment into the log marks/.",
    "mark.late": "What was committed to after the release proves nothing: mark the next version before it leaves.",
    "mark.other-model": "Name the marked file under model.path, or mark this version.",
    "trust.unknown-key": "If it is your own: fivefold trust add FILE --role signer --name NAME.",
}


def run(context: Context) -> Result:
    """Judge T3.commitment.

    Threat: somebody finds a key that fits a model after the fact, or marks a stolen copy again, and claims it.
    Limit: a witness that works together with the owner can lie about the time; trust one who does not.

    Raises:
        UnsupportedError: ``mark.none``, ``mark.no-secret``.
        InputError: ``mark.released`` for a declared time that is none.
    """
    forms = [form for form in model_mark.FORMS if context.mark.get(form)]
    if not forms:
        raise UnsupportedError("mark.none", "the application has no mark and no fingerprint, so nobody could prove "
                               "whose a copy is.", remedy=" ".join(finding.HOW.values()))  # fmt: skip
    faults: dict[str, TrustError] = {}
    notes: dict[str, str] = {}
    for form in forms:
        opening = finding.secret(context, form)
        try:
            notes[form] = _verified(context, form, opening)
        except TrustError as error:
            faults[form] = error
    context.progress(0.5, "forging claims")
    bird = prove(context)
    outcome = Outcome.INCONCLUSIVE if not bird.noticed else Outcome.FAIL if faults else Outcome.PASS
    return Result(
        outcome=outcome,
        reason=_reason(outcome, faults, notes),
        measures=tuple(
            Measure(
                name="committed to before the release", value=0.0 if form in faults else 1.0, threshold=1.0,
                direction="min", outcome=Outcome.FAIL if form in faults else Outcome.PASS, n=1, where=f"mark: {form}",
                note=f"{faults[form].message} [{faults[form].code}]" if form in faults else notes[form],
            )
            for form in forms
        ),
        canary=bird,
        limits=(
            "Times are those of witnesses whom you trust; one who works together with the owner can lie.",
            "A day of release that is not declared (controls: {T3: {released: ...}}) counts as not yet.",
        ),
        remedy=" ".join(dict.fromkeys(_REMEDIES.get(one.code, one.remedy) for one in faults.values())).strip(),
    )  # fmt: skip


def _verified(context: Context, form: str, opening: bytes) -> str:
    """Return who vouched for a commitment when.

    Raises:
        TrustError: It does not hold, or the model is not the one committed to.
    """
    found = committing.verify(
        context.mark[form], opening, context.mark.get(f"{form}.proof", b""),
        trust=trust_file.read(context.trust or b""), now=context.now, released=finding.released(context),
    )  # fmt: skip
    if found.known.mark.form != form:
        raise TrustError("mark.malformed", "the commitment is to a mark of another form.")
    bound = form not in ("triggers", "rows")  # drawn before the model that learns them
    if bound and (context.model_root is None or not committing.bears(found.known, context.model_root)):
        raise TrustError("mark.other-model", "the model that is loaded is not the one that was committed to.")
    names = ", ".join(f"{name} at {committing.stamp(time)}" for name, time in found.witnesses)
    return f"In the log {found.origin} at {found.index}, vouched for by {names}."


def _reason(outcome: Outcome, faults: dict[str, TrustError], notes: dict[str, str]) -> str:
    if outcome is Outcome.INCONCLUSIVE:
        return "A forged claim was accepted, or an honest one refused, so nothing is concluded."
    if faults:
        form, error = next(iter(faults.items()))
        return f"The commitment to the mark ({form}) does not hold: {error.message}"
    told = next(iter(notes.values()))
    return f"{len(notes)} of {len(notes)} marks were committed to in time. {told}"


def prove(context: Context) -> Canary:
    """Forge a claim in each way, bring an honest one beside each, and have a thief mark a copy again."""
    caught = alarms = 0
    for forge in forging.FORGERIES.values():
        case, keys = forging.honest(context.rng, context.now)
        alarms += not case.holds()
        caught += not forge(case, keys, context.rng).holds()
    kept, lost = forging.overwritten(context.rng, context.now)
    planted, clean = len(forging.FORGERIES) + 1, len(forging.FORGERIES) + 1
    caught, alarms = caught + lost, alarms + (not kept)
    return Canary(
        kind="forged claims",
        planted=planted,
        found=caught,
        clean=clean,
        false_alarms=alarms,
        noticed=caught == planted and alarms == 0,
        detail=f"Throw-away keys: {', '.join(forging.FORGERIES)}, and a copy that a thief marked again.",
    )
