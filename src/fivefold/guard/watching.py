"""Watching: whether the model's files are still those that were loaded."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


class Watched:
    """Files and the digests that they had; they are read the first time, and where they were touched since.

    Attributes:
        why: What :meth:`changed` means, in words.
    """

    why = "the model's files were changed while it was served."

    def __init__(self, root: Path, files: Mapping[str, str]) -> None:
        """Take names below a folder with their SHA-256 in hexadecimal."""
        self._root, self._files = root, dict(files)
        self._seen: list[tuple[int, int, int]] = []

    def changed(self) -> bool:
        """Return whether one is another now, or gone."""
        try:
            found = [(self._root / name).stat() for name in self._files]
            stats = [(about.st_ino, about.st_size, about.st_mtime_ns) for about in found]
            if stats == self._seen:
                return False
            self._seen = stats
            return any(self._digest(name) != digest for name, digest in self._files.items())
        except OSError:
            return True

    def _digest(self, name: str) -> str:
        with (self._root / name).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
