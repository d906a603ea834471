"""Scan: every file of the signed set, by its bytes and not by its name, container by container.

Refused: pickles in any disguise, archives that leave their folder, expand without measure or cannot be looked into,
ONNX files whose weights lie elsewhere, headers that lie. Nothing is executed. One megabyte is read at a time; what is
packed is unpacked to a temporary file within limits.

Limit: this tells what standard loaders would execute. A loader of the application's own may execute any file; that it
runs in a sandbox is the protection there. Files outside the signed set are not looked at.
"""

from __future__ import annotations

import bz2
import gzip
import lzma
import stat
import tarfile
import tempfile
import zipfile
import zlib
from pathlib import Path, PurePosixPath
from typing import IO, TYPE_CHECKING, Any, cast

from fivefold.errors import TrustError
from fivefold.subject.hostile import arrays, onnx_data, pickles

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_CHUNK = 1 << 20
_SPOOL = 8 << 20
_SMALL = 64 << 20
_RATIO = 200
_MOST = 8 << 30
_MEMORY = 256 << 20
_DEEPEST = 5
_MEMBERS = 20_000
_ENDINGS = (".pkl", ".pickle", ".joblib", ".dill", ".cloudpickle", ".sav")
"""Names that every loader takes for pickles."""

_UNREADABLE = {
    b"7z\xbc\xaf\x27\x1c": "7z", b"Rar!": "rar", b"\x28\xb5\x2f\xfd": "zstandard", b"\x04\x22\x4d\x18": "lz4",
}  # fmt: skip
_HOW = (
    "A pickle runs code while it is read. Export the model as ONNX, safetensors, JSON or npz without objects; "
    "`fivefold model convert FILE` says how."
)


def scan(files: Iterable[tuple[str, Path]]) -> None:
    """Look at files before anything opens them.

    Args:
        files: Name relative to the application, and the copy to read.

    Raises:
        TrustError: ``model.pickle``, ``model.zip-slip``, ``model.bomb``, ``model.archive``, ``model.npy``,
            ``model.safetensors``, ``model.external-data``, ``model.onnx-malformed``.
    """
    for name, path in files:
        try:
            _file(name, path)
        except TrustError as error:
            raise TrustError(error.code, error.message, remedy=error.remedy, where=error.where or name) from None


def names(path: Path) -> list[str]:
    """Return what the pickle at the start of a file would import; empty for anything else."""
    with path.open("rb") as stream:
        return pickles.look(stream).names


def _file(name: str, path: Path) -> None:
    size = path.stat().st_size
    with path.open("rb") as stream:
        _stream(name, cast("IO[bytes]", stream), size, _Budget(max(_SMALL, _RATIO * size)), 0)
    if name.lower().endswith(".onnx"):
        for place in onnx_data.locations(path):
            _require_inside(place, path.parent)


class _Budget:
    """How many bytes may still be unpacked of one file."""

    def __init__(self, left: int) -> None:
        self._left = min(left, _MOST)

    def take(self, size: int) -> None:
        self._left -= size
        if self._left < 0:
            raise TrustError(
                "model.bomb", "it unpacks to far more than it is.", remedy="Store the model's files unpacked."
            )


def _stream(name: str, stream: IO[bytes], size: int, budget: _Budget, depth: int) -> None:
    """Look at one file or member."""
    if depth > _DEEPEST:
        raise TrustError("model.bomb", "it is packed too many times over.", remedy="Store the files unpacked.")
    head = stream.read(560)
    for magic, kind in _UNREADABLE.items():
        if head.startswith(magic):
            raise TrustError("model.archive", f"a {kind} archive cannot be looked into.", remedy="Unpack it.")
    if name.lower().endswith(".safetensors") or (len(head) > 9 and head[8:10] == b'{"' and _length(head) < size):
        stream.seek(0)
        arrays.require_safetensors(stream, size)
    if head.startswith(b"\x93NUMPY") and arrays.holds_objects(stream):
        raise _pickle(name, [])
    stream.seek(0)
    found = pickles.look(stream)
    if found.is_pickle or name.lower().endswith(_ENDINGS):
        raise _pickle(name, found.names)
    stream.seek(0)
    if zipfile.is_zipfile(stream):
        _zip(stream, head.startswith(b"PK"), budget, depth)
    elif head[257:262] == b"ustar":
        _tar(stream, budget, depth)
    else:
        _packed(name, stream, head, budget, depth)


def _length(head: bytes) -> int:
    return int.from_bytes(head[:8], "little")


def _pickle(name: str, names: list[str]) -> TrustError:
    shown = f" that names {', '.join(names[:4])}" if names else ""
    clean = "".join(letter if letter.isprintable() else "?" for letter in name)[:120]
    return TrustError("model.pickle", f'"{clean}" is a pickle{shown}.', remedy=_HOW)


