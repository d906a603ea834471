"""Shapley values of a black box beside shap's and shapiq's explainers: processor time at equal or lower error.

30 columns: the truth is 8,000 pairs of permutations a row (0.8 % off, in other draws than those measured). 12 columns:
all coalitions. Each peer's budget is doubled until its error is at most 5 % of the size of the values; the fastest that
gets there sets the error that ours has to reach, by pairs in steps of 25. Then the bars: how many cover the truth of
all coalitions, and how wide they are beside 1.96 times the standard deviation over repeats. Last, values out of trees,
beside shap's TreeExplainer over the same background rows (interventional) and the very same trees.
"""

from __future__ import annotations

import json
import os
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.measure import run
from benchmarks.peer_env import REPO, PeerAbsentError, ensure
from benchmarks.peers.explain_box import drawn
from benchmarks.rows import Row
from fivefold.stats import clustered, shapley, tree_shapley
from fivefold.subject.trees import Trees

if TYPE_CHECKING:
    from collections.abc import Callable

PINS = ("shap==0.49.1", "shapiq==1.4.1", "numpy==2.3.5", "scikit-learn==1.7.2")
PEER = REPO / "benchmarks" / "peers" / "explain.py"
BACKGROUND, SHARE, SEED, BATCH = 100, 0.05, 7, 2000
FLOORS = {30: 0.15, 12: 0.3}
TREES = PEER.with_name("explain_trees.py")
TREE_CASES = ((20, 100), (100, 1000))


def measure(*, gates: bool, repeat: int) -> tuple[list[Row], str]:
    """Return the rows, and why a peer is absent."""
    found, absent = [], ""
    for players, floor in FLOORS.items():
        row, why = _speed(players, floor, 8 if gates else 20, repeat)
        found.append(row)
        absent = absent or why
    return [
        *found, *_bars(40 if gates else 100, 40 if gates else 200), *_trees(repeat),
    ], absent  # fmt: skip


def explained(box: Callable[[np.ndarray], np.ndarray], rows: np.ndarray, background: np.ndarray, pairs: int, seed: int
              ) -> shapley.Attributions:  # fmt: skip
    """Explain rows by this product."""
    ask = _mixed(box, rows, background)
    at_background = np.broadcast_to(box(background), (len(rows), len(background)))
    return shapley.by_permutations(
        ask, box(rows), at_background, players=rows.shape[1], pairs=pairs, rng=np.random.default_rng(seed), batch=BATCH
    )


def _mixed(box: Callable[[np.ndarray], np.ndarray], rows: np.ndarray, background: np.ndarray) -> shapley.Ask:
    return lambda present, who, base: box(np.where(present, rows[who], background[base]))


def truth_of(box: Callable[[np.ndarray], np.ndarray], rows: np.ndarray, background: np.ndarray) -> np.ndarray:
    """Return (n, P) the values of all coalitions, or of many permutations where there are too many coalitions."""
    players = rows.shape[1]
    if players > shapley.MOST_ENUMERATED:
        return explained(box, rows, background, 8000, 20_261).value
    ask = _mixed(box, rows, background)
    return shapley.by_enumeration(ask, len(rows), len(background), players=players, batch=BATCH)


def _speed(players: int, floor: float, count: int, repeat: int) -> tuple[Row, str]:
    box, rows, background = drawn(players, count, BACKGROUND, SEED)
    truth = truth_of(box, rows, background)
    size, absent, fastest, wanted = float(np.sqrt((truth**2).mean())), "", "", SHARE
    ours, theirs = [], []
    try:
        peer = ensure("explain", PINS)
        for at in range(repeat):
            told = _peers(peer, truth)
            fastest = min(told, key=lambda name: told[name]["cpu"])
            wanted = told[fastest]["error"]
            theirs.append(told[fastest]["cpu"])
            ours.append(_ours(box, rows, background, truth, wanted * size, at))
    except PeerAbsentError as error:
        absent = str(error)
        ours.append(_ours(box, rows, background, truth, wanted * size, 0))
    note = f"{count} rows; fastest: {fastest or 'none'}, error {wanted:.1%} of the size of the values"
    name = f"{players} columns, MLP, {BACKGROUND} background rows: time at equal or lower error"
    return Row(name, median(ours), median(theirs) if theirs else None, floor, "max", "s", note=note), absent


