"""Crashing: power lost at every operation of three workloads, writers killed; counts what was promised and lost."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from fivefold.errors import StorageError
from fivefold.keys import signing
from fivefold.log import audit
from fivefold.log.book import Book
from fivefold.log.segments import walk
from fivefold.log.simulated import PowerLossError, SimulatedDisk
from fivefold.store.people import People
from fivefold.traceability.recorder import Reading, Recorder, open_reading, open_recorder
from fivefold.traceability.recorder.secrets_ import Secrets

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_ORIGIN = "fivefold/app/record"
_SIGNER = signing.generate()


class DeadDisk(SimulatedDisk):
    """After the power is gone, nothing more is done."""

    def _count(self) -> None:
        super()._count()
        if self.stop_at is not None and self.operations > self.stop_at:
            raise PowerLossError


@dataclass
class Tally:
    """What came of one workload.

    Attributes:
        points: How often power was lost.
        acknowledged: Records promised in all runs.
        lost: Of these, not there.
        faults: Audits that found a fault, openings that were refused.
    """

    points: int = 0
    acknowledged: int = 0
    lost: int = 0
    faults: int = 0


def _every_point(
    seed: int, work: Callable[[SimulatedDisk, int, list[bytes]], None], there: Callable[[SimulatedDisk], list[bytes]]
) -> Tally:
    whole = DeadDisk()
    work(whole, seed, [])
    rng, tally = np.random.default_rng([seed, 1]), Tally()
    for stop in range(1, whole.operations + 1):
        disk, said = DeadDisk(stop_at=stop), list[bytes]()
        with contextlib.suppress(PowerLossError, StorageError):
            work(disk, seed, said)
        found = disk.after_crash(lambda below: int(rng.integers(below)))
        tally.points += 1
        tally.acknowledged += len(said)
        kept = set(there(found))
        tally.lost += sum(one not in kept for one in said)
        tally.faults += bool(audit.audit(found, (_SIGNER.public,)).faults)
    return tally


def _append(disk: SimulatedDisk, seed: int, said: list[bytes]) -> None:
    rng, book = np.random.default_rng([seed, 0]), Book(disk, _ORIGIN, _SIGNER, segment_bytes=700)
    for _ in range(25):
        batch = [rng.bytes(int(rng.integers(8, 300))) for _ in range(int(rng.integers(1, 5)))]
        book.append(batch)
        said += batch
        if rng.random() < 0.5:
            book.publish()


def _entries(disk: SimulatedDisk) -> list[bytes]:
    Book(disk, _ORIGIN, _SIGNER, segment_bytes=700).publish()
    return [entry for _, found in walk(disk) for entry in found]


def appends(seed: int) -> Tally:
    """Batches, segments and checkpoints of the log itself."""
    return _every_point(seed, _append, _entries)


def recoveries(seed: int) -> Tally:
    """A crash, then another at any operation of opening again and going on: nothing of either time is lost."""
    rng = np.random.default_rng([seed, 2])
    whole = SimulatedDisk()
    _append(whole, seed, [])
    first, before = SimulatedDisk(stop_at=int(rng.integers(5, whole.operations))), list[bytes]()
    with contextlib.suppress(PowerLossError):
        _append(first, seed, before)
    files = first.after_crash(lambda below: int(rng.integers(below))).files()

    def again(disk: SimulatedDisk, number: int, said: list[bytes]) -> None:
        said += before
        copied = SimulatedDisk.of(files)
        disk._live, disk._durable = copied._live, copied._durable
        _append(disk, number + 1000, said)

    return _every_point(seed, again, _entries)


def cases(seed: int) -> Tally:
    """The recorder: cases of several people, a body that lies in a blob, an erasure, a checkpoint now and then."""
    people = {"store": People(None, "app")}

    def secrets() -> Secrets:
        return Secrets(bytes(32), people["store"])

    def work(disk: SimulatedDisk, number: int, said: list[bytes]) -> None:
        rng = np.random.default_rng([number, 3])
        people["store"] = People(None, "app")
        recorder = Recorder(disk, _ORIGIN, _SIGNER, secrets(), segment_bytes=3000, checkpoint_seconds=0.0)
        try:
            for at in range(8):
                with recorder.open(f"loan {at}", subject=f"person {at}") as case:
                    case.input({"x": rng.normal(size=4)})
                    said.append(bytes.fromhex(case.output({"y": rng.normal(size=2)})))
                    if at == 4:
                        said.append(bytes.fromhex(case.output({"image": rng.integers(0, 255, 70_000).astype("u1")})))
                if at == 6:
                    recorder.erase("person 1")
        finally:
            with contextlib.suppress(StorageError, PowerLossError):
                recorder.close()

    def there(disk: SimulatedDisk) -> list[bytes]:
        with Recorder(disk, _ORIGIN, _SIGNER, secrets(), segment_bytes=3000) as recorder:
            recorder.open("after").output({"y": [1.0]})
        reading = Reading(disk, secrets())
        assert reading.audit((_SIGNER.public,)).faults == ()  # every body can be read, or its key is gone
        return [bytes.fromhex(item.id) for item in reading.search()]

    return _every_point(seed, work, there)


WORKLOADS = {"appends to the log": appends, "a crash after a crash": recoveries, "cases, blobs, an erasure": cases}

_CHILD = """
import sys
from pathlib import Path
from fivefold.traceability.recorder import open_recorder
with open_recorder(Path(sys.argv[1]), "app") as recorder:
    number = 0
    while True:
        with recorder.open(f"case {number % 7}", subject=f"person {number % 5}") as case:
            case.input({"x": [number] * 50})
            sys.stdout.write(case.output({"y": [number]}) + "\\n")
            sys.stdout.flush()
        number += 1
"""


def kills(place: Path, times: int, seed: int = 1) -> Tally:
    """Kill -9 a process that records, again and again, on one log."""
    rng, tally, said = np.random.default_rng(seed), Tally(), set[str]()
    for _ in range(times):
        child = subprocess.Popen([sys.executable, "-c", _CHILD, str(place)], stdout=subprocess.PIPE, text=True)
        assert child.stdout is not None
        for _ in range(int(rng.integers(1, 100))):
            said.add(child.stdout.readline().strip())
        os.kill(child.pid, signal.SIGKILL)
        said |= set(child.communicate()[0].split("\n")[:-1])  # a torn last line was never told
        tally.points += 1
    with open_recorder(place, "app") as recorder, recorder.open("after") as case:
        case.output({"y": [1]})
    reading = open_reading(place, "app")
    tally.acknowledged = len(said)
    tally.lost = len(said - {item.id for item in reading.search()})
    from fivefold.traceability.recorder.opening import log_signer

    tally.faults = len(reading.audit((log_signer().public,)).faults)
    return tally
