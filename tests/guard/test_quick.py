"""Rows made the quick way are those made the careful way; what is not plainly right is left to it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal

from fivefold.governance.admission.rules import MAX_ROWS
from fivefold.guard.admission import Domain
from fivefold.guard.block import Block
from fivefold.guard.nouns import Passage, Principal, RefusedError
from fivefold.guard.quick import Quick
from fivefold.manifest.nouns import Feature

FEATURES = {
    "age": Feature(type="integer", range=(18, 100)),
    "amount": Feature(type="number", range=(0, 20000)),
    "steps": Feature(type="integer"),
}
TABLES = {
    "numbers": pd.DataFrame({"amount": [1.0], "steps": [3.0]}),
    "single": pd.DataFrame({"amount": np.float32([1.0]), "other": np.float32([3.0])}),
    "mixed": pd.DataFrame({"age": [20], "amount": [1.5], "why": ["education"]}),
    "objects": pd.DataFrame({"age": [20], "why": pd.Series(["x"], dtype=object)}),
    "dates": pd.DataFrame({"age": [20], "when": pd.to_datetime(["2020-01-01"])}),
}
VALUE = st.one_of(
    st.integers(-5, 30000), st.floats(-5, 30000), st.floats(), st.integers(), st.none(), st.booleans(),
    st.text(max_size=5), st.sampled_from([18, 19.0, 100, 0.5, "2020-02-03", 2**53 + 1, 1e39]),
)  # fmt: skip


def taken(domain: Domain, given_: dict[str, Any]) -> pd.DataFrame | str:
    """Return the rows, or the code of the refusal."""
    passage = Passage(Principal("b"), "", given_)
    try:
        domain(passage)
    except RefusedError as refusal:
        return f"{refusal.code} {refusal.field}"
    assert isinstance(passage.rows, pd.DataFrame)
    return passage.rows


@pytest.mark.parametrize("name", list(TABLES))
@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_both_ways_make_the_same_rows_and_refusals(name: str, data: st.DataObject) -> None:
    """Whatever values come, in whatever number, the quick way changes nothing."""
    table = TABLES[name]
    rows = data.draw(st.integers(0, 3))
    given_ = {str(column): data.draw(st.lists(VALUE, min_size=rows, max_size=rows)) for column in table.columns}
    quick, careful = (Domain(table, FEATURES, frozenset()) for _ in range(2))
    careful._quick = None
    one, other = taken(quick, given_), taken(careful, given_)
    if isinstance(one, str) or isinstance(other, str):
        assert one == other
    else:
        assert_frame_equal(one, other)


@pytest.mark.parametrize("name", ["numbers", "single", "mixed", "objects"])
def test_plain_rows_are_taken_and_tables_with_dates_are_not(name: str) -> None:
    """Numbers and texts go the quick way; dates and the like never do."""
    table = TABLES[name]
    given_ = {str(column): [table[column].tolist()[0]] for column in table.columns}
    made = Quick(table, FEATURES)(given_, MAX_ROWS)
    assert made is not None
    assert_frame_equal(made.frame() if isinstance(made, Block) else made, table)
    assert Quick(table, FEATURES)({**given_, "odd": [1]}, MAX_ROWS) is None
    assert Quick(TABLES["dates"], FEATURES)({"age": [20], "when": ["2020-01-01"]}, MAX_ROWS) is None
