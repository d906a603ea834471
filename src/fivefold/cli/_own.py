"""The user's own key for a role, chosen for a command that signs."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fivefold.keys.store import StoredKey
    from fivefold.keys.trust import Role


def own_key(role: Role, reference: str) -> StoredKey:
    """Return the key named, or the only one of the role.

    Raises:
        InputError: ``keys.role`` for a key of another role; ``keys.missing``; ``keys.ambiguous``.
    """
    from fivefold.errors import InputError
    from fivefold.keys import store

    if reference:
        found = store.find(reference)
        if found.note.role != role and found.note.created:
            raise InputError(
                "keys.role",
                f"the key is for the role {found.note.role}.",
                remedy=f"Make one: fivefold key new --role {role}.",
            )
        return found
    mine = [item for item in store.own_keys() if item.note.role == role]
    if len(mine) == 1:
        return mine[0]
    if not mine:
        remedy = f"Make one: fivefold key new --role {role}, and trust it: fivefold trust add."
        raise InputError("keys.missing", f"you have no {role} key.", remedy=remedy)
    shown = ", ".join(f"{item.note.name} {item.note.id[:12]}" for item in mine)
    raise InputError("keys.ambiguous", f"you have {len(mine)} {role} keys: {shown}.", remedy="Choose one with --key.")
