"""Classes that look alike: rows contradicted by honest doubt are told from changed labels."""

from __future__ import annotations

import numpy as np

from fivefold.sharing.filtering.doubt import doubtful
from fivefold.sharing.filtering.suspects import Opinion


def _rows(chance: np.ndarray, label: np.ndarray) -> Opinion:
    """Return what is said of rows of two classes: ``chance`` of the second."""
    return Opinion(np.column_stack([1 - chance, chance]), label)


def test_changed_labels_are_no_doubt() -> None:
    """Rows of a surely told class, some with the other label: none is spared."""
    rng = np.random.default_rng(1)
    chance = np.where(np.arange(1000) < 500, 0.01, 0.99) + rng.uniform(-0.01, 0.01, 1000)
    label = (np.arange(1000) >= 500).astype(np.int64)
    label[500:540] = 0
    assert not doubtful(_rows(chance, label)).any()


def test_honest_doubt_is_spared_and_rows_that_agree_are_no_concern() -> None:
    """Labels drawn by the very chances: of what is contradicted plainly most is spared, in the mean of six draws."""
    shares = []
    for seed in range(6):
        rng = np.random.default_rng(seed)
        chance = rng.beta(1.5, 1.5, 4000)
        given = _rows(chance, (rng.random(4000) < chance).astype(np.int64))
        spared, plain = doubtful(given), given.suspicion > 0.5
        shares.append(spared[plain].mean())
        assert not spared[~plain].any()
    assert np.mean(shares) > 0.8


def test_few_rows_and_empty_classes_say_nothing() -> None:
    """Nine contradicted rows, or a class that nobody confirms: nothing is spared."""
    chance = np.full(200, 0.05)
    label = np.zeros(200, dtype=np.int64)
    label[:9] = 1
    assert not doubtful(_rows(chance, label)).any()
    assert not doubtful(_rows(chance, np.ones(200, dtype=np.int64))).any()
