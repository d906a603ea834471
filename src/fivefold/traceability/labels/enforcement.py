"""T1.enforcement: whether every use of the data is one that their labels allow, and another would be refused."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from fivefold.contract.finding import Canary, Measure, Result
from fivefold.contract.outcome import Outcome
from fivefold.errors import UnsupportedError
from fivefold.evidence import data_label
from fivefold.keys import trust as trust_file
from fivefold.keys.signing import generate
from fivefold.traceability.labels.check import measure
from fivefold.traceability.labels.enforcing import Found, Use, refusals, use_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np

    from fivefold.contract.check import Context
    from fivefold.errors import TrustError
    from fivefold.keys.trust import Trust

WAYS = (
    "another purpose", "one purpose too many", "another region", "a country outside", "no label", "another steward",
    "a changed label", "changed data", "outlived",
)  # fmt: skip
_COUNTRIES = ("DE", "FR", "PL", "IE")
_OUTSIDE = ("US", "CN", "BR", "CH", "world")
_REMEDY = (
    "Declare controls: {T1: {region: WHERE IT RUNS, serves: [...], recipients: {PARTY: REGION}}}, and purposes and "
    "regions that the labels allow; or have the steward decide: fivefold data label."
)


def run(context: Context) -> Result:
    """Judge T1.enforcement.

    Threat: data are read, released or answered from for a purpose, or in a region, that their steward never agreed to.
    Limit: purposes and regions are as declared; a program that reads the files by itself is not stopped.

    Raises:
        UnsupportedError: ``label.memory``: the data are in memory, and no label is bound to them; ``label.none``: no
            label and no control is declared, so that there is no use to be refused.
    """
    if not context.digests:
        raise UnsupportedError("label.memory", "the data are in memory: there are no stored bytes to bind a label to.")
    control = (context.settings.controls or {}).get("T1")
    if control is None and not _is_labelled(context):
        raise UnsupportedError("label.none", "no data set declares a label, so no use is forbidden.", remedy=_REMEDY)
    use = use_of(control or {})
    names = sorted(context.digests)
    found = Found(context.labels, context.digests, context.settings.labels or {})
    faults = refusals(found, use, trust_file.read(context.trust or b""), context.now)
    lacking = _undeclared(control, use)
    bird = prove(context)
    outcome = Outcome.INCONCLUSIVE if not bird.noticed else Outcome.FAIL if faults or lacking else Outcome.PASS
    return Result(
        outcome=outcome,
        reason=_reason(outcome, faults, lacking, names),
        measures=(
            Measure(
                name="use is declared and enforced",
                value=0.0 if lacking else 1.0,
                threshold=1.0,
                direction="min",
                outcome=Outcome.FAIL if lacking else Outcome.PASS,
                n=1,
                note=lacking,
            ),
            *(measure("use allowed by the signed label", name, faults.get(name)) for name in names),
        ),
        canary=bird,
        limits=("Purposes and regions are as declared; a program that reads the files by itself is not stopped.",),
        remedy=_REMEDY if faults or lacking else "",
    )


def _is_labelled(context: Context) -> bool:
    """Return whether a label is declared, beyond where the data come from, or signed."""
    declared = (context.settings.labels or {}).values()
    said = any(value for label in declared for key, value in label.items() if key != "source")
    return said or any(context.labels.values())


def _undeclared(control: Mapping[str, object] | None, use: Use) -> str:
    if control is None:
        return "no control T1 is declared, so nothing is refused"
    if not control.get("region"):
        return "controls.T1 does not say in which region the application runs"
    return "" if use.purposes else "no purpose is declared"


def _reason(outcome: Outcome, faults: Mapping[str, TrustError], lacking: str, names: list[str]) -> str:
    if outcome is Outcome.INCONCLUSIVE:
        return "A use that a label forbids was let through, or one that it allows refused, so nothing is concluded."
    if lacking:
        return f"Use is not enforced: {lacking}."
    if faults:
        told = "; ".join(f"data.{name}: {error.message.rstrip('.')}" for name, error in list(faults.items())[:3])
        return f"{len(faults)} of {len(names)} data sets may not be used so ({told})."
    return f"The labels of all {len(names)} data sets allow the declared purposes and regions, and are enforced."


def prove(context: Context) -> Canary:
    """Use drawn data in each way that a label forbids, and in one that it allows beside each."""
    caught = alarms = 0
    for way in WAYS:
        found, use, trust = _allowed(context.rng, context.now)
        alarms += bool(refusals(found, use, trust, context.now))
        caught += bool(refusals(*_forbidden(way, found, use, trust, context), context.now))
    return Canary(
        kind="forbidden uses",
        planted=len(WAYS),
        found=caught,
        clean=len(WAYS),
        false_alarms=alarms,
        noticed=caught == len(WAYS) and alarms == 0,
        detail=f"Drawn data under a throw-away steward's labels, used in ways they forbid: {', '.join(WAYS)}.",
    )


def _allowed(rng: np.random.Generator, now: str) -> tuple[Found, Use, Trust]:
    steward, text = generate(), rng.bytes(16).hex()
    fields: dict[str, Any] = {
        "class": "internal", "personal": [], "basis": "canary", "purpose": [f"a{text[:6]}", f"b{text[6:12]}"],
        "region": ["EU"], "retain": "5y", "source": "canary",
    }  # fmt: skip
    digest = hashlib.sha256(text.encode()).hexdigest()
    trust = trust_file.add(trust_file.Trust(), steward.public, name="canary", roles=("steward",))
    found = Found(
        {"drawn": data_label.sign("drawn", digest, fields, steward, now)}, {"drawn": digest}, {"drawn": fields}
    )
    return found, Use((fields["purpose"][0],), (str(rng.choice(_COUNTRIES)),)), trust


def _forbidden(way: str, found: Found, use: Use, trust: Trust, context: Context) -> tuple[Found, Use, Trust]:
    drawn, fields = context.rng, dict(found.declared["drawn"])
    if way == "another purpose":
        use = replace(use, purposes=("marketing",))
    elif way == "one purpose too many":
        use = replace(use, purposes=(*use.purposes, "marketing"))
    elif way == "another region":
        use = replace(use, regions=(str(drawn.choice(_OUTSIDE)),))
    elif way == "a country outside":
        use = replace(use, regions=(*use.regions, str(drawn.choice(_OUTSIDE))))
    elif way == "no label":
        found = replace(found, labels={})
    elif way == "another steward":
        found = replace(
            found, labels={"drawn": data_label.sign("drawn", found.digests["drawn"], fields, generate(), context.now)}
        )
    elif way == "a changed label":
        data = bytearray(found.labels["drawn"])
        data[int(drawn.integers(len(data) - 1))] ^= 1
        found = replace(found, labels={"drawn": bytes(data)})
    elif way == "changed data":
        found = replace(found, digests={"drawn": hashlib.sha256(drawn.bytes(8)).hexdigest()})
    else:
        fields["retain"] = "0d"
        steward = generate()
        trust = trust_file.add(trust_file.Trust(), steward.public, name="canary", roles=("steward",))
        label = data_label.sign("drawn", found.digests["drawn"], fields, steward, context.now)
        found = replace(found, labels={"drawn": label}, declared={"drawn": fields})
    return found, use, trust
