"""Long: faults planted in 300 trainings each, seen from inside and from outside; writes private-training.md."""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from pathlib import Path

import numpy as np
from tests.sharing.privacy.sgd_faults import FAULTS, run
from tests.truth.trainings import DELTA, claimed, steps_of

from fivefold.sharing.privacy import canaries

FIGURES = Path(__file__).parents[2] / "docs" / "figures" / "private-training.md"
_APART = 2.0
OUTSIDE = {
    "": "none",
    "half": "half the noise",
    "reused": "the noise of the first step in each step",
    "dealt": "batches dealt out, claimed to be Poisson samples",
    "unclipped": "one canary of each batch is five times the clip",
    "after": "the sum is cut, not each; canaries are five times the clip",
}


def inside(runs: int) -> list[str]:
    """Count runs of our own trainer that name a fault of theirs."""
    lines = [
        "| planted in our trainer | runs | noticed by the run itself | epsilon given all the same |",
        "|---|---|---|---|",
    ]
    for fault in ("", *FAULTS):
        found = [run(seed, fault) for seed in range(1000, 1000 + runs)]
        seen = sum(bool(one.observed.faults) for one in found)
        given = sum(one.epsilon(DELTA) is not None for one in found)
        lines.append(f"| {fault or 'nothing'} | {runs} | {seen} | {given} |")
        sys.stdout.write(lines[-1] + "\n")
        sys.stdout.flush()
    return lines


def outside(runs: int, most: float, many: int) -> list[str]:
    """Count foreign trainings that the audit flags, by which bound."""
    lines = [
        f"| trainer, epsilon {most / 4:g} to {most:g}, {many:,} canaries | runs | flagged | proof alone | ratio |",
        "|---|---|---|---|---|",
    ]
    for fault, what in OUTSIDE.items():
        flagged, ratios = Counter[str](), []
        for seed in range(runs):
            rng = np.random.default_rng([seed, 5, int(most * 100), many])
            rate, noise, steps, epsilon = claimed(rng, most)
            included, out = steps_of(rng, rate, noise, steps, fault=fault, many=many)
            found = canaries.audit(included, canaries.scores(out), DELTA)
            allowed = canaries.most_apart(rate, noise, steps)
            proof = found.epsilon > epsilon
            flagged["proof"] += proof
            flagged["any"] += proof or (max(found.low, 0.0) / allowed) ** 2 > _APART
            ratios.append((max(found.apart, 0.0) / allowed) ** 2)
        lines.append(f"| {what} | {runs} | {flagged['any']} | {flagged['proof']} | {np.median(ratios):.2f} |")
        sys.stdout.write(lines[-1] + "\n")
        sys.stdout.flush()
    return lines


def main() -> None:
    """Run all and write the page."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=300)
    runs = parser.parse_args().runs
    text = [
        "# Private training: planted faults",
        "",
        "Two tables that are never mixed: our own trainer, which sees its parts at work, and any other trainer, of",
        "which only scores of planted canaries are seen.",
        "",
        "## Our own trainer: sampling, clipping and noise observed",
        "",
        "Nets of 3 to 11 inputs, 600 persons, 40 steps, rates 0.05 to 0.2, noise 0.7 to 2.",
        "",
        *inside(runs),
        "",
        "## Another trainer: nothing observed but canaries",
        "",
        "100 to 300 steps, rates 0.01 to 0.1, delta 1e-5, bounds at 99.5 %. Flagged: epsilon is proved beyond the",
        "claim, or the loss of the sum of steps (the median of its ratio to the claim is shown) is beyond twice the",
        "claim. Rate, noise and steps are claimed as well.",
        "",
        *outside(runs, 2.0, 10_000),
        "",
        *outside(max(1, runs // 3), 2.0, 3000),
        "",
        *outside(max(1, runs // 3), 8.0, 10_000),
        "",
    ]
    FIGURES.write_text("\n".join(text), encoding="utf-8")


if __name__ == "__main__":
    main()
