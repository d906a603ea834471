"""Commands ``appeal …``: a decision challenged, from its receipt to its remedy."""

from __future__ import annotations

import contextlib
import math
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fivefold.cli._io import EXIT_DONE, EXIT_FAILED, EXIT_INCONCLUSIVE, Json, console
from fivefold.cli._text import say

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fivefold.manifest.nouns import Manifest

_Where = Annotated[Path, typer.Option("--in", help="The application's folder, or its manifest.", metavar="FOLDER")]
_Because = Annotated[str, typer.Option(help="Why, in your own words.", metavar="TEXT")]
_Which = Annotated[str, typer.Argument(help="The appeal.", metavar="ID")]


def file(
    receipt: Annotated[Path, typer.Argument(help="The receipt that came with the decision.", metavar="RECEIPT")],
    because: _Because,
    by: Annotated[str, typer.Option(help="Who files it: the person concerned, or who speaks for her.", metavar="NAME")],
    row: Annotated[int, typer.Option(help="Which row of the decision, from 0.", min=0)] = 0,
    where: _Where = Path(),
    *,
    json: Json = False,
) -> None:
    """File an appeal. The decision is replayed and explained at once, and then waits for a person to review it.

    Once on record it cannot get lost: if this is interrupted, run it again, and it goes on where it stopped.

    Example: [bold]fivefold appeal file receipt.json --by "Jane Roe" --because "I am not 19" --in my-app[/bold]
    """
    from fivefold.contract.registry import provided
    from fivefold.errors import InputError

    try:
        data = receipt.read_bytes() if receipt.stat().st_size < 1 << 20 else b""
    except OSError as error:
        raise InputError("appeal.receipt", f"it cannot be read ({error.strerror}).", where=str(receipt)) from None
    given = provided("appeals.receipt")(data)
    with _opened(where) as (manifest, desk, home), contextlib.closing(home.writing()) as recorder:
        made = desk.file(given, row, by, because, recorder)
        made = _examined(manifest, desk, made, recorder)
    say(json=json, value=_plain(made), lines=_lines(made))


def examine(which: _Which, where: _Where = Path(), *, json: Json = False) -> None:
    """Replay and explain the decision of an appeal, where filing it was interrupted or the model could not be asked.

    Example: [bold]fivefold appeal examine 1f0c2a5b9d3e --in my-app[/bold]
    """
    with _opened(where) as (manifest, desk, home), contextlib.closing(home.writing()) as recorder:
        made = _examined(manifest, desk, desk.get(which), recorder)
    say(json=json, value=_plain(made), lines=_lines(made))


def list_(
    where: _Where = Path(),
    *,
    every: Annotated[bool, typer.Option("--all", help="Also those that are decided.")] = False,
    json: Json = False,
) -> None:
    """List the appeals that wait, the most urgent first.

    Example: [bold]fivefold appeal list --in my-app[/bold]
    """
    with _opened(where) as (_, desk, home):
        with contextlib.closing(home.writing()) as recorder:
            desk.settle(recorder)
            desk.look(recorder)
        found = [one for one in desk.listed() if every or one.is_open]
    found.sort(key=lambda one: one.due)
    lines = [_line(one) for one in found] or ["No appeal waits."]
    say(json=json, value=[_plain(one) for one in found], lines=lines)


def show(which: _Which, where: _Where = Path(), *, json: Json = False) -> None:
    """Show an appeal: what was decided and why, what came of asking again, and the row that it was about.

    Example: [bold]fivefold appeal show 1f0c2a5b9d3e --in my-app[/bold]
    """
    with _opened(where) as (_, desk, _home):
        one = desk.get(which)
        row = desk.asked(one)
    say(json=json, value=_plain(one) | {"asked": {name: _scalar(value) for name, value in row.items()}},
        lines=[*_lines(one), *(f"  {name}: {value}" for name, value in row.items())])  # fmt: skip


