"""Site: ``site.yaml`` beside the manifest: secrets, hosts and limits of this machine; unsigned, so it only tightens.

```yaml
endpoint: {token: {file: secrets/token}, hosts: [models.example.org], ca: ca.pem, rate: 20, calls: 2000, seconds: 10}
command: {seconds: 60, memory: 512, calls: 100}
events: {url: https://siem.example.org/events, token: {env: SIEM_TOKEN}}
record: {people: {file: secrets/database}, archive: {url: https://s3.example.org/bucket, access: {…}, secret: {…}}}
```
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from fivefold.errors import InputError, ProblemsError
from fivefold.manifest import address
from fivefold.manifest.schema import Field
from fivefold.manifest.tree import MAX_BYTES, grow
from fivefold.manifest.walk import Enough, Walk

if TYPE_CHECKING:
    from fivefold.manifest.nouns import Manifest

FILE = "site.yaml"
"""Its name, in the manifest's folder."""

SECONDS = 60.0
"""Longest that one call of an endpoint may take."""
WAITING = 300.0
"""Longest that one check waits for an endpoint that asks for patience."""
COMMAND_SECONDS = 300.0
"""Longest that one run of a command may take."""
COMMAND_MB = 4096.0
"""Most memory of a command and what it starts."""

_MAX_TOKEN = 16 << 10


def _secret(what: str) -> Field:
    return Field(
        "section",
        f"{what}: where it stands, never itself.",
        fields={
            "file": Field("text", "File that holds it, relative to this folder or absolute."),
            "env": Field("text", "Environment variable that holds it."),
        },
    )


_SHAPE = Field(
    "section",
    "What holds on this machine.",
    fields={
        "endpoint": Field(
            "section",
            "The endpoint.",
            fields={
                "token": _secret("Bearer token"),
                "hosts": Field("labels", "Hosts that may be spoken to."),
                "ca": Field("text", "PEM file of the authorities that may vouch for the endpoint, instead of all."),
                "rate": Field("number", "Most calls a second.", low=0.001),
                "calls": Field("integer", "Most calls of a run.", low=20),
                "seconds": Field("number", "Longest that one call may take.", low=0.1, high=SECONDS),
                "waiting": Field("number", "Longest that a check waits for the endpoint.", low=0, high=WAITING),
            },
        ),
        "command": Field(
            "section",
            "The command.",
            fields={
                "seconds": Field("number", "Longest that one run may take.", low=0.1, high=COMMAND_SECONDS),
                "memory": Field("number", "Most megabytes.", low=16, high=COMMAND_MB),
                "calls": Field("integer", "Most runs of it.", low=20),
            },
        ),
        "events": Field(
            "section",
            "Where a guard tells its alarms and refusals, as CloudEvents.",
            fields={
                "url": Field("text", "https://host/path.", required=True),
                "token": _secret("Bearer token"),
                "ca": Field("text", "PEM file of the authorities that may vouch for it, instead of all."),
            },
        ),
        "record": Field(
            "section",
            "The record.",
            fields={
                "people": _secret("Address of the PostgreSQL database that holds people's keys"),
                "archive": Field(
                    "section",
                    "Object storage for what is sealed.",
                    fields={
                        "url": Field("text", "https://host/bucket/prefix.", required=True),
                        "access": _secret("Name of the key"),
                        "secret": _secret("The key"),
                        "region": Field("text", "Region that signatures name."),
                        "ca": Field("text", "PEM file of the authorities that may vouch for it, instead of all."),
                    },
                ),
            },
        ),
    },
)


