"""Pairs of faces as a manifest declares them: a score file and decisions, from manifest to finding."""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING

from fivefold.assess.run import Options, assess
from fivefold.contract.outcome import Outcome
from fivefold.manifest.reader import read
from fivefold.plan.facts import read as facts

if TYPE_CHECKING:
    from pathlib import Path

MANIFEST = """
fivefold: 1
application: {id: faces, level: 2, purpose: are two photos of one person}
use: {output: label, acts: human}
data:
  test: {path: pairs.csv, target: same, positive: "yes", pairs: true}
model: {predictions: decisions.csv}
checks:
  P3.operating-point: {score: distance, smaller: true, max_false_match: 0.05}
  P3.identification: {score: distance, smaller: true, gallery: 25000}
"""


def test_a_score_file_of_pairs_is_measured_from_its_manifest(tmp_path: Path) -> None:
    """280 real pairs: the threshold passes for pairs, and for a gallery of 25,000 nothing can be said."""
    pairs = files("fivefold.cases.faces").joinpath("pairs.csv").read_text(encoding="utf-8")
    (tmp_path / "pairs.csv").write_text(pairs, encoding="utf-8")
    decided = ["yes" if float(line.split(",")[1]) <= 0.488 else "no" for line in pairs.split()[1:]]
    (tmp_path / "decisions.csv").write_text("\n".join(["prediction", *decided]), encoding="utf-8")
    (tmp_path / "fivefold.yaml").write_text(MANIFEST, encoding="utf-8")
    declared = read(tmp_path)
    assert facts(declared, None)["data.pairs"] is True
    done = assess(declared, Options(effort="quick", only=("P3.operating-point", "P3.identification")))
    found = {finding.check: finding.result for finding in done.findings}
    point, search = found["P3.operating-point"], found["P3.identification"]
    assert point.outcome is Outcome.PASS
    assert point.measures[1].value == 0.0
    assert search.outcome is Outcome.INCONCLUSIVE
    assert search.measures[0].high == 1.0
    assert "1,500,000 comparisons" in search.remedy
