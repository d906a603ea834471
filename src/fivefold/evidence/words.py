"""Words of the verdict: summary, what blocks each level, what was not assessed, what such evidence cannot prove."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fivefold.catalogue.nouns import Aim, Catalogue, CheckEntry, Technique
    from fivefold.contract.outcome import Outcome
    from fivefold.contract.plan import Plan
    from fivefold.contract.verdict import AimVerdict, Blocker, ClaimVerdict

NOT_PROVED = (
    (
        "Whoever controls the data, the signing key and the machine can feed the checks invented data or sign invented "
        "findings. This evidence shows what a signer stands for, not that the signer is honest; an independent party "
        "that runs the checks again on data of its own would."
    ),
    (
        "Deleting the whole evidence folder, or rolling it back to an earlier state, shows only against a log root "
        "that somebody else kept: `fivefold verify --since ROOT`."
    ),
    (
        "The figures hold for the declared data and for these attacks. Other data, or an attacker who does more than "
        "the checks do, may find what they did not."
    ),
    "The manifest's statements about purpose, parties and use were read, not verified.",
)
"""What self-signed evidence does not prove."""


class _Waiver(Protocol):
    @property
    def claim(self) -> str: ...
    @property
    def until(self) -> str: ...
    @property
    def officers(self) -> tuple[str, str]: ...


def waiver(found: _Waiver) -> str:
    """Return one line about a waiver that counts."""
    return f"Claim {found.claim} is waived until {found.until} by {' and '.join(found.officers)}."


def gaps(row: Technique, token: str, missing: Sequence[str], members: int) -> str:
    """Return the sentence about checks that this version lacks."""
    names = ", ".join(missing)
    if len(missing) == members:
        return f"{token} ({row.title}) is not in this version yet: {names}."
    return f"{token} ({row.title}) is partial: {len(missing)} of its {members} checks are not in this version: {names}."


def aim(found: Aim, outcomes: Mapping[str, Outcome], entries: Sequence[CheckEntry], catalogue: Catalogue) -> str:
    """Return what was assessed of an aim, and what was not."""
    built = {entry.id for entry in entries if entry.state == "built"}
    seen = [f"{check}: {outcome.value}" for check, outcome in outcomes.items() if check in built]
    missing = [row for row in found.rows if catalogue.rows[row].state != "built"]
    parts = [f"Assessed: {', '.join(seen)}." if seen else "Nothing of it was assessed."]
    if missing:
        lacking = len(entries) - len(built)
        parts.append(f"It does not bind yet: {lacking} checks of {', '.join(missing)} are not in this version.")
    elif len(seen) < len(entries):
        parts.append("The plan leaves some of its checks out.")
    return " ".join(parts)


def blocks(claims: Sequence[ClaimVerdict], aims: Sequence[AimVerdict]) -> dict[str, str]:
    """Return, for each level with a blocked claim, one sentence; key ``0`` for aims that bind and are not held."""
    found: dict[str, str] = {}
    if open_aims := [one.aim for one in aims if one.binding and one.status != "held"]:
        found["0"] = f"Aims that bind at every level are not held: {', '.join(open_aims)}."
    for level in sorted({claim.level for claim in claims if claim.status == "blocked"}):
        parts = [
            f"claim {claim.claim} by {', '.join(dict.fromkeys(_short(blocker) for blocker in claim.blockers))}"
            for claim in claims
            if claim.level == level and claim.status == "blocked"
        ]
        found[str(level)] = f"Level {level} is blocked: {'; '.join(parts)}."
    return found


def summary(
    plan: Plan,
    attained: int,
    *,
    claims: Sequence[ClaimVerdict],
    aims: Sequence[AimVerdict],
    counts: Mapping[str, int],
    catalogue: Catalogue,
) -> str:
    """Return the sentences of the first screen."""
    declared = f"level {plan.level} ({catalogue.levels[plan.level - 1].title})"
    reached = f"level {attained} ({catalogue.levels[attained - 1].title})" if attained else "no level"
    head = (
        f"Attained as declared: {declared}." if attained >= plan.level else f"Declared {declared}, attained {reached}."
    )
    total = sum(counts.values())
    named = {"pass": "passed", "fail": "failed", "not-run": "not run", "not-applicable": "not applicable"}
    figures = ", ".join(f"{count} {named.get(outcome, outcome)}" for outcome, count in counts.items())
    statuses = [claim.status for claim in claims]
    parts = [head, f"Of {total} checks: {figures}.", _claims(statuses)]
    if failing := [one.aim for one in aims if one.status == "failed-not-binding"]:
        parts.append(f"Failed, not yet binding: {', '.join(failing)}.")
    if silent := [f"{one.aim} {one.title}" for one in aims if one.status == "not-assessed"]:
        parts.append(f"Aims not assessed: {'; '.join(silent)}.")
    return " ".join(parts)


def _claims(statuses: Sequence[str]) -> str:
    kinds = ("satisfied", "blocked", "not-applicable", "waived")
    return f"Of {len(statuses)} claims: " + ", ".join(f"{statuses.count(kind)} {kind}" for kind in kinds) + "."


def _short(blocker: Blocker) -> str:
    return f"{blocker.id} ({blocker.outcome})"
