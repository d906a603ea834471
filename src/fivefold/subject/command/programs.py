"""Programs: which file a command starts, and what else that program must be able to start and read."""

from __future__ import annotations

import hashlib
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from fivefold.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

PATH = "/usr/local/bin:/usr/bin:/bin"
"""Where a bare name is looked up."""

_LOADERS = ("/lib64", "/lib/ld-linux-aarch64.so.1", "/lib/x86_64-linux-gnu", "/usr/lib64", "/usr/lib/x86_64-linux-gnu")
_SHELL = ("sh", "dash", "bash", "sed", "uname", "dirname", "basename", "expr", "grep", "rm", "cat", "readlink", "test")
_R = ("/usr/lib/R", "/usr/local/lib/R", "/usr/share/R", "/etc/R")
_GENERIC = frozenset({"/bin", "/usr/bin", "/usr/local/bin", "/sbin", "/usr/sbin", "/usr/local/sbin"})
_HEAD = 256
_CHUNK = 1 << 20


@dataclass(frozen=True)
class Program:
    """What a command starts.

    Attributes:
        file: The program, links followed.
        may_start: Files and folders whose programs may be started: itself, its interpreter, its own helpers.
        reads: Further files and folders that it reads.
    """

    file: Path
    may_start: tuple[str, ...]
    reads: tuple[str, ...]

    def digest(self) -> str:
        """Return the SHA-256 of the program's bytes."""
        state = hashlib.sha256()
        with self.file.open("rb") as stream:
            while chunk := stream.read(_CHUNK):
                state.update(chunk)
        return state.hexdigest()


def find(words: Sequence[str], root: Path, app: Path) -> Program:
    """Find what a command starts.

    Args:
        words: Program and arguments, as declared.
        root: The application's folder.
        app: The snapshot's folder, where the application's own programs lie.

    Raises:
        InputError: ``command.program`` if there is no such program.
    """
    name = words[0]
    plain = name.removeprefix("./")
    if "/" in name or (root / plain).is_file():
        place = Path(name) if Path(name).is_absolute() else app / plain
        found = place if place.is_file() else None
    else:
        found = Path(where) if (where := shutil.which(name, path=PATH)) else None
    if found is None:
        raise InputError(
            "command.program",
            f"there is no program {name[:80]!r} here.",
            remedy=f"Install it (it is looked for in {PATH}), or put it beside the manifest.",
        )
    return _described(found.resolve())


def _described(file: Path) -> Program:
    starts, reads = [str(file), *_LOADERS], [str(file)]
    interpreter = _interpreter(file)
    if interpreter is not None:
        inner = _described(interpreter)
        starts += inner.may_start
        reads += inner.reads
    folder = str(file.parent)
    if file.name in ("R", "Rscript"):
        starts += [*_R, *_tools()]
        reads += _R
    elif folder not in _GENERIC and folder.startswith(("/usr/", "/opt/")):
        starts.append(folder)  # a runtime in a folder of its own, such as a JDK
        reads.append(str(file.parent.parent))
    return Program(file, tuple(dict.fromkeys(starts)), tuple(dict.fromkeys(reads)))


def _tools() -> list[str]:
    """Return the small programs that R's own start script calls."""
    return [where for name in _SHELL if (where := shutil.which(name, path=PATH))]


def _interpreter(file: Path) -> Path | None:
    """Return the program in the first line of a script (``#!``), links followed; None for anything else."""
    with file.open("rb") as stream:
        head = stream.read(_HEAD)
    if not head.startswith(b"#!"):
        return None
    words = head[2:].split(b"\n", 1)[0].decode("utf-8", "replace").split()
    if words and words[0].endswith("/env") and len(words) > 1:
        found = shutil.which(next((word for word in words[1:] if not word.startswith("-")), ""), path=PATH)
    else:
        found = words[0] if words else None
    return Path(found).resolve() if found and Path(found).is_file() else None
