"""Command ``record trace``: a decision's case and what its model was made of, or what came of data; also for others."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fivefold.cli._io import Json  # noqa: TC001  typer reads it at run time
from fivefold.cli._text import say
from fivefold.cli.record_ import catching_up, line_of, stamp, value_of

if TYPE_CHECKING:
    from fivefold.manifest.nouns import Manifest


def trace(
    which: Annotated[str, typer.Argument(help="A record's id or position, or a receipt's file.", metavar="ID")] = "",
    where: Annotated[
        Path, typer.Option("--in", help="The application's folder, or its manifest.", metavar="FOLDER")
    ] = Path(),
    *,
    back: Annotated[
        str, typer.Option(help="Instead: what came of this data set, file, commit or person.", metavar="NAME")
    ] = "",
    svg: Annotated[Path | None, typer.Option(help="Draw the case into this file.", metavar="FILE")] = None,
    prov: Annotated[Path | None, typer.Option(help="Write it as W3C PROV (JSON).", metavar="FILE")] = None,
    openlineage: Annotated[
        Path | None, typer.Option(help="Write OpenLineage events, one a line.", metavar="FILE")
    ] = None,
    trust: Annotated[Path | None, typer.Option(help="Trust file (default: your own).", metavar="FILE")] = None,
    json: Json = False,
) -> None:
    """Show a record's whole case in order, and walk its answers back: to the model, its data, code and people.

    Each link is followed: the model that answered, the signed statement of where it comes from, and the files that this
    names, as they are now. What does not hold is named. With [bold]--back[/bold] it goes the other way: from a data set
    to the models that learnt from it, and to their decisions on record.

    Examples: [bold]fivefold record trace 42 --in my-app[/bold], [bold]fivefold record trace receipt.json[/bold],
    [bold]fivefold record trace --back train[/bold], [bold]fivefold record trace 42 --svg case.svg[/bold]
    """
    from fivefold.cli import _origins
    from fivefold.contract.registry import provided
    from fivefold.errors import InputError
    from fivefold.manifest.reader import read

    if bool(which) == bool(back) or (back and (svg or prov or openlineage)):
        raise InputError("record.trace", "say one thing: a record, or --back NAME.",
                         remedy="Write fivefold record trace ID, or fivefold record trace --back train.")  # fmt: skip
    manifest = read(where)
    reading = provided("record.home")(manifest).reading(catching_up())
    tracer = _origins.tracer_of(manifest, trust)
    if back:
        values, lines = _origins.ahead(back, tracer, reading, stamp)
        say(json=json, value=values, lines=lines)
        return
    found = reading.trace(_origins.record_of(which))
    told = _origins.origins(found, tracer) if manifest.model is not None else []
    lines = [line_of(item) for item in found]
    lines += [line for answer, walked in told for line in _origins.lines(answer, walked, tracer)]
    written = _written(manifest, found, told, {"svg": svg, "prov": prov, "openlineage": openlineage})
    value = {"records": [value_of(item) for item in found],
             "origins": [_origins.value(answer, walked, tracer) for answer, walked in told]}  # fmt: skip
    say(json=json, value=value, lines=written or lines)


def _written(manifest: Manifest, found: list[Any], told: list[Any], places: dict[str, Path | None]) -> list[str]:
    """Write the case in the forms that are asked for, and say so."""
    from fivefold.cli import _drawn, _handed, _origins
    from fivefold.contract.codec import canonical
    from fivefold.errors import StorageError

    made = {
        "svg": lambda: _drawn.trace(found, stamp),
        "prov": lambda: canonical(_origins.prov(_handed.prov(found, stamp), told)).decode() + "\n",
        "openlineage": lambda: "".join(
            canonical(event).decode() + "\n" for event in _origins.openlineage(told, manifest.application.id, stamp)
        ),
    }
    lines = []
    for form, place in places.items():
        if place is None:
            continue
        try:
            place.write_text(made[form](), encoding="utf-8")
        except OSError as error:
            remedy = "Name a file in a folder that can be written."
            raise StorageError(
                f"record.{form}", f"it cannot be written ({error.strerror}).", where=str(place), remedy=remedy
            ) from None
        lines.append(f"{place} written: {len(found)} records.")
    return lines
