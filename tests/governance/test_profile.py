"""J6.profiles: every rule of every profile fires on a manifest that breaks it, and is silent on one that keeps it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from tests.subject.apps import build
from tests.truth.profiles import DEMANDS, RULES
from tests.truth.subjects import context

from fivefold.assess.run import Options, assess
from fivefold.catalogue.profiles import NAMES, profile
from fivefold.contract.outcome import Outcome
from fivefold.contract.subject import SettingsView
from fivefold.errors import ProblemsError, UnsupportedError
from fivefold.governance import profile as module
from fivefold.manifest.reader import read

if TYPE_CHECKING:
    from pathlib import Path

    from fivefold.contract.finding import Result

KEPT = {
    "application.level": 4, "application.acts": False, "application.alone": False, "data.personal": True,
    "data.basis": True, "data.protected": 3, "data.regions": 1, "data.alarm": True, "data.positive": True,
    "model.classifies": True, "model.signed": True, "manifest.purpose": True, "manifest.parties": 3,
    "manifest.scenarios": 2,
}  # fmt: skip


def judged(name: str, thresholds: dict[str, dict[str, float]] | None = None, **facts: object) -> Result:
    """Return the result for statements that keep every rule but for ``facts``."""
    told = KEPT | {key.replace("__", "."): value for key, value in facts.items()}
    settings = SettingsView(level=4, scenario=name, facts=told, thresholds=thresholds)  # type: ignore[arg-type]
    return module.run(context("J6.profiles", None, {}, 1, thresholds={}, settings=settings))


@pytest.mark.parametrize("name", NAMES)
def test_each_rule_fires_by_itself(name: str) -> None:
    """One statement broken, one finding, with the rule's reason and remedy."""
    assert judged(name).outcome is Outcome.PASS
    for fact, _, broken in RULES[name]:
        found = judged(name, **{fact.replace(".", "__"): broken})
        assert found.outcome is Outcome.FAIL, fact
        assert found.remedy
        assert found.canary is not None
        assert found.canary.noticed


def test_every_rule_of_every_profile_is_broken_by_some_case() -> None:
    """The table of cases leaves out only the rule that no statement of these cases can break."""
    for name in NAMES:
        told = {rule.id for rule in profile(name).rules}
        met = {
            ruling
            for fact, _, broken in RULES[name]
            for ruling in told
            if ruling in judged(name, **{fact.replace(".", "__"): broken}).reason
        }
        assert told - met <= {"carrier.level"}
    switches = judged("carrier", application__acts=True, application__alone=True)
    assert "carrier.level" in switches.reason


@pytest.mark.parametrize("name", DEMANDS)
def test_a_threshold_that_is_too_loose_fires(name: str) -> None:
    """The floor itself is not enough where the profile asks for more."""
    check, key, kept, broken = DEMANDS[name]
    assert judged(name, {check: {key: kept}}).outcome is Outcome.PASS
    found = judged(name, {check: {key: broken}})
    assert found.outcome is Outcome.FAIL
    assert key in found.remedy


def test_what_nobody_could_read_is_neither_kept_nor_broken() -> None:
    """An endpoint that did not answer: nobody knows whether it classifies."""
    assert judged("health", model__classifies=None, data__alarm=False).outcome is Outcome.INCONCLUSIVE
    assert judged("health", model__classifies=False, data__alarm=False).outcome is Outcome.PASS
    assert judged("health", model__classifies=None).outcome is Outcome.PASS


@pytest.mark.parametrize("name", ["", "gaming", "Health"])
def test_without_a_profile_nothing_is_judged(name: str) -> None:
    """Not run, with the names that there are."""
    with pytest.raises(UnsupportedError) as refused:
        judged(name)
    assert "health" in refused.value.remedy


@pytest.mark.parametrize("answer", [True, False])
def test_an_unnoticed_canary_makes_it_inconclusive(monkeypatch: pytest.MonkeyPatch, *, answer: bool) -> None:
    """Rules that always hold, or never do, are not believed."""
    monkeypatch.setattr("fivefold.plan.profile.decide", lambda *_: answer)
    assert judged("health").outcome is Outcome.INCONCLUSIVE


def outcome_of(root: Path, manifest: dict[str, Any], **data: object) -> tuple[str, str]:
    """Return outcome and reason of the check through the runner."""
    done = assess(build(root, manifest=manifest, **data), Options(effort="quick", only=("J6.profiles",)))
    (finding,) = done.findings
    return str(finding.result.outcome), finding.result.reason


def test_through_the_runner(tmp_path: Path) -> None:
    """What model and manifest say reaches the check, thresholds included."""
    application = {"id": "app", "level": 2, "scenario": "manufacturing"}
    outcome, reason = outcome_of(tmp_path / "a", {"application": application})
    assert outcome == "fail"
    assert "manufacturing.detect" in reason
    assert "max_fidelity_gain" in reason
    asked = {"application": application | {"scenario": "retail", "purpose": "a test"}}
    asked |= {"checks": {"P3.membership": {"max_auc": 0.55}}}
    assert outcome_of(tmp_path / "b", asked) == ("pass", "All 2 rules of the profile retail that apply hold.")


def test_a_slip_in_the_name_is_refused_with_the_name_meant(tmp_path: Path) -> None:
    """Else the rules would quietly not bind."""
    with pytest.raises(ProblemsError) as refused:
        build(tmp_path / "app", manifest={"application": {"id": "a", "level": 2, "scenario": "finanse"}})
    (problem,) = refused.value.problems
    assert problem.code == "manifest.scenario-name"
    assert "finance" in problem.remedy
    build(tmp_path / "other", manifest={"application": {"id": "a", "level": 2, "scenario": "chess club"}})
    assert read(tmp_path / "other").application.scenario == "chess club"
