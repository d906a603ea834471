"""Snapshot: a private copy of the signed set, so that the bytes that are verified are the bytes that are loaded.

``signed/`` holds the signed files and nothing else. ``app/`` is what the model's process sees as its folder: the same
files (hard links), and links to the application's other entries, so that a model may read them. Left out are evidence,
record, keys, dot files, and whatever Python could import: code that is not signed is not run.
"""

from __future__ import annotations

import hashlib
import os
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fivefold.errors import TrustError
from fivefold.evidence import signed_set
from fivefold.subject.hostile.scan import scan

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from fivefold.manifest.nouns import Manifest

RESERVED = frozenset({"evidence", "record", "keys"})
CODE = (".py", ".pyc", ".pyd", ".so", ".pth", ".egg", ".whl", ".pyz", ".zip")
"""Endings of files that Python can import."""

_UNSEEN = ("test", "calibration")
"""Data sets that the model is measured on: a model that could read them could look its answers up."""
_CHUNK = 1 << 20
_MOST_LINKS = 20_000


@dataclass(frozen=True)
class Snapshot:
    """A copy that nobody else writes to.

    Attributes:
        signed: Folder with the signed files alone.
        app: Folder that the model's process sees.
        files: Signed set, name to SHA-256, of the copies.
        digest: Digest of the signed set; empty: there is no model file.
        signature: Bytes of the signature file; None: unsigned.
        reachable: The application's other entries that the model may read; never the data that it is measured on.
    """

    signed: Path
    app: Path
    files: dict[str, str]
    digest: str
    signature: bytes | None
    reachable: tuple[str, ...]


def take(manifest: Manifest, folder: Path, forbidden: Iterable[Path] = ()) -> Snapshot:
    """Copy the signed set of a manifest.

    Args:
        manifest: As read.
        folder: An empty folder of mode 0700.
        forbidden: Folders that the model may never read (keys, evidence), wherever they are.

    Raises:
        TrustError: As :func:`fivefold.evidence.signed_set.files`, and as :func:`fivefold.subject.hostile.scan.scan`.
    """
    signed, app = folder / "signed", folder / "app"
    signed.mkdir()
    app.mkdir()
    names = signed_set.files(manifest)
    files = {name: _copy(path, signed / name) for name, path in names.items()}
    scan((name, signed / name) for name in names)
    for name in names:
        _share(signed / name, app / name)
    unseen = [manifest.root / data.path for name, data in manifest.data.items() if name in _UNSEEN]
    hidden = frozenset(path.resolve() for path in (*forbidden, *unseen))
    reachable = tuple(_links(manifest.root, app, set(names), hidden))
    return Snapshot(signed, app, files, signed_set.digest(files), _signature(manifest), reachable)


def _signature(manifest: Manifest) -> bytes | None:
    name = manifest.model.signature if manifest.model else ""
    if not name:
        return None
    try:
        return (manifest.root / name).read_bytes()
    except OSError:
        return None


def _copy(source: Path, target: Path) -> str:
    """Copy a plain file and return the SHA-256 of what was copied."""
    target.parent.mkdir(parents=True, exist_ok=True)
    state = hashlib.sha256()
    try:
        descriptor = os.open(source, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        raise TrustError("model.missing", "the file cannot be read.", where=source.name) from None
    with os.fdopen(descriptor, "rb") as reading, target.open("xb") as writing:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise TrustError("model.special", "this is not a plain file.", where=source.name)
        while chunk := reading.read(_CHUNK):
            state.update(chunk)
            writing.write(chunk)
    target.chmod(0o444)
    return state.hexdigest()


def _share(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source, target)
    except OSError:
        _copy(source, target)


def _links(root: Path, app: Path, taken: set[str], hidden: frozenset[Path]) -> list[str]:
    """Link the application's other entries into ``app``; folders with nothing to leave out as a whole."""
    found: list[str] = []
    waiting = [item for item in sorted(root.iterdir()) if item.name not in RESERVED]
    while waiting and len(found) < _MOST_LINKS:
        item = waiting.pop()
        name, real = item.relative_to(root).as_posix(), item.resolve()
        outside = not real.is_relative_to(root) or any(real.is_relative_to(root / top) for top in RESERVED)
        if name in taken or item.name.startswith(".") or outside or any(real.is_relative_to(place) for place in hidden):
            continue
        if item.is_dir() and not item.is_symlink() and _mixed(item, root, taken, hidden):
            waiting += sorted(item.iterdir())
        elif real.is_dir() or (real.is_file() and not _is_code(item) and not _is_code(real)):
            place = app / name
            place.parent.mkdir(parents=True, exist_ok=True)
            place.symlink_to(real)
            found.append(str(real))
    return found


def _is_code(path: Path) -> bool:
    return path.name.lower().endswith(CODE)


def _mixed(folder: Path, root: Path, taken: set[str], hidden: frozenset[Path]) -> bool:
    """Return whether a folder must be linked entry by entry: code, signed files, links or dot files lie in it."""
    real = folder.resolve()
    if any(place.is_relative_to(real) for place in hidden):
        return True
    for place, folders, leaves in os.walk(folder):
        here = folder.__class__(place)
        for name in (*folders, *leaves):
            item = here / name
            if name.startswith(".") or item.is_symlink() or item.relative_to(root).as_posix() in taken:
                return True
        if any(_is_code(here / leaf) for leaf in leaves):
            return True
    return False
