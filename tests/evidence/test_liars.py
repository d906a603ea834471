"""An owner who lies with the own key: edited plans, re-rolled attempts, forged waivers. Each is caught."""

from __future__ import annotations

from typing import TYPE_CHECKING

import evidence_builder as build
import msgspec
import pytest

from fivefold.contract.outcome import Outcome
from fivefold.contract.verdict import Waiver
from fivefold.errors import TrustError
from fivefold.evidence import source, statements
from fivefold.evidence.application import read_folder
from fivefold.evidence.layout import attempt_path, finding_path
from fivefold.evidence.verify import verify
from fivefold.keys import signing
from fivefold.plan.seal import plan_digest, seed

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from fivefold.contract.plan import CheckPlan, Plan
    from fivefold.evidence.flaws import Verification
    from fivefold.evidence.folder import Evidence
    from fivefold.keys.signing import Signer
    from fivefold.keys.trust import Role


def _verify(root: Path, signer: Signer, *others: tuple[Signer, str, Role]) -> Verification:
    return verify(read_folder(root / "evidence"), build.trusting((signer, "Ann", "assessor"), *others), build.NOW)


def _codes(found: Verification) -> set[tuple[str, str]]:
    return {(flaw.code, flaw.path) for flaw in found.problems}


def _resealed(of: Plan) -> Plan:
    """Give an edited plan the digest and the seeds that it would have."""
    name = plan_digest(of)
    checks = tuple(
        msgspec.structs.replace(item, seed=seed(name, of.attempt, item.check) if item.status == "run" else "")
        for item in of.checks
    )
    return msgspec.structs.replace(of, digest=name, checks=checks)


def _sealed_lie(root: Path, lie: Callable[[Plan], Plan], *, reseal: bool = True) -> Signer:
    """Assess with a plan that was edited before it was signed; everything else follows from it."""
    build.application(root)
    evidence, signer = build.opened(root)
    edited = lie(build.plan(root, 1))
    edited = _resealed(edited) if reseal else edited
    attempt = evidence.open_attempt(edited, (root / "fivefold.yaml").read_bytes())
    build.close(attempt)
    return signer


def _checks(edit: Callable[[CheckPlan], CheckPlan | None]) -> Callable[[Plan], Plan]:
    def lie(of: Plan) -> Plan:
        edited = tuple(item for item in map(edit, of.checks) if item is not None)
        return msgspec.structs.replace(of, checks=edited)

    return lie


def _one(name: str, **changes: object) -> Callable[[Plan], Plan]:
    return _checks(lambda item: msgspec.structs.replace(item, **changes) if item.check == name else item)


LIES: dict[str, Callable[[Plan], Plan]] = {
    "a looser threshold": _one("P3.membership", thresholds={"max_auc": 0.9, "max_tpr_at_1pct_fpr": 0.9}),
    "a threshold of the manifest forgotten": _one(
        "P3.membership", thresholds={"max_auc": 0.6, "max_tpr_at_1pct_fpr": 0.05}
    ),
    "a dropped check": _checks(lambda item: None if item.check == "P3.membership" else item),
    "a check claimed not applicable": _one("P3.membership", status="not-applicable", reason="It applies where never."),
    "a check not run for no reason": _one("P3.membership", status="not-run", reason="We had no time."),
    "a check that binds nothing": _one("P3.membership", binding=False, claims=()),
    "fewer rows": _one("P3.accuracy", rows=10),
    "another option": _one("P3.accuracy", options={"min_slice": 0.5}),
    "a lower level": lambda of: msgspec.structs.replace(of, level=1),
    "a dropped claim": lambda of: msgspec.structs.replace(of, claims=of.claims[1:]),
    "a claim claimed not applicable": lambda of: msgspec.structs.replace(
        of, claims=tuple(msgspec.structs.replace(claim, applies=False) for claim in of.claims)
    ),
    "a claim that needs less": lambda of: msgspec.structs.replace(
        of, claims=tuple(msgspec.structs.replace(claim, needs=(("T2.signature",),)) for claim in of.claims)
    ),
    "a fault left out": lambda of: msgspec.structs.replace(
        of, claims=tuple(msgspec.structs.replace(claim, faults=("made up",)) for claim in of.claims)
    ),
    "a duty left out": lambda of: msgspec.structs.replace(of, duties=(*of.duties, "X1: a duty that nobody has")),
    "an extra said to be missing, but the check run": _one("P3.accuracy", reason="It needs the extra `x`."),
}


