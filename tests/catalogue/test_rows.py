"""The shipped catalogue: complete, true to the packs, and nothing listed twice."""

from __future__ import annotations

import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from fivefold.catalogue import load
from fivefold.cli import case
from fivefold.contract import registry

if TYPE_CHECKING:
    from pathlib import Path

COUNTS = {"L": 5, "A": 3, "S": 6, "P": 5, "E": 5, "T": 4, "C": 5, "K": 5, "D": 2, "G": 8, "V": 4, "F": 1, "R": 4}
COUNTS |= {"X": 11, "J": 6}
ROWS = [f"{letter}{number}" for letter, count in COUNTS.items() for number in range(1, count + 1)]
CLAIMS = ["1a", "1b", "1c", "2a", "2b", "2c", "2d", "3a", "3b", "3c", "4a", "4b", "4c", "4d", "5a", "5b", "5c", "5d"]
BUILT = {
    "D2.integrity", "D2.accuracy", "D2.availability", "D2.confidentiality", "D2.coverage", "D2.leakage", "D2.drift",
    "S5.label-noise", "S5.outliers", "S5.regression", "S5.backdoor", "S5.stream", "S5.removals",
    "A1.answers", "J6.profiles", "E1.faithful", "E1.constraints", "E1.cost",
    "E2.local", "E2.shapley", "E2.counterfactual", "E2.surrogate", "E3.permutation", "E3.surrogate",
    "E3.dependence", "E3.sensitivity", "E4.planted",
    "E4.randomisation", "E4.fidelity", "E4.stability", "E4.agreement", "E5.text",
    "P1.blackbox", "P1.gradient", "P1.honesty", "P1.images", "P1.series", "P1.standard", "P1.text", "P1.detection",
    "E4.experts", "E4.fooling",
    "P2.extraction", "F1.gaps", "P3.accuracy", "P3.membership", "P3.inversion", "F1.metrics", "F1.individual",
    "F1.proxies", "F1.mitigation",
    "T2.signature", "T4.record", "C2.detection", "C2.adaptive", "C2.drift",
    "S6.audit", "S6.repeats", "S6.estimates", "S3.aggregation", "S3.server", "S3.accuracy",
    "S3.poisoning", "S3.leakage", "S3.membership", "S4.key", "S4.inference", "S4.training", "S4.parameters",
}  # fmt: skip
"""By hand: none of these may quietly become a gap again."""


def test_all_74_rows_stand_exactly_once() -> None:
    """Every row is there, none twice, none beside them."""
    found = [row.id for row in load().techniques]
    assert len(ROWS) == 74
    assert sorted(found) == sorted(ROWS)


@pytest.mark.shared
def test_rows_are_those_of_the_mission(shared: Path) -> None:
    """Each id is named in the page that says what the product must do (some there as a range such as ``E1-E4``)."""
    text = (shared.parent / "MISSION.md").read_text(encoding="utf-8")
    named = set(re.findall(r"\b[A-Z]\d{1,2}\b", text)) - {f"O{number}" for number in range(1, 8)}
    assert set(ROWS) <= named


def test_claims_stand_in_order() -> None:
    """1a to 5d, each in its own level."""
    assert [claim.id for claim in load().claims] == CLAIMS
    assert all(claim.id[0] == str(claim.level) for claim in load().claims)


@pytest.mark.parametrize("claim", CLAIMS)
def test_what_a_claim_needs_exists(claim: str) -> None:
    """Every token of needs stands for at least one check; only the sharing paths decide 1a."""
    found = load().claim[claim]
    assert found.by_path == (claim == "1a")
    assert all(load().members(token) for any_of in found.needs for token in any_of)
    assert bool(found.needs) != found.by_path


def test_the_needs_are_the_missions() -> None:
    """The claims' techniques, by hand from the table of levels."""
    needs = {claim.id: claim.needs for claim in load().claims}
    assert needs["1b"] == (("S5",), ("D2",))
    assert needs["2b"] == (("P2",), ("P3/inference",))
    assert needs["2d"] == (("P4", "P2/isolation"), ("P4", "T2.signature"))
    assert needs["3a"] == (("E1", "E2"),)
    assert needs["3b"] == (("E1", "E3"),)
    assert [needs[f"4{letter}"] for letter in "abcd"] == [((f"T{number}",),) for number in range(1, 5)]
    assert [needs[f"5{letter}"] for letter in "abcd"] == [(("C3",),), (("C2",),), (("C4",),), (("C1",),)]


