"""Opening: an application's record with this user's keys, for writing or for reading."""

from __future__ import annotations

import hashlib
import time
from functools import cache
from typing import TYPE_CHECKING, Any

from fivefold.errors import InputError, StorageError
from fivefold.keys import store as keys
from fivefold.keys import trust as trust_file
from fivefold.log.checkpoint import origin_of
from fivefold.log.disk import Folder
from fivefold.log.lock import WriterLock
from fivefold.store.index import Index, opened_anew
from fivefold.store.people import People
from fivefold.traceability.recorder.reading import Reading
from fivefold.traceability.recorder.recorder import Recorder
from fivefold.traceability.recorder.secrets_ import Secrets
from fivefold.traceability.recorder.service import Remote, Service

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from fivefold.keys.signing import Signer
    from fivefold.manifest.nouns import Manifest


_PATIENCE = 2.0
"""Seconds that a process waits for another one to open its socket, or to end."""
_PAUSE = 0.02


def origin(application: str) -> str:
    """Return the name of an application's record log."""
    return f"{origin_of(application)}/record"


def place(manifest: Manifest) -> tuple[Path, dict[str, Any]]:
    """Return the folder of an application's record, and the options of its control.

    Raises:
        InputError: ``recorder.place`` for a folder outside the application's.
    """
    options = manifest.controls.get("T4", {})
    folder = (manifest.root / str(options.get("store", "record"))).resolve()
    if not folder.is_relative_to(manifest.root.resolve()) or folder == manifest.root.resolve():
        raise InputError(
            "recorder.place",
            "controls.T4.store leaves the folder of the manifest.",
            where=str(manifest.file),
            remedy="Name a folder below it, for example `record`.",
        )
    return folder, options


def open_recorder(folder: Path, application: str, *, queued: bool = False) -> Recorder | Remote:
    """Open a record for writing; makes keys on first use (log signer, the application's secret, people's keys).

    The first process writes it and takes what others hand over through a socket in the same folder; to the others the
    way there is returned. Keys of people are kept beside the user's keys, apart from the record: a copy of the record
    alone can be read by nobody, and a restored copy brings no erased person back.

    Raises:
        StorageError: ``log.in-use`` if another process writes it and takes nothing; ``record.other``; ``log.disk``.
        TrustError: The log is not as its checkpoint says.
    """
    until = time.monotonic() + _PATIENCE
    while True:
        try:
            lock = WriterLock(folder)
            break
        except StorageError as error:
            if error.code != "log.in-use":
                raise
            try:
                return Remote(folder, application, queued=queued)
            except StorageError as unreachable:
                if unreachable.code != "record.unreachable":
                    raise
                if time.monotonic() >= until:
                    raise error from None
                time.sleep(_PAUSE)  # it may be opening, or closing
    try:
        return _writer(folder, application, lock, queued=queued)
    except BaseException:
        lock.close()
        raise


def _writer(folder: Path, application: str, lock: WriterLock, *, queued: bool) -> Recorder:
    disk, people = Folder(folder), _people(application)

    def closing() -> None:
        disk.close()
        people.close()
        lock.close()

    secrets = Secrets(keys.application_secret(application), people)
    recorder = Recorder(disk, origin(application), log_signer(), secrets, queued=queued, closing=closing)
    try:
        service = Service(recorder, folder, application)
    except StorageError:
        return recorder  # a folder that can hold no socket: other processes hear that it is in use
    recorder.before_close = service.close
    return recorder


def open_reading(folder: Path, application: str, tell: Callable[[float], None] | None = None) -> Reading:
    """Open a record for reading; its index lies in this user's cache, and is made again if it is removed.

    Args:
        folder: The record's folder.
        application: Its id.
        tell: Told the share that is done while the index catches up with a large record.

    Raises:
        InputError: ``recorder.none`` if there is no record.
    """
    if not folder.is_dir():
        raise InputError("recorder.none", f"there is no record at {folder}.", remedy="Record something first.")

    @cache
    def index() -> Index:
        name = hashlib.sha256(f"{folder.resolve()}\0{application}".encode()).hexdigest()[:32]
        return opened_anew(keys.cache_folder() / "record-index" / f"{name}.sqlite")

    secrets = Secrets(keys.application_secret(application), _people(application))
    return Reading(Folder(folder), secrets, index=index, tell=tell)


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
