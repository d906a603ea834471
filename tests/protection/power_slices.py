"""Power curve of the slice judgement: `python tests/protection/power_slices.py --rows 8000 --subjects 60`.

Every subject is a table of normal columns, a quarter of them cut to six whole numbers, all correlated. A slice is
an interval of one column (40 %) or a rectangle over two, at a random place, holding 10 to 11 % of the rows. Errors are
drawn at a base rate everywhere and at base + excess inside. Prints one Markdown row per base rate and excess.
"""

from __future__ import annotations

import argparse
import sys

import numpy as np
import pandas as pd

from fivefold.protection.accuracy import exclusion, slices

SHARE, FLOOR = 0.10, 0.05


def table(columns, rows, rng):
    """Correlated columns, every fourth one discrete."""
    data = rng.normal(size=(rows, columns)) @ (rng.normal(size=(columns, columns)) * 0.3 + np.eye(columns))
    for at in range(3, columns, 4):
        data[:, at] = np.floor(np.exp(data[:, at] / 3) * 3).clip(0, 5)
    return data


def place(data, rng):
    """Mask of a random interval or rectangle that holds 10 to 11 % of the rows."""
    columns = data.shape[1]
    while True:
        chosen = rng.choice(columns, 1 if rng.random() < 0.4 else 2, replace=False)
        width = SHARE ** rng.uniform(0.25, 0.75) if len(chosen) == 2 else 1.05 * SHARE
        inside = np.ones(len(data), dtype=bool)
        for column, share in zip(chosen, (width, 1.05 * SHARE / width), strict=False):
            start = rng.uniform(0, 1 - share)
            low, high = np.quantile(data[:, column], [start, start + share])
            inside &= (data[:, column] >= low) & (data[:, column] <= high)
        if SHARE <= inside.mean() < 1.1 * SHARE:
            return inside


def main():
    """Run the subjects and print their outcomes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=8000)
    parser.add_argument("--columns", type=int, default=8)
    parser.add_argument("--subjects", type=int, default=60)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--base", type=float, nargs="+", default=[0.02, 0.05, 0.10, 0.15])
    parser.add_argument("--excess", type=float, nargs="+", default=[0.0, 0.06, 0.08, 0.10, 0.20])
    asked = parser.parse_args()
    rng = np.random.default_rng(asked.seed)
    seen: dict[tuple[float, float], list[tuple[bool, bool, float]]] = {}
    for _ in range(asked.subjects):
        data = table(asked.columns, asked.rows, rng)
        series = [pd.Series(data[:, at], name=f"c{at}") for at in range(asked.columns)]
        terrain = slices.survey(series, SHARE, rng)
        for base in asked.base:
            for excess in asked.excess:
                errors = rng.random(asked.rows) < base + excess * place(data, rng)
                failed = bool(slices.failing(slices.confirmed(terrain, errors, FLOOR)))
                high = slices.ceiling(terrain, errors, FLOOR).bounds()[1]
                passes = not failed and exclusion.test(terrain, errors, FLOOR, rng).excluded
                seen.setdefault((base, excess), []).append((failed, passes, high))
    for (base, excess), results in seen.items():
        failed, passed, high = (np.array(part) for part in zip(*results, strict=True))
        figures = (
            f"{failed.mean():.0%} | {passed.mean():.0%} | {(~failed & ~passed).mean():.0%} | {np.median(high):.1%}"
        )
        sys.stdout.write(f"| {asked.rows} | {base:.0%} | +{excess:.0%} | {figures} | {asked.subjects} |\n")


if __name__ == "__main__":
    main()
