"""Arrays: images and series from an npz file, a piece at a time into one array; no object is ever made of them."""

from __future__ import annotations

import zipfile
import zlib
from typing import IO, TYPE_CHECKING

import numpy as np
import pandas as pd

from fivefold.errors import InputError
from fivefold.manifest import inputs, npz
from fivefold.subject import load
from fivefold.subject.inputs.stored import Stored, require_room, require_same

if TYPE_CHECKING:
    from fivefold.manifest.npz import Member
    from fivefold.subject.inputs.stored import Source

_PIECE = 8 << 20
_COLOURS = (1, 3, 4)


def read(source: Source) -> Stored:
    """Read images (n, C, H, W), or series stored as (n, steps, channels).

    Returns:
        uint8 or float32 inputs, series as (n, C, T); arrays of one dimension and the index as columns.

    Raises:
        InputError: As :func:`fivefold.manifest.npz.arrays`; ``data.array``, ``data.dtype``, ``data.not-finite``,
            ``data.layout``, ``data.index``, ``data.large`` or ``data.unreadable``.
    """
    data = source.data
    with source.open(data.path) as file:
        stored = npz.arrays(file, data.path)
        shown = inputs.chosen(stored, data.kind, data.input, data.path)
        file.seek(0)
        try:
            with zipfile.ZipFile(file) as archive:
                values = _values(archive, shown, data.path)
                wanted = inputs.beside(stored, shown)
                columns = {item.name: _column(archive, item, data.path) for item in stored if item.name in wanted}
        except (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError, NotImplementedError) as error:
            why = type(error).__name__
            raise InputError(
                "data.unreadable", f"the arrays cannot be read ({why}).", where=data.path, remedy="Save them again."
            ) from None
    frame = pd.DataFrame(columns, index=pd.RangeIndex(len(values)))
    if data.missing:
        frame = frame.apply(lambda column: column.where(~column.isin(data.missing)) if _texts(column) else column)
    frame = _with_index(source, frame)
    if data.kind == "image":
        _require_images(values, data.path)
        return Stored(frame, values)
    if np.isinf(values).any():
        raise _not_finite(data.path, "an infinite value")
    return Stored(frame, np.ascontiguousarray(values.transpose(0, 2, 1), dtype=np.float32))


def _texts(column: pd.Series) -> bool:
    return column.dtype == object or isinstance(column.dtype, pd.StringDtype)


def _with_index(source: Source, frame: pd.DataFrame) -> pd.DataFrame:
    data = source.data
    if not data.index:
        return frame
    index = load.read(
        source.root / data.index, missing=data.missing, strings=source.strings, sha256=source.files[data.index]
    )
    require_same(index, len(frame), data, "images" if data.kind == "image" else "series")
    more = [name for name in index.columns if name not in frame.columns]
    return pd.concat([frame, index[more]], axis=1)


def _values(archive: zipfile.ZipFile, item: Member, name: str) -> np.ndarray:
    """Return an array of numbers as uint8 or float32, converted a piece at a time."""
    stored = np.dtype(item.dtype)
    if stored != np.uint8 and stored.kind != "f":
        raise InputError(
            "data.dtype",
            f'the array "{item.name}" holds {stored}; images and series are uint8 or floats.',
            where=name,
            remedy="Save it as uint8 (0 to 255) or float32: x.astype('float32').",
        )
    kind = np.dtype(np.uint8) if stored == np.uint8 else np.dtype(np.float32)
    count = int(np.prod(item.shape, dtype=np.int64))
    require_room(count * kind.itemsize, f'the values of "{item.name}"', name)
    made, at = np.empty(count, dtype=kind), 0
    with archive.open(item.member) as stream, np.errstate(over="ignore"):
        _skip(stream, item.offset)
        step = max(1, _PIECE // stored.itemsize)
        while at < count:
            piece = np.frombuffer(_exactly(stream, min(step, count - at) * stored.itemsize), dtype=stored)
            made[at : at + len(piece)] = piece
            at += len(piece)
        if stream.read(1):
            raise EOFError
    if item.fortran:
        return np.ascontiguousarray(made.reshape(item.shape[::-1]).T)
    return made.reshape(item.shape)


def _column(archive: zipfile.ZipFile, item: Member, name: str) -> pd.Series:
    kind = np.dtype(item.dtype)
    require_room(item.size, f'the values of "{item.name}"', name)
    with archive.open(item.member) as stream:
        _skip(stream, item.offset)
        values = np.frombuffer(_exactly(stream, item.size), dtype=kind)
    if kind.kind == "U":
        return pd.Series(values.astype(object), dtype="str").replace("", None)
    if kind.kind == "S":
        texts = [value.decode("utf-8", "replace") for value in values.tolist()]
        return pd.Series(texts, dtype="str").replace("", None)
    if kind.kind in "cm":
        raise InputError(
            "data.dtype", f'the array "{item.name}" holds {kind}, which is no plain column.', where=name,
            remedy="Save numbers or texts.",
        )  # fmt: skip
    return pd.Series(values.astype(kind.newbyteorder("=")))


def _skip(stream: IO[bytes], size: int) -> None:
    _exactly(stream, size)


def _exactly(stream: IO[bytes], size: int) -> bytes:
    data = stream.read(size)
    if len(data) < size:
        raise EOFError
    return data


def _require_images(values: np.ndarray, name: str) -> None:
    """Check that images are finite and that their channels come first."""
    _, channels, height, width = values.shape
    if channels not in _COLOURS and width in _COLOURS and height > width:
        raise InputError(
            "data.layout",
            f"each image has the shape {values.shape[1:]}: its channels seem to come last.",
            where=name,
            remedy="Channels come first: save x.transpose(0, 3, 1, 2).",
        )
    if values.dtype != np.uint8:
        step = max(1, _PIECE // max(1, values[:1].nbytes))
        for at in range(0, len(values), step):
            if not np.isfinite(values[at : at + step]).all():
                raise _not_finite(name, "a pixel that is missing or infinite")


def _not_finite(name: str, what: str) -> InputError:
    return InputError(
        "data.not-finite", f"the array holds {what}.", where=name, remedy="Leave those rows out, or mend them."
    )
