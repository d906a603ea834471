"""S3, training together: ways of aggregation against their definitions, and what is declared against what is kept."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from tests.truth import federated

from fivefold.contract.outcome import Outcome
from fivefold.errors import InputError, UnsupportedError
from fivefold.sharing.federated import accuracy, aggregation, lying, membership, poisoning
from fivefold.sharing.federated.declared import told
from fivefold.sharing.federated.distributed import shortened
from fivefold.sharing.federated.learner import Rows, update
from fivefold.sharing.federated.robust import WAYS, aggregate


def _updates(bad: int = 2) -> np.ndarray:
    rng = np.random.default_rng(1)
    return np.vstack([rng.normal(1.0, 0.1, (9, 6)), np.full((bad, 6), -50.0)])


@pytest.mark.parametrize("way", ["median", "trimmed-mean", "multi-krum"])
def test_two_of_eleven_do_not_move_a_robust_way(way: str) -> None:
    """All stay near what the honest ones say; the plain mean does not."""
    assert np.abs(aggregate(_updates(), way, 2) - 1.0).max() < 0.2
    assert np.abs(aggregate(_updates(), "mean", 2) - 1.0).min() > 5


def test_a_bound_on_the_norm_bounds_what_a_client_can_do() -> None:
    """No row counts for more than the median length."""
    found = aggregate(_updates(), "norm-bound", 2)
    assert np.abs(found - aggregate(_updates(0), "mean", 0)).max() < 0.6


def test_ways_agree_where_all_say_the_same() -> None:
    """Whatever the way."""
    same = np.tile(np.arange(6.0), (9, 1))
    for way in WAYS:
        assert np.allclose(aggregate(same, way, 2), np.arange(6.0))


def test_trimmed_mean_leaves_out_the_ends() -> None:
    """By hand: of 0, 1, 2, 3, 100 without the smallest and the largest, 2."""
    assert aggregate(np.array([[0.0], [100.0], [1.0], [3.0], [2.0]]), "trimmed-mean", 1).tolist() == [2.0]


@pytest.mark.parametrize(("way", "rows", "bad"), [("multi-krum", 6, 2), ("median", 4, 2), ("mode", 9, 1)])
def test_too_many_bad_ones_are_refused(way: str, rows: int, bad: int) -> None:
    """Krum needs 2 f + 3, every way more than 2 f."""
    with pytest.raises(InputError) as error:
        aggregate(np.zeros((rows, 3)), way, bad)
    assert error.value.code == "federated.robust"


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"clients": 12, "robust": "median"}, "federated.robust-masked"),
        ({"clients": 12, "robust": "median", "cohorts": 4}, "federated.robust-masked"),
        ({"clients": 12, "robust": "median", "cohorts": 6}, "federated.robust-masked"),
        ({"clients": 2}, "federated.declared"),
        ({"clients": 300}, "federated.declared"),
        ({"clients": 12, "malicious": 0.5}, "federated.declared"),
        ({"clients": 12, "robust": "best"}, "federated.declared"),
        ({"clients": 12, "noise": 1, "masking": False}, "federated.declared"),
        ({"clients": 24, "noise": 1, "robust": "median", "cohorts": 8}, "federated.declared"),
        ({"clients": 12, "noise": -1}, "federated.declared"),
        ({"clients": 12, "nois": 1}, "federated.declared"),
        ({"by": "absent"}, "federated.declared"),
        ({"clients": True}, "federated.declared"),
    ],
)
def test_a_federation_that_cannot_be_kept_is_not_measured(options: dict, code: str) -> None:
    """Robust and masked without cohorts above all; the reason names the option."""
    with pytest.raises(UnsupportedError) as error:
        told(options, federated.build("S3.server", 1))
    assert error.value.code == code


def test_cohorts_let_a_masked_federation_be_robust() -> None:
    """24 clients in 8 cohorts, one malicious: the median of the cohorts' means holds."""
    given = federated.learning("S3.poisoning", 5, robust="median", cohorts=8, clients=24, malicious=0.05)
    controls = {"S3": {**given.settings.controls["S3"], "by": ""}}  # type: ignore[index]
    found = poisoning.run(replace(given, settings=replace(given.settings, controls=controls)))
    assert found.outcome is Outcome.PASS, found.reason


