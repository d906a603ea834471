"""T2.provenance: follow the model's signed provenance to everything it names, and prove that a broken link shows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from fivefold.contract.finding import Measure, Result
from fivefold.contract.outcome import Outcome
from fivefold.errors import UnsupportedError
from fivefold.evidence import links
from fivefold.evidence.links import PARTS, There
from fivefold.keys import trust as trust_file
from fivefold.traceability.lineage import planted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fivefold.contract.check import Context
    from fivefold.evidence.links import Link, Part

STATEMENT, THERE = "statement", "there"
"""Names in ``context.origin``: the statement as stored; message pack of what there is of what it names."""
_WORDS: dict[Part, str] = {
    "signature": "signed by a trusted key", "model": "model as it was made", "data": "data as they were learnt from",
    "code": "code as it was run", "parameters": "parameters named", "environment": "environment named",
    "people": "people named",
}  # fmt: skip
_REMEDIES = {
    "provenance.none": "Train with fivefold model train, or say what the model was made of: fivefold model provenance.",
    "provenance.other-model": "Restore the model that was made so, or sign where this one comes from.",
    "provenance.unnamed-model": "Sign where this model comes from: fivefold model provenance.",
    "provenance.missing": "Restore the file, or train again and sign anew: fivefold model provenance.",
    "provenance.other-data": "Restore the data that it learnt from, or train again on these and sign anew.",
    "provenance.other-code": "Restore the code that made it, or train again with this one and sign anew.",
    "provenance.unknown-commit": "Fetch the commit into the repository, or name one that is there.",
    "provenance.other-commit": "Commit the code that made the model, and name that commit.",
    "trust.unknown-key": "If you know the signer: fivefold trust add FILE --role signer --name NAME.",
}
_USUAL = "Sign it again, with what is lacking: fivefold model provenance."


def run(context: Context) -> Result:
    """Judge T2.provenance.

    Threat: nobody can say what a model learnt from, which code made it and who answers for it, or it is said of others.
    Limit: a statement says what its signer says.

    Raises:
        UnsupportedError: ``provenance.no-files``: there is no model file that a statement could be about.
        InputError: The trust file is malformed.
    """
    if context.model_root is None or THERE not in context.origin:
        raise UnsupportedError(
            "provenance.no-files", "there is no model file whose origin could be named.",
            remedy="Name the model's files in the manifest (model.path).",
        )  # fmt: skip
    there = msgspec.msgpack.decode(context.origin[THERE], type=There)
    trust = trust_file.read(context.trust or b"")
    known, found = links.follow(context.origin.get(STATEMENT, b""), there, trust=trust, now=context.now)
    context.progress(0.4, "canaries")
    bird = planted.prove(there, context.rng, context.now)
    broken = links.broken(found)
    outcome = Outcome.INCONCLUSIVE if not bird.noticed else Outcome.FAIL if broken else Outcome.PASS
    return Result(
        outcome=outcome,
        reason=_reason(outcome, known.signer if known else "", found),
        measures=tuple(_measure(part, [link for link in found if link.part == part]) for part in PARTS),
        canary=bird,
        limits=(
            "A statement says what its signer says; that the training ran so is not seen.",
            *(f"Of code: {link.name} {link.text}." for link in found if link.text.startswith("not looked up")),
        ),
        remedy=" ".join(dict.fromkeys(_REMEDIES.get(link.code, _USUAL) for link in broken)),
    )


def _measure(part: Part, found: Sequence[Link]) -> Measure:
    """Return the share of a part's links that hold; one that was not followed holds nothing."""
    broken = [link for link in found if link.code]
    holds = bool(found) and not broken
    return Measure(
        name=_WORDS[part],
        value=(len(found) - len(broken)) / len(found) if found else 0.0,
        threshold=1.0,
        direction="min",
        outcome=Outcome.PASS if holds else Outcome.FAIL,
        n=len(found),
        note="; ".join(said(link) for link in broken)[:1000] if found else "not followed",
    )


def said(link: Link) -> str:
    """Return a broken link in words, with its code."""
    return f"{link.name}: {link.text.rstrip('.')} [{link.code}]".removeprefix(": ")


def _reason(outcome: Outcome, signer: str, found: Sequence[Link]) -> str:
    broken = [link for link in found if link.code]
    if outcome is Outcome.INCONCLUSIVE:
        return "A broken link was not noticed, or an intact one was, so nothing is concluded."
    if broken and not signer:
        return f"Where the model comes from is not known: {said(broken[0])}."
    if broken:
        told = "; ".join(f"{link.part}: {said(link)}" for link in broken[:3])
        return f"{len(broken)} of {len(found)} links of what {signer} signed are broken ({told})."
    counts = ", ".join(f"{sum(link.part == part for link in found)} of {part}" for part in PARTS[1:])
    return f"All {len(found)} links of what {signer} signed hold: {counts}."
