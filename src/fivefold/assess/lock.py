"""Lock: one assessment of an application at a time, since both would take up the same attempt."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

from fivefold.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextlib.contextmanager
def alone(application: str) -> Iterator[None]:
    """Hold the lock of an application; it is given up when the process ends, however it ends.

    Raises:
        InputError: ``assess.running`` if another assessment of it is running; ``assess.state`` if the user's state
            folder cannot be written.
    """
    base = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    folder = Path(base) / "fivefold" / "running"
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        name = hashlib.sha256(application.encode()).hexdigest()[:32]
        descriptor = os.open(folder / name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise InputError(
            "assess.state", f"{folder} cannot be written ({error.strerror}).", remedy="Set XDG_STATE_HOME."
        ) from None
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise InputError(
                "assess.running",
                f"another assessment of {application} is running.",
                remedy="Wait until it ends, or stop it; what it finished is kept.",
            ) from None
        yield
    finally:
        os.close(descriptor)
