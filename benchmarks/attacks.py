"""Attacks: our engine beside torchattacks, ART and foolbox, on one adversarially trained CNN and one forest.

Strength comes first: the share of rows that stand, row by row with the same rows, reach and questions. Time is the
processor's, one thread, the model's own included.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.measure import run
from benchmarks.peer_env import REPO, PeerAbsentError, ensure
from benchmarks.rows import Row

PINS = (
    "torch==2.13.0", "torchattacks==3.5.1", "adversarial-robustness-toolbox==1.20.1", "foolbox==3.3.4",
    "scikit-learn==1.9.0", "packaging==25.0",
)  # fmt: skip
PEERS, OWN = REPO / "benchmarks" / "peers" / "attacks.py", REPO / "benchmarks" / "attacks_ours.py"


def measure(*, gates: bool, repeat: int) -> tuple[list[Row], str]:
    """Return the rows, and why a peer is absent; one run of each side, for both are seeded (``repeat`` is not used)."""
    del repeat
    rows, few, queries = (100, 10, 500) if gates else (1000, 40, 1000)
    with tempfile.TemporaryDirectory() as folder:
        given = (rows, few, queries, Path(folder) / "net.npz")
        ours = _said(sys.executable, OWN, given, path=f"{REPO}{os.pathsep}{REPO / 'src'}")
        try:
            theirs, absent = _said(str(ensure("attacks", PINS)), PEERS, given, path=""), ""
        except PeerAbsentError as error:
            theirs, absent = {}, str(error)
    return table(ours, theirs, rows, few), absent


def table(ours: dict[str, Any], theirs: dict[str, Any], rows: int, few: int) -> list[Row]:
    """Return the rows of the benchmark from what both sides said."""
    found, same = list[Row](), f"n = {few}, same starts"
    for name, most in (("standard", 0.9), ("pgd", 0.7), ("square", 1.0)):
        note, upper = f"n = {rows}; robust accuracy ours {np.mean(ours[name]):.3f}", None
        if theirs:
            apart = np.array(ours[name]) - np.array(theirs[name])
            upper = float(apart.mean() + 1.645 * apart.std(ddof=1) / len(apart) ** 0.5)
            note += f", torchattacks {np.mean(theirs[name]):.3f}"
        found.append(Row(f"{name}: rows that stand beyond the peer's, upper 95 %", upper, None, 0.01, "max", "share",
                         note=note))  # fmt: skip
        found.append(Row(f"{name}: processor time against torchattacks", ours[f"{name} seconds"],
                         theirs.get(f"{name} seconds"), most, "max", "s"))  # fmt: skip
    for name in ("cnn", "forest"):
        for key, most, unit in (("l2", 1.05, ""), ("calls", 0.05, ""), ("rows", 0.8, ""), ("seconds", 0.1, "s")):
            title = f"HopSkipJump on a {name}: {key} against ART"
            found.append(Row(title, ours[f"{name} {key}"], theirs.get(f"{name} {key}"), most, "max", unit, note=same))
    title = "HopSkipJump on a cnn: l2 against foolbox"
    found.append(Row(title, ours["cnn l2"], theirs.get("foolbox l2"), 1.05, "max", "", note=same))
    return found


def _said(python: str, script: Path, given: tuple[object, ...], *, path: str) -> dict[str, Any]:
    env = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": path}
    answer = run([python, str(script), *(str(one) for one in given)], cwd=REPO, env=env)
    if answer.code:
        raise PeerAbsentError(answer.err.strip().splitlines()[-1] if answer.err.strip() else "it failed")
    return dict(json.loads(answer.out.strip().splitlines()[-1]))
