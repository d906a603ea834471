"""Commands ``guard …``: the model served behind its manifest, and who may ask it."""

from __future__ import annotations

import contextlib
import signal
import time
from pathlib import Path
from threading import Thread
from typing import Annotated, Any

import typer

from fivefold.cli._io import Json, console
from fivefold.cli._text import announcing, say

_Where = Annotated[Path, typer.Option("--in", help="The application's folder, or its manifest.", metavar="FOLDER")]


def serve(  # noqa: PLR0917  the options of a command
    application: Annotated[Path, typer.Argument(help="The application's folder.")] = Path(),
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on; 0: any free one.", min=0, max=65535)] = 7867,
    max_age: Annotated[float, typer.Option(help="Most days since the evidence's attempt; 0: any age.", min=0)] = 0,
    evidence: Annotated[
        Path | None, typer.Option(help="The evidence folder (default: evidence in the application's folder).")
    ] = None,
    trust: Annotated[Path | None, typer.Option(help="Trust file (default: your own).", metavar="FILE")] = None,
    upstream: Annotated[
        str,
        typer.Option(help="Server to stand in front of: the endpoint of the manifest.", metavar="URL"),
    ] = "",
    known_as: Annotated[
        list[str] | None,
        typer.Option(help="A further host name under which it is asked over HTTP (repeatable).", metavar="NAME"),
    ] = None,
    grpc_port: Annotated[
        int | None, typer.Option(help="Port for gRPC as well; 0: any free one.", min=0, max=65535)
    ] = None,
    *,
    allow_unattained: Annotated[
        bool, typer.Option("--allow-unattained", help="Serve all the same; that is recorded and shown to who asks.")
    ] = False,
) -> None:
    """Serve the model until interrupted; every answer has its record first.

    No port is opened unless the model's files are those that a key in your trust file signed, no newer version was
    served before, and sealed evidence of this very manifest, model and data attains the declared level. A model behind
    an endpoint has no signature: it must be seen to be the one that the evidence is of.

    SIGHUP, or an operator's POST to /v2/repository/models/NAME/load, loads the folder again under the same conditions;
    what may not be served changes nothing. Put files of the next version beside those that are served and name them in
    the manifest: files that are changed in place stop the service first.

    Examples: [bold]fivefold guard serve my-app[/bold], [bold]fivefold guard serve my-app --upstream http://127.0.0.1:8080[/bold]
    """
    from fivefold.guard.guard import Guard
    from fivefold.guard.http import serve as listen
    from fivefold.guard.reloading import Reloading
    from fivefold.guard.service import Service
    from fivefold.guard.tokens import Tokens
    from fivefold.guard.upstream import require_declared
    from fivefold.keys import store as keys
    from fivefold.manifest import site
    from fivefold.manifest.reader import read

    manifest = read(application)
    tokens = Tokens(manifest.application.id)
    issued = len(tokens.listed())

    def opened(by: str = "", old: Guard | None = None) -> tuple[Guard, dict[str, Any]]:
        require_declared(read(application), upstream)
        note = _admitted(application, evidence, trust, max_age, allowed=allow_unattained)
        told, writing = ({**note, "reloaded by": by}, old.writing) if old is not None else (note, None)
        known = None if trust is None else keys.read_trust(trust)
        guard = Guard(application, note=told, writing=writing, trust=known)
        with contextlib.ExitStack() as stack:
            stack.callback(guard.close)
            if not allow_unattained:  # the evidence is of the files that were just loaded, not of those before them
                named = guard.manifest.model
                seen = guard.model if named and named.endpoint else ""
                _admitted(application, evidence, trust, max_age, allowed=False, seen=seen)
            stack.pop_all()
        return guard, note

    with console(error=True).status("Starting the model in its own process ..."):
        guard, note = opened()
    model = f"/v2/models/{manifest.application.id}"
    reloading = Reloading(Service(guard, tokens, note), opened)
    with contextlib.suppress(KeyboardInterrupt), contextlib.ExitStack() as stack:
        stack.callback(reloading.close)
        signal.signal(signal.SIGTERM, signal.default_int_handler)  # what is in hand is answered, then it ends
        signal.signal(signal.SIGHUP, lambda *_: Thread(target=_reload, args=(reloading,), daemon=True).start())
        if (told := site.events(manifest)).url:
            from fivefold.guard.events import Events

            events = Events(told, manifest.application.id)
            stack.callback(events.close)
            guard.observers.append(events)
        also = ""
        if grpc_port is not None:
            from fivefold.guard.grpc import Grpc

            grpc = Grpc(reloading.service, host, grpc_port)
            reloading.takers.append(grpc.take)
            also = f"Over gRPC at {host}:{stack.enter_context(grpc)}."
        ready = announcing(
            host,
            lambda at: [
                f"Guard of {manifest.application.id} at {at}{model}/infer.",
                *([also] if also else []),
                f"Under {note['evidence']}.",
                f"Tokens issued: {issued}." if issued else "Nobody has a token: fivefold guard token issue.",
            ],
        )
        listen(reloading, host, port, ready, names=known_as or ())