def test_built_checks_are_those_that_packs_register() -> None:
    """Both ways: no check is called built without a pack, no pack holds one that the catalogue does not call built."""
    built = {check.id for check in load().checks.values() if check.state == "built"}
    assert built == set(registry.checks())
    assert built >= BUILT


@pytest.mark.parametrize("check", sorted(BUILT))
def test_a_pack_puts_its_check_under_the_catalogues_row(check: str) -> None:
    """The pack names the row whose id the check carries."""
    assert registry.checks()[check].technique == load().checks[check].technique


@pytest.mark.parametrize("check", sorted(BUILT))
def test_no_key_is_both_floor_and_option(check: str) -> None:
    """A floor stands in the catalogue alone, an option in the pack alone."""
    floors = {floor.key for floor in load().checks[check].floors}
    assert floors.isdisjoint(registry.checks()[check].options)


def test_floors_are_those_agreed() -> None:
    """Value and direction of floors, by hand: none of these moves unnoticed."""
    found = {(check.id, floor.key): (floor.value, floor.direction) for check, floor in load().floors()}
    agreed = {
        ("F1.gaps", "min_selection_ratio"): (0.80, "min"),
        ("F1.gaps", "max_tpr_gap"): (0.10, "max"),
        ("F1.gaps", "max_fpr_gap"): (0.10, "max"),
        ("F1.metrics", "max_error_rate_gap"): (0.10, "max"),
        ("F1.metrics", "max_auc_gap"): (0.10, "max"),
        ("F1.metrics", "max_score_gap"): (0.10, "max"),
        ("F1.metrics", "max_error_ratio"): (1.5, "max"),
        ("F1.metrics", "max_bias_gap"): (0.25, "max"),
        ("F1.individual", "max_flip_rate"): (0.05, "max"),
        ("F1.individual", "max_twin_rate"): (0.10, "max"),
        ("F1.proxies", "max_proxy_gap"): (0.10, "max"),
        ("F1.mitigation", "max_accuracy_loss"): (0.05, "max"),
        ("E1.faithful", "max_differing"): (0.01, "max"),
        ("E1.constraints", "max_violated"): (0.01, "max"),
        ("E1.cost", "max_lost"): (0.05, "max"),
        ("P1.blackbox", "min_robust_accuracy"): (0.50, "min"),
        ("P1.gradient", "min_robust_accuracy"): (0.50, "min"),
        ("P1.standard", "min_robust_accuracy"): (0.50, "min"),
        ("P1.honesty", "max_overstated"): (0.05, "max"),
        ("P2.extraction", "max_fidelity_gain"): (0.50, "max"),
        ("P3.membership", "max_auc"): (0.60, "max"),
        ("P3.membership", "max_tpr_at_1pct_fpr"): (0.05, "max"),
        ("P3.accuracy", "min_margin"): (0.0, "min"),
        ("C2.detection", "min_noticed"): (0.60, "min"),
        ("C2.detection", "max_alarm_ratio"): (3.0, "max"),
        ("C2.adaptive", "max_evaded"): (0.90, "max"),
        ("C2.drift", "max_alarm_ratio"): (3.0, "max"),
    }
    assert {key: found.get(key) for key in agreed} == agreed


def test_every_floor_names_source_and_reference_subject() -> None:
    """A floor without either cannot be defended."""
    assert all(floor.source and floor.measures and floor.reference for _, floor in load().floors())


@pytest.mark.parametrize(("value", "looser"), [(0.7999, True), (0.8, False), (0.9, False)])
def test_a_minimum_is_loosened_downwards(value: float, *, looser: bool) -> None:
    """Asking for less than a minimum loosens it."""
    floor = load().checks["F1.gaps"].floor("min_selection_ratio")
    assert floor is not None
    assert floor.looser(value) is looser


