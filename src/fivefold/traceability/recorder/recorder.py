"""Recorder: writes what happened in a case into the log; what it acknowledged is durable."""

from __future__ import annotations

import hashlib
import time
from secrets import token_bytes
from typing import TYPE_CHECKING, Any, Protocol, Self

from fivefold.errors import InputError, StorageError
from fivefold.keys import ciphers
from fivefold.log import frames, tree
from fivefold.log.book import Book
from fivefold.log.segments import SEGMENT_BYTES
from fivefold.log.writer import CHECKPOINT_SECONDS, Ticket, Writer
from fivefold.traceability.recorder.nouns import (
    ID_BYTES,
    MAX_TEXT,
    NOISE_BYTES,
    Body,
    Kind,
    Tensor,
    encoded,
    entry_of,
    head,
    new_id,
    tensors,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import TracebackType

    from fivefold.keys.signing import Signer
    from fivefold.log.disk import Disk
    from fivefold.traceability.recorder.secrets_ import Secrets

_MOST_SEALED = frames.MAX_ENTRY - 1024
"""Most bytes of a sealed body in an entry; a larger one lies in a file of its own."""
_DRAWN = NOISE_BYTES + ciphers.NONCE_BYTES


def blob_name(digest: bytes) -> str:
    """Return the file that holds a body too large for an entry."""
    return f"blob-{digest.hex()}"


def erasure_of(person: bytes) -> str:
    """Return the case of the notices that a person, given by keyed hash, was erased."""
    return f"erasure {person.hex()}"


def _nothing() -> None:
    """Do nothing."""


class Sink(Protocol):
    """What takes records: the writer, or the way to it."""

    queued: bool

    def submit(self, kind: Kind, body: Body, *, soon: bool = True) -> tuple[str, Ticket]:
        """Take a record; return its id and the ticket to wait on; see :meth:`fivefold.log.writer.Writer.submit`."""
        ...

    def hasten(self, *, here: bool = True) -> None:
        """Have what waits committed now; ``here``: in this thread, if that can be."""
        ...


class Case:
    """One case being recorded; ``with recorder.open(...) as case``.

    ``input`` and ``status`` return at once; ``output`` and ``action``, on which others act, return once they and all
    before them are durable; leaving the block waits for everything.
    """

    def __init__(self, sink: Sink, case: str, person: str, model: str, trace: str) -> None:
        self._sink, self._case, self._person, self._model, self._trace = sink, case, person, model, trace
        self._tickets: list[Ticket] = []
        self._last = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, _error: BaseException | None, _t: TracebackType | None
    ) -> None:
        """Wait until all is durable; an exception inside the block is recorded and goes on.

        Raises:
            StorageError: Something could not be kept.
        """
        if kind is not None and not issubclass(kind, StorageError):
            self.add("alarm", {"broke off": kind.__name__})
        for ticket in self._tickets:
            ticket.wait()

    def input(self, batch: Any) -> str:
        """Record what the model was asked: a mapping from names to arrays, kept bit for bit; return the record's id."""
        return self.add("input", batch=batch)

    def sensor(self, batch: Any, **fields: Any) -> str:
        """Record sensor data: a chunk of samples as arrays."""
        return self.add("sensor", fields, batch=batch)

    def status(self, **fields: Any) -> str:
        """Record the running status, for example ``mode="degraded"``."""
        return self.add("status", fields)

    def output(self, batch: Any, **fields: Any) -> str:
        """Record what the model answered; durable when this returns."""
        return self.add("output", fields, batch=batch, wait=True)

    def action(self, who: str, what: str, reason: str = "") -> str:
        """Record what a person or a system did; durable when this returns."""
        return self.add("action", {"who": who, "what": what, "reason": reason}, wait=True)

    def add(
        self,
        kind: Kind,
        fields: dict[str, Any] | None = None,
        *,
        batch: Any = None,
        wait: bool = False,
        soon: bool = True,
    ) -> str:
        """Record anything; each record links to the one before it in the case.

        Args:
            kind: What it is.
            fields: Words and numbers.
            batch: A mapping from names to arrays.
            wait: Return once it is durable.
            soon: As of :meth:`fivefold.log.writer.Writer.submit`: no is for whoever calls :meth:`settle` or
                :meth:`after` in the end.

        Raises:
            InputError: ``recorder.batch`` or ``recorder.fields`` for what cannot be kept.
            StorageError: The log stopped.
        """
        body = Body(
            case=self._case,
            person=self._person,
            fields=fields or {},
            tensors=() if batch is None else tensors(batch),
            model=self._model,
            links=(self._last,) if self._last else (),
            trace=self._trace,
        )
        self._last, ticket = self._sink.submit(kind, body, soon=soon)
        self._tickets.append(ticket)
        if wait and not self._sink.queued:
            ticket.wait()
        return self._last

    def settle(self) -> None:
        """Return once all is durable.

        Raises:
            StorageError: Something could not be kept.
        """
        if not self.durable:
            self._sink.hasten()
        for ticket in self._tickets:
            ticket.wait()

    def hasten(self, *, here: bool) -> None:
        """Have all of it committed now; ``here``: in this thread, if that can be."""
        self._sink.hasten(here=here)

    @property
    def durable(self) -> bool:
        """Whether all is durable, or known to be lost."""
        return not self._tickets or self._tickets[-1].done.is_set()

    def after(self, call: Callable[[], None]) -> None:
        """Have something called once all is durable or known to be lost, which :meth:`settle` tells then at once."""
        self._tickets[-1].done.then(call)

    def leaf(self) -> str:
        """Return the leaf hash (RFC 6962) of the case's last record in hexadecimal; empty if another process writes."""
        entries = self._tickets[-1].entries if self._tickets else []
        return tree.leaf_hash(entries[-1]).hex() if entries else ""


