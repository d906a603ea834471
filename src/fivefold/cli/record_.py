"""Commands ``record …``: what happened, found, shown, proven, audited, erased and handed on."""

from __future__ import annotations

import sys
from dataclasses import asdict, replace
from datetime import UTC, datetime
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fivefold.cli._io import EXIT_DONE, EXIT_FAILED, Json, console
from fivefold.cli._text import say

_Where = Annotated[Path, typer.Option("--in", help="The application's folder, or its manifest.", metavar="FOLDER")]
if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.status import Status

_FORMATS = ("cloudevents", "otel", "prov", "xes")
_Which = Annotated[str, typer.Argument(help="A record's id, or its position.", metavar="ID")]


def show(which: _Which, where: _Where = Path(), *, json: Json = False) -> None:
    """Show one record: kind, time, words, and the arrays' names, types and lengths.

    Example: [bold]fivefold record show 42 --in my-app[/bold]
    """
    found = _reading(where).get(which)
    say(json=json, value=value_of(found), lines=_lines(found))


def search(  # noqa: PLR0917  the options of a command
    case: Annotated[str, typer.Option(help="Of this case.")] = "",
    person: Annotated[str, typer.Option(help="About this person.")] = "",
    kind: Annotated[str, typer.Option(help="Of this kind, for example decision.")] = "",
    model: Annotated[str, typer.Option(help="By the model with this digest, in full.")] = "",
    field: Annotated[
        list[str] | None, typer.Option(help="With this word in its fields, for example outcome=defaulted.")
    ] = None,
    since: Annotated[str, typer.Option(help="From this time on, in UTC, for example 2026-11-24T03:00.")] = "",
    until: Annotated[str, typer.Option(help="Before this time, in UTC.")] = "",
    most: Annotated[int, typer.Option(help="Most records to show.", min=1)] = 1000,
    where: _Where = Path(),
    *,
    json: Json = False,
) -> None:
    """Find records; without a condition, all of them.

    Examples: [bold]fivefold record search --case loan-17 --in my-app[/bold],
    [bold]fivefold record search --kind outcome --field outcome=defaulted --since 2026-11-01[/bold]
    """
    bounds = {"since": moment(since, 0), "until": moment(until, 1 << 63)}
    found: list[Any] = []
    wanted: dict[str, Any] = {"case": case, "person": person, "kind": kind, "model": model, "fields": _fields(field)}
    for item in _reading(where).search(**wanted, **bounds):
        found.append(item)
        if len(found) >= most:
            break
    say(
        json=json,
        value=[value_of(item) for item in found],
        lines=[line_of(item) for item in found] or ["Nothing fits."],
    )


def prove(which: _Which, where: _Where = Path()) -> None:
    """Write the proof that a record stands in the log to standard output; it shows id, kind and time, no content.

    Example: [bold]fivefold record prove 42 > 42.tlog-proof && fivefold verify 42.tlog-proof[/bold]
    """
    sys.stdout.write(_reading(where).prove(which).decode())


