"""Flower's own programs, started for a federation: a SuperLink, SuperNodes, and runs; nothing here imports Flower."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from fivefold.errors import InputError, StorageError
from fivefold.keys.signing import generate, load_private
from fivefold.sharing.federated import agreement, distributed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from fivefold.keys.signing import Signer
    from fivefold.sharing.federated.agreement import Agreement

_READY, _ENDING = 60.0, 10.0
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_KEY = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}")
_PLAIN = re.compile(r"-?\d+(\.\d+)?([eE][-+]?\d+)?|true|false")
_RUN = re.compile(r"started run (\d+)")


@dataclass(frozen=True)
class Secure:
    """How a connection is encrypted; all empty: it is not.

    Attributes:
        ca: File of the authority's certificate.
        cert: File of the server's certificate.
        key: File of its key.
    """

    ca: Path | None = None
    cert: Path | None = None
    key: Path | None = None


@dataclass(frozen=True)
class Party:
    """A client as it joins.

    Attributes:
        name: As in the agreement.
        key: File of its key.
        federation: File of the agreement.
        settings: For the application, such as where its rows are.
    """

    name: str
    key: Path
    federation: Path
    settings: Mapping[str, str]


def make_key(name: str, folder: Path) -> tuple[Path, Path]:
    """Make a client's key; return its file, and that of the line for the agreement.

    Raises:
        InputError: ``federated.name``; ``federated.exists``.
    """
    if not _NAME.fullmatch(name):
        raise InputError("federated.name", "a client's name has 1 to 64 letters, digits, dots, dashes.",
                         remedy="Choose one such as hospital-a.")  # fmt: skip
    private, public = folder / f"{name}.pem", folder / f"{name}.client"
    for file in (private, public):
        if file.exists():
            raise InputError("federated.exists", "it is there already.", where=str(file), remedy="Name another folder.")
    signer = generate()
    folder.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(private, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as written:
        written.write(signer.private_pem())
    public.write_text(agreement.line(name, signer.public) + "\n", encoding="utf-8")
    return private, public


def make_agreement(folder: Path, clients: Sequence[Path], settings: Mapping[str, float]) -> Path:
    """Write an agreement and an app of Flower's into a new folder; return the agreement's file.

    Args:
        folder: New.
        clients: Files of lines that clients sent.
        settings: Fields of :class:`Agreement` that are not to be as they are by themselves.

    Raises:
        InputError: ``federated.exists``, ``federated.agreement``.
    """
    if folder.exists():
        raise InputError("federated.exists", "it is there already.", where=str(folder), remedy="Name a new folder.")
    try:
        lines = [line for file in clients for line in file.read_text(encoding="utf-8").splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError):
        raise InputError("federated.agreement", "a client's file cannot be read.",
                         remedy="Name the files NAME.client that clients sent.") from None  # fmt: skip
    text = "# Every party keeps this file; none takes it from the server.\n"
    text += "".join(f"{key} = {value:g}\n" for key, value in settings.items()) + "\n[clients]\n"
    text += "\n".join(lines) + "\n"
    with tempfile.TemporaryDirectory() as scratch:
        trial = Path(scratch) / "federation.toml"
        trial.write_text(text, encoding="utf-8")
        agreement.read(trial)
    shutil.copytree(Path(__file__).parent / "_template", folder / "app", ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "federation.toml").write_text(text, encoding="utf-8")
    return folder / "federation.toml"


def told(agreed: Agreement, rounds: int = 0) -> list[str]:
    """Say what an agreement protects, in sentences.

    Args:
        agreed: It.
        rounds: For how many rounds epsilon is told; 0: for one.
    """
    count, sums = len(agreed.clients), max(agreed.cohorts, 1)
    seen = f"{sums} sums" if sums > 1 else "one sum"
    lines = [f"{count} clients; the server sees {seen} a round, of {agreed.fewest} clients at least."]
    if not agreed.noise:
        return [*lines, "No noise: what the sum itself tells, the server and whoever gets the model can read."]
    terms = agreed.terms(sorted(agreed.clients)[: count // sums], 10_000, "told", "")
    epsilon = distributed.epsilon_after(terms, rounds or 1, agreed.delta)
    cost = f"Noise: epsilon {epsilon:.3g} at delta {agreed.delta:g} for a client in {rounds or 1} round(s)"
    return [*lines, f"{cost} of a model of 10,000 numbers, towards the server too."]


def joining(party: Party) -> tuple[Agreement, Signer]:
    """Check that a client can join before it does.

    Raises:
        InputError: ``federated.agreement``, ``federated.key``, ``federated.name``.
    """
    agreed = agreement.read(party.federation)
    if party.name not in agreed.clients:
        raise InputError("federated.name", f"{party.name!r} is no client of the agreement.",
                         remedy=f"One of: {', '.join(sorted(agreed.clients)[:10])}.")  # fmt: skip
    try:
        signer = load_private(party.key.read_bytes())
    except OSError as error:
        raise InputError("federated.key", f"the key cannot be read ({error.strerror}).", where=str(party.key),
                         remedy=f"Make one: `fivefold federate key {party.name}`.") from None  # fmt: skip
    if party.key.stat().st_mode & 0o077:
        raise InputError("federated.key", "others may read the key.", where=str(party.key),
                         remedy=f"chmod 600 {party.key}")  # fmt: skip
    if agreed.roster()[party.name].id != signer.public.id:
        raise InputError("federated.key", f"this is not the key of {party.name} in the agreement.",
                         where=str(party.key), remedy="Name the key whose line was sent.")  # fmt: skip
    return agreed, signer


def serve_command(host: str, port: int, secure: Secure, *, insecure: bool) -> list[str]:
    """Return how a SuperLink is started.

    Raises:
        InputError: ``federated.tls`` unless there is a certificate, or none is wanted.
    """
    command = [program("flower-superlink"), "--host", host, "--port", str(port)]
    command.append("--disable-runtime-dependency-installation")
    if insecure:
        return [*command, "--insecure"]
    if not (secure.cert and secure.key and secure.ca):
        raise _tls("Name --cert, --key and --ca, or say --insecure (on one machine, or within a private network).")
    return [*command, "--ssl-certfile", str(secure.cert), "--ssl-keyfile", str(secure.key), "--ssl-ca-certfile",
            str(secure.ca)]  # fmt: skip


def join_command(server: str, party: Party, secure: Secure, *, insecure: bool) -> list[str]:
    """Return how a SuperNode is started.

    Raises:
        InputError: ``federated.tls``; ``federated.setting``.
    """
    own = {
        "fivefold-name": party.name, "fivefold-key": str(party.key.resolve()),
        "fivefold-federation": str(party.federation.resolve()), **party.settings,
    }  # fmt: skip
    command = [program("flower-supernode"), "--superlink", server, "--port", str(free_port())]
    command += ["--node-config", _config(own)]
    if insecure:
        return [*command, "--insecure"]
    if not secure.ca:
        raise _tls("Name --ca, or say --insecure (on one machine, or within a private network).")
    return [*command, "--root-certificates", str(secure.ca)]


def run_app(
    app: Path, server: str, settings: Mapping[str, str], *, say: Callable[[str], None], ca: Path | None = None
) -> str:
    """Hand an app to a SuperLink, pass its log on line by line, and return the run's number.

    Args:
        app: Folder of the app.
        server: Address of the SuperLink.
        settings: Of the run.
        say: Takes lines.
        ca: Certificate of the authority; None: the connection is not encrypted.

    Raises:
        InputError: ``federated.app``; ``federated.setting``; ``federated.run`` if the run does not end well.
    """
    if not (app / "pyproject.toml").is_file():
        raise InputError("federated.app", "this is no app of Flower's.", where=str(app),
                         remedy="Name a folder with a pyproject.toml; `fivefold federate new` writes one.")  # fmt: skip
    with tempfile.TemporaryDirectory() as home:
        tls = f'root-certificates = "{ca.resolve()}"' if ca else "insecure = true"
        text = f'[superlink]\ndefault = "there"\n[superlink.there]\naddress = "{server}"\n{tls}\n'
        (Path(home) / "config.toml").write_text(text, encoding="utf-8")
        env = environment() | {"FLWR_HOME": home}
        command = [program("flwr"), "run", str(app), "there", "--stream"]
        command += ["--run-config", _config(settings)] if settings else []
        number = ""
        # S603 here and below: the words are this module's, and values that were checked
        with subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as told_by:  # noqa: S603
            for line in told_by.stdout or ():
                clean = re.sub(r"\x1b\[[0-9;]*m", "", line.rstrip())
                number = found.group(1) if (found := _RUN.search(clean)) else number
                say(clean)
        asked = [program("flwr"), "list", "there", "--run-id", number, "--format", "json"]
        answer = subprocess.run(asked, env=env, capture_output=True, text=True, check=False, timeout=_READY)  # noqa: S603
    if not number or not _completed(answer.stdout):
        raise InputError("federated.run", "the run did not end well.", remedy="Read the log above: each client that "
                         "refuses says why, beginning with a code such as federated.terms.")  # fmt: skip
    return number


def _completed(text: str) -> bool:
    try:
        runs = json.loads(text)["runs"]
    except (ValueError, KeyError, TypeError):
        return False
    return bool(runs) and str(runs[0].get("status")) == "finished:completed"


def rehearse(
    app: Path, parties: Sequence[Party], settings: Mapping[str, str], *, say: Callable[[str], None], logs: Path
) -> str:
    """Hold a run on this machine alone: a SuperLink, and a SuperNode for each party.

    Raises:
        InputError: As :func:`joining` and :func:`run_app`; ``federated.start`` if a program does not come up.
    """
    for party in parties:
        joining(party)
    with contextlib.ExitStack() as stack:
        port = free_port()
        address = f"127.0.0.1:{port}"
        link = serve_command("127.0.0.1", port, Secure(), insecure=True)
        stack.enter_context(running(link, logs / "superlink.log"))
        _await(port, logs / "superlink.log")
        for party in parties:
            command = join_command(address, party, Secure(), insecure=True)
            stack.enter_context(running(command, logs / f"{party.name}.log"))
        return run_app(app, address, settings, say=say)


@contextlib.contextmanager
def running(command: Sequence[str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Start a program that writes to a log, and end it and all that it started."""
    env = environment() | {"FLWR_HOME": str(log.with_suffix(".flower"))}
    with log.open("wb") as file:
        process = subprocess.Popen(command, env=env, stdout=file, stderr=subprocess.STDOUT, start_new_session=True)  # noqa: S603
    try:
        yield process
    finally:
        for number in (signal.SIGTERM, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(_ENDING)


def program(name: str) -> str:
    """Return the path of one of Flower's programs.

    Raises:
        InputError: ``federated.flower`` if Flower is not installed beside this program.
    """
    beside = Path(sys.executable).parent / name
    found = str(beside) if beside.exists() else shutil.which(name)
    if not found:
        raise InputError("federated.flower", "Flower is not installed.", remedy="pip install 'fivefold[federated]'")
    return found


def environment() -> dict[str, str]:
    """Return an environment in which Flower reports nothing to its makers and finds its programs."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    return {**os.environ, "PATH": path, "FLWR_TELEMETRY_ENABLED": "0", "FLWR_DISABLE_UPDATE_CHECK": "1"}


def free_port() -> int:
    """Return a port that nobody listens on now."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def settings_of(words: Sequence[str]) -> dict[str, str]:
    """Read words such as ``rounds=5``.

    Raises:
        InputError: ``federated.setting``.
    """
    found = {}
    for word in words:
        key, equals, value = word.partition("=")
        if not equals or not _KEY.fullmatch(key):
            raise InputError("federated.setting", f"{word[:80]!r} is no setting.", remedy="Write NAME=VALUE.")
        found[key] = value
    return found


def pairs_of(word: str) -> tuple[Path, Path]:
    """Read ``NAME.pem=ROWS.csv``: two files that exist.

    Raises:
        InputError: ``federated.party``.
    """
    first, _, second = word.partition("=")
    for file in (first, second):
        if not Path(file).is_file():
            raise InputError("federated.party", f"there is no file {file[:200]!r}.", remedy="Write NAME.pem=ROWS.csv.")
    return Path(first), Path(second)


def _config(settings: Mapping[str, str]) -> str:
    """Return settings as Flower reads them: TOML, one after the other."""
    parts = []
    for key, value in settings.items():
        if any(mark in value for mark in ('"', "\\", "\n", "'")):
            raise InputError("federated.setting", f"{key} holds a quote or a backslash, which Flower does not read.",
                             remedy="Leave it out, or set it in the app's pyproject.toml.")  # fmt: skip
        parts.append(f"{key}={value}" if _PLAIN.fullmatch(value) else f'{key}="{value}"')
    return " ".join(parts)


def _await(port: int, log: Path) -> None:
    until = time.monotonic() + _READY
    while time.monotonic() < until:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.2)
    raise StorageError("federated.start", "Flower's SuperLink does not come up.", where=str(log),
                       remedy="Read its log.")  # fmt: skip


def _tls(remedy: str) -> InputError:
    return InputError("federated.tls", "the connection would not be encrypted.", remedy=remedy)
