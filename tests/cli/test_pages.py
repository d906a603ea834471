"""The page that is sealed with a verdict: made again by verify, and compared."""

from __future__ import annotations

import sys
from pathlib import Path

import msgspec
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "evidence"))

import evidence_builder as build

from fivefold.cli._sealed import page
from fivefold.contract.verdict import Waiver
from fivefold.evidence.application import read_folder
from fivefold.evidence.folder import Evidence
from fivefold.evidence.rejudge import rejudge
from fivefold.evidence.verify import verify
from fivefold.keys import signing
from fivefold.keys import trust as trust_file
from fivefold.plan.seal import plan_digest, seal


def found(root: Path, signer: signing.Signer, *officers: tuple[signing.Signer, str, trust_file.Role]) -> object:
    """Verify with the renderer that the command hands in."""
    trust = build.trusting((signer, "Ann", "assessor"), *officers)
    return verify(read_folder(root / "evidence"), trust, build.NOW, render=page)


def test_honest_pages_are_the_same(tmp_path: Path) -> None:
    """Three attempts, one unfinished, waivers and a re-judgement between them: each page is as it was made."""
    build.application(tmp_path)
    evidence, signer = build.opened(tmp_path)
    build.close(build.begin(evidence, tmp_path), pages=evidence)
    pia, leo = signing.generate(), signing.generate()
    officers = ((pia, "Pia", "privacy-officer"), (leo, "Leo", "legal-officer"))
    for key, _, role in officers:
        terms = {"reason": "we accept this <b>for now</b>", "until": "2027-01-31", "issued": "2026-11-23T09:00:00Z"}
        evidence.add_waiver(Waiver(application="toy-app", claim="2c", role=role, **terms), key)  # type: ignore[arg-type]
    known = trust_file.read(build.trusting((signer, "Ann", "assessor"), *officers))
    assert rejudge(evidence, known, "2026-11-23T09:30:00Z") is not None
    build.begin(evidence, tmp_path)
    build.close(build.begin(evidence, tmp_path), pages=evidence)
    answer = found(tmp_path, signer, *officers)
    assert "report.differs" not in {flaw.code for flaw in answer.problems}
    assert not any("sealed page" in note for note in answer.notes)


@pytest.mark.parametrize(
    "lie", [b"<!doctype html><h1>Level 5 of 5 attained</h1>", b""], ids=["another page", "an empty page"]
)
def test_a_page_that_says_something_else_is_named(tmp_path: Path, lie: bytes) -> None:
    """Signed with the verdict, in order, and still not what follows."""
    build.application(tmp_path)
    evidence, signer = build.opened(tmp_path)
    build.close(build.begin(evidence, tmp_path), lie)
    answer = found(tmp_path, signer)
    assert [(flaw.code, flaw.path) for flaw in answer.problems] == [("report.differs", "attempts/0001/report.html")]


def test_one_changed_word_is_named(tmp_path: Path) -> None:
    """The honest page with one figure replaced."""
    build.application(tmp_path)
    evidence, signer = build.opened(tmp_path)
    attempt = build.begin(evidence, tmp_path)
    for check in build.runs(attempt.plan):
        attempt.add(build.finding(attempt.plan, check))
    said = build.verdict(attempt.plan, attempt.findings(), now=attempt.started)
    from fivefold.cli._sealed import sealed_page

    honest = sealed_page(attempt.plan, (), said, evidence)
    edited = honest.replace(b"inconclusive", b"pass", 1) if b"inconclusive" in honest else honest + b" "
    attempt.close(said, edited)
    assert "report.differs" in {flaw.code for flaw in found(tmp_path, signer).problems}


def test_a_page_of_another_version_is_noted_and_not_compared(tmp_path: Path) -> None:
    """What another version would write is not known here; neither is it where no renderer is given."""
    build.application(tmp_path)
    signer = signing.generate()
    evidence = Evidence(tmp_path / "evidence", signer, "toy-app", build.Clock())
    plan = msgspec.structs.replace(build.plan(tmp_path, 1), code="0" * 64, attempt=0)
    plan = seal(msgspec.structs.replace(plan, digest=plan_digest(plan)), 1)
    attempt = evidence.open_attempt(plan, (tmp_path / "fivefold.yaml").read_bytes())
    build.close(attempt)
    answer = found(tmp_path, signer)
    assert (answer.exit_code, answer.problems) == (3, ())
    assert any("was not compared (another version made it)" in note for note in answer.notes)
    bare = verify(read_folder(tmp_path / "evidence"), build.trusting((signer, "Ann", "assessor")), build.NOW)
    assert any("was not compared (no page is made here)" in note for note in bare.notes)
