"""Opening: an application's record with this user's keys, for writing or for reading."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from fivefold.errors import InputError
from fivefold.keys import store as keys
from fivefold.keys import trust as trust_file
from fivefold.log.checkpoint import origin_of
from fivefold.log.disk import Folder
from fivefold.log.lock import WriterLock
from fivefold.store.people import People
from fivefold.traceability.recorder.reading import Reading
from fivefold.traceability.recorder.recorder import Recorder
from fivefold.traceability.recorder.secrets_ import Secrets

if TYPE_CHECKING:
    from pathlib import Path

    from fivefold.keys.signing import Signer


def origin(application: str) -> str:
    """Return the name of an application's record log."""
    return f"{origin_of(application)}/record"


def open_recorder(folder: Path, application: str, *, queued: bool = False) -> Recorder:
    """Open a record for writing; makes keys on first use (log signer, the application's secret, people's keys).

    Keys of people are kept beside the user's keys, apart from the record: a copy of the record alone can be read by
    nobody, and a restored copy brings no erased person back.

    Raises:
        StorageError: ``log.in-use`` if another process writes it; ``log.disk``.
        TrustError: The log is not as its checkpoint says.
    """
    lock = WriterLock(folder)
    try:
        disk, people = Folder(folder), _people(application)

        def closing() -> None:
            disk.close()
            people.close()
            lock.close()

        secrets = Secrets(keys.application_secret(application), people)
        return Recorder(disk, origin(application), log_signer(), secrets, queued=queued, closing=closing)
    except BaseException:
        lock.close()
        raise


def open_reading(folder: Path, application: str) -> Reading:
    """Open a record for reading.

    Raises:
        InputError: ``recorder.none`` if there is no record.
    """
    if not folder.is_dir():
        raise InputError("recorder.none", f"there is no record at {folder}.", remedy="Record something first.")
    return Reading(Folder(folder), Secrets(keys.application_secret(application), _people(application)))


def log_signer() -> Signer:
    """Return this user's oldest log key; make one, trusted by this user, if there is none."""
    with keys.locked(keys.keys_folder() / ".lock"):
        for key in keys.own_keys():
            if key.note.role == "log":
                return key.signer
        made = keys.new_key("log")
        trust = trust_file.read(keys.read_trust())
        keys.write_trust(trust_file.add(trust, made.signer.public, name=made.note.name, roles=("log",)))
        return made.signer


def _people(application: str) -> People:
    stem = hashlib.sha256(application.encode()).hexdigest()[:32]
    return People(keys.keys_folder() / "applications" / f"{stem}.people.sqlite", application)
