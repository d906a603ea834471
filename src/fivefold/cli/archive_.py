"""Command ``record archive``: sealed parts of a record put into object storage."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from fivefold.cli._io import Json, console
from fivefold.cli._text import say
from fivefold.cli.record_ import home_of


def archive(
    where: Annotated[
        Path, typer.Option("--in", help="The application's folder, or its manifest.", metavar="FOLDER")
    ] = Path(),
    *,
    drop: Annotated[bool, typer.Option("--drop", help="Then remove here what was put away.")] = False,
    json: Json = False,
) -> None:
    """Put what is sealed into the object storage that site.yaml names; every command goes on as before.

    Each file is read back and compared. The newest part, hashes and checkpoint stay. A record that is being written
    may be archived; run it from cron.

    Example: [bold]fivefold record archive --drop --in my-app[/bold]
    """
    home = home_of(where)
    home.shelf()
    with console(error=True).status("Putting away ...") as status:
        done = home.disk().move(drop=drop, tell=lambda share: status.update(f"Putting away: {share:.0%}"))
    size = f"{done.size / 1e6:,.1f} MB" if done.size >= 100_000 else f"{done.size:,} bytes"
    lines = [f"{done.files:,} files put away, {size}."]
    lines += ["They are removed here." if done.dropped else "They are still here; --drop removes them."]
    say(json=json, value=asdict(done), lines=lines)
