"""Agreement: what the parties of a federation settle before it begins, in a file that each of them keeps.

The file is the same at every client and at the server, and never comes from the server. Terms of a round follow from it
alone: a server that proposes others is refused.
"""

from __future__ import annotations

import base64
import binascii
import tomllib
from typing import TYPE_CHECKING

import msgspec

from fivefold.errors import FivefoldError, InputError
from fivefold.keys.signing import ed25519_public
from fivefold.sharing.federated.declared import LEAST_CLIENTS, MOST_CLIENTS
from fivefold.sharing.federated.terms import RoundError, Terms, agreed

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from fivefold.keys.signing import PublicKey

MOST_BYTES = 1 << 20


class Agreement(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What is settled.

    Attributes:
        clients: Name to Ed25519 key, 32 bytes in base64.
        least: Fewest clients in a sum; 0: more than half of all (of a cohort).
        examples: Largest weight of a client, in rows; 1: all count alike.
        clip: Largest change of one number of the model in a round.
        degree: Neighbours of a client; 0: everybody.
        cohorts: How many sums the server sees in a round; 0: one.
        noise: Standard deviation of the noise in a sum, in lengths of an update; 0: none.
        norm: Largest length of an update where there is noise; longer ones are shortened.
        colluding: Clients whose noise does not count.
        delta: With which epsilon is told.
    """

    clients: dict[str, str]
    least: int = 0
    examples: int = 1000
    clip: float = 1.0
    degree: int = 0
    cohorts: int = 0
    noise: float = 0.0
    norm: float = 0.0
    colluding: int = 0
    delta: float = 1e-5

    @property
    def weighted(self) -> bool:
        """Whether clients count by their rows; the sum of weights then travels as one more number."""
        return self.examples > 1

    @property
    def fewest(self) -> int:
        """Fewest clients in a sum."""
        return self.least or len(self.clients) // max(self.cohorts, 1) // 2 + 1

    def roster(self) -> dict[str, PublicKey]:
        """Return each client's key.

        Raises:
            InputError: ``federated.agreement`` for one that is no key.
        """
        found = {}
        for name, text in self.clients.items():
            try:
                found[name] = ed25519_public(base64.b64decode(text, validate=True))
            except (binascii.Error, ValueError, FivefoldError):
                raise _fault(f"the key of {name[:80]!r} is none") from None
        return found

    def terms(self, names: Iterable[str], size: int, name: str, model: str) -> Terms:
        """Return the terms of a round.

        Args:
            names: Of those who are asked.
            size: Numbers in the model.
            name: Of the round.
            model: SHA-256 of the model.

        Raises:
            RoundError: ``federated.terms``, ``federated.few``.
        """
        listed = list(names)
        if len(listed) < self.fewest:
            raise RoundError("federated.few", f"{len(listed)} clients are there, {self.fewest} are needed for a sum.")
        return agreed(
            listed, size + self.weighted, round=name, model=model, degree=self.degree, clip=self.clip,
            weight=self.examples, least=max(self.fewest, len(listed) // 2 + 1), noise=self.noise, norm=self.norm,
            colluding=self.colluding,
        )  # fmt: skip


def read(path: Path) -> Agreement:
    """Read an agreement, and try it on a round of all its clients.

    Raises:
        InputError: ``federated.agreement``, with what is wrong.
    """
    try:
        with path.open("rb") as file:
            raw = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise _fault(f"it cannot be read ({error.strerror})", path) from None
    if len(raw) > MOST_BYTES:
        raise _fault("it is larger than 1 MiB", path)
    try:
        found = msgspec.convert(tomllib.loads(raw.decode()), Agreement)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, msgspec.ValidationError) as error:
        raise _fault(str(error).rstrip("."), path) from None
    check(found, path)
    return found


def check(found: Agreement, path: Path | None = None) -> None:
    """Refuse an agreement that no round could be held on.

    Raises:
        InputError: ``federated.agreement``.
    """
    rules = {
        f"{LEAST_CLIENTS} to {MOST_CLIENTS} clients are named": LEAST_CLIENTS <= len(found.clients) <= MOST_CLIENTS,
        "names have 1 to 80 visible characters": all(n.isprintable() and 0 < len(n) <= 80 for n in found.clients),
        "no two clients have one key": len(set(found.clients.values())) == len(found.clients),
        "examples is a whole number from 1 to 1,000,000": 1 <= found.examples <= 1_000_000,
        "with noise all count alike (examples = 1)": not (found.noise and found.weighted),
        "delta is between 0 and 1": 0 < found.delta < 1,
        "noise is no negative number": 0 <= found.noise < float("inf"),
        "cohorts have three clients each": 0 <= found.cohorts <= len(found.clients) // LEAST_CLIENTS,
        "least is no more than there are": 0 <= found.least <= len(found.clients) // max(found.cohorts, 1),
    }
    for rule, holds in rules.items():
        if not holds:
            raise _fault(f"it does not hold that {rule}", path)
    found.roster()
    fewest = len(found.clients) // max(found.cohorts, 1)
    try:
        found.terms(sorted(found.clients)[:fewest], 1, "a trial", "")
    except RoundError as error:
        raise _fault(error.message.rstrip("."), path) from None


def line(name: str, key: PublicKey) -> str:
    """Return a client's line under ``[clients]``."""
    return f'{msgspec.json.encode(name).decode()} = "{base64.b64encode(key.material).decode()}"'


def _fault(text: str, path: Path | None = None) -> InputError:
    return InputError(
        "federated.agreement", f"this is no agreement of a federation: {text}.", where=str(path or ""),
        remedy="Write a file such as `fivefold federate new` writes; all parties hold the same one.",
    )  # fmt: skip