@pytest.mark.parametrize("lie", list(LIES))
def test_an_edited_plan_is_caught(tmp_path: Path, lie: str) -> None:
    """Thresholds, checks, rows, options, claims, level, duties cannot be chosen, even with digest and seeds redone."""
    signer = _sealed_lie(tmp_path, LIES[lie])
    found = _verify(tmp_path, signer)
    assert found.exit_code == 1
    assert ("plan.differs", "attempts/0001/plan.json") in _codes(found)


def test_seeds_cannot_be_chosen(tmp_path: Path) -> None:
    """One seed replaced, everything else honest."""
    signer = _sealed_lie(tmp_path, _one("P3.accuracy", seed="ab" * 32), reseal=False)
    found = _verify(tmp_path, signer)
    assert ("plan.seed", "attempts/0001/plan.json") in _codes(found)


def test_a_finding_with_another_seed_or_threshold_of_the_plan_is_caught(tmp_path: Path) -> None:
    """The finding must carry the seed, effort, digests and attempt of its plan."""
    build.application(tmp_path)
    evidence, signer = build.opened(tmp_path)
    attempt = build.begin(evidence, tmp_path)
    honest = build.finding(attempt.plan, "P3.accuracy")
    attempt.add(msgspec.structs.replace(honest, seed="ab" * 32, effort="quick"))
    build.close(attempt)
    assert ("finding.plan", "attempts/0001/statements/P3.accuracy.json") in _codes(_verify(tmp_path, signer))


def test_other_data_under_an_old_verdict_is_caught(tmp_path: Path) -> None:
    """A plan whose data digests are not those of its facts cannot follow from anything."""
    signer = _sealed_lie(tmp_path, lambda of: msgspec.structs.replace(of, data=of.data | {"test": "00" * 32}))
    assert ("plan.recompute", "attempts/0001/plan.json") in _codes(_verify(tmp_path, signer))


def test_a_dropped_finding_is_caught(tmp_path: Path) -> None:
    """A verdict over an attempt in which one planned check has no finding."""
    build.application(tmp_path)
    evidence, signer = build.opened(tmp_path)
    attempt = build.begin(evidence, tmp_path)
    for check in build.runs(attempt.plan)[1:]:
        attempt.add(build.finding(attempt.plan, check))
    attempt.close(build.verdict(attempt.plan, attempt.findings(), now=attempt.started), None)
    missing = finding_path(1, build.runs(attempt.plan)[0])
    assert ("finding.missing", missing) in _codes(_verify(tmp_path, signer))


@pytest.mark.parametrize("field", ["attained", "claims", "counts", "exit_code", "summary"])
def test_a_verdict_that_does_not_follow_is_caught(tmp_path: Path, field: str) -> None:
    """A level claimed, a claim satisfied, a count, the exit code, the words."""
    build.application(tmp_path)
    evidence, signer = build.opened(tmp_path)
    attempt = build.begin(evidence, tmp_path)
    for check in build.runs(attempt.plan):
        outcome = Outcome.FAIL if check == "P3.accuracy" else Outcome.PASS
        attempt.add(build.finding(attempt.plan, check, outcome))
    honest = build.verdict(attempt.plan, attempt.findings(), now=attempt.started)
    lies = {
        "attained": 2,
        "claims": tuple(msgspec.structs.replace(item, status="satisfied", blockers=()) for item in honest.claims),
        "counts": honest.counts | {"fail": 0},
        "exit_code": 0,
        "summary": "All is well.",
    }
    attempt.close(msgspec.structs.replace(honest, **{field: lies[field]}), None)
    assert ("verdict.differs", "attempts/0001/verdict.json") in _codes(_verify(tmp_path, signer))


