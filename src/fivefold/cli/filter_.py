"""Command ``data filter``: the rows to learn from, and the rows to look at first, in a new folder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from fivefold.cli._io import EXIT_DONE, Json
from fivefold.cli._text import say


def filter_(
    application: Annotated[Path, typer.Argument(help="The application's folder, or its manifest.")] = Path(),
    data: Annotated[str, typer.Option("--data", help="Which data set.", metavar="NAME")] = "train",
    out: Annotated[Path, typer.Option(help="A new folder for what is written.", metavar="DIR")] = Path("filtered"),
    seed: Annotated[int, typer.Option(help="What all draws come from.", min=0)] = 7,
    *,
    json: Json = False,
) -> None:
    """Hold back rows that the others contradict: wrong labels, marks of a backdoor, bent targets.

    Written are the rows kept, the rows in quarantine with reasons, a summary (removals by group, errors of a small
    learner before and after) and a picture. Nothing is overwritten.

    Example: [bold]fivefold data filter my-app --out my-app-filtered[/bold]
    """
    from fivefold.assess import operating
    from fivefold.contract.registry import provided
    from fivefold.manifest.digests import data_digests
    from fivefold.manifest.reader import read

    manifest = read(application)
    provided("labels.enforce")(manifest, "data filter", [data])
    with operating.operation(manifest, "data filter", model=False) as operation:
        operation.digests |= data_digests(manifest)
        found = provided("data.filter")(manifest, data, out, seed)
        operation.results[data] = f"{found['quarantined']} of {found['rows']} rows in quarantine"
    lines = [
        f"Kept {found['kept']:,} of {found['rows']:,} rows of data.{data}; {found['quarantined']:,} in quarantine."
    ]
    lines += [f"  {count:>6,}  {text}" for text, count in found["reasons"].items() if count]
    lines += [f"  {note}" for note in found["notes"]]
    lines += [f"Hit most: {one['group']}, {one['share']:.1%} of {one['rows']:,}" for one in found["groups"][:3]]
    lines += _harm(found["harm"])
    say(json=json, value=found | {"out": str(out)}, lines=[*lines, found["read"], f"Written to {out}."])
    raise typer.Exit(EXIT_DONE)


def _harm(told: dict[str, Any]) -> list[str]:
    """Return what a small learner gets wrong before and after, in all rows and where it changes most."""
    if not told["groups"]:
        return [f"Harm was not measured; judged by {told['judged by']}."]
    first, *rest = told["groups"]
    worst = sorted(rest, key=lambda one: one["before"] - one["after"])[:2]
    return [
        f"A small learner, judged by {told['judged by']}: {told['error']} {one['before']:.3g} before, "
        f"{one['after']:.3g} after ({one['group']}, {one['rows']:,} rows)"
        for one in (first, *worst)
    ]
