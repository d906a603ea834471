"""Check S4.inference: how far encrypted answers are off, at the worst row that a search finds."""

from __future__ import annotations

import hashlib
import math
from typing import TYPE_CHECKING

import numpy as np

from fivefold.contract.finding import Canary, Measure, Result
from fivefold.contract.outcome import Outcome
from fivefold.errors import InputError, UnsupportedError
from fivefold.sharing.ciphertext import settings as picking
from fivefold.sharing.ciphertext.declared import declared, served
from fivefold.sharing.ciphertext.scorer import write
from fivefold.sharing.ciphertext.settings import Settings
from fivefold.sharing.ciphertext.worst import asking, search
from fivefold.stats.judge import judge

if TYPE_CHECKING:
    from fivefold.contract.check import Context
    from fivefold.sharing.ciphertext.declared import Encrypted
    from fivefold.sharing.ciphertext.scorer import Scorer
    from fivefold.sharing.ciphertext.worst import Worst

ERROR = "max_error"
_ROUNDS = {"quick": 3, "standard": 6, "thorough": 20}
_REMEDY = "Leave `settings` out of controls.S4, so that the product picks; or make the scorer's weights smaller."


def run(context: Context) -> Result:
    """Judge S4.inference.

    Threat: noise and rounding of the encryption change answers, most at rows that no sample holds.
    Limit: the scorer is the declared one, its rows those of the declared box; what it knows is not asked.

    Raises:
        UnsupportedError: ``ciphertext.undeclared``, ``ciphertext.declared``, ``ciphertext.data``,
            ``ciphertext.engine``, ``ciphertext.settings``.
    """
    told = declared(context)
    scorer, floor = served(told, context), context.thresholds[ERROR]
    chosen = chosen_for(scorer, told)
    rounds = _ROUNDS.get(context.effort, 6)
    found = _searched(scorer, chosen, rounds, context.rng)
    bound = picking.bound(chosen, scorer)
    whole = error_of(found, bound, floor)
    context.progress(0.6, f"worst row found: off by {found.error:.2g}; planting noise")
    bird = _canary(scorer, floor, context.rng)
    outcome = whole.outcome or Outcome.INCONCLUSIVE
    digest = hashlib.sha256(write(scorer)).hexdigest()
    return Result(
        outcome=outcome if bird.noticed else Outcome.INCONCLUSIVE,
        reason=(
            f"At the worst of {found.rows:,} encrypted rows the {scorer.kind} scorer {digest[:12]} is off by "
            f"{'at most' if found.error <= bound else 'about'} {whole.value:.2g}."
            if bird.noticed
            else "Noise that was planted was not noticed, so nothing is concluded."
        ),
        measures=(
            whole,
            Measure(name="degree", value=float(chosen.degree), n=1),
            Measure(name="bits of modulus", value=float(chosen.bits), n=1),
        ),
        canary=bird,
        limits=("The search finds bad rows, not surely the worst; the bound holds for all, but for chance of 10^-11.",),
        remedy="" if outcome is Outcome.PASS else _REMEDY,
    )


def chosen_for(scorer: Scorer, told: Encrypted) -> Settings:
    """Return the declared settings, or the picked ones.

    Raises:
        UnsupportedError: ``ciphertext.inaccurate`` if none will do.
    """
    if told.settings is not None:
        return told.settings
    try:
        return picking.pick(scorer, told.error)
    except InputError as error:
        raise UnsupportedError(error.code, error.message, remedy=error.remedy) from None


def error_of(found: Worst, bound: float, floor: float, name: str = "error of the worst row found") -> Measure:
    """Return the worst error, judged: from above by the bound, which holds for every row; from below by the search.

    Keys are drawn by SEAL, so that what is found varies from run to run below the bound. Written down is the bound
    where the search did not pass it, so that a finding can be had again; else what was found, to one digit.
    """
    held = found.error <= bound and found.error <= floor
    shown = float(f"{bound:.2g}") if held else float(f"{min(found.error, 1e12):.1g}")
    low, high = (0.0, shown) if held else (shown, max(shown, min(float(f"{bound:.2g}"), 1e12)))
    return Measure(
        name=name, value=shown, low=low, high=high, threshold=floor, direction="max", n=found.rows,
        outcome=judge(low, high, floor, "max"),
        note="A bound by argument, which the search did not pass." if held else "As found.",
    )  # fmt: skip


def _searched(scorer: Scorer, chosen: Settings, rounds: int, rng: np.random.Generator) -> Worst:
    try:
        picking.demand_secure(chosen)
        return search(scorer, asking(scorer, chosen), chosen.slots, rounds, rng)
    except (InputError, ValueError, RuntimeError) as error:
        raise UnsupportedError(
            "ciphertext.settings", f"nothing can be asked with these settings ({str(error)[:120]}).", remedy=_REMEDY
        ) from None


def _canary(scorer: Scorer, floor: float, rng: np.random.Generator) -> Canary:
    """A scale too small by a drawn factor must be noticed; a large one must not."""
    times = float(rng.uniform(3.0, 10.0))
    lengths = float(np.sqrt((scorer.layers[:, 1:] ** 2).sum(axis=1)).max())
    plain = _linear(scorer) if scorer.hidden or scorer.trees else scorer
    scale = max(10, int(math.log2(3.2 * math.sqrt(8192) * lengths * 3 / (times * floor))))
    bad = Settings(degree=8192, primes=(60, 60, 60), scale=min(scale, 40), rescale=False)
    good = Settings(degree=8192, primes=(60, 60, 60), scale=46, rescale=False)
    found = [error_of(_searched(plain, one, 1, rng), picking.bound(one, plain), floor) for one in (bad, good)]
    caught, alarm = (one.outcome is Outcome.FAIL for one in found)
    return Canary(
        kind="a scale that is too small, and a large one", planted=1, found=int(caught), clean=1,
        false_alarms=int(alarm), noticed=caught and not alarm, detail=f"A scale of 2^{bad.scale}.",
    )  # fmt: skip


def _linear(scorer: Scorer) -> Scorer:
    import msgspec

    longest = int(np.argmax((scorer.layers[:, 1:] ** 2).sum(axis=1)))
    weights = tuple(scorer.layers[longest].tolist())
    return msgspec.structs.replace(scorer, kind="linear", weights=weights, hidden=(), trees=())
