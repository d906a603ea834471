"""Secrets of a recorder: person keys wrapped by a master key, keyed hashes for search, sealing and unsealing."""

from __future__ import annotations

import secrets
import threading
from typing import TYPE_CHECKING

import msgspec

from fivefold.errors import TrustError
from fivefold.keys import ciphers
from fivefold.traceability.recorder.nouns import Body, Leaf, bound

if TYPE_CHECKING:
    from fivefold.store.people import People

TAG_BYTES = 16
_MOST_KNOWN = 10_000


class Secrets:
    """What turns records into leaves and back.

    Threat: somebody takes the disk, or asks that a person be forgotten.
    Limit: who holds the application's secret and the store of keys reads everything that was not erased.
    """

    def __init__(self, secret: bytes, people: People) -> None:
        """Derive the keys.

        Args:
            secret: 32 bytes of the application, kept apart from the record.
            people: The store of wrapped keys.
        """
        self._people = people
        self._lock = threading.Lock()
        self._known: dict[str, tuple[bytes, ciphers.Sealer]] = {}
        self._tags: dict[tuple[str, str], bytes] = {}
        self._master = ciphers.derive(secret, info=b"fivefold/recorder/master/v1")
        self._index = ciphers.derive(secret, info=b"fivefold/recorder/index/v1")

    def tag(self, what: str, text: str) -> bytes:
        """Return the keyed hash under which a case or a person is found."""
        tag = self._tags.get((what, text))
        if tag is None:
            if len(self._tags) >= _MOST_KNOWN:
                self._tags.clear()
            tag = ciphers.keyed_hash(self._index, f"{what}\0{text}".encode())[:TAG_BYTES]
            self._tags[what, text] = tag
        return tag

    def key_of(self, person: str) -> tuple[bytes, ciphers.Sealer]:
        """Return key id and key of a person, made on first use; nobody (empty) has a key of the application.

        Keys in use are remembered: a record has one writer, and only that writer erases.
        """
        with self._lock:
            if person not in self._known:
                if len(self._known) >= _MOST_KNOWN:
                    self._known.clear()
                self._known[person] = self._find(person)
            return self._known[person]

    def _find(self, person: str) -> tuple[bytes, ciphers.Sealer]:
        tag = self.tag("person", person)
        found = self._people.current(tag)
        if found is not None:
            return found[0], ciphers.Sealer(ciphers.unseal(self._master, found[1], found[0]))
        key_id, key = secrets.token_bytes(TAG_BYTES), secrets.token_bytes(ciphers.KEY_BYTES)
        self._people.add(tag, key_id, ciphers.seal(self._master, key, key_id))
        return key_id, ciphers.Sealer(key)

    def destroy(self, person: str) -> int:
        """Destroy all keys of a person; return how many there were."""
        with self._lock:
            self._known.pop(person, None)
            self._tags.pop(("person", person), None)
            return self._people.erase(self.tag("person", person))

    def has(self, key_id: bytes) -> bool:
        """Return whether a key is there, not destroyed."""
        return self._people.wrapped(key_id) is not None

    def destroy_tagged(self, tag: bytes) -> int:
        """Destroy all keys of the person with this keyed hash; return how many there were."""
        with self._lock:
            self._known = {name: key for name, key in self._known.items() if self.tag("person", name) != tag}
            return self._people.erase(tag)

    def read(self, leaf: Leaf, sealed: bytes) -> Body | None:
        """Return a leaf's body; None if its key was destroyed.

        Raises:
            TrustError: ``recorder.sealed`` if the bytes are not those that were sealed for this leaf.
        """
        wrapped = self._people.wrapped(leaf.key)
        if wrapped is None:
            return None
        try:
            key = ciphers.unseal(self._master, wrapped, leaf.key)
            return msgspec.msgpack.decode(ciphers.unseal(key, sealed, bound(leaf)), type=Body)
        except (TrustError, msgspec.DecodeError):
            raise TrustError("recorder.sealed", f"record {leaf.id.hex()} cannot be unsealed.") from None
