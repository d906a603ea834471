"""Run: an assessment from a manifest to a sealed verdict.

Facts, plan and attempt are fixed and signed before the first check begins; each finding is sealed when its check ends.
A run that was stopped is taken up where it was: the same plan keeps its attempt and seeds.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from msgspec import UNSET

from fivefold import catalogue
from fivefold.assess import exploring, facts_cache, identity, operating, outcomes
from fivefold.assess.guarding import Guards
from fivefold.assess.lock import alone
from fivefold.contract.registry import provided
from fivefold.errors import InputError
from fivefold.evidence.folder import Evidence
from fivefold.evidence.judge import judge
from fivefold.keys import ciphers, store
from fivefold.keys import trust as trust_file
from fivefold.manifest.digests import data_digests
from fivefold.plan import make, seal
from fivefold.subject import calls, elsewhere
from fivefold.subject.bench import Bench, Circumstances, table_bytes

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from msgspec import UnsetType

    from fivefold.contract.finding import Finding, Result
    from fivefold.contract.plan import CheckPlan, Effort, Facts, Plan
    from fivefold.contract.verdict import Verdict
    from fivefold.evidence.folder import Attempt
    from fivefold.keys.signing import Signer
    from fivefold.manifest.nouns import Manifest

    Render = Callable[[Plan, tuple[Finding, ...], Verdict, Evidence], bytes | None]


@dataclass(frozen=True)
class Step:
    """Something that happened, for whoever watches.

    Attributes:
        kind: ``probing``, ``planned``, ``progress``, ``finished`` or ``judged``.
        check: Check id, where it is about one.
        share: How far that check is, 0 to 1.
        text: A few words.
        checks: For ``planned``: the ids that run.
        done: For ``planned``: those that an earlier run finished.
        finding: For ``finished``.
    """

    kind: str
    check: str = ""
    share: float = 0.0
    text: str = ""
    checks: tuple[str, ...] = ()
    done: tuple[str, ...] = ()
    finding: Finding | None = None


_LARGE = 64 << 20
"""Data that take more than this in memory are measured by one check at a time, unless told otherwise."""


def _unwatched(_: Step) -> None:
    return None


@dataclass(frozen=True)
class Options:
    """How to run.

    Attributes:
        effort: How much is measured.
        evidence: The evidence folder; None: ``evidence`` in the application's folder.
        trust: The trust file; None: the user's own.
        key: Which assessor key signs; empty: the user's first, made if there is none.
        workers: Checks side by side; 0: two if there are two processors and the data are not large.
        only: Run these checks only; exploratory.
        seed: Replaces the seed of every check; exploratory.
        seconds: Time limit of each check; None: as its pack says.
        bare: Measure nothing behind the guard; exploratory.
    """

    effort: Effort = "standard"
    evidence: Path | None = None
    trust: Path | None = None
    key: str = ""
    workers: int = 0
    only: tuple[str, ...] = ()
    seed: str = ""
    seconds: float | None = None
    bare: bool = False

    @property
    def exploratory(self) -> bool:
        """Whether nothing is sealed and no attempt is used."""
        return bool(self.only or self.seed or self.bare)


@dataclass(frozen=True)
class Assessment:
    """What came of it.

    Attributes:
        plan: Sealed, or as explored.
        findings: In check-id order.
        verdict: As judged; None: exploratory.
        evidence: The folder; None: exploratory.
        made_key: A key was made for this user.
        resumed: An unfinished attempt was taken up.
        repaired: What was repaired in the evidence folder.
        notes: Check id to what a failing model said; for the screen only.
    """

    plan: Plan
    findings: tuple[Finding, ...]
    verdict: Verdict | None = None
    evidence: Path | None = None
    made_key: bool = False
    resumed: bool = False
    repaired: tuple[str, ...] = ()
    notes: dict[str, str] = field(default_factory=dict)


def assess(
    manifest: Manifest,
    options: Options | None = None,
    *,
    render: Render | None = None,
    watch: Callable[[Step], None] = _unwatched,
) -> Assessment:
    """Assess an application.

    Args:
        manifest: As read.
        options: How to run.
        render: Makes the report that is sealed with the verdict; None: no report.
        watch: Told what happens.

    Returns:
        The findings and the verdict, sealed in the evidence folder unless it was exploratory.

    Raises:
        InputError: Manifest, data, key or folder cannot be used.
        TrustError: The evidence folder is not as we left it, or the model's files cannot be copied.
        InternalError: The worker does not start.
    """
    chosen = options or Options()
    with operating.operation(manifest, "assess") as operation:
        digests = data_digests(manifest)
        operation.digests |= digests
        done = _assessed(manifest, chosen, digests, render=render, watch=watch)
        operation.digests["model"] = done.plan.model
        return done


def _assessed(
    manifest: Manifest,
    chosen: Options,
    digests: dict[str, str],
    *,
    render: Render | None,
    watch: Callable[[Step], None],
) -> Assessment:
    trust = store.read_trust(chosen.trust)
    trust_file.read(trust)
    if chosen.exploratory:
        with Bench(manifest, digests, evidence=_place(manifest, chosen), seconds=chosen.seconds) as bench:
            return _explore(bench, chosen, trust, watch)
    with alone(manifest.application.id):
        return _sealed(manifest, chosen, digests, trust, render=render, watch=watch)


def _sealed(
    manifest: Manifest,
    chosen: Options,
    digests: dict[str, str],
    trust: bytes,
    *,
    render: Render | None,
    watch: Callable[[Step], None],
) -> Assessment:
    place, known = _place(manifest, chosen), trust_file.read(trust)
    signer, made_key = _signer(chosen.key)
    evidence = Evidence(place, signer, manifest.application.id)
    ledger = (
        elsewhere.kept_ledger(manifest, digests)
        if manifest.model and (manifest.model.endpoint or manifest.model.command)
        else None
    )
    before = calls.made(ledger) if ledger else 0
    with Bench(manifest, digests, evidence=place, seconds=chosen.seconds, ledger=ledger) as bench:
        plan, notes = _plan(bench, chosen, watch)
        attempt, resumed = _attempt(evidence, plan, bench)
        if ledger and not resumed:
            elsewhere.begun_anew(ledger, before)
        runner = _Runner(bench, attempt.plan, _circumstances(manifest, trust, attempt.started), watch, notes)
        runner.run(chosen.workers, attempt)
    findings = tuple(attempt.findings()[name] for name in sorted(attempt.findings()))
    verdict = judge(
        attempt.plan, findings, evidence.exemptions(known, attempt.started), attempt.started, catalogue.load()
    )
    attempt.close(verdict, _report(render, attempt.plan, findings, verdict, evidence=evidence, notes=runner.notes))
    if ledger:
        ledger.unlink(missing_ok=True)
    watch(Step("judged"))
    return Assessment(
        plan=attempt.plan,
        findings=findings,
        verdict=verdict,
        evidence=place,
        made_key=made_key,
        resumed=resumed,
        repaired=evidence.repaired,
        notes=runner.notes,
    )


def _report(
    render: Render | None,
    plan: Plan,
    findings: tuple[Finding, ...],
    verdict: Verdict,
    *,
    evidence: Evidence,
    notes: dict[str, str],
) -> bytes | None:
    """Return the report; a page that cannot be made costs nobody the verdict."""
    if render is None:
        return None
    try:
        return render(plan, findings, verdict, evidence)
    except Exception as error:  # noqa: BLE001  whatever it is, the findings are sealed and the verdict is due
        notes["report"] = (
            f"the page could not be made ({type(error).__name__}: {error}); `fivefold report` may show why"
        )
        return None


class _Runner:
    """Runs the checks of a plan in the worker and hands each finding on as it is made."""

    def __init__(
        self,
        bench: Bench,
        plan: Plan,
        circumstances: Circumstances,
        watch: Callable[[Step], None],
        notes: dict[str, str],
    ) -> None:
        self._bench = bench
        self._plan = plan
        self._circumstances = circumstances
        self._watch = watch
        self.notes = notes

    def run(self, workers: int, attempt: Attempt | None, mode: outcomes.Mode = "sealed") -> list[Finding]:
        """Run what has no finding yet; with an attempt, seal each finding as it comes."""
        planned = {check.check: check for check in self._plan.checks if check.status == "run"}
        done = attempt.findings() if attempt else {}
        self._watch(Step("planned", checks=tuple(planned), done=tuple(done)))
        waiting = [check for name, check in planned.items() if name not in done]
        found: list[Finding] = []

        def take(check: CheckPlan, result: Result, bare: Result | UnsetType = UNSET) -> None:
            protections = self._bench.worker.hello.protections
            made = outcomes.finding(check, self._plan, result, mode=mode, protections=protections, bare=bare)
            if attempt is not None:
                attempt.add(made)
            found.append(made)
            self._watch(Step("finished", check=check.check, share=1.0, finding=made))

        model = self._plan.facts.model
        dead = model.error if model else ""
        for check in waiting:
            if dead and outcomes.asks_model(check.check):
                take(check, outcomes.unprobed(dead))
        self._measure([check for check in waiting if not (dead and outcomes.asks_model(check.check))], workers, take)
        return found

    def _measure(self, checks: Sequence[CheckPlan], workers: int, take: Callable[..., None]) -> None:
        if not checks:
            return
        self._bench.prepare(check.check for check in checks)
        by_id = {check.check: check for check in checks}
        guards = Guards(self._bench, self._plan, self._circumstances)
        tasks = guards.tasks(checks)
        tasks.sort(key=lambda task: -task.limits.seconds)

        def tell(check: str, share: float, text: str) -> None:
            self._watch(Step("progress", check=check, share=share, text=text))

        for ended in self._bench.worker.run(tasks, width=workers or _width(self._plan), tell=tell):
            name = ended.task.job.check
            note = "\n".join(getattr(ended.outcome, "notes", ())) or getattr(ended.outcome, "note", "")
            if note:
                self.notes[name] = note
            made = guards.taken(ended)
            if made is not None:
                take(by_id[name], *made)


def _width(plan: Plan) -> int:
    """Return how many checks run side by side: each holds its own copy of what it reads, so large tables go alone."""
    return 1 if table_bytes(plan.facts) > _LARGE else min(2, os.cpu_count() or 1)


def _place(manifest: Manifest, options: Options) -> Path:
    return (options.evidence or manifest.root / "evidence").expanduser().absolute()


def _signer(key: str) -> tuple[Signer, bool]:
    if not key:
        return store.default_assessor()
    found = store.find(key)
    if found.note.role != "assessor":
        raise InputError(
            "keys.role",
            f"the key is for the role {found.note.role}.",
            remedy="Make one: fivefold key new --role assessor.",
        )
    return found.signer, False


def _circumstances(manifest: Manifest, trust: bytes, now: str) -> Circumstances:
    secret = store.application_secret(manifest.application.id)
    told = provided("operation.facts")(manifest, now) | provided("lineage.facts")(manifest, now)
    return Circumstances(trust=trust, now=now, row_key=ciphers.keyed_hash(secret, b"row ids"), told=told)


def _plan(bench: Bench, options: Options, watch: Callable[[Step], None]) -> tuple[Plan, dict[str, str]]:
    """Return the plan over facts that are cached for these very bytes, or read now."""
    manifest, digest = bench.manifest, bench.snapshot.digest
    facts: Facts | None = None if bench.elsewhere else facts_cache.load(manifest, bench.digests, digest)
    notes: dict[str, str] = {}
    if facts is None:
        watch(Step("probing", text="reading data and model"))
        facts, note = bench.probe()
        facts_cache.store(manifest, bench.digests, digest, facts)
        notes = {"model": note} if note else {}
    plan = make(
        manifest,
        catalogue.load(),
        facts,
        data_digests=bench.digests,
        model_digest=digest,
        code=identity.code(),
        installed=identity.installed,
        effort=options.effort,
    )
    return plan, notes


def _attempt(evidence: Evidence, plan: Plan, bench: Bench) -> tuple[Attempt, bool]:
    unfinished = evidence.unfinished(plan.digest)
    if unfinished is not None:
        return unfinished, True
    sealed = seal(plan, evidence.next_attempt())
    return evidence.open_attempt(sealed, bench.manifest.raw, bench.snapshot.files), False


def _explore(bench: Bench, options: Options, trust: bytes, watch: Callable[[Step], None]) -> Assessment:
    plan, notes = _plan(bench, options, watch)
    explored = exploring.narrow(plan, options.only, options.seed, bare=options.bare)
    now = store.utc_now()
    runner = _Runner(bench, explored, _circumstances(bench.manifest, trust, now), watch, notes)
    found = runner.run(options.workers, None, "exploratory")
    findings = tuple(sorted(found, key=lambda item: item.check))
    return Assessment(plan=explored, findings=findings, notes=runner.notes)