def decide(  # noqa: PLR0917  the options of a command
    which: _Which,
    ruling: Annotated[
        str, typer.Option(help="uphold: it stands; change: another answer; correct: the data were wrong.")
    ],
    because: _Because,
    who: Annotated[str, typer.Option("--as", help="Who decides; the name of a reviewer's token.", metavar="NAME")],
    answer: Annotated[str, typer.Option(help="The answer that holds from now on.")] = "",
    right: Annotated[
        list[str] | None,
        typer.Option("--set", help="What a field should have been (repeatable).", metavar="FIELD=VALUE"),
    ] = None,
    where: _Where = Path(),
    *,
    json: Json = False,
) -> None:
    """Decide an appeal, once and for good. Neither who made the decision nor who filed the appeal may.

    With [bold]--ruling correct[/bold] the model is asked again with the corrected fields; its answer holds, unless
    you give another one.

    Examples: [bold]fivefold appeal decide 1f0c2a5b9d3e --as officer-7 --ruling change --answer good
    --because "pays rent on time"[/bold],
    [bold]fivefold appeal decide 1f0c2a5b9d3e --as officer-7 --ruling correct --set age=49 --because "a slip"[/bold]
    """
    from fivefold.cli.queue_ import require_reviewer

    with _opened(where) as (manifest, desk, home):
        require_reviewer(manifest, who)
        fields = dict(_pair(one) for one in right or ())
        with contextlib.ExitStack() as stack:
            again = stack.enter_context(_model(manifest)) if fields else None
            recorder = stack.enter_context(contextlib.closing(home.writing()))
            made = desk.decide(which, who, ruling, because, recorder, answer=answer, right=fields, again=again)
            desk.look(recorder)
    say(json=json, value=_plain(made), lines=["Decided and on record.", *_lines(made)])


def verify(
    which: _Which,
    where: _Where = Path(),
    trust: Annotated[Path | None, typer.Option(help="Trust file (default: your own).", metavar="FILE")] = None,
    *,
    json: Json = False,
) -> None:
    """Prove the whole course of an appeal from the log: no network and no model is asked.

    Exit code 0: replayed, explained, reviewed by somebody else, in time, and remedied. 1: something is wrong.
    3: nothing is wrong, but it is not decided yet.

    Example: [bold]fivefold appeal verify 1f0c2a5b9d3e --in my-app[/bold]
    """
    from fivefold.contract.registry import provided
    from fivefold.keys import store
    from fivefold.keys import trust as trust_file

    with _opened(where) as (manifest, desk, home):
        keys = trust_file.holders(trust_file.read(store.read_trust(trust)), "log", store.utc_now())
        days = provided("appeals.declared")(manifest.controls).days
        found = provided("appeals.verified")(home.reading(), desk.get(which), keys, days=days)
    one = found.appeal
    said = "It does NOT hold: " + "; ".join(found.faults) if found.faults else "All of it holds."
    if not found.faults and one.is_open:
        said = "Nothing is wrong so far; it is not decided yet."
    code = EXIT_FAILED if found.faults else EXIT_INCONCLUSIVE if one.is_open else EXIT_DONE
    proven = f"{len(found.proven)} records proven in the log of {found.size:,} entries, signed by key {found.key[:12]}."
    value = {"appeal": _plain(one), "faults": found.faults, "proven": found.proven, "size": found.size}
    say(json=json, value=value | {"key": found.key, "exit_code": code}, lines=[*_lines(one), proven, said])
    sys.exit(code)


def stats(where: _Where = Path(), *, json: Json = False) -> None:
    """Show how many decisions are appealed and changed, by group, field, rule and model, and what is systemic.

    Decisions are compared within the same answer. A finding is made at 4, 8, 16, ... appeals, so that looking often
    finds nothing by chance; it stays on record. Exit code 1 if there is one.

    Example: [bold]fivefold appeal stats --in my-app[/bold]
    """
    from msgspec import to_builtins

    with _opened(where) as (_, desk, home):
        with contextlib.closing(home.writing()) as recorder:
            desk.look(recorder)
        shown, found, every = desk.statistics(), desk.systemic(), desk.listed()
    lines = [f"{len(every)} appeals, {sum(one.is_open for one in every)} of them wait."]
    lines += [_trait(one) for one in shown]
    lines += [f"SYSTEMIC: {_trait(one)}" for one in found] or ["Nothing systemic was found."]
    value = {"appeals": len(every), "traits": to_builtins(shown), "systemic": to_builtins(found)}
    say(json=json, value=value, lines=lines)
    sys.exit(EXIT_FAILED if found else EXIT_DONE)