@pytest.mark.parametrize(
    ("field", "value", "caught"),
    [("summary", "The same in the words of another version.", False), ("exit_code", 0, True), ("attained", 5, True)],
)
def test_another_version_may_choose_its_words_but_not_its_judgement(
    tmp_path: Path, field: str, value: object, *, caught: bool
) -> None:
    """Evidence of another version is no clean answer; only what it judges has to follow."""
    build.application(tmp_path)
    evidence, signer = build.opened(tmp_path)
    edited = _resealed(msgspec.structs.replace(build.plan(tmp_path, 1), code="55" * 32))
    attempt = evidence.open_attempt(edited, (tmp_path / "fivefold.yaml").read_bytes())
    for check in build.runs(attempt.plan):
        outcome = Outcome.FAIL if check == "P3.accuracy" else Outcome.PASS
        attempt.add(build.finding(attempt.plan, check, outcome))
    honest = build.verdict(attempt.plan, attempt.findings(), now=attempt.started)
    attempt.close(msgspec.structs.replace(honest, **{field: value}), None)
    found = _verify(tmp_path, signer)
    assert "plan.other-version" in {flaw.code for flaw in found.doubts}
    assert (("verdict.differs", "attempts/0001/verdict.json") in _codes(found)) is caught


def test_attempts_cannot_be_rolled_again_unseen(tmp_path: Path) -> None:
    """Deleting the folder leaves the number, and editing the manifest starts no count of its own."""
    signer = build.fill(tmp_path, attempts=1)
    (tmp_path / "evidence").rename(tmp_path / "gone")
    (tmp_path / "fivefold.yaml").write_text(build.MANIFEST.replace("score a loan", "score one loan"))
    build.fill(tmp_path, signer)
    found = _verify(tmp_path, signer)
    assert [item.attempt for item in found.attempts] == [2]
    assert [flaw.code for flaw in found.doubts] == ["evidence.earlier"]
    assert found.exit_code == 3


def test_an_attempt_removed_between_others_is_caught(tmp_path: Path) -> None:
    """The owner signs a log that goes from attempt 1 to attempt 3."""
    build.application(tmp_path)
    evidence, signer = build.opened(tmp_path)
    build.close(build.begin(evidence, tmp_path))
    from fivefold.evidence import counter

    counter.record("toy-app", 2)
    build.close(build.begin(evidence, tmp_path))
    assert ("evidence.gap", "attempts/0002/") in _codes(_verify(tmp_path, signer))


def test_an_abandoned_attempt_stays_visible(tmp_path: Path) -> None:
    """Begun, one finding, then another plan: the report of verify shows it without a verdict."""
    build.application(tmp_path)
    evidence, signer = build.opened(tmp_path)
    first = build.begin(evidence, tmp_path)
    first.add(build.finding(first.plan, "P3.accuracy", Outcome.FAIL))
    (tmp_path / "fivefold.yaml").write_text(build.MANIFEST + "  # again\n")
    build.close(build.begin(evidence, tmp_path))
    found = _verify(tmp_path, signer)
    assert [(item.attempt, item.state) for item in found.attempts] == [(1, "unfinished"), (2, "closed")]
    assert found.attempts[0].findings == {"P3.accuracy": "fail"}
    assert "Attempt 1 was begun and has no verdict." in found.notes


def test_nothing_is_added_to_an_attempt_after_its_verdict(tmp_path: Path) -> None:
    """A second finding for a check, or a finding after the verdict, put into the log by its owner."""
    build.application(tmp_path)
    evidence, signer = build.opened(tmp_path)
    attempt = build.begin(evidence, tmp_path)
    skipped, *others = build.runs(attempt.plan)
    for check in others:
        attempt.add(build.finding(attempt.plan, check))
    attempt.close(build.verdict(attempt.plan, attempt.findings(), now=attempt.started), None)
    attempt.add(build.finding(attempt.plan, skipped))
    assert ("evidence.order", "attempts/0001/") in _codes(_verify(tmp_path, signer))
    with pytest.raises(TrustError) as error:
        attempt.add(build.finding(attempt.plan, skipped))
    assert error.value.code == "evidence.exists"


