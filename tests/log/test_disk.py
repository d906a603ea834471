"""A folder as the log's disk: any number of segments with a bounded number of open files."""

from __future__ import annotations

from pathlib import Path

from fivefold.keys import signing
from fivefold.log import audit
from fivefold.log.book import Book
from fivefold.log.disk import Folder


def test_many_segments_need_few_open_files(tmp_path: Path) -> None:
    """A log of 300 segments by one writer: open files stay bounded, and all of it is whole."""
    signer, before = signing.generate(), opened()
    disk, most = Folder(tmp_path / "log"), 0
    book = Book(disk, "log/test", signer, segment_bytes=4096)
    for number in range(900):
        book.append([f"{number}".encode() * 500])
        most = max(most, opened())
    book.publish()
    disk.close()
    assert len(list((tmp_path / "log").glob("segment-*"))) > 200
    assert most - before < 40
    found = audit.audit(Folder(tmp_path / "log"), (signer.public,))
    assert (found.size, found.faults) == (900, ())


def opened() -> int:
    """Return how many files this process has open."""
    return len(list(Path("/proc/self/fd").iterdir()))
