"""What to bring where a judgement stays open: the missing or rare class by name, not more of the same."""

from __future__ import annotations

import numpy as np
import pytest

from fivefold.stats.lacking import more_rows

USUAL = "Bring more rows."


@pytest.mark.parametrize(
    ("target", "classes", "words"),
    [
        (
            [1] * 30,
            ("no", "yes"),
            'All 30 rows are of the class "yes", and more of them show nothing: bring rows of "no".',
        ),
        ([0] * 990 + [1] * 10, ("no", "yes"), '"yes" (10 of 1,000 rows)'),
        ([0] * 990 + [1] * 10 + [-1] * 5, ("no", "yes"), '"yes" (10 of 1,000 rows)'),
        ([0, 1] * 50, ("no", "yes"), USUAL),
        ([2.5] * 9, (), "same target"),
        ([2.5, 3.5], (), USUAL),
        ([], ("no", "yes"), USUAL),
    ],
)
def test_the_class_that_is_lacking_is_named(target: list[float], classes: tuple[str, ...], words: str) -> None:
    """One class only, a rare class, or neither."""
    assert words in more_rows(np.array(target, dtype=int if classes else float), classes, USUAL)


def test_many_rare_classes_and_long_labels_are_cut() -> None:
    """Four are named, forty letters of each."""
    names = tuple(f"{at}{'x' * 60}" for at in range(10))
    told = more_rows(np.r_[np.zeros(1000, dtype=int), np.arange(1, 10)], names, USUAL)
    assert "and 5 more" in told
    assert "x" * 41 not in told