def _zip(stream: IO[bytes], certain: bool, budget: _Budget, depth: int) -> None:
    stream.seek(0)
    try:
        with zipfile.ZipFile(stream) as archive:
            members = archive.infolist()
            _require_few(len(members))
            for member in members:
                _require_name(member.filename, link=stat.S_ISLNK(member.external_attr >> 16))
                if member.flag_bits & 1:
                    raise TrustError("model.archive", "it is encrypted.", remedy="Store it without a password.")
                with archive.open(member) as inner:
                    _unpacked(member.filename, _parts(inner), budget, depth)
    except (
        zipfile.BadZipFile,
        zipfile.LargeZipFile,
        NotImplementedError,
        EOFError,
        zlib.error,
        lzma.LZMAError,
    ) as error:
        if certain:
            raise _broken() from error


def _tar(stream: IO[bytes], budget: _Budget, depth: int) -> None:
    stream.seek(0)
    try:
        with tarfile.open(fileobj=stream, mode="r:") as archive:
            for count, member in enumerate(archive):
                _require_few(count)
                _require_name(member.name, link=member.issym() or member.islnk() or member.isdev())
                inner = archive.extractfile(member) if member.isfile() else None
                if inner is not None:
                    _unpacked(member.name, _parts(inner), budget, depth)
    except (tarfile.TarError, EOFError) as error:
        raise _broken() from error


def _packed(name: str, stream: IO[bytes], head: bytes, budget: _Budget, depth: int) -> None:
    inner = name.rpartition(".")[0] or name
    opener = {b"\x1f\x8b": gzip.GzipFile, b"BZ": bz2.BZ2File}.get(head[:2])
    stream.seek(0)
    try:
        if opener is gzip.GzipFile:
            _unpacked(inner, _parts(gzip.GzipFile(fileobj=stream, mode="rb")), budget, depth)
        elif opener is not None and head[2:3] == b"h":
            _unpacked(inner, _parts(bz2.BZ2File(stream)), budget, depth)
        elif head.startswith((b"\xfd7zXZ\x00", b"\x5d\x00\x00")):
            _unpacked(inner, _unsqueezed(stream), budget, depth)
    except (OSError, EOFError, lzma.LZMAError, zlib.error) as error:
        if not head.startswith((b"\x5d", b"BZ")):
            raise _broken() from error
    if head[:1] == b"\x78" and head[1:2] in (b"\x01", b"\x5e", b"\x9c", b"\xda"):
        stream.seek(0)
        _unpacked(name, _inflated(stream), budget, depth)


def _parts(stream: Any) -> Iterator[bytes]:
    while data := stream.read(_CHUNK):
        yield data


def _unsqueezed(stream: IO[bytes]) -> Iterator[bytes]:
    """Yield the content of an xz or lzma stream; its dictionary may not take more than 256 MiB."""
    state = lzma.LZMADecompressor(memlimit=_MEMORY)
    while not state.eof and (not state.needs_input or (data := stream.read(_CHUNK))):
        yield state.decompress(data if state.needs_input else b"", _CHUNK)


def _inflated(stream: IO[bytes]) -> Iterator[bytes]:
    """Yield a zlib stream's content; what only looked like one ends early."""
    state = zlib.decompressobj()
    waiting = b""
    try:
        while not state.eof and (data := waiting or stream.read(_CHUNK)):
            yield state.decompress(data, _CHUNK)
            waiting = state.unconsumed_tail
    except zlib.error:
        return


def _unpacked(name: str, parts: Iterable[bytes], budget: _Budget, depth: int) -> None:
    """Unpack to a temporary file within the budget and look at that."""
    size = 0
    with tempfile.SpooledTemporaryFile(max_size=_SPOOL) as file:
        for part in parts:
            size += len(part)
            budget.take(len(part))
            file.write(part)
        file.seek(0)
        _stream(name, cast("IO[bytes]", file), size, budget, depth + 1)


def _require_few(count: int) -> None:
    if count > _MEMBERS:
        raise TrustError("model.bomb", f"it holds more than {_MEMBERS} files.", remedy="Store the files unpacked.")


def _require_name(name: str, *, link: bool) -> None:
    parts = PurePosixPath(name).parts
    if link or name.startswith("/") or "\\" in name or ".." in parts or (len(name) > 1 and name[1] == ":"):
        raise TrustError(
            "model.zip-slip",
            "a member of the archive is a link or leaves its folder.",
            remedy="Pack it again with plain relative names.",
        )


def _require_inside(place: str, folder: Path) -> None:
    target = folder / place
    inside = not PurePosixPath(place).is_absolute() and ".." not in PurePosixPath(place).parts and "\\" not in place
    if not inside or "\0" in place or target.is_symlink() or not target.is_file():
        raise TrustError(
            "model.external-data",
            "the ONNX file's weights do not lie beside it in the signed set.",
            remedy="Put them into its folder, list them under `model.files:` and sign again, or export one file.",
        )


def _broken() -> TrustError:
    return TrustError("model.archive", "the archive cannot be read.", remedy="Pack it again.")
