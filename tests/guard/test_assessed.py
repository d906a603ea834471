"""Assessments that ask the guard, too: both measurements sealed and shown, and a guard that refuses too much fails."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
import yaml
from msgspec import UNSET
from tests.guard import signed
from tests.guard.test_falling import application as with_ladder

from fivefold.assess.guarding import COVERAGE
from fivefold.assess.reproduce import reproduce
from fivefold.assess.run import Assessment, Options, assess
from fivefold.contract.codec import canonical
from fivefold.contract.outcome import Outcome
from fivefold.evidence.application import newest_manifest, observe, read_folder
from fivefold.evidence.settle import settle
from fivefold.evidence.verify import verify
from fivefold.keys import store
from fivefold.manifest.reader import read
from fivefold.report import html, json_, terminal
from fivefold.report.nouns import Document

if TYPE_CHECKING:
    from pathlib import Path

    from fivefold.contract.finding import Finding, Measure


def explored(root: Path, *only: str, level: int = 5, **more: Any) -> dict[str, Finding]:
    """Run some checks of an application; return check id to finding."""
    document = yaml.safe_load((root / "fivefold.yaml").read_text())
    document["application"] = {"id": root.name, "level": level}
    (root / "fivefold.yaml").write_text(yaml.safe_dump(document, sort_keys=False))
    done = assess(read(root), Options(effort="quick", only=only, **more))
    return {finding.check: finding for finding in done.findings}


def figure(finding: Finding, name: str, *, bare: bool = False) -> Measure:
    """Return a figure of a finding's counting, or of its bare measurement."""
    result = finding.bare if bare else finding.result
    assert result is not UNSET
    return next(one for one in result.measures if one.name == name)