class Site(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What this machine adds.

    Attributes:
        calls: Most calls of a run; 0: no limit.
        token: Bearer token; empty: none. It is written nowhere.
        ca: PEM text of the only authorities that count; empty: those of the system.
        rate: Most calls a second; 0: no limit.
        seconds: Longest that one call of the endpoint may take.
        waiting: Longest that a check waits for the endpoint in all.
        command_seconds: Longest that one run of the command may take.
        command_mb: Most memory of the command and what it starts.
    """

    calls: int = 0
    token: str = ""
    ca: str = ""
    rate: float = 0.0
    seconds: float = SECONDS
    waiting: float = WAITING
    command_seconds: float = COMMAND_SECONDS
    command_mb: float = COMMAND_MB


class EventsSite(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Where a guard tells its alarms and refusals.

    Attributes:
        url: Where to; empty: nowhere.
        token: Bearer token; empty: none. It is written nowhere.
        ca: PEM text of the only authorities that count; empty: those of the system.
    """

    url: str = ""
    token: str = ""
    ca: str = ""

    def __repr__(self) -> str:
        return f"EventsSite(url={self.url!r})"


class RecordSite(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Where the parts of a record lie that are not in its folder; empty: they are.

    Attributes:
        people: Address of the database of people's keys. It is written nowhere.
        archive: Address of the object storage.
        access: Name of its key.
        secret: Its key. It is written nowhere.
        region: Region that signatures name.
        ca: File of the only authorities that may vouch for it.
    """

    people: str = ""
    archive: str = ""
    access: str = ""
    secret: str = ""
    region: str = "us-east-1"
    ca: str = ""

    def __repr__(self) -> str:
        return f"RecordSite(archive={self.archive!r})"


def read(manifest: Manifest) -> Site:
    """Read ``site.yaml`` beside a manifest, if there is one.

    Raises:
        InputError: ``site.unreadable``, ``site.host``, ``site.loosens``, ``site.token``, ``site.ca``.
        ProblemsError: All faults of shape at once.
    """
    file = manifest.root / FILE
    declared = manifest.model.calls if manifest.model else 0
    if not file.exists():
        return Site(calls=declared)
    document = _document(file)
    endpoint, command = document.get("endpoint", {}), document.get("command", {})
    model = manifest.model
    mine = endpoint if model and model.endpoint else command if model and model.command else {}
    if model and model.endpoint:
        _require_host(model.endpoint, endpoint.get("hosts"), file)
    return Site(
        calls=_calls(declared, mine.get("calls", 0), file),
        token=_token(manifest, endpoint.get("token", {}), file),
        ca=_text(_place(manifest.root, endpoint["ca"]), "site.ca", file, 16 << 20) if "ca" in endpoint else "",
        rate=float(endpoint.get("rate", 0.0)),
        seconds=float(endpoint.get("seconds", SECONDS)),
        waiting=float(endpoint.get("waiting", WAITING)),
        command_seconds=float(command.get("seconds", COMMAND_SECONDS)),
        command_mb=float(command.get("memory", COMMAND_MB)),
    )


def record(manifest: Manifest) -> RecordSite:
    """Read what ``site.yaml`` says of the record.

    Raises:
        InputError: ``site.unreadable``; ``site.secret`` for one that is not there.
        ProblemsError: All faults of shape at once.
    """
    file = manifest.root / FILE
    told = _document(file).get("record", {}) if file.exists() else {}
    archive = told.get("archive", {})
    people, access, secret = (
        _given(manifest.root, named, file, "site.secret") if named is not None else ""
        for named in (told.get("people"), archive.get("access"), archive.get("secret"))
    )
    if archive and not (access and secret):
        raise InputError(
            "site.secret", "record.archive needs access and secret.", where=str(file), remedy="Name where they stand."
        )
    return RecordSite(
        people=people,
        archive=archive.get("url", ""),
        access=access,
        secret=secret,
        region=archive.get("region", "us-east-1"),
        ca=str(_place(manifest.root, archive["ca"])) if "ca" in archive else "",
    )


def events(manifest: Manifest) -> EventsSite:
    """Read what ``site.yaml`` says of events.

    Raises:
        InputError: ``site.unreadable``, ``site.ca``; ``site.secret`` for a token that is not there.
        ProblemsError: All faults of shape at once.
    """
    file = manifest.root / FILE
    told = _document(file).get("events", {}) if file.exists() else {}
    return EventsSite(
        url=told.get("url", ""),
        token=_given(manifest.root, told["token"], file, "site.secret") if "token" in told else "",
        ca=_text(_place(manifest.root, told["ca"]), "site.ca", file, 16 << 20) if "ca" in told else "",
    )


def secrets(manifest: Manifest) -> tuple[Path, ...]:
    """Return the files of this machine that no model may read; none is opened but ``site.yaml``."""
    file = manifest.root / FILE
    if not file.exists():
        return ()
    told = _document(file)
    archive = told.get("record", {}).get("archive", {})
    every = (
        told.get("endpoint", {}).get("token"), told.get("record", {}).get("people"), archive.get("access"),
        archive.get("secret"), told.get("events", {}).get("token"),
    )  # fmt: skip
    return (file, *(_place(manifest.root, named["file"]) for named in every if named and "file" in named))


def _document(file: Path) -> dict[str, Any]:
    try:
        with file.open("rb") as stream:
            raw = stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise InputError("site.unreadable", f"it cannot be read ({error.strerror}).", where=str(file)) from None
    node, problems = grow(raw, str(file))
    walk = Walk(str(file), problems=list(problems))
    found: dict[str, Any] = {}
    with suppress(Enough):
        if node is not None and (node.fields is not None or not problems):
            found = walk.read(node, _SHAPE, "") or {}
    if walk.problems:
        raise ProblemsError(tuple(walk.problems))
    return found


def _require_host(url: str, hosts: tuple[str, ...] | None, file: Path) -> None:
    parts = address.parse(url)
    allowed = {host.lower() for host in hosts or ()}
    if hosts is not None and not {parts.host.lower(), f"{parts.host}:{parts.port}".lower()} & allowed:
        raise InputError(
            "site.host",
            f"the manifest's endpoint is at {parts.host}, which is not among the hosts that may be spoken to.",
            where=str(file),
            remedy="Add it to endpoint.hosts if you trust it.",
        )


def _calls(declared: int, lower: int, file: Path) -> int:
    if declared and lower > declared:
        raise InputError(
            "site.loosens",
            f"{lower:,} calls are more than the {declared:,} of the manifest; this file can only lower them.",
            where=str(file),
            remedy="Lower the number, or raise model.calls in the manifest.",
        )
    return lower or declared


def _token(manifest: Manifest, named: dict[str, str], file: Path) -> str:
    if not named or not (manifest.model and manifest.model.endpoint):
        return ""
    token = _given(manifest.root, named, file, "site.token")
    parts = address.parse(manifest.model.endpoint)
    if not parts.tls and not parts.own:
        raise InputError(
            "site.token",
            "a token is not sent over a connection that anybody on the way can read.",
            where=str(file),
            remedy="Use https:// or grpcs:// in model.endpoint.",
        )
    return token


def _place(root: Path, name: str) -> Path:
    return root / Path(name).expanduser()


def _text(path: Path, code: str, file: Path, most: int) -> str:
    try:
        with path.open("rb") as stream:
            raw = stream.read(most + 1)
        if len(raw) <= most:
            return raw.decode("ascii")
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "it is no text"
        raise InputError(code, f"{path.name} cannot be read ({why}).", where=str(file)) from None
    raise InputError(code, f"{path.name} is too large.", where=str(file))


def _given(root: Path, named: dict[str, str], file: Path, code: str) -> str:
    """Return a secret from where it stands: one line without blanks or odd characters."""
    if len(named) != 1:
        raise InputError(code, "one of file and env must be given.", where=str(file), remedy="Keep one of them.")
    if "env" in named:
        found = os.environ.get(named["env"], "")
        lacking = f"the environment variable {named['env'][:80]} is not set."
    else:
        found = _text(_place(root, named["file"]), code, file, _MAX_TOKEN)
        lacking = f"the file {named['file'][:80]} is empty."
    secret = found.strip()
    if not secret or not secret.isascii() or not secret.isprintable() or " " in secret:
        message = lacking if not secret else "what is there holds blanks or odd characters."
        raise InputError(code, message, where=str(file), remedy="Put the bare text there, on one line.")
    return secret
