"""Committing: a mark's commitment goes into the log of marks before the model is released, and a witness says when.

Life of a mark: secret drawn, model marked, commitment signed, entered into the log, witnessed, model released; if a
copy turns up, the secret is opened as a claim, which anybody can verify offline.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from fivefold.errors import InputError, TrustError
from fivefold.evidence import model_mark
from fivefold.evidence.signed_set import sha256
from fivefold.keys import trust as trust_file
from fivefold.keys.store import write_public
from fivefold.log import cosignature, note, segments, tlog_proof
from fivefold.log.book import Book
from fivefold.log.checkpoint import origin_of
from fivefold.log.cosigning import obtain
from fivefold.log.disk import Folder
from fivefold.log.lock import WriterLock
from fivefold.log.proving import prove
from fivefold.traceability.recorder.opening import log_signer

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from fivefold.evidence.model_mark import Known
    from fivefold.keys.signing import Signer
    from fivefold.keys.trust import Trust
    from fivefold.log.cosignature import Cosignature
    from fivefold.log.disk import Disk
    from fivefold.log.witness import Reply
    from fivefold.manifest.nouns import Manifest

FOLDER = "marks"
"""Folder of the log of marks, beside the manifest; it holds commitments alone, and may be published."""
_SEGMENT = 1 << 20
_WITNESS = "Have somebody else vouch for the time: fivefold model mark --witness URL."


@dataclass(frozen=True)
class Committed:
    """A commitment that holds.

    Attributes:
        known: What was committed to, by whom.
        origin: Name of the log.
        index: Where it stands in it.
        witnesses: Names of witnesses and the seconds since 1970 at which each vouched for the log that has it.
    """

    known: Known
    origin: str
    index: int
    witnesses: tuple[tuple[str, int], ...]

    @property
    def since(self) -> int:
        """Seconds since 1970 at which it certainly existed: the first witness's."""
        return min(time for _, time in self.witnesses)


def origin(application: str) -> str:
    """Return the name of an application's log of marks."""
    return f"{origin_of(application)}/marks"


def enter(manifest: Manifest, statement: bytes) -> bytes:
    """Enter a commitment into the application's log of marks and return its proof.

    Raises:
        StorageError: ``log.in-use``, ``log.disk``.
        TrustError: The log is not as its checkpoint says.
    """
    place = manifest.root / FOLDER
    lock = WriterLock(place)
    disk = Folder(place)
    try:
        return entered(disk, origin(manifest.application.id), statement, log_signer())
    finally:
        disk.close()
        lock.close()


def entered(disk: Disk, name: str, statement: bytes, signer: Signer) -> bytes:
    """Enter a commitment into the log of a signer and return its proof."""
    book = Book(disk, name, signer, segment_bytes=_SEGMENT)
    index = book.append([statement])
    book.publish()
    found = prove(disk, index)
    if found is None:
        raise InputError("mark.uncovered", "no checkpoint covers the commitment yet.", remedy="Try again.")
    return found


def witness(manifest: Manifest, send: Callable[[bytes], Reply], trust: Trust, now: datetime) -> tuple[Cosignature, ...]:
    """Have a witness vouch for the log of marks, keep the new proofs, and return what it said.

    Raises:
        InputError: ``mark.none``; as :func:`fivefold.log.cosigning.obtain`.
        TrustError: As :func:`fivefold.log.cosigning.obtain`.
    """
    disk = Folder(manifest.root / FOLDER)
    places = [place for form in model_mark.FORMS if (place := model_mark.place_of(manifest, form)).is_file()]
    try:
        where = _positions(disk)
        at = {place: where[one] for place in places if (one := place.read_bytes()) in where}
        if not at:
            raise InputError("mark.none", "no mark of the model is in its log.", remedy="Mark it: fivefold model mark.")
        keys = trust_file.holders(trust, "witness", now.strftime("%Y-%m-%dT%H:%M:%SZ"))
        _, said = obtain(disk, send, keys, int(now.timestamp()))
        for place, index in at.items():
            write_public(model_mark.proof_of(place), prove(disk, index) or b"")
        return said
    finally:
        disk.close()


def vkey(manifest: Manifest) -> str:
    """Return the key of an application's log of marks in one line, for a witness."""
    return note.NoteKey(origin(manifest.application.id), log_signer().public).vkey


def _positions(disk: Disk) -> dict[bytes, int]:
    return {entry: at for segment, entries in segments.walk(disk) for at, entry in enumerate(entries, segment.first)}


def verify(statement: bytes, opening: bytes, proof: bytes, *, trust: Trust, now: str, released: str = "") -> Committed:
    """Check that a mark was committed to, by whom, and that a witness vouched for it before the model was released.

    Rules: the owner's key is trusted as ``signer``; the secret is the one committed to; the statement stands in a log
    that a trusted ``log`` key signed; at least one trusted ``witness`` cosigned that log, at or before ``released``.

    Args:
        statement: The commitment.
        opening: The secret.
        proof: C2SP tlog-proof with the statement in it; empty: there is none.
        trust: The verifier's.
        now: UTC time.
        released: UTC time or day when the model left the house; empty: not said, ``now`` counts.

    Raises:
        TrustError: ``mark.not-logged``, ``mark.other-entry``, ``mark.no-witness``, ``mark.late``; as
            :func:`fivefold.evidence.model_mark.opened`, :func:`fivefold.log.tlog_proof.verify` and
            :func:`fivefold.log.cosignature.verify`.
        InputError: ``mark.released`` for a time that is none.
    """
    known = model_mark.opened(statement, opening, trust=trust, now=now)
    if not proof:
        raise TrustError("mark.not-logged", "the commitment is in no log, so nobody can tell when it was made.",
                         remedy=_WITNESS)  # fmt: skip
    parsed = tlog_proof.read(proof)
    if parsed.extra != statement:
        raise TrustError("mark.other-entry", "the proof is of another entry than this commitment.")
    point, _ = tlog_proof.verify(parsed, statement, trust_file.holders(trust, "log", now))
    at = int(trust_file.moment(now).timestamp())
    found = cosignature.verify(parsed.checkpoint, trust_file.holders(trust, "witness", now), at)
    if not found:
        raise TrustError("mark.no-witness", "no witness that you trust vouched for the log, so its time is its owner's "
                         "word alone.", remedy=_WITNESS)  # fmt: skip
    names = tuple((key.name if (key := trust.find(one.key.id)) else one.name, one.time) for one in found)
    made = Committed(known, point.origin, parsed.index, names)
    if made.since > moment(released, at):
        raise TrustError("mark.late", f"the commitment was witnessed at {stamp(made.since)}, after the release: a key "
                         "that was chosen after the model proves nothing.")  # fmt: skip
    return made


def moment(text: str, default: int) -> int:
    """Return seconds since 1970 of a UTC time or day (its end); the default for an empty text.

    Raises:
        InputError: ``mark.released``.
    """
    if not text:
        return default
    try:
        if len(text) == 10:
            return int(datetime.fromisoformat(f"{text}T23:59:59+00:00").timestamp())
        return int(trust_file.moment(text).timestamp())
    except (ValueError, InputError):
        raise InputError("mark.released", f"{text[:40]!r} is no time.", remedy="Write 2026-12-01, in UTC.") from None


def stamp(seconds: int) -> str:
    """Return seconds since 1970 as a time in UTC."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def bears(known: Known, folder: Path) -> bool:
    """Return whether a folder holds the released files, whatever they are called there."""
    here = {sha256(path) for path in folder.rglob("*") if path.is_file()}
    return set(known.files.values()) <= here