def case_of(sink: Sink, case: str, *, subject: str, model: str, trace: str) -> Case:
    """Return a case that goes into a sink.

    Raises:
        InputError: ``recorder.case`` for an empty or very long name.
    """
    if not case or len(case) > MAX_TEXT or len(subject) > MAX_TEXT:
        raise InputError("recorder.case", f"a case has a name of 1 to {MAX_TEXT} characters.")
    return Case(sink, case, subject, model, trace)


class Recorder:
    """The one writer of an application's record.

    Attributes:
        queued: Whether outputs and actions return before they are durable.
        before_close: Called first by :meth:`close`.

    Threat: what happened is rewritten, lost in a crash, or read by who takes the disk.
    Limit: whoever is recorded wrongly from the start is wrong for ever; a record is as true as its caller.
    """

    def __init__(
        self,
        disk: Disk,
        origin: str,
        signer: Signer,
        secrets: Secrets,
        *,
        clock: Callable[[], int] = time.time_ns,
        checkpoint_seconds: float = CHECKPOINT_SECONDS,
        queued: bool = False,
        segment_bytes: int = SEGMENT_BYTES,
        closing: Callable[[], None] = _nothing,
    ) -> None:
        """Open or begin the record.

        Args:
            disk: Where the log lies.
            origin: The log's name.
            signer: Signs its checkpoints.
            secrets: Keys of people and of the index.
            clock: Nanoseconds since 1970.
            checkpoint_seconds: Longest time between an entry and the checkpoint over it.
            queued: Outputs and actions do not wait until they are durable; a crash may lose what the caller was
                told is kept.
            segment_bytes: How much is reserved at a time.
            closing: Called last by :meth:`close`.

        Raises:
            TrustError: The log is not as its checkpoint says; see :class:`fivefold.log.book.Book`.
            StorageError: ``log.disk``.
        """
        self._disk, self._secrets, self._clock, self._closing = disk, secrets, clock, closing
        self.queued = queued
        self.before_close: Callable[[], None] = _nothing
        self._writer = Writer(
            Book(disk, origin, signer, segment_bytes=segment_bytes), checkpoint_seconds=checkpoint_seconds
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def open(self, case: str, *, subject: str = "", model: str = "", trace: str = "") -> Case:
        """Begin, or go on with, a case.

        Args:
            case: What belongs together.
            subject: The person whom it is about: erasing that person makes the case's records unreadable.
            model: Digest of the model that answers.
            trace: OpenTelemetry trace id.

        Raises:
            InputError: ``recorder.case`` for an empty or very long name.
        """
        return case_of(self, case, subject=subject, model=model, trace=trace)

    def submit(self, kind: Kind, body: Body, *, id_: bytes = b"", soon: bool = True) -> tuple[str, Ticket]:
        """Seal a body and queue it; return the record's id and the ticket to wait on.

        Args:
            kind: What it is.
            body: What it says.
            soon: As of :meth:`fivefold.log.writer.Writer.submit`.
            id_: UUIDv7 of 16 bytes; empty: a new one.

        Raises:
            InputError: ``recorder.fields`` for what cannot be kept, ``recorder.id`` for an id that is none.
            StorageError: The log stopped.
        """
        if len(id_) not in (0, ID_BYTES):
            raise InputError("recorder.id", f"an id has {ID_BYTES} bytes, not {len(id_)}.")
        names, entries = self._entries([(kind, body)], id_)
        return names[0], self._writer.submit(entries, soon=soon)

    def hasten(self, *, here: bool = True) -> None:
        """Commit what waits; see :meth:`fivefold.log.writer.Writer.hasten`."""
        self._writer.hasten(here=here)

    def submit_all(self, made: Sequence[tuple[Kind, Body]]) -> tuple[list[str], Ticket]:
        """Seal many bodies and queue them together, in order; return their ids and the ticket of all.

        Raises:
            InputError: ``recorder.fields`` for what cannot be kept: none of them is.
            StorageError: The log stopped.
        """
        names, entries = self._entries(made)
        return names, self._writer.submit(entries)

    def _entries(self, made: Sequence[tuple[Kind, Body]], id_: bytes = b"") -> tuple[list[str], list[bytes]]:
        """Return ids and entries of the log; randomness is drawn for all of them at once."""
        tag, names, entries = self._secrets.tag, [], []
        drawn = token_bytes(len(made) * _DRAWN)
        keys: dict[str, tuple[bytes, bytes, ciphers.Sealer]] = {}
        for start, (kind, body) in zip(range(0, len(drawn), _DRAWN), made, strict=True):
            at, who = self._clock(), body.person
            if who not in keys:
                keys[who] = (tag("person", who) if who else b"", *self._secrets.key_of(who))
            person, key_id, key = keys[who]
            name = id_ or new_id(at, drawn[start : start + NOISE_BYTES])
            bound_to = head(name, kind, at, tag("case", body.case), person, key_id)
            sealed = key.seal(encoded(body), bound_to, drawn[start + NOISE_BYTES : start + _DRAWN])
            names.append(name.hex())
            entries.append(entry_of(bound_to, sealed) if len(sealed) <= _MOST_SEALED else self._blob(bound_to, sealed))
        return names, entries

    def _blob(self, bound_to: bytes, sealed: bytes) -> bytes:
        digest = hashlib.sha256(sealed).digest()
        self._disk.replace(blob_name(digest), sealed)
        return entry_of(bound_to, b"", digest)

    def erase(self, person: str) -> int:
        """Destroy a person's keys and record that it was done; return how many keys there were.

        The erasure names the person by keyed hash only.

        Raises:
            InputError: ``recorder.person`` for an empty name.
            StorageError: The keys or the notice could not be written.
        """
        if not person:
            raise InputError("recorder.person", "name the person to erase.")
        count = self._secrets.destroy(person)
        self._notice(self._secrets.tag("person", person), count, {}).wait()
        return count

    def expire(self, people: Sequence[bytes], term: str) -> int:
        """Destroy the keys of people whose term is over, and record that; return how many keys there were.

        Args:
            people: Keyed hashes of 16 bytes.
            term: For example ``2y``; it stands in the notices.

        Raises:
            StorageError: The keys or a notice could not be written; those before it are.
        """
        total, ticket = 0, None
        for tag in people:
            count = self._secrets.destroy_tagged(tag)
            if count:
                ticket, total = self._notice(tag, count, {"term": term}), total + count
        if ticket is not None:
            ticket.wait()
        return total

    def _notice(self, tag: bytes, keys: int, more: dict[str, Any]) -> Ticket:
        fields = {"person": tag.hex(), "keys": keys, **more}
        return self.submit("erasure", Body(case=erasure_of(tag), fields=fields))[1]

    def close(self) -> None:
        """Commit what waits and publish a checkpoint over all."""
        self.before_close()
        self._writer.close()
        self._closing()


__all__ = ["Case", "Recorder", "Tensor", "blob_name"]
