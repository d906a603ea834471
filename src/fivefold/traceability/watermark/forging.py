"""Forging: what those try who claim a model that is not theirs, on throw-away keys, and the honest claim beside it."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from fivefold.contract.codec import canonical
from fivefold.errors import InputError, TrustError
from fivefold.evidence import model_mark
from fivefold.keys import trust as trust_file
from fivefold.keys.signing import generate
from fivefold.log import cosignature, tlog_proof
from fivefold.log.simulated import SimulatedDisk
from fivefold.traceability.watermark import claims, committing, embedding
from fivefold.traceability.watermark.fingerprint import FingerprintOpening

if TYPE_CHECKING:
    from collections.abc import Callable

    from fivefold.evidence.model_mark import Form
    from fivefold.keys.signing import Signer

_DAY = 86_400
_ORIGIN = "fivefold/canary/marks"


@dataclass(frozen=True)
class Keys:
    """Throw-away keys of an owner, a log and a witness."""

    owner: Signer
    log: Signer
    witness: Signer

    @classmethod
    def drawn(cls) -> Keys:
        """Return new ones."""
        return cls(generate("ecdsa-p256"), generate(), generate())

    def trust(self) -> trust_file.Trust:
        """Return a trust file that names all three."""
        found = trust_file.Trust()
        mine: dict[trust_file.Role, Signer] = {"signer": self.owner, "log": self.log, "witness": self.witness}
        for role, key in mine.items():
            found = trust_file.add(found, key.public, name=f"canary {role}", roles=(role,))
        return found


@dataclass(frozen=True)
class Case:
    """A claim as it is brought forward, and who judges it.

    Attributes:
        statement, opening, proof: As of a claim.
        trust: The judge's.
        now: Of the judgement, UTC.
        released: When the model was first seen.
    """

    statement: bytes
    opening: bytes
    proof: bytes
    trust: trust_file.Trust
    now: str
    released: str

    def verify(self) -> committing.Committed:
        """Verify the commitment and that its opening is one, as :func:`claims.judge` does."""
        found = committing.verify(
            self.statement, self.opening, self.proof, trust=self.trust, now=self.now, released=self.released
        )
        claims.required(found.known.mark.form, self.opening)
        return found

    def holds(self) -> bool:
        """Return whether the commitment holds."""
        try:
            self.verify()
        except TrustError:
            return False
        return True


def claimed(
    keys: Keys, opening: bytes, at: int, *, form: Form = "weights", issued: int = -1, witnessed: bool = True,
    before: int = 0,
) -> tuple[bytes, bytes]:  # fmt: skip
    """Return a commitment and its proof.

    Args:
        keys: Sign it.
        opening: The secret.
        at: Seconds since 1970 at which it is witnessed.
        form: Of the mark.
        issued: Seconds since 1970 at which it was made by the owner's clock; negative: ``at``.
        witnessed: Whether a witness vouches for it.
        before: How many other entries the log has.
    """
    made = committing.stamp(at if issued < 0 else issued)
    statement = model_mark.commit(form, opening, {"model": "0" * 64}, keys.owner, made)
    disk = SimulatedDisk()
    for entry in [*(str(one).encode() for one in range(before)), statement]:
        proof = committing.entered(disk, _ORIGIN, entry, keys.log)
    if not witnessed:
        return statement, proof
    parsed = tlog_proof.read(proof)
    line = cosignature.cosign(parsed.checkpoint, "canary", keys.witness, at)
    return statement, tlog_proof.write(replace(parsed, checkpoint=cosignature.merge(parsed.checkpoint, line)))


def honest(rng: np.random.Generator, now: str) -> tuple[Case, Keys]:
    """Return a claim that holds: committed to and witnessed some days before the release."""
    steps = rng.integers(1, 50, 60).astype("<u4").tobytes()
    place = embedding.Place(name="layer", shape=(60, 60), packed=zlib.compress(steps))
    keys, opening = Keys.drawn(), canonical(embedding.WeightsOpening(key=rng.bytes(32), bits=32, places=(place,)))
    end = committing.moment(now, 0)
    release = end - int(rng.integers(1, 300)) * _DAY
    at = release - int(rng.integers(0, 30 * _DAY))
    statement, proof = claimed(keys, opening, at, before=int(rng.integers(0, 4)))
    return Case(statement, opening, proof, keys.trust(), now, committing.stamp(release)), keys


def _late(case: Case, keys: Keys, rng: np.random.Generator) -> Case:
    at = committing.moment(case.released, 0) + int(rng.integers(1, _DAY))
    statement, proof = claimed(keys, case.opening, at)
    return replace(case, statement=statement, proof=proof)


def _backdated(case: Case, keys: Keys, rng: np.random.Generator) -> Case:
    """The owner's clock says an earlier time, the witness's the true one."""
    release = committing.moment(case.released, 0)
    at = release + int(rng.integers(1, _DAY))
    statement, proof = claimed(keys, case.opening, at, issued=release - _DAY, before=3)
    return replace(case, statement=statement, proof=proof)


def _unwitnessed(case: Case, keys: Keys, _: np.random.Generator) -> Case:
    statement, proof = claimed(keys, case.opening, committing.moment(case.released, 0) - _DAY, witnessed=False)
    return replace(case, statement=statement, proof=proof)


def _without(role: str) -> Callable[[Case, Keys, np.random.Generator], Case]:
    def strip(case: Case, _keys: Keys, _rng: np.random.Generator) -> Case:
        return replace(case, trust=trust_file.Trust(keys=tuple(k for k in case.trust.keys if role not in k.roles)))

    return strip


def _changed(case: Case, _: Keys, rng: np.random.Generator) -> Case:
    data = bytearray(case.statement)
    data[int(rng.integers(len(data) - 1))] ^= 1
    return replace(case, statement=bytes(data))


def _misnamed(case: Case, keys: Keys, _: np.random.Generator) -> Case:
    """A mark in weights is committed to as a fingerprint."""
    at = committing.moment(case.released, 0) - _DAY
    statement, proof = claimed(keys, case.opening, at, form="fingerprint")
    return replace(case, statement=statement, proof=proof)


def _fitting_all(case: Case, keys: Keys, rng: np.random.Generator) -> Case:
    """The answers of a fingerprint are what any model with other classes is read as."""
    opening = canonical(
        FingerprintOpening(salt=rng.bytes(32), inputs=b"", answers=(-1,) * 100, classes=("zz", "yy"), agree=(0.1,) * 16)
    )
    at = committing.moment(case.released, 0) - _DAY
    statement, proof = claimed(keys, opening, at, form="fingerprint")
    return replace(case, statement=statement, opening=opening, proof=proof)


def _borrowed(case: Case, keys: Keys, rng: np.random.Generator) -> Case:
    """The proof is that of another commitment, which was witnessed in time."""
    _, proof = claimed(keys, rng.bytes(32), committing.moment(case.released, 0) - _DAY)
    return replace(case, proof=proof)


FORGERIES: dict[str, Callable[[Case, Keys, np.random.Generator], Case]] = {
    "a key committed to after the release": _late,
    "a commitment whose owner's clock was set back": _backdated,
    "no witness": _unwitnessed,
    "a witness that nobody trusts": _without("witness"),
    "a log that nobody trusts": _without("log"),
    "an owner whom nobody knows": _without("signer"),
    "in no log": lambda case, _keys, _rng: replace(case, proof=b""),
    "another secret, found afterwards": lambda case, _, rng: replace(case, opening=canonical(rng.bytes(32).hex())),
    "another commitment's proof": _borrowed,
    "a changed commitment": _changed,
    "a mark in weights called a fingerprint": _misnamed,
    "a fingerprint of answers that are no classes": _fitting_all,
}
"""Claims that must not hold."""


def overwritten(rng: np.random.Generator, now: str) -> tuple[bool, bool]:
    """Have a thief mark a marked network again; return whether the owner wins, and whether the thief's claim loses.

    Both commitments hold and both marks are read from the thief's copy; only the order of witnessed times differs.
    """
    shape = (96, 128)
    weights = {name: rng.normal(size=shape).astype(np.float32) for name in ("a", "b")}
    mine = embedding.embed(weights, rng.bytes(32))
    released = {**weights, **mine.tensors}
    theirs = embedding.embed(released, rng.bytes(32))
    copy, keys, at = {**released, **theirs.tensors}, Keys.drawn(), committing.moment(now, 0) - 9 * _DAY
    judged = []
    for made, time in ((mine, at), (theirs, at + int(rng.integers(1, 8 * _DAY)))):
        opening = canonical(made.opening)
        statement, proof = claimed(keys, opening, time)
        case = Case(statement, opening, proof, keys.trust(), now, "")
        judged.append(claims.Judged(case.verify(), embedding.read(copy, made.opening)))
    try:
        return claims.first(judged[0], judged[1]) == 0, claims.first(judged[1], judged[0]) == 1
    except InputError:
        return False, False
