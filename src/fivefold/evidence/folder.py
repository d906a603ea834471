"""Evidence folder: attempts, findings, verdicts and waivers, sealed as they come.

The plan is signed and logged before anything runs, so an attempt that was abandoned stays visible. A finding that
:meth:`Attempt.add` returned from survives a kill; the same plan takes its unfinished attempt up again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from fivefold.contract.codec import digest
from fivefold.errors import FivefoldError, InputError
from fivefold.evidence import counter, envelope, layout, repair, signed_set, statements, waivers
from fivefold.evidence.journal import Journal
from fivefold.evidence.layout import attempt_path, finding_path, key_path
from fivefold.evidence.statements import FindingStatement, PlanStatement, VerdictStatement
from fivefold.keys import store
from fivefold.keys import trust as trust_file
from fivefold.keys.signing import load_public
from fivefold.log import checkpoint

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from fivefold.contract.finding import Finding
    from fivefold.contract.plan import Plan
    from fivefold.contract.verdict import Verdict, Waiver
    from fivefold.evidence.judge import ValidWaiver
    from fivefold.keys.signing import PublicKey, Signer


T = TypeVar("T")


class Evidence:
    """An application's evidence folder, opened by somebody who may append to it.

    Attributes:
        path: The folder; made with the first attempt.
        application: Application id.
        repaired: What was repaired on opening, in words.
    """

    def __init__(self, path: Path, signer: Signer, application: str, clock: Callable[[], str] = store.utc_now) -> None:
        """Open a folder, which may not exist yet, and repair what an interrupted run left.

        Raises:
            InputError: ``evidence.not-evidence`` if the folder holds something else; ``evidence.unwritable``.
            TrustError: ``evidence.other-application``, ``evidence.truncated``, ``evidence.rewritten``,
                ``evidence.malformed-log``, ``evidence.not-mine``: the log is not as we left it, or as somebody
                left it whom the user's trust file names in the role ``log``.
        """
        self.path = path
        self.application = application
        self.repaired: tuple[str, ...] = ()
        self._signer = signer
        self._clock = clock
        self._journal = Journal(path, checkpoint.origin_of(application), signer, _closers())
        if path.is_symlink() or (path.exists() and not path.is_dir()):
            raise InputError("evidence.not-evidence", f"{path} is not a folder.", remedy="Name another folder.")
        if path.is_dir():
            others = sorted(item.name for item in path.iterdir() if item.name not in layout.FOLDERS)
            if others and not (path / layout.ENTRIES).exists():
                message = f"{path} holds other things ({others[0]})."
                raise InputError("evidence.not-evidence", message, remedy="Name an empty or a new folder.")
            with counter.exclusive(application):
                self.repaired = self._journal.settle(self._vouch)

    def attempts(self) -> tuple[int, ...]:
        """Return the numbers of the attempts in the folder, in order.

        Raises:
            TrustError: The log is not as we left it.
        """
        return tuple(sorted(place.attempt for place in self._places() if place.kind == "plan"))

    def next_attempt(self) -> int:
        """Return the number of the next attempt: one above all seen in the folder and on this machine."""
        return max((counter.attempts(self.application), *self.attempts()), default=0) + 1

    def open_attempt(self, plan: Plan, manifest_bytes: bytes, model_files: Mapping[str, str] | None = None) -> Attempt:
        """Sign and log a sealed plan, and the manifest beside it.

        Args:
            plan: Sealed for :meth:`next_attempt`.
            manifest_bytes: The very bytes that were planned.
            model_files: The model's signed set, name to SHA-256 (:func:`fivefold.evidence.signed_set.digests`), so that
                ``verify`` can name a changed file; None: only the digest over all of them is kept.

        Raises:
            InputError: ``evidence.attempt`` if the plan is not sealed for the next attempt, or does not belong to this
                application and manifest; ``evidence.unwritable``.
        """
        fits = plan.application == self.application and plan.manifest == digest(manifest_bytes) and plan.digest
        if model_files and signed_set.digest(model_files) != plan.model:
            raise InputError("evidence.attempt", "the model's files are not those of the plan.")
        if not fits or any(check.status == "undecided" for check in plan.checks):
            message = "the plan is not a sealed plan of this application and manifest."
            raise InputError("evidence.attempt", message)
        with counter.exclusive(self.application):
            if plan.attempt != self.next_attempt():
                message = f"the plan is sealed for attempt {plan.attempt}, the next one is {self.next_attempt()}."
                raise InputError("evidence.attempt", message, remedy="Run again; another run may have begun meanwhile.")
            started = self._clock()
            self._append(
                {
                    attempt_path(plan.attempt, "plan.json"): statements.seal_plan(
                        plan, started, self._signer, model_files or {}
                    ),
                    attempt_path(plan.attempt, "manifest.yaml"): manifest_bytes,
                }
            )
            counter.record(self.application, plan.attempt)
        return Attempt(self, plan, started)

    def unfinished(self, plan_digest: str) -> Attempt | None:
        """Return the newest attempt if it has this plan, was begun with this key and has no verdict yet.

        Raises:
            TrustError: One of its files is not as we left it.
        """
        numbers = self.attempts()
        if not numbers or any(place.kind == "verdict" and place.attempt == numbers[-1] for place in self._places()):
            return None
        opened, statement = self._plan(numbers[-1])
        if opened.key != self._signer.public.id or statement.plan.digest != plan_digest:
            return None
        return Attempt(self, statement.plan, statement.signed)

    def latest(self) -> Plan | None:
        """Return the plan of the newest attempt that has a verdict; None if there is none."""
        closed = [place.attempt for place in self._places() if place.kind == "verdict"]
        return self._plan(max(closed))[1].plan if closed else None

    def findings(self, attempt: int) -> dict[str, Finding]:
        """Return the findings of an attempt by check id.

        Raises:
            TrustError: One of them is not as it was logged.
        """
        found = {}
        for place in self._places():
            if place.kind == "finding" and place.attempt == attempt:
                path = finding_path(attempt, place.id)
                _, statement = self._open(path, statements.FINDING_TYPE, FindingStatement)
                found[place.id] = statement.finding
        return dict(sorted(found.items()))

    def verdict(self, attempt: int) -> Verdict | None:
        """Return the newest verdict of an attempt, re-judgements included; None while it is unfinished.

        Raises:
            TrustError: It is not as it was logged.
        """
        newest = None
        for entry in self._journal.entries():
            if entry.kind in ("verdict", "rejudgement"):
                _, statement = self._open(entry.path, statements.VERDICT_TYPE, VerdictStatement)
                newest = statement.verdict if statement.verdict.attempt == attempt else newest
        return newest

    def waivers(self) -> dict[str, bytes]:
        """Return the logged waiver files, path to bytes, in the order of the log."""
        logged = [entry.path for entry in self._journal.entries() if entry.kind == "waiver"]
        return {path: self._journal.read(path) for path in logged}

    def keys(self) -> dict[str, PublicKey]:
        """Return the public keys that the evidence carries, by id; carrying a key is not trusting it."""
        return self._journal.keys()

    def add_waiver(self, waiver: Waiver, officer: Signer) -> str:
        """Sign one officer's waiver and log it; return its path.

        Raises:
            InputError: ``evidence.attempt`` if it is for another application; ``evidence.unwritable``.
        """
        if waiver.application != self.application:
            raise InputError("evidence.attempt", f"the waiver is for {waiver.application}, not {self.application}.")
        data = statements.seal_waiver(waiver, officer)
        path = f"waivers/{waiver.claim}-{digest(data)[:16]}.json"
        with counter.exclusive(self.application):
            # The name holds the digest: what is there already is this very waiver.
            if path not in {entry.path for entry in self._journal.entries()}:
                self._append({path: data}, officer.public)
        return path

    def exemptions(self, trust: trust_file.Trust, now: str) -> tuple[ValidWaiver, ...]:
        """Return the logged waivers that count at ``now`` for the holder of a trust file; hand them to the judge.

        Raises:
            TrustError: A waiver is not as it was logged.
        """
        return waivers.counting(waivers.opened(self.waivers(), self.keys()), trust, now, now)

    def add_verdict(self, plan: Plan, verdict: Verdict, now: str) -> str:
        """Log a re-judgement of a closed attempt, after a waiver; return its path."""
        statement = VerdictStatement(verdict=verdict, now=now, signed=self._clock(), waivers=waivers.counted(verdict))
        with counter.exclusive(self.application):
            number = 1 + sum(place.kind == "rejudgement" for place in self._places())
            path = f"verdicts/{number:04d}.json"
            self._append({path: statements.seal_verdict(plan, statement, None, self._signer)})
        return path

    def put_finding(self, plan: Plan, finding: Finding) -> None:
        """Sign and log a finding; :meth:`Attempt.add` checks that it belongs to the plan."""
        data = statements.seal_finding(plan, finding, self._clock(), self._signer)
        with counter.exclusive(self.application):
            self._append({finding_path(plan.attempt, finding.check): data})

    def put_verdict(self, plan: Plan, verdict: Verdict, report: bytes | None, now: str) -> None:
        """Sign and log a verdict and its report; :meth:`Attempt.close` checks that it belongs to the plan."""
        statement = VerdictStatement(verdict=verdict, now=now, signed=self._clock(), waivers=waivers.counted(verdict))
        data = statements.seal_verdict(plan, statement, report, self._signer)
        files = {attempt_path(plan.attempt, "verdict.json"): data}
        if report is not None:
            files[attempt_path(plan.attempt, layout.REPORT_SUBJECT)] = report
        with counter.exclusive(self.application):
            self._append(files)

    def root(self) -> bytes:
        """Return the checkpoint as it stands: keep it elsewhere, and ``verify --since`` proves nothing was dropped."""
        return (self.path / layout.CHECKPOINT).read_bytes()

    def _places(self) -> list[layout.Place]:
        return [place for entry in self._journal.entries() if (place := layout.place(entry.path))]

    def _plan(self, attempt: int) -> tuple[envelope.Opened, PlanStatement]:
        return self._open(attempt_path(attempt, "plan.json"), statements.PLAN_TYPE, PlanStatement)

    def _open(self, path: str, predicate_type: str, kind: type[T]) -> tuple[envelope.Opened, T]:
        opened = envelope.unseal(self._journal.read(path), self.keys(), where=path)
        return opened, statements.read(opened, predicate_type, kind, where=path)

    def _append(self, files: Mapping[str, bytes], *keys: PublicKey) -> None:
        known = {entry.path for entry in self._journal.entries()}
        wanted = {key_path(key.id): key.pem for key in (self._signer.public, *keys)}
        self._journal.append({path: data for path, data in wanted.items() if path not in known} | dict(files))

    def _vouch(self, path: str, data: bytes, files: Mapping[str, bytes]) -> bool:
        """Whether an unlogged file is one that we made, or an officer's waiver for this application."""
        try:
            owner = repair.Owner(self.application, self._signer.public, self.keys(), _officers())
            return repair.ours(path, data, files, owner)
        except FivefoldError:
            return False


