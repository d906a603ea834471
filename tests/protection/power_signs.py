"""How often honest models are flagged: `python -m tests.protection.power_signs --models 100`; prints one line of JSON.

Honest models differ in seed, width, training steps and in whether they were trained against changed rows. The engine
must tell of a sign in at most 2 of 100. The broken defences are counted beside them: all must be told of and broken.
"""

from __future__ import annotations

import argparse
import json
import sys

import numpy as np

from fivefold.protection.evasion import standard

from . import digit_models as digits

SIGNS = ("The model is random", "The gradient is zero", "does not do what", "the gradients mislead", "saturated logits",
         "a millionth of each range")  # fmt: skip
BROKEN = {
    "random": lambda net: (digits.Random(net), True),
    "rounded": lambda net: (digits.Rounded(net), True),
    "masked": lambda net: (digits.Masked(net), True),
    "saturated": lambda net: (digits.Saturated(net), True),
}


def looked(net: object, *, linked: bool = True, epsilon: float = 0.1) -> tuple[list[str], float]:
    """Return the signs that P1.standard tells of, and robust accuracy."""
    result = standard.run(digits.context(digits.Digits(net, linked=linked), many=60, epsilon=epsilon, queries=200))
    text = " ".join((result.reason, *result.limits))
    return [sign for sign in SIGNS if sign in text], result.measures[0].value or 0.0


def main() -> int:
    """Return 0 where at most 2 % are flagged and every broken defence is."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", type=int, default=100)
    parser.add_argument("--broken", type=int, default=5)
    asked = parser.parse_args()
    flagged, missed = list[object](), list[object]()
    for seed in range(asked.models):
        rng = np.random.default_rng([seed, 9])
        recipe = {"width": int(rng.integers(4, 25)), "steps": int(rng.integers(60, 500)),
                  "robust": float(rng.choice([0.0, 0.05, 0.1]))}  # fmt: skip
        signs, _ = looked(digits.trained(seed, **recipe), epsilon=float(rng.choice([0.05, 0.1, 0.2])))
        if signs:
            flagged.append([seed, recipe, signs])
    for seed in range(asked.broken):
        for name, wrap in BROKEN.items():
            net, linked = wrap(digits.trained(seed))
            signs, robust = looked(net, linked=linked, epsilon=0.2)
            if not signs or robust > 0.3:
                missed.append([seed, name, signs, robust])
    told = {"honest": asked.models, "flagged": flagged, "broken": asked.broken * len(BROKEN), "missed": missed}
    sys.stdout.write(json.dumps(told) + "\n")
    return int(len(flagged) > 0.02 * asked.models or bool(missed))


if __name__ == "__main__":
    sys.exit(main())
