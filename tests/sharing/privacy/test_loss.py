"""Losses and budgets against an accountant that shares no code with ours."""

from __future__ import annotations

import math
import warnings

import pytest

from fivefold.errors import InputError
from fivefold.sharing.privacy.loss import DELTA, RHO, Loss, budget_of, epsilon_of, rho_for

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import dp_accounting
    from dp_accounting import pld, rdp


@pytest.mark.parametrize(("rho", "delta"), [(0.5, 1e-5), (0.01, 1e-6), (1e-4, 1e-6), (8.0, 1e-9)])
def test_epsilon_lies_between_the_tight_one_and_the_one_of_whole_orders(rho: float, delta: float) -> None:
    """Not below the privacy loss distribution of the Gaussian, not above Renyi accounting on a grid of orders."""
    event = dp_accounting.GaussianDpEvent(1 / math.sqrt(2 * rho))
    tight, coarse = pld.PLDAccountant(), rdp.RdpAccountant()
    tight.compose(event)
    coarse.compose(event)
    assert tight.get_epsilon(delta) <= epsilon_of(rho, delta) <= coarse.get_epsilon(delta) * (1 + 1e-9)


@pytest.mark.parametrize("epsilon", [0.01, 0.5, 1.0, 3.0, 20.0])
def test_a_budget_is_the_largest_that_keeps_its_promise(epsilon: float) -> None:
    """One unit more breaks it."""
    rho = rho_for(epsilon, 1e-6)
    assert epsilon_of(rho / RHO, 1e-6) <= epsilon < epsilon_of((rho + 1) / RHO, 1e-6) * (1 + 1e-6)


def test_thresholds_take_their_part_of_delta() -> None:
    """What is spent of delta makes epsilon larger; more than there is, infinite."""
    assert Loss(RHO // 100, 0).epsilon(1e-6) < Loss(RHO // 100, DELTA // 2_000_000).epsilon(1e-6)
    assert Loss(RHO // 100, DELTA).epsilon(1e-6) == math.inf
    assert budget_of(1.0, 1e-6).epsilon(1e-6) == pytest.approx(1.0, rel=1e-6)


@pytest.mark.parametrize(("epsilon", "delta"), [(0, 1e-6), (-1, 1e-6), (1, 0), (1, 1), (101, 1e-6), (math.nan, 1e-6)])
def test_what_is_no_budget_is_refused(epsilon: float, delta: float) -> None:
    """With a code."""
    with pytest.raises(InputError) as error:
        budget_of(epsilon, delta)
    assert error.value.code == "privacy.budget"
