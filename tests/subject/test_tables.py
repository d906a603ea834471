"""Tables: columns share the memory of what was read."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from fivefold.manifest.nouns import DataSet
from fivefold.subject import tables
from fivefold.subject.tables import Coding, Store, split

if TYPE_CHECKING:
    from pathlib import Path

_CODING = Coding("binary", ("no", "yes"))


def _frame(n: int = 200) -> pd.DataFrame:
    rng = np.random.default_rng(3)
    frame = pd.DataFrame(rng.normal(size=(n, 6)), columns=[f"x{place}" for place in range(6)])
    return frame.assign(outcome=np.where(rng.random(n) < 0.5, "yes", "no"), text="a")


def _data(name: str) -> DataSet:
    return DataSet(name=name, path=f"{name}.csv", target="outcome", drop=("x2",))


def test_what_the_model_sees_is_no_copy_and_stays_apart_when_changed() -> None:
    frame = _frame()
    table = split(_data("train"), frame, _CODING)
    assert list(table.features.columns) == ["x0", "x1", "x3", "x4", "x5", "text"]
    assert np.shares_memory(table.features["x4"].to_numpy(), frame["x4"].to_numpy())
    before = frame["x4"].to_numpy().copy()
    table.features.loc[:, "x4"] = 1.0
    assert np.array_equal(frame["x4"].to_numpy(), before)


def test_other_orders_and_many_runs_give_the_same_cells() -> None:
    wide = pd.DataFrame(np.arange(400.0).reshape(4, 100), columns=[f"x{place}" for place in range(100)])
    for names in (list(wide)[::-1], list(wide)[::2], ["x7"], []):
        pd.testing.assert_frame_equal(tables._columns(wide, names), wide[names])


def test_data_sets_are_read_once_until_they_are_released(tmp_path: Path) -> None:
    for name in ("train", "test"):
        _frame().to_csv(tmp_path / f"{name}.csv", index=False)
    store = Store(tmp_path, {name: _data(name) for name in ("train", "test")})
    first = store.stored("train")
    store.stored("test")
    assert store.stored("train") is first
    store.release("train")
    assert store.stored("train") is not first
