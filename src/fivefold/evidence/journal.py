"""Journal: appends files to an evidence folder so that a crash at any point loses nothing that was acknowledged.

Order of one append: each file (written aside, synced, renamed), then its lines in ``log/entries`` (synced), then
``log/checkpoint`` (written aside, synced, renamed). A file that is in the log is never written again.

After a crash the owner's next open settles what is left: a torn last line is cut, a file that the owner signed but had
not logged is logged, lines beyond the checkpoint are covered by a new one once each of their files has been vouched
for. Everything else stays as it is, for ``verify`` to report.
"""

from __future__ import annotations

import contextlib
import os
import secrets
from pathlib import Path
from typing import TYPE_CHECKING

from fivefold.contract.codec import digest
from fivefold.errors import InputError, TrustError
from fivefold.evidence import layout
from fivefold.evidence.layout import CHECKPOINT, ENTRIES, Entry
from fivefold.keys.signing import load_public
from fivefold.log import checkpoint, tree

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from fivefold.keys.signing import PublicKey, Signer

TEMPORARY = ".tmp-"
"""Start of the name of a file that is being written."""


_FIRST = {"manifest.yaml": 0, "report.html": 0, "plan.json": 2, "verdict.json": 2}


class Journal:
    """The log of one evidence folder, with the right to append to it; callers hold the application's lock."""

    def __init__(self, folder: Path, origin: str, signer: Signer, known: Iterable[PublicKey] = ()) -> None:
        """Remember where and who; nothing is read or written yet.

        Args:
            folder: The evidence folder.
            origin: Name of the log.
            signer: Signs what is appended.
            known: Other keys whose checkpoints are continued; a key that only lies in the folder is nobody's.
        """
        self.folder = folder
        self._origin = origin
        self._signer = signer
        self._known = {key.id: key for key in (signer.public, *known)}

    def entries(self) -> list[Entry]:
        """Return the leaves in order, after checking them against the checkpoint.

        Raises:
            TrustError: ``evidence.malformed-log``, ``evidence.truncated``, ``evidence.rewritten``,
                ``evidence.other-application``, ``evidence.not-mine``.
        """
        return self._load()[0]

    def read(self, path: str) -> bytes:
        """Return a logged file's bytes.

        Raises:
            TrustError: ``evidence.missing`` or ``evidence.changed``.
        """
        entry = next((entry for entry in self.entries() if entry.path == path), None)
        data = self._peek(path)
        if entry is None or data is None:
            raise TrustError("evidence.missing", "the file is missing.", where=path)
        if digest(data) != entry.sha256:
            raise TrustError("evidence.changed", "the file is not the one in the log.", where=path)
        return data

    def append(self, files: Mapping[str, bytes]) -> None:
        """Add files in the given order as one step: after it returned, all of them are in the log on disk.

        Raises:
            InputError: ``evidence.unwritable`` if the disk refuses.
            TrustError: ``evidence.exists`` if a file of that name is in the log; as :meth:`entries`.
        """
        known, covered = self._load()
        if covered != len(known):
            raise TrustError("evidence.unsettled", "the log was left in the middle of a write.", remedy="Run again.")
        taken = {entry.path for entry in known}
        fresh = []
        for path, data in files.items():
            here = layout.place(path)
            if here is None or len(data) > layout.MAX_FILE:
                raise InputError("evidence.unwritable", f"{path} is not a file of an evidence folder, or too large.")
            if path in taken:
                raise TrustError("evidence.exists", "the file is in the log already.", where=path)
            fresh.append(Entry(kind=here.kind, path=path, sha256=digest(data)))
        with self._disk():
            # What a signed file names is there before it: a kill in between leaves nothing that cannot be completed.
            for path in sorted(files, key=lambda path: _FIRST.get(path.rpartition("/")[2], 1)):
                self._write(path, files[path])
            self._extend(fresh)
            self._checkpoint([*known, *fresh])

    def settle(self, vouch: Callable[[str, bytes, Mapping[str, bytes]], bool]) -> tuple[str, ...]:
        """Repair what a crash left behind; return what was done, in words, for the user.

        Args:
            vouch: Says of a path, its bytes and the vouched files so far whether the owner made it.

        Raises:
            InputError: ``evidence.unwritable``.
            TrustError: As :meth:`entries`; ``evidence.not-mine`` if lines beyond the checkpoint are not the owner's.
        """
        done: list[str] = []
        with self._disk():
            for path in self._walk():
                if path.name.startswith(TEMPORARY):
                    path.unlink()
                    done.append("removed a half-written file")
            if torn := layout.split_lines(self._peek(ENTRIES) or b"")[1]:
                with (self.folder / ENTRIES).open("r+b") as file:
                    file.truncate(file.seek(0, os.SEEK_END) - len(torn))
                    os.fsync(file.fileno())
                done.append("cut a torn line off the log")
            known, covered = self._load()
            files = self.files()
            for entry in known[covered:]:
                data = files.get(entry.path)
                if data is None or digest(data) != entry.sha256 or not vouch(entry.path, data, files):
                    raise TrustError(
                        "evidence.not-mine",
                        "the log names this file, but no checkpoint does and it was not made with this key.",
                        where=entry.path,
                        remedy="Move the folder away, or restore it from a copy.",
                    )
            fresh = self._orphans(known, files, vouch)
            self._extend(fresh)
            if fresh or covered != len(known):
                self._checkpoint([*known, *fresh])
                done.append(f"completed the log by {len(fresh) + len(known) - covered} files")
        return tuple(done)

    def files(self) -> dict[str, bytes]:
        """Return every file that belongs into the folder by its name, in path order."""
        found = {}
        for path in self._walk():
            name = path.relative_to(self.folder).as_posix()
            if layout.place(name) is not None:
                found[name] = path.read_bytes()
        return dict(sorted(found.items()))

    def keys(self) -> dict[str, PublicKey]:
        """Return the public keys in the folder by id, and the owner's own."""
        found = {self._signer.public.id: self._signer.public}
        for name, data in self.files().items():
            if name.startswith("keys/"):
                with contextlib.suppress(InputError):
                    key = load_public(data)
                    found[key.id] = key
        return found

    def _orphans(
        self, known: list[Entry], files: Mapping[str, bytes], vouch: Callable[[str, bytes, Mapping[str, bytes]], bool]
    ) -> list[Entry]:
        taken = {entry.path for entry in known}
        fresh = []
        # Plans before manifests, verdicts before reports, as they are logged in one step.
        order = {
            "key": 0,
            "plan": 1,
            "manifest": 2,
            "finding": 3,
            "waiver": 4,
            "verdict": 5,
            "report": 6,
            "rejudgement": 7,
        }
        places = [(place, path) for path in files if path not in taken and (place := layout.place(path))]
        for place, path in sorted(places, key=lambda item: (item[0].attempt, order[item[0].kind], item[1])):
            if vouch(path, files[path], files):
                fresh.append(Entry(kind=place.kind, path=path, sha256=digest(files[path])))
        return fresh

    def _load(self) -> tuple[list[Entry], int]:
        lines, torn = layout.split_lines(self._peek(ENTRIES) or b"")
        if torn:
            raise TrustError("evidence.unsettled", "the last line of the log is torn.", where=ENTRIES)
        entries = [layout.read_entry(line, number) for number, line in enumerate(lines, 1)]
        data = self._peek(CHECKPOINT)
        if data is None:
            return entries, 0
        try:
            said, _ = checkpoint.verify(data, tuple(self._known.values()))
        except TrustError as error:
            if error.code != "log.unknown-key":
                raise
            raise TrustError(
                "evidence.not-mine",
                "the log's checkpoint was signed by a key that is neither yours nor trusted by you in the role log.",
                where=CHECKPOINT,
                remedy="Restore the folder from a copy, or name another one. If you know who closed the log and trust "
                "that person with it: fivefold trust add FILE --role log --name NAME.",
            ) from None
        if said.origin != self._origin:
            message = f"this is the evidence of another application ({said.origin})."
            raise TrustError("evidence.other-application", message, where=CHECKPOINT)
        if said.size > len(lines):
            raise TrustError("evidence.truncated", "the log is shorter than its checkpoint says.", where=ENTRIES)
        if tree.root([tree.leaf_hash(line) for line in lines[: said.size]]) != said.root:
            raise TrustError("evidence.rewritten", "the log is not the one of its checkpoint.", where=ENTRIES)
        return entries, said.size

    def _extend(self, fresh: list[Entry]) -> None:
        if not fresh:
            return
        path = self.folder / ENTRIES
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab") as file:
            file.write(b"".join(entry.line() + b"\n" for entry in fresh))
            file.flush()
            os.fsync(file.fileno())
        _sync(path.parent)

    def _checkpoint(self, entries: list[Entry]) -> None:
        root = tree.root([tree.leaf_hash(entry.line()) for entry in entries])
        said = checkpoint.Checkpoint(origin=self._origin, size=len(entries), root=root)
        self._write(CHECKPOINT, checkpoint.sign(said, self._signer))

    def _write(self, name: str, data: bytes) -> None:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f"{TEMPORARY}{secrets.token_hex(8)}")
        with temporary.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
        _sync(path.parent)

    def _peek(self, name: str) -> bytes | None:
        try:
            return (self.folder / name).read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return None

    def _walk(self) -> Iterator[Path]:
        for folder, _, leaves in os.walk(self.folder, followlinks=False):
            for leaf in sorted(leaves):
                path = Path(folder) / leaf
                if path.is_file() and not path.is_symlink() and path.stat().st_size <= layout.MAX_FILE:
                    yield path

    @contextlib.contextmanager
    def _disk(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            message = f"the evidence folder cannot be written: {error.strerror or 'input or output error'}."
            raise InputError(
                "evidence.unwritable", message, where=str(self.folder), remedy="Make room or mend its permissions."
            ) from None


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
