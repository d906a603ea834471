"""Command ``record serve``: the recorder over HTTP, for programs in other languages."""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
from pathlib import Path
from typing import Annotated

import typer

from fivefold.cli._text import announcing
from fivefold.cli.record_ import home_of

_SHORTEST = 32
_MOST = 1 << 16


def serve(
    where: Annotated[
        Path, typer.Option("--in", help="The application's folder, or its manifest.", metavar="FOLDER")
    ] = Path(),
    tokens: Annotated[
        Path | None,
        typer.Option(help="File of tokens, one a line (default: beside your keys; made if needed).", metavar="FILE"),
    ] = None,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on; 0: any free one.", min=0, max=65535)] = 7865,
) -> None:
    """Take records and CloudEvents over HTTP until interrupted; every request bears a token.

    Example: [bold]fivefold record serve --in my-app[/bold]
    """
    from fivefold.contract.registry import provided
    from fivefold.keys import store

    home = home_of(where)
    stem = hashlib.sha256(home.application.encode()).hexdigest()[:32]
    file = tokens or store.keys_folder() / "applications" / f"{stem}.tokens"
    known = _tokens(file)
    ready = announcing(
        host,
        lambda at: [f"Recorder of {home.application} at {at} (its interface: /openapi.json).", f"Tokens: {file}"],
    )
    with home.writing() as recorder, contextlib.suppress(KeyboardInterrupt):
        service = provided("record.service")(recorder, home.disk(), known)
        provided("record.serve")(service, host, port, ready)


def _tokens(file: Path) -> tuple[str, ...]:
    """Return the tokens of a file; one is made where there is no file.

    Raises:
        InputError: ``record.tokens`` if others may read the file, or a token is short.
        StorageError: ``record.tokens`` if it cannot be read or made.
    """
    from fivefold.errors import InputError, StorageError

    try:
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with contextlib.suppress(FileExistsError):
            descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            with os.fdopen(descriptor, "w", encoding="ascii") as made:
                made.write(secrets.token_urlsafe(_SHORTEST) + "\n")
        mode, text = file.stat().st_mode, file.read_bytes()[:_MOST].decode("ascii", "replace")
    except OSError as error:
        raise StorageError("record.tokens", f"it cannot be used ({error.strerror}).", where=str(file)) from None
    if mode & 0o077:
        raise InputError("record.tokens", "others may read the tokens.", where=str(file), remedy=f"chmod 600 {file}")
    found = tuple(line for line in map(str.strip, text.split("\n")) if line)
    if any(len(token) < _SHORTEST for token in found):
        raise InputError(
            "record.tokens",
            f"a token has at least {_SHORTEST} characters.",
            where=str(file),
            remedy="Draw longer ones.",
        )
    return found
