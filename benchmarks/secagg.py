"""Secure aggregation: one round of ours beside one of Flower's SecAgg+, same clients, vectors, neighbours, drop-outs.

The gate comes first: both rounds end, and both means are right to within their own step. Time is that of the processor,
of one client in the mean and of the server; transport is left out on both sides.
"""

from __future__ import annotations

import json
import os
import time
from statistics import median
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from benchmarks.measure import run
from benchmarks.peer_env import REPO, PeerAbsentError, ensure
from benchmarks.rows import Row
from fivefold.keys.signing import generate
from fivefold.sharing.federated import quantise
from fivefold.sharing.federated.client import Client
from fivefold.sharing.federated.messages import Advert, Box, Masked, Request, Shares, pack, unpack
from fivefold.sharing.federated.server import Server
from fivefold.sharing.federated.terms import agreed

if TYPE_CHECKING:
    from collections.abc import Callable

PINS = ("flwr==1.42.0", "numpy==2.4.6")
PEER = REPO / "benchmarks" / "peers" / "secagg.py"
CLIENTS, SIZE, SHARES, DROPPED = 64, 1_000_000, 21, 6


def measure(*, gates: bool, repeat: int) -> tuple[list[Row], str]:
    """Return the rows, and why a peer is absent."""
    size = SIZE // 10 if gates else SIZE
    absent, theirs = "", []
    try:
        peer = ensure("secagg", PINS)
        command = [str(peer), str(PEER), *map(str, (CLIENTS, size, SHARES, DROPPED))]
        for _ in range(repeat):
            answer = run(command, cwd=REPO, env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": ""})
            if answer.code == 0 and (found := json.loads(answer.out))["ended"] and found["error"] < 1e-4:
                theirs.append(found)
    except PeerAbsentError as error:
        absent = str(error)
    ours = [played(CLIENTS, size, SHARES - 1, DROPPED) for _ in range(repeat)]
    note = f"{CLIENTS} clients, {size:,} numbers, k = {SHARES}, {DROPPED} drop out before they send; median of {repeat}"
    rows = []
    for key, name, floor, unit in (
        ("client", "CPU of a client", 0.2, "s"),
        ("server", "CPU of the server", 0.05, "s"),
        ("upload", "bytes that a client sends", 0.55, "B"),
    ):
        good = theirs and all(one["error"] <= one["bound"] for one in ours)
        mine = median(one[key] for one in ours) if good else None
        rows.append(
            Row(name, mine, median(one[key] for one in theirs) if theirs else None, floor, "max", unit, note=note)
        )
    return [*rows, growth((100, 400) if gates else (100, 10_000))], absent


class _Simulated(Client):
    """A client that takes from the first of its round what it would find in the directory itself, to save time."""

    seen: ClassVar[set[bytes]] = set()
    place: ClassVar[list[Any]] = []

    def _check(self, advert: Advert) -> None:
        if advert.signature not in self.seen:
            super()._check(advert)
            self.seen.add(advert.signature)

    def _placed(self) -> None:
        if not self.place:
            super()._placed()
            self.place.extend((self._context, self._graph, self._adverts))
        self._context, self._graph, self._adverts = self.place


def growth(counts: tuple[int, int]) -> Row:
    """Return the server's time a client with many clients against few; a tenth drop out, 1,000 numbers, k = 21."""
    each = []
    for count in counts:
        _Simulated.seen.clear()
        _Simulated.place.clear()
        each.append(1e6 * played(count, 1000, SHARES - 1, count // 10, _Simulated)["server"] / count)
    few, many = counts
    note = "simulated in one process; each client's own look at the directory is taken from the first one's"
    return Row(f"CPU of the server a client, {many:,} against {few:,}", each[1], each[0], 1.5, "max", "us", note=note)


def played(count: int, size: int, degree: int, dropped: int, kind: type[Client] = Client) -> dict[str, float]:
    """Play one round; messages are packed and read as they would travel."""
    names = [f"client-{at:05}" for at in range(count)]
    signers = {name: generate() for name in names}
    roster = {name: signer.public for name, signer in signers.items()}
    rng = np.random.default_rng(1)
    vectors = {name: rng.uniform(-1, 1, size).astype(np.float32) for name in names}
    terms = agreed(names, size, round="benchmark", degree=degree)
    cpu, sent = dict.fromkeys(names, 0.0), dict.fromkeys(names, 0)

    def at(name: str, act: Callable[[], Any]) -> Any:
        began = time.process_time()
        found = act()
        cpu[name] += time.process_time() - began
        sent[name] += sum(map(len, found)) if isinstance(found, list) else len(found) if isinstance(found, bytes) else 0
        return found

    began = time.process_time()
    server = Server(terms, roster)
    there = names[dropped:]
    clients = {name: at(name, lambda name=name: kind(name, signers[name], roster, terms, set())) for name in names}
    adverts = [at(name, lambda name=name: pack(clients[name].advertise())) for name in names]
    directory = [pack(one) for one in server.directory(unpack(one, Advert) for one in adverts)]
    told = [unpack(one, Advert) for one in directory] if kind is _Simulated else []
    boxes = {
        name: at(
            name,
            lambda name=name: [
                pack(b) for b in clients[name].share(told or [unpack(one, Advert) for one in directory])
            ],
        )
        for name in names
    }
    routed = server.route({name: [unpack(one, Box) for one in own] for name, own in boxes.items()})
    handed = {name: [pack(box) for box in own] for name, own in routed.items()}

    def masked() -> Any:
        for name in there:
            yield unpack(
                at(name, lambda name=name: pack(clients[name].mask(
                    (unpack(one, Box) for one in handed[name]), quantise.encode(vectors[name], terms)
                ))), Masked,
            )  # fmt: skip

    requests = {name: pack(one) for name, one in server.collect(masked()).items()}
    shares = [at(name, lambda name=name: pack(clients[name].unmask(unpack(requests[name], Request)))) for name in there]
    found = server.finish(unpack(one, Shares) for one in shares)
    mean = quantise.decode(found.total, terms, len(found.included))
    total = time.process_time() - began
    wanted = np.mean([vectors[name] for name in there], axis=0, dtype=np.float64)
    return {
        "client": float(np.mean([cpu[name] for name in there])), "server": total - sum(cpu.values()),
        "upload": float(np.mean([sent[name] for name in there])), "error": float(np.abs(mean - wanted).max()),
        "bound": quantise.bound(terms) * 1.01,
    }  # fmt: skip