def _waive(evidence: Evidence, officer: Signer, role: Role, claim: str = "2c", **changes: object) -> None:
    terms = {"reason": "we accept this for now", "until": "2027-01-31", "issued": "2026-11-23T09:00:00Z"} | changes
    evidence.add_waiver(Waiver(application="toy-app", claim=claim, role=role, **terms), officer)


@pytest.fixture
def waived(tmp_path: Path) -> Callable[..., Verification]:
    """Return a function that closes an attempt whose verdict counts a waiver made by the given officers."""

    def make(
        halves: list[tuple[Signer, Role, dict[str, object]]], *holders: tuple[Signer, str, Role], now: str = ""
    ) -> Verification:
        build.application(tmp_path)
        evidence, signer = build.opened(tmp_path)
        for officer, role, changes in halves:
            _waive(evidence, officer, role, **changes)
        attempt = build.begin(evidence, tmp_path)
        for check in build.runs(attempt.plan):
            attempt.add(build.finding(attempt.plan, check))
        honest = build.verdict(attempt.plan, attempt.findings(), now=attempt.started)
        from fivefold.evidence import waivers
        from fivefold.evidence.judge import ValidWaiver, judge

        records = waivers.opened(evidence.waivers(), evidence.keys())
        ids = (records[0].digest, records[-1].digest if len(records) > 1 else "f" * 64)
        forged = ValidWaiver(claim="2c", until="2027-01-31", officers=("Pia", "Leo"), ids=ids)
        from fivefold.catalogue import load

        lie = judge(attempt.plan, tuple(attempt.findings().values()), (forged,), honest and attempt.started, load())
        attempt.close(lie, None)
        assert [claim.status for claim in lie.claims if claim.claim == "2c"] == ["waived"]
        trust = build.trusting((signer, "Ann", "assessor"), *holders)
        return verify(read_folder(tmp_path / "evidence"), trust, now or build.NOW)

    return make


P, L = signing.generate(), signing.generate()
PIA: tuple[Signer, str, Role] = (P, "Pia", "privacy-officer")
LEO: tuple[Signer, str, Role] = (L, "Leo", "legal-officer")


def test_two_officers_waive(waived: Callable[..., Verification]) -> None:
    """Two keys, two names, two roles, in force: the verdict follows, and verify says who signed."""
    found = waived([(P, "privacy-officer", {}), (L, "legal-officer", {})], PIA, LEO)
    assert (found.problems, found.doubts, found.exit_code) == ((), (), 0)
    assert {(item.name, item.role) for item in found.signatures if item.kind == "waiver"} == {
        ("Pia", "privacy-officer"),
        ("Leo", "legal-officer"),
    }
    assert "Claim 2c is waived by Pia and Leo until 2027-01-31." in found.notes


@pytest.mark.parametrize(
    ("halves", "holders"),
    [
        ([(P, "privacy-officer", {})], [PIA, LEO]),
        ([(P, "privacy-officer", {}), (P, "privacy-officer", {"reason": "once more with feeling"})], [PIA, LEO]),
        ([(P, "privacy-officer", {}), (P, "legal-officer", {})], [PIA, LEO]),
        ([(P, "privacy-officer", {}), (L, "legal-officer", {})], [PIA, (L, "pia ", "legal-officer")]),
        ([(P, "privacy-officer", {}), (L, "privacy-officer", {})], [PIA, (L, "Leo", "privacy-officer")]),
        ([(P, "privacy-officer", {}), (L, "legal-officer", {})], [PIA, (L, "Leo", "assessor")]),
        ([(P, "privacy-officer", {}), (L, "legal-officer", {"until": "2028-06-01"})], [PIA, LEO]),
        ([(P, "privacy-officer", {}), (L, "legal-officer", {"claim": "2b"})], [PIA, LEO]),
        ([(P, "privacy-officer", {}), (L, "legal-officer", {"reason": "no"})], [PIA, LEO]),
        ([(P, "privacy-officer", {}), (L, "legal-officer", {"issued": "2026-11-25T00:00:00Z"})], [PIA, LEO]),
    ],
    ids=[
        "one half",
        "one officer twice",
        "one key in two roles",
        "two keys of one name",
        "one role twice",
        "an assessor as officer",
        "too long",
        "different claims",
        "no reason",
        "issued after the verdict",
    ],
)
def test_a_forged_waiver_is_caught(
    waived: Callable[..., Verification], halves: list[object], holders: list[tuple[Signer, str, Role]]
) -> None:
    """A verdict that counts anything less than two officers does not follow."""
    found = waived(halves, *holders)
    assert found.exit_code == 1
    assert ("verdict.waivers", "attempts/0001/verdict.json") in _codes(found)