def _trees(repeat: int) -> list[Row]:
    """Return time and distance beside TreeExplainer, of the same trees; scikit-learn has no values of its own."""
    cases = [(name, *case) for name in ("forest", "boosted") for case in TREE_CASES]
    try:
        peer = ensure("explain", PINS)
    except PeerAbsentError as error:
        return [Row("trees: time beside TreeExplainer", None, None, 1.1, "max", "s", note=str(error))]
    found: dict[tuple[str, int, int], list[tuple[float, float, float]]] = {case: [] for case in cases}
    for _ in range(repeat):
        told = _told(peer)
        for case in cases:
            found[case].append(_beside(told, *case))
    rows = []
    for case, each in found.items():
        (name, explained, background), (ours, theirs, off) = case, zip(*each, strict=True)
        text = f"trees, {name}, {explained} rows, {background} background rows: time beside TreeExplainer"
        note = f"largest difference {max(off):.1e}"
        rows.append(Row(text, median(ours), median(theirs), 1.1, "max", "s", note=note))
    return rows


def _told(peer: Path) -> dict[str, np.ndarray]:
    """Return what the peer writes about trees."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "trees.npz"
        env = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        run([str(peer), str(TREES), str(path)], cwd=REPO, env=env)
        with np.load(path) as file:
            return dict(file)


def _beside(told: dict[str, np.ndarray], name: str, rows: int, background: int) -> tuple[float, float, float]:
    """Return our seconds of the processor, the peer's, and how far apart the values are."""
    data, counts = told["data"], told[f"{name} counts"]
    roots = np.cumsum(counts) - counts
    shift, leaf = np.repeat(roots, counts), told[f"{name} left"] < 0
    left, right = (np.where(leaf, -1, told[f"{name} {side}"] + shift) for side in ("left", "right"))
    feature, none = np.where(leaf, 0, told[f"{name} feature"]), np.zeros(len(leaf), dtype=bool)
    trees = Trees(roots, left, right, feature, told[f"{name} threshold"], none, told[f"{name} value"])
    cells = np.concatenate([data[1000 : 1000 + rows], data[:background]])
    begun = time.process_time()
    made = tree_shapley.by_trees(trees, cells, rows, np.zeros(rows, dtype=np.int64), np.arange(data.shape[1]))
    cost, off = time.process_time() - begun, np.abs(made - told[f"{name} {rows} values"])
    return cost, float(told[f"{name} {rows} seconds"]), float(off.max())


def _peers(peer: Path, truth: np.ndarray) -> dict[str, dict[str, float]]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "truth.npz"
        np.savez(path, truth=truth, background=BACKGROUND)
        env = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        told = run([str(peer), str(PEER), str(path), str(SHARE), str(SEED)], cwd=REPO, env=env)
    found = json.loads(told.out.splitlines()[-1]) if told.out.strip() else {}
    reached = {name: one for name, one in found.items() if one}
    if not reached:
        raise PeerAbsentError(f"no peer got to an error of {SHARE:.0%}: {told.err[-200:]}")
    return reached


def _ours(  # noqa: PLR0917  one setting
    box: Callable[[np.ndarray], np.ndarray], rows: np.ndarray, background: np.ndarray, truth: np.ndarray,
    wanted: float, seed: int,
) -> float:  # fmt: skip
    """Return seconds of the processor with the fewest pairs that get to an error."""
    for pairs in range(25, 20_000, 25):
        begun = time.process_time()
        made = explained(box, rows, background, pairs, seed)
        cost = time.process_time() - begun
        if np.sqrt(((made.value - truth) ** 2).mean()) <= wanted:
            return cost
    return float("inf")


def _bars(count: int, repeats: int) -> list[Row]:
    """Return coverage of nominal 95 % bars and their width, at 12 columns, one of which has no variance."""
    box, rows, background = drawn(12, count, BACKGROUND, SEED + 1)
    rows[:, 5] = background[:, 5] = 0.0
    truth = truth_of(box, rows, background)
    varied = np.arange(12) != 5
    found = []
    for pairs in (64, 256):
        values, reach = np.empty((repeats, count, 12)), np.empty((repeats, count, 12))
        for at in range(repeats):
            made = explained(box, rows, background, pairs, at)
            values[at], reach[at] = made.value, made.quantile() * made.error
        hit = (np.abs(values - truth) <= reach)[:, :, varied]
        rows_of = np.broadcast_to(np.arange(count)[:, None], hit.shape[1:])
        low, _ = clustered.bounds(hit.ravel(), [np.tile(rows_of.ravel(), repeats)])
        width = reach[:, :, varied].mean() / (1.96 * values.std(axis=0, ddof=1)[:, varied].mean())
        found += [
            Row(f"{pairs} pairs: lower bound of the coverage of 95 % bars", low, None, 0.93, "min", "",
                note=f"{hit.mean():.1%} of {hit.size:,} bars, {repeats} repeats of {count} rows, clustered by row"),
            Row(f"{pairs} pairs: mean width / 1.96 standard deviations", float(width), None, 1.3, "max", "",
                note=f"over {repeats} repeats"),
        ]  # fmt: skip
    return found
