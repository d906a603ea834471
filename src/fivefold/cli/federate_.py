"""Commands ``federate``: a federation on Flower whose server sees sums alone, from keys to a run."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from fivefold.cli._io import Json  # noqa: TC001  typer reads it at run time
from fivefold.cli._text import say

Federation = Annotated[
    Path, typer.Option("--federation", help="The agreement, as all parties keep it.", metavar="FILE")
]
Ca = Annotated[Path | None, typer.Option(help="Certificate of the authority that vouches for the server.")]
Insecure = Annotated[bool, typer.Option("--insecure", help="Do not encrypt: one machine, or a private network.")]
Set = Annotated[
    list[str] | None, typer.Option("--set", help="A setting of the app; may be given again.", metavar="NAME=VALUE")
]


def key(
    name: Annotated[str, typer.Argument(help="What the client is called, such as hospital-a.")],
    out: Annotated[Path, typer.Option(help="Folder for both files.", metavar="FOLDER")] = Path(),
    *,
    json: Json = False,
) -> None:
    """Make a client's key: NAME.pem stays with the client, NAME.client goes to whoever writes the agreement.

    Example: [bold]fivefold federate key hospital-a[/bold]
    """
    from fivefold.contract.registry import provided

    private, public = provided("federate.key")(name, out)
    lines = [f"Key: {private} (keep it)", f"Line for the agreement: {public} (send it)"]
    say(json=json, value={"key": str(private), "client": str(public)}, lines=lines)


def new(
    folder: Annotated[Path, typer.Argument(help="New folder for the agreement and a Flower app.")],
    clients: Annotated[list[Path], typer.Argument(help="The NAME.client files of all clients.")],
    *,
    least: Annotated[int, typer.Option(help="Fewest clients in a sum (0: more than half).", min=0)] = 0,
    examples: Annotated[int, typer.Option(help="Most rows a client counts for; 1: all count alike.", min=1)] = 1000,
    clip: Annotated[float, typer.Option(help="Largest change of one number of the model in a round.")] = 1.0,
    cohorts: Annotated[int, typer.Option(help="Sums a round, for a robust strategy (0: one).", min=0)] = 0,
    noise: Annotated[float, typer.Option(help="Noise in a sum, in lengths of an update (0: none).", min=0)] = 0.0,
    norm: Annotated[float, typer.Option(help="Largest length of an update, with --noise.", min=0)] = 0.0,
    colluding: Annotated[int, typer.Option(help="Clients who may tell their noise.", min=0)] = 0,
    json: Json = False,
) -> None:
    """Write what all parties agree on, and an app of Flower's to begin with.

    Example: [bold]fivefold federate new study hospital-a.client hospital-b.client hospital-c.client[/bold]
    """
    from fivefold.contract.registry import provided

    given = {"least": least, "examples": 1 if noise else examples, "clip": clip, "cohorts": cohorts}
    given |= {"noise": noise, "norm": norm, "colluding": colluding} if noise else {}
    file = provided("federate.new")(folder, clients, given)
    lines = [f"Agreement: {file} (every party keeps a copy)", f"App: {folder / 'app'}"]
    say(
        json=json,
        value={"federation": str(file)},
        lines=lines + provided("federate.told")(provided("federate.read")(file)),
    )


def serve(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on.", min=1, max=65535)] = 8000,
    cert: Annotated[Path | None, typer.Option(help="The server's certificate.")] = None,
    key: Annotated[Path | None, typer.Option(help="Its key.")] = None,
    ca: Ca = None,
    *,
    insecure: Insecure = False,
) -> None:
    """Start Flower's SuperLink, which clients join and runs are handed to, until interrupted.

    Example: [bold]fivefold federate serve --insecure[/bold]
    """
    from fivefold.contract.registry import provided

    secure = provided("federate.secure")(ca=ca, cert=cert, key=key)
    command = provided("federate.serve")(host, port, secure, insecure=insecure)
    sys.stdout.write(f"SuperLink at {host}:{port}; clients join with: fivefold federate join {host}:{port} ...\n")
    _become(command)


def join(
    server: Annotated[str, typer.Argument(help="Address of the SuperLink, host:port.")],
    *,
    name: Annotated[str, typer.Option(help="Who you are in the agreement.")],
    key: Annotated[Path, typer.Option(help="Your key.", metavar="FILE")],
    federation: Federation = Path("federation.toml"),
    settings: Set = None,
    ca: Ca = None,
    insecure: Insecure = False,
) -> None:
    """Join as a client: Flower's SuperNode, which trains on your rows and sends masked updates, until interrupted.

    Example: [bold]fivefold federate join example.org:8000 --name a --key a.pem --set data=rows.csv --ca ca.pem[/bold]
    """
    from fivefold.contract.registry import provided

    party = provided("federate.party")(name, key, federation, provided("federate.settings")(settings or ()))
    agreed, _ = provided("federate.joining")(party)
    command = provided("federate.join")(server, party, provided("federate.secure")(ca=ca), insecure=insecure)
    sys.stdout.write("\n".join([f"You are {name}.", *provided("federate.told")(agreed)]) + "\n")
    _become(command)


def run(
    app: Annotated[Path, typer.Argument(help="Folder of a Flower app.")],
    server: Annotated[str, typer.Option(help="Address of the SuperLink, host:port.")] = "127.0.0.1:8000",
    settings: Set = None,
    ca: Ca = None,
    *,
    insecure: Insecure = False,
) -> None:
    """Have an app trained by the clients that joined, and show how it goes.

    Example: [bold]fivefold federate run study/app --set rounds=5 --insecure[/bold]
    """
    from fivefold.contract.registry import provided
    from fivefold.errors import InputError

    if not insecure and ca is None:
        raise InputError("federated.tls", "the connection would not be encrypted.", remedy="Name --ca, or --insecure.")
    given = provided("federate.settings")(settings or ())
    number = provided("federate.run")(app, server, given, say=_line, ca=None if insecure else ca)
    _line(f"Run {number} is done.")


def try_(
    app: Annotated[Path, typer.Argument(help="Folder of a Flower app.")],
    party: Annotated[
        list[str], typer.Option("--party", help="A client's key and rows; once for each.", metavar="NAME.pem=ROWS.csv")
    ],
    federation: Federation = Path("federation.toml"),
    settings: Set = None,
    logs: Annotated[Path | None, typer.Option(help="Folder for the programs' logs.", metavar="FOLDER")] = None,
) -> None:
    """Rehearse on this machine: a SuperLink and a SuperNode for each party, one run, and all are ended.

    Example: [bold]fivefold federate try study/app --party a.pem=a.csv --party b.pem=b.csv --party c.pem=c.csv[/bold]
    """
    from fivefold.contract.registry import provided

    parties = []
    for word in party:
        file, rows = provided("federate.pairs")(word)
        own = {"data": str(rows.resolve())}
        parties.append(provided("federate.party")(file.stem, file, federation, own))
    given = {
        "federation": str(federation.resolve()),
        "clients": str(len(parties)),
        **provided("federate.settings")(settings or ()),
    }
    given["result"] = str(Path(given.get("result", "model.npz")).resolve())
    with contextlib.ExitStack() as stack:
        place = logs or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        place.mkdir(parents=True, exist_ok=True)
        provided("federate.try")(app, parties, given, say=_line, logs=place)
    _line(f"Model: {given['result']}")


def _become(command: list[str]) -> NoReturn:
    """Run a program in this process' place, so that whatever ends this one ends it."""
    from fivefold.contract.registry import provided

    sys.stdout.flush()
    os.execve(command[0], command, provided("federate.environment")())  # noqa: S606  a program of Flower's, by its path


def _line(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()
