"""Counter: how many attempts each application had on this machine, kept apart from its evidence.

Deleting an evidence folder does not reset the number: the next attempt shows that earlier ones are not there.
Ids that differ only by case count as one, so that "Toy" buys no fresh number after "toy".
Limit: whoever owns the machine can delete this file too; only a root kept by somebody else proves completeness.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import unicodedata
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from fivefold.keys.store import locked

if TYPE_CHECKING:
    from collections.abc import Iterator


class _Count(msgspec.Struct, frozen=True):
    application: str
    attempts: int
    version: int = 1


def attempts(application: str) -> int:
    """Return the highest attempt number seen on this machine; 0 if none."""
    wanted = _folded(application)
    return max((item.attempts for item in _counts() if _folded(item.application) == wanted), default=0)


def record(application: str, attempt: int) -> None:
    """Remember that ``attempt`` exists; a lower number than the one known changes nothing."""
    if attempt <= attempts(application):
        return
    path = _file(application, ".json")
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    temporary.write_bytes(msgspec.json.encode(_Count(application=application, attempts=attempt)))
    temporary.replace(path)


@contextmanager
def exclusive(application: str) -> Iterator[None]:
    """Let one process of this user at a time append to an application's evidence."""
    with locked(_file(application, ".lock")):
        yield


def _counts() -> Iterator[_Count]:
    """All counts of this machine; there is one file for each application, and earlier versions told cases apart."""
    for path in sorted(_folder().glob("[!.]*.json")):
        with suppress(OSError, msgspec.DecodeError):
            yield msgspec.json.decode(path.read_bytes(), type=_Count)


def _folded(application: str) -> str:
    return unicodedata.normalize("NFKC", application).casefold()


def _folder() -> Path:
    base = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state")
    folder = base / "fivefold" / "applications"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return folder


def _file(application: str, suffix: str) -> Path:
    return _folder() / (hashlib.sha256(_folded(application).encode()).hexdigest()[:32] + suffix)
