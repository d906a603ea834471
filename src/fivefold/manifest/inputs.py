"""Inputs: what a data set that is no table is stored in: its files, its columns, and which of them the model sees."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fivefold.errors import InputError
from fivefold.manifest import npz
from fivefold.manifest.columns import header

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from fivefold.manifest.nouns import DataSet

INDEXES = ("index.csv", "index.parquet", "index.csv.gz", "index.arrow")
"""Names that an index in a folder of recordings may have without being declared."""

NAMES = ("file", "filename", "path", "wav", "recording")
"""Columns of an index that name a recording without being declared."""

DIMENSIONS = {"image": 4, "series": 3}
"""Dimensions of the array of an npz file that the model sees."""

_MOST_FILES = 200_000
_MODELS = {"image": "images", "series": "series", "audio": "recordings"}


def index_of(path: Path, index: Path | None) -> Path:
    """Return the index of a folder of recordings.

    Args:
        path: The folder.
        index: As declared; None: looked for in the folder.

    Raises:
        InputError: ``data.index`` if there is none.
    """
    found = index or next((path / name for name in INDEXES if (path / name).is_file()), None)
    if found is None:
        raise InputError(
            "data.index",
            f"the folder {path.name} has no index that names its recordings.",
            remedy="Add index.csv with the columns file and the target to the folder, or declare `index:`.",
        )
    return found


def stored_files(root: Path, data: DataSet) -> dict[str, Path]:
    """Return every file that is read of a data set, and of a folder all: name relative to ``root`` to its place.

    Raises:
        InputError: ``data.link`` for a link or a special file in a folder, ``data.files`` if there are too many,
            ``data.index``.
    """
    path = root / data.path
    found = {data.path: path}
    if data.kind == "audio" and path.is_dir():
        found = {f"{data.path}/{name}": path / name for name in _below(path)}
    if data.index:
        found[data.index] = root / data.index
    return found


def _below(folder: Path) -> list[str]:
    """Return the plain files below a folder by their relative names, in order; nothing is followed."""
    found: list[str] = []
    for here, folders, leaves in os.walk(folder, followlinks=False):
        for leaf in (*folders, *leaves):
            place = Path(here) / leaf
            mode = place.lstat().st_mode
            if stat.S_ISDIR(mode):
                continue
            if not stat.S_ISREG(mode):
                raise InputError(
                    "data.link",
                    "a folder of recordings holds a link or a special file, which is not followed.",
                    where=_shown(place.relative_to(folder.parent).as_posix()),
                    remedy="Put a copy of the file there.",
                )
            found.append(place.relative_to(folder).as_posix())
        if len(found) > _MOST_FILES:
            raise InputError(
                "data.files",
                f"the folder {folder.name} holds more than {_MOST_FILES:,} files.",
                remedy="Draw recordings at random, or cut the folder into several.",
            )
    return sorted(found)


def stored_bytes(root: Path, data: DataSet) -> int:
    """Return about how many bytes a data set takes unpacked; 0 where it cannot be looked at."""
    try:
        if data.path.lower().endswith(".npz"):
            return sum(item.size for item in npz.members(root / data.path))
        return sum(place.stat().st_size for place in stored_files(root, data).values())
    except (OSError, InputError):
        return 0


def names(path: Path, index: Path | None, data: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the columns that a data set has, read without an engine.

    Args:
        path: The stored file or folder.
        index: The declared index; None: none is.
        data: The declaration as plain values.

    Raises:
        InputError: The file is none of its kind, or as :func:`fivefold.manifest.columns.header`.
    """
    kind = data.get("kind", "table")
    if kind == "audio":
        if not path.is_dir():
            raise InputError(
                "manifest.not-a-folder", "recordings are a folder of wav files.", remedy="Name the folder."
            )
        return header(index_of(path, index))
    if path.is_dir() or not path.is_file():
        raise InputError("manifest.not-a-file", "this is not a file.", remedy="Name a file.")
    if kind not in DIMENSIONS or not path.name.lower().endswith(".npz"):
        if kind == "image":
            raise InputError(
                "manifest.data-format", f"{path.name} holds no images.",
                remedy="Images are an .npz file: numpy.savez_compressed('test.npz', x=images, label=labels).",
            )  # fmt: skip
        if path.name.lower().endswith(".npz"):
            raise InputError(
                "manifest.data-format", f"{path.name} is no table.", remedy="Declare `kind: image` or `kind: series`."
            )
        found = header(path)
    else:
        stored = npz.members(path)
        shown = chosen(stored, kind, data.get("input", ""), path.name)
        found = beside(stored, shown)
    more = header(index) if index is not None else ()
    return (*found, *(name for name in more if name not in found))


def chosen(stored: Iterable[npz.Member], kind: str, name: str, file: str) -> npz.Member:
    """Return the array that the model sees: the one named, else the only one of as many dimensions.

    Raises:
        InputError: ``data.array``.
    """
    wide = DIMENSIONS[kind]
    stored = tuple(stored)
    fitting = [item for item in stored if (item.name == name if name else len(item.shape) == wide)]
    if len(fitting) == 1 and len(fitting[0].shape) == wide:
        return fitting[0]
    form = "(n, channels, height, width)" if kind == "image" else "(n, steps, channels)"
    held = ", ".join(f"{_shown(item.name)} {item.shape}" for item in stored[:6])
    if name and not fitting:
        why, remedy = f'there is no array "{_shown(name)}"', "Name another array as `input:`."
    elif len(fitting) > 1:
        why, remedy = f"{len(fitting)} arrays have {wide} dimensions", "Name the one that the model sees as `input:`."
    else:
        why, remedy = f"no array has the shape {form}", "Add the channel axis: grey images are x[:, None, :, :]."
    raise InputError("data.array", f"{why}; the file holds {held or 'nothing'}.", where=file, remedy=remedy)


def beside(stored: Iterable[npz.Member], shown: npz.Member) -> tuple[str, ...]:
    """Return the columns of an npz file: its arrays of one dimension with an element for each row."""
    return tuple(item.name for item in stored if item.shape == shown.shape[:1] and item is not shown)


def seen(data: DataSet, columns: Iterable[str]) -> list[str]:
    """Return the columns that the model sees, in order: those of a table, the channels of long series.

    Images, recordings and texts are one thing each; what the model sees of them has no columns.
    """
    hidden = {data.target, data.id, *data.drop}
    if data.kind == "series":
        if data.path.lower().endswith(".npz"):
            return []
        hidden |= {data.time, *data.protected}
    return [name for name in columns if name not in hidden] if data.kind in ("table", "series") else []


def unfit(kind: str) -> str:
    """Return why a command cannot be asked about rows of a kind; empty if it can."""
    what = _MODELS.get(kind)
    return f"a command is given rows as CSV, which carries no {what}" if what else ""


def _shown(text: str) -> str:
    return "".join(letter if letter.isprintable() else "?" for letter in text)[:120]
