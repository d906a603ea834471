"""Command ``guard queue``: the cases that wait for a person."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fivefold.cli._io import Json  # noqa: TC001  typer reads it
from fivefold.cli._text import say

if TYPE_CHECKING:
    from fivefold.manifest.nouns import Manifest


def queue(  # noqa: PLR0917  the options of a command
    word: Annotated[str, typer.Argument(help="list, show or decide.", metavar="WORD")],
    which: Annotated[str, typer.Argument(help="The case.", metavar="ID")] = "",
    where: Annotated[Path, typer.Option("--in", help="The application's folder, or its manifest.")] = Path(),
    who: Annotated[str, typer.Option("--as", help="Who decides; the name of a reviewer's token.", metavar="NAME")] = "",
    answer: Annotated[str, typer.Option(help="The decision; refuse: none is given.")] = "",
    because: Annotated[str, typer.Option(help="Why, in your own words.", metavar="TEXT")] = "",
    *,
    json: Json = False,
) -> None:
    """Show and decide the cases that the model was not sure enough of. Each is decided once, and that is on record.

    Examples: [bold]fivefold guard queue list --in my-app[/bold],
    [bold]fivefold guard queue decide 1f0c2a5b9d3e --as officer-7 --answer good --because "pays rent on time"[/bold]
    """
    from fivefold.contract.registry import provided
    from fivefold.errors import InputError
    from fivefold.manifest.reader import read

    manifest = read(where)
    home = provided("record.home")(manifest)
    with contextlib.closing(provided("queue")(home, _answers(home))) as held:
        if word == "list":
            found = held.waiting()
            lines = [_line(one) for one in found] or ["No case waits."]
            say(json=json, value=[_plain(one) for one in found], lines=lines)
        elif word == "show":
            one = held.get(which)
            row = {name: _scalar(value) for name, value in held.asked(one).items()}
            lines = [_line(one), *(f"  {name}: {value}" for name, value in row.items())]
            say(json=json, value=_plain(one) | {"row": row}, lines=lines if row else [*lines, "  (erased)"])
        elif word == "decide":
            require_reviewer(manifest, who)
            with contextlib.closing(home.writing()) as recorder:
                one = held.decide(which, who, answer, because, recorder)
            say(json=json, value=_plain(one), lines=[f"Decided and on record: {_line(one)}"])
        else:
            raise InputError("guard.word", f"{word[:40]!r} is not known here.", remedy="Write list, show or decide.")


def _answers(home: Any) -> tuple[str, ...]:
    """Return the answers that the guard told of when it was opened last.

    Raises:
        InputError: ``queue.none`` if no guard ever was.
    """
    from fivefold.errors import InputError

    for item in reversed(list(home.reading().search(case="guard", kind="model-change"))):
        fields = item.body.fields if item.body else {}
        if "ladder" in fields:
            return tuple(fields.get("answers", ()))
    raise InputError("queue.none", "no guard with a ladder was opened here.", remedy="fivefold guard serve")


def require_reviewer(manifest: Manifest, who: str) -> None:
    """Raise unless a person holds a reviewer's token.

    Raises:
        InputError: ``queue.who``.
    """
    from fivefold.errors import InputError
    from fivefold.guard.tokens import Tokens

    held = [one.principal for one in Tokens(manifest.application.id).listed()]
    if not any(one.name == who and one.role == "reviewer" for one in held):
        raise InputError(
            "queue.who",
            f"{who[:80]!r} holds no reviewer's token." if who else "nobody is named who decides.",
            remedy="Write --as NAME; once: fivefold guard token issue --name NAME --role reviewer",
        )


def _plain(one: Any) -> dict[str, Any]:
    return {name: value for name, value in one._asdict().items() if name != "place"} | {"row_number": one.place}


def _line(one: Any) -> str:
    if one.decided is not None:
        told = f"{one.answer or 'refused'} by {one.who or 'nobody in time'}"
        return f"{one.id}  {one.caller}  {one.purpose}  {told}" + (f": {one.because}" if one.because else "")
    left = max(0, one.until - int(time.time()))
    return f"{one.id}  {one.caller}  {one.purpose}  {left // 3600} h {left % 3600 // 60:02} min left"


def _scalar(value: Any) -> Any:
    return value.tolist() if hasattr(value, "tolist") else value
