"""Mirror: a published log copied to object storage, tiles before the checkpoint that covers them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from fivefold.errors import TrustError
from fivefold.log import static

if TYPE_CHECKING:
    from pathlib import Path


class Shelf(Protocol):
    """Where files are copied to; see :class:`fivefold.store.objects.Bucket`."""

    def put(self, name: str, data: bytes) -> None:
        """Keep a file as a whole."""
        ...

    def sizes(self, below: str = "") -> dict[str, int]:
        """Return names below a prefix with their sizes in bytes."""
        ...

    def drop(self, name: str) -> None:
        """Take a file away."""
        ...


def mirror(folder: Path, shelf: Shelf, below: str) -> int:
    """Copy what is new; take away partial tiles that are gone; return how many files were sent.

    Tiles never change, so one of the same name and length is left as it is.

    Args:
        folder: As :func:`fivefold.log.publishing.publish` wrote it.
        shelf: Where to.
        below: Prefix there.

    Raises:
        TrustError: ``tiles.missing`` if nothing is published there; ``tiles.malformed``.
        StorageError: As the shelf.
    """
    checkpoint = static.read(folder / static.CHECKPOINT, static.MAX_BUNDLE)
    if checkpoint is None:
        raise TrustError("tiles.missing", "no log is published there.", where=str(folder))
    there, sent = shelf.sizes(f"{below}/tile/"), 0
    here = {f"{below}/{path.relative_to(folder).as_posix()}": path for path in (folder / "tile").rglob("*")}
    for name, path in sorted(here.items()):
        if path.is_dir() or path.name.startswith("."):
            continue
        if there.get(name) != path.stat().st_size:
            data = static.read(path, static.MAX_BUNDLE)
            if data is not None:
                shelf.put(name, data)
                sent += 1
    shelf.put(f"{below}/{static.CHECKPOINT}", checkpoint)
    for name in there.keys() - here.keys():
        if ".p/" in name:  # its full tile is covered now
            shelf.drop(name)
    return sent + 1
