"""Long: the whole battery in full, in several processes, resumable; writes ``docs/figures/truth-*``.

Finished pieces lie under ``build/truth`` and bear the digest of the code that the check depends on, so no piece is ever
mixed with one of other code. Workers take every k-th piece and share nothing but that folder.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

from .battery import REPO, Cell, code_digest, document, plan, run_cell, seed_of
from .entries import MODULES, entry
from .markdown import page

_PIECE = 25
FIGURES = REPO / "docs" / "figures"


def pieces(checks: list[str], subjects: int) -> list[tuple[str, str, str, int, int]]:
    """Return ``(check, part, kind, start, stop)`` of every piece, the checks interleaved so that workers stay even."""
    rows = [
        (start / count, check, part, kind, start, min(start + _PIECE, count))
        for check in checks
        for part, kind, count in plan(entry(check), subjects)
        for start in range(0, count, _PIECE)
    ]
    return [row[1:] for row in sorted(rows)]


def work(folder: Path, checks: list[str], subjects: int, seed: int, *, worker: int, workers: int) -> None:
    """Run every ``workers``-th piece that is not there yet; each is written whole or not at all."""
    codes = {check: code_digest(check) for check in checks}
    for position, (check, part, kind, start, stop) in enumerate(pieces(checks, subjects)):
        target = folder / _name(codes[check], check, part, kind, start)
        if position % workers != worker or target.exists():
            continue
        cell = run_cell(entry(check), part, kind, [seed_of(seed, check, kind, index) for index in range(start, stop)])
        waiting = target.with_suffix(f".{os.getpid()}")
        waiting.write_text(json.dumps(cell.plain()), encoding="utf-8")
        waiting.rename(target)
        sys.stderr.write(f"{check} {part} {kind}: {stop}\n")


def merge(folder: Path, check: str, subjects: int) -> list[Cell]:
    """Add up the pieces of a check."""
    code = code_digest(check)
    cells = {(part, kind): Cell(part, kind) for part, kind, _ in plan(entry(check), subjects)}
    for mine, part, kind, start, _ in pieces([check], subjects):
        found = json.loads((folder / _name(code, mine, part, kind, start)).read_text(encoding="utf-8"))
        cell = cells[part, kind]
        cell.outcomes.update(Counter(found["outcomes"]))
        cell.unnoticed += found["unnoticed"]
        cell.seconds += found["seconds"]
        cell.odd = (cell.odd + found["odd"])[:5]
    return list(cells.values())


def _name(code: str, check: str, part: str, kind: str, start: int) -> str:
    plain = "".join(letter if letter.isalnum() else "-" for letter in kind)
    return f"{check}_{code[:12]}_{part}_{plain}_{start:05}.json"


def main() -> int:
    """Run, merge, write; return 1 if anything is refuted."""
    parser = argparse.ArgumentParser(prog="scripts/long", description=__doc__)
    parser.add_argument("--check", choices=sorted(MODULES), action="append", help="default: all")
    parser.add_argument("--subjects", type=int, default=600)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--out", type=Path, default=FIGURES)
    parser.add_argument("--worker", type=int, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    checks = sorted(asked.check or MODULES)
    codes = {check: code_digest(check) for check in checks}
    folder = REPO / "build" / "truth" / f"{asked.subjects}-{asked.seed}"
    folder.mkdir(parents=True, exist_ok=True)
    if asked.worker is not None:
        work(folder, checks, asked.subjects, asked.seed, worker=asked.worker, workers=asked.processes)
        return 0
    command = [sys.executable, "-m", "tests.truth.long", *sys.argv[1:], "--worker"]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    running = [subprocess.Popen([*command, str(k)], env=environment, cwd=REPO) for k in range(asked.processes)]
    ended = [process.wait() for process in running]
    if any(ended):
        sys.stderr.write("A worker stopped; run again to go on.\n")
        return 2
    if {check: code_digest(check) for check in checks} != codes:
        sys.stderr.write("The code changed while the battery ran; run again.\n")
        return 2
    return _write(folder, checks, asked.subjects, asked.seed, asked.out)


def _write(folder: Path, checks: list[str], subjects: int, seed: int, out: Path) -> int:
    out.mkdir(parents=True, exist_ok=True)
    refuted = 0
    for check in checks:
        found = document(entry(check), merge(folder, check, subjects), subjects, seed)
        name = f"truth-{check.replace('.', '-')}"
        (out / f"{name}.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
        (out / f"{name}.md").write_text(page(found), encoding="utf-8")
        for item in found["decisions"]:
            sys.stdout.write(f"{check}: {item['what']}: {item['count']} of {item['n']}: {item['verdict']}\n")
            refuted |= item["verdict"] == "refuted"
    return refuted


if __name__ == "__main__":
    sys.exit(main())
