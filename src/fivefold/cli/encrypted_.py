"""Commands ``model serve`` and ``model score``: rows are scored while they are encrypted."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Annotated

import typer

from fivefold.cli._io import Json  # noqa: TC001  typer reads it at run time
from fivefold.cli._text import announcing, say


def serve(
    scorer: Annotated[
        Path | None, typer.Argument(help="File of the scorer; without, rows are learned from only.")
    ] = None,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on; 0: any free one.", min=0, max=65535)] = 7867,
    *,
    encrypted: Annotated[bool, typer.Option("--encrypted", help="For encrypted rows; it has to be given.")] = False,
) -> None:
    """Score encrypted rows, and learn from them, until interrupted; this side has no key and takes none.

    Example: [bold]fivefold model serve scorer.json --encrypted[/bold]
    """
    from fivefold.contract.registry import provided
    from fivefold.errors import InputError

    if not encrypted:
        raise InputError("ciphertext.serve", "this version serves a model for encrypted rows only.",
                         remedy="Give --encrypted, or `fivefold guard serve` for rows in the clear.")  # fmt: skip
    told = f"{scorer.name} is asked" if scorer else "Models are learned"
    ready = announcing(host, lambda at: [f"{told} at {at}, by encrypted rows alone."])
    with contextlib.suppress(KeyboardInterrupt):
        provided("ciphertext.serve")(scorer, host, port, ready)


def score(
    table: Annotated[Path, typer.Argument(help="CSV, Parquet or Arrow file with the rows.")],
    encrypted: Annotated[str, typer.Option(help="Address of the server.", metavar="URL")],
    out: Annotated[Path, typer.Option(help="File for the answers.", metavar="FILE")] = Path("answers.csv"),
    *,
    json: Json = False,
) -> None:
    """Encrypt rows under a fresh key that stays here, have them scored, and decrypt the answers.

    Example: [bold]fivefold model score people.csv --encrypted http://127.0.0.1:7867[/bold]
    """
    from fivefold.contract.registry import provided

    found = provided("ciphertext.score")(encrypted, table, out)
    value = {"answers": str(out), "rows": found.rows, "kind": found.kind, "error": found.error,
             "degree": found.degree, "bits": found.bits}  # fmt: skip
    say(json=json, value=value, lines=[
        f"{found.rows:,} rows scored into {out}; scores are off by at most {found.error:g}.",
        f"Encrypted with degree {found.degree:,} and {found.bits} bits: 128 bits of security; the key is gone.",
    ])  # fmt: skip