def test_a_waiver_by_unknown_officers_is_not_clean(waived: Callable[..., Verification]) -> None:
    """A verifier who does not know the officers cannot follow the verdict: exit 3, both files named."""
    found = waived([(P, "privacy-officer", {}), (L, "legal-officer", {})])
    assert found.problems == ()
    assert {flaw.path.split("/")[0] for flaw in found.unknown} == {"waivers"}
    assert found.exit_code == 3


def test_a_revoked_officer_does_not_waive(tmp_path: Path) -> None:
    """Revoked before it was issued: refused; the file is named."""
    from fivefold.keys import trust

    signer = build.fill(tmp_path)
    evidence, _ = build.opened(tmp_path, signer)
    _waive(evidence, P, "privacy-officer")
    known = trust.read(build.trusting((signer, "Ann", "assessor"), PIA))
    known = trust.revoke(known, P.public.id, "2026-11-01T00:00:00Z")
    found = verify(read_folder(tmp_path / "evidence"), trust.write(known), build.NOW)
    assert [(flaw.code, flaw.path.split("/")[0]) for flaw in found.problems] == [("trust.revoked", "waivers")]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"roles": ("signer",)}, "trust.wrong-role"),
        ({"valid_until": "2026-11-23T08:00:00Z"}, "trust.expired"),
        ({"valid_from": "2026-11-24T00:00:00Z"}, "trust.not-yet-valid"),
        ({"revoked": "2026-11-23T09:00:00Z"}, "trust.revoked"),
    ],
)
def test_an_assessor_out_of_role_or_time_is_refused(tmp_path: Path, change: dict[str, object], code: str) -> None:
    """Every statement and the checkpoint are named."""
    from fivefold.keys import trust

    signer = build.fill(tmp_path)
    known = trust.read(build.trusting((signer, "Ann", "assessor")))
    entry = msgspec.structs.replace(known.keys[0], **change)
    trust_bytes = trust.write(msgspec.structs.replace(known, keys=(entry,)))
    folder = read_folder(tmp_path / "evidence")
    found = verify(folder, trust_bytes, build.NOW)
    assert found.exit_code == 1
    named = {flaw.path for flaw in found.problems if flaw.code == code}
    assert named == {name for name in folder if name.endswith((".json", "checkpoint"))}


def test_evidence_of_another_catalogue_is_not_a_clean_pass(tmp_path: Path) -> None:
    """What this version cannot compute again, it says so about: exit 3."""
    signer = _sealed_lie(tmp_path, lambda of: msgspec.structs.replace(of, catalogue="00" * 32))
    found = _verify(tmp_path, signer)
    assert [flaw.code for flaw in found.doubts] == ["plan.other-catalogue"]
    assert found.exit_code == 3


def test_statements_of_another_key_in_one_attempt_are_caught(tmp_path: Path) -> None:
    """A trusted colleague's finding does not slip into somebody else's attempt."""
    build.application(tmp_path)
    signer, other = signing.generate(), signing.generate()
    build.befriend(signer, other)
    evidence, _ = build.opened(tmp_path, signer)
    attempt = build.begin(evidence, tmp_path)
    colleague, _ = build.opened(tmp_path, other)
    colleague.put_finding(attempt.plan, build.finding(attempt.plan, "P3.accuracy"))
    build.close(attempt)
    found = _verify(tmp_path, signer, (other, "Bob", "assessor"))
    assert ("evidence.mixed-keys", finding_path(1, "P3.accuracy")) in _codes(found)


