"""Command ``classify``: a few answers about the use of an output give a level, with reasons."""

from __future__ import annotations

import sys
from pathlib import Path  # noqa: TC003  typer reads it when the command is called
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fivefold.cli._io import EXIT_DONE, EXIT_FAILED, Json
from fivefold.cli._text import say

if TYPE_CHECKING:
    from fivefold.catalogue.classify import Answers

_QUESTIONS = {
    "output": "What is the output?",
    "acts": "Who acts on it?",
    "alone": "Does it act without a person in between?",
    "reversible": "Can what is done on it be undone?",
    "within": "How soon is something done on it?",
}


def classify(
    application: Annotated[
        Path | None, typer.Argument(help="The application's folder: its manifest's answers are taken.")
    ] = None,
    *,
    output: Annotated[
        str, typer.Option(help="statistic, label, score, forecast, recommendation, decision or action.")
    ] = "",
    acts: Annotated[str, typer.Option(help="human, system or nobody.")] = "",
    alone: Annotated[bool | None, typer.Option("--alone/--not-alone", help="Without a person in between.")] = None,
    reversible: Annotated[
        bool | None, typer.Option("--reversible/--irreversible", help="What is done can be undone.")
    ] = None,
    within: Annotated[str, typer.Option(help="seconds, minutes or days.")] = "",
    json: Json = False,
) -> None:
    """Say which level an application's use asks for, and why; asks what it is not told.

    With an application, its declared level is held against its answers. Exit code 1: a lower level is declared than the
    answers ask for.

    Examples: [bold]fivefold classify my-app[/bold],
    [bold]fivefold classify --output recommendation --acts human --within days[/bold]
    """
    from fivefold.catalogue import load
    from fivefold.catalogue.classify import propose

    given: dict[str, Any] = {
        "output": output, "acts": acts, "alone": alone, "reversible": reversible, "within": within,
    }  # fmt: skip
    given = {name: value for name, value in given.items() if value not in ("", None)}
    declared = 0
    if application is not None:
        import msgspec

        from fivefold.manifest.reader import read

        manifest = read(application)
        given = msgspec.to_builtins(manifest.use) | given
        declared = manifest.application.level
    answers = _answers(given, ask=application is None and not json and sys.stdin.isatty())
    proposal = propose(answers)
    short = bool(declared) and declared < proposal.level
    title = next(level.title for level in load().levels if level.number == proposal.level)
    lines = [f"Level {proposal.level}: {title}.", *(f"  {reason}" for reason in proposal.reasons)]
    if declared:
        word = "lower than that" if short else "high enough"
        lines.append(f"Level {declared} is declared, which is {word}.")
    value = {"level": proposal.level, "reasons": proposal.reasons, "answers": answers, "declared": declared or None}
    say(json=json, value=value, lines=lines)
    sys.exit(EXIT_FAILED if short else EXIT_DONE)


def _answers(given: dict[str, Any], *, ask: bool) -> Answers:
    import msgspec

    from fivefold.catalogue.classify import Answers, options
    from fivefold.errors import InputError

    if ask:
        for name, choices in options().items():
            if name not in given:
                given[name] = _asked(name, choices)
    if "output" not in given:
        raise InputError("classify.output", "what the output is was not said.", remedy="Give --output, or a manifest.")
    for name, choices in options().items():
        if name in given and given[name] not in choices:
            said = f'"{given[name]}" is no answer to: {_QUESTIONS[name]}'
            raise InputError("classify.answer", said, remedy=f"Answers: {', '.join(map(str, choices))}.")
    return msgspec.convert(given, Answers)


def _asked(name: str, choices: tuple[Any, ...]) -> Any:
    if isinstance(choices[0], bool):
        return typer.confirm(_QUESTIONS[name], default=choices[0])
    import click

    return typer.prompt(_QUESTIONS[name], type=click.Choice(list(choices)), default=choices[0])
