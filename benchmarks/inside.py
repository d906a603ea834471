"""The guard in this process: what its stages cost together and each, and one conformal decision beside MAPIE's.

The model is asked by nobody here: a constant answer stands for it, so that the worker hop, the members and the reason
are left out. The record is written and not waited for.
"""

from __future__ import annotations

import contextlib
import os
import statistics
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest import mock

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression

from benchmarks.peer_env import PeerAbsentError, ensure
from benchmarks.rows import Row
from benchmarks.served import COLUMNS, application, environment, signer, table
from fivefold.guard import Guard, reasoning
from fivefold.guard.nouns import Passage, Principal
from fivefold.subject.way import Told
from fivefold.traceability.recorder import recorder

if TYPE_CHECKING:
    from collections.abc import Iterator

PINS = ("mapie==1.6.0",)
_PEER = Path(__file__).parent / "peers" / "conformal.py"
_CONTROLS = {
    "D1": {"consent": "agreed", "tolerance": 0.2, "rate": "1000000/minute"},
    "P2": {"budget": "1000000000/day", "detect": True, "decimals": 3},
    "C3": {"risk": 0.1, "delta": 0.1, "levels": ["model", "refuse"]},
}
_MODEL = {"factory": "scorer:load", "signature": "m.sig"}
_LEFT_OUT = ("model", "reason")
_MANY = {"callers": (100, 100_000), "queries": (1_000, 10_000_000)}
_BLOCK = 10_000
_ROUND = 128
"""Requests of a round; a multiple of the rows that the drift stage looks at together."""


def measure(*, gates: bool, repeat: int) -> tuple[list[Row], str]:
    """Return the rows, and which peer is absent."""
    count = 200 if gates else 1000
    with tempfile.TemporaryDirectory() as folder, _opened(Path(folder)) as guard:
        rows = [_added(guard, count, repeat), *_each(guard, count, gates=gates)]
        conformal, absent = _conformal(guard, count, repeat)
    return [*rows, conformal], absent


@contextlib.contextmanager
def _opened(home: Path) -> Iterator[Guard]:
    """Open the guard with a constant in the model's place, and a record that nobody waits for."""
    found = environment(home)
    signer(found)
    data = {
        "train": {"path": "data/train.csv", "target": "y"}, "test": {"path": "data/test.csv"},
        "calibration": {"path": "data/calibration.csv"},
    }  # fmt: skip
    application(home / "inside", _MODEL, found, controls=_CONTROLS, data=data)
    told = {"predict": np.array(["good"], object), "predict_proba": np.array([[0.1, 0.9]])}
    answer = Told(told, np.array([1]), told["predict_proba"])
    known = {name: value for name, value in found.items() if name.startswith("XDG_")}
    with (
        mock.patch.dict(os.environ, known),
        mock.patch.object(reasoning, "MOST_ROWS", 0),
        Guard(home / "inside") as guard,
        mock.patch.object(guard._isolated, "ask", return_value=answer),  # noqa: SLF001
        mock.patch.object(recorder.Case, "settle", lambda case: case.hasten(here=False)),
        mock.patch.object(recorder.Case, "__exit__", return_value=None),
    ):
        yield guard


def _asked() -> list[dict[str, Any]]:
    rows = table(2)[list(COLUMNS)].to_numpy().tolist()
    return [dict(zip(COLUMNS, ([value] for value in row), strict=True)) | {"agreed": [True]} for row in rows]


def _who(at: int = 0) -> Principal:
    return Principal(f"caller {at}", "caller", ("measuring",))


def _added(guard: Guard, count: int, repeat: int) -> Row:
    asked, who = _asked(), _who()
    cells = table(2)[list(COLUMNS)].to_numpy()
    model = LogisticRegression().fit(cells, table(2)["y"])
    ours, peer = [], []
    for _ in range(3 * repeat):
        for at in range(count):
            given = asked[at % len(asked)]
            ours.append(_timed(lambda given=given: guard.answer(who, given)))
            row = cells[at % len(cells)][None]
            peer.append(_timed(lambda row=row: model.predict_proba(row)))
    one, other = 1e6 * statistics.median(ours), 1e6 * statistics.median(peer)
    return Row("in process, added by all stages and the record, against predict_proba", one, other, 0.6, "max", "us")