def test_a_plan_moved_to_another_place_is_caught(tmp_path: Path) -> None:
    """A good plan of attempt 1, logged by its owner as that of attempt 2."""
    signer = build.fill(tmp_path)
    evidence, _ = build.opened(tmp_path, signer)
    data = (tmp_path / "evidence" / attempt_path(1, "plan.json")).read_bytes()
    evidence._journal.append({attempt_path(2, "plan.json"): data, attempt_path(2, "manifest.yaml"): b"x"})
    assert ("plan.place", "attempts/0002/plan.json") in _codes(_verify(tmp_path, signer))


def test_subjects_must_be_those_of_the_plan(tmp_path: Path) -> None:
    """A statement about other data than it says in its predicate."""
    from fivefold.evidence import envelope

    build.application(tmp_path)
    evidence, signer = build.opened(tmp_path)
    attempt = build.begin(evidence, tmp_path)
    said = statements.FindingStatement(finding=build.finding(attempt.plan, "P3.accuracy"), signed=build.Clock()())
    forged = envelope.seal(statements.FINDING_TYPE, {"manifest": "00" * 32}, said, signer)
    evidence._journal.append({finding_path(1, "P3.accuracy"): forged})
    assert ("finding.plan", finding_path(1, "P3.accuracy")) in _codes(_verify(tmp_path, signer))


def test_strangers_waivers_do_not_shield_a_forged_verdict(tmp_path: Path) -> None:
    """Two throw-away keys waive one claim; the verdict says much more than that, and is named, not only doubted."""
    build.application(tmp_path)
    evidence, signer = build.opened(tmp_path)
    _waive(evidence, P, "privacy-officer")
    _waive(evidence, L, "legal-officer")
    from fivefold.catalogue import load
    from fivefold.evidence import waivers
    from fivefold.evidence.judge import ValidWaiver, judge

    attempt = build.begin(evidence, tmp_path)
    for check in build.runs(attempt.plan):
        attempt.add(build.finding(attempt.plan, check))
    records = waivers.opened(evidence.waivers(), evidence.keys())
    ids = (records[0].digest, records[1].digest)
    held = ValidWaiver(claim="2c", until="2027-01-31", officers=("Pia", "Leo"), ids=ids)
    fair = judge(attempt.plan, tuple(attempt.findings().values()), (held,), attempt.started, load())
    attempt.close(msgspec.structs.replace(fair, attained=fair.declared), None)
    found = _verify(tmp_path, signer)
    assert found.exit_code == 1
    assert ("verdict.differs", "attempts/0001/verdict.json") in _codes(found)


def _of_version(root: Path, version: int, code: str) -> Verification:
    """Verify an attempt whose plan says that version and code, with the seeds that follow from it."""
    build.application(root)
    evidence, signer = build.opened(root)
    plan = msgspec.structs.replace(build.plan(root, 1), version=version, code=code)
    attempt = evidence.open_attempt(_resealed(plan), (root / "fivefold.yaml").read_bytes())
    build.close(attempt)
    return _verify(root, signer)


def test_a_plan_of_a_later_version_is_doubted(tmp_path: Path) -> None:
    """How its seeds follow is not known here."""
    found = _of_version(tmp_path, 99, "0" * 64)
    assert (found.exit_code, found.problems) == (3, ())
    assert "plan.newer" in {flaw.code for flaw in found.doubts}


@pytest.mark.parametrize("version", [99, 0])
def test_this_version_makes_no_plan_of_another(tmp_path: Path, version: int) -> None:
    """Whoever says that our code drew seeds in another way is caught."""
    found = _of_version(tmp_path, version, source.code())
    assert ("plan.differs", "attempts/0001/plan.json") in _codes(found)