@pytest.fixture(scope="module")
def sealed(made: Path, tmp_path_factory: pytest.TempPathFactory) -> Assessment:
    """A sealed run of an application that lets labels out alone, and three hundred of them."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("CONFIG", "STATE", "CACHE", "DATA"):
            patch.setenv(f"XDG_{name}_HOME", str(made / name.lower()))
        root = signed.application(
            tmp_path_factory.mktemp("sealed") / "app", controls={"P2": {"decimals": 0, "budget": "300/day"}}
        )
        return assess(read(root), Options(effort="quick"))


@pytest.mark.slow
def test_both_measurements_are_sealed_and_verify(sealed: Assessment) -> None:
    """The plan says which checks are measured twice; their findings hold both, and the evidence stands."""
    twice = {check.check for check in sealed.plan.checks if check.guarded is not UNSET}
    assert twice == {"P1.blackbox", "P1.standard", "P1.tables", "P2.extraction", "P3.accuracy", "P3.membership"}
    assert {finding.check for finding in sealed.findings if finding.bare is not UNSET} == twice
    assert sealed.evidence is not None
    folder = read_folder(sealed.evidence)
    root = sealed.evidence.parent
    observed = observe(root, newest_manifest(folder, root))  # type: ignore[arg-type]
    assert verify(folder, store.read_trust(), store.utc_now(), application=observed).problems == ()


@pytest.mark.slow
def test_controls_show_as_a_difference(sealed: Assessment) -> None:
    """Labels alone and a budget: the copy rests on fewer questions and is no better; accuracy is the same."""
    found = {finding.check: finding for finding in sealed.findings}
    copied = found["P2.extraction"]
    assert figure(copied, "questions asked").value == 300
    assert figure(copied, "questions asked", bare=True).value == 1000
    # a model of one number is copied by few labels, so that both may be 1
    assert figure(copied, "fidelity of the copy").value <= figure(copied, "fidelity of the copy", bare=True).value
    right = found["P3.accuracy"]
    assert figure(right, "accuracy").value == figure(right, "accuracy", bare=True).value
    assert figure(right, COVERAGE).outcome is Outcome.PASS


@pytest.mark.slow
def test_the_report_shows_both_side_by_side(sealed: Assessment) -> None:
    """On the page, on the terminal and in the JSON form; a check that was measured once looks as before."""
    assert sealed.verdict is not None
    document = Document(plan=sealed.plan, findings=sealed.findings, verdict=sealed.verdict)
    page = html.render_document(document).decode()
    twice = sum(finding.bare is not UNSET for finding in sealed.findings)
    assert page.count("bare and behind the guard</caption>") == twice
    assert f'<th scope="row">{COVERAGE}</th>' in page
    shown = terminal.write(document).decode()
    assert " ".join(shown.split()).count(", which counts") == twice
    assert "fidelity gain: bare" in " ".join(shown.split())
    stored = {one["check"]: one for one in json.loads(json_.document(document))["findings"]}
    assert stored["P2.extraction"]["bare"]["outcome"] == "fail"
    assert "bare" not in stored["T2.signature"]


@pytest.mark.slow
def test_the_same_plan_gives_the_same_findings_again(sealed: Assessment) -> None:
    """Nothing of the scratch record, its ids, keys and times is in them."""
    assert sealed.evidence is not None
    manifest = read(sealed.evidence.parent)
    findings = [one for one in sealed.findings if one.check in ("P2.extraction", "P3.accuracy", "T2.signature")]
    again = reproduce(
        manifest, sealed.plan, findings, trust=store.read_trust(), started=store.utc_now(), evidence=sealed.evidence
    )
    assert [(one.check, one.same, one.differences) for one in again] == [(one.check, True, ()) for one in findings]


@pytest.mark.slow
def test_a_finding_without_the_measurement_that_the_plan_asks_does_not_count(sealed: Assessment) -> None:
    """A bare finding where the guarded one is planned, and one that claims a guard that is not planned."""
    found = {finding.check: finding for finding in sealed.findings}
    right, signature = found["P3.accuracy"], found["T2.signature"]
    assert settle(sealed.plan, (right,))["P3.accuracy"].outcome is Outcome.PASS
    bare = msgspec.structs.replace(right, bare=UNSET)
    assert settle(sealed.plan, (bare,))["P3.accuracy"].outcome is Outcome.NOT_RUN
    claimed = msgspec.structs.replace(signature, bare=signature.result)
    assert settle(sealed.plan, (claimed,))["T2.signature"].outcome is Outcome.NOT_RUN


def test_a_guard_that_refuses_everything_fails_by_coverage(tmp_path: Path) -> None:
    """A risk that nothing can keep: people would decide all, and an accuracy that passes bare does not any more."""
    root = with_ladder(tmp_path / "app", risk=0.002, levels=["model", "human"], rules="")
    found = explored(root, "P3.accuracy")["P3.accuracy"]
    assert found.bare is not UNSET
    assert found.bare.outcome is Outcome.PASS
    assert found.result.outcome is Outcome.FAIL
    covered = figure(found, COVERAGE)
    assert (covered.value, covered.outcome, covered.threshold) == (0.0, Outcome.FAIL, 0.9)
    assert found.result.reason.startswith("Of 300 clean rows the model answers 0.0% behind the guard, and 90% are")
    assert any("by human" in text for text in found.result.limits)


def test_the_ladder_is_asked_as_it_stands_with_its_rules(tmp_path: Path) -> None:
    """C3.risk behind the guard counts what rules answer, too; bare it cannot."""
    found = explored(with_ladder(tmp_path / "app"), "C3.risk")["C3.risk"]
    answered = "share of rows that are answered without a person"
    assert figure(found, answered).value > figure(found, answered, bare=True).value
    assert [bar.label for bar in found.result.plots[0].bars][:2] == ["answered by: model", "answered by: rules"]
    assert any("by rules" in text for text in found.result.limits)


@pytest.mark.slow
def test_what_is_drawn_is_drawn_the_same_again(tmp_path: Path) -> None:
    """Noise, detection of thieves and rounding: byte for byte the same, exploratory, with the same seed."""
    controls = {"P2": {"noise": 0.5, "flips": 0.05, "decimals": 2, "detect": True}}
    root = signed.application(tmp_path / "app", controls=controls)
    first, again = (explored(root, "P2.extraction", seed="7")["P2.extraction"] for _ in range(2))
    assert canonical(first) == canonical(again)
    assert first.bare is not UNSET
    assert canonical(first.bare) != canonical(first.result)


def test_an_altered_model_has_no_guard_and_the_bare_measurement_does_not_stand_in(tmp_path: Path) -> None:
    """The check counts as not run, whatever the bare model showed."""
    root = signed.application(tmp_path / "app", controls={"P2": {"decimals": 2}})
    (root / "scorer.py").write_text((root / "scorer.py").read_text() + "\nALTERED = True\n")
    found = explored(root, "P3.accuracy")["P3.accuracy"]
    assert found.result.outcome is Outcome.NOT_RUN
    assert found.result.reason.startswith("The guard opens no port: ")
    assert found.bare is not UNSET
    assert found.bare.outcome is Outcome.PASS


def test_on_wish_nothing_is_measured_behind_the_guard(tmp_path: Path) -> None:
    """Exploratory: ``--bare``."""
    root = signed.application(tmp_path / "app", controls={"P2": {"decimals": 2}})
    found = explored(root, "P3.accuracy", bare=True)["P3.accuracy"]
    assert found.bare is UNSET
    assert all(one.name != COVERAGE for one in found.result.measures)


def test_a_budget_does_not_look_like_a_leak(tmp_path: Path) -> None:
    """Members are asked first: if the accounts ran out, refusals alone would tell them from the others."""
    root = signed.application(tmp_path / "app", controls={"P2": {"budget": "40/day"}})
    found = explored(root, "P3.membership")["P3.membership"]
    behind, bare = figure(found, "membership AUC"), figure(found, "membership AUC", bare=True)
    assert found.bare is not UNSET
    assert behind.value == bare.value
    assert not any("refused" in text for text in found.result.limits)
