"""One process writes a record, others hand theirs over: nothing acknowledged is lost, whoever dies."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING

import msgspec
import numpy as np
import pytest
from tests.subject.apps import build

from fivefold.errors import FivefoldError, InputError, StorageError
from fivefold.traceability.recorder import Recorder, open_reading, open_recorder
from fivefold.traceability.recorder import service as services
from fivefold.traceability.recorder.service import Remote

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from fivefold.traceability.recorder.recorder import Case

_APPEND = """
import json, sys, time
from pathlib import Path
from fivefold.traceability.recorder import open_recorder

folder, name, seconds = Path(sys.argv[1]), sys.argv[2], float(sys.argv[3])
said = []
with open_recorder(folder, "app") as recorder:
    kind, until = type(recorder).__name__, time.monotonic() + seconds
    print("open", flush=True)
    with recorder.open(name, subject=f"person {name}") as case:
        while time.monotonic() < until:
            said.append(case.output({"n": [len(said)]}, number=len(said)))
print(json.dumps([kind, said]))
"""


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "app" / "record"


@pytest.fixture
def writer(place: Path) -> Iterator[Recorder]:
    """The process that writes."""
    with open_recorder(place, "app") as recorder:
        assert isinstance(recorder, Recorder)
        yield recorder


def started(place: Path, name: str, seconds: float) -> subprocess.Popen[str]:
    words = [sys.executable, "-c", _APPEND, str(place), name, str(seconds)]
    return subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def told(process: subprocess.Popen[str]) -> tuple[str, list[str]]:
    out, err = process.communicate(timeout=180)
    assert process.returncode == 0, err
    kind, said = json.loads(out.splitlines()[-1])
    return kind, said


def endless(case: Case, said: list[str]) -> None:
    """Record until it is refused."""
    while True:
        said.append(case.output({"n": [len(said)]}))


def test_another_process_hands_over_and_reads_back(writer: Recorder, place: Path) -> None:
    """Arrays bit for bit, links within the case, errors with their code."""
    other = open_recorder(place, "app")
    assert isinstance(other, Remote)
    values = np.array([1.5, np.nan])
    with other, other.open("loan 1", subject="Jane", model="ab" * 32, trace="t") as case:
        asked = case.input({"x": values})
        answered = case.output({"y": values})
        with pytest.raises(InputError) as refused:
            case.add("status", {"odd": object()})
        assert refused.value.code == "recorder.fields"
    with writer.open("loan 1", subject="Jane") as case:
        case.action("officer", "override")
    found = list(open_reading(place, "app").search(case="loan 1"))
    assert [item.kind for item in found] == ["input", "output", "action"]
    assert [item.id for item in found[:2]] == [asked, answered]
    bodies = [item.body for item in found if item.body]
    assert bodies[0].tensors[0].data == values.tobytes()
    assert (bodies[1].links, bodies[1].model, bodies[1].trace) == ((asked,), "ab" * 32, "t")


def test_a_person_is_erased_while_another_process_records(tmp_path: Path) -> None:
    """``record erase`` works beside a running writer, which goes on with a new key."""
    manifest = build(tmp_path / "app")
    place = manifest.root / "record"
    with open_recorder(place, "app") as writer:
        with writer.open("one", subject="Jane") as case:
            case.output({"x": [1]})
        command = [sys.executable, "-m", "fivefold", "record", "erase", "Jane", "--in", str(manifest.root)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode == 0, done.stderr
        assert "1 key destroyed" in done.stdout
        with writer.open("two", subject="Jane") as case:
            case.output({"x": [2]})
    reading = open_reading(place, "app")
    assert [item.body is None for item in reading.search(case="one")] == [True]
    assert [item.body is None for item in reading.search(case="two")] == [False]
    assert [item.kind for item in reading.search(kind="erasure")] == ["erasure"]


def test_four_processes_append_in_one_order(writer: Recorder, place: Path) -> None:
    """All that was acknowledged to each is there, in the order in which it was handed over."""
    assert writer.queued is False
    processes = [started(place, f"p{number}", 2.0) for number in range(4)]
    parts = {f"p{number}": told(process) for number, process in enumerate(processes)}
    assert {kind for kind, _ in parts.values()} == {"Remote"}
    reading = open_reading(place, "app")
    positions = {item.id: item.index for item in reading.search()}
    for name, (_, said) in parts.items():
        assert len(said) > 10
        order = [positions[item] for item in said]
        assert order == sorted(order)
        numbers = [item.body.fields["number"] for item in reading.search(case=name) if item.body]
        assert numbers == list(range(len(said)))
    assert len(positions) == sum(len(said) for _, said in parts.values())


def test_the_writer_ends_in_good_order_and_the_next_one_takes_over(place: Path) -> None:
    """What was handed over is answered; later records are refused with a remedy, and a new opening writes itself."""
    writer = open_recorder(place, "app")
    other = open_recorder(place, "app", queued=True)
    case = other.open("one")
    tickets = [other.submit("status", services.Body(case="one", fields={"n": n}))[1] for n in range(200)]
    tickets[0].wait()
    writer.close()
    for ticket in tickets:
        ticket.done.wait()
    kept = sum(ticket.error is None for ticket in tickets)
    assert {ticket.error.code for ticket in tickets if ticket.error} <= {"record.lost"}
    with pytest.raises(StorageError) as lost:
        endless(case, [])
    assert lost.value.code == "record.lost"
    assert lost.value.remedy
    other.close()
    with open_recorder(place, "app") as again:
        assert isinstance(again, Recorder)
    assert len(list(open_reading(place, "app").search())) >= kept


def test_a_killed_writer_loses_nothing_that_it_acknowledged(place: Path) -> None:
    """Signal 9; the client hears of it, its acknowledged records are there, and it can open anew."""
    process = started(place, "writer", 60)
    assert process.stdout is not None
    assert process.stdout.readline() == "open\n"
    said: list[str] = []
    killer = threading.Timer(0.5, lambda: os.kill(process.pid, signal.SIGKILL))
    killer.start()
    other = open_recorder(place, "app")
    assert isinstance(other, Remote)
    with pytest.raises(StorageError) as lost:
        endless(other.open("mine"), said)
    other.close()
    assert lost.value.code == "record.lost"
    process.communicate()
    with open_recorder(place, "app") as again:
        assert isinstance(again, Recorder)
    there = {item.id for item in open_reading(place, "app").search(case="mine")}
    assert said
    assert set(said) <= there
    assert len(there) - len(said) <= 1


def _raw(place: Path) -> socket.socket:
    peer = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    peer.settimeout(10)
    peer.connect(str(place / services.SOCKET))
    return peer


_HELLO = msgspec.msgpack.encode(services.Hello(1, "app"))


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        struct.pack(">Q", (1 << 26) + 1),
        struct.pack(">Q", 5) + b"\xc1\xc1\xc1\xc1\xc1",
        struct.pack(">Q", len(_HELLO)) + _HELLO + struct.pack(">Q", 3) + b"abc",
        struct.pack(">Q", len(_HELLO)) + _HELLO + struct.pack(">Q", 1 << 26),
        b"",
    ],
    ids=["http", "too large", "no message", "no message later", "announced only", "nothing"],
)  # fmt: skip
def test_strange_clients_are_dropped_and_stop_nobody(writer: Recorder, place: Path, data: bytes) -> None:
    """Whatever one sends or leaves out, the next one is served."""
    with _raw(place) as peer:
        peer.sendall(data)
        peer.shutdown(socket.SHUT_WR)
        with contextlib.suppress(ConnectionResetError):
            while peer.recv(1 << 16):
                pass
    with open_recorder(place, "app") as other, other.open("one") as case:
        assert isinstance(other, Remote)
        case.output({"x": [1]})
    assert len(list(open_reading(place, "app").search())) == 1
    assert writer.queued is False


def test_another_application_is_refused(writer: Recorder, place: Path) -> None:
    """A record belongs to one application."""
    with pytest.raises(StorageError) as error:
        open_recorder(place, "another")
    assert error.value.code == "record.other"
    with writer.open("one") as case:
        case.output({"x": [1]})


def test_only_the_user_may_connect(writer: Recorder, place: Path) -> None:
    """The socket and its folder are the user's alone."""
    assert writer.queued is False
    assert (place / services.SOCKET).stat().st_mode & 0o777 == 0o600
    assert place.stat().st_mode & 0o777 == 0o700


