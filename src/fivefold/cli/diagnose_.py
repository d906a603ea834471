"""Command ``record diagnose``: what sets a decision apart from those before it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from fivefold.cli._io import Json, console
from fivefold.cli._text import say
from fivefold.cli.record_ import catching_up, home_of, stamp

_ABOUT = {"words": "said with it"}


def diagnose(
    which: Annotated[str, typer.Argument(help="A record of the decision or of its case.", metavar="ID")],
    most: Annotated[int, typer.Option(help="Most decisions before it to hold it against.", min=1, max=10_000)] = 2000,
    where: Annotated[
        Path, typer.Option("--in", help="The application's folder, or its manifest.", metavar="FOLDER")
    ] = Path(),
    *,
    json: Json = False,
) -> None:
    """Hold a decision against those before it, and say what differs: model, case, columns, words, input, answer.

    A difference is told where chance alone shows one as large in at most 1 of 100 comparisons.

    Example: [bold]fivefold record diagnose 42 --in my-app[/bold]
    """
    from fivefold.contract.registry import provided

    home = home_of(where)
    reading = home.reading(catching_up())
    reading.trace(which)  # here, so that an index which has to catch up shows how far it is
    with console(error=True).status("Reading the record"):
        found = provided("record.diagnose")(reading, which, most)
    say(json=json, value=_value(found), lines=_lines(found))


def _value(found: Any) -> dict[str, Any]:
    value = {name: getattr(found, name) for name in ("asked", "answered", "case", "before", "rows", "erased")}
    told = [{"about": one.about, "said": one.said, "chance": one.chance} for one in found.stands_out]
    value |= {"at": stamp(found.at), "stands_out": told}
    return value | {"alike": list(found.alike), "afterwards": list(found.afterwards), "untold": list(found.untold)}


def _lines(found: Any) -> list[str]:
    held = f"{found.before:,} decision{'' if found.before == 1 else 's'} before it"
    lines = [f"Decision {found.answered} of case {found.case}, {stamp(found.at)}, held against {held}."]
    if found.stands_out:
        lines.append("What stands out:")
    lines += [f"  {_ABOUT.get(one.about, one.about):<13}{one.said}{_chance(one.chance)}" for one in found.stands_out]
    if not found.stands_out:
        lines.append("Nothing stands out.")
    if found.alike:
        lines.append(f"As before: {', '.join(found.alike)}.")
    lines += [f"Afterwards {said}" for said in found.afterwards]
    lines += [f"Not compared: {why}." for why in found.untold]
    if found.erased:
        lines.append(f"{found.erased:,} records among them were erased.")
    lines.append(f"Would the model of now answer the same? fivefold record replay {found.answered}")
    return lines


def _chance(chance: float | None) -> str:
    return "" if chance is None else f" By chance: 1 in {1 / chance:,.0f}."
