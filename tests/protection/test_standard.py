"""P1.standard: broken defences are seen and broken, honest models are not flagged, rows stay possible."""

from __future__ import annotations

import numpy as np
import pytest

from fivefold.contract.codec import canonical
from fivefold.contract.outcome import Outcome
from fivefold.errors import UnsupportedError
from fivefold.protection.evasion import standard
from fivefold.protection.evasion.engine import apgd, fab, hopskip, norms, square
from fivefold.protection.evasion.engine.trial import Field, Trial

from . import digit_models as digits

SIGNS = ("The model is random", "The gradient is zero", "does not do what", "the gradients mislead", "saturated logits")


@pytest.fixture(scope="module")
def net() -> object:
    """Return one undefended network for all tests."""
    return digits.trained()


@pytest.fixture(scope="module")
def hardened() -> object:
    """Return one network that was trained against changes of 0.15."""
    return digits.trained(robust=0.15, steps=400)


def figures(result: object) -> dict[str, float | None]:
    """Return measures by name and place."""
    return {f"{one.name} {one.where}".strip(): one.value for one in result.measures}  # type: ignore[attr-defined]


def said(result: object) -> list[str]:
    """Return the signs that a result tells of."""
    text = " ".join((result.reason, *result.limits))  # type: ignore[attr-defined]
    return [sign for sign in SIGNS if sign in text]


@pytest.mark.parametrize(
    ("wrap", "linked", "sign"),
    [
        (digits.Random, True, "The model is random"),
        (digits.Rounded, True, "The gradient is zero"),
        (digits.Masked, True, "does not do what"),
        (digits.Saturated, True, "saturated logits"),
        (lambda net: digits.Saturated(net, soft=True), False, "The gradient is zero"),
    ],
)
def test_a_broken_defence_is_named_and_broken(net: object, wrap: object, linked: bool, sign: str) -> None:
    """The sign is told, and the attack that the engine chooses leaves about as little as without the defence."""
    subject = digits.Digits(wrap(net), linked=linked)  # type: ignore[operator]
    result = standard.run(digits.context(subject, many=30, epsilon=0.2))
    assert sign in said(result)
    assert figures(result)["robust accuracy"] <= 0.2
    assert result.outcome is Outcome.FAIL
    assert result.canary is not None
    assert result.canary.noticed


def test_a_masked_gradient_takes_a_pass_away(hardened: object) -> None:
    """Where gradients lie, a model that stands is inconclusive with the reason; the same model bare passes."""
    bare = standard.run(digits.context(digits.Digits(hardened), many=40, epsilon=0.05))
    assert bare.outcome is Outcome.PASS
    assert said(bare) == []
    masked = standard.run(digits.context(digits.Digits(digits.Masked(hardened)), many=40, epsilon=0.05))
    assert masked.outcome is Outcome.INCONCLUSIVE
    assert "does not do what" in masked.reason


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_labels_alone_are_enough_to_attack(net: object, norm: str) -> None:
    """Without gradients and scores the decision attack fells most rows of an undefended network, in both norms."""
    subject = digits.Digits(net, scores=False, gradients=False)
    reach = {"linf": 0.2, "l2": 1.2}[norm]
    result = standard.run(digits.context(subject, many=30, epsilon=reach, norm=norm))
    found = figures(result)
    assert found["robust accuracy"] <= 0.35
    assert found["rows felled by this attack first labels alone"] >= 15
    assert found["gradients per row"] == 0
    assert subject.asked <= 2000 + 30 * 520 + 1000


def test_the_same_seed_gives_the_same_finding(net: object) -> None:
    """Two runs are byte for byte the same."""
    both = [standard.run(digits.context(digits.Digits(net), many=20, steps=10, queries=30)) for _ in range(2)]
    assert canonical(both[0]) == canonical(both[1])


def test_quantities_and_unknown_norms_are_refused(net: object) -> None:
    """The reasons carry their codes."""
    with pytest.raises(UnsupportedError) as caught:
        standard.run(digits.context(digits.Digits(net), norm="l7"))
    assert caught.value.code == "evasion.norm"


class Linear:
    """Two classes, one plane: everything about it is known exactly."""

    classes = 2

    def __init__(self, weights: np.ndarray, offset: float) -> None:
        self.weights, self.offset = weights, offset

    def can(self, rows: int) -> bool:
        return rows >= 0

    def scores(self, values: np.ndarray, rows: np.ndarray) -> np.ndarray:
        score = values @ self.weights + self.offset
        return np.stack([-score, score], axis=1) / 2

    def labels(self, values: np.ndarray, rows: np.ndarray) -> np.ndarray:
        return self.scores(values, rows).argmax(axis=1)

    def slopes(self, values: np.ndarray, rows: np.ndarray, target: np.ndarray, loss: str) -> tuple[np.ndarray, ...]:
        towards = np.where(target.reshape(len(target), -1)[:, 0] == 1, -1.0, 1.0).astype(np.float32)
        value = towards * (values @ self.weights + self.offset)
        if loss == "cross-entropy":
            value = np.logaddexp(0, value)
        return value, towards[:, None] * self.weights[None].astype(np.float32)