def fsck(
    place: Annotated[
        str,
        typer.Argument(help="Folder or address of a published log, of anybody; needs --vkey.", metavar="PLACE"),
    ] = "",
    where: _Where = Path(),
    *,
    kept: Annotated[
        list[Path] | None,
        typer.Option(help="A checkpoint kept elsewhere (repeatable): finds rewriting by the owner.", metavar="FILE"),
    ] = None,
    witness: Annotated[str, typer.Option(help="Ask this witness what it cosigned.", metavar="URL")] = "",
    trust: Annotated[Path | None, typer.Option(help="Trust file (default: your own).", metavar="FILE")] = None,
    vkey: Annotated[str, typer.Option(help="The published log's key: a line, or its file.", metavar="VKEY")] = "",
    origin: Annotated[str, typer.Option(help="The published log's name (default: the key's name).")] = "",
    hashes: Annotated[bool, typer.Option("--hashes", help="Read a published log's hashes, not its entries.")] = False,
    json: Json = False,
) -> None:
    """Read the whole record again: every entry, hash, checkpoint and blob. Exit code 1 if anything does not hold.

    With PLACE, read a log that was published as static files (C2SP tlog-tiles) instead, by whatever program.

    Example: [bold]fivefold record fsck --in my-app --kept checkpoint-of-last-week[/bold]
    """
    from fivefold.cli._witnessed import Words
    from fivefold.keys import store
    from fivefold.keys import trust as trust_file

    known = trust_file.read(store.read_trust(trust))
    kept_files = tuple(_file(path) for path in kept or ())
    if place or vkey:
        from fivefold.cli.tiles_ import audit

        sys.exit(
            audit(
                place, vkey, origin=origin, kept=kept_files, witness=witness, trust=known, entries=not hashes, json=json
            )
        )
    keys = trust_file.holders(known, "log", store.utc_now())
    home = home_of(where)
    asked = witness or str(home.options.get("witness", ""))
    words = Words.of(home.folder, home.application, asked, known)
    found = _reading(where).audit(keys, (*kept_files, *words.checkpoints))
    found = replace(found, faults=(*found.faults, *words.faults))
    lines = [f"{found.size:,} records, {found.covered:,} of them under the checkpoint.", *words.lines]
    lines += [f"  {fault.text} [{fault.code}]" for fault in found.faults]
    lines.append("It does NOT hold." if found.faults else "All of it holds.")
    if not kept and not words.asked:
        lines.append("No checkpoint kept elsewhere was given: rewriting by who holds the log's key would not show.")
        lines += ["Ask the witness itself: --witness URL."] if words.said else []
    say(json=json, value={**asdict(found), "witnessed": words.said}, lines=lines)
    sys.exit(EXIT_FAILED if found.faults else EXIT_DONE)


def checkpoint(where: _Where = Path()) -> None:
    """Print the newest checkpoint; keep it where the owner of this machine cannot change it.

    Example: [bold]fivefold record checkpoint --in my-app > /elsewhere/checkpoint[/bold]
    """
    from fivefold.log.book import CHECKPOINT

    sys.stdout.write(_file(home_of(where).folder / CHECKPOINT).decode())


def erase(
    person: Annotated[str, typer.Argument(help="The person to forget.", metavar="PERSON")],
    where: _Where = Path(),
    *,
    json: Json = False,
) -> None:
    """Destroy a person's keys: what was recorded about the person can be read by nobody, and every proof holds.

    Example: [bold]fivefold record erase "Jane Doe" --in my-app[/bold]
    """
    home = home_of(where)
    with home.writing() as recorder:
        count = recorder.erase(person)
    home.reading(catching_up()).catch_up()
    line = f"{count} key{'' if count == 1 else 's'} destroyed; the erasure is recorded."
    say(json=json, value={"keys": count}, lines=[line])


def export(
    where: _Where = Path(),
    case: Annotated[str, typer.Option(help="Of this case.")] = "",
    kind: Annotated[str, typer.Option(help="Of this kind.")] = "",
    format_: Annotated[
        str,
        typer.Option(
            "--format",
            help="cloudevents (1.0, one a line), otel (OTLP in JSON, a case a line), prov (W3C PROV in JSON) or xes.",
        ),
    ] = "cloudevents",
) -> None:
    """Write records for another system: the words, not the arrays.

    Example: [bold]fivefold record export --format prov --case loan-17 --in my-app[/bold]
    """
    from fivefold import __version__
    from fivefold.cli import _cases, _handed
    from fivefold.contract.codec import canonical
    from fivefold.errors import InputError

    home = home_of(where)
    application = home.application
    if format_ not in _FORMATS:
        remedy = f"Write {', '.join(_FORMATS[:-1])} or {_FORMATS[-1]}."
        raise InputError("record.format", f"{format_[:40]!r} is no format.", remedy=remedy)
    found = home.reading(catching_up()).search(case=case, kind=kind)
    if format_ == "xes":
        sys.stdout.writelines(f"{line}\n" for line in _cases.xes(found, application, stamp))
        return
    documents = _handed.cloudevents(found, application, value_of, stamp)
    if format_ == "prov":
        documents = iter([_handed.prov(found, stamp)])
    if format_ == "otel":
        documents = _cases.otlp(found, application, __version__)
    for document in documents:
        sys.stdout.write(canonical(document).decode() + "\n")


