"""Check D1.benefit: the benefit that outcomes on record show, against its declared target."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import numpy as np

from fivefold.contract.finding import Canary, Measure, Result
from fivefold.contract.outcome import Outcome
from fivefold.errors import UnsupportedError
from fivefold.governance.operation.told import MEASURE, OUTCOMES, TARGET, UNIT, facts, read_outcomes
from fivefold.stats.judge import judge
from fivefold.stats.mean import skew_t
from fivefold.stats.proportion import clopper_pearson

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fivefold.contract.check import Context
    from fivefold.manifest.nouns import Manifest

_TRIALS = 5
_FEWEST, _MOST = 400, 100_000
_APART = 8.0


class Benefit(msgspec.Struct, frozen=True, kw_only=True):
    """The live value of the declared benefit.

    Attributes:
        measure: As declared.
        unit: As declared.
        n: Outcomes on record, of the newest 10,000 cases that have one.
        value: Their mean; None: there is none.
        low: One-sided 95 % lower bound.
        high: One-sided 95 % upper bound.
        target: As declared; None: none is.
        outcome: Against the target; ``not-run`` without outcomes or target.
    """

    measure: str
    unit: str
    n: int
    value: float | None
    low: float | None
    high: float | None
    target: float | None
    outcome: Outcome


def live(manifest: Manifest) -> Benefit:
    """Return the benefit of an application as its record shows it now."""
    return of_facts(facts(manifest))


def of_facts(known: Mapping[str, object]) -> Benefit:
    """Return the benefit that facts of operation show."""
    values = np.array(read_outcomes(str(known.get(OUTCOMES) or "")))
    target = known.get(TARGET)
    wanted = float(target) if isinstance(target, int | float) else None
    value, low, high = _bounds(values) if len(values) else (None, None, None)
    judged = Outcome.NOT_RUN if wanted is None or value is None else judge(low, high, wanted, "min")
    return Benefit(
        measure=str(known.get(MEASURE) or ""), unit=str(known.get(UNIT) or ""), n=len(values), value=value, low=low,
        high=high, target=wanted, outcome=judged,
    )  # fmt: skip


def run(context: Context) -> Result:
    """Judge D1.benefit.

    Threat: a system is kept in use though it does not do the good for which it was let in.
    Limit: outcomes are what the owner records; those that are missing may be others.

    Raises:
        UnsupportedError: ``benefit.target`` where no target is declared; ``benefit.none`` without an outcome on record.
    """
    found = of_facts(context.settings.facts or {})
    if found.target is None:
        raise UnsupportedError(
            "benefit.target", "no benefit with a target is declared.", remedy="Write benefit.target."
        )
    if found.value is None:
        raise UnsupportedError(
            "benefit.none", "no outcome with a benefit is on record that this user can read.",
            remedy="Record each case's `outcome` with the word `benefit`.",
        )  # fmt: skip
    values = np.array(read_outcomes(str((context.settings.facts or {})[OUTCOMES])))
    bird = _canary(values, found.target, context.rng)
    low, high = found.low or 0.0, found.high or 0.0
    return Result(
        outcome=found.outcome if bird.noticed else Outcome.INCONCLUSIVE,
        reason=f"{found.measure or 'Benefit'}: {found.value:.4g} in {found.n:,} outcomes on record "
        f"({low:.4g} to {high:.4g}), target {found.target:.4g}.",
        measures=(
            Measure(
                name="benefit", value=found.value, low=found.low, high=found.high, threshold=found.target,
                direction="min", outcome=found.outcome, unit=found.unit, n=found.n, note=found.measure,
            ),
        ),
        canary=bird,
        limits=("Outcomes that are not on record may be others.",),
        remedy="" if found.outcome is Outcome.PASS else "Improve the application, or ask whether it should be in use.",
    )  # fmt: skip


def _bounds(values: np.ndarray) -> tuple[float, float, float]:
    """Return mean and one-sided 95 % bounds: exact for yes and no, else Hall's."""
    if np.isin(values, (0.0, 1.0)).all():
        below, above = clopper_pearson(int(values.sum()), len(values))
        return float(values.mean()), float(below), float(above)
    if len(values) < 2:
        return float(values.mean()), -np.inf, np.inf
    low, high = skew_t(values)
    return float(values.mean()), low, high


def _canary(values: np.ndarray, target: float, rng: np.random.Generator) -> Canary:
    """Draw these very outcomes again, moved so that their mean lies well below and well above the target."""
    found = alarms = 0
    for _ in range(_TRIALS):
        bad, good = _moved(values, target, rng)
        found += judge(*_bounds(bad)[1:], target, "min") is Outcome.FAIL
        alarms += judge(*_bounds(good)[1:], target, "min") is Outcome.FAIL
    return Canary(
        kind="outcomes below the target", planted=_TRIALS, found=found, clean=_TRIALS, false_alarms=alarms,
        noticed=found == _TRIALS and not alarms, detail="These outcomes drawn again, moved below and above the target.",
    )  # fmt: skip


def _moved(values: np.ndarray, target: float, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    if np.isin(values, (0.0, 1.0)).all() and 0 < target < 1:
        n = min(max(_FEWEST, int(100 / target)), _MOST)
        bad, good = ((rng.random(n) < share).astype(np.float64) for share in (target / 2, (1 + target) / 2))
        return bad, good
    drawn = values[rng.integers(0, len(values), _FEWEST)]
    apart = _APART * (float(values.std()) or 1.0) / np.sqrt(_FEWEST)
    noise = drawn - values.mean()
    return target - apart + noise, target + apart + noise