def _closers() -> tuple[PublicKey, ...]:
    """Return whose checkpoints the user goes on from: own assessor's keys, and keys trusted in the role ``log``."""
    return (
        *_trusted("log"),
        *(key.signer.public for key in store.own_keys() if key.note.role in ("assessor", "log")),
    )


def _officers() -> dict[str, dict[str, PublicKey]]:
    """Return, by role, the officers' keys that the user's trust file names, and the user's own of that role."""
    return {
        role: {
            key.id: key
            for key in (*_trusted(role), *(item.signer.public for item in store.own_keys() if item.note.role == role))
        }
        for role in trust_file.OFFICERS
    }


def _trusted(role: trust_file.Role) -> list[PublicKey]:
    keys = trust_file.read(store.read_trust()).keys
    return [load_public(key.public.encode()) for key in keys if role in key.roles and not key.revoked]


class Attempt:
    """One run of a plan, open until :meth:`close`.

    Attributes:
        plan: The sealed plan.
        number: Attempt number.
        started: UTC time at which the plan was signed; trust decisions of the run use it.
    """

    def __init__(self, evidence: Evidence, plan: Plan, started: str) -> None:
        """Made by :class:`Evidence` only."""
        self.plan = plan
        self.number = plan.attempt
        self.started = started
        self._evidence = evidence

    def findings(self) -> dict[str, Finding]:
        """Return the findings that are sealed already, by check id.

        Raises:
            TrustError: One of them is not as it was logged.
        """
        return self._evidence.findings(self.number)

    def add(self, finding: Finding) -> None:
        """Sign and log a finding; once this returns, it survives a kill.

        Raises:
            InputError: ``evidence.attempt`` if it is not a sealed finding of this attempt; ``evidence.unwritable``.
            TrustError: ``evidence.exists`` if this check has a finding already.
        """
        planned = {check.check: check for check in self.plan.checks if check.status == "run"}
        if (
            finding.check not in planned
            or finding.attempt != self.number
            or finding.digests.plan != self.plan.digest
            or finding.mode != "sealed"
        ):
            message = f"the finding of {finding.check} does not belong to this attempt."
            raise InputError("evidence.attempt", message)
        self._evidence.put_finding(self.plan, finding)

    def close(self, verdict: Verdict, report: bytes | None, *, now: str = "") -> None:
        """Log the verdict and, as last leaf, the report.

        Args:
            verdict: As judged.
            report: The HTML file; None: no report.
            now: The time for which the verdict was judged; empty: the attempt's start.

        Raises:
            InputError: ``evidence.attempt`` if the verdict belongs to another attempt; ``evidence.unwritable``.
            TrustError: ``evidence.exists`` if the attempt is closed already.
        """
        if (verdict.attempt, verdict.plan) != (self.number, self.plan.digest):
            raise InputError("evidence.attempt", "the verdict does not belong to this attempt.")
        self._evidence.put_verdict(self.plan, verdict, report, now or self.started)