def _trait(one: Any) -> str:
    return (
        f"{one.kind} {one.trait}: {one.appealed} of {one.decisions:,} decisions appealed "
        f"({one.low:.1%} to {one.high:.1%}; p {one.p:.3g}), {one.changed} of {one.reviewed} changed"
    )


@contextlib.contextmanager
def _opened(where: Path) -> Iterator[tuple[Manifest, Any, Any]]:
    """Open an application's desk; give manifest, desk and where the record lies.

    Raises:
        InputError: ``appeal.undeclared``.
    """
    from fivefold.contract.registry import provided
    from fivefold.errors import InputError
    from fivefold.manifest.reader import read

    manifest = read(where)
    terms = provided("appeals.declared")(manifest.controls)
    if terms is None:
        raise InputError(
            "appeal.undeclared", "the manifest does not declare that decisions can be appealed.",
            remedy="Write under controls: F1: {appeal: {days: 30, to: where to appeal}}.",
        )  # fmt: skip
    home = provided("record.home")(manifest)
    protected = tuple(dict.fromkeys(name for data in manifest.data.values() for name in data.protected))
    with contextlib.closing(provided("appeals")(home, terms, protected=protected)) as desk:
        yield manifest, desk, home


def _model(manifest: Manifest) -> Any:
    from fivefold.guard.again import Again

    with console(error=True).status("Starting the model in its own process ..."):
        return Again(manifest)


def _examined(manifest: Manifest, desk: Any, one: Any, recorder: Any) -> Any:
    """Return the appeal replayed and explained; where the model cannot be asked, the record says why."""
    from fivefold.errors import FivefoldError

    if one.examined or one.decided:
        return one
    try:
        model = _model(manifest)
    except FivefoldError as error:
        return desk.examine(one, None, f"the model cannot be asked: {error.message}", recorder)
    with model as again:
        return desk.examine(one, again, "", recorder)


def _pair(text: str) -> tuple[str, str]:
    from fivefold.errors import InputError

    name, found, value = text.partition("=")
    if not found:
        raise InputError("appeal.field", f"{text[:40]!r} sets no field.", remedy="Write --set FIELD=VALUE.")
    return name, value


def _plain(one: Any) -> dict[str, Any]:
    from msgspec import to_builtins

    value: dict[str, Any] = to_builtins(one)
    value["decided"] = [each | {"at": _stamp(each["at"])} for each in value["decided"]]
    return value | {"at": _stamp(one.at), "due": _stamp(one.due), "open": one.is_open}


def _line(one: Any) -> str:
    if one.decided:
        first = one.decided[0]
        return f"{one.id}  decided by {first.by}: {first.ruling}, {first.answer}"
    left = one.due - time.time_ns()
    when = f"{left // 86_400_000_000_000} days left" if left > 0 else "OVERDUE"
    return f"{one.id}  {one.answer}  by {one.by}  {when}"


def _lines(one: Any) -> list[str]:
    tried = {
        "same": "the same, bit for bit",
        "differs": f"something else: {one.why}",
        "none": f"not possible: {one.why}",
    }
    lines = [
        f"Appeal {one.id} against record {one.decision}, row {one.row}: {one.answer}.",
        f"Filed {_stamp(one.at)} by {one.by}: {one.because}",
        f"To be decided by {_stamp(one.due)}.",
        f"Asked again: {tried.get(one.replayed, 'not yet')}.",
        f"Reason: {one.explained or 'not yet'}",
    ]
    lines += [
        f"Decided {_stamp(each.at)} by {each.by}: {each.ruling}, {each.answer}. {each.because}" for each in one.decided
    ]
    return lines + [f"Remedy on record: {each}." for each in one.remedied]


def _stamp(nanoseconds: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(nanoseconds // 1_000_000_000))


def _scalar(value: Any) -> Any:
    if isinstance(value, float) and math.isnan(value):  # no JSON
        return None
    return value if isinstance(value, bool | int | float | str | None) else str(value)
