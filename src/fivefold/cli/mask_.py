"""Commands ``data mask`` and ``data anonymity``: personal data replaced, and how many people share what is left."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003  typer reads it at run time
from typing import Annotated, Literal

import typer

from fivefold.cli._io import EXIT_DONE, EXIT_FAILED, Json
from fivefold.cli._text import say


def mask(
    file: Annotated[Path, typer.Argument(help="CSV, Parquet or text file.")],
    out: Annotated[Path, typer.Option(help="A new file of the same kind.", metavar="FILE")],
    column: Annotated[
        list[str] | None, typer.Option(help="Column to mask; may be repeated (default: what data scan finds).")
    ] = None,
    how: Annotated[
        Literal["pseudonym", "stars", "drop"], typer.Option(help="Pseudonyms under a key, stars, or no column at all.")
    ] = "pseudonym",
    where: Annotated[
        Path | None, typer.Option("--in", help="The application whose secret gives the key.", metavar="FOLDER")
    ] = None,
    *,
    json: Json = False,
) -> None:
    """Write a copy in which personal data are masked; length, signs, digits and capitals stay.

    The same value gets the same pseudonym in every file of the application. Free texts keep all but what is found.

    Example: [bold]fivefold data mask customers.csv --out masked.csv --in my-app[/bold]
    """
    from fivefold.contract.registry import provided
    from fivefold.keys import store
    from fivefold.manifest.reader import read

    secret = store.application_secret(read(where).application.id) if where is not None else None
    told = provided("personal.mask")(file, out, column or [], how, secret)
    lines = [f"{name}: {'its cells' if part == 'whole' else 'what was found in its cells'}, {how}"
             for name, part in told["columns"].items()]  # fmt: skip
    say(json=json, value=told | {"out": str(out)}, lines=[*lines, f"Written: {out}, {told['rows']:,} rows."])
    raise typer.Exit(EXIT_DONE)


def anonymity(
    file: Annotated[Path, typer.Argument(help="CSV, Parquet or Arrow file.")],
    quasi: Annotated[list[str], typer.Option(help="Column that somebody may know of a person; repeat it.")],
    k: Annotated[int, typer.Option(help="Fewest rows that must share each combination.", min=2)] = 10,
    sensitive: Annotated[str, typer.Option(help="Column that nobody is to learn.", metavar="COLUMN")] = "",
    *,
    json: Json = False,
) -> None:
    """Say how many rows share each combination of columns (k-anonymity), and which column parts them most.

    Exit code 1 if some combination is shared by fewer than k rows.

    Example: [bold]fivefold data anonymity people.csv --quasi age --quasi postcode --k 10[/bold]
    """
    from fivefold.contract.registry import provided

    told = provided("personal.anonymity")(file, quasi, k, sensitive)
    lines = [
        f"{told['rows']:,} rows in {told['classes']:,} combinations; the smallest has {told['smallest']:,}.",
        f"{told['below']:,} rows are in combinations of fewer than {k}; {told['unique']:,} are alone.",
        *(f"  without {name}: {rows:,}" for name, rows in sorted(told["without"].items(), key=lambda one: one[1])),
    ]
    if told["diversity"] is not None:
        lines.append(f"Fewest different values of {sensitive} in a combination: {told['diversity']}.")
    say(json=json, value=told, lines=lines)
    raise typer.Exit(EXIT_FAILED if told["below"] else EXIT_DONE)
