"""Every pattern of drop-outs: ten clients, four stages, at most four who leave: 62,201 rounds, each exact.

``python -m tests.sharing.federated_long`` writes ``docs/figures/federated.md``; broken off, it goes on where it was
(``build/federated-long.json``), as long as the code is the same.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from fivefold.sharing.federated.play import party, play
from fivefold.sharing.federated.terms import agreed

if TYPE_CHECKING:
    from collections.abc import Iterator

REPO = Path(__file__).resolve().parents[2]
FIGURE, STATE = REPO / "docs" / "figures" / "federated.md", REPO / "build" / "federated-long.json"
NAMES = [f"client-{at}" for at in range(10)]
MOST = 4


def patterns() -> Iterator[dict[str, int]]:
    """Return who leaves before which stage, every way."""
    for count in range(MOST + 1):
        for who in itertools.combinations(NAMES, count):
            for stages in itertools.product(range(1, 5), repeat=count):
                yield dict(zip(who, stages, strict=True))


def exact(pattern: dict[str, int], number: int, size: int = 32) -> bool:
    """Return whether a round gives the very sum of those who sent a vector."""
    rng = np.random.default_rng(number)
    vectors = {name: rng.integers(0, 1 << 32, size, dtype=np.uint32) for name in NAMES}
    found = play(agreed(NAMES, size, round=f"round {number}"), _CLIENTS, vectors, leaves=pattern)
    included = [name for name in NAMES if pattern.get(name, 5) > 3]
    wanted = np.add.reduce([vectors[name] for name in included], dtype=np.uint32)
    return list(found.included) == included and bool((found.total == wanted).all())


_CLIENTS = party(NAMES)


def _code() -> str:
    """Return a digest of the code that is tried."""
    files = sorted((REPO / "src" / "fivefold" / "sharing" / "federated").glob("*.py"))
    rounds = ("client", "graph", "masks", "messages", "play", "server", "shamir", "terms")
    return hashlib.sha256(b"".join(one.read_bytes() for one in files if one.stem in rounds)).hexdigest()


def main() -> int:
    """Play them all, and write the page."""
    found = {"code": _code(), "next": 0, "wrong": [], "seconds": 0.0}
    if STATE.exists() and (kept := json.loads(STATE.read_text()))["code"] == found["code"]:
        found = kept
    begun, before = time.process_time(), found["seconds"]
    by: dict[int, int] = {}
    for number, pattern in enumerate(patterns()):
        by[len(pattern)] = by.get(len(pattern), 0) + 1
        if number < found["next"]:
            continue
        if not exact(pattern, number):
            found["wrong"].append(number)
        if number % 500 == 499:
            found |= {"next": number + 1, "seconds": before + time.process_time() - begun}
            STATE.parent.mkdir(exist_ok=True)
            STATE.write_text(json.dumps(found))
            print(f"{number + 1 - len(found['wrong']):,} of {number + 1:,} exact", flush=True)  # noqa: T201
    total, seconds = sum(by.values()), before + time.process_time() - begun
    head = (
        f"Ten clients, four stages, at most {MOST} who leave, each before any stage: every pattern is played once, in "
        f"one process ({seconds / 60:.0f} minutes of one core). A round is exact when its sum is that of the vectors "
        "of those who sent one, to the last bit, and names them."
    )
    lines = ["# Secure aggregation: every pattern of drop-outs", "", head, ""]
    lines += ["| who leave | patterns | not exact |", "|---|---|---|"]
    first = 0
    for count, many in sorted(by.items()):
        wrong = sum(first <= one < first + many for one in found["wrong"])
        lines.append(f"| {count} | {many:,} | {wrong} |")
        first += many
    lines += [f"| all | {total:,} | {len(found['wrong'])} |", ""]
    FIGURE.write_text("\n".join(lines), encoding="utf-8")
    print("\n".join(lines))  # noqa: T201
    STATE.unlink(missing_ok=True)
    return int(bool(found["wrong"]))


if __name__ == "__main__":
    sys.exit(main())
