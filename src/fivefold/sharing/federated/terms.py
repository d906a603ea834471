"""Terms: what all parties of one round agree on; its digest is in every key, box and signature of the round."""

from __future__ import annotations

import hashlib
import math

import msgspec

from fivefold.errors import TrustError
from fivefold.sharing.federated.distributed import levels_for, sensitivity, variance_for
from fivefold.sharing.federated.shamir import MOST
from fivefold.sharing.privacy.tables import LARGEST

MODULUS = 1 << 32
MOST_VALUES = 1 << 28


class RoundError(TrustError):
    """The round ends here: something does not hold, or too few are left; nothing of anybody is given away."""


class Terms(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Terms of a round.

    Attributes:
        round: Its name; a client takes part in a name once.
        model: SHA-256 of the model that clients train on.
        clients: Names of all who may take part, sorted.
        degree: Neighbours of each client, even; 0: everybody is everybody's.
        threshold: Shares that give a secret; more than half of those who hold one.
        least: Fewest clients whose sum is revealed; more than half of all.
        size: Numbers in a vector.
        clip: Largest size of a number before it is made whole.
        levels: Whole numbers from -clip to clip, odd.
        weight: Largest weight of a client.
        norm: Largest length of an update where noise is added.
        variance: Of the discrete Gaussian noise that each client adds, in squared steps of the grid; 0: none.
        colluding: Clients who may tell the server their noise.
    """

    round: str
    model: str
    clients: tuple[str, ...]
    threshold: int
    least: int
    size: int
    degree: int = 0
    clip: float = 1.0
    levels: int = 65535
    weight: int = 1
    norm: float = 0.0
    variance: int = 0
    colluding: int = 0

    @property
    def holders(self) -> int:
        """How many hold a share of a secret when everybody is there: the neighbours and its owner."""
        return min(self.degree or len(self.clients) - 1, len(self.clients) - 1) + 1

    @property
    def digest(self) -> bytes:
        """SHA-256 of the terms."""
        return hashlib.sha256(b"fivefold round v1\0" + msgspec.json.encode(self, order="sorted")).digest()

    def check(self) -> None:
        """Refuse terms that do not protect; every client does so by itself.

        Raises:
            RoundError: ``federated.terms``.
        """
        count = len(self.clients)
        rules = {
            "clients are named once, in order": tuple(sorted(set(self.clients))) == self.clients and count >= 3,
            "the degree is even": self.degree >= 0 and self.degree % 2 == 0,
            "at most 255 hold a share": self.holders <= MOST,
            "the threshold is above half": self.holders < 2 * self.threshold <= 2 * self.holders,
            "more than half of the clients are summed": count < 2 * self.least <= 2 * count,
            "the vector has a size": 1 <= self.size <= MOST_VALUES,
            "levels are odd": self.levels >= 3 and self.levels % 2 == 1,
            "the clip is a positive number": 0 < self.clip < float("inf"),
            "the sum fits": self.weight >= 1 and count * self.weight * (self.levels - 1) < MODULUS,
            "there is noise or no norm": self.variance >= 0 and (self.variance > 0) == (self.norm > 0),
        }
        if self.variance > 0:
            spread = 15 * math.sqrt(self.variance) + 16  # a share's table ends before
            rules |= {
                "with noise all clients count alike": self.weight == 1,
                "an update fits the clip": 0 < self.norm <= self.clip,
                "somebody's noise stays unknown": 0 <= self.colluding < self.least,
                "the noise has a table": self.variance <= LARGEST**2,
                "the sum fits with its noise": count * ((self.levels - 1) / 2 + spread) < MODULUS // 2,
            }
        for rule, holds in rules.items():
            if not holds:
                raise RoundError("federated.terms", f"the terms of round {self.round!r} do not hold: {rule}.")


def agreed(
    clients: list[str], size: int, *, round: str, model: str = "", degree: int = 0, clip: float = 1.0,  # noqa: A002
    levels: int = 0, weight: int = 1, least: int = 0, noise: float = 0.0, norm: float = 0.0, colluding: int = 0,
) -> Terms:  # fmt: skip
    """Return terms with the smallest threshold above half, and as many levels as fit (at most 65,535).

    Args:
        clients: Names.
        size: Numbers in a vector.
        round: Name of the round.
        model: SHA-256 of the model.
        degree: Neighbours of a client; 0: everybody.
        clip: Largest size of a number; with noise it is ``norm``.
        levels: 0: as many as fit.
        weight: Largest weight.
        least: Fewest clients in a sum; 0: the smallest count above half.
        noise: Standard deviation of the noise in a sum of the fewest clients, in lengths of an update; 0: none.
        norm: Largest length of an update where there is noise.
        colluding: Clients whose noise does not count.

    Raises:
        RoundError: ``federated.terms``.
    """
    count = len(clients)
    holders = min(degree or count - 1, count - 1) + 1
    fit = (MODULUS - 1) // max(count * weight, 1)
    fewest, variance = least or count // 2 + 1, 0
    levels = levels or min(65535, fit - (fit + 1) % 2)
    if noise:
        honest, clip = fewest - colluding, norm
        if not (0 < noise < float("inf") and norm > 0 and honest > 0):
            raise RoundError("federated.terms", "noise needs a norm, and more clients than collude.")
        levels = min(levels, levels_for(noise, honest, size))
        if levels < 3:
            raise RoundError("federated.terms", f"{noise:g} times the norm is too much noise for {size:,} numbers.")
        variance = variance_for(noise, sensitivity(norm, clip, levels, size), honest)
    found = Terms(
        round=round, model=model, clients=tuple(sorted(clients)), degree=degree if degree < count - 1 else 0,
        threshold=holders // 2 + 1, least=fewest, size=size, clip=clip, weight=weight, levels=levels,
        norm=norm if noise else 0.0, variance=variance, colluding=colluding if noise else 0,
    )  # fmt: skip
    found.check()
    return found