@pytest.mark.parametrize(("value", "looser"), [(0.1001, True), (0.1, False), (0.05, False)])
def test_a_maximum_is_loosened_upwards(value: float, *, looser: bool) -> None:
    """Allowing more than a maximum loosens it."""
    floor = load().checks["F1.gaps"].floor("max_tpr_gap")
    assert floor is not None
    assert floor.looser(value) is looser


def test_every_row_of_governance_serves_an_aim() -> None:
    """Section H carries the aims: none of its rows is left over, and no other row serves one."""
    used = {row for aim in load().aims for row in aim.rows}
    assert used == {row.id for row in load().techniques if row.section == "H"}
    assert [aim.id for aim in load().aims] == [f"O{number}" for number in range(1, 8)]


def test_an_aim_binds_once_its_rows_are_built() -> None:
    """While a row of an aim has a gap, the aim does not bind: fairness is the first whose rows have none."""
    assert [aim.id for aim in load().aims if load().binds(aim)] == ["O4"]


def test_each_case_has_a_row_and_each_row_of_section_i_a_case() -> None:
    """Attack, harm, control and measure of every challenge."""
    assert [case.row for case in load().challenges] == [row.id for row in load().techniques if row.section == "I"]


def test_there_are_six_parties() -> None:
    """The keys under ``parties:``."""
    roles = {role.id for role in load().roles}
    assert roles == {"lawmaker", "deployer", "application-developer", "provider", "data-collector", "customer"}


def test_a_row_that_blocks_a_claim_says_what_to_do() -> None:
    """Every row that a claim or a sharing path needs has a remedy."""
    tokens = {token for claim in load().claims for any_of in claim.needs for token in any_of}
    rows = {load().members(token)[0].technique for token in tokens} | {path.technique for path in load().paths}
    assert not [row for row in rows if not load().rows[row].remedy]


def test_a_case_names_its_command_if_and_only_if_it_can_be_run() -> None:
    """Every case that the command runs says so in the catalogue, and no other one does."""
    rows = [row for row in load().techniques if row.kind == "case"]
    named = {command: row.id for row in rows for command in row.commands}
    assert named == {f"fivefold case {name}": name.partition(".")[0] for name in case.BUILT}


def test_rows_with_a_gap_are_never_built() -> None:
    """A row with some checks built is partial; one without any is a gap."""
    for row in load().techniques:
        states = {check.state for check in row.checks}
        if row.id == "L4":  # a first form that a command runs, without its checks
            continue
        wanted = {"built": "built", "gap": "gap"}.get("".join(states), "partial") if states else row.state
        assert row.state == wanted, row.id
    assert {row.id for row in load().techniques if row.state == "built"} == {
        "A1", "A2", "A3", "C2", "C3", "C5", "D1", "D2", "E1", "E2", "E3", "E4", "F1", "J6", "P2", "P3", "P5", "S2",
        "S3", "S4", "S5", "S6", "T1", "T2", "T3", "X1", "X2", "X3", "X4", "X5", "X7", "X8", "X9", "X10",
    }  # fmt: skip
    assert load().rows["P1"].state == "partial"


@pytest.mark.shared
def test_no_sentence_of_the_source_is_copied(shared: Path) -> None:
    """No run of eight words of any text of the catalogue stands in the white paper."""
    import msgspec

    def words(text: str) -> list[str]:
        return re.findall(r"[a-z0-9]+", text.lower())

    def runs(text: str) -> set[tuple[str, ...]]:
        found = words(text)
        return {tuple(found[start : start + 8]) for start in range(len(found) - 7)}

    def texts(value: object) -> list[str]:
        if isinstance(value, str):
            return [value]
        parts = value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else ()
        return [text for part in parts for text in texts(part)]

    paper = runs((shared.parent / "seed.txt").read_text(encoding="utf-8"))
    ours = texts(msgspec.to_builtins(load()))
    assert len(ours) > 1000
    assert [text for text in ours if runs(text) & paper] == []


def test_the_catalogue_is_light() -> None:
    """Loading it imports no engine and nothing that is heavy at start."""
    code = "import sys; from fivefold.catalogue import load; import fivefold.plan; load(); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    heavy = {"numpy", "pandas", "scipy", "sklearn", "torch", "pyarrow", "cryptography", "yaml", "rich", "typer"}
    assert heavy.isdisjoint(done.stdout.split())
