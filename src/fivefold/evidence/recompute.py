"""Recompute: plan, seeds and verdict computed again from what is signed, and compared.

An owner may sign anything with the own key. What follows from the manifest, the facts and the catalogue cannot be
chosen, though: which checks bind, their thresholds, what is not applicable, the seeds, and the verdict over the
findings. Limit: the facts (rows, columns, what the model answers) and the findings themselves are the assessor's word.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from fivefold.catalogue import load
from fivefold.contract.codec import canonical
from fivefold.contract.plan import PLAN_VERSION
from fivefold.errors import FivefoldError
from fivefold.evidence import waivers
from fivefold.evidence.flaws import Flaw, flaw
from fivefold.evidence.judge import judge
from fivefold.evidence.layout import attempt_path
from fivefold.evidence.source import code
from fivefold.manifest.reader import parse
from fivefold.plan import make, seal
from fivefold.plan.seal import plan_digest

if TYPE_CHECKING:
    from fivefold.catalogue.nouns import Catalogue
    from fivefold.contract.plan import Facts, Plan
    from fivefold.contract.verdict import Verdict
    from fivefold.evidence.chain import AttemptRecord, Chain, VerdictRecord, WaiverRecord
    from fivefold.evidence.judge import ValidWaiver
    from fivefold.evidence.statements import VerdictStatement
    from fivefold.keys.trust import Trust
    from fivefold.manifest.nouns import Manifest

_WORDS = frozenset({"cost", "duties", "not_proved", "reason", "remedy", "summary", "text", "title"})
"""Fields that hold sentences: another version may say the same in other words."""

NO_EXTRA = "It needs the extra "
"""Start of the reason of a check that was not run because an extra was not installed."""


@dataclass
class Redone:
    """What was computed again: what agrees (in words), what does not, what could not be.

    ``verdicts`` holds, by path, each verdict as it follows by the verifier's own trust file: that one is shown.
    """

    agreed: list[str] = field(default_factory=list)
    problems: list[Flaw] = field(default_factory=list)
    doubts: list[Flaw] = field(default_factory=list)
    verdicts: dict[str, Verdict] = field(default_factory=dict)

    def problem(self, code: str, path: str, text: str) -> None:
        """Note something that does not follow from what is signed."""
        self.problems.append(Flaw(code=code, path=path, text=text))


def manifest_of(raw: bytes, facts: Facts, root: Path) -> Manifest:
    """Read a logged manifest with the columns that its plan's facts name; no file is looked at.

    Raises:
        ProblemsError: The manifest is malformed.
    """
    columns = {name: tuple(column.name for column in fact.columns) for name, fact in (facts.data or {}).items()}
    return parse(raw, root, columns)


def check(chain: Chain, trust: Trust, now: str) -> Redone:
    """Compute the plan and seeds of every attempt, and every verdict, again."""
    redone = Redone()
    catalogue = load()
    for number, record in sorted(chain.attempts.items()):
        if record.plan is None or record.manifest is None:
            continue
        path = attempt_path(number, "plan.json")
        if record.plan.catalogue != catalogue.digest:
            text = "made with another catalogue than this version's: plan and verdict could not be computed again."
            redone.doubts.append(Flaw(code="plan.other-catalogue", path=path, text=text))
            continue
        if record.plan.code != code():
            text = (
                "made by another version of Fivefold: thresholds, seeds and judgements are computed again and "
                "compared, its sentences are not."
            )
            redone.doubts.append(Flaw(code="plan.other-version", path=path, text=text))
        before = len(redone.problems)
        _plan(record.plan, record.manifest, catalogue, path, redone)
        _complete(record, number, redone)
        if len(redone.problems) == before:
            redone.agreed.append(f"plan and seeds of attempt {number}")
    for verdict in chain.verdicts:
        owner = chain.attempts.get(verdict.statement.verdict.attempt)
        if owner is not None and owner.plan is not None and owner.plan.catalogue == catalogue.digest:
            _verdict(verdict, owner.plan, chain, redone, trust=trust, now=now)
    return redone


def _plan(plan: Plan, raw: bytes, catalogue: Catalogue, path: str, redone: Redone) -> None:
    try:
        manifest = manifest_of(raw, plan.facts, Path("/"))
        wanted = _wanted(plan, manifest, catalogue)
    except FivefoldError as error:
        redone.problem("plan.recompute", path, f"it cannot follow from the logged manifest ({error.code}).")
        return
    for text in _differences(plan, wanted):
        redone.problem("plan.differs", path, text)
    if plan.digest != plan_digest(plan):
        redone.problem("plan.digest", path, "its digest is not its own.")
        return
    if plan.version > PLAN_VERSION and plan.code != code():
        text = "its form is a later one: how its seeds follow is not known to this version."
        redone.doubts.append(Flaw(code="plan.newer", path=path, text=text))
        return
    if plan.version != PLAN_VERSION and (plan.code == code() or plan.version < 1):
        redone.problem("plan.differs", path, f"this version of Fivefold makes no plan of version {plan.version}.")
    try:
        sealed = seal(msgspec.structs.replace(plan, attempt=0), plan.attempt)
    except FivefoldError as error:
        redone.problems.append(flaw(error, path))
        return
    for check_, expected in zip(plan.checks, sealed.checks, strict=True):
        if check_.seed != expected.seed:
            text = f"the seed of {check_.check} does not follow from plan, attempt and check."
            redone.problem("plan.seed", path, text)


def _wanted(plan: Plan, manifest: Manifest, catalogue: Catalogue) -> Plan:
    """Return the plan as it follows, on a machine that lacked the extras which the logged plan says were lacking.

    That an extra was not installed is the assessor's word; the check is then not run and satisfies nothing.
    """

    def made(*, installed: bool) -> Plan:
        return make(
            manifest,
            catalogue,
            plan.facts,
            effort=plan.effort,
            data_digests=plan.data,
            model_digest=plan.model,
            code=plan.code,
            installed=lambda _: installed,
        )

    whole = made(installed=True)
    lacking = {item.check for item in plan.checks if item.status == "not-run" and item.reason.startswith(NO_EXTRA)}
    if not lacking:
        return whole
    without = {item.check: item for item in made(installed=False).checks}
    checks = tuple(without[item.check] if item.check in lacking else item for item in whole.checks)
    return msgspec.structs.replace(whole, checks=checks)


def _differences(plan: Plan, wanted: Plan) -> list[str]:
    """Name what in a logged plan does not follow from manifest, facts and catalogue."""
    found = [
        f"{name} is not what follows from the logged manifest."
        for name in ("application", "level", "manifest", "duties")
        if getattr(plan, name) != getattr(wanted, name) and not (name in _WORDS and plan.code != code())
    ]
    for kind, key in (("claims", "claim"), ("checks", "check")):
        logged = {getattr(item, key): item for item in getattr(plan, kind)}
        expected = {getattr(item, key): item for item in getattr(wanted, kind)}
        twice = [
            name for name, times in Counter(getattr(item, key) for item in getattr(plan, kind)).items() if times > 1
        ]
        found += [f"{key} {name} stands there more than once." for name in sorted(twice)]
        found += [f"{key} {name} binds, but was dropped." for name in expected.keys() - logged.keys()]
        found += [f"{key} {name} does not belong there." for name in logged.keys() - expected.keys()]
        for name in sorted(logged.keys() & expected.keys()):
            if fields := _fields(logged[name], expected[name], words=plan.code == code()):
                found.append(f"{key} {name}: {', '.join(fields)} not as it follows from manifest and catalogue.")
        if not found and [*logged] != [*expected]:
            found.append(f"the {kind} do not stand in their order.")
    return found


def _fields(logged: msgspec.Struct, expected: msgspec.Struct, *, words: bool) -> list[str]:
    """Name the fields that differ; without ``words``, sentences are not compared."""
    left, right = msgspec.to_builtins(logged), msgspec.to_builtins(expected)
    if not words:
        left, right = _meaning(left), _meaning(right)
    names = dict.fromkeys((*left, *right)) if words else left  # a field that came later is in no older plan
    return [name for name in names if name != "seed" and canonical(left.get(name)) != canonical(right.get(name))]


def _meaning(value: Any) -> Any:
    """Return a plain value without its sentences."""
    if isinstance(value, dict):
        return {
            name: sorted(item) if name == "blocks" else _meaning(item)
            for name, item in value.items()
            if name not in _WORDS
        }
    return [_meaning(item) for item in value] if isinstance(value, list | tuple) else value


def _complete(record: AttemptRecord, number: int, redone: Redone) -> None:
    """A closed attempt has a finding for every check that its plan runs."""
    if record.plan is None or record.verdict is None:
        return
    missing = [item.check for item in record.plan.checks if item.status == "run" and item.check not in record.findings]
    for name in missing:
        path = attempt_path(number, f"statements/{name}.json")
        redone.problem("finding.missing", path, f"{name} was planned and has no finding, yet there is a verdict.")


def _verdict(record: VerdictRecord, plan: Plan, chain: Chain, redone: Redone, *, trust: Trust, now: str) -> None:
    """Judge once more: by the waivers that hold for this verifier, and, to compare, as if strangers' held too."""
    said, path = record.statement, record.path
    findings = tuple(item for _, item in sorted(chain.attempts[plan.attempt].findings.items()))
    named = [item for item in chain.waivers if item.digest in said.waivers and item.index < record.index]
    valid = waivers.counting(named, trust, said.now, now)
    lacking = set(said.waivers) - {name for item in valid for name in item.ids}
    supposed = _supposed(said, lacking, named, trust)
    if supposed:
        text = "it counts a waiver by officers whom the trust file does not name: without it, the level is as shown."
        redone.doubts.append(Flaw(code="verdict.unknown-officer", path=path, text=text))
    if lacking := lacking - {name for item in supposed for name in item.ids}:
        text = "it counts a waiver that does not hold: it takes two officers with two keys and two names, in force."
        redone.problem("verdict.waivers", path, text)
    try:
        redone.verdicts[path] = judge(plan, findings, valid, said.now, load())
        again = judge(plan, findings, (*valid, *supposed), said.now, load()) if supposed else redone.verdicts[path]
    except FivefoldError as error:
        redone.problem("verdict.recompute", path, f"it cannot follow from plan and findings ({error.code}).")
        return
    # The names of unknown officers are the writer's word: everything else is compared.
    spared = {"waivers"} if supposed else set()
    if fields := [name for name in _fields(said.verdict, again, words=plan.code == code()) if name not in spared]:
        redone.problem("verdict.differs", path, _said(said.verdict, again, fields))
    elif not lacking and not supposed:
        redone.agreed.append(f"verdict {path}")
    ended = sorted(item.claim for item in valid if waivers.ended(item.until, now))
    if ended and record is chain.verdicts[-1]:
        text = f"it counts a waiver that has ended since (claim {', '.join(ended)}): judge or assess again."
        redone.doubts.append(Flaw(code="verdict.waiver-ended", path=path, text=text))


def _supposed(
    said: VerdictStatement, lacking: set[str], named: list[WaiverRecord], trust: Trust
) -> tuple[ValidWaiver, ...]:
    """Return the waivers that a verdict counts, of which at least one half is by a key that the trust file lacks.

    Each needs two logged halves for this claim, by two keys in two roles, in force, one of them a stranger's.
    """
    logged = {item.digest: item for item in named}
    found = []
    for claim in said.verdict.claims:
        halves = [logged[name] for name in claim.by if name in logged and logged[name].waiver.claim == claim.claim]
        if claim.status != "waived" or len(halves) != 2 or not lacking.issuperset(claim.by):
            continue
        if any(trust.find(item.key) is None for item in halves) and waivers.in_force(halves, said.now):
            found.append(waivers.supposed(halves))
    return tuple(found)


def _said(logged: Verdict, again: Verdict, fields: list[str]) -> str:
    if logged.attained != again.attained:
        return f"it says that level {logged.attained} is attained; computed again it is {again.attained}."
    return f"computed again, it differs in: {', '.join(fields)}."
