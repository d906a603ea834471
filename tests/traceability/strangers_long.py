"""Long run: 100,000 keys on each of a few fixed models, by the reader of marks; are p-values those of a fair coin?

``python -m tests.traceability.strangers_long [KEYS]`` writes ``docs/figures/strangers.md``.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from scipy.stats import binom, kstest

from fivefold.stats.proportion import clopper_pearson
from fivefold.traceability.watermark import embedding
from fivefold.traceability.watermark.carriers import binomial_p

BITS, CARRIERS, RATE = 32, 41, 1e-3
PAGE = Path(__file__).resolve().parents[2] / "docs" / "figures" / "strangers.md"
_HEAD = """# Keys that nobody put in

`python -m tests.traceability.strangers_long {keys}`, 30 November 2026. Each model is fixed, and {keys:,} keys, none of which it was made with, are
held against it by the reader of marks ({bits} bits, {carriers} carriers). The exact null says Binomial({bits}, 1/2) bits read rightly. p-values are
discrete: for the Kolmogorov-Smirnov test each is spread uniformly over its step, and so for the count of {rate:g} or less. The first four rows
share their keys, so they are not independent of each other.

| model | p of Kolmogorov-Smirnov | {rate:g} or less, spread | its 95 % interval, per thousand | {rate:g} or less, as read | expected | smallest p |
|---|---|---|---|---|---|---|
"""  # noqa: E501


def models() -> dict[str, np.ndarray]:
    """Return (1, n) weights of a few models, as unlike noise as can be among them."""
    rng = np.random.default_rng(6)
    heavy = rng.standard_t(3, (1, CARRIERS))
    return {
        "all weights alike": np.full((1, CARRIERS), 0.7),
        "normal": rng.normal(size=(1, CARRIERS)),
        "heavy tails": heavy,
        "one weight is nearly all": np.where(np.arange(CARRIERS) == 0, 1000.0, heavy),
    }


def spread(values: np.ndarray, keys: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return (keys,) p-values of a fixed model against keys that nobody put in, as read and spread over their steps."""
    place, weights = embedding._place("a", values.shape, np.arange(values.size)), {"a": values.astype(np.float32)}
    matched = np.array([
        embedding.read(weights, embedding.WeightsOpening(key=rng.bytes(32), bits=BITS, places=(place,))).matched
        for _ in range(keys)
    ])  # fmt: skip
    table = np.array([binomial_p(one, BITS) for one in range(BITS + 1)] + [0.0])
    p, below = table[matched], table[matched + 1]
    return p, below + (p - below) * rng.random(keys)


def line(what: str, values: np.ndarray, keys: int, seed: int = 7) -> str:
    """Return a line of the table."""
    p, wide = spread(values, keys, np.random.default_rng(seed))
    small = int((wide <= RATE).sum())
    low, high = clopper_pearson(small, keys, side="two")
    least = int(binom.isf(RATE, BITS, 0.5)) + 1  # the fewest bits with a p-value of RATE or less
    expected = keys * binom.sf(least - 1, BITS, 0.5)
    cells = [what, f"{kstest(wide, 'uniform').pvalue:.2f}", f"{small:,} of {keys:,}",
             f"{1000 * float(low):.2f} to {1000 * float(high):.2f}", f"{(p <= RATE).sum()}", f"{expected:.0f}",
             f"{p.min():.1g}"]  # fmt: skip
    return f"| {' | '.join(cells)} |\n"


def main() -> int:
    """Write the page."""
    keys = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    head = _HEAD.format(keys=keys, bits=BITS, carriers=CARRIERS, rate=RATE)
    rows = [line(what, values, keys) for what, values in models().items()]
    alike = next(iter(models()))
    rows += [line(f"{alike}, other keys", models()[alike], keys, seed) for seed in (101, 102, 103)]
    PAGE.write_text(head + "".join(rows), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
