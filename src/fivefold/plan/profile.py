"""Rules of a scenario's profile over what a manifest states: pure, three-valued, with what was read (row J6)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fivefold.catalogue import load
from fivefold.catalogue.profiles import NAMES, profile
from fivefold.contract import registry
from fivefold.plan.facts import decide, explain
from fivefold.plan.thresholds import settle

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fivefold.catalogue.nouns import Scalar
    from fivefold.catalogue.profiles import Demand, Profile, Rule
    from fivefold.manifest.nouns import Manifest


@dataclass(frozen=True)
class Ruling:
    """One rule or demand of a profile, held against a manifest.

    Attributes:
        id: Of the rule; for a demand the check and its key.
        holds: None: nobody knows yet.
        read: The rule and what was read, for a reader.
        because: Why the profile asks it.
        remedy: What to write.
    """

    id: str
    holds: bool | None
    read: str
    because: str
    remedy: str


def rulings(
    found: Profile, values: Mapping[str, Scalar | None], thresholds: Mapping[str, Mapping[str, float]]
) -> tuple[Ruling, ...]:
    """Hold every rule that applies against the facts, and every demand against the thresholds in force.

    Args:
        found: The scenario's profile.
        values: Fact name to what was read; None: unknown.
        thresholds: As :func:`in_force` gives them; a demand on a check that is not among them does not apply.
    """
    ruled = [_rule(rule, values) for rule in found.rules if decide(rule.when, values) is not False]
    ruled += [_demand(demand, thresholds[demand.check]) for demand in found.demands if demand.check in thresholds]
    return tuple(ruled)


def in_force(manifest: Manifest) -> dict[str, dict[str, float]]:
    """Return the thresholds in force (check id to floor key to value) that the profile of a manifest may demand.

    A check counts if a claim of the declared level or a lower one needs it, or an aim does. Empty without a profile.

    Raises:
        ProblemsError: ``plan.looser-than-floor``.
    """
    if manifest.application.scenario not in NAMES:
        return {}
    known, specs = load(), registry.checks()
    wanted = dict.fromkeys(demand.check for demand in profile(manifest.application.scenario).demands)
    bound = {entry.id for aim in known.aims for row in aim.rows for entry in known.rows[row].checks}
    for claim in known.claims:
        if claim.level <= manifest.application.level:
            bound |= {entry.id for any_of in claim.needs for token in any_of for entry in known.members(token)}
    return {
        check: settle(known.checks[check], specs[check], manifest)[0]
        for check in wanted
        if check in bound and check in specs
    }


def _rule(rule: Rule, values: Mapping[str, Scalar | None]) -> Ruling:
    holds = decide(rule.requires, values)
    if holds is False and decide(rule.when, values) is None:
        holds = None
    return Ruling(rule.id, holds, explain(rule.requires, values), rule.because, rule.remedy)


def _demand(demand: Demand, thresholds: Mapping[str, float]) -> Ruling:
    value = thresholds.get(demand.key)
    shown = "none" if value is None else f"{value:g}"
    side = "at least" if demand.direction == "min" else "at most"
    return Ruling(
        id=f"{demand.check}.{demand.key}",
        holds=value is not None and demand.met(value),
        read=f"{demand.check} {demand.key} {side} {demand.value:g} (in force: {shown})",
        because=demand.because,
        remedy=f"Write `{demand.key}: {demand.value:g}` under `checks: {demand.check}:`.",
    )
