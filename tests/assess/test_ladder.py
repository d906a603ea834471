"""C3.ladder and C3.queue in the worker, on an application that declares every step."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.subject.apps import RULE, build, table

from fivefold.assess.run import Options, assess
from fivefold.contract.outcome import Outcome

if TYPE_CHECKING:
    from pathlib import Path

    from fivefold.contract.finding import Result

RULES = """
rules: 1
table:
  - {when: "weight > 70", answer: "yes", because: it is heavy}
"""
STEPS = ["model", "ensemble", "simpler", "rules", "human"]


def assessed(root: Path, controls: dict[str, object]) -> dict[str, Result]:
    """Assess an application with these controls; return its two findings."""
    (root / "data").mkdir(parents=True)
    (root / "rules.yaml").write_text(RULES)
    table(600, 3).to_csv(root / "data" / "calibration.csv", index=False)
    data = {
        "train": {"path": "data/train.csv", "target": "answer", "positive": "yes"},
        "test": {"path": "data/test.csv"},
        "calibration": {"path": "data/calibration.csv"},
    }
    application = {"id": "stepping", "level": 5, "purpose": "sort"}
    use = {"output": "action", "acts": "system", "alone": True}
    manifest = {"controls": controls, "data": data, "application": application, "use": use}
    found = assess(build(root, RULE, manifest=manifest), Options(only=("C3",), effort="quick"))
    return {one.check: one.result for one in found.findings}


@pytest.mark.parametrize("rules", ["rules.yaml", "none.yaml"])
def test_every_declared_step_is_asked_in_the_worker(tmp_path: Path, rules: str) -> None:
    """The table of rules and the ensemble are there; a table that cannot be read is said, and nothing is judged."""
    controls = {
        "C2": {"members": 3},
        "C3": {"risk": 0.25, "delta": 0.1, "levels": STEPS, "rules": rules, "deadline": 2},
    }
    found = assessed(tmp_path / "app", controls)
    ladder, queue = found["C3.ladder"], found["C3.queue"]
    assert queue.outcome is Outcome.PASS, queue.reason
    if rules == "none.yaml":
        assert ladder.outcome is Outcome.NOT_RUN
        assert "rules" in ladder.reason
        return
    assert ladder.outcome in (Outcome.PASS, Outcome.INCONCLUSIVE, Outcome.FAIL)
    assert ladder.canary is not None
    assert ladder.canary.noticed
    assert [one.where for one in ladder.measures] == ["", *STEPS[1:]]
    assert ladder.measures[0].value == 0
    assert ladder.measures[0].outcome is Outcome.PASS, ladder.reason


def test_without_a_ladder_nobody_answers_for_a_model_that_is_gone(tmp_path: Path) -> None:
    """C3.ladder fails; the queue does not apply, since people are no step."""
    found = assessed(tmp_path / "app", {})
    assert found["C3.ladder"].outcome is Outcome.FAIL
    assert "controls.C3 is not declared" in found["C3.ladder"].reason
    assert "C3.queue" not in found
