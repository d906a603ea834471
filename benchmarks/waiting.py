"""Waiting: what callers of the recorder wait for: one record each from 256 threads, one alone, and a proof."""

from __future__ import annotations

import os
import queue
import secrets
import sqlite3
import statistics
import tempfile
import threading
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.rows import Row
from fivefold.errors import InputError
from fivefold.keys import signing
from fivefold.log.disk import Folder
from fivefold.store.people import People
from fivefold.traceability.recorder.nouns import Body
from fivefold.traceability.recorder.reading import Reading
from fivefold.traceability.recorder.recorder import Recorder
from fivefold.traceability.recorder.secrets_ import Secrets

if TYPE_CHECKING:
    from collections.abc import Callable

PRODUCERS = 256
_TEXT = "x" * 200
_SIZE = 420


def measure(*, gates: bool, repeat: int) -> list[Row]:
    """Return the rows."""
    each, alone, proofs = (4, 50, 3) if gates else (40, 400, 20)
    ours, sqlite, single, raw = [], [], [], []
    for _ in range(repeat):
        with tempfile.TemporaryDirectory(dir=os.environ.get("FIVEFOLD_BENCH_DIR")) as folder:
            place = Path(folder)
            with _recorder(place / "many") as recorder:
                ours.append(PRODUCERS * each / _producers(lambda: _one(recorder), each))
            sqlite.append(PRODUCERS * each / _grouped(place / "base", each))
            with _recorder(place / "one") as recorder:
                single.append(statistics.median(_timed(lambda: _one(recorder), alone)))
            raw.append(statistics.median(_raw(place / "raw", alone)))
    many = Row(
        "256 producers against SQLite with group commit",
        statistics.median(ours),
        statistics.median(sqlite),
        1,
        "min",
        "/s",
    )
    lone = Row(
        "one producer, p50, against fdatasync",
        statistics.median(single) * 1e6,
        statistics.median(raw) * 1e6,
        2,
        "max",
        "us",
    )
    return [many, lone, Row("record to verifiable proof, p50", _proven(proofs) * 1e3, None, 150, "max", "ms")]


def _secrets(folder: Path) -> Secrets:
    folder.mkdir(parents=True, exist_ok=True)
    return Secrets(bytes(32), People(folder / "keys.sqlite", "bench"))


def _recorder(folder: Path) -> Recorder:
    return Recorder(Folder(folder / "record"), "bench", signing.generate(), _secrets(folder))


def _one(recorder: Recorder) -> str:
    name, ticket = recorder.submit("decision", Body(case="bench", person="one", fields={"text": _TEXT}))
    ticket.wait()
    return name


def _producers(work: Callable[[], object], each: int) -> float:
    """Return the seconds that 256 threads take, each doing its work one after another."""
    ready = threading.Barrier(PRODUCERS + 1)

    def run() -> None:
        ready.wait()
        for _ in range(each):
            work()

    threads = [threading.Thread(target=run) for _ in range(PRODUCERS)]
    for thread in threads:
        thread.start()
    ready.wait()
    start = time.perf_counter()
    for thread in threads:
        thread.join()
    return time.perf_counter() - start


def _grouped(file: Path, each: int) -> float:
    """Return the same for SQLite: one thread inserts what waits in one transaction, synchronous=FULL."""
    waiting: queue.SimpleQueue[threading.Event | None] = queue.SimpleQueue()
    record = secrets.token_bytes(_SIZE)

    def commit() -> None:
        with closing(sqlite3.connect(file, isolation_level=None)) as base:
            base.execute("PRAGMA journal_mode = WAL")
            base.execute("PRAGMA synchronous = FULL")
            base.execute("CREATE TABLE record (id INTEGER PRIMARY KEY, data BLOB)")
            while (first := waiting.get()) is not None:
                batch = [first]
                while not waiting.empty() and (more := waiting.get()) is not None:
                    batch.append(more)
                base.execute("BEGIN")
                base.executemany("INSERT INTO record (data) VALUES (?)", [(record,)] * len(batch))
                base.execute("COMMIT")
                for done in batch:
                    done.set()

    def one() -> None:
        done = threading.Event()
        waiting.put(done)
        done.wait()

    committer = threading.Thread(target=commit)
    committer.start()
    taken = _producers(one, each)
    waiting.put(None)
    committer.join()
    return taken


def _timed(work: Callable[[], object], times: int) -> list[float]:
    found = []
    for _ in range(times):
        start = time.perf_counter()
        work()
        found.append(time.perf_counter() - start)
    return found


def _raw(file: Path, times: int) -> list[float]:
    record = secrets.token_bytes(_SIZE)
    with file.open("wb", buffering=0) as opened:
        os.posix_fallocate(opened.fileno(), 0, times * _SIZE)

        def work() -> None:
            opened.write(record)
            os.fdatasync(opened.fileno())

        return _timed(work, times)


def _proven(times: int) -> float:
    """Return the median of seconds from handing a record over until a proof of it under a signed checkpoint is made."""
    with tempfile.TemporaryDirectory(dir=os.environ.get("FIVEFOLD_BENCH_DIR")) as folder:
        place, found = Path(folder), []
        with _recorder(place) as recorder:
            reading = Reading(Folder(place / "record"), _secrets(place))
            for _ in range(times):
                start = time.perf_counter()
                name = _one(recorder)
                while True:
                    try:
                        reading.prove(name)
                        break
                    except InputError:
                        time.sleep(0.002)
                found.append(time.perf_counter() - start)
                time.sleep(0.03 * secrets.randbelow(5))  # so that records do not fall in step with checkpoints
        return statistics.median(found)
