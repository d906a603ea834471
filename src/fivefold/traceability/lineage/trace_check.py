"""T2.trace: decisions on record walked back to data, code and people, and forward again to the same decisions."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import msgspec

from fivefold.contract.finding import Canary, Measure, Result
from fivefold.contract.outcome import Outcome
from fivefold.errors import UnsupportedError
from fivefold.evidence import model_provenance, signed_set
from fivefold.evidence.links import There
from fivefold.keys import trust as trust_file
from fivefold.keys.signing import generate
from fivefold.traceability.lineage import planted, walking
from fivefold.traceability.lineage.check import STATEMENT, THERE, said
from fivefold.traceability.lineage.tracing import SAMPLE, Sample

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import numpy as np

    from fivefold.contract.check import Context
    from fivefold.keys.trust import Trust
    from fivefold.traceability.lineage.walking import Walked

FLOOR = "max_lost"
_TRIALS = 2
_DECISIONS = 12
_REMEDIES = {
    "trace.no-model": "Serve by the guard, or name the model when recording: recorder.open(..., model=digest).",
    "trace.unknown-model": "Sign where each model that answers comes from, before it does: fivefold model provenance.",
    "trace.not-forward": "Look whether the record holds: fivefold record fsck.",
    "trace.no-forward": "Sign the statement again for the model as it is served: fivefold model provenance.",
    "trust.unknown-key": "If you know the signer: fivefold trust add FILE --role signer --name NAME.",
}
_USUAL = "See which link is broken: fivefold record trace ID; T2.provenance says how to mend it."


@dataclass(frozen=True)
class _Held:
    """What decisions are walked through: the record's sample, statements, what is there, and whom is trusted."""

    sample: Sample
    statements: Mapping[str, bytes]
    there: There
    trust: Trust
    now: str


def run(context: Context) -> Result:
    """Judge T2.trace.

    Threat: somebody asks why a decision was made, and nobody can say what the model that made it had learnt from, which
    code made it and who answers for it; or data turn out bad, and nobody can say whom that touched.
    Limit: the record says which model answered; whether it did is for the guard and T2.signature.

    Raises:
        UnsupportedError: ``trace.no-files``: there is no model file to walk to.
        InputError: The trust file is malformed.
    """
    if context.model_root is None or THERE not in context.origin:
        raise UnsupportedError("trace.no-files", "there is no model file that a decision could be walked back to.",
                               remedy="Name the model's files in the manifest (model.path).")  # fmt: skip
    held = _Held(
        sample=_read(str((context.settings.facts or {}).get(SAMPLE) or "")),
        statements={walking.NOW if name == STATEMENT else name: data
                    for name, data in context.origin.items() if name != THERE},
        there=msgspec.msgpack.decode(context.origin[THERE], type=There),
        trust=trust_file.read(context.trust or b""), now=context.now,
    )  # fmt: skip
    bird = prove(held.there, context.rng, context.now)
    if not held.sample.decisions:
        return Result(
            outcome=Outcome.INCONCLUSIVE, reason=_nothing(held.sample), measures=(), canary=bird,
            remedy="Serve the application by the guard, which records; then assess it again from the same account.",
        )  # fmt: skip
    drawn = sorted(context.rng.permutation(len(held.sample.decisions))[: context.rows].tolist())
    walked, lost = walks(held, drawn)
    share = len(lost) / len(drawn)
    floor = context.thresholds[FLOOR]
    judged = Outcome.PASS if share <= floor else Outcome.FAIL
    return Result(
        outcome=judged if bird.noticed else Outcome.INCONCLUSIVE,
        reason=_reason(held.sample, drawn, lost, walked, bird),
        measures=(
            Measure(
                name="decisions that cannot be walked to their origins and back", value=share, threshold=floor,
                direction="max", unit="share", n=len(drawn), outcome=judged,
                note="; ".join(f"record {one}: {why}" for one, why in list(lost.items())[:5])[:1000],
            ),
        ),
        canary=bird,
        limits=tuple(_limits(held.sample, walked)),
        remedy=" ".join(dict.fromkeys(_REMEDIES.get(_code(why), _USUAL) for why in lost.values())),
    )  # fmt: skip


