"""Opening: an application's record with this user's keys, for writing or for reading."""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass, field, replace
from functools import cache
from secrets import token_bytes
from typing import TYPE_CHECKING, Any

from fivefold.errors import InputError, StorageError
from fivefold.keys import store as keys
from fivefold.keys import trust as trust_file
from fivefold.keys.signing import generate
from fivefold.log.archived import Archived
from fivefold.log.checkpoint import origin_of
from fivefold.log.disk import Folder
from fivefold.log.lock import WriterLock
from fivefold.manifest import site
from fivefold.store import objects
from fivefold.store.index import Index, opened_anew
from fivefold.store.people import People
from fivefold.store.server import Database
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


@dataclass(frozen=True)
class Home:
    """Where an application's record and what belongs to it lie.

    Attributes:
        folder: The record's folder.
        application: Its id.
        options: Of the control T4.
        people: Database of people's keys; None: a file beside the user's keys.
        archive: Object storage for what is sealed; None: everything stays in the folder.
        passing: Its keys are made when it is opened and kept nowhere: what is written can be read by nobody later.
    """

    folder: Path
    application: str
    options: dict[str, Any] = field(default_factory=dict)
    people: Database | Path | None = None
    archive: objects.Place | None = None
    passing: bool = False

    def disk(self) -> Archived:
        """Return the record's files.

        Raises:
            InputError: ``objects.url``, ``objects.extra``.
        """
        return Archived(Folder(self.folder), None if self.archive is None else self.shelf())

    def shelf(self) -> objects.Bucket:
        """Return the object storage.

        Raises:
            InputError: ``archive.none`` if none is named; ``objects.url``, ``objects.extra``.
        """
        if self.archive is None:
            raise InputError("archive.none", "no object storage is named.", remedy="Write record.archive in site.yaml.")
        return objects.Bucket(self.archive)

    def writing(self, *, queued: bool = False) -> Recorder | Remote:
        """Open it for writing; see :func:`open_recorder`."""
        return _open(self, queued=queued)

    def reading(self, tell: Callable[[float], None] | None = None) -> Reading:
        """Open it for reading; its index lies in this user's cache, and is made again if it is removed.

        Args:
            tell: Told the share that is done while the index catches up with a large record.

        Raises:
            InputError: ``recorder.none`` if there is no record.
        """
        if not self.folder.is_dir():
            raise InputError("recorder.none", f"there is no record at {self.folder}.", remedy="Record something first.")

        @cache
        def index() -> Index:
            name = hashlib.sha256(f"{self.folder.resolve()}\0{self.application}".encode()).hexdigest()[:32]
            return opened_anew(keys.cache_folder() / "record-index" / f"{name}.sqlite")

        secrets = Secrets(keys.application_secret(self.application), self.keys())
        return Reading(self.disk(), secrets, index=index, tell=tell)

    def keys(self) -> People:
        """Open the store of people's keys.

        Raises:
            StorageError: ``store.disk``, ``store.server``.
        """
        stem = hashlib.sha256(self.application.encode()).hexdigest()[:32]
        own = keys.keys_folder() / "applications" / f"{stem}.people.sqlite"
        return People(self.people or own, self.application)


def home(manifest: Manifest) -> Home:
    """Return where an application's record lies, as manifest and ``site.yaml`` say.

    Raises:
        InputError: ``recorder.place`` for a folder outside the application's; as :func:`fivefold.manifest.site.record`.
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
    here = site.record(manifest)
    return Home(
        folder,
        manifest.application.id,
        options,
        Database(here.people) if here.people else None,
        objects.Place(here.archive, here.access, here.secret, here.region, here.ca) if here.archive else None,
    )


def apart(place: Home, folder: Path) -> Home:
    """Return a record beside an application's, with a name, a folder and keys of its own: for drills."""
    return replace(place, folder=folder, application=f"{place.application}-drill", people=None, archive=None)


def passing(place: Home, folder: Path) -> Home:
    """Return a record for an assessment: in a folder that is removed, with keys that nobody keeps.

    Args:
        place: The application's.
        folder: Of the record; databases lie beside it.
    """
    name = f"{place.application}-assessed"
    return Home(folder, name, people=folder.with_name("people.sqlite"), passing=True)


def open_recorder(folder: Path, application: str, *, queued: bool = False) -> Recorder | Remote:
    """Open a record for writing; makes keys on first use (log signer, the application's secret, people's keys).

    The first process writes it and takes what others hand over through a socket in the same folder; to the others the
    way there is returned. Keys of people are kept beside the user's keys, apart from the record: a copy of the record
    alone can be read by nobody, and a restored copy brings no erased person back.

    Raises:
        StorageError: ``log.in-use`` if another process writes it and takes nothing; ``record.other``; ``log.disk``.
        TrustError: The log is not as its checkpoint says.
    """
    return Home(folder, application).writing(queued=queued)


def open_reading(folder: Path, application: str, tell: Callable[[float], None] | None = None) -> Reading:
    """Open a record for reading; see :meth:`Home.reading`."""
    return Home(folder, application).reading(tell)


def _open(place: Home, *, queued: bool) -> Recorder | Remote:
    until = time.monotonic() + _PATIENCE
    while True:
        try:
            lock = WriterLock(place.folder)
            break
        except StorageError as error:
            if error.code != "log.in-use":
                raise
            try:
                return Remote(place.folder, place.application, queued=queued)
            except StorageError as unreachable:
                if unreachable.code != "record.unreachable":
                    raise
                if time.monotonic() >= until:
                    raise error from None
                time.sleep(_PAUSE)  # it may be opening, or closing
    try:
        return _writer(place, lock, queued=queued)
    except BaseException:
        lock.close()
        raise


def _writer(place: Home, lock: WriterLock, *, queued: bool) -> Recorder:
    disk, people = place.disk(), place.keys()

    def closing() -> None:
        disk.close()
        people.close()
        lock.close()

    try:
        secret = token_bytes(32) if place.passing else keys.application_secret(place.application)
        signer = generate() if place.passing else log_signer()
        recorder = Recorder(
            disk, origin(place.application), signer, Secrets(secret, people), queued=queued, closing=closing
        )
    except BaseException:
        disk.close()
        people.close()
        raise
    try:
        service = Service(recorder, place.folder, place.application)
    except StorageError:
        return recorder  # a folder that can hold no socket: other processes hear that it is in use
    recorder.before_close = service.close
    return recorder


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
