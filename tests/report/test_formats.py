"""SARIF, JUnit and Markdown: accepted by outside readers; nothing that is not a pass looks like one."""

from __future__ import annotations

import json
import subprocess
import xml.etree.ElementTree as ET
from pathlib import Path

import factories
import msgspec
import pytest

from fivefold.contract.outcome import Outcome
from fivefold.report import junit
from fivefold.report.formats import FORMATS

REPO = Path(__file__).resolve().parents[2]
PEER = REPO / ".venv-peers" / "exports" / "bin" / "python"


def every() -> tuple[object, ...]:
    """Return one finding of each outcome."""
    ids = ("P3.accuracy", "P3.membership", "F1.gaps", "T2.signature", "P1.blackbox", "P2.extraction")
    return tuple(factories.finding(check, outcome) for check, outcome in zip(ids, Outcome, strict=True))


def sarif_of(**parts: object) -> dict:
    """Return the SARIF log of a document."""
    return json.loads(FORMATS["sarif"].write(factories.document(**parts)))


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("make", [factories.document, factories.hostile])
def test_every_format_writes_every_document_the_same_way_twice(name: str, make) -> None:
    """Hostile text included, within a size that build pages take."""
    first = FORMATS[name].write(make())
    assert first == FORMATS[name].write(make())
    assert 0 < len(first) < 1 << 20


@pytest.mark.parametrize("form", ["sarif", "junit"])
@pytest.mark.parametrize("make", [factories.document, factories.hostile, lambda: factories.document(findings=every())])
def test_outside_readers_accept_it(tmp_path: Path, form: str, make) -> None:
    """sarif-tools and a typed model of SARIF 2.1.0; junitparser, counting again."""
    if not PEER.exists():
        pytest.skip(f"the environment of outside readers is not there ({PEER}); scripts/test makes it")
    place = tmp_path / f"report.{FORMATS[form].ending}"
    place.write_bytes(FORMATS[form].write(make()))
    command = [str(PEER), str(Path(__file__).parent / "outside.py"), form, str(place)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr[-2000:]


def test_sarif_levels_follow_outcomes_and_passes_give_no_result() -> None:
    """A code-scanning page closes the alert of a check that passes."""
    (run,) = sarif_of(findings=every())["runs"]
    levels = {result["properties"]["outcome"]: result["level"] for result in run["results"]}
    assert levels == {"fail": "error", "error": "error", "inconclusive": "warning", "not-run": "note"}
    for result in run["results"]:
        assert run["tool"]["driver"]["rules"][result["ruleIndex"]]["id"] == result["ruleId"]


def test_fingerprints_hold_over_runs_and_differ_between_applications() -> None:
    """Another attempt, reason or line keeps the alert; another application has its own."""

    def marks(**parts: object) -> dict[str, str]:
        (run,) = sarif_of(**parts)["runs"]
        return {result["ruleId"]: result["partialFingerprints"]["fivefoldCheck/v1"] for result in run["results"]}

    before = marks(findings=every())
    later = tuple(msgspec.structs.replace(item, attempt=9, seed="ff") for item in every())
    assert marks(findings=later, verdict=factories.verdict(attempt=9)) == before
    other = marks(findings=every(), verdict=factories.verdict(application="another"))
    assert not set(other.values()) & set(before.values())


@pytest.mark.parametrize("outcome", list(Outcome))
def test_junit_counts_only_a_pass_as_a_pass(outcome: Outcome) -> None:
    """Inconclusive is an error: a build that does not know is not green."""
    root = ET.fromstring(junit.write(factories.document(findings=(factories.finding("P3.accuracy", outcome),))))
    case = next(case for case in root.iter("testcase") if case.get("name") == "P3.accuracy")
    tags = {child.tag for child in case}
    wanted = {
        "pass": set(), "fail": {"failure"}, "error": {"error"}, "inconclusive": {"error"}, "not-run": {"skipped"},
        "not-applicable": {"skipped"},
    }  # fmt: skip
    assert tags == wanted[str(outcome)]


def test_junit_fails_the_level_that_is_not_attained_and_evidence_that_does_not_hold() -> None:
    """The last case is the verdict."""

    def last(**parts: object) -> ET.Element:
        return list(ET.fromstring(junit.write(factories.document(**parts))).iter("testcase"))[-1]

    reached = factories.verdict(attained=4, declared=4)
    assert last(verdict=factories.verdict(attained=1, declared=4)).find("failure") is not None
    assert len(last(verdict=reached, verified="yes")) == 0
    assert last(verdict=reached, verified="no").find("error") is not None


def test_markdown_cannot_be_broken_by_text() -> None:
    """No table row, mention, link or tag comes out of a reason."""
    evil = factories.finding("P3.accuracy", Outcome.FAIL)
    said = msgspec.structs.replace(
        evil.result, reason="a | b <script>alert(1)</script> @team [x](http://y) `c` \n| new | row |"
    )
    text = FORMATS["md"].write(factories.document(findings=(msgspec.structs.replace(evil, result=said),))).decode()
    row = next(line for line in text.splitlines() if "P3.accuracy" in line and line.startswith("| **fail"))
    assert "<script>" not in row
    assert "@team" not in row
    assert row.replace("\\|", "").count("|") == 4
