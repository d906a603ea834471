"""Long: a log of 100,000 entries published as static files, verified by the program in Go, and the other way.

``python -m tests.log.long`` writes ``docs/figures/tiles.md``.
"""

from __future__ import annotations

import argparse
import platform
import resource
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from tests.log import verifying

from fivefold.keys import signing
from fivefold.log import note, static
from fivefold.log.book import Book
from fivefold.log.disk import Folder
from fivefold.log.published import audit
from fivefold.log.publishing import publish

FIGURE = Path(__file__).resolve().parents[2] / "docs" / "figures" / "tiles.md"
_ORIGIN = "fivefold/long/record"
_BATCH = 4096


def _append(book: Book, count: int, rng: np.random.Generator) -> None:
    end = book.size + count
    while book.size < end:
        book.append([rng.bytes(420) for _ in range(min(_BATCH, end - book.size))])
    book.publish()


def _timed(rows: list[tuple[str, str, str]], what: str, count: int, act: object) -> object:
    begun = time.perf_counter()
    said = act()  # type: ignore[operator]
    took = time.perf_counter() - begun
    rows.append((what, f"{took:.1f} s", f"{count / took:,.0f} entries a second"))
    sys.stderr.write(f"{what}: {took:.1f} s\n")
    return said


def main() -> int:
    """Measure, write the page; return 1 if anything is refused."""
    parser = argparse.ArgumentParser(prog="python -m tests.log.long", description=__doc__)
    parser.add_argument("--entries", type=int, default=100_000)
    parser.add_argument("--proofs", type=int, default=1_000)
    parser.add_argument("--out", type=Path, default=FIGURE)
    asked = parser.parse_args()
    size, proofs, rng = asked.entries, asked.proofs, np.random.default_rng(7)
    signer = signing.generate()
    key, keys = note.NoteKey(_ORIGIN, signer.public), (signer.public,)
    rows: list[tuple[str, str, str]] = []
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        program, disk, www = verifying.build(root), Folder(root / "log"), root / "www"
        book = Book(disk, _ORIGIN, signer)
        _append(book, size * 9 // 10, rng)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        _timed(rows, f"published, {book.size:,} entries", book.size, lambda: publish(disk, www, keys))
        more = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
        _append(book, size - book.size, rng)
        added = size - size * 9 // 10
        _timed(rows, f"published again, {added:,} more", added, lambda: publish(disk, www, keys))
        verify = ("verify", www, key.vkey, proofs, proofs, 7)
        first = _timed(rows, "verified by the program in Go", size, lambda: verifying.run(program, *verify))
        own = _timed(rows, "audited by us", size, lambda: audit(static.folder(www), key))
        files = [path.stat().st_size for path in www.rglob("*") if path.is_file()]
        theirs = root / "theirs"
        _, vkey = verifying.run(program, "write", theirs, "log.example/long", size, 7)
        foreign = note.parse_vkey(vkey)
        theirs = static.folder(root / "theirs")
        other = _timed(rows, "a log that the program wrote, audited by us", size, lambda: audit(theirs, foreign))
        bundle = www / "tile/entries/007"
        data = bundle.read_bytes()
        bundle.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
        spoiled = verifying.run(program, *verify)
        ours = audit(static.folder(www), key)
    good = first[0] == 0 and not own.faults and not other.faults and spoiled[0] == 1 and bool(ours.faults)  # type: ignore[index,attr-defined]
    said = [
        f"Go, our log: `{first[1]}`",  # type: ignore[index]
        f"Go, one bit of one entry changed: `{spoiled[1]}`",
        f"We, our log: {own.size:,} entries, {len(own.faults)} faults; its bit changed: {len(ours.faults)} faults",  # type: ignore[attr-defined]
        f"We, the log that the program wrote: {other.size:,} entries, {len(other.faults)} faults",  # type: ignore[attr-defined]
        f"Files: {len(files):,} with {sum(files) / 1e6:.1f} MB for {size * 420 / 1e6:.1f} MB of entries",
        f"Memory that publishing added to the process: {more / 1024:.0f} MiB",
    ]
    asked.out.write_text(_page(rows, said, size, proofs), encoding="utf-8")
    return 0 if good else 1


def _page(rows: list[tuple[str, str, str]], said: list[str], size: int, proofs: int) -> str:
    today, python = time.strftime("%-d %B %Y"), platform.python_version()
    lines = [
        f"# A published log of {size:,} entries",
        "",
        f"Made by `python -m tests.log.long` on {today}, Python {python}; entries of 420 random bytes, {proofs:,}",
        "drawn for inclusion and as many sizes for consistency (drawn twice counts once). Two cores, shared.",
        "",
        *(f"- {one}" for one in said),
        "",
        "| step | time | rate |",
        "|---|---|---|",
        *(f"| {what} | {took} | {rate} |" for what, took, rate in rows),
        "",
        "Formats: [static tiles](../formats/tiles.md).",
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
