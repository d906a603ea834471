"""Rows that repeat: copies are counted once, honest repeats of few values are not touched."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from fivefold.contract.subject import Table
from fivefold.stats.repeats import counted, hashes


def table(frame: pd.DataFrame, target: np.ndarray, inputs: np.ndarray | None = None) -> Table:
    """Return a table of these columns."""
    return Table("test", np.arange(len(target)), frame, target, pd.DataFrame(index=frame.index), inputs)


def measured(rng: np.random.Generator, n: int) -> Table:
    """Rows of numbers and texts that hardly repeat."""
    frame = pd.DataFrame({"a": rng.normal(size=n), "b": rng.choice(["x", "y", None], n), "c": rng.integers(0, 50, n)})
    return table(frame, rng.integers(0, 2, n))


def sorted_by_few(rng: np.random.Generator, n: int) -> Table:
    """Rows of three columns with few values: nearly all repeat, honestly."""
    frame = pd.DataFrame({"a": rng.integers(0, 3, n), "b": rng.choice(["x", "y"], n), "c": rng.random(n) < 0.3})
    return table(frame, rng.integers(0, 2, n))


def copied(original: Table, times: int) -> Table:
    """The same rows several times."""
    return original.take(np.tile(np.arange(len(original)), times))


@pytest.mark.parametrize("with_train", [True, False])
@pytest.mark.parametrize("times", [2, 20])
def test_copies_count_once(times: int, with_train: bool) -> None:
    """The first of each is kept, in order, and the reader is told."""
    rng = np.random.default_rng(times)
    rows = measured(rng, 400)
    found = counted(copied(rows, times), lambda: measured(rng, 800) if with_train else None)
    assert found.once
    assert found.keep.tolist() == list(range(400))
    assert f"{400 * (times - 1)} of {400 * times}" in found.limit


@pytest.mark.parametrize("with_train", [True, False])
@pytest.mark.parametrize("n", [200, 5000])
def test_honest_repeats_of_few_values_all_count(n: int, with_train: bool) -> None:
    """A dozen possible rows repeat whatever anybody does."""
    rng = np.random.default_rng(n)
    found = counted(sorted_by_few(rng, n), lambda: sorted_by_few(rng, 3000) if with_train else None)
    assert not found.once
    assert len(found.keep) == n
    assert found.repeated > n / 2
    assert found.limit == ""


def test_copies_among_few_values_are_told_by_the_training_data() -> None:
    """Forty rows copied a hundred times look like nothing that the training data would give."""
    rng = np.random.default_rng(3)
    frame = pd.DataFrame({"a": rng.integers(0, 12, 40), "b": rng.integers(0, 9, 40), "c": rng.choice(list("pqr"), 40)})
    few = table(frame, rng.integers(0, 2, 40))
    more = pd.DataFrame({name: rng.choice(frame[name], 5000) for name in frame})
    found = counted(copied(few, 100), lambda: table(more, rng.integers(0, 2, 5000)))
    assert found.once


def test_training_data_are_not_read_where_nothing_repeats() -> None:
    """They cost memory."""

    def never() -> Table:
        raise AssertionError

    assert not counted(measured(np.random.default_rng(1), 500), never).once


def test_a_hash_depends_on_values_not_on_their_storage() -> None:
    """Integers, floats and nullable columns of equal values, and images byte by byte."""
    target = np.array([0, 1])
    plain = hashes(table(pd.DataFrame({"a": [1, 2]}), target))
    assert (plain == hashes(table(pd.DataFrame({"a": [1.0, 2.0]}), target))).all()
    assert (plain != hashes(table(pd.DataFrame({"a": [1, 3]}), target))).tolist() == [False, True]
    image = np.zeros((2, 1, 2, 2), dtype=np.uint8)
    other = image.copy()
    other[1, 0, 1, 1] = 9
    empty = pd.DataFrame(index=[0, 1])
    same = hashes(table(empty, target, image)) == hashes(table(empty, target, other))
    assert same.tolist() == [True, False]
