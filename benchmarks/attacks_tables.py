"""Attacks on tables under constraints: ours beside ART's HopSkipJump made to respect the features, at equal questions.

Both attack the same rows of the same model (trained twice from the same arrays and seed; that the answers agree is
checked), know the same ranges, whole steps, fixed and one-hot columns, pay the same costs and may ask the same number
of questions for each row. HopSkipJump gets every advantage: what it asks for is moved to the nearest possible row, the
cheapest one that it ever asked for and that fell counts, and the better of its two norms is taken, row by row. Ours
also asks about 2,000 rows once, which are counted; with labels alone.
"""

from __future__ import annotations

import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from benchmarks.peer_env import PeerAbsentError, ensure
from benchmarks.peers.tables import model
from benchmarks.rows import Row
from fivefold.contract.check import Context
from fivefold.contract.subject import Capabilities, SettingsView, Table
from fivefold.protection.evasion.hunt import Goal
from fivefold.protection.evasion.tables import attack
from fivefold.protection.evasion.tables.layout import lay_out
from fivefold.subject.possible.faults import faults

if TYPE_CHECKING:
    from collections.abc import Iterator

PINS = (
    "adversarial-robustness-toolbox==1.20.1",
    "scikit-learn==1.9.1",
    "pandas==3.1.1",
    "numpy==2.4.6",
    "packaging==26.4",  # ART needs it without declaring it
)
DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
BUDGET, SWAP, QUERIES = 0.25, 0.1, 200
KINDS = ("logistic", "forest", "boosted", "network")


class Subject:
    """A fitted model that gives labels alone."""

    task, classes = "binary", ("0", "1")
    capabilities = Capabilities(scores=False, retrains=False, perturbable=True)

    def __init__(self, fitted: object) -> None:
        self.fitted, self.asked, self.calls = fitted, 0, 0

    def predict(self, table: Table) -> np.ndarray:
        """Return (n,) classes."""
        self.asked, self.calls = self.asked + len(table), self.calls + 1
        return self.fitted.predict(table.features.to_numpy(dtype=np.float64)).astype(np.int64)  # type: ignore[attr-defined]


def sets(seed: int) -> Iterator[tuple[str, pd.DataFrame, np.ndarray]]:
    """Yield name, features as numbers and one-hot columns, and labels."""
    rng = np.random.default_rng(seed)
    for width in (3, 30):
        values = rng.random((4000, width))
        weight = rng.normal(size=width)
        score = np.sin(5 * values[:, 0]) + 2 * values[:, 1] * values[:, 2] + ((values - 0.5) @ weight) / np.sqrt(width)
        yield f"{width} numbers", _named(values), (score > np.median(score)).astype(np.int64)
    path = DATA / "adult_census"
    files = sorted(path.glob("*train*.csv*")) if path.is_dir() else []
    if files:
        frame = pd.read_csv(files[0]).sample(6000, random_state=seed).reset_index(drop=True)
        label = pd.factorize(frame.pop(frame.columns[-1]), sort=True)[0].astype(np.int64)
        frame = frame[[c for c in frame.columns if frame[c].nunique() <= 20 or pd.api.types.is_numeric_dtype(frame[c])]]
        frame = frame.drop(columns=[c for c in ("education", "fnlwgt") if c in frame])
        # models that see raw units are badly trained ones: numbers are scaled before either side sees them
        numbers = [c for c in frame if pd.api.types.is_numeric_dtype(frame[c])]
        for name in numbers:
            span = frame[name].quantile(0.99) - frame[name].quantile(0.01)
            frame[name] = frame[name] / (span or 1.0)
        yield "census", pd.get_dummies(frame, dtype=np.int64), label


def _named(values: np.ndarray) -> pd.DataFrame:
    return pd.DataFrame(values, columns=[f"x{at}" for at in range(values.shape[1])])


def measure(*, gates: bool, repeat: int) -> tuple[list[Row], str]:
    """Return the rows of the table."""
    try:
        python = ensure("attacks-tables", PINS)
    except PeerAbsentError as absent:
        return [], str(absent)
    rows: list[Row] = []
    n = 40 if gates else 200
    for name, frame, label in sets(repeat):
        for kind in KINDS[1:3] if gates else KINDS:
            rows += cell(python, f"{name}, {kind}", frame, label, (kind, n))
    return rows, ""


