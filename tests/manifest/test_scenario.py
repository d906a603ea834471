"""Scenario expressions: what they name, what they refuse, and how missing values behave."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from fivefold.errors import InputError
from fivefold.manifest.scenario import MAX_LENGTH, columns, evaluate, parse

FRAME = pd.DataFrame(
    {
        "age": [20.0, 30.0, np.nan, 50.0],
        "sex": ["female", "male", "female", None],
        "code": ["1", "02", "x", None],
        "day": ["2023-01-05", "2024-06-01", None, "2024-01-31"],
        "when": pd.to_datetime(["2023-01-05", "2024-06-01", None, "2024-01-31"]),
        "flag": [True, False, True, False],
        "two words": [1, 2, 3, 4],
        "state": pd.Categorical(["A", "B", None, "C"]),
        "count": pd.array([1, None, 3, 4], dtype="Int64"),
    }
)


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("age < 25", [0]),
        ("age <= 30", [0, 1]),
        ("age > 25", [1, 3]),
        ("age >= 50", [3]),
        ("age == 30", [1]),
        ("age != 30", [0, 3]),
        ("age missing", [2]),
        ("age is missing", [2]),
        ("age is not missing", [0, 1, 3]),
        ("not age < 25", [1, 2, 3]),
        ('sex == "female"', [0, 2]),
        ("sex == female", [0, 2]),
        ("sex != 'female'", [1]),
        ('sex in ["female", "male"]', [0, 1, 2]),
        ('sex not in ["female"]', [1]),
        ("sex missing", [3]),
        ("age in [20, 50]", [0, 3]),
        ("age > 10 and sex == female", [0]),
        ("age < 25 or age > 45", [0, 3]),
        ("age < 25 or age > 45 and sex == male", [0]),
        ("(age < 25 or age > 45) and sex missing", [3]),
        ("day >= 2024-01-01", [1, 3]),
        ("when >= 2024-01-01", [1, 3]),
        ('when < "2024-01-31"', [0]),
        ("when == 2024-01-31", [3]),
        ("day == 2024-01-31", [3]),
        ("flag == true", [0, 2]),
        ("flag == false", [1, 3]),
        ("flag == 1", [0, 2]),
        ("`two words` > 2", [2, 3]),
        ('state == "B"', [1]),
        ('state in ["A", "C"]', [0, 3]),
        ("state missing", [2]),
        ("code == 2", [1]),
        ('code == "02"', [1]),
        ('age == "30"', [1]),
        ('age == "x"', []),
        ("count > 2", [2, 3]),
        ("count != 3", [0, 3]),
        ("count missing", [1]),
        ("age > -1e3", [0, 1, 3]),
        ('sex > "a" and sex < "g"', [0, 2]),
    ],
)
def test_an_expression_names_these_rows(text: str, rows: list[int]) -> None:
    """The rows are those that a reader of the sentence would pick; missing values are in none but ``missing``."""
    mask = evaluate(parse(text), lambda name: FRAME[name])
    assert mask.dtype == bool
    assert np.flatnonzero(mask).tolist() == rows


@pytest.mark.parametrize(
    "text",
    [
        "",
        "age",
        "age <",
        "age < 25 sex",
        "age < 25 and",
        "age = 25",
        "age << 25",
        "25 < age",
        "age in []",
        "age in [1,]",
        "age in 1",
        "(age < 25",
        "age < 25)",
        "age + 1 < 3",
        "age.mean() < 3",
        "__import__('os')",
        "age < 1e999",
        "age == 'x",
        "and < 3",
        "not",
        "age < b; c",
        "`` < 3",
        "(" * 200 + "age < 1" + ")" * 200,
        "not " * 200 + "age < 1",
        "age < 1 or " * MAX_LENGTH + "age < 1",
    ],
)
def test_everything_else_is_refused(text: str) -> None:
    """The language is closed: nothing outside the grammar parses."""
    with pytest.raises(InputError) as caught:
        parse(text)
    assert caught.value.code == "scenario.syntax"
    assert "age < 25" in caught.value.remedy


@pytest.mark.parametrize("text", ["sex < 3", "when < 3", "when < abc", "age < 2024-01-01", "age < abc", "age < true"])
def test_what_has_no_order_is_not_compared(text: str) -> None:
    """A comparison that means nothing is refused, not answered with no rows."""
    with pytest.raises(InputError) as caught:
        evaluate(parse(text), lambda name: FRAME[name])
    assert caught.value.code == "scenario.type"


def test_dates_in_another_notation_are_not_taken_for_no_rows() -> None:
    """A date compared with cells such as 31.01.2024 is refused with the notation that is read."""
    cells = pd.Series(["31.01.2024", "01.02.2024", None])
    with pytest.raises(InputError, match="2024-01-31") as caught:
        evaluate(parse("when < 2024-06-01"), lambda _name: cells)
    assert caught.value.code == "scenario.type"


def test_the_columns_of_an_expression() -> None:
    """Each column is named once, in order."""
    assert columns(parse("b < 1 and (a missing or not b == 2)")) == ("b", "a")


def test_a_column_that_is_not_there_is_the_callers_error() -> None:
    """Looking up columns is the caller's work."""
    with pytest.raises(KeyError):
        evaluate(parse("nope < 1"), lambda name: FRAME[name])


def test_parsing_imports_no_engine() -> None:
    """A light command may parse."""
    code = "import sys; from fivefold.manifest.scenario import parse; parse('a < 1'); print('pandas' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
