"""Server of a round: a state machine that ends with the exact sum of those who are alive, or not at all.

Every secret that it puts together from shares is checked against what its owner signed before (a commitment, or a
public key), so a wrong share never yields a wrong sum: the round ends and names whose secret could not be had.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain, combinations, islice
from typing import TYPE_CHECKING

import numpy as np

from fivefold.errors import FivefoldError, TrustError
from fivefold.keys.ciphers import agreement_public
from fivefold.sharing.federated.client import commitment
from fivefold.sharing.federated.graph import holders, neighbours
from fivefold.sharing.federated.masks import apply, pair_key, self_key
from fivefold.sharing.federated.messages import Advert, Box, Masked, Request, Shares, directory_digest
from fivefold.sharing.federated.shamir import join
from fivefold.sharing.federated.terms import RoundError, Terms

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from fivefold.keys.signing import PublicKey

_TRIES = 64
"""Sets of shares that are tried for one secret, where some are wrong."""


@dataclass(frozen=True)
class Sum:
    """What a round gives.

    Attributes:
        total: (size,) uint32, the sum of the vectors of ``included`` modulo 2**32.
        included: Names, sorted.
    """

    total: np.ndarray
    included: tuple[str, ...]


class Server:
    """One round at the server: :meth:`directory`, :meth:`route`, :meth:`collect`, :meth:`finish`, each once.

    Memory: one vector; masked vectors are added as they come.
    """

    def __init__(self, terms: Terms, roster: Mapping[str, PublicKey]) -> None:
        """Open the round.

        Raises:
            RoundError: ``federated.terms``.
        """
        terms.check()
        self._terms, self._roster, self._digest = terms, roster, terms.digest
        self._adverts: dict[str, Advert] = {}
        self._context = b""
        self._graph: dict[str, tuple[str, ...]] = {}
        self._shared: dict[str, None] = {}
        self._alive: set[str] = set()
        self._total = np.zeros(terms.size, dtype=np.uint32)

    def directory(self, adverts: Iterable[Advert]) -> tuple[Advert, ...]:
        """Stage 1: return the adverts that go to every client; such that do not hold are left out.

        Raises:
            RoundError: ``federated.few``.
        """
        named = set(self._terms.clients)
        for advert in adverts:
            if advert.name in named and advert.name not in self._adverts and self._holds(advert):
                self._adverts[advert.name] = advert
        self._enough(len(self._adverts))
        listed = tuple(self._adverts[name] for name in sorted(self._adverts))
        digest = directory_digest(listed)
        self._context = self._digest + digest
        self._graph = neighbours(tuple(sorted(self._adverts)), self._terms.degree, digest)
        return listed

    def route(self, boxes: Mapping[str, Iterable[Box]]) -> dict[str, list[Box]]:
        """Stage 2: take each client's boxes, and return those that go to each who sent some.

        Raises:
            RoundError: ``federated.few``.
        """
        listed = {name: list(sent) for name, sent in boxes.items() if name in self._adverts}
        whole = {
            name: sent for name, sent in listed.items() if {box.receiver for box in sent} == set(self._graph[name])
        }
        self._shared = dict.fromkeys(sorted(whole))
        self._enough(len(self._shared))
        found: dict[str, list[Box]] = {name: [] for name in self._shared}
        for name, sent in whole.items():
            for box in sent:
                if box.receiver in found and box.sender == name:
                    found[box.receiver].append(box)
        return found

    def collect(self, masked: Iterable[Masked]) -> dict[str, Request]:
        """Stage 3: add up masked vectors, and return what each client is asked for.

        Raises:
            RoundError: ``federated.few``.
        """
        for one in masked:
            if one.name in self._shared and one.name not in self._alive and len(one.vector) == 4 * self._terms.size:
                self._total += np.frombuffer(one.vector, dtype="<u4")
                self._alive.add(one.name)
        self._enough(len(self._alive))
        return {name: self._request(name) for name in sorted(self._alive)}

    def finish(self, shares: Iterable[Shares]) -> Sum:
        """Stage 4: take the masks off.

        Raises:
            RoundError: ``federated.few``; ``federated.secret`` if a secret cannot be had from what came.
        """
        seeds: dict[str, dict[int, bytes]] = {}
        keys: dict[str, dict[int, bytes]] = {}
        answered = set()
        for one in shares:
            if one.name in self._alive and one.name not in answered:
                answered.add(one.name)
                self._sort(one.name, one.seeds, seeds)
                self._sort(one.name, one.keys, keys)
        self._enough(len(answered))
        add: list[bytes] = []
        take = [self_key(self._seed(name, seeds.get(name, {})), self._context) for name in sorted(self._alive)]
        for name in self._gone():
            private = self._key(name, keys.get(name, {}))
            for other in self._graph[name]:
                if other in self._alive:
                    key = pair_key(private, self._adverts[other].mask, self._context)
                    (take if other < name else add).append(key)
        apply(self._total, add, take)
        return Sum(self._total, tuple(sorted(self._alive)))

    def _gone(self) -> list[str]:
        """Return who shared secrets and sent no vector, and whose masks are therefore in others' vectors."""
        return [name for name in self._shared if name not in self._alive and set(self._graph[name]) & self._alive]

    def _request(self, name: str) -> Request:
        near = [other for other in holders(name, self._graph) if other in self._shared]
        return Request(
            alive=tuple(other for other in near if other in self._alive),
            dropped=tuple(other for other in near if other not in self._alive),
        )

    def _sort(self, name: str, given: Mapping[str, bytes], into: dict[str, dict[int, bytes]]) -> None:
        for of, share in given.items():
            if of in self._graph and len(share) == 32 and name in (own := holders(of, self._graph)):
                into.setdefault(of, {})[own.index(name)] = share

    def _seed(self, name: str, shares: dict[int, bytes]) -> bytes:
        wanted = self._adverts[name].commitment
        return self._joined(name, shares, lambda found: commitment(found, name, self._digest) == wanted)

    def _key(self, name: str, shares: dict[int, bytes]) -> bytes:
        return self._joined(name, shares, lambda found: agreement_public(found) == self._adverts[name].mask)

    def _joined(self, name: str, shares: dict[int, bytes], holds: Callable[[bytes], bool]) -> bytes:
        held, need = sorted(shares), self._terms.threshold
        if len(held) >= need:
            runs = ((held + held)[start : start + need] for start in range(len(held)))
            for chosen in chain(runs, islice(combinations(held, need), _TRIES)):
                found = join({at: shares[at] for at in chosen})
                if holds(found):
                    return found
        raise RoundError("federated.secret", f"the secret of {name} cannot be had, so nothing is summed.")

    def _holds(self, advert: Advert) -> bool:
        try:
            self._roster[advert.name].verify(advert.signature, advert.signed)
        except (TrustError, KeyError):
            return False
        return advert.terms == self._digest

    def _enough(self, count: int) -> None:
        if count < self._terms.least:
            raise RoundError("federated.few", f"{count} clients are left, {self._terms.least} are needed.")


def ended(error: FivefoldError) -> bool:
    """Return whether an error is the clean end of a round."""
    return isinstance(error, RoundError)
