"""The published rules: total, monotone, and as the paper's reference applications ask."""

from __future__ import annotations

from itertools import product

import msgspec
import pytest

from fivefold.catalogue.classify import Answers, options, propose, rules


def every() -> list[Answers]:
    """Return every combination of answers."""
    names = list(options())
    return [Answers(**dict(zip(names, values, strict=True))) for values in product(*options().values())]


def test_every_combination_has_a_level_and_a_reason() -> None:
    """All 252 combinations, none without a rule."""
    assert len(every()) == 7 * 3 * 2 * 2 * 3
    for answers in every():
        found = propose(answers)
        assert 1 <= found.level <= 5
        assert found.reasons


@pytest.mark.parametrize(
    ("name", "weaker", "stronger"),
    [
        ("alone", False, True),
        ("reversible", True, False),
        ("within", "days", "minutes"),
        ("within", "minutes", "seconds"),
        ("acts", "nobody", "human"),
        ("acts", "human", "system"),
    ],
)
def test_more_power_and_less_time_never_lower_the_level(name: str, weaker: object, stronger: object) -> None:
    """Whatever the other answers are."""
    for answers in every():
        if getattr(answers, name) == weaker:
            other = msgspec.structs.replace(answers, **{name: stronger})
            assert propose(other).level >= propose(answers).level


@pytest.mark.parametrize(
    ("level", "answers"),
    [
        (1, {"output": "statistic"}),
        (2, {"output": "label"}),
        (3, {"output": "forecast"}),
        (4, {"output": "recommendation"}),
        (5, {"output": "action", "acts": "system", "alone": True, "within": "seconds"}),
        (5, {"output": "decision", "alone": True}),
        (5, {"output": "score", "acts": "system", "alone": True}),
        (4, {"output": "label", "reversible": False}),
        (5, {"output": "recommendation", "within": "seconds"}),
    ],
)
def test_the_reference_applications_get_their_levels(level: int, answers: dict[str, object]) -> None:
    """Census statistics, alarm diagnosis, risk forecast, credit with a human, energy saving; and disguises."""
    assert propose(Answers(**answers)).level == level


def test_every_rule_can_fit_and_names_known_answers() -> None:
    """No dead rule, no misspelt answer."""
    for rule in rules():
        for name, allowed in rule.when.items():
            assert set(allowed) <= set(options()[name])
        assert any(rule.fits(answers) for answers in every())
