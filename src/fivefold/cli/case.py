"""Command ``case``: a challenge case, before and after, with figures."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path  # noqa: TC003 - typer reads it
from typing import TYPE_CHECKING, Annotated

import typer

from fivefold.cli._io import EXIT_DONE, Json
from fivefold.cli._text import say

if TYPE_CHECKING:
    from fivefold.cases.nouns import Figure

BUILT = {
    "X1": "fivefold.cases.driving.case",
    "X2": "fivefold.cases.dosage.case",
    "X3": "fivefold.cases.screening.case",
    "X4": "fivefold.cases.genetics.case",
    "X5": "fivefold.cases.accident.case",
    "X7": "fivefold.cases.immigrant.case",
    "X8": "fivefold.cases.faces.case",
    "X9.breach": "fivefold.cases.breach.case",
    "X9.tampering": "fivefold.cases.tampering.case",
    "X9.theft": "fivefold.cases.theft.case",
    "X9.misuse": "fivefold.cases.misuse.case",
    "X10": "fivefold.cases.purpose.case",
}
"""Module of each case that can be run; the catalogue names the command in the same rows. A part has a dot: X9.theft."""
_WRITTEN = {
    "X1": "fivefold.cases.driving.applications",
    "X2": "fivefold.cases.dosage.applications",
    "X3": "fivefold.cases.screening.applications",
    "X4": "fivefold.cases.genetics.applications",
}


def case(
    which: Annotated[
        str, typer.Argument(help="Row of the case, for example X5, or a part of one, X9.theft.", metavar="ID")
    ],
    runs: Annotated[int, typer.Option(help="How many times it is drawn.", min=1, max=100_000)] = 40,
    seed: Annotated[int, typer.Option(help="What all draws come from.", min=0)] = 7,
    *,
    out: Annotated[
        Path | None,
        typer.Option(help="New folder for pictures and applications before and after (X1 to X4).", show_default=False),
    ] = None,
    json: Json = False,
) -> None:
    """Run a challenge case: what happens without the controls and with them, counted.

    Example: [bold]fivefold case X5 --runs 200[/bold]
    """
    from importlib import import_module

    from rich.progress import Progress

    from fivefold.cli._io import console
    from fivefold.errors import InputError

    row, dot, part = which.partition(".")
    name = row.upper() + dot + part.lower()
    if parts := [one for one in BUILT if one.startswith(f"{name}.")]:
        raise InputError("case.parts", f"{name} is told in parts.", remedy=f"Try: {', '.join(parts)}.")
    if name not in BUILT:
        raise InputError(
            "case.unknown", f"{which[:40]!r} is no case that can be run.", remedy=f"Try: {', '.join(BUILT)}."
        )
    if out is not None and name not in _WRITTEN:
        raise InputError("case.out", f"{name} writes no files.", remedy=f"Try: {', '.join(_WRITTEN)}.")
    if out is not None:
        import_module(_WRITTEN[name]).free(out)
    run = import_module(BUILT[name]).run
    with Progress(console=console(error=True), transient=True, disable=json) as bar:
        task = bar.add_task("", total=1.0)
        told = run(runs, seed, lambda share, text: bar.update(task, completed=share, description=text))
    lines = [f"{told.id}  {told.title}", "", *told.story, "", "Before", *map(_line, told.before)]
    lines += ["After", *map(_line, told.after), "", "One of them", *(f"  {line}" for line in told.example), ""]
    lines += ["What this cannot show", *(f"  {line}" for line in told.limits), f"Seed {told.seed}."]
    if out is not None:
        import_module(_WRITTEN[told.id]).write(out, told)
        lines += [f"Written to {out}."]
    say(json=json, value=asdict(told), lines=lines)
    raise typer.Exit(EXIT_DONE)


def _line(figure: Figure) -> str:
    return f"  {figure.count:>5} of {figure.n:<5} {100 * figure.count / figure.n:5.1f} %  {figure.what}"
