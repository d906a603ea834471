"""Findings that contradict themselves, or their plan, are named by verify."""

from __future__ import annotations

from typing import TYPE_CHECKING

import evidence_builder as build
import msgspec
import pytest

from fivefold.contract.finding import Canary, Measure, Result
from fivefold.contract.outcome import Outcome
from fivefold.evidence.application import read_folder
from fivefold.evidence.consistency import contradictions
from fivefold.evidence.verify import verify

if TYPE_CHECKING:
    from pathlib import Path

GOOD = Canary(kind="planted", planted=20, found=19, clean=20, false_alarms=0, noticed=True)


def result(outcome: Outcome = Outcome.PASS, canary: Canary | None = GOOD, **figure: object) -> Result:
    """Return a result with one figure."""
    parts: dict[str, object] = {"name": "AUC", "value": 0.55, "low": 0.5, "high": 0.58, "threshold": 0.6} | figure
    measure = Measure(direction=str(parts.pop("direction", "max")), outcome=parts.pop("judged", Outcome.PASS), **parts)
    return Result(outcome=outcome, reason="so", measures=(measure,), canary=canary)


@pytest.mark.parametrize(
    ("made", "count"),
    [
        (result(), 0),
        (result(Outcome.INCONCLUSIVE, judged=Outcome.INCONCLUSIVE, high=0.7), 0),
        (result(Outcome.FAIL, judged=Outcome.FAIL, low=0.9, value=0.95, high=0.99), 0),
        (result(value=0.99, low=0.98, high=1.0), 1),
        (result(value=0.99, low=None, high=None), 1),
        (result(direction="min", value=0.2, low=0.1, high=0.3), 1),
        (result(judged=Outcome.FAIL), 1),
        (result(threshold=None, judged=None), 0),
        (result(canary=msgspec.structs.replace(GOOD, found=0)), 1),
        (result(canary=msgspec.structs.replace(GOOD, false_alarms=20)), 1),
        (result(canary=msgspec.structs.replace(GOOD, found=21)), 1),
        (result(Outcome.INCONCLUSIVE, canary=msgspec.structs.replace(GOOD, found=0, noticed=False)), 0),
        (result(Outcome.ERROR, canary=None), 0),
        (result(judged=Outcome.INCONCLUSIVE), 1),
        (result(Outcome.INCONCLUSIVE, judged=Outcome.FAIL), 1),
        (result(Outcome.INCONCLUSIVE, judged=Outcome.FAIL, canary=msgspec.structs.replace(GOOD, noticed=False)), 0),
        (result(canary=msgspec.structs.replace(GOOD, planted=0, found=0)), 1),
    ],
)
def test_only_what_cannot_be_true_is_named(made: Result, count: int) -> None:
    """Honest passes, failures and doubts are left alone."""
    assert len(contradictions(made)) == count


LIES = {
    "figure": "finding.contradiction",
    "bound": "finding.contradiction",
    "threshold": "finding.contradiction",
    "canary": "finding.contradiction",
    "sandbox": "finding.contradiction",
    "code": "finding.plan",
    "version": "finding.plan",
}


@pytest.mark.parametrize("lie", list(LIES))
def test_verify_names_a_finding_that_contradicts_itself_or_its_plan(tmp_path: Path, lie: str) -> None:
    """Signed by the owner, and still not believed."""
    build.application(tmp_path)
    evidence, signer = build.opened(tmp_path)
    attempt = build.begin(evidence, tmp_path)
    first, *others = sorted(build.runs(attempt.plan), key=lambda check: check != "P3.membership")
    made = build.finding(attempt.plan, first)
    honest = made.result
    if lie == "figure":
        made = msgspec.structs.replace(made, result=result(value=0.99, low=0.98, high=1.0))
    elif lie == "bound":
        figures = [msgspec.structs.replace(one, high=one.threshold + 0.01) for one in honest.measures]
        made = msgspec.structs.replace(made, result=msgspec.structs.replace(honest, measures=tuple(figures)))
    elif lie == "threshold":
        figures = [msgspec.structs.replace(one, threshold=0.99) for one in honest.measures]
        made = msgspec.structs.replace(made, result=msgspec.structs.replace(honest, measures=tuple(figures)))
    elif lie == "canary":
        made = msgspec.structs.replace(made, result=result(canary=msgspec.structs.replace(GOOD, found=0)))
    elif lie == "sandbox":
        made = msgspec.structs.replace(made, sandbox=("landlock-7", "seccomp", "hsm-attested"))
    elif lie == "code":
        made = msgspec.structs.replace(made, digests=msgspec.structs.replace(made.digests, code="0" * 64))
    else:
        made = msgspec.structs.replace(made, version=99)
    attempt.add(made)
    for check in others:
        attempt.add(build.finding(attempt.plan, check))
    attempt.close(build.verdict(attempt.plan, attempt.findings(), now=attempt.started), None)
    found = verify(read_folder(tmp_path / "evidence"), build.trusting((signer, "Ann", "assessor")), build.NOW)
    path = f"attempts/0001/statements/{first}.json"
    assert [(flaw.code, flaw.path) for flaw in found.problems] == [(LIES[lie], path)]
