"""Command ``guard drill``: the guard's own stages, each left out in turn under attack."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fivefold.cli._io import Json, console
from fivefold.cli._text import say

if TYPE_CHECKING:
    from fivefold.manifest.nouns import Manifest


def drill(
    application: Annotated[Path, typer.Argument(help="The application's folder.")] = Path(),
    *,
    json: Json = False,
) -> None:
    """Attack the guard with each of its stages left out in turn, and hold models before it that it must not serve.

    Shown is what gets through, and whether it is on record.

    The attacks go to a guard of their own with a record of its own; the table is put on the application's record.
    Exit code 1 if an answer or a refusal has no record.

    Example: [bold]fivefold guard drill my-app[/bold]
    """
    from fivefold.contract.registry import provided
    from fivefold.guard.doors import Door, Doors
    from fivefold.guard.drill import NOBODY, Cell, Drill
    from fivefold.guard.guard import Guard
    from fivefold.manifest.reader import read

    manifest = read(application)
    home = provided("record.home")(manifest)
    cells: list[Cell] = []
    doors: list[Door] = []
    with tempfile.TemporaryDirectory(prefix="fivefold-drill-") as folder:
        apart = provided("record.apart")(home, Path(folder) / "record")
        with (
            console(error=True).status("Starting the model in its own process ...") as shown,
            Guard(application, home=apart) as guard,
        ):
            model = guard.model
            for cell in Drill(guard, apart).run():
                cells.append(cell)
                shown.update(f"Without {cell.off}: {cell.attack}" if cell.off != NOBODY else cell.attack)
        (Path(folder) / "doors").mkdir(mode=0o700)
        doors += Doors(manifest, Path(folder) / "doors").run()
    about = _about(manifest, model)
    with home.writing() as recorder, recorder.open("guard") as records:
        table = {"cells": [_plain(cell) for cell in cells], "doors": [vars(door) for door in doors]}
        records.add("status", {"guard": "drill", **about, **table}, wait=True)
    say(json=json, value=table, lines=[*_lines(cells), *(f"a model, {door.tried}: {door.came}" for door in doors)])
    if not all(cell.recorded for cell in cells):
        raise typer.Exit(1)


def _about(manifest: Manifest, model: str) -> dict[str, str]:
    """Return digests of what was drilled: the table counts for that alone."""
    from fivefold.evidence.source import code
    from fivefold.manifest.digests import data_digests, one_digest

    data = one_digest(data_digests(manifest))
    return {"model": model, "manifest": manifest.digest, "data": data, "code": code()}


def _plain(cell: Any) -> dict[str, Any]:
    return {"without": cell.off, "attack": cell.attack, "came": cell.came, "recorded": cell.recorded}


def _lines(cells: list[Any]) -> list[str]:
    """Return a line for each attack: what comes of it, and without which stages something else does."""
    usual = {cell.attack: cell.came for cell in cells if cell.off == cells[0].off}
    lines = []
    for attack, came in usual.items():
        lines.append(f"{attack}: {came}")
        lines += [
            f"    without {cell.off}: {cell.came}" for cell in cells if cell.attack == attack and cell.came != came
        ]
    unseen = sum(not cell.recorded for cell in cells)
    return [*lines, f"{len(cells)} attacks, {unseen} of them without a record."]