def plane(norm: str, epsilon: float, d: int = 40, n: int = 60) -> tuple[Trial, np.ndarray]:
    """Return rows before a plane in the unit box, and the exact distance of each in that norm (without the box)."""
    rng = np.random.default_rng(5)
    x = rng.uniform(0.3, 0.7, (n, d)).astype(np.float32)
    weights = rng.normal(size=d).astype(np.float32)
    victim = Linear(weights, -float(np.median(x @ weights)))
    field = Field(x, np.zeros((1, d), np.float32), np.ones((1, d), np.float32), norm, epsilon)  # type: ignore[arg-type]
    dual = {"linf": np.abs(weights).sum(), "l2": np.linalg.norm(weights), "l1": np.abs(weights).max()}[norm]
    trial = Trial(field, victim, victim.labels(x, x))  # type: ignore[arg-type]
    return trial, np.abs(x @ weights + victim.offset) / dual


@pytest.mark.parametrize(("norm", "epsilon"), [("linf", 0.02), ("l2", 0.1), ("l1", 0.3)])
def test_auto_pgd_fells_exactly_the_rows_that_can_fall(norm: str, epsilon: float) -> None:
    """Of a plane the rows nearer than epsilon fall, no other, and every change stays in ball and box."""
    trial, distance = plane(norm, epsilon)
    trial.begin("APGD")
    apgd.climb(trial, "cross-entropy", steps=100, rng=np.random.default_rng(1))
    clear = np.abs(distance - epsilon) > 0.03 * epsilon
    assert (trial.fallen == (distance < epsilon))[clear].all()
    assert 5 < trial.fallen.sum() < 55
    change = norms.size(trial.found - trial.field.start, norm)  # type: ignore[arg-type]
    assert change.max() <= epsilon * (1 + 1e-5)
    assert trial.found.min() >= 0
    assert trial.found.max() <= 1


@pytest.mark.parametrize("norm", ["linf", "l2", "l1"])
def test_fab_finds_the_exact_distance_of_a_plane(norm: str) -> None:
    """The nearest change is at most 6 % farther than the plane (5 % is the step beyond it), and never nearer."""
    trial, distance = plane(norm, 1e-6)
    best, rows = fab.none_found(trial), trial.begin("FAB")
    fab.approach(trial, best, rows, 1 - trial.own, steps=30)
    inside = distance < {"linf": 0.25, "l2": 0.6, "l1": 0.25}[norm]
    assert inside.sum() > 20
    assert (best.size[inside] <= distance[inside] * 1.06 + 1e-4).all()
    assert (best.size >= distance * (1 - 1e-3) - 1e-5).all()


@pytest.mark.parametrize(("norm", "epsilon"), [("linf", 0.03), ("l2", 0.2)])
def test_square_needs_no_gradients(norm: str, epsilon: float) -> None:
    """It fells at least four of five rows that are twice as near as epsilon, and none that is farther."""
    trial, distance = plane(norm, epsilon)
    trial.begin("Square")
    square.search(trial, queries=400, rng=np.random.default_rng(2))
    near = distance < epsilon / 2
    assert near.sum() >= 10
    assert trial.fallen[near].mean() >= 0.8
    assert not trial.fallen[distance > epsilon * 1.01].any()


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_hopskipjump_counts_its_calls_and_comes_near(norm: str) -> None:
    """All rows share each call, questions stay within the limit, and the distance is near to the exact one."""
    trial, distance = plane(norm, 1e-6)
    trial.begin("HopSkipJump")
    best = hopskip.search(trial, queries=1500, rng=np.random.default_rng(3))
    assert np.isfinite(best.size).all()
    assert trial.answers.max() <= 1500
    assert trial.calls < 400
    assert np.median(best.size / np.maximum(distance, 1e-3)) < 1.6
    assert (best.size >= distance * (1 - 1e-3) - 1e-5).all()


def test_whole_steps_are_kept_in_every_norm() -> None:
    """With a step of 1/16 every changed row lies on whole steps from where it began, and within reach."""
    rng = np.random.default_rng(8)
    start = rng.integers(0, 17, (20, 6)).astype(np.float32) / 16
    box = np.zeros((1, 6), np.float32)
    for norm in ("linf", "l2"):
        field = Field(start, box, box + 1, norm, 0.15, step=np.full(6, 1 / 16, np.float32))  # type: ignore[arg-type]
        rows = np.arange(20)
        moved = field.whole(norms.anywhere(field, rows, rng), rows)
        steps = (moved - start) * 16
        assert np.abs(steps - np.round(steps)).max() < 1e-3
        assert norms.size(moved - start, field.norm).max() <= 0.15 + 1e-6
