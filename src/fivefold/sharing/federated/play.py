"""Play: a whole round in one process, with drop-outs at any stage and a server that may lie."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from fivefold.keys.signing import Signer, ed25519_private
from fivefold.sharing.federated.client import Client
from fivefold.sharing.federated.server import Server, Sum

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import numpy as np

    from fivefold.keys.signing import PublicKey
    from fivefold.sharing.federated.messages import Advert, Box, Masked, Request, Shares
    from fivefold.sharing.federated.terms import Terms

    Hub = Callable[[Terms, Mapping[str, PublicKey]], Server]

STAGES = 4


class Post:
    """Carries messages; one that lies overrides what it tampers with."""

    def terms(self, _name: str, terms: Terms) -> Terms:
        """Return the terms that a client is given."""
        return terms

    def adverts(self, _name: str, adverts: tuple[Advert, ...]) -> tuple[Advert, ...]:
        """Return the directory that a client is shown."""
        return adverts

    def sent(self, _name: str, boxes: list[Box]) -> None:
        """Take note of the boxes that a client sent."""

    def boxes(self, _name: str, boxes: list[Box]) -> list[Box]:
        """Return the boxes that a client is handed."""
        return boxes

    def request(self, _name: str, request: Request) -> Request:
        """Return what a client is asked for."""
        return request


@dataclass(frozen=True)
class Party:
    """Clients with lasting keys, as they were before the round.

    Attributes:
        signers: Name to lasting key.
        done: Name to the rounds that it took part in.
        draw: Where their random bytes come from.
    """

    signers: Mapping[str, Signer]
    done: Mapping[str, set[str]] = field(default_factory=dict)
    draw: Callable[[int], bytes] = secrets.token_bytes


def party(names: list[str], draw: Callable[[int], bytes] = secrets.token_bytes) -> Party:
    """Make clients."""
    return Party({name: ed25519_private(draw(32)) for name in names}, {name: set() for name in names}, draw)


def play(
    terms: Terms, clients: Party, vectors: Mapping[str, np.ndarray], *, leaves: Mapping[str, int] | None = None,
    post: Post | None = None, client: type[Client] = Client, server: Hub = Server,
) -> Sum:  # fmt: skip
    """Play a round.

    Args:
        terms: Of the round.
        clients: All of them.
        vectors: Name to its (size,) uint32 vector.
        leaves: Name to the stage (1 to 4) that a client does not come to any more.
        post: Who carries the messages; None: an honest one.
        client: How clients behave.
        server: How the server behaves.

    Raises:
        RoundError: The round ended without a sum.
    """
    leaves, post = leaves or {}, post or Post()
    roster = {name: signer.public for name, signer in clients.signers.items()}
    hub = server(terms, roster)

    def here(stage: int) -> list[str]:
        return [name for name in terms.clients if leaves.get(name, STAGES + 1) > stage]

    made = {
        name: client(
            name, clients.signers[name], roster, post.terms(name, terms), clients.done[name], draw=clients.draw
        )
        for name in here(1)
    }
    directory = hub.directory([made[name].advertise() for name in here(1)])
    boxes = {name: made[name].share(post.adverts(name, directory)) for name in here(2)}
    for name, own in boxes.items():
        post.sent(name, own)
    routed = hub.route(boxes)
    masked: list[Masked] = [
        made[name].mask(post.boxes(name, routed[name]), vectors[name]) for name in here(3) if name in routed
    ]
    requests = hub.collect(masked)
    shares: list[Shares] = [
        made[name].unmask(post.request(name, requests[name])) for name in here(4) if name in requests
    ]
    return hub.finish(shares)
