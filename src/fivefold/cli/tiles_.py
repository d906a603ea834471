"""Command ``record tiles``, and ``record fsck PLACE``: a log as static files, written and read."""

from __future__ import annotations

import contextlib
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fivefold.cli._io import EXIT_DONE, EXIT_FAILED, Json
from fivefold.cli._text import say
from fivefold.cli.record_ import home_of, plain

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from fivefold.keys.trust import Trust
    from fivefold.log.note import NoteKey

    Source = Callable[[str, int], bytes | None]

_MAX_KEY = 1 << 16


def tiles(
    folder: Annotated[Path, typer.Argument(help="Where to: empty, or what was published before.", metavar="FOLDER")],
    where: Annotated[
        Path, typer.Option("--in", help="The application's folder, or its manifest.", metavar="FOLDER")
    ] = Path(),
    *,
    cosigned: Annotated[bool, typer.Option("--cosigned", help="Only what a witness vouches for.")] = False,
    upload: Annotated[
        bool, typer.Option("--upload", help="Then copy what is new below tiles/ of site.yaml's record.archive.")
    ] = False,
    json: Json = False,
) -> None:
    """Write the log as static files (C2SP tlog-tiles) for any web server; run again, it adds what is new.

    The files show each record's id, kind, time and length, and which records belong to the same case and person
    (not whose); what was recorded stays sealed.

    Examples: [bold]fivefold record tiles /srv/www/my-app --in my-app[/bold],
    [bold]fivefold record tiles published --upload --in my-app[/bold]
    """
    from fivefold.keys import store
    from fivefold.keys import trust as trust_file
    from fivefold.log.publishing import publish

    home = home_of(where)
    own = tuple(key.signer.public for key in store.own_keys() if key.note.role == "log")
    trusted = trust_file.holders(trust_file.read(store.read_trust()), "log", store.utc_now())
    done = publish(home.disk(), folder, (*own, *trusted), cosigned=cosigned)
    lines = [
        f"{done.size:,} records of {done.origin} are published, {done.size - done.before:,} of them new.",
        f"{done.written:,} files written.",
        "Hand out the key, and anybody verifies it: fivefold record vkey; fivefold record fsck PLACE --vkey KEY.",
    ]
    uploaded = 0
    if upload:
        from fivefold.log.mirror import mirror

        uploaded = mirror(folder, home.shelf(), "tiles")
        lines.insert(2, f"{uploaded:,} files uploaded to {home.archive.url}/tiles.")
    say(json=json, value={**asdict(done), "uploaded": uploaded}, lines=lines)


def audit(
    place: str,
    vkey: str,
    *,
    origin: str,
    kept: tuple[bytes, ...],
    witness: str,
    trust: Trust,
    entries: bool,
    json: bool,
) -> int:
    """Audit a published log, say what was found and who vouches for it, and return the exit code.

    Raises:
        InputError: ``tiles.options`` unless place and key are given; ``tiles.folder``; ``tiles.url``,
            ``tiles.unreachable``, ``tiles.refused`` for an address; ``log.vkey``; as
            :meth:`fivefold.cli._witnessed.Words.gathered`.
        StorageError: ``log.disk``.
    """
    from fivefold.cli._witnessed import Words
    from fivefold.errors import InputError
    from fivefold.log.published import audit as audit_log

    if not place or not vkey:
        raise InputError(
            "tiles.options",
            "a published log is read with its place and its key.",
            remedy="fivefold record fsck PLACE --vkey VKEY; its owner prints the key with: fivefold record vkey.",
        )
    key = _key(vkey)
    with _source(place) as source:
        words = Words.gathered(_cosigned(source, trust), origin or key.name, witness, trust)
        found = audit_log(source, key, origin=origin, kept=(*kept, *words.checkpoints), entries=entries)
    found = replace(found, faults=tuple(dict.fromkeys((*found.faults, *words.faults))))
    what = "entries" if entries else "hashes"
    lines = [f"{found.origin or 'Unknown log'}: {found.size:,} {what}, {found.covered:,} under the checkpoint."]
    lines += [f"  extension line, vouched for by nobody: {line}" for line in found.extensions]
    lines += [*words.lines, *(f"  {fault.text} [{fault.code}]" for fault in found.faults)]
    lines.append("It does NOT hold." if found.faults else "All of it holds.")
    if not kept and not words.asked:
        lines.append("No checkpoint kept elsewhere was given: rewriting by who holds the log's key would not show.")
    say(json=json, value=plain({**asdict(found), "witnessed": words.said}), lines=lines)
    return EXIT_FAILED if found.faults else EXIT_DONE


@contextlib.contextmanager
def _source(place: str) -> Iterator[Source]:
    """Give what reads the log at an address or in a folder; the checkpoint, which may change, is read once."""
    from fivefold.contract.registry import provided
    from fivefold.errors import InputError
    from fivefold.log import static

    with contextlib.ExitStack() as stack:
        below: Source
        if "://" in place:
            below = stack.enter_context(contextlib.closing(provided("record.tiles")(place)))
        elif Path(place).is_dir():
            below = static.folder(Path(place))
        else:
            raise InputError("tiles.folder", "there is no such folder.", where=place)
        first: list[bytes | None] = []

        def source(path: str, most: int) -> bytes | None:
            if path != static.CHECKPOINT:
                return below(path, most)
            if not first:
                first.append(below(path, most))
            return first[0]

        yield source


def _cosigned(source: Source, trust: Trust) -> bytes:
    """Return the published checkpoint if a witness that is trusted signed it, whether that holds or not."""
    from fivefold.errors import TrustError
    from fivefold.keys import store
    from fivefold.keys import trust as trust_file
    from fivefold.log import cosignature, note, static

    try:
        data = source(static.CHECKPOINT, note.MAX_NOTE) or b""
        known = trust_file.holders(trust, "witness", store.utc_now())
        return data if data and cosignature.verify(data, known, int(time.time())) else b""
    except TrustError as error:
        return data if error.code == "log.bad-cosignature" else b""


def _key(text: str) -> NoteKey:
    from fivefold.errors import InputError
    from fivefold.log import note

    if "+" not in text or Path(text).exists():
        try:
            with Path(text).open("rb") as file:
                text = file.read(_MAX_KEY).decode().strip()
        except (OSError, ValueError):
            raise InputError("log.vkey", "this is neither a key nor a file of one.", where=text[:200]) from None
    return note.parse_vkey(text)
