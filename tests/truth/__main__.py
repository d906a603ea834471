"""Run the battery: ``python -m tests.truth --check F1.gaps --subjects 600 --seed 7 --json out.json``."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from .battery import PARTS, document, run
from .entries import MODULES, entry
from .markdown import page


def main() -> int:
    """Return 0 if nothing is refuted, else 1."""
    parser = argparse.ArgumentParser(prog="python -m tests.truth", description=__doc__)
    parser.add_argument("--check", choices=sorted(MODULES), action="append", help="default: all")
    parser.add_argument("--subjects", type=int, default=12)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--part", choices=PARTS, action="append", help="default: all")
    parser.add_argument("--json", type=Path, help="file to write (one check only)")
    parser.add_argument("--quiet", action="store_true")
    asked = parser.parse_args()
    refuted = False
    for check in asked.check or sorted(MODULES):
        known = entry(check)
        cells = run(known, asked.subjects, asked.seed, tuple(asked.part or PARTS))
        found = document(known, cells, asked.subjects, asked.seed)
        refuted |= any(decision["verdict"] == "refuted" for decision in found["decisions"])
        if asked.json:
            asked.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
        if not asked.quiet:
            sys.stdout.write(page(found) + "\n")
            for cell in cells:
                for line in cell.odd:
                    sys.stdout.write(f"{cell.part} | {cell.kind} | {line}\n")
    return int(refuted)


if __name__ == "__main__":
    sys.exit(main())
