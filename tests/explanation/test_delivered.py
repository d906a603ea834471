"""Reasons while the asker waits: planted functions whose reasons and flips are known."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from fivefold.explanation.delivered import Reasoner


def rows(n: int = 100, seed: int = 0) -> pd.DataFrame:
    """Return numbers, texts, a one-hot code, missing values."""
    rng = np.random.default_rng(seed)
    made = pd.DataFrame(
        {
            "strong": rng.normal(size=n),
            "weak": rng.normal(size=n),
            "noise": rng.normal(size=n),
            "colour": rng.choice(["red", "green", None], n),
        }
    )
    code = rng.integers(0, 3, n)
    for level in range(3):
        made[f"code{level}"] = (code == level).astype(float)
    return made


def linear(frame: pd.DataFrame) -> np.ndarray:
    """Probability of the second class: strong counts four times as much as weak."""
    told = 4 * frame["strong"].to_numpy(float) + frame["weak"].to_numpy(float)
    yes = 1 / (1 + np.exp(-told))
    return np.column_stack([1 - yes, yes])


def test_the_fields_that_count_are_named_in_their_order() -> None:
    """And no field that does not."""
    reasoner, wrong = Reasoner(rows()), 0
    for at in range(40):
        row = rows(40, seed=9).iloc[at : at + 1].reset_index(drop=True)
        found = reasoner(linear, row, pairs=12, seed=at, regression=False)
        assert {one.field for one in found.moved} <= {"strong", "weak"}
        if abs(row["strong"].iloc[0]) > 0.5:
            wrong += not (found.moved and found.moved[0].field == "strong")
    assert wrong <= 2


def test_credits_add_up_for_a_regression() -> None:
    """For a sum each credit is the field less its mean; there is nothing to flip."""
    background = rows()
    reasoner = Reasoner(background)

    def plain(frame: pd.DataFrame) -> np.ndarray:
        return (10 * frame["strong"].to_numpy(float) - 5 * frame["weak"].to_numpy(float))[:, None]

    row = rows(1, seed=3)
    found = reasoner(plain, row, pairs=200, seed=0, regression=True)
    assert found.flip is None
    for one in found.moved:
        scale = {"strong": 10, "weak": -5}[one.field]
        exact = scale * (row[one.field].iloc[0] - background[one.field].mean())
        assert one.credit == pytest.approx(exact, abs=5 * one.error + 1e-9)


def test_the_flip_flips_and_is_the_nearest_that_occurs() -> None:
    """The model itself answers otherwise with that value, and with no nearer one among those that occur."""
    background = rows()
    reasoner = Reasoner(background)
    tried = 0
    for at in range(60):
        row = rows(60, seed=5).iloc[at : at + 1].reset_index(drop=True)
        found = reasoner(linear, row, pairs=4, seed=at, regression=False)
        if found.flip is None:
            continue
        tried += 1
        was = int(linear(row)[0].argmax())
        changed = row.assign(**{found.flip.field: found.flip.instead})
        assert int(linear(changed)[0].argmax()) == found.flip.answer != was
        own = float(row[found.flip.field].iloc[0])
        nearer = background[found.flip.field]
        nearer = nearer[(nearer - own).abs() < abs(found.flip.instead - own)]
        if len(nearer):
            others = pd.concat([row] * len(nearer), ignore_index=True).assign(**{found.flip.field: nearer.to_numpy()})
            assert (linear(others).argmax(axis=1) == was).all()
    assert tried > 20


def test_what_cannot_change_is_not_proposed() -> None:
    """An immutable field explains, but is no way out."""
    reasoner = Reasoner(rows(), frozenset({"strong"}))
    row = rows(1).assign(strong=0.2, weak=0.0)
    found = reasoner(linear, row, pairs=12, seed=1, regression=False)
    assert found.flip is None or found.flip.field == "weak"


def test_a_one_hot_code_is_one_field() -> None:
    """Its columns move together, so that no impossible row is asked."""

    def asked(frame: pd.DataFrame) -> np.ndarray:
        assert (frame[["code0", "code1", "code2"]].sum(axis=1) == 1).all()
        yes = np.where(frame["code1"] == 1, 0.9, 0.1)
        return np.column_stack([1 - yes, yes])

    row = rows(1).assign(code0=0.0, code1=1.0, code2=0.0)
    found = Reasoner(rows())(asked, row, pairs=12, seed=0, regression=False)
    assert [one.field for one in found.moved] == ["code0 + code1 + code2"]
    assert found.moved[0].value == "code1"
    assert found.flip is not None
    assert found.flip.instead in {"code0", "code2"}


def test_texts_and_missing_values_are_reasons_too() -> None:
    """As they are."""

    def asked(frame: pd.DataFrame) -> np.ndarray:
        yes = np.where(frame["colour"].isna(), 0.95, 0.05)
        return np.column_stack([1 - yes, yes])

    found = Reasoner(rows())(asked, rows(1).assign(colour=None), pairs=12, seed=0, regression=False)
    assert (found.moved[0].field, found.moved[0].value) == ("colour", None)
    assert found.flip is not None
    assert found.flip.instead in {"red", "green"}


def test_the_same_row_gets_the_same_reason() -> None:
    """Bit for bit; asking often gains nothing."""
    row = rows(1, seed=4)
    first, again = (Reasoner(rows())(linear, row, pairs=8, seed=11, regression=False) for _ in range(2))
    assert first == again


def test_one_column_alone_is_the_whole_reason() -> None:
    """No permutation is needed."""
    background = rows()[["strong"]]

    def asked(frame: pd.DataFrame) -> np.ndarray:
        yes = (frame["strong"].to_numpy() > 0).astype(float)
        return np.column_stack([1 - yes, yes])

    found = Reasoner(background)(asked, pd.DataFrame({"strong": [1.0]}), pairs=8, seed=0, regression=False)
    assert [one.field for one in found.moved] == ["strong"]
    assert found.flip is not None
    assert found.flip.instead <= 0
