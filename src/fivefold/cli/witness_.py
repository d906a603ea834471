"""Commands ``record vkey``, ``record cosign`` and ``record witness``: somebody else vouches for the record."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fivefold.cli._io import Json  # noqa: TC001  typer reads it
from fivefold.cli._text import announcing, say
from fivefold.cli.record_ import home_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fivefold.keys.signing import Algorithm, PublicKey
    from fivefold.keys.store import StoredKey

_Where = Annotated[Path, typer.Option("--in", help="The application's folder, or its manifest.", metavar="FOLDER")]
_MAX_KEYS = 1 << 20


def vkey(where: _Where = Path(), *, json: Json = False) -> None:
    """Print the record's name and key in one line; a witness needs it to follow the record.

    Example: [bold]fivefold record vkey --in my-app > my-app.vkey[/bold]
    """
    from fivefold.keys import store
    from fivefold.keys import trust as trust_file
    from fivefold.log import checkpoint, note
    from fivefold.log.book import CHECKPOINT, MAX_CHECKPOINT

    home = home_of(where)
    data = _needed(home.disk().read(CHECKPOINT, 0, MAX_CHECKPOINT))
    own = tuple(key.signer.public for key in store.own_keys() if key.note.role == "log")
    trusted = trust_file.holders(trust_file.read(store.read_trust()), "log", store.utc_now())
    point, key = checkpoint.verify(data, (*own, *trusted))
    text = note.NoteKey(point.origin, key).vkey
    say(json=json, value={"vkey": text}, lines=[text])


def cosign(
    where: _Where = Path(),
    witness: Annotated[
        str, typer.Option(help="Address of the witness (default: controls.T4.witness).", metavar="URL")
    ] = "",
    *,
    json: Json = False,
) -> None:
    """Have a witness vouch for the newest checkpoint; run it from time to time, for example every five minutes.

    The witness refuses (exit code 1) if the record does not continue what it vouched for before.

    Example: [bold]fivefold record cosign --in my-app --witness https://witness.example[/bold]
    """
    from fivefold.cli._witnessed import told
    from fivefold.contract.registry import provided
    from fivefold.errors import InputError
    from fivefold.keys import store
    from fivefold.keys import trust as trust_file
    from fivefold.log import checkpoint
    from fivefold.log.cosigning import obtain

    home = home_of(where)
    url = witness or str(home.options.get("witness", ""))
    if not url:
        raise InputError("witness.url", "no witness is named.", remedy="Give --witness URL, or controls.T4.witness.")
    known = trust_file.read(store.read_trust())
    keys = trust_file.holders(known, "witness", store.utc_now())
    data, found = obtain(home.disk(), provided("record.witness.sender")(url), keys, int(time.time()))
    size, said = checkpoint.parse(data).size, [told(one, known) for one in found]
    lines = [f"{one['name']} vouches for the first {size:,} records as of {one['at']}." for one in said]
    say(json=json, value={"size": size, "witnessed": said}, lines=lines)


def witness(
    log: Annotated[
        list[str],
        typer.Option(help="Key of a record to follow: a line of `record vkey`, or a file of them.", metavar="VKEY"),
    ],
    word: Annotated[str, typer.Argument(help="serve, which may be left out.", metavar="[serve]")] = "serve",
    *,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on; 0: any free one.", min=0, max=65535)] = 7866,
    name: Annotated[str, typer.Option(help="What to sign as, without spaces (default: from the key).")] = "",
    algorithm: Annotated[
        str, typer.Option(help="ed25519, or ml-dsa-44, which quantum computers do not break and fewer programs read.")
    ] = "ed25519",
    memory: Annotated[
        Path | None, typer.Option(help="File of what was cosigned (default: beside your keys).", metavar="FILE")
    ] = None,
    database: Annotated[
        Path | None,
        typer.Option(help="File with the address of a PostgreSQL database to keep it in instead.", metavar="FILE"),
    ] = None,
) -> None:
    """Be a witness until interrupted: cosign a record's checkpoints while each continues the one before.

    Run it on another machine than the record's, under another person's account: whoever owns both can rewrite both.

    Example: [bold]fivefold record witness --log my-app.vkey[/bold]
    """
    from fivefold.contract.registry import provided
    from fivefold.errors import InputError
    from fivefold.keys import store
    from fivefold.log import cosignature
    from fivefold.log.witness import Witness
    from fivefold.store.server import Database
    from fivefold.store.witnessed import Witnessed

    if word != "serve":
        raise InputError("witness.word", f"a witness does not {word[:40]!r}.", remedy="Write: record witness serve.")
    logs, key = _logs(log), _key(algorithm)
    called = name or f"fivefold-witness/{key.signer.public.short}"
    cosignature.vkey(called, key.signer.public)  # refuses keys that cannot cosign
    place: Path | Database = memory or store.config_folder() / "witness" / "witnessed.sqlite"
    if database is not None:
        place = Database(_read(database).strip())
    ready = announcing(
        host,
        lambda at: [
            f"Witness {called} at {at}, following {', '.join(sorted(logs))}.",
            f"Its public key: {key.path.with_suffix('.pub')}",
            "Hand that file to those who shall trust it: fivefold trust add FILE --role witness.",
            f"Its key for other programs: {cosignature.vkey(called, key.signer.public)}",
        ],
    )
    kept = Witnessed(place)
    with contextlib.closing(kept), contextlib.suppress(KeyboardInterrupt):
        provided("record.witness.serve")(Witness(called, key.signer, logs, kept), host, port, ready)


def _logs(given: list[str]) -> Mapping[str, tuple[PublicKey, ...]]:
    from fivefold.errors import InputError
    from fivefold.log import note

    logs: dict[str, tuple[PublicKey, ...]] = {}
    for text in given:
        lines = [text] if "+" in text and not Path(text).exists() else _read(Path(text)).split("\n")
        for line in filter(None, map(str.strip, lines)):
            key = note.parse_vkey(line)
            logs[key.name] = (*logs.get(key.name, ()), key.key)
    if not logs:
        raise InputError("witness.logs", "no record is named.", remedy="Give --log with the line of: record vkey.")
    return logs


def _read(path: Path) -> str:
    from fivefold.errors import InputError

    try:
        with path.open("rb") as file:
            return file.read(_MAX_KEYS).decode()
    except (OSError, ValueError):
        raise InputError("witness.logs", "this is neither a key nor a file of keys.", where=str(path)[:200]) from None


def _key(algorithm: str) -> StoredKey:
    """Return this user's oldest witness key of an algorithm; make one if there is none."""
    from fivefold.errors import InputError
    from fivefold.keys import store

    if algorithm not in ("ed25519", "ml-dsa-44"):
        raise InputError("keys.algorithm", f"a witness has no {algorithm[:20]} key.", remedy="ed25519 or ml-dsa-44.")
    chosen: Algorithm = "ml-dsa-44" if algorithm == "ml-dsa-44" else "ed25519"
    with store.locked(store.keys_folder() / ".lock"):
        fitting = (key for key in store.own_keys() if (key.note.role, key.note.algorithm) == ("witness", chosen))
        return next(fitting, None) or store.new_key("witness", algorithm=chosen)


def _needed(data: bytes) -> bytes:
    from fivefold.errors import InputError

    if not data:
        raise InputError("log.no-checkpoint", "the record has no checkpoint yet.", remedy="Record something first.")
    return data
