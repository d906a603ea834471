"""Lies: one action of a lying server each, as a carrier of messages that does it to one client."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from fivefold.keys.ciphers import agreement_key
from fivefold.keys.signing import generate
from fivefold.sharing.federated.messages import Request
from fivefold.sharing.federated.play import Post

if TYPE_CHECKING:
    from collections.abc import Callable

    from fivefold.sharing.federated.messages import Advert, Box
    from fivefold.sharing.federated.terms import Terms


class _Lie(Post):
    """Lies to one client about another one."""

    def __init__(self, victim: str, about: str) -> None:
        self.victim, self.about = victim, about


class OtherModel(_Lie):
    """One client is given another model to train on."""

    def terms(self, name: str, terms: Terms) -> Terms:
        """Change the model's digest."""
        return msgspec.structs.replace(terms, model="f" * 64) if name == self.victim else terms


class LowThreshold(_Lie):
    """Clients are asked to agree to a threshold of one half."""

    def terms(self, _name: str, terms: Terms) -> Terms:
        """Lower the threshold."""
        return msgspec.structs.replace(terms, threshold=terms.holders // 2)


class FewSummed(_Lie):
    """Clients are asked to agree to sums of two."""

    def terms(self, _name: str, terms: Terms) -> Terms:
        """Lower the number of clients that are summed."""
        return msgspec.structs.replace(terms, least=2)


class OtherKey(_Lie):
    """The directory holds a key of the server's in place of a client's."""

    def adverts(self, name: str, adverts: tuple[Advert, ...]) -> tuple[Advert, ...]:
        """Exchange the mask key."""
        return _changed(adverts, self.about, mask=agreement_key()[1]) if name == self.victim else adverts


class OwnSignature(_Lie):
    """The server signs a key of its own with a key of its own."""

    def adverts(self, name: str, adverts: tuple[Advert, ...]) -> tuple[Advert, ...]:
        """Exchange key and signature."""
        if name != self.victim:
            return adverts
        forged = _changed(adverts, self.about, box=agreement_key()[1])
        signer = generate()
        return tuple(
            msgspec.structs.replace(one, signature=signer.sign(one.signed)) if one.name == self.about else one
            for one in forged
        )


class MyKey(_Lie):
    """A client is shown another key of its own."""

    def adverts(self, name: str, adverts: tuple[Advert, ...]) -> tuple[Advert, ...]:
        """Exchange the victim's own key."""
        return _changed(adverts, name, mask=agreement_key()[1]) if name == self.victim else adverts


class MadeUpClient(_Lie):
    """The directory names a client that nobody knows."""

    def adverts(self, name: str, adverts: tuple[Advert, ...]) -> tuple[Advert, ...]:
        """Add one."""
        return (*adverts, msgspec.structs.replace(adverts[0], name="~nobody")) if name == self.victim else adverts


class Twice(_Lie):
    """The directory names a client twice."""

    def adverts(self, name: str, adverts: tuple[Advert, ...]) -> tuple[Advert, ...]:
        """Repeat one."""
        return (*adverts, next(one for one in adverts if one.name == self.about)) if name == self.victim else adverts


class TwoDirectories(_Lie):
    """One client is shown a directory that lacks somebody, and what it shared is handed on all the same."""

    def __init__(self, victim: str, about: str) -> None:
        super().__init__(victim, about)
        self._kept: list[Box] = []

    def sent(self, name: str, boxes: list[Box]) -> None:
        """Keep the victim's boxes."""
        self._kept += boxes if name == self.victim else []

    def boxes(self, name: str, boxes: list[Box]) -> list[Box]:
        """Hand them to the others."""
        there = {box.sender for box in boxes}
        return [*boxes, *(box for box in self._kept if box.receiver == name and box.sender not in there)]

    def adverts(self, name: str, adverts: tuple[Advert, ...]) -> tuple[Advert, ...]:
        """Leave one out."""
        return tuple(one for one in adverts if one.name != self.about) if name == self.victim else adverts


class AlteredBox(_Lie):
    """A box is altered on the way."""

    def boxes(self, name: str, boxes: list[Box]) -> list[Box]:
        """Turn one bit round."""
        if name != self.victim:
            return boxes
        first = boxes[0].sealed
        return [msgspec.structs.replace(boxes[0], sealed=first[:-1] + bytes([first[-1] ^ 1])), *boxes[1:]]


class OtherSender(_Lie):
    """A box is passed off as another client's."""

    def boxes(self, name: str, boxes: list[Box]) -> list[Box]:
        """Exchange two boxes."""
        if name != self.victim:
            return boxes
        first, second, *rest = boxes
        swapped = msgspec.structs.replace(first, sealed=second.sealed)
        return [swapped, msgspec.structs.replace(second, sealed=first.sealed), *rest]


class BothSecrets(_Lie):
    """A client is asked for both secrets of another one."""

    def request(self, name: str, request: Request) -> Request:
        """Call one both alive and gone."""
        return Request(alive=request.alive, dropped=(*request.dropped, self.about)) if name == self.victim else request


class CalledGone(_Lie):
    """A client is told that it is gone itself."""

    def request(self, name: str, request: Request) -> Request:
        """Move the victim."""
        if name != self.victim:
            return request
        return Request(
            alive=tuple(one for one in request.alive if one != name), dropped=(*request.dropped, name)
        )  # fmt: skip


class Unknown(_Lie):
    """A client is asked for the secret of somebody who shared none."""

    def request(self, name: str, request: Request) -> Request:
        """Add a stranger."""
        return Request(alive=(*request.alive, "~nobody"), dropped=request.dropped) if name == self.victim else request


class FewAlive(_Lie):
    """All clients are told that nearly everybody is gone, so that few are summed."""

    def request(self, name: str, request: Request) -> Request:
        """Call all but two gone."""
        alive = tuple(sorted({name, next(one for one in request.alive if one != name)}))
        gone = tuple(one for one in (*request.alive, *request.dropped) if one not in alive)
        return Request(alive=alive, dropped=gone)


LIES: dict[str, Callable[[str, str], Post]] = {
    "another model for one client": OtherModel,
    "a threshold of one half": LowThreshold,
    "sums of two clients": FewSummed,
    "a key of the server's in the directory": OtherKey,
    "a key that the server signed": OwnSignature,
    "another key as the client's own": MyKey,
    "a client that nobody knows": MadeUpClient,
    "a client twice": Twice,
    "two directories": TwoDirectories,
    "an altered box": AlteredBox,
    "a box of another sender": OtherSender,
    "both secrets of a client": BothSecrets,
    "a client called gone": CalledGone,
    "a stranger's secret": Unknown,
    "few called alive": FewAlive,
}
"""In words, to the carrier that does it, given who is lied to and about whom."""


def _changed(adverts: tuple[Advert, ...], name: str, **fields: bytes) -> tuple[Advert, ...]:
    return tuple(msgspec.structs.replace(one, **fields) if one.name == name else one for one in adverts)
