"""The attacks of P1 on any oracle, against a linear model for which the nearest change is known exactly."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest

from fivefold.contract.registry import provided
from fivefold.contract.subject import Table
from fivefold.errors import UnsupportedError
from fivefold.protection.attacking import Attacker

if TYPE_CHECKING:
    from fivefold.contract.subject import Loss

WEIGHTS = np.array([2.0, -1.0, 0.5, 1.5])


def rows(count: int, seed: int) -> Table:
    """Return rows of four numbers, ranges cut so that they are known."""
    values = np.random.default_rng(seed).uniform(-1, 1, (count, 4))
    values[0], values[1] = -1.0, 1.0
    empty = pd.DataFrame(index=pd.RangeIndex(count))
    frame = pd.DataFrame(values, columns=list("abcd"))
    return Table("test", np.arange(count), frame, (values @ WEIGHTS > 0).astype(np.int64), empty)


class Line:
    """The model: the sign of a weighted sum."""

    def predict(self, table: Table) -> np.ndarray:
        return (table.features.to_numpy() @ WEIGHTS > 0).astype(np.int64)

    def gradient(self, table: Table, target: np.ndarray, loss: Loss) -> tuple[np.ndarray, np.ndarray]:
        side = np.where(target == 1, -1.0, 1.0)
        return side * (table.features.to_numpy() @ WEIGHTS), side[:, None] * WEIGHTS


def answer(table: Table, origin: np.ndarray) -> np.ndarray:
    """Return what the model says."""
    assert len(origin) == len(table)
    return Line().predict(table)


def nearest(table: Table) -> np.ndarray:
    """Return (n,) the smallest reach, as a share of each range (2), at which some change turns the answer."""
    return np.abs(table.features.to_numpy() @ WEIGHTS) / (2 * np.abs(WEIGHTS).sum())


def test_the_nearest_change_is_found() -> None:
    """Exactly those rows fall that can, within the reach; the change found is at most a tenth larger than need be."""
    test = rows(200, 1)
    struck = Attacker([test], {}).labels(
        answer, test, rows(400, 2), epsilon=0.3, queries=200, rng=np.random.default_rng(3)
    )
    moved = np.abs(struck.rows.features.to_numpy() - test.features.to_numpy()).max(axis=1) / 2
    inside = np.abs(test.features.to_numpy()).max(axis=1) < 0.4  # the ends of ranges are not in the way
    assert (Line().predict(struck.rows) != Line().predict(test)).tolist() == struck.fell.tolist()
    assert struck.fell[inside & (nearest(test) < 0.28)].all()
    assert not struck.fell[nearest(test) > 0.3].any()
    assert (moved[~struck.fell] == 0).all()
    assert moved.max() <= 0.3 + 1e-9
    assert (moved[struck.fell] >= nearest(test)[struck.fell] - 1e-9).all()
    assert np.median(moved[struck.fell] / nearest(test)[struck.fell]) < 1.1


def test_the_first_change_is_larger_and_cheaper() -> None:
    """Without looking for the nearest one."""
    test, public = rows(100, 4), rows(400, 5)
    first, least = (
        Attacker([test], {}).labels(
            answer, test, public, epsilon=0.3, queries=200, rng=np.random.default_rng(3), minimal=minimal
        )
        for minimal in (False, True)
    )
    assert first.fell.tolist() == least.fell.tolist()
    assert first.asked < least.asked
    size = [np.abs(one.rows.features.to_numpy() - test.features.to_numpy()).max(axis=1) for one in (first, least)]
    assert size[0][first.fell].mean() > 2 * size[1][least.fell].mean()


def test_an_oracle_that_alarms_for_every_change_lets_nothing_fall() -> None:
    """What the oracle says decides, not the model."""
    test = rows(60, 6)
    held = Line().predict(test)
    struck = Attacker([test], {}).labels(
        lambda _table, origin: held[origin], test, rows(300, 7), epsilon=0.3, queries=50, rng=np.random.default_rng(3)
    )
    assert not struck.fell.any()


def test_gradients_of_one_model_turn_another() -> None:
    """A transfer: the substitute's slopes, the model's answers."""
    test = rows(100, 8)
    struck = Attacker([test], {}).slopes(Line(), answer, test, epsilon=0.2, rng=np.random.default_rng(1))  # type: ignore[arg-type]
    assert struck.fell[nearest(test) < 0.05].all()
    assert (Line().predict(struck.rows) != Line().predict(test)).tolist() == struck.fell.tolist()


def test_calls_are_not_overdrawn() -> None:
    """Too few for an attack: said so; enough: never more than allowed."""
    test, public, calls = rows(20, 9), rows(100, 10), []

    def counted(table: Table, origin: np.ndarray) -> np.ndarray:
        calls.append(len(table))
        return answer(table, origin)

    attacker = Attacker([test], {})
    most, rng = {"epsilon": 0.3, "queries": 100, "call_rows": 25}, np.random.default_rng(0)
    with pytest.raises(UnsupportedError) as error:
        attacker.labels(counted, test, public, calls=2, rng=rng, **most)  # type: ignore[arg-type]
    assert (error.value.code, calls) == ("evasion.budget", [])
    attacker.labels(counted, test, public, calls=30, rng=rng, **most)  # type: ignore[arg-type]
    assert 6 <= len(calls) <= 30
    assert max(calls) <= 25


def test_what_cannot_be_attacked() -> None:
    """Nothing may move; no table and no image."""
    test = rows(20, 11)
    with pytest.raises(UnsupportedError) as error:
        Attacker([test], {name: {"immutable": True} for name in "abcd"})
    assert error.value.code == "evasion.fixed"
    series = Table("test", test.rows, test.others, test.target, test.others, inputs=np.zeros((20, 2, 5)), kind="series")
    with pytest.raises(UnsupportedError) as error:
        Attacker([series], {})
    assert error.value.code == "evasion.inputs"


def test_it_is_handed_out_by_name() -> None:
    """Other rooms get it from the registry, never by import."""
    assert provided("attack.rows") is Attacker
