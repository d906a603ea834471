"""Command ``model provenance``: what a model was made of, how, where and by whom, signed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fivefold.cli._io import Json  # noqa: TC001  typer reads it at run time
from fivefold.cli._own import own_key
from fivefold.cli._text import say

if TYPE_CHECKING:
    from fivefold.keys.store import StoredKey
    from fivefold.manifest.nouns import Manifest


def provenance(  # noqa: PLR0917  typer's parameters
    application: Annotated[Path, typer.Argument(help="The application's folder, or its manifest.")] = Path(),
    parameter: Annotated[
        list[str] | None, typer.Option(help="What was chosen, as NAME=VALUE (repeatable).", metavar="NAME=VALUE")
    ] = None,
    person: Annotated[
        list[str] | None, typer.Option(help="Who did what, as ROLE=NAME (repeatable).", metavar="ROLE=NAME")
    ] = None,
    environment: Annotated[
        str, typer.Option(help="File that lists where it was trained: a lock file, a Dockerfile.", metavar="FILE")
    ] = "",
    data: Annotated[
        list[str] | None,
        typer.Option(help="Data set or file that it learnt from (repeatable; default: train and calibration)."),
    ] = None,
    code: Annotated[
        list[str] | None, typer.Option(help="File of code besides the model's own (repeatable).", metavar="FILE")
    ] = None,
    factory: Annotated[str, typer.Option(help="What trained it (default: training.factory).")] = "",
    commit: Annotated[str, typer.Option(help="Commit of the code (default: the one that is checked out).")] = "",
    repository: Annotated[str, typer.Option(help="The repository's address (default: its origin).")] = "",
    finished: Annotated[str, typer.Option(help="When training ended, in UTC: 2026-11-30T12:00:00Z.")] = "",
    key: Annotated[str, typer.Option(help="Your signer key: path, start of its id, or name.")] = "",
    *,
    here: Annotated[bool, typer.Option("--here", help="It was trained on this machine, with this Python.")] = False,
    json: Json = False,
) -> None:
    """Sign where a model comes from: its data, code, parameters, environment and people.

    For a model that [bold]fivefold model train[/bold] did not make. The statement (SLSA provenance v1 in an in-toto
    statement) is written to [bold]model.provenance.json[/bold], or where [bold]controls: {T2: {provenance: ...}}[/bold]
    says; an earlier one is put aside. Code is what the model's signature covers besides the model, and what
    [bold]--code[/bold] adds; people are those of [bold]controls: {T2: {people: {trained: ...}}}[/bold] and of
    [bold]--person[/bold].

    Example: [bold]fivefold model provenance my-app --here --parameter seed=20 --person "trained=Jane Doe"[/bold]
    """
    from fivefold.assess import operating
    from fivefold.contract.registry import provided
    from fivefold.errors import InputError
    from fivefold.keys import store
    from fivefold.keys import trust as trust_file
    from fivefold.manifest.reader import read

    if here == bool(environment):
        raise InputError("provenance.no-environment", "say where it was trained.",
                         remedy="Give --here, or --environment FILE, one of the two.")  # fmt: skip
    if finished:
        trust_file.moment(finished)
    manifest = read(application, may_lack=frozenset({"model.signature"}))
    chosen = own_key("signer", key)
    saying = provided("lineage.saying")(
        parameters={name: _value(text) for name, text in _pairs(parameter, "provenance.parameter").items()},
        people=_pairs(person, "provenance.person"), factory=factory, data=data or (), code=code or (),
        environment=environment, commit=commit, repository=repository, finished=finished,
    )  # fmt: skip
    with operating.operation(manifest, "model provenance") as operation:
        made = provided("lineage.declare")(manifest, saying, chosen.signer, store.utc_now())
        operation.results["model"] = f"provenance signed by {chosen.note.name}"
    value, lines = told(made, chosen)
    say(json=json, value=value, lines=lines)


def told(made: Any, chosen: StoredKey) -> tuple[dict[str, Any], list[str]]:
    """Return what a command says of a statement that was just signed."""
    definition = made.says.buildDefinition
    named = {kind: [one.name for one in made.says.named(kind)] for kind in ("data", "code", "repository")}
    people = [f"{one.name} ({one.role})" for one in definition.externalParameters.people]
    commit = next((one.digest["gitCommit"] for one in made.says.named("repository")), "")
    value = {
        "provenance": str(made.place), "key": chosen.note.id, "signer": chosen.note.name, "model": dict(made.files),
        "data": named["data"], "code": named["code"], "commit": commit, "people": people,
        "aside": str(made.aside or ""),
    }  # fmt: skip
    lines = [
        f"{made.place}: where the model comes from, signed by {chosen.note.name}, key {chosen.note.id[:12]}.",
        f"Data: {', '.join(named['data']) or 'none'}. Code: {', '.join(named['code'][:8])}"
        + (
            f", at commit {commit[:12]}."
            if commit
            else ". No commit: the code is in none as it is, or in no repository."
        ),
        f"Parameters: {', '.join(definition.externalParameters.parameters)}. People: {', '.join(people)}.",
    ]
    return value, lines + ([f"The statement of the model before it: {made.aside}"] if made.aside else [])


def signer_of(key: str) -> StoredKey | None:
    """Return the signer key that is named, or the only one; None: there is none, so that nothing can be signed.

    Raises:
        InputError: As :func:`fivefold.cli._own.own_key`, but for ``keys.missing`` where no key is named.
    """
    from fivefold.errors import InputError

    try:
        return own_key("signer", key)
    except InputError as error:
        if error.code == "keys.missing" and not key:
            return None
        raise


def trained(
    manifest: Manifest, files: tuple[Path, ...], how: dict[str, Any], chosen: StoredKey | None
) -> tuple[Any, list[str]]:
    """Sign where a model comes from that was just trained, and say so; without a key say how to.

    Args:
        manifest: The application.
        files: That were written: the model, and the same one in other formats.
        how: Arguments of the training, as :class:`fivefold.traceability.lineage.making.Training` takes them.
        chosen: The signer; None: there is none.
    """
    from fivefold.contract.registry import provided
    from fivefold.keys import store

    if chosen is None:
        return "", ["No provenance: you have no signer key (fivefold key new --role signer)."]
    training = provided("lineage.training")(**how)
    made = provided("lineage.learned")(manifest, files, training, chosen.signer, store.utc_now())
    _, lines = told(made, chosen)
    return str(made.place), [lines[0]]


def _pairs(given: list[str] | None, code: str) -> dict[str, str]:
    from fivefold.errors import InputError

    found: dict[str, str] = {}
    for text in given or ():
        name, _, value = text.partition("=")
        if not name.strip() or not value.strip() or name.strip() in found:
            raise InputError(code, f"{text[:80]!r} is no name with its value, or stands twice.",
                             remedy="Write NAME=VALUE, for example seed=20.")  # fmt: skip
        found[name.strip()] = value.strip()
    return found


def _value(text: str) -> Any:
    """Return a number, a truth value or a list where the text is one in JSON, else the text."""
    import json

    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text
