"""Which checks are measured behind the guard, too: declared, openable, and not to be dropped from a plan."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from msgspec import UNSET

from fivefold.contract import registry
from fivefold.contract.codec import canonical
from fivefold.evidence import recompute, source
from fivefold.manifest.nouns import DataSet, Model
from fivefold.plan import guarding

OPENABLE: dict[str, Any] = {
    "purposes": ("sorting",),
    "benefit": {"measure": "share sorted well", "target": 0.7},
    "controls": {"P2": {"decimals": 2}},
}
PERSONAL = DataSet(name="train", path="train.csv", label={"personal": ["age"]})
IMAGES = DataSet(name="test", path="test.npz", kind="image")


def _twice(plan: Any) -> dict[str, str]:
    return {check.check: check.guarded.by for check in plan.checks if check.guarded is not UNSET}


@pytest.mark.parametrize(
    "controls", [{"P2": {"decimals": 0}}, {"P2": {"step": 10}}, {"P2": {"budget": "9/day"}}, {"C2": {}}, {"C3": {}}]
)
def test_a_control_that_the_guard_enforces_has_checks_measured_twice(
    make: Any, manifest: Any, facts: Any, controls: dict[str, Any]
) -> None:
    """Each with who asks there, and the share of clean rows that must be answered."""
    plan = make(manifest(**(OPENABLE | {"controls": controls}), level=5), facts)
    assert _twice(plan) == {
        "C3.risk": "callers", "P1.blackbox": "callers", "P1.standard": "callers", "P1.tables": "callers",
        "P2.extraction": "caller", "P3.accuracy": "operator",
    } | {name: "callers" for name in _twice(plan) if name == "P3.membership"}  # fmt: skip
    assert {check.guarded.min_coverage for check in plan.checks if check.guarded is not UNSET} == {guarding.LEAST}


@pytest.mark.parametrize("controls", [{}, {"P2": {"isolation": True}}, {"S5": {"trusted": "t"}}, {"P2": {"top": 0}}])
def test_without_such_a_control_a_plan_is_byte_for_byte_as_before(
    make: Any, manifest: Any, facts: Any, controls: dict[str, Any]
) -> None:
    """The field is absent, not null: digests and seeds of such plans do not change."""
    plan = make(manifest(**(OPENABLE | {"controls": controls})), facts)
    assert _twice(plan) == {}
    assert b'"guarded"' not in canonical(plan)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"purposes": ()}, "purposes, benefit"),
        ({"benefit": {}}, "purposes, benefit"),
        ({"data": {"train": PERSONAL, "test": DataSet(name="test", path="test.csv")}}, "lawful ground"),
        ({"model": Model(endpoint="http://127.0.0.1:1/v2/models/m")}, "does not run here"),
        ({"model": Model(predictions={"test": "p.csv"})}, "does not run here"),
        ({"data": {"train": DataSet(name="train", path="train.csv"), "test": IMAGES}}, "only tables"),
    ],
)
def test_where_no_guard_can_be_opened_the_bare_model_counts_and_the_finding_says_why(
    make: Any, manifest: Any, facts: Any, change: dict[str, Any], why: str
) -> None:
    """A declared control alone is no guard."""
    declared = manifest(**(OPENABLE | change))
    assert _twice(make(declared, facts)) == {}
    assert why in guarding.apart(registry.checks()["P3.accuracy"], declared, facts)
    assert guarding.apart(registry.checks()["T2.signature"], declared, facts) == ""


def test_whoever_drops_the_guard_from_a_plan_is_found_out(make: Any, manifest: Any, facts: Any) -> None:
    """The plan is made again from the manifest and compared."""
    plan = make(manifest(**OPENABLE), facts, code=source.code())
    checks = tuple(msgspec.structs.replace(check, guarded=UNSET) for check in plan.checks)
    dropped = msgspec.structs.replace(plan, checks=checks)
    assert recompute._differences(plan, plan) == []
    told = recompute._differences(dropped, plan)
    assert any(text.startswith("check P3.accuracy: ") and "guarded" in text for text in told)