def home_of(where: Path) -> Any:
    """Return where the record of an application lies.

    Raises:
        InputError: ``recorder.place``, ``site.secret``.
    """
    from fivefold.contract.registry import provided
    from fivefold.manifest.reader import read

    return provided("record.home")(read(where))


def _reading(where: Path) -> Any:
    return home_of(where).reading(catching_up())


def catching_up() -> Callable[[float], None]:
    """Return what shows how far the index of a large record has caught up, from its first call on."""
    shown: list[Status] = []

    def tell(share: float) -> None:
        if not shown and share < 1:
            shown.append(console(error=True).status(""))
            shown[0].start()
        if shown:
            shown[0].update(f"Indexing what was recorded since: {share:.0%}")
        if shown and share >= 1:
            shown.pop().stop()

    return tell


def _fields(given: list[str] | None) -> dict[str, str]:
    from fivefold.errors import InputError

    for text in given or ():
        if not text.partition("=")[0] or not text.partition("=")[2]:
            remedy = "Write for example --field outcome=defaulted."
            raise InputError("record.field", f"{text[:80]!r} is no word with its value.", remedy=remedy)
    return {text.partition("=")[0]: text.partition("=")[2] for text in given or ()}


def _file(path: Path) -> bytes:
    from fivefold.errors import InputError

    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError("recorder.file", f"it cannot be read ({error.strerror}).", where=str(path)) from None


def moment(text: str, default: int) -> int:
    """Return nanoseconds since 1970 of a time in UTC; the default for an empty text.

    Raises:
        InputError: ``recorder.time``.
    """
    from fivefold.errors import InputError

    if not text:
        return default
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise InputError("recorder.time", f"{text!r} is no time.", remedy="Write 2026-11-24T03:00.") from None
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1_000_000_000)


def stamp(at: int) -> str:
    """Return nanoseconds since 1970 as a time in UTC, to the millisecond."""
    return datetime.fromtimestamp(at / 1e9, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def value_of(found: Any) -> dict[str, Any]:
    """Return a record as plain values: the words, and of arrays their names, types and lengths."""
    value: dict[str, Any] = {"index": found.index, "id": found.id, "kind": found.kind, "at": stamp(found.at)}
    if found.body is None:
        return value | {"erased": True}
    body = found.body
    value |= {"case": body.case, "person": body.person, "fields": plain(body.fields), "model": body.model}
    value["tensors"] = [{"name": item.name, "dtype": item.dtype, "shape": list(item.shape)} for item in body.tensors]
    return value | {"links": list(body.links), "trace": body.trace}


def plain(value: Any) -> Any:
    """Return a value that JSON can hold: numbers beyond it as text, bytes in hexadecimal."""
    if isinstance(value, dict):
        return {str(name): plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, bytes):
        return value.hex()
    beyond = isinstance(value, int) and abs(value) > 2**53
    return str(value) if beyond or (isinstance(value, float) and not isfinite(value)) else value


def line_of(found: Any) -> str:
    """Return a record in one line."""
    said = "erased" if found.body is None else ", ".join(f"{name}={value}" for name, value in found.body.fields.items())
    case = "" if found.body is None else f" {found.body.case}"
    return f"{found.index:>8} {stamp(found.at)} {found.kind:<14} {found.id}{case} {said}".rstrip()


def _lines(found: Any) -> list[str]:
    lines = [line_of(found)]
    if found.body is not None:
        lines += [f"    {item.name}: {item.dtype} {list(item.shape)}" for item in found.body.tensors[:50]]
        lines += [f"    follows from {link}" for link in found.body.links]
    return lines
