"""What verify and report show of a verdict that says more than follows: the level computed again, not the signed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import evidence_builder as build
import msgspec
import pytest

from fivefold.catalogue import load
from fivefold.contract.outcome import Outcome
from fivefold.contract.verdict import Waiver
from fivefold.evidence import waivers
from fivefold.evidence.application import read_folder
from fivefold.evidence.judge import ValidWaiver, judge
from fivefold.evidence.verify import verify
from fivefold.keys import signing
from fivefold.report.read import read

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from fivefold.contract.verdict import Verdict
    from fivefold.evidence.folder import Evidence

P, L, S = signing.generate(), signing.generate(), signing.generate()


def waive(evidence: Evidence, claim: str, *officers: tuple[signing.Signer, str]) -> None:
    """Log one half for each officer."""
    for officer, role in officers:
        terms = {"reason": "we accept this for now", "until": "2027-01-31", "issued": "2026-11-23T09:00:00Z"}
        evidence.add_waiver(Waiver(application="toy-app", claim=claim, role=role, **terms), officer)  # type: ignore[arg-type]


def closed(
    root: Path, halves: dict[str, tuple[tuple[signing.Signer, str], ...]], lie: Callable[[Verdict], Verdict]
) -> signing.Signer:
    """Close an attempt, all open but fairness; its verdict counts every logged waiver, and ``lie`` changes it."""
    build.application(root)
    evidence, signer = build.opened(root)
    for claim, officers in halves.items():
        waive(evidence, claim, *officers)
    attempt = build.begin(evidence, root)
    for check in build.runs(attempt.plan):
        held = check.startswith("F1.")  # an aim that binds cannot be waived
        attempt.add(build.finding(attempt.plan, check, Outcome.PASS if held else Outcome.INCONCLUSIVE))
    records = waivers.opened(evidence.waivers(), evidence.keys())
    pairs = []
    for claim in halves:
        first, second = [item for item in records if item.waiver.claim == claim]
        pairs.append(
            ValidWaiver(claim=claim, until="2027-01-31", officers=("Pia", "Leo"), ids=(first.digest, second.digest))
        )
    said = judge(attempt.plan, tuple(attempt.findings().values()), tuple(pairs), attempt.started, load())
    attempt.close(lie(said), None)
    return signer


def higher(said: Verdict) -> Verdict:
    """Say that the declared level is attained."""
    return msgspec.structs.replace(said, attained=said.declared)


def worded(said: Verdict) -> Verdict:
    """Change the summary alone."""
    return msgspec.structs.replace(said, summary="Everything is satisfied.")


STRANGERS = ((P, "privacy-officer"), (L, "legal-officer"))


@pytest.mark.parametrize("lie", [higher, worded])
@pytest.mark.parametrize("halves", [{}, {"1b": STRANGERS}])
def test_a_forged_verdict_is_a_problem_and_its_level_is_not_shown(
    tmp_path: Path, lie: Callable[[Verdict], Verdict], halves: dict[str, tuple[tuple[signing.Signer, str], ...]]
) -> None:
    """With and without strangers' waivers before it, verify and report show what follows."""
    signer = closed(tmp_path, halves, lie)
    trust = build.trusting((signer, "Ann", "assessor"))
    found = verify(read_folder(tmp_path / "evidence"), trust, build.NOW)
    assert found.exit_code == 1
    assert "verdict.differs" in {flaw.code for flaw in found.problems}
    assert found.attempts[0].attained == 0
    document = read(read_folder(tmp_path / "evidence"), trust, build.NOW)
    assert (document.verified, document.verdict.attained, document.attempts[0].attained) == ("no", 0, 0)
    assert "Everything" not in document.verdict.summary


def test_waivers_of_unknown_officers_buy_no_level_that_is_shown(tmp_path: Path) -> None:
    """The verdict follows if they held; to a verifier who does not know them it is shown without them, exit 3."""
    claims = [claim.id for claim in load().claims if claim.level <= 2]
    signer = closed(tmp_path, dict.fromkeys(claims, STRANGERS), lambda said: said)
    ann = (signer, "Ann", "assessor")
    found = verify(read_folder(tmp_path / "evidence"), build.trusting(ann), build.NOW)
    assert (found.exit_code, found.problems) == (3, ())
    assert (found.attempts[0].attained, found.attempts[0].signed) == (0, 2)
    assert read(read_folder(tmp_path / "evidence"), build.trusting(ann), build.NOW).verdict.attained == 0
    known = build.trusting(ann, (P, "Pia", "privacy-officer"), (L, "Leo", "legal-officer"))
    found = verify(read_folder(tmp_path / "evidence"), known, build.NOW)
    assert (found.exit_code, found.attempts[0].attained) == (0, 2)


def test_a_strangers_waiver_does_not_shield_one_that_does_not_hold(tmp_path: Path) -> None:
    """Claim 2c by one person with two keys, claim 1b by two strangers: the first is a problem all the same."""
    halves = {
        "2c": ((P, "privacy-officer"), (L, "legal-officer")),
        "1b": ((S, "privacy-officer"), (L, "legal-officer")),
    }
    signer = closed(tmp_path, halves, lambda said: said)
    trust = build.trusting((signer, "Ann", "assessor"), (P, "Pia", "privacy-officer"), (L, "PIA ", "legal-officer"))
    found = verify(read_folder(tmp_path / "evidence"), trust, build.NOW)
    assert "verdict.waivers" in {flaw.code for flaw in found.problems}


@pytest.mark.parametrize(
    "halves",
    [((P, "privacy-officer"), (L, "privacy-officer")), ((P, "privacy-officer"), (P, "legal-officer"))],
    ids=["one role", "one key"],
)
def test_strangers_must_be_two_in_two_roles(tmp_path: Path, halves: tuple[tuple[signing.Signer, str], ...]) -> None:
    """Half a waiver by strangers is not one, whoever they are."""
    signer = closed(tmp_path, {"2c": halves}, lambda said: said)
    found = verify(read_folder(tmp_path / "evidence"), build.trusting((signer, "Ann", "assessor")), build.NOW)
    assert found.exit_code == 1
