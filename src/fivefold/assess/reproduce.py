"""Reproduce: run sealed checks again, with their seeds, on the same bytes, and compare what they found.

A finding depends on plan, attempt, data, model and code alone (DESIGN, rule 8), so the same of each must give the same
result, byte for byte. What cannot be the same (another version, other data) is said before anything runs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from msgspec import UNSET

from fivefold.assess import identity, operating, outcomes
from fivefold.assess.guarding import Guards
from fivefold.contract.codec import canonical
from fivefold.contract.registry import provided
from fivefold.errors import InputError, TrustError
from fivefold.manifest.digests import data_digests
from fivefold.subject.bench import Bench, Circumstances

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from fivefold.contract.finding import Finding, Result
    from fivefold.contract.plan import Facts, Plan
    from fivefold.manifest.nouns import Manifest


class Reproduction(msgspec.Struct, frozen=True, kw_only=True):
    """One check run again.

    Attributes:
        check: Check id.
        same: Every figure, judgement and sentence of the result is the same, byte for byte.
        sealed: Outcome that was sealed.
        again: Outcome now.
        differences: What differs, the first few; empty if nothing does.
    """

    check: str
    same: bool
    sealed: str
    again: str
    differences: tuple[str, ...] = ()


def reproduce(
    manifest: Manifest,
    plan: Plan,
    findings: Sequence[Finding],
    *,
    trust: bytes,
    started: str,
    evidence: Path | None = None,
    tell: Callable[[str, float, str], None] | None = None,
) -> tuple[Reproduction, ...]:
    """Run the checks of some findings again.

    Args:
        manifest: The application as it is now.
        plan: The sealed plan of the attempt.
        findings: Those of its findings that are to be reproduced; each must have been measured.
        trust: Bytes of the trust file that ``T2`` asks.
        started: UTC time at which the attempt was begun; trust decisions use it.
        evidence: The evidence folder, which no child may read.
        tell: Told check, share and words.

    Raises:
        InputError: ``reproduce.check`` for a check that was not run.
        TrustError: ``reproduce.changed`` if manifest, data, model or version are not those of the plan.
    """
    planned = {check.check: check for check in plan.checks if check.status == "run"}
    for finding in findings:
        if finding.check not in planned:
            raise InputError("reproduce.check", f"{finding.check} did not run in this attempt.", remedy="Name another.")
    with operating.operation(manifest, "reproduce") as operation:
        digests = data_digests(manifest)
        operation.digests |= digests | {"model": plan.model}
        with Bench(manifest, digests, evidence=evidence) as bench:
            _require_same(plan, manifest, digests, bench.snapshot.digest)
            if bench.elsewhere is not None:
                _require_observed(plan, bench.probe()[0])
            bench.prepare(finding.check for finding in findings)
            told = provided("operation.facts")(manifest, started) | provided("lineage.facts")(manifest, started)
            circumstances = Circumstances(trust=trust, now=started, row_key=b"", told=told)
            guards = Guards(bench, plan, circumstances)
            tasks = guards.tasks([planned[finding.check] for finding in findings])
            again: dict[str, Finding] = {}
            for ended in bench.worker.run(tasks, width=1, tell=tell or _silent):
                name = ended.task.job.check
                made = guards.taken(ended)
                if made is not None:
                    protections = bench.worker.hello.protections
                    again[name] = outcomes.finding(
                        planned[name], plan, made[0], mode="sealed", protections=protections, bare=made[1]
                    )
    return tuple(_compared(finding, again[finding.check]) for finding in findings)


def _silent(_check: str, _share: float, _text: str) -> None:
    return None


def _require_same(plan: Plan, manifest: Manifest, digests: dict[str, str], model: str) -> None:
    """Refuse to compare what cannot be the same."""
    parts = [
        ("the manifest", plan.manifest == manifest.digest),
        ("the data", plan.data == digests),
        ("the model", plan.model == model),
        ("this version of Fivefold", plan.code == identity.code()),
    ]
    changed = [name for name, same in parts if not same]
    if changed:
        raise TrustError(
            "reproduce.changed",
            f"{' and '.join(changed)} is not what was assessed, so the findings cannot come out the same.",
            remedy="Reproduce with the bytes and the version of the sealed plan, or assess anew.",
        )


def _require_observed(plan: Plan, facts: Facts) -> None:
    """Refuse an endpoint that is not what it was seen to be."""
    before, now = plan.facts.model, facts.model
    if before is None or now is None or now.error or before.observed != now.observed:
        raise TrustError(
            "reproduce.changed",
            "what answers at the endpoint is not what was assessed"
            + (f": {now.error}" if now is not None and now.error else " (its key, metadata or answers are others)."),
            remedy="Assess anew.",
        )


def _compared(finding: Finding, again: Finding) -> Reproduction:
    """Compare what counts and, where it was measured besides, what the bare model gave."""
    found = _differences(finding.result, again.result)
    same = canonical(finding.result) == canonical(again.result)
    if finding.bare is not UNSET and again.bare is not UNSET:
        same = same and canonical(finding.bare) == canonical(again.bare)
        found += [f"bare: {text}" for text in _differences(finding.bare, again.bare)]
    return Reproduction(
        check=finding.check,
        same=same,
        sealed=str(finding.result.outcome),
        again=str(again.result.outcome),
        differences=() if same else tuple(found)[:8],
    )


def _differences(sealed: Result, again: Result) -> list[str]:
    found = []
    if sealed.outcome != again.outcome:
        found.append(f"outcome: {sealed.outcome} was sealed, now {again.outcome}")
    before = {(measure.name, measure.where): measure for measure in sealed.measures}
    now = {(measure.name, measure.where): measure for measure in again.measures}
    for key in [*before, *(key for key in now if key not in before)]:
        old, new = before.get(key), now.get(key)
        if old != new:
            name = " ".join(part for part in key if part)
            found.append(f"{name}: {_figure(old)} was sealed, now {_figure(new)}")
    parts = ("reason", "canary", "plots", "limits", "remedy")
    return [*found, *(f"{part} differs" for part in parts if getattr(sealed, part) != getattr(again, part))]


def _figure(measure: object) -> str:
    value = getattr(measure, "value", None)
    if measure is None:
        return "nothing"
    return "no figure" if value is None else f"{value!r}"
