"""Npz: names, types and shapes of the arrays in an npz file, read from their headers without an engine.

Nothing is unpacked but headers, nothing is executed: an array of Python objects (a pickle), a member that leaves its
folder, a header that does not fit its bytes and an archive that expands without measure are refused.

Source: NumPy enhancement proposal 1 (npy format, versions 1 to 3).
"""

from __future__ import annotations

import ast
import math
import re
import stat
import struct
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import IO, TYPE_CHECKING

from fivefold.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path

MOST_BYTES = 8 << 30
"""Most bytes that the arrays of one file may take."""

_MEMBERS = 1000
_HEADER = 1 << 16
_SMALL = 64 << 20
_RATIO = 200
_DTYPE = re.compile(r"[<>|=]?(?:([biufcSUV?])(\d{1,6})?|[mM]8(?:\[\w{1,8}\])?)")
_AGAIN = "Save it again with numpy.savez_compressed, without objects."


@dataclass(frozen=True)
class Member:
    """One array of an npz file.

    Attributes:
        name: Without ``.npy``.
        dtype: As written, for example ``<f4``.
        shape: Sizes.
        fortran: Its first index runs fastest.
        offset: Bytes before its data in the member.
        size: Bytes of its data.
        member: Name of the member in the archive.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    fortran: bool
    offset: int
    size: int
    member: str


def members(path: Path) -> tuple[Member, ...]:
    """Return the arrays of an npz file in their order.

    Raises:
        InputError: ``data.npz``, ``data.objects``, ``data.zip-slip``, ``data.bomb`` or ``data.large``.
    """
    try:
        with path.open("rb") as file:
            return arrays(file, path.name)
    except OSError as error:
        raise _broken(path.name, f"it cannot be read ({error.strerror})") from None


def arrays(file: IO[bytes], name: str) -> tuple[Member, ...]:
    """Return the arrays of an open npz file; see :func:`members`."""
    try:
        with zipfile.ZipFile(file) as archive:
            found = archive.infolist()
            _require_sizes(found, name)
            made = tuple(_member(archive, item, name) for item in found)
    except (zipfile.BadZipFile, zipfile.LargeZipFile, NotImplementedError, EOFError, zlib.error, OSError) as error:
        raise _broken(name, f"it is no whole zip archive ({type(error).__name__})") from None
    except (RuntimeError, UnicodeDecodeError):
        raise _broken(name, "it cannot be unpacked") from None
    if len({item.name for item in made}) < len(made):
        raise _broken(name, "an array's name occurs twice")
    return made


def _require_sizes(found: list[zipfile.ZipInfo], name: str) -> None:
    if len(found) > _MEMBERS:
        raise _broken(name, f"it holds {len(found):,} members, and at most {_MEMBERS:,} are read")
    for item in found:
        parts = PurePosixPath(item.filename).parts
        leaves = item.filename.startswith("/") or "\\" in item.filename or ".." in parts or ":" in item.filename[:2]
        if leaves or stat.S_ISLNK(item.external_attr >> 16) or item.is_dir():
            raise InputError(
                "data.zip-slip", "a member of the archive is a link, a folder, or leaves its folder.",
                where=name, remedy=_AGAIN,
            )  # fmt: skip
        if item.flag_bits & 1:
            raise _broken(name, "it is encrypted")
    total, packed = sum(item.file_size for item in found), sum(item.compress_size for item in found)
    if total > MOST_BYTES:
        raise InputError(
            "data.large",
            f"its arrays take {total / 1e9:.1f} GB, and at most {MOST_BYTES / 1e9:.1f} GB are read.",
            where=name,
            remedy="Draw rows at random, or store smaller images.",
        )
    if total > max(_SMALL, _RATIO * packed):
        raise InputError(
            "data.bomb",
            f"it unpacks from {packed / 1e6:.1f} MB to {total / 1e6:,.0f} MB, which no images do.",
            where=name,
            remedy="Save it again with numpy.savez, unpacked, if these data are meant.",
        )


def _member(archive: zipfile.ZipFile, item: zipfile.ZipInfo, name: str) -> Member:
    if not item.filename.endswith(".npy"):
        raise _broken(name, f'its member "{_shown(item.filename)}" is no array')
    title = item.filename.removesuffix(".npy")
    with archive.open(item) as stream:
        magic = stream.read(8)
        width, form = (2, "<H") if magic[6:7] == b"\x01" else (4, "<I")
        raw = stream.read(width)
        length = struct.unpack(form, raw)[0] if len(raw) == width else _HEADER + 1
        if magic[:6] != b"\x93NUMPY" or magic[6] not in (1, 2, 3) or length > _HEADER:
            raise _lies(name, title)
        text = stream.read(length)
    try:
        header = ast.literal_eval(text.decode("utf-8" if magic[6] == 3 else "latin-1").strip())
        dtype, shape, fortran = header["descr"], header["shape"], header["fortran_order"]
        plain = isinstance(shape, tuple) and all(type(size) is int and size >= 0 for size in shape)
    except (SyntaxError, ValueError, KeyError, TypeError, RecursionError, MemoryError):
        raise _lies(name, title) from None
    if not isinstance(dtype, str) or "O" in dtype:
        raise InputError(
            "data.objects",
            f'its array "{_shown(title)}" holds Python objects, which are a pickle; none is read.',
            where=name,
            remedy="Convert it, for example with numpy.array(labels, dtype=str), and save it again.",
        )
    offset, item_size = 8 + width + length, _itemsize(dtype)
    size = item.file_size - offset
    if not plain or not isinstance(fortran, bool) or item_size < 0 or math.prod(shape) * item_size != size:
        raise _lies(name, title)
    return Member(title, dtype, shape, fortran, offset, size, item.filename)


def _itemsize(dtype: str) -> int:
    """Return the bytes of one element; -1 for a type that no array of numbers or texts has."""
    found = _DTYPE.fullmatch(dtype)
    if found is None or found[1] == "V":
        return -1
    if found[1] is None:
        return 8
    if found[1] == "?":
        return 1
    count = int(found[2] or 0)
    return 4 * count if found[1] == "U" else count


def _shown(text: str) -> str:
    return "".join(letter if letter.isprintable() else "?" for letter in text)[:60]


def _lies(name: str, title: str) -> InputError:
    return _broken(name, f'the header of its array "{_shown(title)}" does not fit its bytes')


def _broken(name: str, why: str) -> InputError:
    return InputError("data.npz", f"the npz file cannot be used: {why}.", where=name, remedy=_AGAIN)
