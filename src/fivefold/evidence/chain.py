"""Chain: the signed statements of an evidence folder, opened and held against each other.

Rules, for every file that is exactly the one in the log:

1. Its signature holds for a key that the folder carries or the trust file names.
2. That key may sign in the role which this kind of file needs, at the claimed time.
3. It says the same as its place: application, attempt, check, plan digest, subjects.
4. A plan stands before everything else of its attempt, the verdict after every finding, the report last.
5. All statements of one attempt carry the same key.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, TypeVar

from msgspec import UNSET

from fivefold.contract.codec import digest
from fivefold.contract.finding import FINDING_VERSION
from fivefold.errors import FivefoldError, TrustError, UnknownSignerError
from fivefold.evidence import envelope, layout, signed_set, source, statements
from fivefold.evidence.consistency import contradictions, departures
from fivefold.evidence.flaws import Flaw, Signature, flaw
from fivefold.evidence.layout import REPORT_SUBJECT, attempt_path
from fivefold.evidence.statements import FindingStatement, PlanStatement, VerdictStatement, WaiverStatement
from fivefold.keys import trust as trust_file
from fivefold.log import checkpoint

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fivefold.contract.finding import Finding
    from fivefold.contract.plan import Plan
    from fivefold.contract.verdict import Waiver
    from fivefold.evidence.ledger import Ledger
    from fivefold.keys.signing import PublicKey

T = TypeVar("T")

JUDGED = timedelta(hours=1)
"""How long before its signature a re-judgement may have been made."""


@dataclass
class AttemptRecord:
    """What the folder holds of one attempt."""

    plan: Plan | None = None
    started: str = ""
    key: str = ""
    manifest: bytes | None = None
    model_files: dict[str, str] = field(default_factory=dict)
    findings: dict[str, Finding] = field(default_factory=dict)
    verdict: VerdictStatement | None = None
    order: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class WaiverRecord:
    """One officer's waiver: its file's digest, its key, and its place in the log."""

    digest: str
    key: str
    waiver: Waiver
    index: int


@dataclass(frozen=True)
class VerdictRecord:
    """A verdict or a re-judgement, and its place in the log."""

    path: str
    statement: VerdictStatement
    index: int


@dataclass
class Chain:
    """Everything that was opened, and what does not hold."""

    attempts: dict[int, AttemptRecord] = field(default_factory=dict)
    waivers: list[WaiverRecord] = field(default_factory=list)
    verdicts: list[VerdictRecord] = field(default_factory=list)
    signatures: list[Signature] = field(default_factory=list)
    problems: list[Flaw] = field(default_factory=list)
    unknown: list[Flaw] = field(default_factory=list)


def read(ledger: Ledger, keys: Mapping[str, PublicKey], trust: trust_file.Trust, now: str) -> Chain:
    """Open every statement of a folder.

    Args:
        ledger: The log, already held against the files.
        keys: Keys that the folder carries or the trust file names, by id.
        trust: The verifier's.
        now: UTC time.
    """
    reader = _Reader(ledger, dict(keys), trust, now)
    for index, entry in enumerate(ledger.entries):
        if entry.path in ledger.sound:
            reader.file(index, entry.path, ledger.sound[entry.path])
        elif (place := layout.place(entry.path)) and place.attempt:
            reader.chain.attempts.setdefault(place.attempt, AttemptRecord()).order.append(place.kind)
    reader.checkpoint()
    for number, record in sorted(reader.chain.attempts.items()):
        reader.order(number, record)
    return reader.chain


class _Reader:
    """Opens one file after the other and keeps the account."""

    def __init__(self, ledger: Ledger, keys: dict[str, PublicKey], trust: trust_file.Trust, now: str) -> None:
        self.chain = Chain()
        self._ledger = ledger
        self._keys = keys
        self._trust = trust
        self._now = now
        self._application = _application_of(ledger)
        self._latest = ""

    def file(self, index: int, path: str, data: bytes) -> None:
        place = layout.place(path)
        if place is None:
            return
        record = self.chain.attempts.setdefault(place.attempt, AttemptRecord()) if place.attempt else AttemptRecord()
        record.order.append(place.kind)
        try:
            if place.kind == "key":
                self._key(path, place.id)
            elif place.kind == "plan":
                self._plan(path, data, place.attempt, record)
            elif place.kind == "manifest":
                record.manifest = data
            elif place.kind == "finding":
                self._finding(path, data, place.id, record)
            elif place.kind == "waiver":
                self._waiver(path, data, index)
            elif place.kind == "report":
                self._report(path, data, place.attempt)
            else:
                self._verdict(path, data, index, record if place.attempt else None)
        except FivefoldError as error:
            self.chain.problems.append(flaw(error, path))

    def checkpoint(self) -> None:
        """Say who signed the log; a note carries no time, so the newest statement's time stands for it."""
        signer = self._ledger.signer
        if signer is None:
            return
        roles = entry.roles if (entry := self._trust.find(signer.id)) else ()
        role: trust_file.Role = "log" if "log" in roles else "assessor"
        self._sign(layout.CHECKPOINT, "checkpoint", signer.id, role, self._latest or self._now)

    def order(self, number: int, record: AttemptRecord) -> None:
        folder = attempt_path(number, "")
        if "plan" not in record.order:
            self._problem("evidence.no-plan", folder, "an attempt without a plan: it was removed, or never signed.")
            return
        kinds = record.order
        late = kinds[kinds.index("verdict") + 1 :] if "verdict" in kinds else []
        if kinds[0] != "plan" or [kind for kind in late if kind != "report"] or len(late) > 1:
            text = "the files of this attempt do not stand in the order plan, findings, verdict, report."
            self._problem("evidence.order", folder, text)
        if record.plan is not None and record.manifest is not None and digest(record.manifest) != record.plan.manifest:
            text = "this is not the manifest that was planned."
            self._problem("evidence.manifest", attempt_path(number, "manifest.yaml"), text)
        elif "manifest" not in kinds:
            self._problem("evidence.missing", attempt_path(number, "manifest.yaml"), "the manifest is missing.")

    def _key(self, path: str, key_id: str) -> None:
        if key_id not in self._keys:
            self._problem("evidence.key", path, "this public key is not the one of its name.")

    def _plan(self, path: str, data: bytes, number: int, record: AttemptRecord) -> None:
        opened, said = self._open(path, data, statements.PLAN_TYPE, PlanStatement)
        plan = said.plan
        self._sign(path, "plan", opened.key, "assessor", said.signed)
        self._application = self._application or plan.application
        if (plan.application, plan.attempt) != (self._application, number):
            self._problem("plan.place", path, f"this is the plan of {plan.application}, attempt {plan.attempt}.")
            return
        files = statements.model_files(opened.subjects)
        named = statements.plan_subjects(plan) | statements.model_subjects(files)
        if opened.subjects != named or (files and signed_set.digest(files) != plan.model):
            self._problem("plan.subjects", path, "the statement's subjects are not those of the plan.")
            files = {}
        record.model_files = files
        record.plan, record.started, record.key = plan, said.signed, opened.key

    def _finding(self, path: str, data: bytes, check: str, record: AttemptRecord) -> None:
        opened, said = self._open(path, data, statements.FINDING_TYPE, FindingStatement)
        self._sign(path, "finding", opened.key, "assessor", said.signed)
        if record.plan is None:
            return
        self._same_key(path, opened, record)
        wrong = _finding_faults(said.finding, check, record.plan)
        if opened.subjects != statements.plan_subjects(record.plan):
            wrong.append("subjects")
        odd = contradictions(said.finding.result)
        if record.plan.code == source.code() and not wrong:
            odd += departures(said.finding, record.plan)
        if odd:
            self._problem("finding.contradiction", path, f"this finding contradicts itself: {'; '.join(odd[:3])}.")
        if wrong:
            self._problem("finding.plan", path, f"this finding does not follow its plan: {', '.join(wrong)}.")
        record.findings[check] = said.finding

    def _verdict(self, path: str, data: bytes, index: int, record: AttemptRecord | None) -> None:
        opened, said = self._open(path, data, statements.VERDICT_TYPE, VerdictStatement)
        self._sign(path, "verdict", opened.key, "assessor", said.signed)
        judged, signed = trust_file.moment(said.now), trust_file.moment(said.signed)
        target = record or self.chain.attempts.get(said.verdict.attempt, AttemptRecord())
        if target.plan is None:
            if record is None:
                self._problem("verdict.plan", path, "this verdict is about an attempt that is not here.")
            return
        plan = target.plan
        if (said.verdict.application, said.verdict.attempt, said.verdict.plan) != (
            plan.application,
            plan.attempt,
            plan.digest,
        ):
            self._problem("verdict.plan", path, "this verdict is about another plan.")
            return
        earliest = trust_file.moment(target.started) if record is not None else signed - JUDGED
        if not earliest <= judged <= signed + trust_file.SKEW:
            text = "it was judged for a time that is neither the attempt's nor that of its signature."
            self._problem("verdict.time", path, text)
        named = {name: value for name, value in opened.subjects.items() if name != REPORT_SUBJECT}
        if named != statements.plan_subjects(plan):
            self._problem("verdict.subjects", path, "the statement's subjects are not those of the plan.")
        if record is not None:
            self._same_key(path, opened, record)
            record.verdict = said
            if (REPORT_SUBJECT in opened.subjects) != self._logged(attempt_path(plan.attempt, REPORT_SUBJECT)):
                text = "the verdict names a report that is not there, or the report is not named by it."
                self._problem("evidence.report", path, text)
        if set(said.waivers) != {
            name for claim in said.verdict.claims if claim.status == "waived" for name in claim.by
        }:
            self._problem("verdict.waivers", path, "the waivers that it names are not those that it counts.")
        self.chain.verdicts.append(VerdictRecord(path, said, index))

    def _report(self, path: str, data: bytes, number: int) -> None:
        verdict = self._ledger.sound.get(attempt_path(number, "verdict.json"))
        if verdict is None:
            return
        opened = envelope.unseal(verdict, self._keys, where=attempt_path(number, "verdict.json"))
        if opened.subjects.get(REPORT_SUBJECT) != digest(data):
            self._problem("evidence.report", path, "this is not the report that the verdict names.")

    def _waiver(self, path: str, data: bytes, index: int) -> None:
        opened, said = self._open(path, data, statements.WAIVER_TYPE, WaiverStatement)
        waiver = said.waiver
        self._sign(path, "waiver", opened.key, waiver.role, waiver.issued)
        if waiver.application != self._application or opened.subjects != statements.application_subject(
            waiver.application
        ):
            self._problem("waiver.place", path, "this waiver is for another application.")
            return
        self.chain.waivers.append(WaiverRecord(digest(data), opened.key, waiver, index))

    def _open(self, path: str, data: bytes, predicate_type: str, kind: type[T]) -> tuple[envelope.Opened, T]:
        opened = envelope.unseal(data, self._keys, where=path)
        return opened, statements.read(opened, predicate_type, kind, where=path)

    def _sign(self, path: str, kind: str, key: str, role: trust_file.Role, signed: str) -> None:
        entry = self._trust.find(key)
        name, standing = (entry.name if entry else ""), "trusted"
        try:
            trust_file.standing(self._trust, key, role, signed, self._now)
        except UnknownSignerError as error:
            standing = "unknown"
            self.chain.unknown.append(flaw(error, path))
        except (TrustError, FivefoldError) as error:
            standing = "refused"
            self.chain.problems.append(flaw(error, path))
        self._latest = max(self._latest, signed)
        self.chain.signatures.append(
            Signature(path=path, kind=kind, key=key, name=name, role=role, signed=signed, standing=standing)  # type: ignore[arg-type]
        )

    def _same_key(self, path: str, opened: envelope.Opened, record: AttemptRecord) -> None:
        if opened.key != record.key:
            self._problem("evidence.mixed-keys", path, "this statement and its plan are signed by different keys.")

    def _logged(self, path: str) -> bool:
        return any(entry.path == path for entry in self._ledger.entries)

    def _problem(self, code: str, path: str, text: str) -> None:
        self.chain.problems.append(Flaw(code=code, path=path, text=text))


