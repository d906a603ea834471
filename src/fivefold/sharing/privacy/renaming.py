"""Renaming: a source has another name from now on; its budget and what is spent of it go with it.

It takes two officers with two keys, two names and two roles, as an exemption does: one person alone cannot take data
out from under their budget, and two cannot refill it.
"""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING

import msgspec

from fivefold.errors import FivefoldError, InputError
from fivefold.evidence import envelope
from fivefold.keys import trust as trust_file
from fivefold.keys.signing import load_public
from fivefold.sharing.privacy.ledger import source_name
from fivefold.store.spent import Spent

if TYPE_CHECKING:
    from pathlib import Path

    from fivefold.keys.store import StoredKey
    from fivefold.keys.trust import Trust
    from fivefold.store.server import Database

TYPE = "https://fivefold.dev/source-renaming/v1"
ROLES = ("privacy-officer", "legal-officer")


class Renaming(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The predicate: one officer's half.

    Attributes:
        application: Whose ledger.
        old: The source's name so far.
        new: From now on.
        reason: In the officer's words.
        role: The officer's.
        issued: UTC time.
    """

    application: str
    old: str
    new: str
    reason: str
    role: str
    issued: str
    version: int = 1


def vote(
    place: Path | Database | None, said: Renaming, officer: StoredKey, trust: Trust, now: str
) -> tuple[bool, list[str]]:
    """Keep an officer's half, and rename where two halves hold.

    Args:
        place: Of the ledger.
        said: The half.
        officer: Signs it.
        trust: Whom the ledger's keeper trusts.
        now: UTC time.

    Returns:
        Whether it is renamed now, and the names of the officers whose halves hold.

    Raises:
        InputError: ``privacy.officer`` for a key of another role; ``privacy.reason``; ``privacy.source``;
            ``privacy.names`` where there is no such source, or the new name has a budget.
        StorageError: ``store.disk``, ``store.server``.
    """
    if said.role not in ROLES:
        raise InputError("privacy.officer", f"a {said.role} is no officer.",
                         remedy="Use the key of a privacy officer or of a legal officer.")  # fmt: skip
    if len(said.reason.split()) < 3:
        raise InputError("privacy.reason", "a renaming needs a reason of at least three words.", remedy="Say why.")
    old, new = source_name(said.old), source_name(said.new)
    said = msgspec.structs.replace(said, old=old, new=new)
    spent = Spent(place, said.application)
    try:
        if spent.budget(old) is None or spent.budget(new) is not None or old == new:
            raise InputError("privacy.names", f"{old!r} cannot become {new!r}.",
                             remedy="See fivefold data budget for the sources that there are.")  # fmt: skip
        made = envelope.seal(TYPE, {said.application: "0" * 64}, said, officer.signer)
        spent.vote(old, new, made.decode(), int(trust_file.moment(now).timestamp()))
        held = _held(spent.votes(old, new), said, trust, now)
        done = any(_two(one, two) for one, two in combinations(held, 2)) and spent.rename(old, new)
        return done, sorted({name for _, name, _ in held})
    finally:
        spent.close()


def _held(votes: list[str], wanted: Renaming, trust: Trust, now: str) -> list[tuple[str, str, str]]:
    """Return key, name and role of the halves that hold for this trust file."""
    found = []
    for text in votes:
        data = text.encode()
        try:
            keyid = envelope.parse(data, where="ledger").signatures[0].keyid
            entry = trust.find(keyid)
            if entry is None:
                continue
            opened = envelope.unseal(data, {keyid: load_public(entry.public.encode())}, where="ledger")
            said = msgspec.json.decode(opened.predicate, type=Renaming)
            same = (said.application, said.old, said.new) == (wanted.application, wanted.old, wanted.new)
            if opened.kind != TYPE or not same or said.role not in ROLES:
                continue
            trust_file.standing(trust, keyid, said.role, said.issued, now)  # type: ignore[arg-type]
        except (FivefoldError, msgspec.DecodeError, IndexError):
            continue
        found.append((keyid, entry.name, said.role))
    return found


def _two(one: tuple[str, str, str], two: tuple[str, str, str]) -> bool:
    return one[0] != two[0] and trust_file.person(one[1]) != trust_file.person(two[1]) and one[2] != two[2]
