"""Application: the digests of manifest, model and data as they stand now, beside their evidence.

Reading happens here; comparing is a pure function in :mod:`fivefold.evidence.verify`.
"""

from __future__ import annotations

import hashlib
import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from fivefold.errors import FivefoldError
from fivefold.evidence import envelope, layout, recompute, signed_set
from fivefold.evidence.layout import attempt_path
from fivefold.evidence.statements import PlanStatement
from fivefold.manifest import digests

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fivefold.manifest.nouns import DataSet, Manifest


class Observed(msgspec.Struct, frozen=True, kw_only=True):
    """An application's folder, by digest.

    Attributes:
        manifest: Digest of ``fivefold.yaml``; empty if it is missing.
        model: Digest of the signed set as the planned manifest names it; empty if there is none.
        model_fault: Why the signed set cannot be read, with the file's name; empty if it can.
        files: Signed set, name to digest.
        data: Data-set name to digest; empty text: the file is missing.
        paths: Data-set name to its path, for messages.
    """

    manifest: str = ""
    model: str = ""
    model_fault: str = ""
    files: dict[str, str] = {}
    data: dict[str, str] = {}
    paths: dict[str, str] = {}


class _Planned(msgspec.Struct, frozen=True):
    predicate: PlanStatement


def observe(root: Path, manifest: Manifest) -> Observed:
    """Read the digests of everything that a manifest names below an application's folder.

    Args:
        root: The application's folder.
        manifest: The manifest of the attempt, rooted there.
    """
    files: dict[str, str] = {}
    fault = ""
    try:
        files = signed_set.digests(manifest)
    except FivefoldError as error:
        fault = f"{error.where}: {error.message}" if error.where else error.message
    data = {name: _data(root, item) for name, item in manifest.data.items()}
    return Observed(
        manifest=_inside(root, manifest.file.name),
        model=signed_set.digest(files),
        model_fault=fault,
        files=files,
        data=data,
        paths={name: item.path for name, item in manifest.data.items()},
    )


def newest_manifest(folder: Mapping[str, bytes | None], root: Path) -> Manifest | None:
    """Return the manifest of the newest attempt that has a verdict, rooted at the application's folder.

    Its signature is not checked here: what is read by it is only compared with what is signed.
    """
    places = {place.attempt for path in folder if (place := layout.place(path)) and place.kind == "verdict"}
    if not places:
        return None
    number = max(places)
    raw, plan = (folder.get(attempt_path(number, name)) for name in ("manifest.yaml", "plan.json"))
    if raw is None or plan is None:
        return None
    try:
        statement = msgspec.json.decode(envelope.parse(plan, where="plan.json").body(), type=_Planned)
        return recompute.manifest_of(raw, statement.predicate.plan.facts, root)
    except (FivefoldError, msgspec.DecodeError, RecursionError):
        return None


def read_folder(path: Path) -> dict[str, bytes | None]:
    """Read an evidence folder: POSIX path to bytes, None for links, special files and oversized ones."""
    found: dict[str, bytes | None] = {}
    for folder, folders, leaves in os.walk(path, followlinks=False):
        here = Path(folder)
        for item in sorted(here / leaf for leaf in (*folders, *leaves)):
            mode = item.lstat().st_mode
            if stat.S_ISDIR(mode):
                continue
            plain = stat.S_ISREG(mode) and item.stat().st_size <= layout.MAX_FILE
            found[_shown(item.relative_to(path).as_posix())] = item.read_bytes() if plain else None
    return dict(sorted(found.items()))


def _shown(name: str) -> str:
    """Return a file name that can be printed and written as JSON; odd characters never occur in our own names."""
    text = name.encode("utf-8", "backslashreplace").decode()
    return "".join(letter if letter.isprintable() else f"\\x{ord(letter):02x}" for letter in text)


def _inside(root: Path, name: str) -> str:
    """Return the digest of a plain file inside the application's folder; empty if there is no such file.

    The name comes from evidence that nobody has verified yet: it may point at a device or out of the folder.
    """
    try:
        place = (root / name).resolve(strict=True)
    except (OSError, ValueError, RuntimeError):
        return ""
    return _digest(place) if place.is_relative_to(root.resolve()) and place.is_file() else ""


def _data(root: Path, data: DataSet) -> str:
    """Return the digest of a data set; empty if it cannot be read.

    Raises nothing: what stands there is compared with what was signed, and a fault is a difference.
    """
    if data.kind != "audio" and not data.index:
        return _inside(root, data.path)
    try:
        inside = all((root / name).resolve(strict=True).is_relative_to(root.resolve()) for name in _places(data))
        return digests.data_digest(root, data) if inside else ""
    except (OSError, ValueError, RuntimeError, FivefoldError):
        return ""


def _places(data: DataSet) -> list[str]:
    return [data.path, data.index] if data.index else [data.path]


def _digest(path: Path) -> str:
    state = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while chunk := file.read(1 << 20):
                state.update(chunk)
    except OSError:
        return ""
    return state.hexdigest()
