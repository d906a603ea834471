"""The checks of S2 on the example's declaration, on what is missing from it, and on runs of other systems."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
from tests.truth import privacy
from tests.truth.floors import floors
from tests.truth.subjects import context, table

from fivefold.contract.outcome import Outcome
from fivefold.contract.registry import resolve
from fivefold.contract.subject import SettingsView
from fivefold.errors import InputError, UnsupportedError
from fivefold.manifest.reader import read
from fivefold.sharing.privacy import bits, measured, noise, release, tables
from fivefold.sharing.privacy.distance import apart

if TYPE_CHECKING:
    from fivefold.contract.check import Context

CENSUS = Path(__file__).resolve().parents[3] / "examples" / "census"
CHECKS = ("S2.noise", "S2.release", "S2.ledger", "S2.utility")


@cache
def _rows() -> pd.DataFrame:
    return pd.read_csv(CENSUS / "data" / "train.csv")


def _context(check: str, control: dict[str, Any], frame: pd.DataFrame | None = None, source: str = "census") -> Context:
    frame = _rows() if frame is None else frame
    settings = SettingsView(controls={"S2": control}, labels={"train": {"source": source}})
    given = {"train": table("train", frame, np.zeros(len(frame), dtype=np.int64))}
    return context(check, None, given, 3, thresholds=floors(check), settings=settings, effort="quick")


def _declared() -> dict[str, Any]:
    return dict(read(CENSUS).controls["S2"])


@pytest.mark.parametrize("check", CHECKS)
def test_the_example_passes(check: str) -> None:
    """Its declared release, on its own rows; every canary is noticed."""
    result = resolve(check)(_context(check, _declared()))
    assert result.outcome is Outcome.PASS, result.reason
    assert result.canary is not None
    assert result.canary.noticed


@pytest.mark.parametrize("check", CHECKS)
def test_the_same_seed_gives_the_same_finding(check: str) -> None:
    """Byte for byte, although noise, threads and files are in it."""
    one, two = (resolve(check)(_context(check, _declared())) for _ in range(2))
    assert one == two


@pytest.mark.parametrize("check", CHECKS)
def test_without_a_declared_release_nothing_is_measured(check: str) -> None:
    """The finding is not-run, with what to write."""
    with pytest.raises(UnsupportedError) as error:
        resolve(check)(_context(check, {"epsilon": 1.0, "delta": 1e-6}))
    assert error.value.code == "privacy.undeclared"
    with pytest.raises(InputError) as lacking:
        resolve(check)(_context(check, {}))
    assert lacking.value.code == "privacy.undeclared"


def test_a_column_that_a_check_does_not_see_is_said() -> None:
    """The target, the id, or one that is not there."""
    with pytest.raises(UnsupportedError) as error:
        resolve("S2.release")(_context("S2.release", _declared(), _rows().drop(columns="sex")))
    assert error.value.code == "privacy.column"


def test_a_budget_without_a_source_is_refused() -> None:
    """Nobody could count against it."""
    with pytest.raises(InputError) as error:
        resolve("S2.ledger")(_context("S2.ledger", _declared(), source=" "))
    assert error.value.code == "privacy.source"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"epsilons": 1}, "privacy.options"),
        ({"epsilon": "1"}, "privacy.options"),
        ({"epsilon": True}, "privacy.options"),
        ({"times": 0}, "privacy.options"),
        ({"release": "queries.yaml"}, "privacy.options"),
        ({"epsilon": 0}, "privacy.budget"),
    ],
)
def test_options_that_are_none_are_refused(change: dict[str, Any], code: str) -> None:
    """Each with its code."""
    with pytest.raises(InputError) as error:
        resolve("S2.ledger")(_context("S2.ledger", _declared() | change))
    assert error.value.code == code


def test_a_limit_on_rows_that_does_not_hold_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Counting a person in as often as they have rows gives more away than is claimed."""
    given = privacy.own("S2.release", 5, person=True)
    monkeypatch.setattr("fivefold.sharing.privacy.chunks.Limit.keep", lambda _self, part: part)
    result = resolve("S2.release")(given)
    assert result.outcome is Outcome.FAIL, result.reason


