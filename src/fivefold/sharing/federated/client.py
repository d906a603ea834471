"""Client of a round: a state machine without network, that trusts nothing that the server says.

Stages: :meth:`Client.advertise`, :meth:`Client.share`, :meth:`Client.mask`, :meth:`Client.unmask`; each once, in this
order. Where terms ask for noise, the client adds its share before it masks. Whatever does not hold ends the round for
this client: from then on it answers nothing.

Source: Bonawitz et al. 2017 (figure 4) and Bell et al. 2020, with the directory signed and every key bound to terms and
directory. Threat: a server that reads, lies and drops messages, together with fewer than half of the holders of any
secret. Limit: the server learns the sum, and who takes part. A client that lies about its own vector is not seen here.
"""

from __future__ import annotations

import hashlib
import secrets
from typing import TYPE_CHECKING, TypeVar

import msgspec
import numpy as np

from fivefold.errors import FivefoldError, TrustError
from fivefold.keys.ciphers import agree, agreement_public, derive, seal, unseal
from fivefold.sharing.federated.distributed import noisy
from fivefold.sharing.federated.graph import holders, neighbours
from fivefold.sharing.federated.masks import apply, pair_key, self_key
from fivefold.sharing.federated.messages import Advert, Box, Masked, Request, Shares, directory_digest
from fivefold.sharing.federated.shamir import split
from fivefold.sharing.federated.terms import RoundError, Terms
from fivefold.sharing.privacy.noise import fresh

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, MutableSet

    from fivefold.keys.signing import PublicKey, Signer

_SECRET = 32
Answer = TypeVar("Answer")


