"""Layout: the names that an evidence folder may hold, and what each kind of file is.

``log/entries`` and ``log/checkpoint`` describe all other files; every other file is one leaf of the log.
"""

from __future__ import annotations

import re
from typing import Literal

import msgspec

from fivefold.contract.codec import canonical
from fivefold.errors import InputError, TrustError

Kind = Literal["key", "plan", "manifest", "finding", "verdict", "report", "waiver", "rejudgement"]

ENTRIES = "log/entries"
CHECKPOINT = "log/checkpoint"
FOLDERS = ("attempts", "keys", "log", "verdicts", "waivers")
REPORT_SUBJECT = "report.html"
"""Name under which a verdict statement carries the digest of its report."""

MAX_FILE = 32 << 20
"""Largest file of an evidence folder in bytes."""
MAX_ENTRIES = 100_000
MAX_LINE = 4096

_ID = r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}"
_PATTERNS: tuple[tuple[Kind, re.Pattern[str]], ...] = (
    ("key", re.compile(r"keys/(?P<id>[0-9a-f]{64})\.pem")),
    ("plan", re.compile(r"attempts/(?P<attempt>[0-9]{4,8})/plan\.json")),
    ("manifest", re.compile(r"attempts/(?P<attempt>[0-9]{4,8})/manifest\.yaml")),
    ("finding", re.compile(rf"attempts/(?P<attempt>[0-9]{{4,8}})/statements/(?P<id>{_ID})\.json")),
    ("verdict", re.compile(r"attempts/(?P<attempt>[0-9]{4,8})/verdict\.json")),
    ("report", re.compile(r"attempts/(?P<attempt>[0-9]{4,8})/report\.html")),
    ("waiver", re.compile(rf"waivers/(?P<id>{_ID})\.json")),
    ("rejudgement", re.compile(r"verdicts/(?P<id>[0-9]{4,8})\.json")),
)


class Entry(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One leaf of the log: a file's path, its SHA-256 and its kind."""

    kind: Kind
    path: str
    sha256: str

    def line(self) -> bytes:
        """Return the leaf's bytes: canonical JSON without a newline."""
        return canonical(self)


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """What a path says: kind, attempt number (0: none), id (check, key, waiver or number; empty: none)."""

    kind: Kind
    attempt: int = 0
    id: str = ""


def place(path: str) -> Place | None:
    """Return what ``path`` stands for, or None if no file of that name belongs into an evidence folder."""
    for kind, pattern in _PATTERNS:
        if match := pattern.fullmatch(path):
            parts = match.groupdict()
            number = int(parts.get("attempt") or 0)
            if "attempt" in parts and parts["attempt"] != f"{number:04d}":
                return None
            return Place(kind=kind, attempt=number, id=parts.get("id") or "")
    return None


def attempt_path(attempt: int, name: str) -> str:
    """Return the path of a file of an attempt, for example ``attempts/0001/plan.json``."""
    return f"attempts/{attempt:04d}/{name}"


def finding_path(attempt: int, check: str) -> str:
    """Return the path of a finding.

    Raises:
        InputError: ``evidence.id`` if the check id cannot be a file name.
    """
    if not re.fullmatch(_ID, check):
        raise InputError("evidence.id", f"the check id {check[:40]!r} cannot be a file name.")
    return attempt_path(attempt, f"statements/{check}.json")


def key_path(key_id: str) -> str:
    """Return the path of a public key."""
    return f"keys/{key_id}.pem"


def read_entry(line: bytes, number: int) -> Entry:
    """Read one line of ``log/entries``; it must be exactly canonical.

    Raises:
        TrustError: ``evidence.malformed-log``.
    """
    try:
        entry = msgspec.json.decode(line, type=Entry)
        if len(line) <= MAX_LINE and entry.line() == line and re.fullmatch(r"[0-9a-f]{64}", entry.sha256):
            here = place(entry.path)
            if here is not None and here.kind == entry.kind:
                return entry
    except (msgspec.DecodeError, UnicodeDecodeError, InputError):
        pass
    raise TrustError("evidence.malformed-log", f"line {number} of the log cannot be read.", where=ENTRIES)


def split_lines(data: bytes) -> tuple[list[bytes], bytes]:
    """Split ``log/entries`` into complete lines (without newlines) and the torn rest after the last newline.

    Raises:
        TrustError: ``evidence.malformed-log`` for more lines than a log may have.
    """
    *lines, torn = data.split(b"\n")
    if len(lines) > MAX_ENTRIES:
        raise TrustError("evidence.malformed-log", f"the log has more than {MAX_ENTRIES} lines.", where=ENTRIES)
    return lines, torn
