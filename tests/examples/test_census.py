"""The census example: its data are what prepare.py makes, and what it shares satisfies claim 1a."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from fivefold import catalogue
from fivefold.manifest.reader import read
from fivefold.plan import claims, facts
from fivefold.sharing.privacy.command import ready

CENSUS = Path(__file__).resolve().parents[2] / "examples" / "census"


@pytest.mark.shared
def test_the_data_are_what_prepare_makes(shared: Path, tmp_path: Path) -> None:
    """Byte for byte, from the public file."""
    (tmp_path / "data").mkdir()
    shutil.copy(CENSUS / "prepare.py", tmp_path)
    source = shared / "adult_census" / "train.csv.gz"
    subprocess.run([sys.executable, tmp_path / "prepare.py", source], check=True, timeout=120)
    assert (tmp_path / "data" / "train.csv").read_bytes() == (CENSUS / "data" / "train.csv").read_bytes()


def test_the_manifest_declares_a_release_that_is_paid_for() -> None:
    """Level 1, one path, twice what is asked within the budget."""
    manifest = read(CENSUS)
    assert manifest.application.level == 1
    asked, told, data = ready(manifest, None)
    assert (asked.data, data.source, told.times) == ("train", "census 1994", 2)


def test_without_its_path_claim_1a_names_the_fault(tmp_path: Path) -> None:
    """Data that come from somebody else are shared, whether or not the manifest says so."""
    folder = shutil.copytree(CENSUS, tmp_path / "census", ignore=shutil.ignore_patterns("evidence"))
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
def test_its_evidence_satisfies_claim_1a(tmp_path: Path) -> None:
    """By a sealed attempt; with three releases planned, which the budget does not have, it does not."""
    folder = shutil.copytree(CENSUS, tmp_path / "census", ignore=shutil.ignore_patterns("evidence"))
    assert _status(folder) == "satisfied"
    manifest = folder / "fivefold.yaml"
    manifest.write_text(manifest.read_text().replace("times: 2", "times: 3"))
    assert _status(folder) == "blocked"


def _status(folder: Path) -> str:
    command = [sys.executable, "-m", "fivefold", "assess", str(folder), "--effort", "quick", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=400, check=False)
    told = json.loads(done.stdout)
    verdict = told.get("verdict", told)
    return next(claim["status"] for claim in verdict["claims"] if claim["claim"] == "1a")
