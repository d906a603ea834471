"""Tables without a target are filtered: made-up rows go, others stay, trusted ones always; checks measure it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from tests.truth import hit, streamed

from fivefold.contract.outcome import Outcome
from fivefold.contract.registry import resolve
from fivefold.errors import UnsupportedError
from fivefold.sharing.filtering import strangers
from fivefold.sharing.filtering.choose import filtered, spoilt, trusted_rows


@pytest.mark.parametrize("seed", [1, 2])
def test_made_up_rows_go_and_others_stay(seed: int) -> None:
    """Four in five at least of 5 % made-up rows, each with a reason, and at most one in twenty of the others."""
    rng = np.random.default_rng(seed)
    table = streamed.tied(1200, rng)
    wrong = rng.random(1200) < 0.05
    found = filtered(spoilt(table, wrong, rng), rng)
    assert (~found.kept)[wrong].mean() >= 0.8
    assert (~found.kept)[~wrong].mean() <= 0.05
    assert all(found.reason(int(at)) for at in np.flatnonzero(~found.kept))


def test_trusted_rows_are_not_among_those_left_out() -> None:
    """They take part, and the answer is of the others alone."""
    rng = np.random.default_rng(3)
    table, good = streamed.tied(400, rng), streamed.tied(100, rng)
    found = filtered(table, rng, good)
    assert found.kept.shape == (400,)
    assert filtered(streamed.tied(120, rng), rng, streamed.tied(100, rng)).kept.shape == (120,)


@pytest.mark.parametrize(("rows", "code"), [(150, "filter.rows"), (600, "filter.columns")])
def test_what_cannot_be_filtered_is_refused(rows: int, code: str) -> None:
    """Too few rows; columns that nothing ties to each other, where a row put together from several is like any."""
    rng = np.random.default_rng(4)
    loose = pd.DataFrame(rng.integers(0, 2, (rows, 3)).astype(str), columns=list("abc"))
    table = replace(streamed.tied(rows, rng), features=loose)
    with pytest.raises(UnsupportedError) as told:
        strangers.filtered(table, rng)
    assert told.value.code == code


@pytest.mark.parametrize("seed", [5])
def test_the_stream_of_a_table_without_a_target(seed: int) -> None:
    """Columns that are tied: what is made up is held; columns that are not: nothing passes."""
    assert resolve(streamed.CHECK)(streamed.untold(seed)).outcome is Outcome.PASS
    try:
        loose = resolve(streamed.CHECK)(streamed.untold(seed, tied_together=False)).outcome
    except UnsupportedError as error:
        assert error.code == "filter.columns"  # noqa: PT017
    else:
        assert loose in (Outcome.FAIL, Outcome.INCONCLUSIVE)


def test_a_group_of_another_kind_is_seen_to_be_hit() -> None:
    """A tenth of the rows, one protected group, drawn at random: fail; the same rows without it: pass."""
    assert resolve(hit.CHECK)(hit.untold(7, apart=True)).outcome is Outcome.FAIL
    assert resolve(hit.CHECK)(hit.untold(7)).outcome is Outcome.PASS


def test_trusted_rows_are_those_of_the_data_set_that_is_named() -> None:
    """A name that is no data set is left to the command; too few rows are refused."""
    given = streamed.untold(8)
    tables = {"train": given.tables("train"), "good": streamed.tied(80, np.random.default_rng(8)),
              "few": streamed.tied(20, np.random.default_rng(8))}  # fmt: skip

    def named(name: str) -> object:
        controls = {"S5": {"intake": True, "trusted": name}}
        return replace(given, tables=tables.__getitem__, settings=replace(given.settings, controls=controls))

    assert len(trusted_rows(named("good"))) == 80  # type: ignore[arg-type]
    assert trusted_rows(named("data/good.csv")) is None  # type: ignore[arg-type]
    with pytest.raises(UnsupportedError) as told:
        trusted_rows(named("few"))  # type: ignore[arg-type]
    assert told.value.code == "filter.trusted"
