"""``assess_model`` takes any column names, and says in a sentence what it cannot take."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression

from fivefold.assess import assess_model
from fivefold.contract.outcome import Outcome
from fivefold.errors import InputError

RNG = np.random.default_rng(0)
ROWS = RNG.normal(size=(600, 3))
TRUTH = (ROWS[:, 0] > 0).astype(int)


def table(names: list[Any]) -> pd.DataFrame:
    """Return features and target under these names."""
    frame = pd.DataFrame(np.column_stack([ROWS, TRUTH]))
    frame.columns = pd.MultiIndex.from_tuples(names) if isinstance(names[0], tuple) else pd.Index(names)
    return frame.astype({frame.columns[-1]: int})


@pytest.mark.parametrize(
    "names",
    [[0, 1, 2, "y"], [0, 1, 2, 3], [("a", 0), ("a", 1), ("b", 0), ("y", "")], list("abcy")],
    ids=["numbers", "number as target", "tuples", "texts"],
)
@pytest.mark.parametrize("kind", ["estimator", "function"])
def test_column_names_need_not_be_texts(names: list[Any], kind: str) -> None:
    """The model is asked under the names that it was fitted with."""
    frame = table(names)
    fitted = LogisticRegression().fit(frame.iloc[:300, :3], TRUTH[:300])
    model = fitted if kind == "estimator" else lambda rows: (rows[names[0]] > 0).astype(int)
    done = assess_model(
        model, train=frame[:300], test=frame[300:], target=names[-1], drop=[names[2]] * (kind != "estimator"),
        checks=["P3.accuracy"],
    )  # fmt: skip
    assert done["P3.accuracy"].result.outcome is Outcome.PASS


PLAIN = table(list("abcy"))
FITTED = LogisticRegression().fit(PLAIN.iloc[:300, :3], TRUTH[:300])


@pytest.mark.parametrize(
    ("more", "code", "words"),
    [
        ({"train": PLAIN.to_numpy().tolist()}, "memory.frame", "list"),
        ({"test": PLAIN.to_numpy()}, "memory.frame", "ndarray"),
        ({"test": PLAIN["a"]}, "memory.frame", "Series"),
        ({"train": "train.csv"}, "memory.frame", "path"),
        ({"train": Path("train.csv")}, "memory.frame", "path"),
        ({"test": PLAIN[:0]}, "memory.frame", "no rows"),
        ({"test": PLAIN.set_axis(list("aacy"), axis=1)}, "memory.frame", '"a" more than once'),
        ({"train": PLAIN, "test": PLAIN.drop(columns="b")}, "memory.column", "train: b"),
        ({"model": LogisticRegression()}, "memory.model", "not fitted"),
        ({"model": LogisticRegression}, "memory.model", "class LogisticRegression"),
        ({"model": None}, "memory.model", "NoneType"),
        ({"protected": "sex"}, "memory.names", "not a list"),
        ({"checks": "P3.accuracy"}, "memory.names", "not a list"),
        ({"effort": "fast"}, "memory.effort", "fast"),
    ],
)
def test_what_cannot_be_taken_is_said(more: dict[str, Any], code: str, words: str) -> None:
    """One sentence and a remedy, whatever was handed in."""
    asked: dict[str, Any] = {"model": FITTED, "test": PLAIN, "target": "y"} | more
    with pytest.raises(InputError) as caught:
        assess_model(asked.pop("model"), **asked)
    assert caught.value.code == code
    assert words in caught.value.message
    assert caught.value.remedy


def test_labels_that_training_lacks_are_noted() -> None:
    """As in a plan."""
    test = PLAIN[300:].assign(y=np.where(TRUTH[300:] == 1, 2, 0))
    done = assess_model(FITTED, train=PLAIN[:300], test=test, target="y", checks=["P3.accuracy"])
    assert '"2"' in done.notes[0]
    assert done.notes[0] in repr(done)