def token(  # noqa: PLR0917  the options of a command
    word: Annotated[str, typer.Argument(help="issue, list or revoke.", metavar="WORD")],
    which: Annotated[str, typer.Argument(help="The token's id, to revoke it.", metavar="ID")] = "",
    where: _Where = Path(),
    name: Annotated[str, typer.Option(help="Whose token it is, for example branch-12.")] = "",
    role: Annotated[str, typer.Option(help="caller, operator or reviewer.")] = "caller",
    purpose: Annotated[list[str] | None, typer.Option(help="A declared purpose (repeatable).")] = None,
    *,
    days: Annotated[int, typer.Option(help="How long it counts.", min=1, max=3650)] = 90,
    json: Json = False,
) -> None:
    """Issue, list and revoke tokens. A token is shown once; only its hash is kept.

    Examples: [bold]fivefold guard token issue --name branch-12 --purpose credit-scoring --in my-app[/bold],
    [bold]fivefold guard token revoke 1f0c2a --in my-app[/bold]
    """
    from fivefold.errors import InputError
    from fivefold.guard.tokens import Tokens
    from fivefold.manifest.reader import read

    manifest = read(where)
    tokens = Tokens(manifest.application.id)
    if word == "list":
        held = tokens.listed()
        say(json=json, value=[_shown(one) for one in held], lines=[_line(one) for one in held] or ["None is issued."])
    elif word == "revoke":
        gone = tokens.revoke(which)
        say(json=json, value=_shown(gone), lines=[f"The token of {gone.principal.name} does not count any more."])
    elif word == "issue":
        text, made = tokens.issue(manifest, name, role, tuple(purpose or ()), days)
        lines = [text, f"It is shown this once: {_line(made)}."]
        say(json=json, value={**_shown(made), "token": text}, lines=lines)
    else:
        raise InputError("guard.word", f"{word[:40]!r} is not known here.", remedy="Write issue, list or revoke.")


def benefit(
    application: Annotated[Path, typer.Argument(help="The application's folder, or its manifest.")] = Path(),
    *,
    json: Json = False,
) -> None:
    """Show the live value of the declared benefit, from the outcomes on record, with its interval and target.

    An outcome is a record of the kind [bold]outcome[/bold] with the word [bold]benefit[/bold]: 1 or 0, or a number.
    Exit code 1 if it lies below the target, 3 if that is not settled.

    Example: [bold]fivefold guard benefit my-app[/bold]
    """
    from msgspec import to_builtins

    from fivefold.cli._io import EXIT_DONE, EXIT_FAILED, EXIT_INCONCLUSIVE
    from fivefold.contract.outcome import Outcome
    from fivefold.contract.registry import provided
    from fivefold.manifest.reader import read

    found = provided("operation.benefit")(read(application))
    lines = [f"{found.measure or 'No benefit is declared.'}"]
    if found.value is None:
        lines.append("No outcome with a benefit is on record.")
    else:
        unit = f" {found.unit}" if found.unit else ""
        lines.append(
            f"{found.value:.4g}{unit} in {found.n:,} outcomes "
            f"(one-sided 95 % bounds {found.low:.4g} and {found.high:.4g})"
        )
    lines.append("no target" if found.target is None else f"target {found.target:.4g}: {found.outcome.value}")
    say(json=json, value=to_builtins(found), lines=lines)
    codes = {Outcome.PASS: EXIT_DONE, Outcome.FAIL: EXIT_FAILED}
    raise typer.Exit(codes.get(found.outcome, EXIT_INCONCLUSIVE))


def _admitted(
    application: Path, evidence: Path | None, trust: Path | None, max_age: float, *, allowed: bool, seen: str = ""
) -> dict[str, Any]:
    """Return under which evidence the model is served; ``seen`` is what an endpoint was observed to be.

    Raises:
        InputError: ``guard.unattained`` if it does not attain the declared level and that is not allowed.
    """
    from fivefold.cli.gate import sealed
    from fivefold.errors import FivefoldError, InputError
    from fivefold.keys import store
    from fivefold.report.admission import admit

    try:
        document = sealed(application, evidence, trust)
        found = admit(document, store.utc_now(), days=max_age)
        reasons, level = list(found.reasons), found.attained
        said = f"evidence of attempt {found.attempt}, level {found.attained} attained"
    except FivefoldError as error:
        reasons, level, said = [str(error)], 0, "no evidence"
    else:
        fact = document.plan.facts.model
        if seen and (fact is None or fact.observed != seen):
            reasons.append("The model behind the endpoint is another than the one that was assessed.")
    if not reasons:
        return {"evidence": said, "attained": level}
    if not allowed:
        raise InputError(
            "guard.unattained",
            f"the evidence does not let this model be served: {' '.join(reasons[:3])}",
            remedy="Run: fivefold assess; or serve it all the same, on record: --allow-unattained.",
        )
    return {"evidence": f"{said}; served all the same (--allow-unattained)", "attained": level, "unattained": reasons}


def _reload(reloading: Any) -> None:
    """Load the application again, and say what came of it."""
    from fivefold.errors import FivefoldError

    shown = console(error=True)
    try:
        service = reloading.load("signal")
    except FivefoldError as error:
        shown.print(f"Not loaded again ({error.code}): {error}", markup=False)
    else:
        shown.print(f"Loaded again: version {service.version} is served.", markup=False)


def _shown(one: Any) -> dict[str, Any]:
    who = one.principal
    return {"id": one.id, "name": who.name, "role": who.role, "purposes": list(who.purposes), "until": _day(one.until)}


def _line(one: Any) -> str:
    who = one.principal
    return f"{one.id}  {who.name}  {who.role}  {', '.join(who.purposes) or '-'}  until {_day(one.until)}"


def _day(seconds: int) -> str:
    return time.strftime("%Y-%m-%d", time.gmtime(seconds))
