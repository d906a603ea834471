"""Power of the watch over purposes: delays and false alarms. Run as a script; writes Markdown.

    python -m tests.cases.purpose_power [RUNS] > docs/figures/purpose.md

Drawn streams are those of `case X10`. On real data a run draws rows that teach the watch, others that are asked
honestly, and, for a relabelled run, others on one side of a drawn column. Rows are in chance order.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from fivefold.cases.purpose.asking import KINDS, Stream, people
from fivefold.cases.purpose.case import LENGTH, streams
from fivefold.cases.purpose.serving import TRAIN
from fivefold.cases.purpose.watching import Seen, declared, watched
from fivefold.governance.purpose.check import _halves as halves
from fivefold.governance.purpose.check import alarmed
from fivefold.governance.purpose.declared import Declared
from fivefold.governance.purpose.gauge import columns_of
from fivefold.stats.proportion import clopper_pearson

if TYPE_CHECKING:
    from collections.abc import Iterator

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
_SEED = 31
_LONG, _LONG_RUNS = 100_000, 60
_KNOWN, _ASKED, _PART = 5_000, 5_000, 0.2
_HEAD = (
    "| stream | runs | alarms | bounds | rows to the alarm: middle | 95 of 100 | worst |\n|---|---|---|---|---|---|---|"
)


def line(name: str, delays: list[int]) -> str:
    """Return a row of the table: 0 is no alarm."""
    found = np.array([one for one in delays if one])
    low, high = (float(bound) for bound in clopper_pearson(len(found), len(delays)))
    times = "| - | - | - |"
    if len(found):
        times = f"| {np.median(found):,.0f} | {np.quantile(found, 0.95):,.0f} | {found.max():,.0f} |"
    return f"| {name} | {len(delays)} | {len(found)} | {low:.4f} to {high:.4f} {times}"


def drawn(runs: int) -> Iterator[str]:
    """Yield the rows of the table for drawn streams."""
    bad, good = streams(runs, _SEED)
    yield line(f"honest, {LENGTH:,} rows, in bursts", [one.alarm for one in good])
    yield line("relabelled: before the change", [one.alarm if one.false else 0 for one in bad])
    yield line("relabelled: all", [one.delay for one in bad])
    for kind in KINDS:
        yield line(f"relabelled: {kind}", [one.delay for one in bad if one.kind == kind])


def long() -> str:
    """Return the row of honest streams that are twenty times as long."""
    return line(f"honest, {_LONG:,} rows", [_long(seed).alarm for seed in range(_LONG_RUNS)])


def _long(seed: int) -> Seen:
    rng = np.random.default_rng([_SEED, 2, seed])
    aims = declared(people(TRAIN, rng), rng)
    hours = rng.multinomial(_LONG, np.full(_LONG // 40, 40 / _LONG))
    return watched(aims, Stream(people(_LONG, rng), hours, _LONG))


def real(name: str, known: pd.DataFrame, asked: pd.DataFrame, runs: int) -> Iterator[str]:
    """Yield the rows of the table for honest and relabelled runs on real rows."""
    fair: list[int] = []
    odd: list[int] = []
    few: list[int] = []
    sides = halves(asked)
    for seed in range(runs):
        rng = np.random.default_rng([_SEED, 3, seed])
        rows = known.iloc[rng.permutation(len(known))[:_KNOWN]]
        gauge = Declared(rows, {}, rng).gauge
        assert gauge is not None
        fair.append(alarmed(gauge, asked.iloc[rng.permutation(len(asked))[:_ASKED]]))
        side = np.flatnonzero(sides[int(rng.integers(len(sides)))])
        odd.append(alarmed(gauge, asked.iloc[rng.choice(side, _ASKED)]))
        fifth = rng.random(_ASKED) < _PART
        some = np.where(fifth, rng.choice(side, _ASKED), rng.choice(len(asked), _ASKED))
        few.append(alarmed(gauge, asked.iloc[some]))
    yield line(f"{name}: honest, {min(_ASKED, len(asked)):,} rows", fair)
    yield line(f"{name}: one side of a column", odd)
    yield line(f"{name}: one request in five from one side", few)


def adult() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return census rows of the two published files, without the answer."""
    parts = [pd.read_csv(DATA / "adult_census" / f"{name}.csv.gz", na_values="?") for name in ("train", "test")]
    return parts[0].iloc[:, :-1], parts[1].iloc[:, :-1]


def digits() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return two halves of written digits, as parts of images."""
    import gzip

    raw = gzip.decompress((DATA / "mnist_t10k" / "t10k-images-idx3-ubyte.gz").read_bytes())
    images = np.frombuffer(raw, np.uint8, offset=16).reshape(-1, 1, 28, 28)
    order = np.random.default_rng(_SEED).permutation(len(images))
    frame = pd.DataFrame(columns_of(images[order]))
    return frame.iloc[:5000].reset_index(drop=True), frame.iloc[5000:].reset_index(drop=True)


def german() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return two halves of loans."""
    frame = pd.read_csv(DATA / "german_credit" / "german_named.csv").sample(frac=1, random_state=_SEED).iloc[:, :-1]
    return frame.iloc[:500].reset_index(drop=True), frame.iloc[500:].reset_index(drop=True)


def main() -> None:
    """Write the page."""
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 300
    head = f"Made by `python -m tests.cases.purpose_power {runs}`; seed {_SEED}."
    out = [
        "# Delays and false alarms of the watch over purposes\n",
        f"{head} Bounds are one-sided 95 % (Clopper and Pearson).",
        "Stated: one false alarm in a hundred purposes over all time.",
        f"\n## Drawn streams (case X10)\n\n{_HEAD}",
        *drawn(runs),
        long(),
        f"\nDelays are counted from the change, after which {LENGTH:,} rows are asked",
        "(of three times as many 12,000, 120 an hour).",
        f"\n## Real rows\n\n{_HEAD}",
    ]
    for name, both in (("adult census", adult()), ("written digits", digits()), ("German credit", german())):
        out += real(name, *both, runs)
    out.append(
        "\nCensus rows that teach are of one published file, those asked of the other one; of German credit 500 teach."
    )
    sys.stdout.write("\n".join(out) + "\n")


if __name__ == "__main__":
    main()
