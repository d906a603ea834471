"""Exports: accepted by the tools they are made for, the same bytes for the same evidence, nothing personal in them."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import factories
import msgspec
import pytest

from fivefold.contract.outcome import Outcome
from fivefold.manifest.nouns import Application, DataSet, Manifest, Model, Use
from fivefold.report.export import EXPORTS

REPO = Path(__file__).resolve().parents[2]
PEER = REPO / ".venv-peers" / "exports" / "bin" / "python"
ENDINGS = {"cyclonedx": "cdx.json", "spdx": "spdx.json", "hf-card": "md", "croissant": "json"}


def application(folder: Path) -> Manifest:
    """Return a manifest whose data sets are those of the factories' plan."""
    label = {"class": "confidential", "personal": ["age"], "purpose": ["credit-scoring"]}
    sets = {
        name: DataSet(name=name, path=f"data/{name}.csv", target="credit", source="bank", label=label)
        for name in factories.plan().data
    }
    return Manifest(
        root=folder, file=folder / "fivefold.yaml", raw=b"", digest="",
        application=Application(id="credit-example", level=4, purpose='a loan: yes or no? | "quoted" <b>'),
        use=Use(output="recommendation"), data=sets, model=Model(path="model.json", factory="m:load", version=3),
    )  # fmt: skip


def outside(form: str, data: bytes, folder: Path) -> subprocess.CompletedProcess[str]:
    """Put an export before the outside tool."""
    if not PEER.exists():
        pytest.skip(f"the environment of outside readers is not there ({PEER}); scripts/test makes it")
    place = folder / f"export.{ENDINGS[form]}"
    place.write_bytes(data)
    command = [str(PEER), str(Path(__file__).parent / "outside.py"), form, str(place)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


@pytest.mark.parametrize("form", EXPORTS)
@pytest.mark.parametrize("which", ["plain", "hostile", "without manifest"])
def test_the_outside_tool_accepts_it(tmp_path: Path, form: str, which: str) -> None:
    """Plain evidence, evidence full of hostile text, and evidence whose manifest cannot be read."""
    document = factories.hostile() if which == "hostile" else factories.document(verified="yes")
    manifest = None if which == "without manifest" else application(tmp_path)
    done = outside(form, EXPORTS[form](document, manifest), tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr[-2000:]


@pytest.mark.parametrize(("form", "old", "new"), [
    ("cyclonedx", '"specVersion"', '"specVersions"'),
    ("spdx", "SPDXRef-model", "model"),
    ("hf-card", "model-index", "model-indes"),
    ("croissant", '"sha256"', '"sha"'),
])  # fmt: skip
def test_the_outside_tool_would_refuse_a_broken_one(tmp_path: Path, form: str, old: str, new: str) -> None:
    """The reader is no rubber stamp."""
    data = EXPORTS[form](factories.document(verified="yes"), application(tmp_path)).decode()
    assert old in data
    assert outside(form, data.replace(old, new, 1).encode(), tmp_path).returncode != 0


@pytest.mark.parametrize("form", EXPORTS)
def test_the_same_evidence_gives_the_same_bytes_and_every_digest(tmp_path: Path, form: str) -> None:
    """Exports are functions of evidence; each data set stands in them with its digest (the card: rows and digest)."""
    document, manifest = factories.document(verified="yes"), application(tmp_path)
    made = EXPORTS[form](document, manifest)
    assert made == EXPORTS[form](document, manifest)
    for digest in document.plan.data.values():
        assert digest in made.decode()


def test_a_failed_finding_stands_against_its_claim(tmp_path: Path) -> None:
    """In the bill's declarations a failure is counter-evidence, and never evidence."""
    failed = factories.finding("P3.accuracy", Outcome.FAIL)
    plan = msgspec.structs.replace(factories.plan(), checks=(factories.check_plan("P3.accuracy", claims=("2c",)),))
    verdict = factories.verdict(claims=(factories.claim("2c"),))
    document = factories.document(plan=plan, findings=(failed,), verdict=verdict)
    (claim,) = json.loads(EXPORTS["cyclonedx"](document, application(tmp_path)))["declarations"]["claims"]
    assert claim["counterEvidence"] == ["finding-P3.accuracy"]
    assert claim["evidence"] == []
