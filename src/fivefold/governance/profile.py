"""J6.profiles: what a manifest states against the rules of the scenario that it names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fivefold.catalogue.profiles import NAMES, profile
from fivefold.contract.finding import Canary, Measure, Result
from fivefold.contract.outcome import Outcome
from fivefold.errors import UnsupportedError
from fivefold.plan.profile import rulings

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np

    from fivefold.catalogue.nouns import Condition, Scalar
    from fivefold.catalogue.profiles import Profile
    from fivefold.contract.check import Context
    from fivefold.plan.profile import Ruling

_MOST_SAID = 4


def run(context: Context) -> Result:
    """Judge J6.profiles.

    Threat: an application is put to use in a field without what that field needs stated.
    Limit: what a manifest states is its owner's word; the checks of other rows measure it.

    Raises:
        UnsupportedError: ``scenario.none`` where no scenario is named or no profile has its name.
    """
    settings = context.settings
    if settings.scenario not in NAMES:
        said = f'there is no profile "{settings.scenario}"' if settings.scenario else "no scenario is named"
        raise UnsupportedError("scenario.none", f"{said}.", remedy=f"Write `scenario:` as one of {', '.join(NAMES)}.")
    found = profile(settings.scenario)
    facts, thresholds = dict(settings.facts or {}), settings.thresholds or {}
    ruled = rulings(found, facts, thresholds)
    broken = [ruling for ruling in ruled if ruling.holds is False]
    unknown = [ruling for ruling in ruled if ruling.holds is None]
    outcome = Outcome.FAIL if broken else Outcome.INCONCLUSIVE if unknown else Outcome.PASS
    bird = _canary(found, facts, context.rng)
    return Result(
        outcome=outcome if bird.noticed else Outcome.INCONCLUSIVE,
        reason=_reason(found, len(ruled), broken, unknown),
        measures=_measures(ruled, outcome),
        canary=bird,
        limits=("What the manifest states is its owner's word; other checks measure what can be measured.",),
        remedy=" ".join(ruling.remedy for ruling in (broken or unknown)[:_MOST_SAID]),
    )


def _reason(found: Profile, count: int, broken: list[Ruling], unknown: list[Ruling]) -> str:
    if not broken and not unknown:
        return f"All {count} rules of the profile {found.id} that apply hold."
    said = broken or unknown
    word = "do not hold" if broken else "hang on what could not be read"
    shown = " ".join(f"{ruling.id}: {ruling.because}" for ruling in said[:_MOST_SAID])
    more = f" And {len(said) - _MOST_SAID} more." if len(said) > _MOST_SAID else ""
    return f"Of {count} rules of the profile {found.id} {len(said)} {word}. {shown}{more}"


def _measures(ruled: tuple[Ruling, ...], outcome: Outcome) -> tuple[Measure, ...]:
    words = {True: "holds", False: "does not hold", None: "cannot be told"}
    broken = [ruling.id for ruling in ruled if ruling.holds is not True]
    judged = Measure(
        name="rules that hold",
        value=float(len(ruled) - len(broken)),
        threshold=float(len(ruled)),
        direction="min",
        outcome=outcome,
        unit="rules",
        n=len(ruled),
        where=f"not {', '.join(broken)}" if broken else "",
        note="Exact: statements are compared, nothing is sampled.",
    )
    rules = (Measure(name=f"rule {r.id}", where=f"{words[r.holds]}: {r.read}", note=r.because) for r in ruled)
    return judged, *rules


def _canary(
    found: Profile,
    facts: Mapping[str, Scalar | None],
    rng: np.random.Generator,
) -> Canary:
    """Break each rule by itself in the user's own statements, and mend each: the one must be told, the other not."""
    told = alarms = 0
    for rule in found.rules:
        applies = dict(facts) | {c.fact: _value(c, rng, holds=True) for any_of in rule.when for c in any_of[:1]}
        bad = applies | {c.fact: _value(c, rng, holds=False) for any_of in rule.requires[:1] for c in any_of}
        good = applies | {c.fact: _value(c, rng, holds=True) for any_of in rule.requires for c in any_of[:1]}
        told += _holds(found, rule.id, bad, {}) is False
        alarms += _holds(found, rule.id, good, {}) is not True
    for demand in found.demands:
        step = abs(demand.value) * float(rng.uniform(0.02, 0.5))
        loose = demand.value - step if demand.direction == "min" else demand.value + step
        tight = demand.value + step if demand.direction == "min" else demand.value - step
        name = f"{demand.check}.{demand.key}"
        told += _holds(found, name, facts, {demand.check: {demand.key: loose}}) is False
        alarms += _holds(found, name, facts, {demand.check: {demand.key: tight}}) is not True
    count = len(found.rules) + len(found.demands)
    return Canary(
        kind="statements that break one rule of the profile",
        planted=count,
        found=told,
        clean=count,
        false_alarms=alarms,
        noticed=count > 0 and told == count and not alarms,
        detail="Each rule broken, and each kept, by itself among the manifest's own statements; sizes from the seed.",
    )


def _holds(
    found: Profile,
    name: str,
    facts: Mapping[str, Scalar | None],
    thresholds: Mapping[str, Mapping[str, float]],
) -> bool | None:
    return next((ruling.holds for ruling in rulings(found, facts, thresholds) if ruling.id == name), None)


def _value(condition: Condition, rng: np.random.Generator, *, holds: bool) -> Scalar:
    """Return a value with which a condition holds, or does not."""
    value = condition.value
    if isinstance(value, tuple):
        return value[int(rng.integers(len(value)))] if holds else "-"
    if condition.operator in ("ge", "le"):
        size = int(rng.integers(0, 4)) if holds else -int(rng.integers(1, max(2, int(value) + 1)))
        return int(value) + (size if condition.operator == "ge" else -size)
    same = (condition.operator == "eq") is holds
    return value if same else (not value if isinstance(value, bool) else f"{value}-")
