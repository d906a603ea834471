"""Power of S6.audit: how often 100,000 devices with a tenth more loss than the claimed 1 are caught; honest ones pass.

``python -m tests.sharing.power_telemetry [audits]`` prints a table; the figures in docs/techniques/S6-audit.md are its.
"""

from __future__ import annotations

import sys
from collections import Counter

import numpy as np

from fivefold.contract.outcome import Outcome
from fivefold.sharing.telemetry.asked import lost, measured, reporting
from fivefold.sharing.telemetry.device import Question

CLAIM, DEVICES, FLOOR = 1.0, 100_000, 1.05


def question(way: str, epsilon: float) -> Question:
    """Return a question of a kind."""
    return Question("colour", way, epsilon, values=("red", "green", "blue", "grey", "white") if way != "mean" else ())


def audited(way: str, epsilon: float, seed: int, devices: int = DEVICES) -> Outcome:
    """Return what the audit says of devices with a true epsilon."""
    rng = np.random.default_rng(seed)
    loss = lost(reporting(rng), [question(way, epsilon)], devices, rng)
    return measured("loss", loss, CLAIM, FLOOR, "").outcome or Outcome.ERROR


def main(audits: int) -> None:
    """Print counts."""
    print("| way | true epsilon | audits | fail | pass | open |\n|---|---|---|---|---|---|")  # noqa: T201
    for epsilon in (1.1, 1.0):
        for way in ("oue", "hadamard", "mean"):
            said = Counter(audited(way, epsilon, seed) for seed in range(audits))
            row = (said[Outcome.FAIL], said[Outcome.PASS], said[Outcome.INCONCLUSIVE])
            print(f"| {way} | {epsilon} | {audits} | {row[0]} | {row[1]} | {row[2]} |", flush=True)  # noqa: T201


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100)
