"""`python -m benchmarks NAME [--gates] [--json] [--repeat N]`.

Exit codes: 0 every required row is met, 1 one is missed or could not be measured, 2 usage, 3 a required peer is absent.
"""

from __future__ import annotations

import argparse
import importlib
import sys

from benchmarks.rows import as_json, as_text, exit_code

NAMES = {
    "assess": "benchmarks.assess",
    "attacks": "benchmarks.attacks",
    "attacks_tables": "benchmarks.attacks_tables",
    "dp": "benchmarks.dp",
    "ciphertext": "benchmarks.ciphertext",
    "explain": "benchmarks.explain",
    "fairness": "benchmarks.fairness",
    "filtering": "benchmarks.filtering",
    "flows": "benchmarks.flows",
    "growth": "benchmarks.growth",
    "guard": "benchmarks.guard",
    "labels": "benchmarks.labels",
    "personal_data": "benchmarks.personal_data",
    "recorder": "benchmarks.recorder",
    "secagg": "benchmarks.secagg",
    "watermark": "benchmarks.watermark",
}


def main() -> int:
    """Run one benchmark and print its table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measure us beside the named peers.")
    parser.add_argument("name", choices=sorted(NAMES))
    parser.add_argument("--gates", action="store_true", help="small n, for continuous integration")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--repeat", type=int, default=0, help="runs of each side; default 3, with --gates 1")
    given = parser.parse_args()
    repeat = given.repeat or (1 if given.gates else 3)
    rows, absent = importlib.import_module(NAMES[given.name]).measure(gates=given.gates, repeat=repeat)
    code = exit_code(rows, peers_absent=bool(absent))
    if absent:
        print(absent, file=sys.stderr)
    print(as_json(given.name, rows, code) if given.json else as_text(rows))
    return code


if __name__ == "__main__":
    sys.exit(main())