def test_a_long_path_is_no_obstacle(tmp_path: Path) -> None:
    """A path of a socket has at most 107 bytes; ours may be longer."""
    place = tmp_path / ("d" * 90) / ("e" * 90) / "record"
    with open_recorder(place, "app"), open_recorder(place, "app") as other, other.open("one") as case:
        assert isinstance(other, Remote)
        case.output({"x": [1]})
    assert len(list(open_reading(place, "app").search())) == 1


def test_a_lock_without_a_service_is_told(place: Path) -> None:
    """Somebody holds the log and takes nothing: after two seconds the error of before."""
    from fivefold.log.lock import WriterLock

    lock = WriterLock(place)
    start = time.monotonic()
    with pytest.raises(FivefoldError) as error:
        open_recorder(place, "app")
    assert error.value.code == "log.in-use"
    assert time.monotonic() - start < 10
    lock.close()


def test_a_socket_left_behind_is_replaced(place: Path) -> None:
    """After a crash the file is still there; it leads nowhere and is made anew."""
    with open_recorder(place, "app"):
        pass
    stale = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    stale.bind(str(place / services.SOCKET))
    stale.close()
    with open_recorder(place, "app") as writer, open_recorder(place, "app") as other:
        assert isinstance(writer, Recorder)
        assert isinstance(other, Remote)
    assert not (place / services.SOCKET).exists()


def test_a_record_too_large_is_refused(writer: Recorder, place: Path) -> None:
    """More than a message may have; a large one goes through into a blob."""
    with open_recorder(place, "app") as other, other.open("one") as case:
        with pytest.raises(InputError) as error:
            case.input({"x": np.zeros(9 << 20)})
        assert error.value.code == "recorder.size"
        case.output({"x": np.zeros(1 << 20)})
    (found,) = open_reading(place, "app").search()
    assert found.body is not None
    assert len(found.body.tensors[0].data) == 8 << 20
    assert writer.queued is False