def walks(held: _Held, drawn: list[int]) -> tuple[dict[str, Walked], dict[str, str]]:
    """Walk decisions back and forth.

    Args:
        held: What they are walked through.
        drawn: Places of decisions in the sample.

    Returns:
        The way back from each model; and of each decision that is lost, by its record's id, why.
    """
    back: dict[str, Walked] = {}
    ahead = walking.ahead(held.statements, held.there, trust=held.trust, now=held.now)
    strays: dict[str, str] = {}
    lost: dict[str, str] = {}
    forward = [frozenset(ids) for ids in held.sample.forward]
    other = msgspec.structs.replace(held.there, commit="", committed={})  # what was looked up is the commit of now

    def there(statement: bytes) -> There:
        return held.there if statement == held.statements.get(walking.NOW, b"") else other

    for at in drawn:
        record, place = held.sample.decisions[at]
        model = held.sample.models[place]
        if model not in back:
            back[model] = walking.walk(model, held.statements, there, trust=held.trust, now=held.now)
            strays[model] = _stray(back[model], ahead)
        broken = back[model].broken
        if broken:
            lost[record] = f"{broken[0].part}: {said(broken[0])}"
        elif strays[model]:
            lost[record] = strays[model]
        elif record not in forward[place]:
            lost[record] = "a search by its model does not give it [trace.not-forward]"
    return back, lost


def _stray(walked: Walked, ahead: Mapping[str, Mapping[str, str]]) -> str:
    """Return what a model was made of that does not lead to it; empty: everything does."""
    for name in walking.named(walked.known) if walked.known else ():
        if walked.model not in ahead.get(name, ()):
            return f"{name[:80]} does not lead to its model [trace.no-forward]"
    return ""


def prove(there: There, rng: np.random.Generator, now: str) -> Canary:
    """Walk made-up decisions of this very model by throw-away statements: intact, and with a link gone in each way."""
    missed: list[str] = []
    alarms = tries = 0
    for _ in range(_TRIALS):
        for kind, spoil in _SPOILT.items():
            tries += 1
            held = _intact(there, rng, now)
            alarms += bool(walks(held, list(range(_DECISIONS)))[1])
            spoilt, wanted = spoil(held, rng)
            if set(walks(spoilt, list(range(_DECISIONS)))[1]) != wanted:
                missed.append(kind)
    return Canary(
        kind="decisions that lead nowhere",
        planted=tries,
        found=tries - len(missed),
        clean=tries,
        false_alarms=alarms,
        noticed=not missed and not alarms,
        detail=f"Missed: {', '.join(dict.fromkeys(missed))}." if missed else f"Found: {', '.join(_SPOILT)}.",
    )


def _intact(there: There, rng: np.random.Generator, now: str) -> _Held:
    """Return decisions by the model of now and by an earlier one, each with its statement."""
    case = planted.honest(there, rng, now)
    earlier = hashlib.sha256(rng.bytes(16)).hexdigest()
    models = (signed_set.digest(case.there.files), earlier)
    product = model_provenance.Byproduct(name=model_provenance.SET, digest={"sha256": earlier})
    run_ = msgspec.structs.replace(case.says.runDetails, byproducts=(product,))
    old = msgspec.structs.replace(case.says, runDetails=run_)
    decisions = tuple((rng.bytes(16).hex(), int(at % 2)) for at in rng.permutation(_DECISIONS))
    forward = tuple(tuple(one for one, by in decisions if by == at) for at in (0, 1))
    files = {name: planted.other(digest, rng) for name, digest in case.files.items()}
    statements = {
        walking.NOW: model_provenance.seal(case.says, case.files, case.signer),
        "earlier": model_provenance.seal(old, files, case.signer),
    }
    return _Held(Sample(models=models, decisions=decisions, forward=forward), statements, case.there, case.trust, now)


_Spoilt = tuple[_Held, set[str]]


def _by(held: _Held, place: int) -> set[str]:
    return {record for record, by in held.sample.decisions if by == place}


def _one(held: _Held, rng: np.random.Generator) -> int:
    return int(rng.integers(len(held.sample.decisions)))


