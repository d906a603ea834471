"""The guard's server beside MLServer with the same scikit-learn model, what it adds before another, and the rest.

A logistic regression of 20 numbers, one row a request, as JSON, over connections that stay open; both give label and
scores. Sides take turns in rounds of one run. Everything of the guard is on (token, purpose, domain, a confined
process, two durable records for each answer) but the reason, which asks the model some hundred times and has a row of
its own. MLServer gets its favourite form: one tensor, parallel_workers=0. What happens in this process is in
:mod:`benchmarks.inside`, durability, images and overload in :mod:`benchmarks.outside`.
"""

from __future__ import annotations

import contextlib
import os
import statistics
import tempfile
import time
from pathlib import Path

from benchmarks import inside, outside
from benchmarks.peer_env import PeerAbsentError, ensure
from benchmarks.rows import Row
from benchmarks.served import ROWS, Side, asked, environment, guard, mlserver, processor, rate, requests, signer

PINS = ("mlserver==1.7.1", "mlserver-sklearn==1.7.1")
_NGINX = "nginx is not on this machine (apt-get install nginx-light); what the guard adds is given by itself."


def measure(*, gates: bool, repeat: int) -> tuple[list[Row], str]:
    """Return the rows, and which peers are absent."""
    try:
        python, absent = ensure("guard", PINS), ""
    except PeerAbsentError as error:
        return [], str(error)
    count = 100 if gates else 400
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        found = environment(home)
        signer(found)
        rows = _beside(home, found, python, count, repeat)
        rows.append(outside.durability(home, found, count, repeat))
        rows.append(outside.image(home, found, count // 4))
        rows += outside.overload(home, found, gates=gates)
    more, lacking = inside.measure(gates=gates, repeat=repeat)
    return [*rows, *more], absent or lacking


def _beside(home: Path, found: dict[str, str], python: Path, count: int, repeat: int) -> list[Row]:
    """Return what is measured beside MLServer and nginx, in turns."""
    with contextlib.ExitStack() as stack:
        pid, peer = stack.enter_context(mlserver(home / "peer", python))
        sides = {"mlserver": Side(pid, peer, requests("/v2/models/m/infer", peer, "", matrix=True))}
        behind = {"endpoint": f"http://127.0.0.1:{peer}/v2/models/m", "classes": ["bad", "good"]}
        for name, model, reasons in (
            ("guard", outside.SIGNED, 0),
            ("reasons", outside.SIGNED, 8),
            ("proxy", behind, 0),
        ):
            pid, port, token = stack.enter_context(guard(home / name, model, found, reasons))
            sides[name] = Side(pid, port, requests(f"/v2/models/{name}/infer", port, token, matrix=False))
        before = stack.enter_context(outside.nginx(home / "nginx", peer))
        if before is not None:
            sides["nginx"] = before
        for name, side in sides.items():
            side.single += asked(side, ROWS)
            if name != "reasons":  # they come from memory the second time, which would flatter them
                asked(side, ROWS)
                side.single.clear()
        measured, synced = {name: side for name, side in sides.items() if name != "reasons"}, list[float]()
        for _ in range(repeat):
            for at in range(4):  # in short turns: others' work on the machine comes and goes
                for side in measured.values():
                    side.single += asked(side, count // 4, 16 * at)
                synced += _synced(home / "sync", count // 4)
            for side in measured.values():
                began = processor(side.pid)
                side.rates.append(rate(side, count))
                side.cost.append(1000 * (processor(side.pid) - began) / (4 * (count // 2)))
    return _rows(sides, statistics.median(synced))


def _rows(sides: dict[str, Side], sync: float) -> list[Row]:
    rates = {name: statistics.median(side.rates) for name, side in sides.items() if side.rates}
    p50 = {name: statistics.median(side.single) for name, side in sides.items()}
    cost = {name: statistics.median(side.cost) for name, side in sides.items() if side.cost}
    added = p50["proxy"] - p50["mlserver"]
    theirs = p50["nginx"] - p50["mlserver"] if "nginx" in p50 else None
    load = f"load of the machine {os.getloadavg()[0]:.0f}; one sync of the disk {sync:.2f} ms."
    return [
        Row("requests/s, own server against MLServer", rates["guard"], rates["mlserver"], 2.0, "min", "/s", note=load),
        Row("p50, own server against MLServer", p50["guard"], p50["mlserver"], 0.6, "max", "ms"),
        Row("processor time an answer, own server", cost["guard"], cost["mlserver"], 1.0, "max", "ms", required=False),
        Row("processor time an answer, proxy alone", cost["proxy"], cost["mlserver"], 1.0, "max", "ms", required=False),
        Row(
            "p50 that the proxy adds, against nginx", None if theirs is None else added, theirs, 5.0, "max", "ms",
            required=theirs is not None, note=_NGINX if theirs is None else "",
        ),
        Row("p50 that the proxy adds, by itself", added, None, 5.0, "max", "ms", required=False),
        Row("p50 with a reason, first time", p50["reasons"], None, 500.0, "max", "ms", required=False),
        Row("p50 through the proxy", p50["proxy"], p50["mlserver"], 10.0, "max", "ms", required=False),
    ]  # fmt: skip


def _synced(file: Path, times: int) -> list[float]:
    """Return milliseconds of each write of 900 bytes with a sync, as one answer's records take."""
    found = []
    with file.open("wb", buffering=0) as opened:
        for _ in range(times):
            began = time.perf_counter()
            opened.write(bytes(900))
            os.fdatasync(opened.fileno())
            found.append(1000 * (time.perf_counter() - began))
    return found
