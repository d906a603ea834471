"""Command ``record retention``: what was recorded about people is forgotten when its term is over."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from fivefold.cli._io import Json  # noqa: TC001  typer reads it
from fivefold.cli._text import say
from fivefold.cli.record_ import home_of

_DAYS = {"d": 1, "w": 7, "m": 31, "y": 366}
_DAY = 86_400 * 1_000_000_000


def retention(
    term: Annotated[str, typer.Option(help="Such as 90d, 6m or 2y (default: controls.T4.retain).")] = "",
    where: Annotated[
        Path, typer.Option("--in", help="The application's folder, or its manifest.", metavar="FOLDER")
    ] = Path(),
    word: Annotated[str, typer.Argument(help="apply, which is the same as --apply.", metavar="[apply]")] = "",
    *,
    apply: Annotated[bool, typer.Option("--apply", help="Do it; else it is only said what would be done.")] = False,
    json: Json = False,
) -> None:
    """Destroy the keys of people about whom nothing was recorded for the whole term; every proof holds.

    A month counts as 31 days and a year as 366. Run it from cron.

    Example: [bold]fivefold record retention --term 2y --apply --in my-app[/bold]
    """
    from fivefold.errors import InputError

    if word not in ("", "apply"):
        raise InputError("recorder.retention", f"{word[:40]!r} is not known here.", remedy="Write apply, or leave it.")
    apply = apply or word == "apply"
    home = home_of(where)
    wanted = term or str(home.options.get("retain", ""))
    people = home.reading().silent_since(time.time_ns() - _DAY * _days(wanted))
    done = 0
    if apply and people:
        with home.writing() as recorder:
            done = recorder.expire(people, wanted)
        home.reading().catch_up()
    count = f"{len(people):,} {'person' if len(people) == 1 else 'people'}"
    line = f"{count} about whom nothing was recorded for {wanted}: "
    line += (
        f"{done:,} key{'' if done == 1 else 's'} destroyed, and that is recorded." if apply else "do it with --apply."
    )
    say(json=json, value={"people": len(people), "term": wanted, "keys": done}, lines=[line if people else "Nobody."])


def _days(term: str) -> int:
    """Return the days of a term.

    Raises:
        InputError: ``recorder.term``.
    """
    from fivefold.errors import InputError

    number, unit = term[:-1], term[-1:]
    if not (number.isascii() and number.isdigit() and len(number) <= 4 and unit in _DAYS):
        raise InputError(
            "recorder.term", f"{term[:20]!r} is no term.", remedy="Give --term 2y, or controls.T4.retain: 2y."
        )
    return int(number) * _DAYS[unit]
