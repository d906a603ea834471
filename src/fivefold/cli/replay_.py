"""Command ``record replay``: the model of now asked what was asked then."""

from __future__ import annotations

import sys
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fivefold.cli._io import EXIT_DONE, EXIT_FAILED, Json, console
from fivefold.cli._text import say
from fivefold.cli.record_ import catching_up, home_of, moment

if TYPE_CHECKING:
    from fivefold.assess.replay import Again

_SHOWN = 20


def replay(  # noqa: PLR0917  the options of a command
    which: Annotated[
        str, typer.Argument(help="A record of the decision; without it, all that fit.", metavar="ID")
    ] = "",
    case: Annotated[str, typer.Option(help="Decisions of this case.")] = "",
    since: Annotated[str, typer.Option(help="From this time on, in UTC, for example 2026-11-24T03:00.")] = "",
    until: Annotated[str, typer.Option(help="Before this time, in UTC.")] = "",
    most: Annotated[int, typer.Option(help="Most decisions to ask again.", min=1)] = 1000,
    where: Annotated[
        Path, typer.Option("--in", help="The application's folder, or its manifest.", metavar="FOLDER")
    ] = Path(),
    *,
    json: Json = False,
) -> None:
    """Ask the model again what was asked, and hold its answers against the recorded ones bit for bit.

    Exit code 1 if anything differs or could not be held against anything.

    Example: [bold]fivefold record replay 42 --in my-app[/bold]
    """
    from fivefold.assess.replay import ask
    from fivefold.contract.registry import provided
    from fivefold.errors import InputError
    from fivefold.manifest.reader import read

    home = home_of(where)
    reading = home.reading(catching_up())
    bounds = {"since": moment(since, 0), "until": moment(until, 1 << 63)}
    found = reading.trace(which) if which else reading.search(case=case, **bounds)
    chosen = list(islice(_fitting(provided("record.decisions")(found), reading.get(which).id if which else ""), most))
    if not chosen:
        raise InputError(
            "replay.none", "no decision fits: an input with its output.", remedy="Look: fivefold record search."
        )
    screen = console(error=True)
    with screen.status("Asking the model again") as status:

        def tell(_check: str, share: float, text: str) -> None:
            status.update(f"{text[:1].upper()}{text[1:]} {share:.0%}")

        again = ask(read(where), (decision.rows() for decision in chosen), tell)
    value = _value(chosen, again)
    say(json=json, value=value, lines=_lines(value))
    sys.exit(EXIT_DONE if value["same"] == len(chosen) else EXIT_FAILED)


def _fitting(found: Any, wanted: str) -> Any:
    """Yield the decisions that a record is part of: its question, or one of its answers; all, if none is wanted."""
    every = list(found) if wanted else found
    named = [item for item in every if wanted in (item.asked.id, item.answered.id)] if wanted else []
    return iter(named or every)


def _value(chosen: list[Any], again: Again) -> dict[str, Any]:
    from fivefold.contract.registry import provided

    compare, shown = provided("record.compare"), []
    for decision, reply in zip(chosen, again.replies, strict=True):
        parts = () if reply.error else compare(decision, reply.arrays())
        shown.append(
            {
                "asked": decision.asked.id,
                "answered": decision.answered.id,
                "same": _same([part.same for part in parts]),
                "model": "" if not decision.model else "same" if decision.model == again.model else "other",
                "recorded_model": decision.model,
                "error": reply.error,
                "arrays": [{"name": part.name, "same": part.same, "by": part.by, "said": part.said} for part in parts],
            }
        )
    same = sum(item["same"] is True for item in shown)
    return {"model": again.model, "decisions": len(shown), "same": same, "replayed": shown}


def _same(parts: list[bool | None]) -> bool | None:
    """Return False if anything differs; None if anything, or all, could not be held against anything."""
    if False in parts:
        return False
    return None if None in parts or not parts else True


def _lines(value: dict[str, Any]) -> list[str]:
    shown, lines = value["replayed"], [f"The model now: {value['model'][:16]}."]
    odd = [item for item in shown if item["same"] is not True]
    for item in odd[:_SHOWN]:
        model = {"": "by a model that was not named", "same": "by this model", "other": "by ANOTHER model"}[
            item["model"]
        ]
        what = "DIFFERS" if item["same"] is False else "cannot be held against anything"
        lines.append(f"{item['answered']}, answered {model}: {what}. {item['error']}".rstrip())
        lines += [f"    {part['name']}: {part['said']}" for part in item["arrays"] if part["said"]]
    if len(odd) > _SHOWN:
        lines.append(f"... and {len(odd) - _SHOWN} more; --json shows all.")
    others = sum(item["model"] == "other" for item in shown)
    if others:
        lines.append(f"{others} of {len(shown)} were answered by another model than the one that is here now.")
    lines.append(f"{value['same']} of {value['decisions']} decisions: the same, bit for bit.")
    return lines
