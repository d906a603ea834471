"""Claims that a level binds: which apply, why, and what each needs here."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from fivefold.contract.plan import ClaimPlan
from fivefold.plan.facts import decide, explain
from fivefold.plan.sharing import derived_paths

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fivefold.catalogue.nouns import Catalogue, Claim
    from fivefold.manifest.nouns import Manifest
    from fivefold.plan.facts import Values


def claims(
    manifest: Manifest, catalogue: Catalogue, values: Values, *, complete: bool = False
) -> tuple[ClaimPlan, ...]:
    """Return the claims of the declared level and of all below, in order.

    Once all facts are ``complete``, a claim of which nobody can tell whether it applies does apply.
    """
    level = manifest.application.level
    found = (_claim(claim, manifest, catalogue, values) for claim in catalogue.claims if claim.level <= level)
    return tuple(
        msgspec.structs.replace(claim, applies=True) if complete and claim.applies is None else claim for claim in found
    )


def row_applies(catalogue: Catalogue, check: str, values: Values) -> tuple[bool | None, str]:
    """Return whether a check applies, and the predicate with the facts that it read; a check narrows its row."""
    entry = catalogue.checks[check]
    predicate = catalogue.rows[entry.technique].applies_when + entry.applies_when
    return decide(predicate, values), explain(predicate, values)


def _claim(claim: Claim, manifest: Manifest, catalogue: Catalogue, values: Values) -> ClaimPlan:
    needs = _path_needs(manifest, catalogue) if claim.by_path else claim.needs
    faults = tuple(_path_faults(manifest, catalogue, values)) if claim.by_path else ()
    applies, reason = _applies(claim, needs, catalogue, values)
    return ClaimPlan(
        claim=claim.id, level=claim.level, text=claim.text, reason=reason, applies=applies, needs=needs, faults=faults
    )


def _applies(
    claim: Claim, needs: tuple[tuple[str, ...], ...], catalogue: Catalogue, values: Values
) -> tuple[bool | None, str]:
    """A claim applies where its own predicate holds and at least one check that it needs applies."""
    own = decide(claim.applies_when, values)
    if own is not True:
        return own, f"It applies where {explain(claim.applies_when, values)}."
    members = [check.id for any_of in needs for token in any_of for check in catalogue.members(token)]
    answers = [row_applies(catalogue, check, values) for check in members]
    if members and not claim.by_path and all(applies is False for applies, _ in answers):
        return False, f"It applies where {answers[0][1]}."
    level = catalogue.levels[claim.level - 1]
    declared = values["application.level"]
    if declared == claim.level:
        return True, f"Level {claim.level} is declared; its objective is {level.objective}."
    return True, f"Level {declared} is declared and includes objective {claim.level}: {level.objective}."


def _path_needs(manifest: Manifest, catalogue: Catalogue) -> tuple[tuple[str, ...], ...]:
    protects = {path.what: path.technique for path in catalogue.paths}
    return tuple((row,) for row in dict.fromkeys(protects[path.what] for path in manifest.sharing))


def _path_faults(manifest: Manifest, catalogue: Catalogue, values: Values) -> Iterator[str]:
    for derived in derived_paths(manifest):
        if not derived.declared:
            yield f"The path {derived} follows from the manifest and is not declared under `sharing:`."
    protects = {path.what: path.technique for path in catalogue.paths}
    for path in manifest.sharing:
        row = catalogue.rows[protects[path.what]]
        name = f"{path.what} of {path.data}" + (f" to {path.to}" if path.to else "")
        if path.control and path.control != row.id:
            yield f"The path {name} names the control {path.control}; a path of this kind is protected by {row.id}."
        if decide(row.applies_when, values) is False:
            yield f"The path {name} is declared, but {row.id} does not apply: {explain(row.applies_when, values)}."
