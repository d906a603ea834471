"""T4.record: passes where the recorder is on, fails where it is off, early or the model wavers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.subject.apps import build
from tests.truth import record as subjects

from fivefold.assess.run import Options, assess
from fivefold.contract.outcome import Outcome
from fivefold.traceability.recorder import check

if TYPE_CHECKING:
    from pathlib import Path

LEVEL = {"application": {"id": "app", "level": 4}, "use": {"output": "recommendation"}}


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    ("kind", "outcome"),
    [(kind, Outcome.FAIL) for kind in subjects.ENTRY.planted] + [(kind, Outcome.PASS) for kind in subjects.ENTRY.clean],
)
def test_each_kind_of_subject_is_judged_rightly(kind: str, outcome: Outcome, seed: int) -> None:
    """And twice alike."""
    make = (dict(subjects.ENTRY.planted) | dict(subjects.ENTRY.clean))[kind]
    found = check.run(make(seed))
    assert found.outcome is outcome
    assert found.canary is not None
    assert found.canary.noticed
    assert check.run(make(seed)) == found


def test_unnoticed_tampering_makes_it_inconclusive(monkeypatch: pytest.MonkeyPatch) -> None:
    """An audit that finds nothing is not believed."""
    from fivefold.log.audit import Audit

    monkeypatch.setattr(check, "audit", lambda *_: Audit(0, 0, ()))
    make = subjects.ENTRY.clean["recorder by default"]
    assert check.run(make(1)).outcome is Outcome.INCONCLUSIVE


@pytest.mark.parametrize(("controls", "outcome"), [({}, "fail"), ({"T4": {"store": "record"}}, "pass")])
def test_a_manifest_turns_it_on(tmp_path: Path, controls: dict[str, object], outcome: str) -> None:
    """Through the runner, in the worker."""
    app = build(tmp_path / "app", manifest=LEVEL | {"controls": controls})
    (finding,) = assess(app, Options(effort="quick", only=("T4.record",))).findings
    assert finding.result.outcome == outcome, finding.result.reason
