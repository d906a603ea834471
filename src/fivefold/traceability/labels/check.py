"""T1.labels: verify the signed label of every data set, and prove that a spoilt one would be refused."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from fivefold.contract.finding import Canary, Measure, Result
from fivefold.contract.outcome import Outcome
from fivefold.errors import TrustError, UnsupportedError
from fivefold.evidence import data_label
from fivefold.keys import trust as trust_file
from fivefold.keys.signing import Signer, generate

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fivefold.contract.check import Context

_REMEDIES = {
    "label.missing": "Declare class, personal, basis, purpose, region, retain, source, then: fivefold data label.",
    "label.data-changed": "Find out who changed the data; if that was right, label them again: fivefold data label.",
    "label.other-data": "Put the label back beside its own data, or make one: fivefold data label.",
    "label.differs": "Correct the manifest, or have the steward sign what it says now: fivefold data label.",
    "label.incomplete": "Declare what is lacking under `label:` (and `source:`), then: fivefold data label.",
    "label.outlived": "Delete the data, or have the steward decide on a new term.",
    "trust.unknown-key": "If you know the steward: fivefold trust add FILE --role steward --name NAME.",
}
_USUAL = "Have the steward sign the label again: fivefold data label."
KINDS = ("data changed", "field changed", "stripped", "of other data", "other key", "other role", "outlived")


def run(context: Context) -> Result:
    """Judge T1.labels.

    Threat: data are used without anybody knowing whose they are, or under a label that is not theirs.
    Limit: a label says what its steward says.

    Raises:
        UnsupportedError: ``label.memory``: the data are in memory, and have no bytes that a label could be bound to.
        InputError: The trust file is malformed.
    """
    declared = context.settings.labels or {}
    if not context.digests:
        raise UnsupportedError("label.memory", "the data are in memory: there are no stored bytes to bind a label to.")
    trust = trust_file.read(context.trust or b"")
    names = sorted({*declared, *context.digests})
    faults: dict[str, TrustError] = {}
    for name in names:
        try:
            data_label.verify(
                context.labels.get(name, b""),
                name,
                context.digests.get(name, ""),
                declared=declared.get(name, {}),
                trust=trust,
                now=context.now,
            )
        except TrustError as error:
            faults[name] = error
    bird = prove(context)
    outcome = Outcome.INCONCLUSIVE if not bird.noticed else Outcome.FAIL if faults else Outcome.PASS
    measures = tuple(measure("label bound to the bytes", name, faults.get(name)) for name in names)
    return Result(
        outcome=outcome,
        reason=_reason(outcome, faults, names),
        measures=measures,
        canary=bird,
        limits=(
            "A label says what its steward says; whether the data came that way is not seen.",
            "A term counts from the label's signature: signing again begins it anew.",
        ),
        remedy=" ".join(dict.fromkeys(_REMEDIES.get(error.code, _USUAL) for error in faults.values())),
    )


def measure(what: str, name: str, fault: TrustError | None) -> Measure:
    """Return whether something holds of a data set (1) or not (0, with the fault)."""
    return Measure(
        name=what,
        value=0.0 if fault else 1.0,
        threshold=1.0,
        direction="min",
        outcome=Outcome.FAIL if fault else Outcome.PASS,
        n=1,
        where=f"data.{name}",
        note=f"{fault.message} [{fault.code}]" if fault else "",
    )


def _reason(outcome: Outcome, faults: Mapping[str, TrustError], names: list[str]) -> str:
    if outcome is Outcome.INCONCLUSIVE:
        return "A spoilt label was accepted or a sound one refused, so nothing is concluded."
    if faults:
        told = "; ".join(f"data.{name}: {error.message.rstrip('.')}" for name, error in list(faults.items())[:3])
        return f"{len(faults)} of {len(names)} data sets have no label that holds ({told})."
    return f"The labels of all {len(names)} data sets are complete, trusted and of these very bytes."


def prove(context: Context) -> Canary:
    """Spoil labels of drawn bytes in each way, and verify a sound one beside each."""
    found = alarms = 0
    for kind in KINDS:
        steward, text = generate(), bytes(context.rng.bytes(32))
        name, digest = f"set{int(context.rng.integers(1000))}", hashlib.sha256(text).hexdigest()
        fields: dict[str, Any] = {
            **dict.fromkeys(data_label.FIELDS, text.hex()[:8]), "personal": [], "retain": "5y",
            "source": "canary",
        }  # fmt: skip
        trust = trust_file.add(trust_file.Trust(), steward.public, name="canary", roles=("steward",))
        sound = data_label.sign(name, digest, fields, steward, context.now)
        alarms += not _holds(sound, name, digest, declared=fields, trust=trust, now=context.now)
        spoilt, digest, trust = _spoilt(kind, (name, digest, fields), sound, (steward, trust), context.now)
        found += not _holds(spoilt, name, digest, declared=fields, trust=trust, now=context.now)
    return Canary(
        kind="spoilt labels",
        planted=len(KINDS),
        found=found,
        clean=len(KINDS),
        false_alarms=alarms,
        noticed=found == len(KINDS) and alarms == 0,
        detail=f"Labels of drawn bytes by a throw-away steward: {', '.join(KINDS)}; and a sound one beside each.",
    )


def _spoilt(
    kind: str,
    labelled: tuple[str, str, dict[str, Any]],
    sound: bytes,
    held: tuple[Signer, trust_file.Trust],
    now: str,
) -> tuple[bytes, str, trust_file.Trust]:
    (name, digest, fields), (steward, trust) = labelled, held
    if kind == "data changed":
        return sound, hashlib.sha256(digest.encode()).hexdigest(), trust
    if kind == "other role":
        return sound, digest, trust_file.add(trust_file.Trust(), steward.public, name="canary", roles=("assessor",))
    if kind == "outlived":
        fields["retain"] = "0d"
    made = {
        "field changed": (name, {**fields, "class": "public"}, steward),
        "of other data": (f"{name}x", fields, steward),
        "other key": (name, fields, generate()),
        "outlived": (name, fields, steward),
    }.get(kind)
    if made is None:  # stripped
        return b"", digest, trust
    return data_label.sign(made[0], digest, made[1], made[2], now), digest, trust


def _holds(data: bytes, name: str, digest: str, **held: Any) -> bool:
    try:
        data_label.verify(data, name, digest, **held)
    except TrustError:
        return False
    return True
