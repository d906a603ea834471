"""Making a plan: manifest x catalogue x facts -> every claim, check and duty that binds, each with its reason.

Pure: the same inputs give the same plan, byte for byte, so that whoever verifies evidence makes it again and compares.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from fivefold.contract import registry
from fivefold.contract.plan import CheckPlan, Facts, Plan
from fivefold.errors import InputError
from fivefold.plan import calls, guarding, thresholds
from fivefold.plan.claims import claims, row_applies
from fivefold.plan.facts import complete, decide, read
from fivefold.plan.needs import unmet
from fivefold.plan.seal import plan_digest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from fivefold.catalogue.nouns import Catalogue, CheckEntry
    from fivefold.contract.plan import ClaimPlan, Effort, Guarding
    from fivefold.contract.registry import CheckSpec
    from fivefold.manifest.nouns import Manifest
    from fivefold.plan.facts import Values

_EFFORTS: tuple[Effort, ...] = ("quick", "standard", "thorough")
_Status = Literal["run", "not-applicable", "not-run", "undecided"]


@dataclass(frozen=True)
class _Inputs:
    """What every check of a plan is decided from."""

    manifest: Manifest
    catalogue: Catalogue
    facts: Facts | None
    values: Values
    effort: Effort
    specs: Mapping[str, CheckSpec]
    installed: Callable[[str], bool]

    @property
    def complete(self) -> bool:
        """Whether everything was read that can be: what is still unknown stays so, and satisfies nothing."""
        return complete(self.manifest, self.facts)


def make(
    manifest: Manifest,
    catalogue: Catalogue,
    facts: Facts | None,
    *,
    data_digests: Mapping[str, str],
    model_digest: str,
    code: str,
    installed: Callable[[str], bool],
    effort: Effort = "standard",
    specs: Mapping[str, CheckSpec] | None = None,
) -> Plan:
    """Return the plan, not sealed yet: attempt 0, no seeds.

    Args:
        manifest: As read.
        catalogue: As loaded.
        facts: What was read from data and model; None or absent parts: not read yet, what hangs on them is undecided.
        data_digests: Data-set name to SHA-256 of its stored bytes.
        model_digest: Digest of the model's signed set; empty if there is none.
        code: Digest of Fivefold's source.
        installed: Whether the extra of that name can be imported.
        effort: How much is measured.
        specs: Check id to description; the registry's unless a test hands in others.

    Raises:
        InputError: ``plan.level`` for a level outside 1 to 5; ``plan.stale-facts`` if the facts were read from other
            bytes than those of the digests.
        ProblemsError: ``plan.looser-than-floor``.
    """
    if manifest.application.level not in range(1, 6):
        raise InputError("plan.level", f"level {manifest.application.level} is not 1 to 5.", remedy="Declare 1 to 5.")
    _refuse_stale(facts, data_digests, model_digest)
    found = registry.checks() if specs is None else specs
    values = read(manifest, facts)
    inputs = _Inputs(manifest, catalogue, facts, values, effort, found, installed)
    bound = claims(manifest, catalogue, values, complete=inputs.complete)
    plan = Plan(
        application=manifest.application.id,
        level=manifest.application.level,
        effort=effort,
        claims=bound,
        checks=_budgeted(inputs, tuple(_checks(inputs, bound))),
        duties=tuple(_duties(catalogue, values, manifest.application.level)),
        facts=facts or Facts(),
        manifest=manifest.digest,
        model=model_digest,
        data=dict(sorted(data_digests.items())),
        catalogue=catalogue.digest,
        code=code,
    )
    return msgspec.structs.replace(plan, digest=plan_digest(plan))


def _budgeted(inputs: _Inputs, checks: tuple[CheckPlan, ...]) -> tuple[CheckPlan, ...]:
    """Say what each check may spend of a budget of calls."""
    model = inputs.facts.model if inputs.facts else None
    needs = {name: spec.needs for name, spec in inputs.specs.items()}
    return calls.stated(checks, needs, model.calls if model else 0)


def _refuse_stale(facts: Facts | None, data_digests: Mapping[str, str], model_digest: str) -> None:
    if facts is None:
        return
    stale = [name for name, fact in (facts.data or {}).items() if fact.digest != data_digests.get(name)]
    if facts.model and facts.model.digest and facts.model.digest != model_digest:
        stale.append("model")
    if stale:
        raise InputError(
            "plan.stale-facts",
            f"the facts of {', '.join(stale)} were read from other bytes than those on disk.",
            remedy="Read them again: `fivefold plan --probe`.",
        )


def _checks(inputs: _Inputs, bound: tuple[ClaimPlan, ...]) -> Iterator[CheckPlan]:
    """Every check of every row that a claim needs, built or not; the built ones of aims' rows, functions and scenes.

    Besides, the built ones of techniques that no claim and no aim names, from the level on that their section serves.
    """
    by_claim: dict[str, list[str]] = {}
    for claim in bound:
        for token in dict.fromkeys(token for any_of in claim.needs for token in any_of):
            for entry in inputs.catalogue.members(token):
                names = by_claim.setdefault(entry.id, [])
                names += [claim.claim] if claim.claim not in names else []
    by_aim: dict[str, list[str]] = {}
    for aim in inputs.catalogue.aims:
        for entry in (entry for row in aim.rows for entry in inputs.catalogue.rows[row].checks):
            if entry.state == "built" or entry.id in by_claim:
                by_aim.setdefault(entry.id, []).append(aim.id)
    always = {
        entry.id
        for row in inputs.catalogue.techniques
        for entry in row.checks
        if row.kind in ("function", "scene") and entry.state == "built"
    }
    always |= unnamed(inputs.catalogue, inputs.manifest.application.level)
    for check in sorted(by_claim.keys() | by_aim.keys() | always):
        yield _check(inputs, inputs.catalogue.checks[check], by_claim.get(check, []), by_aim.get(check, []))


def unnamed(catalogue: Catalogue, level: int) -> set[str]:
    """Return the built checks of techniques that no claim and no aim names."""
    named = {row for aim in catalogue.aims for row in aim.rows}
    first: dict[str, int] = {}
    for claim in catalogue.claims:
        for entry in (entry for any_of in claim.needs for token in any_of for entry in catalogue.members(token)):
            named.add(entry.technique)
            section = catalogue.rows[entry.technique].section
            first[section] = min(claim.level, first.get(section, claim.level))
    return {
        entry.id
        for row in catalogue.techniques
        for entry in row.checks
        if row.kind == "technique" and row.id not in named and entry.state == "built"
        and level >= first.get(row.section, 1)
    }  # fmt: skip


def _check(inputs: _Inputs, entry: CheckEntry, claim_ids: list[str], aim_ids: list[str]) -> CheckPlan:
    spec = inputs.specs.get(entry.id)
    status, reason = _status(inputs, entry, spec)
    floors: dict[str, float] = {}
    options: dict[str, Any] = {}
    if spec is not None:
        floors, options = thresholds.settle(entry, spec, inputs.manifest)
    behind = guarding.behind(spec, inputs.manifest, inputs.facts) if status == "run" else msgspec.UNSET
    binding_aims = {aim.id for aim in inputs.catalogue.aims if inputs.catalogue.binds(aim)}
    return CheckPlan(
        check=entry.id,
        technique=entry.technique,
        title=spec.question if spec else entry.asks,
        status=status,
        reason=f"{reason} {_twice(inputs, spec, behind)}".strip() if status == "run" else reason,
        claims=tuple(claim_ids),
        aims=tuple(aim_ids),
        binding=bool(claim_ids) or not binding_aims.isdisjoint(aim_ids),
        thresholds=floors,
        options=options,
        rows=spec.rows[_EFFORTS.index(inputs.effort)] if spec else 0,
        cost=_cost(spec, behind),
        guarded=behind,
    )


def _twice(inputs: _Inputs, spec: CheckSpec | None, behind: Guarding | msgspec.UnsetType) -> str:
    if behind is msgspec.UNSET:
        return guarding.apart(spec, inputs.manifest, inputs.facts)
    return "It is measured bare and behind the guard, and the latter counts."


def _cost(spec: CheckSpec | None, behind: Guarding | msgspec.UnsetType) -> str:
    if spec is None:
        return ""
    return spec.cost if behind is msgspec.UNSET else f"{spec.cost} Twice: bare, and behind the guard."


def _status(inputs: _Inputs, entry: CheckEntry, spec: CheckSpec | None) -> tuple[_Status, str]:
    applies, predicate = row_applies(inputs.catalogue, entry.id, inputs.values)
    needs = spec.needs if spec else ()
    met, lacking = unmet(needs, inputs.manifest, inputs.facts)
    answers: tuple[tuple[bool, _Status, str], ...] = (
        (applies is False, "not-applicable", f"It applies where {predicate}."),
        (bool(missing := _missing(inputs, entry, spec)), "not-run", missing),
        (met == "no", "not-run", f"It needs {', '.join(needs)}, but {lacking}."),
        (applies is None and inputs.complete, "not-run", f"Nobody can tell whether it applies: {predicate}."),
        (applies is None, "undecided", f"It applies where {predicate}; that is read in the worker."),
        (met == "unknown", "undecided", f"It waits: {lacking}; that happens in the worker."),
    )
    found = next(((status, reason) for holds, status, reason in answers if holds), None)
    return found or (
        "run",
        f"It needs {', '.join(needs)}; all are there." if needs else "It needs nothing but the manifest.",
    )


def _missing(inputs: _Inputs, entry: CheckEntry, spec: CheckSpec | None) -> str:
    """Return why this installation cannot run the check; empty if it can."""
    if entry.state == "gap":
        stage = next(stage.title for stage in inputs.catalogue.stages if stage.id == entry.coming)
        return f"This version does not have it yet. It comes with: {stage}."
    if spec is None:
        return "The pack that holds it did not load."
    if not inputs.installed(spec.extra):
        return f"It needs the extra `{spec.extra}`: pip install 'fivefold[{spec.extra}]'."
    return ""


def _duties(catalogue: Catalogue, values: Values, level: int) -> Iterator[str]:
    for row in catalogue.techniques:
        for duty in row.duties:
            if level >= duty.level and decide(duty.when, values) is not False:
                yield f"{row.id}: {duty.text}"
