"""How often P1.honesty flags honest models: `python -m tests.protection.honesty_long --models 100`; prints JSON.

Honest models are networks of 3 kinds (digits, tables of measured and of made rows) that differ in seed, width, training
steps, reach, and in whether they were trained against changed rows. At most 2 of 100 may be flagged. The broken
defences are counted beside them: all must be flagged, and broken by the attacks that the engine chooses.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np

from fivefold.contract.outcome import Outcome
from fivefold.protection.evasion import honesty

from . import digit_models as digits
from . import table_models as tables

if TYPE_CHECKING:
    from fivefold.contract.check import Context

SIGNS = ("The model is random", "The gradient is zero", "does not do what", "the gradients mislead", "saturated logits",
         "a millionth of each range", "success still rises")  # fmt: skip
BROKEN = {"random": digits.Random, "rounded": digits.Rounded, "masked": digits.Masked, "saturated": digits.Saturated}
LEFT = 0.15
"""Robust accuracy that a broken defence may keep: the bare networks keep hardly any."""


def looked(context: Context) -> tuple[str, list[str], float]:
    """Return what P1.honesty judges, the signs that it tells of, and robust accuracy by the chosen attacks."""
    result = honesty.run(context)
    text = " ".join((result.reason, *result.limits))
    robust = next(one.value for one in result.measures if one.name == "robust accuracy, attacks chosen after a look")
    return str(result.outcome), [sign for sign in SIGNS if sign in text], float(robust or 0.0)


def honest(seed: int, rows: int) -> Context:
    """Return an honest model of one kind in three, and what it is asked."""
    rng = np.random.default_rng([seed, 9])
    recipe: dict[str, Any] = {"width": int(rng.integers(4, 25)), "steps": int(rng.integers(60, 500)),
                              "robust": float(rng.choice([0.0, 0.05, 0.1]))}  # fmt: skip
    reach = float(rng.choice([0.05, 0.1, 0.2]))
    if seed % 3:
        return tables.context(tables.trained(seed, kind=seed % 3, **recipe), many=rows, epsilon=reach)
    net = digits.Digits(digits.trained(seed, **recipe))
    return digits.context(net, thresholds=tables.FLOORS, many=rows, epsilon=reach)


def main() -> int:
    """Return 0 where at most 2 % are flagged, and every broken defence is flagged and broken."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", type=int, default=100)
    parser.add_argument("--first", type=int, default=0, help="seed of the first model")
    parser.add_argument("--broken", type=int, default=5)
    parser.add_argument("--rows", type=int, default=150)
    asked = parser.parse_args()
    flagged, missed, said = list[object](), list[object](), Counter[str]()
    for seed in range(asked.first, asked.first + asked.models):
        outcome, signs, _ = looked(honest(seed, asked.rows))
        said[outcome] += 1
        sys.stderr.write(f"{seed} {outcome} {signs} {time.process_time():.0f} s\n")
        if signs or outcome == Outcome.FAIL:
            flagged.append([seed, outcome, signs])
    for seed in range(asked.broken):
        for name, wrap in BROKEN.items():
            subject = digits.Digits(wrap(digits.trained(seed)))
            told = digits.context(subject, thresholds=tables.FLOORS, many=asked.rows, epsilon=0.2)
            outcome, signs, robust = looked(told)
            if not signs or robust > LEFT or outcome == Outcome.PASS:
                missed.append([seed, name, outcome, signs, robust])
    told_ = {"honest": asked.models, "rows": asked.rows, "outcomes": dict(said), "flagged": flagged,
             "broken": asked.broken * len(BROKEN), "missed": missed, "seconds": round(time.process_time())}  # fmt: skip
    sys.stdout.write(json.dumps(told_) + "\n")
    return int(len(flagged) > 0.02 * asked.models or bool(missed))


if __name__ == "__main__":
    sys.exit(main())
