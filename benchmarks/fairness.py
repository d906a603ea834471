"""Figures by group: twelve with 1,000-fold simultaneous intervals, beside five of fairlearn's MetricFrame without any.

Equality first: the five over all rows, and all twelve over the first 100,000, agree to 1e-12. Both sides are handed the
same rows: a pandas Series of texts, truth and answers as integers. Time is that of the processor, interleaved.
"""

from __future__ import annotations

import json
import os
import time
from statistics import median

import numpy as np

from benchmarks.measure import run
from benchmarks.peer_env import REPO, PeerAbsentError, ensure
from benchmarks.peers.fairness_rows import drawn
from benchmarks.rows import Row
from fivefold.fairness.metrics.counted import NAMES, Frame, frame

PINS = ("fairlearn==0.15.0", "numpy==2.4.6", "pandas==3.1.1", "scikit-learn==1.9.1")
PEER = REPO / "benchmarks" / "peers" / "fairness.py"
ROWS = 1_000_000


def measure(*, gates: bool, repeat: int) -> tuple[list[Row], str]:
    """Return the rows, and why a peer is absent."""
    size = ROWS // 10 if gates else ROWS
    group, truth, answer = drawn(size)
    absent, ours, theirs, apart = "", [], [], []
    frame(group, truth, answer, np.random.default_rng(0))  # what is imported once is not counted
    try:
        peer = ensure("fairness", PINS)
        for at in range(repeat):
            ours.append(median(_timed(group, truth, answer, at) for _ in range(5)))
            told = run([str(peer), str(PEER), str(size)], cwd=REPO, env={**os.environ, "OMP_NUM_THREADS": "1"})
            found = json.loads(told.out)
            theirs.append(found["cpu"])
            apart.append(_apart(frame(group, truth, answer, np.random.default_rng(at)), found["five"]))
            part = slice(0, 100_000)
            first = frame(group[part], truth[part], answer[part], np.random.default_rng(at))
            apart.append(_apart(first, found["twelve"]))
    except PeerAbsentError as error:
        absent = str(error)
        ours.append(_timed(group, truth, answer, 0))
    return [
        Row("largest difference of a value", max(apart) if apart else None, None, 1e-12, "max", ""),
        Row(
            f"{size:,} rows, 5 groups: 12 metrics with intervals / 5 of MetricFrame without", median(ours),
            median(theirs) if theirs else None, 0.005, "max", "s", note=f"median of {repeat}",
        ),
    ], absent  # fmt: skip


def _timed(group: object, truth: np.ndarray, answer: np.ndarray, seed: int) -> float:
    begun = time.process_time()
    frame(group, truth, answer, np.random.default_rng(seed))  # type: ignore[arg-type]
    return time.process_time() - begun


def _apart(ours: Frame, theirs: dict[str, dict[str, float]]) -> float:
    return max(
        abs(float(ours.value[NAMES.index(name), at]) - theirs[name][str(label)])
        for name in theirs
        for at, label in enumerate(ours.labels)
    )
