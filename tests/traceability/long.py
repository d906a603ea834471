"""Long: power lost at 5,000 points, writers killed, four processes through one, a thousand decisions replayed.

``python -m tests.traceability.long`` writes ``docs/figures/recorder.md``.
"""

from __future__ import annotations

import argparse
import json
import platform
import shutil
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
from tests.traceability.crashing import WORKLOADS, Tally, kills
from tests.traceability.test_record_service import started, told
from tests.traceability.test_replay import CREDIT, replayed, shifted

from fivefold.assess.replay import ask
from fivefold.manifest.reader import read
from fivefold.traceability.recorder import open_reading, open_recorder

FIGURE = Path(__file__).resolve().parents[2] / "docs" / "figures" / "recorder.md"


def service(root: Path, seconds: float) -> tuple[bool, list[str]]:
    """Have four processes append through this one; every record is awaited before the next."""
    place = root / "service"
    with open_recorder(place, "app"):
        processes = [started(place, f"p{number}", seconds) for number in range(4)]
        parts = {f"p{number}": told(process)[1] for number, process in enumerate(processes)}
    positions = {item.id: item.index for item in open_reading(place, "app").search()}
    acknowledged = [item for said in parts.values() for item in said]
    known, lost = len(acknowledged), sum(item not in positions for item in acknowledged)
    ordered = all(
        [positions.get(item, -1) for item in said] == sorted(positions.get(item, -1) for item in said)
        for said in parts.values()
    )
    rate, extra = known / seconds, len(positions) - known
    lines = [
        f"- Four processes for {seconds:.0f} s through a fifth that writes: {known:,} records acknowledged,",
        f"  {lost} lost, {extra} that nobody was told of; {rate:,.0f} a second in all, each awaited before the next.",
        f"- Each process's records stand in its own order: {'yes' if ordered else 'NO'}.",
    ]
    return lost == 0 and ordered and not extra, lines


def crashes(points: int) -> tuple[bool, list[str]]:
    """Lose power at every operation of each workload, seed after seed, until there are points enough."""
    good, lines = True, ["| workload | points | acknowledged | lost | faults |", "|---|---|---|---|---|"]
    for name, work in WORKLOADS.items():
        total, seed = Tally(), 100
        while total.points < -(-points // len(WORKLOADS)):
            one = work(seed)
            total.points, total.acknowledged = total.points + one.points, total.acknowledged + one.acknowledged
            total.lost, total.faults, seed = total.lost + one.lost, total.faults + one.faults, seed + 1
        lines.append(_row(f"{name}: power lost at every operation", total))
        good = good and not total.lost and not total.faults
    return good, lines


def killed(root: Path, times: int) -> tuple[bool, list[str]]:
    """Kill a recording process again and again."""
    found = kills(root / "killed", times)
    return not found.lost and not found.faults, [_row("a process that records, kill -9, on one log", found), ""]


def _row(name: str, found: Tally) -> str:
    return f"| {name} | {found.points:,} | {found.acknowledged:,} | {found.lost} | {found.faults} |"


def replay(root: Path, count: int) -> tuple[bool, list[str]]:
    """Record decisions of the credit example, one row each, and replay them; then with another model."""
    home = root / "credit"
    shutil.copytree(CREDIT, home, ignore=shutil.ignore_patterns("evidence", "record"))
    every = pd.concat([pd.read_csv(home / "data" / f"{name}.csv") for name in ("train", "calibration", "test")])
    rows = every.drop(columns=["credit", "sex", "age_band", "marital_status", "foreign_worker"]).reset_index(drop=True)
    parts = [rows.iloc[at % len(rows) : at % len(rows) + 1] for at in range(count)]
    first = ask(read(home), parts)
    with open_recorder(home / "record", "credit-example") as recorder:
        for at, (part, reply) in enumerate(zip(parts, first.replies, strict=True)):
            with recorder.open(f"loan {at}", model=first.model) as case:
                case.input(part)
                case.output({"chance": reply.arrays()["predict_proba"]})
    begun = time.perf_counter()
    _, same, _ = replayed(home, "--most", str(count))
    took = time.perf_counter() - begun
    file = home / "model.json"
    file.write_text(json.dumps(shifted(json.loads(file.read_text(encoding="utf-8")))), encoding="utf-8")
    _, other, _ = replayed(home, "--most", str(count))
    named = sum(item["model"] == "other" for item in other["replayed"])
    lines = [
        f"- {count:,} decisions of `examples/credit`, a row each: {same['same']:,} replay bit for bit ({took:.1f} s).",
        f"- With every weight of the model 1 % larger: {other['same']:,} are the same, {named:,} said to be another",
        "  model's.",
    ]
    return same["same"] == count and other["same"] == 0 and named == count, lines


def main() -> int:
    """Measure, write the page; return 1 if anything is not as it must be."""
    parser = argparse.ArgumentParser(prog="python -m tests.traceability.long", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--decisions", type=int, default=1_000)
    parser.add_argument("--points", type=int, default=5_000)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--out", type=Path, default=FIGURE)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        steps = (crashes(asked.points), killed(root, asked.kills), service(root, asked.seconds))
        good, parts = zip(*steps, replay(root, asked.decisions), strict=True)
    day = datetime.now(UTC).strftime("%-d %B %Y")
    head = [
        "# The recorder: crashes, service, replay", "",
        f"Made by `python -m tests.traceability.long` on {day}, Python {platform.python_version()}.", "",
    ]  # fmt: skip
    tail = ["", "Format: [the writer's socket](../formats/record-service.md)."]
    asked.out.write_text("\n".join([*head, *(line for part in parts for line in part), *tail]) + "\n", encoding="utf-8")
    sys.stderr.write(asked.out.read_text(encoding="utf-8"))
    return 0 if all(good) else 1


if __name__ == "__main__":
    sys.exit(main())
