"""E4.fooling: perturbed rows are what explainers ask, one function has one face, and two are told apart."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest
from tests.explanation.test_kinds import Asked, chance, given
from tests.truth.explanation_fooling import Answering, honest, two_faced
from tests.truth.subjects import table

from fivefold.contract.outcome import Outcome
from fivefold.contract.registry import resolve
from fivefold.explanation.measured import faces, fooling

if TYPE_CHECKING:
    from fivefold.contract.subject import Table

CHECK = "E4.fooling"


def ranks(n: int = 600, columns: int = 5) -> np.ndarray:
    """Return ranks of columns that go together."""
    rng = np.random.default_rng(1)
    cells = rng.normal(size=(n, 1)) + rng.normal(size=(n, columns))
    return pd.DataFrame(cells).rank().to_numpy() / (n + 1)


def test_swapped_rows_are_put_together_of_two() -> None:
    """Each row has cells of two rows, at least one of each, and a third to two thirds from the first on average."""
    cells = faces.swapped(ranks(), 3000, np.random.default_rng(2))
    other = np.array([len(set(row)) for row in cells.tolist()])
    assert (other <= 2).all()
    assert (other == 2).mean() > 0.99
    assert faces.swapped(ranks(50, 2), 200, np.random.default_rng(3)).shape == (200, 2)


def test_moved_rows_keep_to_cells_that_occur_and_stay_near() -> None:
    """Positions are those of the table; a moved cell goes with the one it was moved from, less with its neighbours."""
    codes = ranks()
    cells = faces.moved(codes, 4000, np.random.default_rng(4))
    assert cells.min() >= 0
    assert cells.max() < len(codes)
    around = codes[cells, np.arange(codes.shape[1])]
    real, made = (np.corrcoef(part, rowvar=False)[0, 1] for part in (codes, around))
    assert 0.05 < made < 0.7 * real


def test_a_function_has_one_face_and_a_switch_two() -> None:
    """The same function for all rows hides nothing; another one for real rows hides more than all of them."""
    codes, rng = ranks(), np.random.default_rng(5)
    real = np.sin(4 * codes[:, 0]) + codes[:, 1]
    own = faces.own_loss(codes, real, rng)
    for kind in faces.KINDS:
        cells = faces.PERTURB[kind](codes, 3000, rng)
        around = codes[cells, np.arange(codes.shape[1])]
        same = faces.face((codes, real), own, (around, np.sin(4 * around[:, 0]) + around[:, 1]))
        other = faces.face((codes, real), own, (around, 2 * around[:, 4]))
        assert same.high < 0.1
        assert other.low > 0.4
        assert faces.weights(other.told, codes, rng).argmax() == 4


def test_the_finding_names_what_each_face_goes_by() -> None:
    """A decision by one column, told as one by another: both columns stand in the reason."""
    given = two_faced(7, faces.KINDS[0])
    result = resolve(CHECK)(given)
    assert result.outcome is Outcome.FAIL, result.reason
    named = {one.name: one.where for one in result.measures if one.name.startswith("weight")}
    assert len(set(named.values())) == 2
    assert all(f"by {where} on" in result.reason for where in named.values())


def test_answers_that_do_not_vary_around_are_no_face() -> None:
    """A model that says the same of all perturbed rows is not called a liar, and passes nothing."""
    given = honest(3, "linear")
    frame = given.tables("test").features
    known = {row.tobytes() for row in frame.to_numpy(dtype=float)}

    def chance(asked: np.ndarray) -> np.ndarray:
        real = np.array([row.tobytes() in known for row in asked])
        return np.where(real, asked[:, 0] > np.median(asked[:, 0]), 0.0)

    result = resolve(CHECK)(replace(given, subject=Answering(chance)))
    assert result.outcome is Outcome.INCONCLUSIVE
    assert "nearly the same answer" in result.reason


def test_a_canary_that_goes_unnoticed_gives_no_verdict(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where known functions with two faces look like one, nothing is passed."""
    monkeypatch.setattr(fooling, "_other", lambda one, _codes, _rng: one)
    result = resolve(CHECK)(honest(4, "linear"))
    assert (result.outcome, result.canary.found) == (Outcome.INCONCLUSIVE, 0)  # type: ignore[union-attr]


@pytest.mark.parametrize("kind", ["noise around real rows", "noise everywhere"])
def test_noise_is_no_honest_face(kind: str) -> None:
    """A model that hides behind noise where it is not asked about real rows, and one that trees cannot learn at all."""
    rng = np.random.default_rng(6)
    frame = pd.DataFrame(rng.normal(size=(600, 6)), columns=list("abcdef"))
    real = set(map(bytes, frame.to_numpy()))

    def answer(asked: Table) -> np.ndarray:
        cells = asked.features.to_numpy(dtype=float)
        noise = np.sin(1e4 * cells.sum(axis=1))
        known = np.array([bytes(row) in real for row in cells])
        return chance(3 * np.where(known & (kind != "noise everywhere"), np.tanh(cells[:, 0]), noise))

    rows = table("test", frame, np.zeros(600, dtype=np.int64))
    result = resolve("E4.fooling")(given("E4.fooling", Asked(answer), {"test": rows}))
    assert result.outcome is Outcome.INCONCLUSIVE
    assert "untold" in result.reason