def _timed(work: Any) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _each(guard: Guard, count: int, *, gates: bool) -> list[Row]:
    """Return each stage's time, and how it grows with callers and with queries."""
    rows, small = [], _stages(guard, count, callers=100)
    for name, cost in small.items():
        rows.append(Row(f"stage {name}", cost, None, 10.0, "max", "us", note=""))
    _feed(guard, callers=_MANY["callers"][1] // (100 if gates else 1))
    crowded = _stages(guard, count, callers=_MANY["callers"][1] // (100 if gates else 1))
    _feed(guard, queries=_MANY["queries"][1] // (1000 if gates else 1))
    late = _stages(guard, count, callers=100)
    grown = max(small, key=lambda name: crowded[name] / small[name])
    rows.append(
        Row(
            "slowest growth of a stage, 10^5 callers against 10^2", crowded[grown], small[grown], 1.25, "max", "us",
            note=f"{grown}; every caller asked once before.",
        )
    )  # fmt: skip
    grown = max(small, key=lambda name: late[name] / small[name])
    rows.append(
        Row(
            "slowest growth of a stage, 10^7 queries against 10^3", late[grown], small[grown], 1.25, "max", "us",
            note=f"{grown}; rows in blocks of {_BLOCK:,}, fed to drift, budget, theft detection and fallback.",
        )
    )  # fmt: skip
    return rows


def _stages(guard: Guard, count: int, *, callers: int) -> dict[str, float]:
    """Return each stage's microseconds: the least of the means over rounds, since others' work only adds to them."""
    asked, rng = _asked(), np.random.default_rng(0)
    found: dict[str, list[float]] = {name: [] for name in guard.stages if name not in _LEFT_OUT}
    for _ in range(max(4, count // _ROUND)):
        spent = dict.fromkeys(guard.stages, 0.0)
        for number, at in enumerate(rng.integers(callers, size=_ROUND).tolist()):
            passage = Passage(_who(at), "", asked[(number * 7) % len(asked)])
            passage.keep = lambda _: ""
            for stage in guard.chain:
                began = time.perf_counter()
                step = stage(passage)
                if step is not None:
                    step.now()
                spent[stage.name] += time.perf_counter() - began
        for name, means in found.items():
            means.append(1e6 * spent[name] / _ROUND)
    return {name: min(means) for name, means in found.items()}


def _feed(guard: Guard, *, callers: int = 0, queries: int = 0) -> None:
    """Give the stages that remember something callers, or rows of one caller in large blocks, to remember."""
    stages = {stage.name: stage for stage in guard.chain}
    asked = _asked()
    for at in range(callers):
        passage = Passage(_who(at), "", asked[at % len(asked)])
        for name in ("purpose", "consent", "domain", "budget", "screen"):
            stages[name](passage)
    rng = np.random.default_rng(1)
    for _ in range(0, queries, _BLOCK):
        cells = rng.normal(size=(_BLOCK, len(COLUMNS))).clip(-9, 9)
        passage = Passage(_who(), "measuring", None)
        passage.admitted = pd.DataFrame(cells, columns=list(COLUMNS))
        passage.given = passage.admitted.to_dict("list")
        for name in ("budget", "drift", "screen"):
            stages[name](passage)


def _conformal(guard: Guard, count: int, repeat: int) -> tuple[Row, str]:
    name = "one-row conformal decision against MAPIE, without the model"
    try:
        python = ensure("conformal", PINS)
    except PeerAbsentError as error:
        return Row(name, None, None, 0.05, "max", "us"), str(error)
    ladder = guard.fallback._ladder  # noqa: SLF001
    row, told = table(2)[list(COLUMNS)].iloc[:1], (np.array([1]), np.array([[0.1, 0.9]]))
    ours, peer = [], []
    for _ in range(repeat):
        ours += [_timed(lambda: ladder.descend(row, told, None)) for _ in range(count)]
        words = [python, _PEER, str(max(20, count // 10))]
        done = subprocess.run(words, capture_output=True, text=True, check=True, timeout=300)
        peer.append(float(done.stdout.split()[-1]))
    return Row(name, 1e6 * statistics.median(ours), 1e6 * statistics.median(peer), 0.05, "max", "us"), ""
