"""Personal data: how many finds are right on sentences that are new to us, and rows a second, beside Presidio.

Presidio runs all its rules for English without a model of the language, at whichever threshold of its score gives it
the best F1 on the very sentences; a find within a surer one counts for neither. What both look for by form counts.
"""

from __future__ import annotations

import json
import os
import secrets
import tempfile
import time
from pathlib import Path
from statistics import median

import numpy as np

from benchmarks.measure import run
from benchmarks.peer_env import REPO, PeerAbsentError, ensure
from benchmarks.personal_rows import KINDS, SHARED, STRUCTURED, Mark, ours, score, sentences, table
from benchmarks.rows import Row
from fivefold.governance.personal.scan import scan

PINS = ("presidio-analyzer==2.2.366", "presidio-evaluator==0.3.2")
PEER = REPO / "benchmarks" / "peers" / "personal.py"
ROWS, SENTENCES = 1_000_000, 3000
_CUTS = (0.0, 0.3, 0.35, 0.4, 0.5, 0.6, 0.7)


def measure(*, gates: bool, repeat: int) -> tuple[list[Row], str]:
    """Return the rows, and why a peer is absent."""
    size, seed = ROWS // 20 if gates else ROWS, secrets.randbelow(2**31)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "rows.csv"
        cells = table(size, np.random.default_rng(1), file)
        cost = []
        for _ in range(repeat):
            begun = time.process_time()
            scan(file)
            cost.append(time.process_time() - begun)
        rate = size / median(cost)
        absent, theirs, rows = "", None, []
        try:
            peer = str(ensure("personal", PINS))
            theirs = len(cells) / analyzed(peer, [text for row in cells for text in row], folder)[0]
            rows += _sentences(
                "generated", *generated(peer, seed, SENTENCES // 5 if gates else SENTENCES), peer, folder
            )
            if SHARED.exists():
                rows += _sentences("held-out half of pii_presidio_synth_v2", *sentences("held-out"), peer, folder,
                                   required=False)  # fmt: skip
        except PeerAbsentError as error:
            absent = str(error)
    speed = Row(f"{size:,} rows of 7 columns", rate, theirs, 20, "min", "rows/s", note=f"median of {repeat}; the peer: "
                f"its rate on {len(cells):,} of them, the texts alone.")  # fmt: skip
    return [speed, *rows], absent


def _sentences(name: str, texts: list[str], truth: list[list[Mark]], peer: str, folder: str,
               *, required: bool = True) -> list[Row]:  # fmt: skip
    found = score(truth, ours(texts), STRUCTURED)
    other = best(truth, analyzed(peer, texts, folder)[1])
    gain = found["all"]["f1"] - other["all"]["f1"]
    note = f"{len(texts):,} sentences; ours {found['all']['f1']:.4f}, theirs {other['all']['f1']:.4f}"
    each = "; ".join(
        f"{kind} {found[kind]['f1']:.3f} and {other[kind]['f1']:.3f} of {found[kind]['hits'] + found[kind]['missed']}"
        for kind in STRUCTURED
    )
    return [
        Row(
            f"micro-F1 above the peer's, {name}", gain, None, 0.10, "min", "", required=required, note=f"{note}; {each}"
        )
    ]


def best(truth: list[list[Mark]], found: list[list[list[float | str]]]) -> dict[str, dict[str, float]]:
    """Return the peer's figures at the threshold that is best for it."""
    tried = [score(truth, [_apart(finds, cut) for finds in found], STRUCTURED) for cut in _CUTS]
    return max(tried, key=lambda one: one["all"]["f1"])


def _apart(finds: list[list[float | str]], cut: float) -> list[Mark]:
    """Return finds of at least a score, without those that a surer one overlaps."""
    kept: list[Mark] = []
    for start, end, kind, sure in sorted(finds, key=lambda one: (-float(one[3]), float(one[0]) - float(one[1]))):
        free = all(end <= mark[0] or start >= mark[1] for mark in kept)  # type: ignore[operator]
        if float(sure) >= cut and free:
            kept.append((int(start), int(end), KINDS[str(kind)]))
    return sorted(kept)


def analyzed(peer: str, texts: list[str], folder: str) -> tuple[float, list[list[list[float | str]]]]:
    """Return seconds of the processor and what Presidio finds in each text."""
    file = Path(folder) / "texts.json"
    file.write_text(json.dumps(texts), encoding="utf-8")
    done = run([peer, str(PEER), "analyze", str(file)], cwd=REPO, env={**os.environ, "OMP_NUM_THREADS": "1"})
    if done.code:
        raise PeerAbsentError(done.err[-300:])
    told = json.loads(done.out.splitlines()[-1])
    return told["cpu"], told["found"]


def generated(peer: str, seed: int, count: int) -> tuple[list[str], list[list[Mark]]]:
    """Return sentences of Presidio's generator and their marks."""
    done = run([peer, str(PEER), "generate", str(seed), str(count)], cwd=REPO, env=dict(os.environ))
    if done.code:
        raise PeerAbsentError(done.err[-300:])
    told = json.loads(done.out.splitlines()[-1])
    return [text for text, _ in told], [
        sorted((start, end, KINDS[kind]) for start, end, kind in marks if kind in KINDS) for _, marks in told
    ]
