"""Reading: records found, shown, traced, proven and audited; needs no writer and stops none."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec

from fivefold.errors import InputError, TrustError
from fivefold.log import audit as audits
from fivefold.log import book, segments, tiles, tlog_proof
from fivefold.log import checkpoint as notes
from fivefold.log.cosigning import COSIGNED
from fivefold.traceability.recorder.nouns import Body, Kind, Leaf
from fivefold.traceability.recorder.recorder import blob_name

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fivefold.keys.signing import PublicKey
    from fivefold.log.disk import Disk
    from fivefold.traceability.recorder.secrets_ import Secrets

MAX_BLOB = 1 << 30


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """One record as read.

    Attributes:
        index: Its position, which orders it.
        id: UUIDv7 in hexadecimal.
        kind: What it is.
        at: Nanoseconds since 1970, by the writer's clock.
        body: What it says; None if the person was erased.
    """

    index: int
    id: str
    kind: Kind
    at: int
    body: Body | None


class Reading:
    """A record, opened for reading."""

    def __init__(self, disk: Disk, secrets: Secrets) -> None:
        self._disk, self._secrets = disk, secrets

    def leaves(self) -> Iterator[tuple[int, Leaf]]:
        """Yield position and leaf of every record, one segment in memory at a time.

        Raises:
            TrustError: ``recorder.leaf`` for an entry that is no record; as :func:`fivefold.log.segments.walk`.
        """
        for segment, entries in segments.walk(self._disk):
            for index, entry in enumerate(entries, segment.first):
                yield index, _leaf(index, entry)

    def found(self, index: int, leaf: Leaf) -> Found:
        """Unseal a record.

        Raises:
            TrustError: ``recorder.blob`` or ``recorder.sealed`` if its bytes are not those that were recorded.
        """
        body = self._secrets.read(leaf, self._sealed(leaf))
        return Found(index=index, id=leaf.id.hex(), kind=leaf.kind, at=leaf.at, body=body)

    def search(
        self, *, case: str = "", person: str = "", kind: str = "", since: int = 0, until: int = 1 << 63
    ) -> Iterator[Found]:
        """Yield the records that fit all of what is given; only those are unsealed."""
        case_tag = self._secrets.tag("case", case) if case else None
        person_tag = self._secrets.tag("person", person) if person else None
        for index, leaf in self.leaves():
            if (
                (case_tag is None or leaf.case == case_tag)
                and (person_tag is None or leaf.person == person_tag)
                and kind in ("", leaf.kind)
                and since <= leaf.at < until
            ):
                yield self.found(index, leaf)

    def silent_since(self, moment: int) -> list[bytes]:
        """Return the keyed hashes of people about whom the newest record is older than a moment, and can be read.

        Memory holds one entry for each person.
        """
        newest: dict[bytes, tuple[int, bytes]] = {}
        for _, leaf in self.leaves():
            if leaf.person and leaf.at >= newest.get(leaf.person, (0, b""))[0]:
                newest[leaf.person] = (leaf.at, leaf.key)
        return [tag for tag, (at, key) in newest.items() if at < moment and self._secrets.has(key)]

    def get(self, reference: str) -> Found:
        """Return one record by its id (hyphens allowed) or its position.

        Raises:
            InputError: ``recorder.unknown``.
        """
        return self.found(*self._place(reference))

    def trace(self, reference: str) -> list[Found]:
        """Return all records of the same case, in order: what led to a record and what came of it."""
        _, wanted = self._place(reference)
        return [self.found(index, leaf) for index, leaf in self.leaves() if leaf.case == wanted.case]

    def prove(self, reference: str) -> bytes:
        """Return the proof that a record stands in the log, for a file (C2SP tlog-proof).

        Raises:
            InputError: ``recorder.unknown``; ``recorder.uncovered`` if no checkpoint covers it yet.
        """
        index, _ = self._place(reference)
        for name in (COSIGNED, book.CHECKPOINT):  # a proof that a witness vouches for is worth more
            point = self._disk.read(name, 0, book.MAX_CHECKPOINT)
            size = notes.parse(point).size if point else 0
            if index < size:
                break
        else:
            raise InputError("recorder.uncovered", "no checkpoint covers this record yet.", remedy="Try again.")
        entry = segments.entry(self._disk, index)
        return tlog_proof.write(tlog_proof.Proof(entry, index, tuple(tiles.inclusion(self._disk, index, size)), point))

    def audit(self, keys: tuple[PublicKey, ...], kept: tuple[bytes, ...] = ()) -> audits.Audit:
        """Return the audit of the log, and of the records in it: each can be read or was erased, no id stands twice."""
        found = audits.audit(self._disk, keys, kept)
        faults = list(found.faults)
        seen: set[bytes] = set()
        try:
            for index, leaf in self.leaves():
                if leaf.id in seen:
                    faults.append(audits.Fault("recorder.twice", f"record {leaf.id.hex()} stands twice."))
                seen.add(leaf.id)
                try:
                    self.found(index, leaf)
                except TrustError as error:
                    faults.append(audits.Fault(error.code, error.message))
        except TrustError as error:
            faults.append(audits.Fault(error.code, error.message))
        return audits.Audit(found.size, found.covered, tuple(dict.fromkeys(faults)))

    def _sealed(self, leaf: Leaf) -> bytes:
        if not leaf.blob:
            return leaf.sealed
        data = self._disk.read(blob_name(leaf.blob), 0, MAX_BLOB)
        if hashlib.sha256(data).digest() != leaf.blob:
            raise TrustError("recorder.blob", f"the blob of record {leaf.id.hex()} is gone or was altered.")
        return data

    def _place(self, reference: str) -> tuple[int, Leaf]:
        wanted = reference.replace("-", "").lower()
        for index, leaf in self.leaves():
            if leaf.id.hex() == wanted or (len(wanted) < 20 and wanted == str(index)):
                return index, leaf
        raise InputError(
            "recorder.unknown", f"there is no record {reference[:80]}.", remedy="Look: fivefold record search."
        )


def disclosed(entry: bytes) -> dict[str, Any]:
    """Return what a proof shows of a record to anybody: id, kind and time; the rest is sealed.

    Raises:
        TrustError: ``recorder.leaf``.
    """
    leaf = _leaf(-1, entry)
    at = datetime.fromtimestamp(leaf.at // 1_000_000_000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {"id": leaf.id.hex(), "kind": leaf.kind, "at": at}


def _leaf(index: int, entry: bytes) -> Leaf:
    try:
        return msgspec.msgpack.decode(entry, type=Leaf)
    except (msgspec.DecodeError, ValueError):
        raise TrustError("recorder.leaf", f"entry {index} is no record.") from None
