"""Messages of a round, as they travel (message pack); unknown fields are refused."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, TypeVar

import msgspec

from fivefold.sharing.federated.terms import RoundError

if TYPE_CHECKING:
    from collections.abc import Iterable


class Advert(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Stage 1, client to server to all: keys for this round, signed by the client's lasting key.

    Attributes:
        name: The client.
        terms: Digest of the terms as this client was given them.
        box: X25519 key for boxes.
        mask: X25519 key for masks.
        commitment: SHA-256 over the seed of its own mask.
        signature: Ed25519 over all of it.
    """

    name: str
    terms: bytes
    box: bytes
    mask: bytes
    commitment: bytes
    signature: bytes = b""

    @property
    def signed(self) -> bytes:
        """What the signature covers."""
        name = self.name.encode()
        head = b"fivefold advert v1\0" + len(name).to_bytes(2, "big") + name
        return head + self.terms + self.box + self.mask + self.commitment


class Box(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Stage 2, client to server to one neighbour: shares that only the neighbour can open."""

    sender: str
    receiver: str
    sealed: bytes


class Masked(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Stage 3, client to server: the masked vector, little-endian uint32."""

    name: str
    vector: bytes


class Request(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Stage 4, server to client: whose masked vector came, and whose did not, among its neighbours and itself."""

    alive: tuple[str, ...]
    dropped: tuple[str, ...]


class Shares(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Stage 4, client to server: a share of the seed of each who is alive, of the mask key of each who dropped out."""

    name: str
    seeds: dict[str, bytes]
    keys: dict[str, bytes]


Message = TypeVar("Message", Advert, Box, Masked, Request, Shares)


def pack(message: Advert | Box | Masked | Request | Shares) -> bytes:
    """Return a message as it travels."""
    return msgspec.msgpack.encode(message)


def unpack(data: bytes, kind: type[Message]) -> Message:
    """Read a message.

    Raises:
        RoundError: ``federated.message``.
    """
    try:
        return msgspec.msgpack.decode(data, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise RoundError("federated.message", f"a message is no {kind.__name__.lower()}.") from None


def directory_digest(adverts: Iterable[Advert]) -> bytes:
    """Return SHA-256 over all adverts in the order of names: every client must have been shown the same ones."""
    state = hashlib.sha256(b"fivefold directory v1\0")
    for advert in sorted(adverts, key=lambda one: one.name):
        state.update(hashlib.sha256(advert.signed + advert.signature).digest())
    return state.digest()
