"""Calls: the budget of a run that asks somebody else's model, kept in one file that every asking process appends to.

A call is written down before it is made, under a lock, so that the budget holds to the call across processes, kills and
resumed runs. Each check has a share of its own, which makes what it can ask independent of what others asked. What
nobody can foresee (calls made again, a check that was interrupted) comes out of a common reserve first.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
from typing import TYPE_CHECKING

from fivefold.errors import SubjectError

if TYPE_CHECKING:
    from pathlib import Path

SPENT = "model.calls"
"""Code of the error when no call is left."""

_RECORD = 16
_OWN, _RESERVE = b"s", b"r"


class Ledger:
    """The calls of a run, from the side that makes them.

    Attributes:
        made: Calls that this object wrote down.
    """

    def __init__(self, path: Path, who: str, total: int, share: int, reserve: int) -> None:
        """Open the file.

        Args:
            path: The file; made if needed.
            who: Check id, or ``probe``.
            total: Most calls of the run; 0: no limit.
            share: Of this check.
            reserve: For all checks together, beyond their shares.
        """
        self.made = 0
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        self._who = hashlib.sha256(who.encode()).digest()[: _RECORD - 1]
        self._total, self._share, self._reserve = total, share, reserve
        self._at = self._used = self._mine = self._lent = 0

    def take(self, *, again: bool = False) -> None:
        """Write one call down; it may be made then.

        Args:
            again: The same question was asked before, and came to nothing.

        Raises:
            SubjectError: ``model.calls`` if none is left.
        """
        fcntl.flock(self._file, fcntl.LOCK_EX)
        try:
            os.write(self._file, self._who + (self._kind(again=again) if self._total else _OWN))
        finally:
            fcntl.flock(self._file, fcntl.LOCK_UN)
        self.made += 1

    def close(self) -> None:
        """Give the file up."""
        os.close(self._file)

    def _kind(self, *, again: bool) -> bytes:
        self._read()
        own, lent = self._mine < self._share, self._lent < self._reserve
        if self._used < self._total and (own or lent):
            return _RESERVE if lent and (again or not own) else _OWN
        raise SubjectError(
            SPENT,
            f"the budget of calls is spent: {self._used:,} of {self._total:,} were made, {self._mine:,} of the "
            f"{self._share:,} that the plan gives here.",
            remedy="Raise model.calls, or choose a lower effort.",
        )

    def _read(self) -> None:
        """Count what was written since the last time, by anybody."""
        size = os.fstat(self._file).st_size // _RECORD * _RECORD
        data = os.pread(self._file, size - self._at, self._at)
        for at in range(0, len(data), _RECORD):
            lent = data[at + _RECORD - 1 : at + _RECORD] == _RESERVE
            self._lent += lent
            self._mine += not lent and data[at : at + _RECORD - 1] == self._who
        self._used, self._at = size // _RECORD, size


def made(path: Path) -> int:
    """Return the calls that a run has made so far."""
    try:
        return path.stat().st_size // _RECORD
    except OSError:
        return 0


def continued(path: Path, start: int) -> None:
    """Drop what was written before ``start`` calls: those belong to another run."""
    with path.open("r+b") as file:
        file.seek(start * _RECORD)
        rest = file.read()
        file.seek(0)
        file.write(rest)
        file.truncate()
