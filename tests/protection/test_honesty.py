"""P1.honesty: four broken defences are flagged and broken, honest models are not, whatever a model gives."""

from __future__ import annotations

import pytest

from fivefold.contract.codec import canonical
from fivefold.contract.outcome import Outcome
from fivefold.errors import UnsupportedError
from fivefold.protection.evasion import honesty

from . import digit_models as digits
from . import table_models as tables

ROBUST = "robust accuracy, attacks chosen after a look"


@pytest.fixture(scope="module")
def net() -> object:
    """Return one undefended network for all tests."""
    return digits.trained()


def run(subject: digits.Digits, **options: object) -> object:
    """Return what P1.honesty says of a model of digits."""
    given = {"many": 40, "epsilon": 0.2, "queries": 200} | options
    return honesty.run(digits.context(subject, thresholds=tables.FLOORS, **given))  # type: ignore[arg-type]


def figures(result: object) -> dict[str, float | None]:
    """Return measures by name and place."""
    return {f"{one.name} {one.where}".strip(): one.value for one in result.measures}  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("wrap", "outcome", "sign", "overstated"),
    [
        (digits.Masked, Outcome.FAIL, "does not do what", 0.4),
        (digits.Random, Outcome.INCONCLUSIVE, "The model is random", 0.0),
        (digits.Rounded, Outcome.FAIL, "The gradient is zero", 0.6),
        (digits.Saturated, Outcome.FAIL, "saturated logits", 0.6),
    ],
)
def test_a_broken_defence_is_flagged_and_broken(
    net: object, wrap: object, outcome: Outcome, sign: str, overstated: float
) -> None:
    """The sign stands in the reason, the chosen attack leaves hardly a row, and what was overstated is counted."""
    result = run(digits.Digits(wrap(net)))  # type: ignore[operator]
    assert result.outcome is outcome  # type: ignore[attr-defined]
    assert sign in result.reason  # type: ignore[attr-defined]
    assert figures(result)[ROBUST] <= 0.15  # type: ignore[operator]
    assert figures(result)["robust accuracy overstated"] >= overstated  # type: ignore[operator]


def test_an_honest_network_passes() -> None:
    """A network that was trained against changes shows no sign and no overstatement; twice the same bytes."""
    net = digits.trained(robust=0.15, steps=300)
    both = [run(digits.Digits(net), many=70, epsilon=0.05, steps=20, queries=40) for _ in range(2)]
    assert both[0].outcome is Outcome.PASS, both[0].reason  # type: ignore[attr-defined]
    assert figures(both[0])["signs of a weak attack"] == 0
    assert canonical(both[0]) == canonical(both[1])


def test_labels_alone_that_are_random_are_flagged_and_broken(net: object) -> None:
    """Without gradients and scores majorities are asked, and the reason says that answers are random."""
    result = run(digits.Digits(digits.Random(net), scores=False, gradients=False))
    assert result.outcome is Outcome.INCONCLUSIVE  # type: ignore[attr-defined]
    assert "The model is random" in result.reason  # type: ignore[attr-defined]
    assert result.canary.noticed  # type: ignore[attr-defined]
    assert figures(result)[ROBUST] <= 0.3  # type: ignore[operator]


def test_saturated_scores_without_gradients_are_attacked_by_labels(net: object) -> None:
    """Probabilities of exactly 0 and 1 give Square nothing to follow; the engine asks labels instead."""
    result = run(digits.Digits(digits.Saturated(net), gradients=False))
    assert result.outcome is Outcome.INCONCLUSIVE  # type: ignore[attr-defined]
    assert figures(result)["rows felled by this attack first labels alone"] >= 10  # type: ignore[operator]
    assert figures(result)[ROBUST] <= 0.3  # type: ignore[operator]


def test_a_table_is_measured_and_a_quantity_refused() -> None:
    """Tables of numbers go the same way; a model of quantities has no such figure."""
    made = tables.context(tables.trained(3, robust=0.1, steps=200), many=100, epsilon=0.05, steps=20, queries=60)
    result = honesty.run(made)
    assert result.outcome is not Outcome.FAIL
    assert result.canary is not None
    assert result.canary.noticed
    with pytest.raises(UnsupportedError) as caught:
        run(digits.Digits(digits.trained(steps=2)), norm="l7")
    assert caught.value.code == "evasion.norm"
