"""The census example: its data are what prepare.py makes; it satisfies its claims, and not with a control off."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path  # noqa: TC003

import pytest
from tests.examples.census_variants import CENSUS, VARIANTS, Variant, made

from fivefold import catalogue
from fivefold.manifest.reader import read
from fivefold.plan import claims, facts
from fivefold.sharing.privacy.command import ready


@pytest.mark.shared
def test_the_data_are_what_prepare_makes(shared: Path, tmp_path: Path) -> None:
    """Byte for byte, from the public files."""
    (tmp_path / "data").mkdir()
    shutil.copy(CENSUS / "prepare.py", tmp_path)
    sources = [shared / "adult_census" / f"{name}.csv.gz" for name in ("train", "test")]
    subprocess.run([sys.executable, tmp_path / "prepare.py", *sources], check=True, timeout=120)
    for name in ("train", "trusted"):
        assert (tmp_path / "data" / f"{name}.csv").read_bytes() == (CENSUS / "data" / f"{name}.csv").read_bytes()


def test_the_manifest_declares_a_release_that_is_paid_for() -> None:
    """Level 1, one path, twice what is asked within the budget."""
    manifest = read(CENSUS)
    assert manifest.application.level == 1
    asked, told, data = ready(manifest, None)
    assert (asked.data, data.source, told.times) == ("train", "census 1994", 2)


def test_without_its_path_claim_1a_names_the_fault(tmp_path: Path) -> None:
    """Data that come from somebody else are shared, whether or not the manifest says so."""
    folder = made(tmp_path / "census")
    given = {"declared": _claim_1a(folder)}
    manifest = folder / "fivefold.yaml"
    path = "  - {what: release, data: train, with: Example Labour Office, control: S2}\n"
    assert path in manifest.read_text()
    manifest.write_text(manifest.read_text().replace("sharing:\n" + path, ""))
    given["left out"] = _claim_1a(folder)
    assert given["declared"] == ((("S2",),), 0)
    assert given["left out"] == ((), 1)


def _claim_1a(folder: Path) -> tuple[tuple[tuple[str, ...], ...], int]:
    manifest, known = read(folder), catalogue.load()
    (one,) = (claim for claim in claims.claims(manifest, known, facts.read(manifest, None)) if claim.claim == "1a")
    return one.needs, len(one.faults)


@pytest.mark.slow
def test_its_evidence_satisfies_every_claim_once_a_steward_signed(tmp_path: Path) -> None:
    """By a sealed attempt at standard effort: nothing fails, nothing stays open that its claims need."""
    folder = made(tmp_path / "census")
    for words in (("key", "new", "--role", "steward", "--trust"), ("data", "label", str(folder))):
        subprocess.run([sys.executable, "-m", "fivefold", *words], check=True, capture_output=True, timeout=60)
    told = _assessed(folder)
    verdict = told.get("verdict", told)
    assert {claim["claim"]: claim["status"] for claim in verdict["claims"]} == dict.fromkeys(
        ("1a", "1b", "1c"), "satisfied"
    )
    assert (verdict["counts"]["fail"], verdict["counts"]["inconclusive"], verdict["counts"]["error"]) == (0, 0, 0)


def test_without_signed_labels_no_use_is_allowed(tmp_path: Path) -> None:
    """What the manifest says of the data is no steward's word."""
    told = _assessed(made(tmp_path / "census"), "--only", "T1.enforcement", "--seed", "1", "--effort", "quick")
    (finding,) = told["findings"]
    assert finding["result"]["outcome"] == "fail"


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("name", [name for name, one in VARIANTS.items() if one.outcomes == ("fail",)])
def test_bad_data_and_overspent_budgets_are_measured(tmp_path: Path, name: str, seed: int) -> None:
    """A figure fails, whatever the draw, and the claim hangs on that check."""
    variant = VARIANTS[name]
    assert _outcome(made(tmp_path / "census", variant, seed), variant, seed) == "fail"
    assert _hangs(variant)


@pytest.mark.parametrize("name", [name for name, one in VARIANTS.items() if one.outcomes != ("fail",)])
def test_a_control_that_is_off_satisfies_nothing(tmp_path: Path, name: str) -> None:
    """The check that measures it has nothing to measure, says so, and the claim hangs on it."""
    variant = VARIANTS[name]
    assert _outcome(made(tmp_path / "census", variant), variant, 1) in variant.outcomes
    assert _hangs(variant)


def _hangs(variant: Variant) -> bool:
    """Whether a claim needs a row of which the check is one of several that all have to pass."""
    known = catalogue.load()
    needs = [(("S2",),)] if variant.claim == "1a" else [one.needs for one in known.claims if one.id == variant.claim]
    return any(
        len(any_of) == 1 and variant.check in {entry.id for entry in known.members(any_of[0])}
        for any_of in needs[0]
    )  # fmt: skip


def _outcome(folder: Path, variant: Variant, seed: int) -> str:
    told = _assessed(folder, "--only", variant.check, "--seed", str(seed), "--effort", "quick")
    (finding,) = told["findings"]
    return str(finding["result"]["outcome"])


def _assessed(folder: Path, *words: str) -> dict[str, object]:
    command = [sys.executable, "-m", "fivefold", "assess", str(folder), *words, "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=400, check=False)
    return json.loads(done.stdout)