def cell(python: Path, where: str, frame: pd.DataFrame, label: np.ndarray, given: tuple[str, int]) -> list[Row]:
    """Return success within the budget, ours and the peer's, valid rows, and processor time."""
    kind, n = given
    half = len(frame) // 2
    values = frame.to_numpy(dtype=np.float64)
    fitted = model(kind, values[:half], label[:half])
    subject = Subject(fitted)
    tables = {"train": _table("train", frame[:half], label[:half]), "test": _table("test", frame[half:], label[half:])}
    context = Context(
        subject=subject, tables=tables.__getitem__, rng=np.random.default_rng(5), thresholds={}, rows=n,
        options={"budget": BUDGET, "swap_cost": SWAP, "queries": QUERIES}, settings=SettingsView(),
    )  # type: ignore[arg-type]  # fmt: skip
    began = time.process_time()
    layout = lay_out(context)
    right = np.flatnonzero(layout.given.is_right(layout.answers))
    public = layout.given.public_values
    known = attack.Known(public, *layout.model(public, np.zeros(len(public), dtype=np.int64)))
    found = attack.run(
        layout.domain, lambda part, goal: layout.search(right[part], goal), Goal(layout.answers[right]), known,
        context.rng,
    )  # fmt: skip
    seconds = time.process_time() - began
    fell, spent = (np.concatenate([getattr(one, key) for one in found]) for key in ("fallen", "spent"))
    bad = _faults(layout, found)
    theirs = [_peer(python, layout, right, (kind, values[:half], label[:half]), norm) for norm in ("2", "inf")]
    same = all((one["answers"] == layout.answers[right]).all() for one in theirs)
    peer = np.minimum(theirs[0]["price"], theirs[1]["price"]) <= BUDGET * (1 + 1e-9)
    ours, other = float(fell.mean()), float(peer.mean())
    note = "" if same else "the models differ"
    note += (
        f"{spent.mean():.0f} questions a row and {len(public)}; HopSkipJump {theirs[0]['spent'].mean():.0f}, two norms"
    )
    cost = seconds / float(theirs[0]["seconds"])
    return [
        Row(f"{where}: success", ours, other or None, 1.0 if other else 0.0, "min", "", required=same, note=note),
        Row(f"{where}: rows that cannot be", float(bad), None, 0.0, "max", "", note="by the validator"),
        Row(f"{where}: processor time, ratio", cost, None, 1.0, "max", "", required=False, note="against one norm"),
    ]  # fmt: skip


def _table(name: str, frame: pd.DataFrame, label: np.ndarray) -> Table:
    frame = frame.reset_index(drop=True)
    return Table(name, np.arange(len(label)), frame, np.asarray(label), pd.DataFrame(index=frame.index))


def _faults(layout: object, found: list[object]) -> int:
    total = 0
    names = [str(column.name) for column in layout.domain.space.columns]  # type: ignore[attr-defined]
    groups = [[names[at] for at in block.columns] for block in layout.domain.blocks]  # type: ignore[attr-defined]
    for search in found:
        rows = np.flatnonzero(search.fallen)  # type: ignore[attr-defined]
        like = layout.given.sample  # type: ignore[attr-defined]
        after = layout.given.space.decode(search.found[rows], search.origin[rows], like).features  # type: ignore[attr-defined]
        before = like.features.iloc[search.origin[rows]]  # type: ignore[attr-defined]
        wrong = faults(before, after, layout.seen, {}, groups=groups)  # type: ignore[attr-defined]
        total += int(np.any(list(wrong.values()), axis=0).sum()) if len(rows) else 0
    return total


def _peer(
    python: Path, layout: object, right: np.ndarray, trained: tuple[str, np.ndarray, np.ndarray], norm: str
) -> dict[str, np.ndarray]:
    domain, start = layout.domain, layout.given.values  # type: ignore[attr-defined]  # noqa: PD011
    width = len(domain.unit)
    group, fixed = np.full(width, -1), np.ones(width, dtype=bool)
    fixed[domain.numbers] = False
    unit, low, high = np.where(np.isfinite(domain.unit), domain.unit, 1.0), domain.low.copy(), domain.high.copy()
    for at, block in enumerate(domain.blocks):
        if len(block.columns) > 1:
            group[block.columns], fixed[block.columns] = at, False
            low[block.columns], high[block.columns] = 0.0, 1.0
        else:  # two values: a number whose whole range is one swap
            column, (one, two) = block.columns[0], np.sort(block.levels[:, 0])
            fixed[column], low[column], high[column], unit[column] = False, one, two, (two - one) / SWAP
    step = np.where(np.isin(np.arange(width), domain.numbers), domain.space.step, 0.0)
    for block in domain.blocks:
        if len(block.columns) == 1:
            step[block.columns] = 1.0
    low = np.where(np.isfinite(low), low, start.min(axis=0))
    high = np.where(np.isfinite(high), high, start.max(axis=0))
    with tempfile.TemporaryDirectory() as folder:
        job, answer = Path(folder) / "job.npz", Path(folder) / "answers.npz"
        np.savez(
            job, kind=trained[0], train=trained[1], target=trained[2], start=start[right], unit=unit, low=low,
            high=np.maximum(high, low + 1e-9), step=step, fixed=fixed, group=group, swap=SWAP, queries=QUERIES,
            norm=norm,
        )  # fmt: skip
        subprocess.run([python, Path(__file__).parent / "peers" / "tables.py", job, answer], check=True)
        with np.load(answer, allow_pickle=False) as arrays:
            return {key: arrays[key] for key in arrays.files}
