"""Check S4.parameters: whether settings of the encryption are secure and exact, and bad ones are refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fivefold.contract.finding import Canary, Measure, Result
from fivefold.contract.outcome import Outcome
from fivefold.errors import InputError
from fivefold.sharing.ciphertext import settings as picking
from fivefold.sharing.ciphertext.declared import declared, served
from fivefold.sharing.ciphertext.inference_check import chosen_for
from fivefold.sharing.ciphertext.settings import STANDARD, Settings
from fivefold.stats.judge import judge

if TYPE_CHECKING:
    import numpy as np

    from fivefold.contract.check import Context
    from fivefold.sharing.ciphertext.scorer import Scorer

EXCESS, BOUND = "max_excess_bits", "max_bound"
_EACH = 20
_REMEDY = "Leave `settings` out of controls.S4 and of its training: the product picks what is secure and exact."


def run(context: Context) -> Result:
    """Judge S4.parameters.

    Threat: settings that look like encryption and can be broken, or that drown answers in noise.
    Limit: security is what the standard's table says of a ternary secret and classical attacks.

    Raises:
        UnsupportedError: ``ciphertext.undeclared``, ``ciphertext.declared``, ``ciphertext.data``,
            ``ciphertext.inaccurate``.
    """
    told = declared(context)
    scorer = served(told, context)
    chosen = chosen_for(scorer, told)
    used = {"scoring": chosen} | ({"training": told.training.settings} if told.training else {})
    over = {name: excess(one) for name, one in used.items()}
    worst = max(over, key=lambda name: over[name])
    security = _judged(f"bits of modulus beyond what the standard allows: {worst}", over[worst],
                       context.thresholds[EXCESS])  # fmt: skip
    error = _judged("bound on the error of a score", picking.bound(chosen, scorer), context.thresholds[BOUND])
    bird = _canary(scorer, context)
    outcomes = {security.outcome, error.outcome}
    outcome = Outcome.FAIL if Outcome.FAIL in outcomes else Outcome.PASS
    text = ", ".join(f"{name} at degree {one.degree} with {one.bits} bits" for name, one in used.items())
    return Result(
        outcome=outcome if bird.noticed else Outcome.INCONCLUSIVE,
        reason=(
            f"Settings: {text}; scores are off by at most {error.value:.2g}."
            if bird.noticed
            else "Bad settings that were planted were not all refused, so nothing is concluded."
        ),
        measures=(security, error),
        canary=bird,
        limits=("Security by the standard's table of 2018, classical attacks, 128 bits.",),
        remedy="" if outcome is Outcome.PASS else _REMEDY,
    )


def excess(chosen: Settings) -> float:
    """Return the bits of modulus beyond those allowed for 128 bits of security; all of them for an unknown degree."""
    return float(max(0, chosen.bits - STANDARD.get(chosen.degree, 0)))


def refused(chosen: Settings, scorer: Scorer, error: float) -> bool:
    """Return whether the product would not use settings for a scorer."""
    try:
        picking.demand_secure(chosen)
        picking.demand_exact(chosen, scorer, error)
    except InputError:
        return True
    return False


def _judged(name: str, value: float, floor: float) -> Measure:
    shown = float(f"{min(value, 1e12):.4g}")
    return Measure(
        name=name, value=shown, low=shown, high=shown, threshold=floor, direction="max", n=1,
        outcome=judge(value, value, floor, "max"),
    )  # fmt: skip


def _canary(scorer: Scorer, context: Context) -> Canary:
    """Drawn settings above the table or too coarse must be refused, the picked ones of drawn scorers must not."""
    rng, floor = context.rng, context.thresholds[BOUND]
    found = sum(refused(_insecure(rng), scorer, floor) for _ in range(_EACH))
    found += sum(refused(_coarse(scorer, floor, rng), scorer, floor) for _ in range(_EACH))
    fine = Settings(degree=8192, primes=(60, 60, 60), scale=46, rescale=False)
    alarms = sum(refused(fine, one, floor) for one in (_plain(scorer, rng) for _ in range(_EACH)))
    return Canary(
        kind="settings above the table, a scale that is too small, and settings that are fine", planted=2 * _EACH,
        found=found, clean=_EACH, false_alarms=alarms, noticed=found == 2 * _EACH and not alarms,
        detail=f"{_EACH} of each kind.",
    )  # fmt: skip


def _insecure(rng: np.random.Generator) -> Settings:
    degree = int(rng.choice([4096, 8192, 16384]))
    over = int(rng.integers(1, 20)) + STANDARD[degree]
    primes = [60] * (over // 60) + ([over % 60] if over % 60 >= 20 else [])
    primes += [20] * (sum(primes) <= STANDARD[degree])
    return Settings(degree=degree, primes=tuple(primes), scale=40, rescale=True)


def _coarse(scorer: Scorer, floor: float, rng: np.random.Generator) -> Settings:
    """Return secure settings whose bound is beyond the floor: scales from where that begins, downwards."""
    made = [Settings(degree=8192, primes=(60, 60, 60), scale=scale, rescale=False) for scale in range(10, 40)]
    bad = [one for one in made if picking.bound(one, scorer) > floor]
    return bad[int(rng.integers(len(bad)))] if bad else made[0]


def _plain(scorer: Scorer, rng: np.random.Generator) -> Scorer:
    import msgspec

    weights = tuple(rng.uniform(-1, 1, scorer.width + 1).tolist())
    return msgspec.structs.replace(scorer, kind="linear", weights=weights, hidden=(), trees=())
