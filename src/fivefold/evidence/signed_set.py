"""Signed set: which files of an application make up the model, by name and digest.

A model is more than its weights: the module that loads it and the one that trains it decide as much. The set is
``model.path`` (a file, or every file below a folder), the factory's module or package, the training module or package,
``model.files``, files of the folder that ``model.command`` names, and files of predictions: where answers stand in for
a model, they are what can be swapped. The walk refuses symbolic links, special files, and names that mean different
things to different readers.
"""

from __future__ import annotations

import hashlib
import os
import stat
from typing import TYPE_CHECKING

from fivefold.contract.codec import canonical
from fivefold.errors import TrustError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from fivefold.manifest.nouns import Manifest

MAX_FILES = 100_000
"""Most files in a signed set."""

_CHUNK = 1 << 20
_MEND = "Replace it by a plain file inside the application's folder and sign the model again."


def files(manifest: Manifest) -> dict[str, Path]:
    """List the signed set of a manifest.

    Compiled Python (``__pycache__``) beside the modules is left out: it is not part of the model, and the worker never
    sees it. Below ``model.path`` nothing is left out but the signature itself.

    Returns:
        POSIX name relative to the manifest's folder to path, in name order; empty if there is no model.

    Raises:
        TrustError: ``model.symlink``, ``model.special``, ``model.name``, ``model.missing`` or ``model.too-many``.
    """
    model = manifest.model
    if model is None:
        return {}
    root = manifest.root
    found: dict[str, Path] = {}
    for name in (model.path, *model.files, *model.predictions.values()):
        if name:
            found |= dict(_below(root, name, compiled=True))
    for word in model.command:
        found |= dict(_named(root, word))
    for target in (model.factory, manifest.training):
        if target:
            found |= dict(_module(root, target.partition(":")[0]))
    if model.signature:
        found.pop(_plain(model.signature), None)
    return dict(sorted(found.items()))


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file that must not be a symbolic link.

    Raises:
        TrustError: ``model.symlink``, ``model.special`` or ``model.missing``.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        _require_plain(path, path.name)
        raise TrustError("model.missing", "the file cannot be read.", where=path.name) from None
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise TrustError("model.special", "this is not a plain file.", where=path.name, remedy=_MEND)
        state = hashlib.sha256()
        while chunk := file.read(_CHUNK):
            state.update(chunk)
        return state.hexdigest()


def digests(manifest: Manifest) -> dict[str, str]:
    """Return the signed set as name to SHA-256.

    Raises:
        TrustError: As :func:`files`.
    """
    return {name: sha256(path) for name, path in files(manifest).items()}


def digest(names: Mapping[str, str]) -> str:
    """Return the digest of a signed set: SHA-256 over the canonical JSON of its sorted (name, sha256) pairs.

    An empty set has the empty digest.
    """
    if not names:
        return ""
    return hashlib.sha256(canonical([[name, names[name]] for name in sorted(names)])).hexdigest()


def require_name(name: str) -> str:
    """Return a POSIX name that stays inside its folder and reads the same everywhere.

    Raises:
        TrustError: ``model.name`` for absolute names, ``..``, ``.``, empty parts, backslashes, colons at the second
            place, control characters, text that is not Unicode.
    """
    parts = name.split("/")
    bad = (
        not name
        or any(part in ("", ".", "..") for part in parts)
        or "\\" in name
        or any(ord(letter) < 32 or 127 <= ord(letter) < 160 or 0xD800 <= ord(letter) < 0xE000 for letter in name)
        or (len(name) > 1 and name[1] == ":")
        or len(name) > 1024
    )
    if bad:
        shown = name[:80].encode("ascii", "backslashreplace").decode()
        raise TrustError("model.name", f"the name {shown!r} may leave its folder or be read in two ways.", remedy=_MEND)
    return name


def _plain(name: str) -> str:
    return require_name(name.removeprefix("./").rstrip("/"))


def _module(root: Path, dotted: str) -> Iterator[tuple[str, Path]]:
    top = dotted.partition(".")[0]
    if (root / top).is_dir():
        yield from _below(root, top, compiled=False)
    elif (root / f"{top}.py").exists():
        yield from _below(root, f"{top}.py", compiled=False)


def _named(root: Path, word: str) -> Iterator[tuple[str, Path]]:
    """List the file that a word of a command names, if it names one of this folder."""
    name = word.removeprefix("./")
    parts = name.split("/")
    if name and not any(part in ("", ".", "..") for part in parts) and len(name) <= 1024 and (root / name).is_file():
        yield from _below(root, name, compiled=True)


def _below(root: Path, name: str, *, compiled: bool) -> Iterator[tuple[str, Path]]:
    clean = _plain(name)
    place = root
    for part in clean.split("/"):
        place = place / part
        _require_plain(place, clean)
    if not place.is_dir():
        yield clean, place
        return
    seen = 0
    for folder, folders, leaves in os.walk(place, followlinks=False):
        here = place.__class__(folder)
        if not compiled:
            folders[:] = [item for item in folders if item != "__pycache__"]
        folders.sort()
        for item in folders:
            _require_plain(here / item, require_name((here / item).relative_to(root).as_posix()))
        for leaf in sorted(leaves):
            inner = require_name((here / leaf).relative_to(root).as_posix())
            _require_plain(here / leaf, inner)
            seen += 1
            if seen > MAX_FILES:
                raise TrustError("model.too-many", f"more than {MAX_FILES} files.", where=clean)
            yield inner, here / leaf


def _require_plain(path: Path, name: str) -> None:
    try:
        mode = path.lstat().st_mode
    except OSError:
        raise TrustError("model.missing", "the file is missing.", where=name) from None
    if stat.S_ISLNK(mode):
        raise TrustError("model.symlink", "this is a symbolic link.", where=name, remedy=_MEND)
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        raise TrustError("model.special", "this is not a plain file.", where=name, remedy=_MEND)
