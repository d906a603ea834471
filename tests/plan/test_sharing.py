"""Sharing paths: declared ones and those that follow from sources and parties."""

from __future__ import annotations

import pytest

from fivefold.manifest.nouns import DataSet, SharingPath
from fivefold.plan.sharing import derived_paths, source_parties

BANK, BUREAU = "Example Bank", "Credit Bureau"


def _data(**sources: str) -> dict[str, DataSet]:
    return {name: DataSet(name=name, path=f"{name}.csv", source=source) for name, source in sources.items()}


def _paths(manifest, **fields):
    return [(path.data, path.declared) for path in derived_paths(manifest(**fields))]


def test_a_source_other_than_the_deployer_is_a_path(manifest) -> None:
    """Data that came from somebody else were shared."""
    found = _paths(manifest, data=_data(train=BUREAU, test=BANK), parties={"deployer": BANK})
    assert found == [("train", False)]


def test_a_declared_path_covers_its_data_set_alone(manifest) -> None:
    """Declaring one path does not cover another."""
    sharing = (SharingPath(what="training", data="train"),)
    data = _data(train=BUREAU, test=BUREAU)
    assert _paths(manifest, data=data, parties={"deployer": BANK}, sharing=sharing) == [
        ("train", True),
        ("test", False),
    ]


@pytest.mark.parametrize("source", ["example bank", "  Example   Bank ", "EXAMPLE BANK"])
def test_spelling_makes_no_party(manifest, source: str) -> None:
    """Case and spaces do not make somebody else."""
    assert _paths(manifest, data=_data(train=source), parties={"deployer": BANK}) == []


def test_the_data_collector_is_the_source_where_none_is_named(manifest) -> None:
    """Another data collector means that data came from it."""
    parties = {"deployer": BANK, "data-collector": BUREAU}
    assert _paths(manifest, data=_data(train="", test=BANK), parties=parties) == [("train", False)]


def test_a_source_beside_an_unnamed_deployer_is_somebody_else(manifest) -> None:
    """Leaving the deployer out does not make the path go away."""
    found = derived_paths(manifest(data=_data(train=BUREAU)))
    assert [str(path) for path in found] == [
        "data train from Credit Bureau to a deployer that the manifest does not name"
    ]


def test_nobody_named_is_no_path(manifest) -> None:
    """A manifest with only application, use, data and model has no path."""
    assert _paths(manifest) == []


def test_parties_that_data_come_from(manifest) -> None:
    """Unknown origin counts as the deployer's own."""
    parties = {"deployer": BANK}
    assert len(source_parties(manifest(data=_data(train="", test=BANK), parties=parties))) == 1
    assert len(source_parties(manifest(data=_data(train=BUREAU, test=BANK), parties=parties))) == 2


def _claim_1a(plan):
    return next(claim for claim in plan.claims if claim.claim == "1a")


def test_without_a_path_claim_1a_does_not_apply(make, manifest) -> None:
    """The predicate and the number that was read are in the reason."""
    claim = _claim_1a(make(manifest()))
    assert claim.applies is False
    assert claim.reason == "It applies where sharing.paths >= 1 (read: 0)."
    assert {check.status for check in make(manifest()).checks if check.technique == "S2"} == {"not-applicable"}


def test_an_undeclared_path_is_a_fault_of_claim_1a(make, manifest) -> None:
    """Derived and not declared: the claim applies and fails."""
    claim = _claim_1a(make(manifest(data=_data(train=BUREAU), parties={"deployer": BANK})))
    assert claim.applies is True
    assert len(claim.faults) == 1
    assert "Credit Bureau" in claim.faults[0]


ROWS = [("release", "S2"), ("training", "S2"), ("encrypted", "S4"), ("telemetry", "S6"), ("edge", "S1")]


@pytest.mark.parametrize(("what", "row"), ROWS)
def test_each_kind_of_path_needs_its_technique(make, manifest, what: str, row: str) -> None:
    """The kind of path decides, and all checks of the technique are planned."""
    plan = make(manifest(sharing=(SharingPath(what=what, data="train", to="x"),)))
    assert _claim_1a(plan).needs == ((row,),)
    assert _claim_1a(plan).faults == ()
    assert [check for check in plan.checks if check.technique == row and "1a" in check.claims]


def test_naming_a_weaker_control_does_not_help(make, manifest) -> None:
    """A release that names the control of another kind of path still needs its own, and says so."""
    claim = _claim_1a(make(manifest(sharing=(SharingPath(what="release", data="train", control="S6"),))))
    assert claim.needs == (("S2",),)
    assert "protected by S2" in claim.faults[0]


def test_a_federation_of_one_party_is_no_way_round(make, manifest) -> None:
    """A declared federation binds all of S3, whoever the parties are: nothing of it is waved through."""
    plan = make(manifest(sharing=(SharingPath(what="federated", data="train"),)))
    claim = _claim_1a(plan)
    assert claim.applies is True
    assert claim.needs == (("S3",),)
    said = {check.check: check.status for check in plan.checks if check.technique == "S3" and "1a" in check.claims}
    assert len(said) == 6
    assert "not-applicable" not in said.values()


def test_a_federation_of_two_parties_needs_s3(make, manifest) -> None:
    """Two source parties: S3 applies."""
    sharing = (SharingPath(what="federated", data="train"),)
    data, parties = _data(train=BUREAU, test=BANK), {"deployer": BANK}
    plan = make(manifest(data=data, parties=parties, sharing=sharing))
    assert _claim_1a(plan).faults == ()
    said = {check.check: check.status for check in plan.checks if check.technique == "S3"}
    assert (said["S3.aggregation"], said["S3.server"]) == ("run", "run")
    assert said["S3.membership"] == "not-run"  # it lacks a target here
    assert "not-applicable" not in said.values()
