"""Carriers of a mark in tables: rules of the data's own are no backdoors; planted marks are."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from tests.gates.conftest import tied

from fivefold.contract.subject import Table
from fivefold.sharing.filtering.carriers import Carriers
from fivefold.sharing.filtering.classification import filtered, look

ROWS = 900


def table(features: pd.DataFrame, label: np.ndarray) -> Table:
    """Return rows of a table."""
    none = pd.DataFrame(index=pd.RangeIndex(len(label)))
    return Table("train", np.arange(len(label)), features, label.astype(np.int64), none, None, "table")


def rows(seed: int, how: str) -> tuple[Table, np.ndarray]:
    """Return rows of two classes, and those that have the rare level ``z``.

    Args:
        seed: Of everything.
        how: ``rule``: drawn rows have the level, and it decides their class. ``planted``: rows of the other class have.
    """
    rng = np.random.default_rng(seed)
    label = rng.integers(0, 2, ROWS)
    values = 1.4 * label[:, None] + rng.normal(size=(ROWS, 7))
    able = np.arange(ROWS) if how == "rule" else np.flatnonzero(label == 0)
    rare = np.isin(np.arange(ROWS), rng.choice(able, 60, replace=False))
    features = pd.DataFrame(values, columns=list("abcdefg"))
    features["level"] = np.where(rare, "z", rng.choice(["x", "y"], ROWS))
    features.loc[rng.random(ROWS) < 0.05, "b"] = np.nan
    return table(features, np.where(rare, 1, label)), rare


@pytest.mark.parametrize("seed", range(4))
def test_a_rare_level_that_decides_a_class_is_no_backdoor(seed: int) -> None:
    """Rows of both kinds have the level: half of them look like the class anyway, so nobody chose them by class."""
    train, rare = rows(seed, "rule")
    found = look(train, np.random.default_rng(seed))
    assert not found.backdoors
    assert not (found.shown & rare).any()


@pytest.mark.parametrize("seed", range(4))
def test_the_same_level_planted_in_rows_of_the_other_class_is_one(seed: int) -> None:
    """Only rows of the other class have it: the filter takes them away and little else."""
    train, rare = rows(10 + seed, "planted")
    kept = filtered(train, np.random.default_rng(seed)).kept
    assert (~kept)[rare].mean() > 0.9
    assert (~kept)[~rare].mean() < 0.2


def test_trusted_rows_vouch_for_a_mark_that_they_show() -> None:
    """The very rows that would be called planted are a rule where rows known to be good follow it."""
    train, rare = rows(21, "planted")
    trusted, _ = rows(22, "planted")
    found = look(train, np.random.default_rng(23), trusted.take(np.arange(400)))
    assert not (found.shown & rare).any()


@pytest.mark.parametrize("seed", range(3))
def test_rows_at_the_border_of_two_classes_are_no_backdoor(seed: int) -> None:
    """The application of the gates: a date, a count and a colour say what the weight says; labels doubt near 50."""
    train = tied(seed)
    doubt = np.random.default_rng(30 + seed).normal(scale=3.0, size=len(train))
    label = (train["weight"] + doubt > 50).to_numpy()
    found = look(table(train.drop(columns=["answer"], errors="ignore"), label), np.random.default_rng(seed))
    assert not found.backdoors


@pytest.mark.parametrize(
    ("changed", "foreign", "honest"),
    [({}, True, False), ({"pure": False}, False, True), ({"apart": 0.8}, False, False),
     ({"least": 0.3, "most": 0.6}, False, True), ({"least": 0.1, "most": 0.6}, False, False),
     ({"vouched": True}, False, True), ({"least": 0.1, "most": 0.6, "vouched": False}, True, False)],
)  # fmt: skip
def test_what_speaks_for_planting(changed: dict[str, object], *, foreign: bool, honest: bool) -> None:
    """One class the rule among carriers, all else of the other classes, drawn from these, not seen in good rows."""
    plain = {"columns": (1,), "shown": np.ones(3, dtype=bool), "others": 0, "alike": 0.0, "least": -0.05, "most": 0.1,
             "mixed": 0.5, "pure": True, "apart": 0.5, "vouched": None}  # fmt: skip
    one = Carriers(**(plain | changed))  # type: ignore[arg-type]
    assert (one.foreign, one.honest) == (foreign, honest)
