"""Private training and releases: ours beside Opacus in ghost mode, OpenDP, and training without privacy.

The gate comes first: our clipped sum is that of each person's own gradient, and the run verifies itself. Time is that
of the processor, with one thread; ours includes all that a run does to watch itself; tables of noise are made before.
"""

from __future__ import annotations

import json
import os
import sys
from statistics import median
from typing import Any

from benchmarks.measure import run
from benchmarks.peer_env import REPO, PeerAbsentError, ensure
from benchmarks.rows import Row

PINS = ("opacus==1.6.0", "torch==2.13.0", "opendp==0.16.0", "numpy==2.4.6")
PEERS, OWN = REPO / "benchmarks" / "peers" / "dp.py", REPO / "benchmarks" / "dp_ours.py"
BATCHES = (256, 1024)


def measure(*, gates: bool, repeat: int) -> tuple[list[Row], str]:
    """Return the rows, and why a peer is absent."""
    rows = 5_000 if gates else 50_000
    ours = [_said(sys.executable, OWN, rows, path=f"{REPO}{os.pathsep}{REPO / 'src'}") for _ in range(repeat)]
    absent, theirs = "", list[dict[str, Any]]()
    try:
        peer = ensure("dp", PINS)
        theirs = [_said(str(peer), PEERS, rows, path="") for _ in range(repeat)]
    except PeerAbsentError as error:
        absent = str(error)
    good = all(one["gate"] < 1e-4 and (one["verified"] or gates) for one in ours)
    note = f"MLP 30-128-64-2, {rows:,} rows, one thread; median of {repeat}"
    found = list[Row]()

    def row(name: str, key: str, beside: tuple[list[dict[str, Any]], str], floor: float, unit: str = "s") -> None:
        peers, other = beside
        mine = median(one[key] for one in ours) if good else None
        found.append(
            Row(name, mine, median(one[other] for one in peers) if peers else None, floor, "max", unit, note=note)
        )

    for batch in BATCHES:
        row(f"epoch, batch {batch}, against Opacus ghost", f"private {batch}", (theirs, f"ghost {batch}"), 0.5)
        row(f"epoch, batch {batch}, against a DataLoader without privacy", f"private {batch}",
            (ours, f"loader {batch}"), 1.1)  # fmt: skip
        row(f"epoch, batch {batch}, against sliced tensors without privacy", f"private {batch}",
            (ours, f"sliced {batch}"), 2.5)  # fmt: skip
        row(
            f"extra memory, batch {batch}, against Opacus ghost",
            f"memory {batch}",
            (theirs, f"memory {batch}"),
            0.3,
            "B",
        )
    row("epoch of a CNN, batch 256, against Opacus ghost", "private cnn", (theirs, "ghost cnn"), 0.9)
    row("discrete Gaussian noise, a sample, against OpenDP", "noise", (theirs, "noise"), 0.01)
    row("mean of 1,000,000 numbers against OpenDP", "mean", (theirs, "mean"), 0.5)
    row("histogram of 1,000,000 cells against OpenDP", "histogram", (theirs, "histogram"), 0.5)
    return found, absent


def _said(python: str, script: Any, rows: int, *, path: str) -> dict[str, Any]:
    env = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": path}
    answer = run([python, str(script), str(rows)], cwd=REPO, env=env)
    if answer.code:
        raise PeerAbsentError(answer.err.strip().splitlines()[-1] if answer.err.strip() else "it failed")
    return dict(json.loads(answer.out.strip().splitlines()[-1]))
