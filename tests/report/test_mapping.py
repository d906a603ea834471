"""What evidence says to the clauses of laws and standards, and the counts that go with it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import factories
import msgspec
import pytest

from fivefold.catalogue import standards
from fivefold.contract.outcome import Outcome
from fivefold.errors import FivefoldError
from fivefold.manifest.nouns import Application, DataSet, Manifest, Use
from fivefold.report import mapping, mapping_text

if TYPE_CHECKING:
    from pathlib import Path

CLAUSES = """
id = "toy"
name = "Toy law"
version = "1"
source = "nowhere"
looked_up = "2026-11-23"
prefix = "T "
clauses = [
  { id = "1", asks = "Few errors.", checks = ["P3.accuracy"] },
  { id = "2", asks = "Signed.", checks = ["T2.signature"] },
  { id = "3", asks = "Recorded.", checks = ["T4.tampering", "P3.accuracy"] },
  { id = "4", asks = "A purpose.", fields = ["application.purpose"] },
  { id = "5", asks = "Fixed before.", always = "It is in the plan." },
]
[[outside]]
why = "Nobody measures it."
ids = ["6", "7"]
"""


def manifest(folder: Path, **parts: object) -> Manifest:
    """Return a manifest with little in it."""
    fields: dict[str, object] = {
        "root": folder, "file": folder / "fivefold.yaml", "raw": b"", "digest": "",
        "application": Application(id="toy", level=2), "use": Use(output="label"),
        "data": {"test": DataSet(name="test", path="t.csv")}, **parts,
    }  # fmt: skip
    return Manifest(**fields)  # type: ignore[arg-type]


def answered(folder: Path, outcomes: dict[str, Outcome], **parts: object) -> dict[str, mapping.Line]:
    """Answer the toy law from findings with these outcomes."""
    found = tuple(factories.finding(check, outcome) for check, outcome in outcomes.items())
    document = factories.document(findings=found, verified=str(parts.pop("verified", "yes")))
    made = mapping.answer(standards.parse(CLAUSES), document, manifest(folder, **parts))
    assert sum(made.counts.values()) == len(made.lines) == 7
    return {line.id: line for line in made.lines}


def test_a_clause_is_as_good_as_its_worst_check(tmp_path: Path) -> None:
    """Met, failed, open, not built and outside, each from its own cause."""
    lines = answered(tmp_path, {"P3.accuracy": Outcome.PASS, "T2.signature": Outcome.FAIL})
    states = {id_: line.state for id_, line in lines.items()}
    assert states == {
        "T 1": "met", "T 2": "failed", "T 3": "not built", "T 4": "open", "T 5": "met",
        "T 6": "outside", "T 7": "outside",
    }  # fmt: skip
    assert lines["T 4"].unfilled == ("application.purpose",)
    assert lines["T 3"].evidence == {"T4.tampering": "not built", "P3.accuracy": "pass"}


@pytest.mark.parametrize("outcome", [Outcome.INCONCLUSIVE, Outcome.ERROR, Outcome.NOT_RUN])
def test_only_a_pass_meets_a_clause(tmp_path: Path, outcome: Outcome) -> None:
    """Inconclusive, error and not-run leave it open."""
    assert answered(tmp_path, {"P3.accuracy": outcome})["T 1"].state == "open"


def test_a_check_without_a_finding_is_not_run(tmp_path: Path) -> None:
    """A check that this version has and the run did not do answers nothing."""
    line = answered(tmp_path, {})["T 1"]
    assert (line.state, line.evidence) == ("open", {"P3.accuracy": "not-run"})


@pytest.mark.parametrize("verified", ["no", "doubt"])
def test_evidence_that_does_not_verify_meets_nothing(tmp_path: Path, verified: str) -> None:
    """Neither checks nor the plan count when nobody knows who signed them."""
    lines = answered(tmp_path, {"P3.accuracy": Outcome.PASS}, verified=verified)
    assert "met" not in {line.state for line in lines.values()}


def test_fields_are_read_from_any_data_set_and_alternatives_count(tmp_path: Path) -> None:
    """``data.*`` is filled if one set fills it, ``a|b`` if one of them is."""
    made = manifest(tmp_path, data={"test": DataSet(name="test", path="t", label={"basis": "contract"})})
    assert mapping.filled(made, "data.label.basis")
    assert not mapping.filled(made, "data.label.region")
    assert mapping.filled(made, "model.path|use.output")
    assert not mapping.filled(None, "use.output")


@pytest.mark.parametrize("name", standards.NAMES)
def test_every_standard_loads_and_renders(tmp_path: Path, name: str) -> None:
    """Each ships well-formed, and as Markdown names every id once."""
    found = mapping.answer(standards.load(name), factories.document(verified="yes"), manifest(tmp_path))
    page = mapping_text.markdown(found)
    assert found.statement in page
    assert "conformity" in found.statement
    for line in found.lines:
        assert line.id in page
    json.loads(msgspec.json.encode(found))


def test_an_unknown_standard_names_those_that_exist() -> None:
    """The remedy lists the choices."""
    with pytest.raises(FivefoldError) as error:
        standards.load("iso-9000")
    assert error.value.code == "standards.unknown"
    assert "aisvs" in error.value.remedy


@pytest.mark.parametrize(
    "broken",
    [
        CLAUSES.replace('"T2.signature"', '"T2.nothing"'),
        CLAUSES.replace('["6", "7"]', '["6", "1"]'),
        CLAUSES.replace(', always = "It is in the plan."', ""),
        CLAUSES.replace("looked_up", "looked"),
    ],
)
def test_a_malformed_standard_is_a_build_fault(broken: str) -> None:
    """An unknown check, an id twice, a clause that nothing can answer, an unknown key."""
    with pytest.raises(FivefoldError) as error:
        standards.parse(broken)
    assert error.value.code == "standards.malformed"


@pytest.mark.shared
@pytest.mark.parametrize(
    ("name", "file", "key"),
    [("aisvs", "owasp_aisvs_1.0.json", "requirements"), ("atlas", "mitre_atlas_5.6.0.json", "mitigations")],
)
def test_every_id_of_the_standard_is_answered_or_outside(shared: Path, name: str, file: str, key: str) -> None:
    """The 191 ids of AISVS and the 35 mitigations of ATLAS, each exactly once, as published."""
    published = {item["id"] for item in json.loads((shared / "standards" / file).read_text(encoding="utf-8"))[key]}
    standard = standards.load(name)
    ours = [standard.prefix + clause.id for clause in standard.clauses]
    ours += [standard.prefix + id_ for group in standard.outside for id_ in group.ids]
    assert sorted(ours) == sorted(published)


def test_machine_evidence_will_answer_at_least_45_ids_of_aisvs() -> None:
    """Once the later rows exist; today's count is printed by the command."""
    assert sum(bool(clause.checks) for clause in standards.load("aisvs").clauses) >= 45
