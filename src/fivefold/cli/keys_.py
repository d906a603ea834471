"""Commands ``key new`` and ``trust add|revoke|list``."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fivefold.cli._io import Json, out
from fivefold.cli._text import say

if TYPE_CHECKING:
    from rich.table import Table

    from fivefold.keys.trust import TrustedKey


class KeyRole(StrEnum):
    """Roles that a key may be made or trusted for."""

    ASSESSOR = "assessor"
    SIGNER = "signer"
    STEWARD = "steward"
    PRIVACY_OFFICER = "privacy-officer"
    LEGAL_OFFICER = "legal-officer"
    LOG = "log"
    WITNESS = "witness"


class KeyAlgorithm(StrEnum):
    """What a key signs with."""

    ED25519 = "ed25519"
    P256 = "ecdsa-p256"
    P384 = "ecdsa-p384"
    P521 = "ecdsa-p521"


TrustFile = Annotated[Path | None, typer.Option("--trust", help="The trust file (default: your own).", metavar="FILE")]


def key_new(
    role: Annotated[KeyRole, typer.Option(help="What the key will sign.")],
    name: Annotated[str, typer.Option(help="Who holds it (default: your login name).")] = "",
    algorithm: Annotated[
        KeyAlgorithm | None, typer.Option(help="Default: ecdsa-p256 for model signers, ed25519 for all others.")
    ] = None,
    *,
    trust: Annotated[bool, typer.Option("--trust", help="Also put it into your own trust file.")] = False,
    json: Json = False,
) -> None:
    """Make a signing key under your config folder, mode 0600, with its public half beside it."""
    from fivefold.keys import store
    from fivefold.keys import trust as trust_file

    made = store.new_key(role.value, name, algorithm.value if algorithm else None)
    if trust:
        known = trust_file.read(store.read_trust())
        store.write_trust(trust_file.add(known, made.signer.public, name=made.note.name, roles=(made.note.role,)))
    public = made.path.with_suffix(".pub")
    value = {
        "id": made.note.id,
        "role": made.note.role,
        "name": made.note.name,
        "algorithm": made.note.algorithm,
        "private": str(made.path),
        "public": str(public),
        "trusted": trust,
    }
    lines = [
        f"Made a key for {made.note.name} as {made.note.role} ({made.note.algorithm}).",
        f"  id       {made.note.id}",
        f"  private  {made.path}   keep it to yourself",
        f"  public   {public}   hand it out",
    ]
    if not trust:
        lines.append(f"Whoever relies on it runs: fivefold trust add {public} --role {role} --name '{made.note.name}'")
    say(json=json, value=value, lines=lines)


def trust_add(
    key: Annotated[str, typer.Argument(help="A public key file (PEM), or one of your own keys.", metavar="KEY")],
    role: Annotated[list[KeyRole], typer.Option(help="What it may sign; give it again for more roles.")],
    name: Annotated[str, typer.Option(help="Who holds it.")],
    valid_from: Annotated[str, typer.Option(help="UTC time, for example 2026-11-23T00:00:00Z.")] = "",
    valid_until: Annotated[str, typer.Option(help="UTC time.")] = "",
    *,
    trust: TrustFile = None,
    json: Json = False,
) -> None:
    """Trust a public key in one or more roles."""
    from fivefold.keys import store
    from fivefold.keys import trust as trust_file

    public = store.find_public(key)
    known = trust_file.read(_current(trust))
    roles: tuple[trust_file.Role, ...] = tuple(dict.fromkeys(item.value for item in role))
    updated = trust_file.add(known, public, name=name, roles=roles, valid_from=valid_from, valid_until=valid_until)
    path = store.write_trust(updated, trust)
    entry = updated.find(public.id)
    view = f"{name} ({public.short}) may sign as {', '.join(roles)}. Written to {path}"
    say(json=json, value={"trust": str(path), "key": _value(entry) if entry else {}}, lines=[view])


def trust_revoke(
    key: Annotated[str, typer.Argument(help="The start of its id, or a public key file.", metavar="KEY")],
    since: Annotated[
        str, typer.Option(help="UTC time from which nothing that it signs counts (default: now).", metavar="TIME")
    ] = "",
    *,
    trust: TrustFile = None,
    json: Json = False,
) -> None:
    """Stop trusting a key. For a stolen key give a time before the theft: its thief can write any date."""
    from fivefold.keys import store
    from fivefold.keys import trust as trust_file

    known = trust_file.read(_current(trust))
    key_id = _key_id(key, known)
    updated = trust_file.revoke(known, key_id, since or store.utc_now())
    path = store.write_trust(updated, trust)
    entry = updated.find(key_id)
    view = f"Nothing that {key_id[:12]} signs from {entry.revoked if entry else ''} on counts. Written to {path}"
    say(json=json, value={"trust": str(path), "key": _value(entry) if entry else {}}, lines=[view])


def trust_list(*, trust: TrustFile = None, json: Json = False) -> None:
    """Show whom you trust, in which role, until when."""
    from fivefold.keys import store
    from fivefold.keys import trust as trust_file

    known = trust_file.read(store.read_trust(trust))
    path = trust or store.trust_path()
    value = {"trust": str(path), "keys": [_value(key) for key in known.keys]}
    if known.keys:
        out(json=json, value=value, view=_table(known.keys))
    else:
        say(json=json, value=value, lines=[f"Nobody is trusted yet ({path})."])


def _current(path: Path | None) -> bytes:
    """Return the trust file to be changed; one that is not there yet is empty."""
    from fivefold.keys import store

    return store.read_trust(path) if path is None or path.exists() else b""


def _key_id(reference: str, known: Any) -> str:
    from fivefold.errors import InputError
    from fivefold.keys import store

    matches = [key.id for key in known.keys if len(reference) >= 6 and key.id.startswith(reference.lower())]
    if len(matches) == 1:
        return str(matches[0])
    if matches or not Path(reference).is_file():
        what = "more than one key" if matches else "no key"
        message = f"{what} in the trust file begins with {reference!r}."
        raise InputError("trust.no-such-key", message, remedy="See: fivefold trust list.")
    return store.find_public(reference).id


def _value(key: TrustedKey) -> dict[str, Any]:
    return {
        "id": key.id,
        "name": key.name,
        "roles": list(key.roles),
        "valid_from": key.valid_from,
        "valid_until": key.valid_until,
        "revoked": key.revoked,
    }


def _table(keys: tuple[TrustedKey, ...]) -> Table:
    from rich.table import Table
    from rich.text import Text

    table = Table("Key", "Name", "Roles", "Valid", "Revoked", box=None, pad_edge=False)
    for key in keys:
        valid = (
            f"{key.valid_from or 'always'} to {key.valid_until or 'no end'}"
            if key.valid_from or key.valid_until
            else ""
        )
        table.add_row(*(Text(cell) for cell in (key.id[:12], key.name, ", ".join(key.roles), valid, key.revoked)))
    return table