class Kept(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a client knows between two stages, where each stage is a process of its own."""

    stage: int
    box: bytes
    mask: bytes
    seed: bytes
    own: Advert
    adverts: tuple[Advert, ...]
    held: dict[str, tuple[bytes, bytes]]


def commitment(seed: bytes, name: str, terms: bytes) -> bytes:
    """Return what a client says of its seed before it shares it."""
    return hashlib.sha256(b"fivefold seed v1\0" + terms + name.encode() + b"\0" + seed).digest()


class Client:
    """One client in one round.

    Attributes:
        name: As in the terms.
    """

    def __init__(
        self, name: str, signer: Signer, roster: Mapping[str, PublicKey], terms: Terms, done: MutableSet[str], *,
        draw: Callable[[int], bytes] = secrets.token_bytes,
    ) -> None:  # fmt: skip
        """Agree to terms, or not.

        Args:
            name: Of this client.
            signer: Its lasting key.
            roster: Name to lasting key of all clients, known beforehand and *not* from the server.
            terms: As the server proposes them; the digest of the model is that of the model that came with them.
            done: Names of rounds that were taken part in; kept by the caller over restarts.
            draw: Gives so many random bytes; only checks, whose rounds must come out alike, give another source.

        Raises:
            RoundError: ``federated.terms``; ``federated.replayed``.
        """
        terms.check()
        if name not in terms.clients or not set(terms.clients) <= set(roster):
            raise RoundError("federated.terms", "the terms name clients that are not on the roster.")
        if terms.round in done:
            raise RoundError("federated.replayed", f"round {terms.round!r} was taken part in already.")
        done.add(terms.round)
        self.name, self._terms, self._signer, self._roster = name, terms, signer, roster
        self._stage, self._digest = 0, terms.digest
        box, mask, self._seed = draw(_SECRET), draw(_SECRET), draw(_SECRET)
        self._bits = fresh if draw is secrets.token_bytes else draw
        self._box, self._mask = (box, agreement_public(box)), (mask, agreement_public(mask))
        self._adverts: dict[str, Advert] = {}
        self._graph: dict[str, tuple[str, ...]] = {}
        self._context = b""
        self._held: dict[str, tuple[bytes, bytes]] = {}
        self._keys: dict[str, bytes] = {}

    def advertise(self) -> Advert:
        """Stage 1: return this round's keys, signed."""
        self._next(0)
        self._own = self._signed(
            Advert(
                name=self.name, terms=self._digest, box=self._box[1], mask=self._mask[1],
                commitment=commitment(self._seed, self.name, self._digest),
            )
        )  # fmt: skip
        return self._own

    def share(self, adverts: Iterable[Advert]) -> list[Box]:
        """Stage 2: check the directory, and return shares for each neighbour.

        Args:
            adverts: Of all who advertised, this client among them.

        Raises:
            RoundError: ``federated.directory`` if a key is not its owner's, was made for another model or other terms,
                stands twice or lacks; ``federated.few``.
        """
        return self._guarded(1, lambda: self._share(adverts))

    def mask(self, boxes: Iterable[Box], vector: np.ndarray) -> Masked:
        """Stage 3: check what neighbours shared, and return the masked vector.

        Args:
            boxes: Those for this client.
            vector: (size,) uint32; it is masked in a copy.

        Raises:
            RoundError: ``federated.box`` if a box is not for this client, not from a neighbour, was altered or made
                under another directory; ``federated.few``; ``federated.size``.
            InputError: ``federated.norm``.
        """
        return self._guarded(2, lambda: self._masked(boxes, vector))

    def unmask(self, request: Request) -> Shares:
        """Stage 4: return a share of the one or the other secret of each neighbour, never of both.

        Raises:
            RoundError: ``federated.request`` if somebody is asked for twice or is unknown, or this client is said to
                have dropped out; ``federated.few``.
        """
        return self._guarded(3, lambda: self._unmask(request))

    def kept(self) -> bytes:
        """Return all that this client knows of the round, secrets among it: for itself alone, between two stages."""
        return msgspec.msgpack.encode(
            Kept(
                stage=self._stage, box=self._box[0], mask=self._mask[0], seed=self._seed, held=self._held,
                adverts=tuple(self._adverts.values()), own=self._own,
            )
        )  # fmt: skip

    def resume(self, data: bytes) -> None:
        """Go on as the client that :meth:`kept` told of; the terms must be the same.

        Raises:
            RoundError: ``federated.kept`` for anything else.
        """
        try:
            told = msgspec.msgpack.decode(data, type=Kept)
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise RoundError("federated.kept", "what was kept of the round cannot be read.") from None
        if told.own.terms != self._digest or told.own.name != self.name:
            raise RoundError("federated.kept", "what was kept is of another round, or of other terms.")
        self._stage, self._seed, self._own, self._held = told.stage, told.seed, told.own, told.held
        self._box, self._mask = (told.box, told.own.box), (told.mask, told.own.mask)
        self._adverts = {advert.name: advert for advert in told.adverts}
        if self._adverts:
            self._placed()

    def _placed(self) -> None:
        digest = directory_digest(self._adverts.values())
        self._context = self._digest + digest
        self._graph = neighbours(tuple(sorted(self._adverts)), self._terms.degree, digest)

    def _share(self, adverts: Iterable[Advert]) -> list[Box]:
        listed = list(adverts)
        self._adverts = {advert.name: advert for advert in listed}
        if len(self._adverts) < len(listed) or not set(self._adverts) <= set(self._terms.clients):
            raise RoundError("federated.directory", "the directory names somebody twice, or somebody unknown.")
        if self._adverts.get(self.name) != self._own:
            raise RoundError("federated.directory", "the directory does not hold this client's own keys.")
        if len(listed) < self._terms.least:
            raise RoundError("federated.few", f"{len(listed)} clients are too few.")
        for advert in listed:
            self._check(advert)
        self._placed()
        own = holders(self.name, self._graph)
        if len(own) < self._terms.threshold:
            raise RoundError("federated.few", f"{len(own)} holders of a secret are too few.")
        shares = zip(
            own, split(self._seed, len(own), self._terms.threshold),
            split(self._mask[0], len(own), self._terms.threshold), strict=True,
        )  # fmt: skip
        boxes = []
        for name, seed, key in shares:
            if name == self.name:
                self._held[name] = (seed, key)
                continue
            sealed = seal(self._box_key(name), seed + key, self._about(self.name, name))
            boxes.append(Box(sender=self.name, receiver=name, sealed=sealed))
        return boxes

    def _check(self, advert: Advert) -> None:
        if advert.terms != self._digest:
            raise RoundError("federated.directory", f"{advert.name} was given another model or other terms.")
        try:
            self._roster[advert.name].verify(advert.signature, advert.signed)
        except TrustError:
            raise RoundError("federated.directory", f"the keys of {advert.name} are not signed by it.") from None

    def _masked(self, boxes: Iterable[Box], vector: np.ndarray) -> Masked:
        for box in boxes:
            if box.receiver != self.name or box.sender not in self._graph[self.name] or box.sender in self._held:
                raise RoundError("federated.box", f"a box from {box.sender[:80]!r} does not belong here.")
            try:
                opened = unseal(self._box_key(box.sender), box.sealed, self._about(box.sender, self.name))
            except TrustError:
                raise RoundError("federated.box", f"the box from {box.sender} was altered.") from None
            if len(opened) != 2 * _SECRET:
                raise RoundError("federated.box", f"the box from {box.sender} holds no shares.")
            self._held[box.sender] = (opened[:_SECRET], opened[_SECRET:])
        if len(self._held) < self._terms.threshold:
            raise RoundError("federated.few", f"{len(self._held)} holders of a secret are too few.")
        if vector.shape != (self._terms.size,) or vector.dtype != np.uint32:
            raise RoundError("federated.size", f"a vector of {self._terms.size} uint32 is needed.")
        found = np.array(noisy(vector, self._terms, self._bits), dtype="<u4")
        add = [self_key(self._seed, self._context)]
        take: list[bytes] = []
        for name in self._held:
            if name != self.name:
                key = pair_key(self._mask[0], self._adverts[name].mask, self._context)
                (add if self.name < name else take).append(key)
        apply(found, add, take)
        return Masked(name=self.name, vector=found.tobytes())

    def _unmask(self, request: Request) -> Shares:
        alive, dropped = set(request.alive), set(request.dropped)
        if alive & dropped or len(alive) + len(dropped) != len(request.alive) + len(request.dropped):
            raise RoundError("federated.request", "somebody is asked for twice: that would undo both masks.")
        if not (alive | dropped) <= set(self._held) or self.name not in alive:
            raise RoundError("federated.request", "somebody unknown is asked for, or this client is called gone.")
        if len(alive) < self._terms.threshold:
            raise RoundError("federated.few", f"{len(alive)} are too few to be summed.")
        return Shares(
            name=self.name, seeds={name: self._held[name][0] for name in sorted(alive)},
            keys={name: self._held[name][1] for name in sorted(dropped)},
        )  # fmt: skip

    def _guarded(self, stage: int, act: Callable[[], Answer]) -> Answer:
        self._next(stage)
        try:
            return act()
        except FivefoldError:
            self._end()
            raise

    def _next(self, stage: int) -> None:
        if self._stage != stage:
            self._end()
            raise RoundError("federated.stage", "a stage was asked for twice, out of turn, or after the round ended.")
        self._stage += 1

    def _end(self) -> None:
        """Forget what could be asked for."""
        self._stage = -1
        self._held.clear()
        self._keys.clear()

    def _signed(self, advert: Advert) -> Advert:
        return msgspec.structs.replace(advert, signature=self._signer.sign(advert.signed))

    def _box_key(self, other: str) -> bytes:
        if other not in self._keys:
            secret = agree(self._box[0], self._adverts[other].box)
            self._keys[other] = derive(secret, info=b"fivefold box v1\0" + self._context)
        return self._keys[other]

    def _about(self, sender: str, receiver: str) -> bytes:
        return self._context + hashlib.sha256(sender.encode()).digest() + hashlib.sha256(receiver.encode()).digest()
