"""The verdict: only passes, tested predicates and two officers satisfy; every rule has a case that breaks it."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fivefold.catalogue import Catalogue, load
from fivefold.contract.codec import canonical
from fivefold.contract.finding import Canary, Digests, Finding, Measure, Result
from fivefold.contract.outcome import Outcome
from fivefold.contract.plan import DataFact, Facts, ModelFact, Plan
from fivefold.contract.registry import CheckSpec
from fivefold.evidence.judge import ValidWaiver, judge
from fivefold.manifest.nouns import Application, DataSet, Manifest, Model, SharingPath, Use
from fivefold.plan import make, seal

if TYPE_CHECKING:
    from fivefold.catalogue.nouns import Predicate

UNKNOWN = {"model.neural", "model.trees", "model.gradients"}
NOW = "2026-06-01T12:00:00Z"
SEEN = Canary(kind="planted", planted=5, found=5, clean=5, false_alarms=0, noticed=True)
MISSED = msgspec.structs.replace(SEEN, found=0, noticed=False)


@cache
def finished() -> Catalogue:
    """Return the catalogue as it will be once every check is built and the kind of every model is known."""

    def known(predicate: Predicate) -> Predicate:
        return tuple(any_of for any_of in predicate if not any(one.fact in UNKNOWN for one in any_of))

    rows = tuple(
        msgspec.structs.replace(
            row,
            applies_when=known(row.applies_when),
            checks=tuple(
                msgspec.structs.replace(check, state="built", applies_when=known(check.applies_when))
                for check in row.checks
            ),
        )
        for row in load().techniques
    )
    return msgspec.structs.replace(load(), techniques=rows)


@cache
def specs() -> dict[str, CheckSpec]:
    """Return a pack entry for every check of the catalogue."""
    blank = dict.fromkeys(("threat", "method", "limits", "source", "cost"), "")
    return {
        name: CheckSpec(
            id=name,
            technique=entry.technique,
            question="?",
            needs=("model.predict",),
            implementation="m:f",
            rows=(1, 1, 1),
            **blank,
        )
        for name, entry in load().checks.items()
    }


def plan(catalogue: Catalogue, *, level: int = 4, attempt: int = 1, **fields: Any) -> Plan:
    """Return a sealed plan; ``acts`` and ``training`` switch the last claims on."""
    base: dict[str, Any] = {
        "root": Path("/app"),
        "file": Path("/app/fivefold.yaml"),
        "raw": b"",
        "digest": "ab" * 32,
        "application": Application(id="a", level=level),
        "use": Use(output="recommendation"),
        "data": {name: DataSet(name=name, path=name, protected=("sex",)) for name in ("train", "test")},
        "model": Model(factory="s:l", path="m"),
    }
    facts = Facts(
        data={name: DataFact(digest=name, rows=9, columns=()) for name in ("train", "test")},
        model=ModelFact(digest="m", task="binary", classes=("a", "b"), scores=True),
    )
    made = make(
        Manifest(**(base | fields)),
        catalogue,
        facts,
        data_digests={"train": "train", "test": "test"},
        model_digest="m",
        code="c",
        installed=lambda _: True,
        specs=specs() if catalogue is finished() else None,
    )
    return seal(made, attempt)


def finding(
    planned: Plan, check: str, outcome: str = "pass", *, canary: Canary | None = SEEN, **changes: Any
) -> Finding:
    """Return a finding that belongs to the plan."""
    seed = next(one.seed for one in planned.checks if one.check == check)
    result = Result(outcome=Outcome(outcome), reason="because.", canary=canary, remedy=changes.pop("remedy", ""))
    base = Finding(
        check=check,
        technique=check.partition(".")[0],
        attempt=planned.attempt,
        seed=seed,
        effort=planned.effort,
        mode="sealed",
        result=msgspec.structs.replace(result, measures=changes.pop("measures", ())),
        digests=Digests(manifest=planned.manifest, model="m", data=planned.data, code="c", plan=planned.digest),
    )
    return msgspec.structs.replace(base, **changes)


def passes(planned: Plan, **outcomes: str) -> tuple[Finding, ...]:
    """Return a pass for every check that runs, but for those named (``P1_blackbox="fail"``; ``""``: no finding)."""
    wanted = {name.replace("_", ".", 1).replace("_", "-"): outcome for name, outcome in outcomes.items()}
    running = [check.check for check in planned.checks if check.status == "run"]
    assert wanted.keys() <= set(running)
    return tuple(
        finding(planned, check, wanted.get(check, "pass"), canary=SEEN if wanted.get(check, "pass") == "pass" else None)
        for check in running
        if wanted.get(check, "pass")
    )


def status(verdict: Any) -> dict[str, str]:
    """Return claim id to status."""
    return {claim.claim: claim.status for claim in verdict.claims}


def blockers(verdict: Any, claim: str) -> dict[str, Any]:
    """Return blocker id to blocker of one claim."""
    return {one.id: one for found in verdict.claims if found.claim == claim for one in found.blockers}


# Today: most rows have gaps.


def test_today_no_level_is_attained_and_words_say_why() -> None:
    """All checks that run pass, and still nothing is attained: gaps are not run."""
    planned = plan(load())
    verdict = judge(planned, passes(planned), (), NOW, load())
    assert (verdict.attained, verdict.declared, verdict.exit_code) == (0, 4, 3)
    assert verdict.counts["pass"] == sum(check.status == "run" for check in planned.checks) >= 4
    assert verdict.counts["not-run"] > 50
    assert set(verdict.blocks) == {"0", "1", "2", "3", "4"}
    assert "S5" in verdict.blocks["1"]
    assert "Aims not assessed: O1" in verdict.summary
    assert sum(verdict.counts.values()) == len(planned.checks)
    assert set(verdict.counts) == {outcome.value for outcome in Outcome}


def test_a_partial_row_satisfies_nothing() -> None:
    """What runs of T4 passes, but T4 has gaps: claim 4d stays blocked and says which checks are missing."""
    planned = plan(load())
    blocked = blockers(judge(planned, passes(planned), (), NOW, load()), "4d")
    assert "partial" in blocked["T4"].text
    assert "T4.tampering" in blocked["T4"].text
    assert blocked["T4"].remedy


def test_failed_not_yet_binding_gives_exit_1() -> None:
    """D1.admission fails: its aim does not bind, so nothing is blocked by it, yet the exit code says that it did."""
    planned = plan(load())
    good = judge(planned, passes(planned), (), NOW, load())
    bad = judge(planned, passes(planned, D1_admission="fail"), (), NOW, load())
    aim = next(one for one in bad.aims if one.aim == "O7")
    assert (aim.status, aim.binding) == ("failed-not-binding", False)
    assert (good.exit_code, bad.exit_code) == (3, 1)
    assert status(good) == status(bad)
    assert "Failed, not yet binding: O7." in bad.summary


def test_what_such_evidence_does_not_prove_is_said() -> None:
    """The liar who holds data, key and machine, and the deleted folder."""
    said = " ".join(judge(plan(load()), (), (), NOW, load()).not_proved)
    assert "key" in said
    assert "machine" in said
    assert "--since ROOT" in said


def test_a_blocker_gives_value_interval_threshold_and_remedy() -> None:
    """A failing membership check: the figures and what to do are in the claim."""
    planned = plan(load())
    measure = Measure(
        name="membership AUC", value=0.71, low=0.68, high=0.74, threshold=0.6, direction="max", outcome=Outcome.FAIL
    )
    bad = finding(planned, "P3.membership", "fail", measures=(measure,), remedy="Train with less memory.")
    verdict = judge(planned, (bad,), (), NOW, load())
    blocker = blockers(verdict, "2b")["P3.membership"]
    assert blocker.outcome == "fail"
    assert "membership AUC 0.71 [0.68, 0.74], allowed at most 0.6" in blocker.text
    assert blocker.remedy == "Train with less memory."
    assert verdict.exit_code == 1


# Finished: every check built.


@pytest.mark.parametrize("level", range(1, 6))
def test_all_passed_is_attained(level: int) -> None:
    """With everything built and passed, the declared level is attained, aims are held, exit code 0."""
    planned = plan(finished(), level=level, training="t:fit", use=Use(output="action"))
    verdict = judge(planned, passes(planned), (), NOW, finished())
    assert (verdict.attained, verdict.exit_code, verdict.blocks) == (level, 0, {})
    assert {aim.status for aim in verdict.aims} == {"held"}
    assert "Attained as declared" in verdict.summary


BREAKS = [
    ("S5_outliers", "1b", 0),
    ("P1_blackbox", "2a", 1),
    ("P3_accuracy", "2c", 1),
    ("E4_planted", "3c", 2),
    ("T2_signature", "4b", 3),
    ("C3_risk", "5a", 4),
]


@pytest.mark.parametrize(("check", "claim", "attained"), BREAKS)
@pytest.mark.parametrize("outcome", ["fail", "inconclusive", "error", "not-run", "not-applicable", ""])
def test_one_check_that_is_no_pass_costs_its_level(check: str, claim: str, attained: int, outcome: str) -> None:
    """No outcome but a pass satisfies, a finding that calls itself not applicable included; higher levels fall too."""
    planned = plan(finished(), level=5)
    verdict = judge(planned, passes(planned, **{check: outcome}), (), NOW, finished())
    assert status(verdict)[claim] == "blocked"
    assert verdict.attained == attained
    assert verdict.exit_code == (1 if outcome == "fail" else 3)
    assert sum(verdict.counts.values()) == len(planned.checks)


def test_one_alternative_suffices() -> None:
    """3a and 3b: E1 or E2, E1 or E3."""
    planned = plan(finished())
    without_e1 = judge(planned, passes(planned, E1_faithful="inconclusive"), (), NOW, finished())
    assert (status(without_e1)["3a"], status(without_e1)["3b"], without_e1.attained) == ("satisfied", "satisfied", 4)
    neither = passes(planned, E1_faithful="inconclusive", E2_local="inconclusive")
    verdict = judge(planned, neither, (), NOW, finished())
    assert (status(verdict)["3a"], verdict.attained) == ("blocked", 2)
    assert "One of E1, E2 suffices." in blockers(verdict, "3a")["E2.local"].text


def test_2d_needs_the_enclave_or_isolation_and_signature() -> None:
    """Either alone of isolation and signature is not enough."""
    planned = plan(finished())

    def claim(**outcomes: str) -> str:
        return status(judge(planned, passes(planned, **outcomes), (), NOW, finished()))["2d"]

    assert claim() == "satisfied"
    assert claim(P4_model="error") == "satisfied"
    assert claim(P2_isolation="error", T2_signature="error") == "satisfied"
    assert claim(P4_model="error", P2_isolation="error") == "blocked"
    assert claim(P4_model="error", T2_signature="error") == "blocked"


def test_an_alternative_that_does_not_apply_satisfies_nothing() -> None:
    """E1 narrowed to networks does not satisfy 3a in place of E2; only if neither applies is there nothing to prove."""
    rows = {row.id: row for row in finished().techniques}
    narrowed = msgspec.structs.replace(rows["E1"], applies_when=rows["C1"].applies_when)
    catalogue = msgspec.structs.replace(
        finished(), techniques=tuple(narrowed if row.id == "E1" else row for row in finished().techniques)
    )
    planned = seal_with(catalogue)
    verdict = judge(planned, passes(planned, E2_local="inconclusive"), (), NOW, catalogue)
    assert status(verdict)["3a"] == "blocked"
    assert status(judge(planned, passes(planned), (), NOW, catalogue))["3a"] == "satisfied"


def seal_with(catalogue: Catalogue) -> Plan:
    """Return a plan over a changed finished catalogue."""
    base = plan(finished())
    manifest = Manifest(
        root=Path("/app"),
        file=Path("/app/fivefold.yaml"),
        raw=b"",
        digest="ab" * 32,
        application=Application(id="a", level=4),
        use=Use(output="recommendation"),
        data={name: DataSet(name=name, path=name, protected=("sex",)) for name in ("train", "test")},
        model=Model(factory="s:l", path="m"),
    )
    made = make(
        manifest,
        catalogue,
        base.facts,
        data_digests=base.data,
        model_digest="m",
        code="c",
        installed=lambda _: True,
        specs=specs(),
    )
    return seal(made, 1)


def test_a_binding_aim_that_is_not_held_costs_every_level() -> None:
    """Once F1 is built, an unfair model attains nothing, whatever else it can do."""
    planned = plan(finished())
    for outcome, wanted in (("fail", "failed"), ("inconclusive", "not-assessed")):
        verdict = judge(planned, passes(planned, F1_gaps=outcome), (), NOW, finished())
        aim = next(one for one in verdict.aims if one.aim == "O4")
        assert (aim.binding, aim.status, verdict.attained) == (True, wanted, 0)
        assert "O4" in verdict.blocks["0"]
        assert verdict.exit_code != 0


def test_an_undeclared_path_fails_its_claim() -> None:
    """Data came from somebody else, and nobody says so: claim 1a fails, exit code 1."""
    data = {"train": DataSet(name="train", path="a", source="bureau"), "test": DataSet(name="test", path="b")}
    planned = plan(finished(), data=data, parties={"deployer": "bank"})
    verdict = judge(planned, passes(planned), (), NOW, finished())
    assert (status(verdict)["1a"], verdict.attained, verdict.exit_code) == ("blocked", 0, 1)
    assert "bureau" in blockers(verdict, "1a")["1a"].text


def test_a_declared_path_is_satisfied_by_its_technique() -> None:
    """The same path declared, and its control measured."""
    data = {"train": DataSet(name="train", path="a", source="bureau"), "test": DataSet(name="test", path="b")}
    sharing = (SharingPath(what="encrypted", data="train", control="S4"),)
    planned = plan(finished(), data=data, parties={"deployer": "bank"}, sharing=sharing)
    assert status(judge(planned, passes(planned), (), NOW, finished()))["1a"] == "satisfied"
    assert status(judge(planned, passes(planned, S4_key="error"), (), NOW, finished()))["1a"] == "blocked"


# Findings that do not count.


def test_a_pass_without_a_noticed_canary_is_inconclusive() -> None:
    """Rule 2: a check that cannot fail proves nothing."""
    planned = plan(load())
    for canary in (None, MISSED):
        verdict = judge(planned, (finding(planned, "T2.signature", canary=canary),), (), NOW, load())
        assert (verdict.counts["pass"], verdict.counts["inconclusive"]) == (0, 1)


DIGESTS = Digests(manifest="ab" * 32, model="m", data={"train": "train", "test": "test"}, code="c", plan="?")
FOREIGN = [
    {"attempt": 2},
    {"seed": "00" * 32},
    {"digests": {"plan": "00"}},
    {"digests": {"manifest": "00"}},
    {"digests": {"model": "00"}},
    {"digests": {"data": {"test": "00"}}},
    {"digests": {"data": {"other": "test"}}},
]


@pytest.mark.parametrize("change", FOREIGN)
def test_a_finding_of_another_run_does_not_count(change: dict[str, Any]) -> None:
    """Another attempt, seed, plan, manifest, model or data set: not run."""
    planned = plan(load())
    good = finding(planned, "T2.signature")
    if "digests" in change:
        change = {"digests": msgspec.structs.replace(good.digests, **change["digests"])}
    verdict = judge(planned, (msgspec.structs.replace(good, **change),), (), NOW, load())
    assert verdict.counts["pass"] == 0
    assert "another plan" in blockers(verdict, "4b")["T2.signature"].text


def test_the_worse_of_two_findings_counts() -> None:
    """Keeping the better one is no way out."""
    planned = plan(load())
    both = (finding(planned, "T2.signature"), finding(planned, "T2.signature", "fail"))
    assert judge(planned, both, (), NOW, load()).counts["fail"] == 1
    assert judge(planned, both[::-1], (), NOW, load()).counts["fail"] == 1


def test_an_exploratory_finding_does_not_count_beside_sealed_ones() -> None:
    """A pass with a chosen seed does not slip in."""
    planned = plan(load())
    mixed = (finding(planned, "T2.signature", mode="exploratory", seed="1"), finding(planned, "P3.accuracy"))
    assert judge(planned, mixed, (), NOW, load()).counts["pass"] == 1


def test_findings_in_process_are_judged_among_themselves() -> None:
    """An object in memory is judged too, though never sealed."""
    planned = plan(load())
    found = tuple(finding(planned, name, mode="in-process") for name in ("T2.signature", "P3.accuracy"))
    assert judge(planned, found, (), NOW, load()).counts["pass"] == 2


def test_a_plan_that_leaves_out_a_claim_or_check_gains_nothing() -> None:
    """What the catalogue binds and the plan lacks is not run."""
    planned = plan(finished())
    no_claim = msgspec.structs.replace(planned, claims=tuple(one for one in planned.claims if one.claim != "2a"))
    no_check = msgspec.structs.replace(
        planned, checks=tuple(one for one in planned.checks if one.check != "P1.honesty")
    )
    for edited in (no_claim, no_check):
        found = passes(edited)
        verdict = judge(edited, found, (), NOW, finished())
        assert (status(verdict)["2a"], verdict.attained) == ("blocked", 1)


# Waivers.

GOOD = ValidWaiver(claim="2a", until="2026-12-31", officers=("Pia", "Leo"), ids=("a" * 64, "b" * 64))


def test_two_officers_waive_a_claim_and_the_count_says_so() -> None:
    """The claim is waived, names and day are printed, the failing check still gives exit 1."""
    planned = plan(finished())
    verdict = judge(planned, passes(planned, P1_blackbox="inconclusive"), (GOOD,), NOW, finished())
    assert (status(verdict)["2a"], verdict.attained, verdict.exit_code) == ("waived", 4, 0)
    assert "1 waived" in verdict.summary
    assert verdict.waivers == ("Claim 2a is waived until 2026-12-31 by Pia and Leo.",)
    failed = judge(planned, passes(planned, P1_blackbox="fail"), (GOOD,), NOW, finished())
    assert (status(failed)["2a"], failed.exit_code) == ("waived", 1)


BAD_WAIVERS = [
    {"officers": ("Pia", "Pia")},
    {"officers": ("Pia", " pia ")},
    {"officers": ("Pia", "")},
    {"ids": ("a" * 64, "a" * 64)},
    {"keys": ("k", "k")},
    {"keys": ("k",)},
    {"until": "2026-05-31"},
    {"claim": "2b"},
]


@pytest.mark.parametrize("change", BAD_WAIVERS)
def test_half_or_expired_waivers_do_not_count(change: dict[str, Any]) -> None:
    """One person, one file, one key, a day too late, another claim."""
    planned = plan(finished())
    waiver = msgspec.structs.replace(GOOD, **change)
    verdict = judge(planned, passes(planned, P1_blackbox="inconclusive"), (waiver,), NOW, finished())
    assert (status(verdict)["2a"], verdict.attained, verdict.waivers) == ("blocked", 1, ())


def test_a_waiver_counts_on_its_last_day() -> None:
    """Up to and including."""
    planned = plan(finished())
    last = msgspec.structs.replace(GOOD, until=NOW[:10])
    found = passes(planned, P1_blackbox="inconclusive")
    assert status(judge(planned, found, (last,), NOW, finished()))["2a"] == "waived"


def test_a_waiver_of_a_satisfied_claim_changes_nothing() -> None:
    """Waived is said only where it was needed."""
    planned = plan(finished())
    verdict = judge(planned, passes(planned), (GOOD,), NOW, finished())
    assert (status(verdict)["2a"], verdict.waivers) == ("satisfied", ())


# Properties.

OUTCOMES = st.sampled_from(["pass", "fail", "inconclusive", "error", "not-run", ""])


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_order_of_findings_does_not_matter(data: st.DataObject) -> None:
    """Property: any order gives the same bytes."""
    planned = plan(finished())
    found = passes(planned, P1_blackbox=data.draw(OUTCOMES), S5_outliers=data.draw(OUTCOMES))
    shuffled = tuple(data.draw(st.permutations(found)))
    first, second = (judge(planned, some, (), NOW, finished()) for some in (found, shuffled))
    assert canonical(first) == canonical(second)


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_a_worse_finding_never_raises_the_level(data: st.DataObject) -> None:
    """Property: taking a pass away, or making it anything else, attains no more, and never exit 0 beside a failure."""
    planned = plan(finished(), level=5)
    names = sorted(check.check for check in planned.checks if check.status == "run")
    chosen = data.draw(st.lists(st.sampled_from(names), min_size=1, max_size=4, unique=True))
    good = judge(planned, passes(planned), (), NOW, finished())
    worse = {name.replace("-", "_").replace(".", "_", 1): data.draw(OUTCOMES) for name in chosen}
    bad = judge(planned, passes(planned, **worse), (), NOW, finished())
    assert bad.attained <= good.attained
    assert (bad.exit_code == 1) == ("fail" in worse.values())
    assert bad.exit_code != 0 or bad.attained == bad.declared