@pytest.mark.parametrize("run", [aggregation.run, lying.run, accuracy.run, poisoning.run, membership.run])
def test_what_is_not_declared_is_not_measured(run: object) -> None:
    """Without controls.S3."""
    given = federated.build("S3.server", 1)
    with pytest.raises(UnsupportedError) as error:
        run(replace(given, settings=replace(given.settings, controls={})))  # type: ignore[operator]
    assert error.value.code == "federated.undeclared"


def test_rows_without_classes_are_not_learned_from() -> None:
    """A regression is not run, with the reason."""
    given = federated.learning("S3.accuracy", 1)
    table = given.tables("train")
    values = replace(table, target=table.target.astype(float))
    with pytest.raises(UnsupportedError) as error:
        accuracy.run(replace(given, tables={"train": values}.__getitem__))
    assert error.value.code == "federated.rows"


def test_noise_is_part_of_the_training_that_is_measured() -> None:
    """Little noise costs nothing, noise far beyond an update all there is to learn."""
    losses = []
    for noise in (0.01, 60.0):
        given = federated.learning("S3.accuracy", 2, clients=20, by="", noise=noise, norm=1.0, rounds=15)
        losses.append(accuracy.run(given).measures[0].value or 0.0)
    assert losses[0] < 0.05 < 0.2 < losses[1]


def test_a_plain_federation_of_small_clients_tells_members_and_masks_or_noise_do_not() -> None:
    """The attack finds what is there; both controls lower what it finds."""
    found = {}
    for name, options in (("plain", {"masking": False}), ("noised", {"noise": 1.0, "norm": 0.5})):
        found[name] = membership.run(federated.joined("S3.membership", 2, **options))
    assert (found["plain"].outcome, found["noised"].outcome) == (Outcome.FAIL, Outcome.PASS)
    server = {name: one.measures[0].value or 1.0 for name, one in found.items()}
    assert server["plain"] > server["noised"] + 0.1
    assert found["plain"].canary is not None
    assert found["plain"].canary.noticed


def test_many_clients_trained_at_once_are_those_trained_one_by_one() -> None:
    """Bit for bit, whatever their rows; a guest stands in for the first row, noise shortens."""
    rng = np.random.default_rng(3)
    held, taken = rng.normal(size=(4, 6)), rng.normal(size=(50, 6))
    rows = Rows(taken, rng.integers(3, size=50), np.zeros(50, dtype=int), held, rng.integers(3, size=4), 3)
    weights = rng.normal(size=(3, 6, 3))
    drawn = [rng.integers(50, size=size) for size in (5, 2, 5, 9, 1, 5)]
    guests = np.array([-1, 2, 3, -1, 0, -1])
    for noise, norm in ((0.0, 1.0), (1.0, 0.2)):
        given = told({"noise": noise, "norm": norm}, federated.joined("S3.membership", 2))
        found = membership._each(weights, membership._Teams(rows, drawn, guests), given)
        for at, (own, guest) in enumerate(zip(drawn, guests, strict=True)):
            x, y = rows.x[own], rows.y[own]
            if guest >= 0:
                x[0], y[0] = rows.held_x[guest], rows.held_y[guest]
            for turn, one in enumerate(weights):
                alone = update(one, x, y)
                alone = shortened(alone.ravel(), norm).reshape(alone.shape) if noise else alone
                assert np.array_equal(found[at, turn], alone)


@pytest.mark.parametrize("check", ["S3.aggregation", "S3.server"])
def test_same_seed_same_finding(check: str) -> None:
    """Also where neighbours are drawn by the directory (rule 8)."""
    run = {"S3.aggregation": aggregation.run, "S3.server": lying.run}[check]
    made = [replace(federated.build(check, 6, thin=True), rows=20) for _ in range(2)]
    assert run(made[0]) == run(made[1])
