"""Excess: Fisher's exact test for one stratum, the exact conditional test for several, uniform under chance."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import hypergeom

from fivefold.errors import InputError
from fivefold.stats.excess import excess_p


@pytest.mark.parametrize(
    ("hits", "drawn", "have", "total"), [(3, 5, 6, 40), (0, 5, 6, 40), (5, 5, 5, 5), (8, 8, 10, 40)]
)
def test_one_stratum_is_fishers_test(hits: int, drawn: int, have: int, total: int) -> None:
    """Held against scipy."""
    found = excess_p(*(np.array([one]) for one in (hits, drawn, have, total)))
    assert found == pytest.approx(hypergeom.sf(hits - 1, total, have, drawn), abs=1e-12)


def test_two_strata_are_the_sum_of_two_draws() -> None:
    """Held against all pairs of counts."""
    strata = [(4, 6, 12), (3, 5, 20)]
    table = np.array(strata)
    for hits in range(8):
        wanted = sum(
            hypergeom.pmf(i, 12, 6, 4) * hypergeom.pmf(j, 20, 5, 3) for i in range(5) for j in range(4) if i + j >= hits
        )
        split = np.array([min(hits, 4), max(0, hits - 4)])
        assert excess_p(split, table[:, 0], table[:, 1], table[:, 2]) == pytest.approx(wanted, abs=1e-12)


def test_strata_that_differ_in_size_alone_are_no_excess() -> None:
    """Most of those refused are of one group, and those refused appeal: within the answer that is chance."""
    found = excess_p(np.array([8, 0]), np.array([10, 0]), np.array([80, 10]), np.array([100, 100]))
    assert found > 0.5


@pytest.mark.parametrize("bad", [(6, 5, 8, 10), (1, 11, 8, 10), (-1, 5, 8, 10)])
def test_counts_that_cannot_be_are_refused(bad: tuple[int, ...]) -> None:
    """With their code."""
    with pytest.raises(InputError) as error:
        excess_p(*(np.array([one]) for one in bad))
    assert error.value.code == "stats.counts"