def _finding_faults(finding: Finding, check: str, plan: Plan) -> list[str]:
    """Name the fields in which a finding departs from its plan."""
    planned = next((item for item in plan.checks if item.check == check and item.status == "run"), None)
    if planned is None or finding.check != check:
        return ["the plan runs no such check"]
    expected = {
        "technique": (finding.technique, planned.technique),
        "attempt": (finding.attempt, plan.attempt),
        "seed": (finding.seed, planned.seed),
        "effort": (finding.effort, plan.effort),
        "mode": (finding.mode, "sealed"),
        "manifest": (finding.digests.manifest, plan.manifest),
        "model": (finding.digests.model, plan.model),
        "data": (plan.data | finding.digests.data, plan.data),
        "plan": (finding.digests.plan, plan.digest),
        "code": (finding.digests.code, plan.code),
        "guarded": (finding.bare is UNSET, planned.guarded is UNSET),
    }
    if plan.code == source.code():
        expected["version"] = (finding.version, FINDING_VERSION)
    return [name for name, (found, wanted) in expected.items() if found != wanted]


def _application_of(ledger: Ledger) -> str:
    """Return the application id that the checkpoint names; from the first plan if there is no checkpoint."""
    from urllib.parse import unquote

    if ledger.checkpoint is None:
        return ""
    prefix = checkpoint.origin_of("")
    origin = ledger.checkpoint.origin
    return unquote(origin.removeprefix(prefix)) if origin.startswith(prefix) else ""