def test_half_of_our_own_noise_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """In the very release that an application declares."""
    true = noise.sample
    monkeypatch.setattr(noise, "sample", lambda law, size, draw=noise.fresh: true(law, size, draw) // 2)
    result = resolve("S2.release")(_context("S2.release", _declared()))
    assert result.outcome is Outcome.FAIL, result.reason
    assert (result.measures[0].low or 0.0) > 2


def test_noise_that_is_drawn_again_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same seed for each run: what two releases differ by is the person."""
    true = release.noisy
    fixed = np.random.default_rng(1).bytes(32)

    def again(asked: release.Asked, totals: release.Totals, _draw: noise.Bytes) -> list[np.ndarray]:
        rng = np.random.default_rng(list(fixed))
        return true(asked, totals, noise.seeded(rng))

    monkeypatch.setattr(release, "noisy", again)
    result = resolve("S2.release")(_context("S2.release", _declared()))
    assert result.outcome is Outcome.FAIL, result.reason


def test_bounds_that_values_pass_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """A mean that does not move values into its bounds lets one person move it at will."""
    plain = "fivefold.sharing.privacy.vectors._added"
    monkeypatch.setattr(
        plain,
        lambda values, centre, size: int(np.rint(np.nan_to_num((values - centre) / size) * (1 << 20)).sum()),
    )
    result = resolve("S2.release")(_context("S2.release", _declared()))
    assert result.outcome is Outcome.FAIL, result.reason


@pytest.mark.parametrize("kind", ["laplace", "normal", "rounded to 3 digits", "Box-Muller"])
def test_textbook_noise_is_broken_by_its_bits(kind: str) -> None:
    """Each kind of floating-point noise falls; scale and place are not those of the canary."""
    rng = np.random.default_rng(8)

    def draw(place: float) -> np.ndarray:
        if kind == "Box-Muller":
            u, v = rng.random((2, 1 << 17))
            return place + 1.7 * np.sqrt(-2 * np.log(u)) * np.cos(2 * np.pi * v)
        drawn = rng.laplace(place, 1.7, 1 << 17) if kind == "laplace" else rng.normal(place, 1.7, 1 << 17)
        return np.round(drawn, 3) if kind.startswith("rounded") else drawn

    found = bits.events(draw(0.0), draw(1.0), (0.0, 1.0), 1.7, measured.claim_of(173_000_000))
    assert any(event.told for event in found) is not kind.startswith("rounded")


@pytest.mark.parametrize("epsilon", [0.05, 0.5, 2.0])
def test_table_noise_is_not_broken_by_its_bits(epsilon: float) -> None:
    """Gaussian and Laplace, on grids that are no powers of two either."""
    from fractions import Fraction

    draw = noise.seeded(np.random.default_rng(9))
    rho = epsilon**2 / 2
    for law in (tables.gaussian(Fraction(1 / (2 * rho))), tables.laplace(Fraction(1 / epsilon))):
        for worth in (1.0, 0.1, 1e-7 / 3):
            first = noise.sample(law, 1 << 16, draw) * worth
            second = (noise.sample(law, 1 << 16, draw) + 1) * worth
            claim = measured.claim_of(round(rho * 1e9))
            found = bits.events(first, second, (0.0, worth), law.deviation * worth, (max(claim[0], epsilon), claim[1]))
            assert not any(event.told for event in found)


def test_the_measured_loss_covers_the_true_one() -> None:
    """In 200 audits of honest noise, known movement and estimated: bounds miss at most as often as they say."""
    rng = np.random.default_rng(10)
    missed = {True: 0, False: 0}
    for _ in range(200):
        d = int(rng.integers(1, 6))
        moved = rng.normal(size=d)
        rho = float((moved**2).sum() / 2)
        one, two = rng.normal(size=(600, d)), rng.normal(size=(600, d)) + moved
        for known in missed:
            found = apart(one, two, moved if known else None)
            missed[known] += found.low > rho or found.high < rho
    assert max(missed.values()) <= 27, missed  # 7.5 % and chance


@pytest.mark.parametrize(
    ("foreign", "code"),
    [
        ({"data": "worlds"}, "privacy.foreign"),
        ({"data": "worlds", "loss": {"epsilon": "much"}}, "privacy.foreign"),
        ("worlds", "privacy.foreign"),
    ],
)
def test_runs_that_are_not_described_are_refused(foreign: object, code: str) -> None:
    """With what to write."""
    given = privacy.audited(1)
    settings = SettingsView(controls={"S2": {"foreign": foreign}})
    with pytest.raises(UnsupportedError) as error:
        resolve("S2.release")(replace(given, settings=settings))
    assert error.value.code == code


def test_runs_that_are_none_are_refused() -> None:
    """No world, too few, or no figures."""
    loss = {"epsilon": 1.0}
    frames = (
        pd.DataFrame({"figure": np.zeros(2000)}),
        pd.DataFrame({"world": np.repeat([0, 1], 100), "figure": np.zeros(200)}),
        pd.DataFrame({"world": np.repeat([0, 1], 1000), "figure": "text"}),
        pd.DataFrame({"world": np.repeat([0, 1], 1000), "figure": np.full(2000, np.nan)}),
    )
    for frame in frames:
        with pytest.raises(UnsupportedError) as error:
            resolve("S2.release")(privacy._worlds("S2.release", 1, frame, loss))
        assert error.value.code == "privacy.foreign"
