"""Reading: records found, shown, traced, proven and audited; needs no writer and stops none."""

from __future__ import annotations

import contextlib
import hashlib
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec

from fivefold.errors import InputError, StorageError, TrustError
from fivefold.log import audit as audits
from fivefold.log import segments, tiles
from fivefold.log.proving import prove
from fivefold.log.tree import HASH_BYTES
from fivefold.traceability.recorder.indexing import Indexed, tags_of, text_of
from fivefold.traceability.recorder.nouns import ID_BYTES, Body, Kind, Leaf, leaf_of
from fivefold.traceability.recorder.recorder import blob_name, erasure_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from fivefold.keys.signing import PublicKey
    from fivefold.log.disk import Disk
    from fivefold.store.index import Index
    from fivefold.traceability.recorder.secrets_ import Secrets

MAX_BLOB = 1 << 30
_SMALL = 200_000
"""Records up to which all are read, and no index is made: that takes a second or so, making one takes several."""
_ID_LETTERS = 2 * ID_BYTES


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

    def __init__(
        self,
        disk: Disk,
        secrets: Secrets,
        *,
        index: Callable[[], Index] | None = None,
        tell: Callable[[float], None] | None = None,
    ) -> None:
        """Take a record.

        Args:
            disk: Where the log lies.
            secrets: Keys of people and of the index.
            index: Opens its index, where the record is not small; None: everything is read each time.
            tell: Told the share that is done while the index catches up.
        """
        self._disk, self._secrets, self._index, self._tell = disk, secrets, index, tell

    def leaves(self) -> Iterator[tuple[int, Leaf]]:
        """Yield position and leaf of every record, one segment in memory at a time.

        Raises:
            TrustError: ``recorder.leaf`` for an entry that is no record; as :func:`fivefold.log.segments.walk`.
        """
        for segment, entries in segments.walk(self._disk):
            for index, entry in enumerate(entries, segment.first):
                yield index, leaf_of(index, entry)

    def found(self, index: int, leaf: Leaf) -> Found:
        """Unseal a record.

        Raises:
            TrustError: ``recorder.blob`` or ``recorder.sealed`` if its bytes are not those that were recorded.
        """
        body = self._secrets.read(leaf, self._sealed(leaf))
        return Found(index=index, id=leaf.id.hex(), kind=leaf.kind, at=leaf.at, body=body)

    def search(
        self,
        *,
        case: str = "",
        person: str = "",
        kind: str = "",
        model: str = "",
        fields: Mapping[str, str] | None = None,
        since: int = 0,
        until: int = 1 << 63,
    ) -> Iterator[Found]:
        """Yield the records that fit all of what is given; only those are unsealed.

        Args:
            case: Of this case; empty: of any. So for the others.
            person: About this person.
            kind: Of this kind.
            model: By the model with this digest.
            fields: Words with these values, as :func:`fivefold.traceability.recorder.indexing.text_of` writes them.
            since: Nanoseconds since 1970.
            until: The end, itself not included.
        """
        wanted = fields or {}
        leaf_tags = {what: self._secrets.tag(what, text) for what, text in (("case", case), ("person", person)) if text}
        tags = [*leaf_tags.values(), *tags_of(self._secrets, model, wanted)]
        tags += [self._secrets.tag("kind", kind)] if kind else []
        times = since if since > 0 else None, until if until < 1 << 63 else None
        for index, leaf in self._some(tags, *times):
            if (
                all(getattr(leaf, what) == tag for what, tag in leaf_tags.items())
                and kind in ("", leaf.kind)
                and since <= leaf.at < until
            ):
                found = self.found(index, leaf)
                if not (model or wanted) or _says(found.body, model, wanted):
                    yield found

    def _some(
        self, tags: list[bytes], since: int | None = None, until: int | None = None
    ) -> Iterator[tuple[int, Leaf]]:
        """Yield position and leaf of the records that may fit, in order: by the index, or all."""
        indexed = self._indexed() if tags or since is not None or until is not None else None
        places = indexed.find(tags, since, until) if indexed else None
        if places is None:
            yield from self.leaves()
            return
        for index, entry in segments.some(self._disk, places):
            yield index, leaf_of(index, entry)

    def catch_up(self) -> None:
        """Take into the index what was recorded since, and out of it what erased people said; none is begun for that.

        Raises:
            StorageError: ``store.disk``.
        """
        indexed = self._indexed()
        if indexed is not None and indexed.begun():
            indexed.catch_up()

    def _indexed(self) -> Indexed | None:
        if self._index is None or self._disk.size(tiles.file_of(0)) <= _SMALL * HASH_BYTES:
            return None
        try:
            return Indexed(self._disk, self._secrets, self._index(), self._sealed, self._tell)
        except StorageError:  # a cache that cannot be written hinders nobody from reading
            return None

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
        return [self.found(index, leaf) for index, leaf in self._some([wanted.case]) if leaf.case == wanted.case]

    def cases(self, names: Iterable[str]) -> dict[str, list[Found]]:
        """Return all records of each case, in order; the log is read once."""
        wanted = {self._secrets.tag("case", name): name for name in names}
        found: dict[str, list[Found]] = {name: [] for name in wanted.values()}
        for index, leaf in self._some(list(wanted)) if len(wanted) == 1 else self.leaves():
            if leaf.case in wanted:
                found[wanted[leaf.case]].append(self.found(index, leaf))
        return found

    def prove(self, reference: str) -> bytes:
        """Return the proof that a record stands in the log, for a file (C2SP tlog-proof).

        Raises:
            InputError: ``recorder.unknown``; ``recorder.uncovered`` if no checkpoint covers it yet.
        """
        index, _ = self._place(reference)
        found = prove(self._disk, index)
        if found is None:
            raise InputError("recorder.uncovered", "no checkpoint covers this record yet.", remedy="Try again.")
        return found

    def audit(self, keys: tuple[PublicKey, ...], kept: tuple[bytes, ...] = ()) -> audits.Audit:
        """Return the audit of the log, and of the records in it.

        Each can be read or was erased, no id stands twice, and no key that an erasure destroyed is back.
        """
        found = audits.audit(self._disk, keys, kept)
        faults = list(found.faults)
        seen: set[bytes] = set()
        used: dict[bytes, set[bytes]] = {}
        try:
            for index, leaf in self.leaves():
                if leaf.id in seen:
                    faults.append(audits.Fault("recorder.twice", f"record {leaf.id.hex()} stands twice."))
                seen.add(leaf.id)
                if leaf.person:
                    notice = self._secrets.tag("case", erasure_of(leaf.person))
                    used.setdefault(notice, set()).add(leaf.key)
                if leaf.kind == "erasure":  # its own words may be of a key that a copy lacks
                    faults += [_back(index) for key in used.pop(leaf.case, ()) if self._secrets.has(key)]
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
        if len(reference) < _ID_LETTERS and reference.isascii() and reference.isdigit():
            with contextlib.suppress(InputError):
                return int(reference), leaf_of(int(reference), segments.entry(self._disk, int(reference)))
        elif re.fullmatch(f"[0-9a-f]{{{_ID_LETTERS}}}", wanted):
            for index, leaf in self._some([bytes.fromhex(wanted)]):
                if leaf.id.hex() == wanted:
                    return index, leaf
        raise InputError(
            "recorder.unknown", f"there is no record {reference[:80]}.", remedy="Look: fivefold record search."
        )


def _back(index: int) -> audits.Fault:
    text = f"a key that the erasure at {index:,} destroyed is back: an old copy of the store of keys was put in place."
    return audits.Fault("recorder.back", text)


def _says(body: Body | None, model: str, fields: Mapping[str, str]) -> bool:
    if body is None or (model and body.model != model):
        return False
    return all(text_of(body.fields.get(name)) == text for name, text in fields.items())


def disclosed(entry: bytes) -> dict[str, Any]:
    """Return what a proof shows of a record to anybody: id, kind and time; the rest is sealed.

    Raises:
        TrustError: ``recorder.leaf``.
    """
    leaf = leaf_of(-1, entry)
    at = datetime.fromtimestamp(leaf.at // 1_000_000_000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {"id": leaf.id.hex(), "kind": leaf.kind, "at": at}
