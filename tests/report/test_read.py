"""Evidence into documents: verified first, and what does not hold is said or not shown."""

from __future__ import annotations

import sys
from pathlib import Path

import msgspec
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "evidence"))

import evidence_builder as build

from fivefold.contract.verdict import Waiver
from fivefold.errors import InputError
from fivefold.evidence.application import read_folder
from fivefold.evidence.rejudge import rejudge
from fivefold.keys import signing
from fivefold.keys import trust as trust_file
from fivefold.report import html
from fivefold.report.nouns import Document
from fivefold.report.read import read

Folder = dict[str, bytes | None]


def attempts(root: Path, count: int = 1, *, unfinished: bool = False) -> tuple[Folder, bytes]:
    """Assess a small application; return the evidence and a trust file that knows its signer."""
    build.application(root)
    evidence, signer = build.opened(root)
    for _ in range(count):
        build.close(build.begin(evidence, root))
    if unfinished:
        build.begin(evidence, root)
    return read_folder(root / "evidence"), build.trusting((signer, "Ann", "assessor"))


def test_honest_evidence_becomes_a_verified_document(tmp_path: Path) -> None:
    """Plan, findings, verdict and signer are those of the evidence, and a page can be made of them."""
    folder, trust = attempts(tmp_path)
    found = read(folder, trust, build.NOW)
    assert found.verified == "yes"
    assert found.troubles == ()
    assert found.plan.attempt == found.verdict.attempt == 1
    assert {item.check for item in found.findings} == {item.check for item in found.plan.checks if item.status == "run"}
    assert "Signed by Ann" in found.signer
    assert b"The evidence was verified" in html.render_document(found)


def test_the_newest_attempt_with_a_verdict_is_shown_and_all_are_listed(tmp_path: Path) -> None:
    """An attempt that was begun and never closed stands in the list."""
    folder, trust = attempts(tmp_path, 2, unfinished=True)
    found = read(folder, trust, build.NOW)
    assert found.verdict.attempt == 2
    assert [(line.number, line.attained is None) for line in found.attempts] == [(1, False), (2, False), (3, True)]
    assert read(folder, trust, build.NOW, attempt=1).verdict.attempt == 1


@pytest.mark.parametrize(("attempt", "unfinished"), [(7, False), (2, True)])
def test_an_attempt_that_cannot_be_shown_is_refused(tmp_path: Path, attempt: int, unfinished: bool) -> None:
    """One that is not there, one without verdict."""
    folder, trust = attempts(tmp_path, unfinished=unfinished)
    with pytest.raises(InputError) as caught:
        read(folder, trust, build.NOW, attempt=attempt)
    assert caught.value.code == "report.attempt"


def test_where_nothing_is_closed_the_remedy_is_to_finish(tmp_path: Path) -> None:
    """Only an unfinished attempt: say so, and what to do."""
    folder, trust = attempts(tmp_path, 0, unfinished=True)
    with pytest.raises(InputError) as caught:
        read(folder, trust, build.NOW)
    assert caught.value.code == "report.attempt"
    assert "assess" in caught.value.remedy


def test_a_stranger_is_a_doubt(tmp_path: Path) -> None:
    """Nobody is trusted: the document is made, and says that its signer is unknown."""
    folder, _ = attempts(tmp_path)
    found = read(folder, b"", build.NOW)
    assert found.verified == "doubt"
    assert found.troubles
    assert "does not name" in found.signer


def test_every_changed_file_is_caught_and_never_shown_as_sound(tmp_path: Path) -> None:
    """One byte of any file: the document does not verify, or there is none; a changed finding is not in it."""
    folder, trust = attempts(tmp_path)
    for path, data in folder.items():
        if not data:
            continue
        changed = folder | {path: data[:-2] + bytes([data[-2] ^ 1]) + data[-1:]}
        try:
            found = read(changed, trust, build.NOW)
        except InputError:
            continue
        assert found.verified != "yes", path
        assert found.troubles, path
        if "/statements/" in path:
            assert Path(path).stem not in {item.check for item in found.findings}


def test_a_waiver_judges_again_and_names_both_officers(tmp_path: Path) -> None:
    """The newest verdict over the attempt is shown, with the exemption that it counts; half a waiver is none."""
    build.application(tmp_path)
    evidence, signer = build.opened(tmp_path)
    build.close(build.begin(evidence, tmp_path))
    officers = [(signing.generate(), "Pia", "privacy-officer"), (signing.generate(), "Leo", "legal-officer")]
    trust = build.trusting((signer, "Ann", "assessor"), *officers)  # type: ignore[arg-type]
    for seen, (key, _, role) in enumerate(officers):
        assert len(read(read_folder(tmp_path / "evidence"), trust, build.NOW).waivers) == 0, seen
        terms = {"reason": "a pilot for one month", "until": "2027-01-31", "issued": "2026-11-23T09:00:00Z"}
        evidence.add_waiver(Waiver(application="toy-app", claim="2c", role=role, **terms), key)  # type: ignore[arg-type]
        rejudge(evidence, trust_file.read(trust), build.NOW)
    found = read(read_folder(tmp_path / "evidence"), trust, build.NOW)
    assert [(line.claim, line.until, line.officers, line.reason) for line in found.waivers] == [
        ("2c", "2027-01-31", ("Pia", "Leo"), "a pilot for one month")
    ]
    assert [claim.status for claim in found.verdict.claims if claim.claim == "2c"] == ["waived"]
    assert b"Pia and Leo: a pilot for one month" in html.render_document(found)


def test_a_document_reads_back_from_its_json(tmp_path: Path) -> None:
    """Real evidence, not only factories, fits the published form."""
    from fivefold.report import json_

    folder, trust = attempts(tmp_path)
    found = read(folder, trust, build.NOW)
    assert msgspec.json.decode(json_.document(found), type=Document) == found