def _sampled(held: _Held, **changed: object) -> _Held:
    return replace(held, sample=msgspec.structs.replace(held.sample, **changed))


def _of_model(held: _Held, at: int, model: str) -> _Spoilt:
    """Let one decision be by another model, which a search finds."""
    decisions, ids = list(held.sample.decisions), held.sample.decisions[at][0]
    decisions[at] = (ids, 2)
    forward = (*held.sample.forward, (ids,))
    return _sampled(held, decisions=tuple(decisions), models=(*held.sample.models, model), forward=forward), {ids}


def _hidden(held: _Held, rng: np.random.Generator) -> _Spoilt:
    """Let a search by the model not give one decision."""
    gone = held.sample.decisions[_one(held, rng)][0]
    forward = tuple(tuple(one for one in ids if one != gone) for ids in held.sample.forward)
    return _sampled(held, forward=forward), {gone}


def _unsigned(place: int, name: str) -> Callable[[_Held, np.random.Generator], _Spoilt]:
    def spoil(held: _Held, _: np.random.Generator) -> _Spoilt:
        left = {one: data for one, data in held.statements.items() if one != name}
        return replace(held, statements=left), _by(held, place)

    return spoil


def _changed_data(held: _Held, rng: np.random.Generator) -> _Spoilt:
    """Change data since: decisions of the model of now lead to other bytes; those of an earlier one are told."""
    victim = list(held.there.data)[int(rng.integers(len(held.there.data)))]
    data = {**held.there.data, victim: planted.other(held.there.data[victim], rng)}
    return replace(held, there=msgspec.structs.replace(held.there, data=data)), _by(held, 0)


def _stranger(held: _Held, _: np.random.Generator) -> _Spoilt:
    known = trust_file.add(trust_file.Trust(), generate().public, name="canary", roles=("signer",))
    return replace(held, trust=known), {record for record, _ in held.sample.decisions}


_SPOILT: dict[str, Callable[[_Held, np.random.Generator], _Spoilt]] = {
    "a decision that names no model": lambda held, rng: _of_model(held, _one(held, rng), ""),
    "a decision by a model that nobody signed for": lambda held, rng: _of_model(
        held, _one(held, rng), hashlib.sha256(rng.bytes(16)).hexdigest()
    ),
    "a decision that its model does not lead to": _hidden,
    "no statement of the model of now": _unsigned(0, walking.NOW),
    "no statement of an earlier model": _unsigned(1, "earlier"),
    "data changed since": _changed_data,
    "a signer whom nobody trusts": _stranger,
}
"""Kind of break to what plants it, with the decisions that are lost by it, and no others."""


def _read(text: str) -> Sample:
    return msgspec.json.decode(text, type=Sample) if text else Sample(models=(), decisions=(), forward=())


def _code(why: str) -> str:
    return why.rpartition("[")[2].rstrip("]")


def _nothing(sample: Sample) -> str:
    if sample.erased:
        return f"The {sample.erased:,} decisions on record are of erased people: none can be walked back."
    return "No decision is on record that this user can read, so none can be walked back."


def _limits(sample: Sample, walked: Mapping[str, Walked]) -> list[str]:
    told = [f"Of {sample.erased:,} further decisions the people were erased: those say nothing of a model."]
    replaced = sum(1 for one in walked.values() if one.known is not None and not one.served)
    since = f"{replaced} of the {len(walked)} models were replaced since; what was replaced with them is not held."
    return [
        "The record says which model answered; whether it did is for the guard and T2.signature.",
        *(told if sample.erased else []),
        *([since] if replaced else []),
    ]


def _reason(
    sample: Sample, drawn: list[int], lost: Mapping[str, str], walked: Mapping[str, Walked], bird: Canary
) -> str:
    if not bird.noticed:
        return "A planted decision that leads nowhere was not noticed, or a sound one was, so nothing is concluded."
    many = f"{len(drawn):,} of the newest {len(sample.decisions):,} decisions on record"
    if lost:
        why, count = Counter(lost.values()).most_common(1)[0]
        return f"{len(lost):,} of {many} cannot be walked to their origins and back; {count:,}: {why}."
    return f"All {many} were walked back to data, code and people, and forward again, by {len(walked)} models."
