"""Benchmark `assess`: the four checks of examples/credit beside ART, fairlearn and scikit-learn; light commands; scale.

Equal strength first: our membership AUC on the same models and halves, and the coverage of the bounds. Then processor
time with all children, interleaved, medians. The peers answer the same questions in one process that imports each
engine once, with 200 resamples (the fewest with ten beyond a 5 % quantile); they search no slices, plant no canaries
and verify no signature.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
from pathlib import Path
from statistics import median

import numpy as np

from benchmarks.measure import Cost, run
from benchmarks.peer_env import REPO, PeerAbsentError, ensure
from benchmarks.rows import Row

PINS = (
    "adversarial-robustness-toolbox==1.20.1",
    "fairlearn==0.15.0",
    "scikit-learn==1.9.0",
    "pandas==2.3.3",
    "packaging==25.0",  # ART needs these two without declaring them
    "setuptools==80.9.0",
)
PEERS = REPO / "benchmarks" / "peers" / "credit.py"
CREDIT = REPO / "examples" / "credit"
HEAVY = {"numpy", "pandas", "scipy", "sklearn", "torch"}
LIGHT = (["--help"], ["list"], ["explain", "S5"], ["plan", "examples/credit"])
LIGHT_SECONDS = 0.40
CHECKS = {"F1.gaps", "P3.accuracy", "P3.membership", "T2.signature"}
MEASURED = {"pass", "fail", "inconclusive"}
TABLE = 200_000


def measure(*, gates: bool, repeat: int) -> tuple[list[Row], str]:
    """Run everything.

    Args:
        gates: Small n.
        repeat: Runs of each side.

    Returns:
        The rows, and why a peer is absent (empty if none is).
    """
    absent, peer = "", None
    try:
        peer = ensure("assess", PINS)
    except PeerAbsentError as error:
        absent = str(error)
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        rows = _strength(peer, scratch, splits=10 if gates else 30, trials=1000 if gates else 4000)
        rows += _cost(peer, scratch, draws=200, repeat=repeat)
        rows += _light(scratch, repeat=max(5, repeat))
        # a small table is outweighed by the engines, so memory is measured at full size in both forms
        sizes = (50_000, TABLE) if gates else (50_000, 100_000, TABLE)
        rows += _scale(scratch, sizes=sizes, words=["--effort", "quick"] if gates else [], repeat=repeat)
    return rows, absent


def _environment(home: Path) -> dict[str, str]:
    """Return an environment with a home of its own; one thread for every engine, ours and theirs."""
    kept = {key: os.environ[key] for key in ("PATH", "LANG") if key in os.environ}
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    return {**kept, **threads, "HOME": str(home), "XDG_CONFIG_HOME": str(home / "config"), "PYTHONHASHSEED": "0"}


def _ours(arguments: list[str], cwd: Path, home: Path, *, watch: bool = False) -> Cost:
    home.mkdir(parents=True, exist_ok=True)
    return run([sys.executable, "-m", "fivefold", *arguments], cwd=cwd, env=_environment(home), watch=watch)


def unmeasured(cost: Cost) -> str:
    """Return why an assessment does not count, empty if it does: all four checks must have measured something.

    The exit code does not say: it is 1 both for an honest failure and for a run in which another check crashed, and
    a check that crashes is cheap.
    """
    if cost.code not in (0, 1, 3):
        return f"fivefold assess ended with {cost.code}: {cost.err.strip()[-200:]}"
    try:
        found = {one["check"]: one["result"]["outcome"] for one in json.loads(cost.out)["findings"]}
    except (ValueError, KeyError, TypeError):
        return "fivefold assess --json gave no findings"
    lacking = sorted(name for name in CHECKS if found.get(name) not in MEASURED)
    return ", ".join(f"{name}: {found.get(name, 'absent')}" for name in lacking)


def _strength(peer: Path | None, scratch: Path, *, splits: int, trials: int) -> list[Row]:
    from benchmarks import strength

    arrays, ours = strength.job(CREDIT, splits)
    theirs = None
    if peer is not None:
        job = scratch / "job.npz"
        np.savez(job, allow_pickle=False, **arrays)
        answer = run([str(peer), str(PEERS), str(CREDIT), "--strength", str(job)], cwd=REPO, env=_environment(scratch))
        if answer.code == 0:
            theirs = max(float(np.mean(values)) for values in json.loads(answer.out).values())
    note = f"answers alone, {splits} random splits, the example's own training; ART's better attack model"
    rows = [Row("membership AUC, same models and halves", float(np.mean(ours)), theirs, 1.0, "min", "", note=note)]
    for name, (mine, other) in strength.coverage(trials, 200).items():
        text = "nominal 0.95; 0.99 leaves room for the error of the simulation"
        rows.append(Row(f"coverage of a bound, {name}", mine, other, 0.99, "min", "", note=text))
    return rows


def _cost(peer: Path | None, scratch: Path, *, draws: int, repeat: int) -> list[Row]:
    ours, theirs, note = [], [], ""
    for at in range(repeat):
        place = scratch / f"credit{at}"
        shutil.copytree(CREDIT, place, ignore=shutil.ignore_patterns("evidence", "__pycache__"))
        only = [word for check in sorted(CHECKS) for word in ("--only", check)]
        mine = _ours(["assess", str(place), "--json", *only], place, scratch / f"home{at}")
        if fault := unmeasured(mine):
            note = fault
        else:
            ours.append(mine.cpu)
        if peer is not None:
            command = [str(peer), str(PEERS), str(place), "--draws", str(draws)]
            other = run(command, cwd=place, env=_environment(scratch))
            if other.code == 0:
                theirs.append(other.cpu)
    mine_cpu = median(ours) if ours and not note else None
    peer_cpu = median(theirs) if theirs else None
    text = note or f"{', '.join(sorted(CHECKS))}; median of {repeat}, fresh home; peers with {draws} resamples"
    # without a peer there is no ratio: then nothing is measured
    value = mine_cpu if peer_cpu is not None else None
    return [Row("CPU of the whole assessment", value, peer_cpu, 0.3, "max", "s", note=text)]


def _light(scratch: Path, *, repeat: int) -> list[Row]:
    rows = []
    home = scratch / "light"
    for command in LIGHT:
        costs = [_ours(command, REPO, home) for _ in range(repeat + 1)][1:]  # the first one writes byte code
        bad = [cost for cost in costs if cost.code != 0]
        value = None if bad else median(cost.cpu for cost in costs)
        note = bad[0].err.strip()[-200:] if bad else ""
        rows.append(Row(f"CPU of fivefold {' '.join(command)}", value, None, LIGHT_SECONDS, "max", "s", note=note))
    traced = run(
        [sys.executable, "-X", "importtime", "-m", "fivefold", "plan", "examples/credit"],
        cwd=REPO,
        env=_environment(home),
    )
    named = {line.rsplit("|", 1)[-1].strip().split(".")[0] for line in traced.err.splitlines() if "|" in line}
    heavy = sorted(named & HEAVY)
    value = float(len(heavy)) if traced.code == 0 else None
    rows.append(Row("engines imported by plan", value, None, 0.0, "max", "modules", note=", ".join(heavy)))
    return rows


def _scale(scratch: Path, *, sizes: tuple[int, ...], words: list[str], repeat: int) -> list[Row]:
    """Measure growth and memory, medians of ``repeat`` interleaved runs; memory is the largest seen, not the median."""
    from benchmarks.scale import make

    places = {rows: scratch / f"scale{rows}" for rows in sizes}
    tables = {rows: make(place, rows) for rows, place in places.items()}
    costs: dict[int, list[Cost]] = {rows: [] for rows in sizes}
    fault = ""
    for at in range(repeat):
        for rows, place in places.items():
            shutil.rmtree(place / "evidence", ignore_errors=True)
            command = ["assess", str(place), "--json", *words]
            cost = _ours(command, place, scratch / f"scale-home{at}-{rows}", watch=True)
            fault = fault or unmeasured(cost)
            costs[rows].append(cost)
    times = [median(cost.cpu for cost in costs[rows]) for rows in sizes]
    name = f"{sizes[-1]:,} rows x 60"
    # times the rows grew fourfold; differences of nearly equal times were tried and only measure noise, because the
    # checks sample: a fixed cost hides what is small beside it, and the note shows all three times
    growth = None if fault else (times[-1] / times[0]) / (sizes[-1] / sizes[0])
    peak = None if fault else max(cost.peak for cost in costs[sizes[-1]]) / tables[sizes[-1]]
    seconds, counts = ", ".join(f"{spent:.1f}" for spent in times), ", ".join(f"{rows:,}" for rows in sizes)
    note = fault or f"{' '.join(words)} CPU {seconds} s at {counts} rows".strip()
    memory = fault or "all processes with their engines; the table is rows x 60 x 8 bytes, texts counted as numbers"
    return [
        Row(f"{name}: CPU over linear growth from {sizes[0]:,}", growth, None, 1.0, "max", "x", note=note),
        Row(f"{name}: peak memory over the table", peak, None, 4.0, "max", "x", note=memory),
    ]
