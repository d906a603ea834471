"""D1.admission: what is not declared is not run, faults are found out, and what is served is what is measured."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.truth import admitting

from fivefold.contract.outcome import Outcome
from fivefold.contract.registry import provided
from fivefold.errors import UnsupportedError
from fivefold.governance.admission import check, rules
from fivefold.governance.operation.told import PURPOSES
from fivefold.guard import admission


@pytest.mark.parametrize(
    ("fact", "value", "field"),
    [
        (PURPOSES, "", "purposes"),
        ("manifest.benefit", False, "benefit"),
        ("data.basis", False, "data.train.label.basis"),
    ],
)
def test_what_is_not_served_is_not_measured(fact: str, value: object, field: str) -> None:
    """Without purpose, benefit or ground; the finding names what lacks."""
    given = admitting.ENTRY.clean["no range"](3)
    facts = {**(given.settings.facts or {}), fact: value}
    with pytest.raises(UnsupportedError) as error:
        check.run(replace(given, settings=replace(given.settings, facts=facts)))  # type: ignore[arg-type]
    assert error.value.code == "admission.undeclared"
    assert field in error.value.message


def test_a_range_that_shuts_rows_out_is_named() -> None:
    """The field stands in the reason; the faults are refused all the same."""
    found = check.run(admitting.narrow(5))
    assert found.outcome is Outcome.FAIL
    assert "Own rows are refused for measured." in found.reason
    assert [one.outcome for one in found.measures] == [Outcome.FAIL, Outcome.PASS, Outcome.PASS]


def test_a_door_that_forgets_a_rule_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each rule taken out in turn: purposes, columns, missing cells."""
    given = admitting.ENTRY.clean["ranges that hold"]
    admit = rules.Domain.admit

    def lenient(self: rules.Domain, columns: object) -> object:
        try:
            return admit(self, columns)
        except rules.UnfitError as error:
            if error.code == "guard.missing":
                return None
            raise

    with monkeypatch.context() as patch:
        patch.setattr(rules.Domain, "admit", lenient)
        assert check.run(given(4)).outcome is Outcome.FAIL
    with monkeypatch.context() as patch:
        patch.setattr(check, "settled", lambda *_: "sorting")
        assert check.run(given(4)).outcome is Outcome.FAIL
    assert check.run(given(4)).outcome is Outcome.PASS


def test_the_guard_asks_the_rules_that_are_measured() -> None:
    """No second copy."""
    assert provided("admission.domain") is rules.Domain
    assert provided("admission.settled") is rules.settled
    assert isinstance(
        admission.Domain(admitting.narrow(1).tables("train").features, {}, frozenset())._rules, rules.Domain
    )
