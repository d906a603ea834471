"""T2.signature: verify the model's signature on the bytes that were loaded, and prove that a fault would be refused.

Threat: a file of the model, or of the code that loads it, is not the one that its owner released. Limit: the signature
says who released the bytes; whether they are any good is for other checks.
"""

from __future__ import annotations

import json
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from fivefold.contract.finding import Canary, Measure, Result
from fivefold.contract.outcome import Outcome
from fivefold.errors import TrustError, UnsupportedError
from fivefold.evidence import oms
from fivefold.keys import trust as trust_file
from fivefold.traceability.signature import canary
from fivefold.traceability.signature.snapshot import listed

if TYPE_CHECKING:
    from fivefold.contract.check import Context

_UNTRUSTED = {
    "trust.unknown-key": (
        "the model is signed by a key that you do not trust ({key})",
        "If you know its holder, add the public key: fivefold trust add FILE --role signer --name NAME.",
    ),
    "trust.wrong-role": (
        "the model is signed by a key ({key}) that your trust file names, but not as a signer of models",
        "If its holder may sign models: fivefold trust add FILE --role signer --name NAME.",
    ),
    "trust.revoked": (
        "the model is signed by a key ({key}) that is revoked",
        "Sign the model again with a valid key: fivefold model sign.",
    ),
    "trust.expired": (
        "the model is signed by a key ({key}) whose validity has ended",
        "Sign the model again with a valid key: fivefold model sign.",
    ),
    "trust.not-yet-valid": (
        "the model is signed by a key ({key}) that is not valid yet",
        "Sign the model with a key that is valid now: fivefold model sign.",
    ),
}


@dataclass(frozen=True)
class Seen:
    """What verification of one folder said: ``code`` is empty if the signature holds."""

    code: str
    text: str
    remedy: str = ""
    files: int = 0


def run(context: Context) -> Result:
    """Measure T2.signature.

    Raises:
        UnsupportedError: ``signature.no-model``: there is no model file.
        InputError: The trust file is malformed.
    """
    if context.model_root is None:
        raise UnsupportedError(
            "signature.no-model",
            "there is no model file whose signature could be checked, so its answers cannot be traced to a model.",
            remedy="Name the model's files in the manifest (model.path) and sign them: fivefold model sign.",
        )
    seen = inspect(context.model_root, context.signature, context.trust or b"", context.now)
    context.progress(0.4, "canaries")
    bird = _canary(context, context.model_root)
    outcome = Outcome.PASS if not seen.code else Outcome.FAIL
    reason, remedy = f"{seen.text[:1].upper()}{seen.text[1:]}.", seen.remedy
    if not bird.noticed:
        outcome, remedy = (
            Outcome.INCONCLUSIVE,
            "Report this: the check accepted a planted fault or refused a good copy.",
        )
        reason = f"Planted faults were not told from a good copy, so nothing is concluded. {reason}"
    return Result(
        outcome=outcome,
        reason=reason,
        measures=(
            Measure(
                name="files that are as signed",
                value=1.0 if not seen.code else 0.0,
                threshold=1.0,
                direction="min",
                outcome=Outcome.PASS if not seen.code else Outcome.FAIL,
                n=seen.files,
                note=f"All or nothing; {seen.code}." if seen.code else "All or nothing.",
            ),
        ),
        canary=bird,
        limits=(
            "The signature says who released these bytes, not that the model is good.",
            "What the model reads from the application's other files is not signed: name those under model.files.",
            "A bundle carries no time: a signature counts while its key is valid and not revoked.",
        ),
        remedy=remedy,
    )


def inspect(root: Path, signature: bytes | None, trust: bytes, now: str) -> Seen:
    """Verify the files below ``root`` against a signature and a trust file.

    Args:
        root: The snapshot.
        signature: Bytes of the bundle; None: unsigned.
        trust: Bytes of the verifier's trust file.
        now: ISO time in UTC.

    Raises:
        InputError: The trust file is malformed.
    """
    known = trust_file.read(trust)
    files: dict[str, Path] = {}
    try:
        files = listed(root)
        verified = oms.verify_files(signature, files, trust_file.holders(known, "signer", now))
    except TrustError as error:
        code, text, remedy = error.code, str(error.message).rstrip("."), error.remedy
        if error.where and error.where not in text:
            text = f"{text}: {error.where}"
        if code == "oms.other-key":
            code, text, remedy = _why(known, signature or b"", now, (code, text, remedy))
        return Seen(code, text, remedy, len(files))
    entry = known.find(verified.key)
    holder = entry.name if entry else ""
    return Seen(
        "",
        f"all {len(files)} files that were loaded are those that {holder} signed (key {verified.key[:12]})",
        files=len(files),
    )


def _why(known: trust_file.Trust, signature: bytes, now: str, said: tuple[str, str, str]) -> tuple[str, str, str]:
    """Say why the key that the bundle names does not count; the hint is only used for words."""
    try:
        hint = str(json.loads(signature)["verificationMaterial"]["publicKey"]["hint"])
    except (ValueError, KeyError, TypeError, RecursionError):
        hint = ""
    try:
        trust_file.standing(known, hint, "signer", now, now)
    except TrustError as error:
        if error.code in _UNTRUSTED:
            text, remedy = _UNTRUSTED[error.code]
            shown = "".join(letter for letter in hint if letter.isalnum())[:12] or "not named"
            return error.code, text.format(key=shown), remedy
    return said


def _canary(context: Context, root: Path) -> Canary:
    kinds = {"quick": 4, "standard": 8, "thorough": len(canary.KINDS)}[context.effort]

    def code(folder: Path, signature: bytes | None, trust: bytes) -> str:
        return inspect(folder, signature, trust, context.now).code

    if context.scratch is not None:
        return canary.run(root, context.scratch, code, context.rng, kinds=kinds)
    with tempfile.TemporaryDirectory() as scratch:
        return canary.run(root, Path(scratch), code, context.rng, kinds=kinds)
