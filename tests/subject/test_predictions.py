"""A file of answers is a subject: by id or by order, and every mismatch is said."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from fivefold.errors import FivefoldError, UnsupportedError
from fivefold.manifest.nouns import DataSet
from fivefold.subject.access import Known
from fivefold.subject.predictions import FileSubject, read
from fivefold.subject.tables import Coding, Store

if TYPE_CHECKING:
    from pathlib import Path

DATA = "id,x,y\nr1,1,no\nr2,2,yes\nr3,3,yes\n"
BINARY = Known(("no", "yes"), numeric=False, whole=False)


def subject(folder: Path, text: str, what: Known = BINARY, *, by_id: bool = True, data: str = DATA) -> FileSubject:
    """Return the subject of one file of predictions."""
    (folder / "test.csv").write_text(data)
    (folder / "answers.csv").write_text(text)
    store = Store(folder, {"test": DataSet(name="test", path="test.csv", target="y", id="id" if by_id else "")})
    return read(store, {"test": "answers.csv"}, what, folder)


def answers(folder: Path, made: FileSubject) -> list[int]:
    """Return the answers in the order of the data."""
    store = Store(folder, {"test": DataSet(name="test", path="test.csv", target="y", id="id")})
    table = store.table("test", Coding(made.task, made.classes))
    assert made.predict(table.take(np.array([2]))).tolist() == made.predict(table)[2:].tolist()
    return made.predict(table).tolist()  # type: ignore[no-any-return]


def test_rows_are_joined_by_id_in_any_order(tmp_path: Path) -> None:
    """The order of the file says nothing when there are ids."""
    made = subject(tmp_path, "prediction,id\nyes,r3\nno,r1\nno,r2\n")
    assert answers(tmp_path, made) == [0, 0, 1]
    assert not made.capabilities.scores
    assert not made.capabilities.perturbable


def test_rows_without_ids_are_joined_by_order(tmp_path: Path) -> None:
    """The only column is the answer."""
    assert answers(tmp_path, subject(tmp_path, "anything\nyes\nno\nyes\n", by_id=False)) == [1, 0, 1]


@pytest.mark.parametrize("header", ["no,yes", "p:no,p:yes", "p:yes,p:no"])
def test_probabilities_are_read_by_the_names_of_their_columns(tmp_path: Path, header: str) -> None:
    """Column order says nothing; labels alone are not needed."""
    first = "0.9,0.1" if header.endswith("yes") else "0.1,0.9"
    made = subject(tmp_path, f"id,{header}\nr1,{first}\nr2,{first}\nr3,0.5,0.5\n")
    assert made.capabilities.scores
    assert answers(tmp_path, made)[:2] == [0, 0]


@pytest.mark.parametrize(
    ("text", "code", "words"),
    [
        ("prediction,id\nyes,r1\nno,r2\n", "predictions.id", "1 missing in the predictions"),
        ("prediction,id\nyes,r1\nno,r2\nno,r3\nno,r4\n", "predictions.id", "1 not in the data"),
        ("prediction,id\nyes,r1\nno,r2\nno,r3\nno,r3\n", "predictions.id", "1 doubled in the predictions"),
        ("prediction,id\nyes,r1\nno,\nno,r3\n", "predictions.id", "without an id"),
        ("prediction\nyes\nno\nno\n", "predictions.id", 'no column "id"'),
        ("id\nr1\nr2\nr3\n", "predictions.columns", "no column"),
        ("id,prediction\nr1,maybe\nr2,no\nr3,no\n", "predictions.label", 'no class: "maybe" (1 row)'),
        ("id,prediction\nr1,\nr2,no\nr3,no\n", "predictions.missing", "without an answer"),
        ("id,no,yes\nr1,0.5,0.9\nr2,1,0\nr3,1,0\n", "predictions.not-normalised", "1 of 3 rows are no probab"),
        ("id,no,yes\nr1,,1\nr2,1,0\nr3,1,0\n", "predictions.not-normalised", "1 of 3 rows hold NaN"),
        ("id,left,right\nr1,1,2\nr2,1,0\nr3,1,0\n", "predictions.columns", "there are left, right"),
        ("id,score\nr1,0.2\nr2,0.7\nr3,0.9\n", "predictions.label", '"score" holds what is no class: numbers between'),
        ("id,NO,YES\nr1,1,0\nr2,1,0\nr3,1,0\n", "predictions.columns", "NO, YES are named unlike the classes no, yes"),
        (
            "id,prediction,no,yes\nr1,no,0,1\nr2,yes,1,0\nr3,yes,1,0\n",
            "predictions.contradiction",
            'answered with "no"',
        ),
    ],
)
def test_what_does_not_fit_is_said(tmp_path: Path, text: str, code: str, words: str) -> None:
    """Missing, extra, doubled rows; unknown answers; scores that are none. Ids themselves are not shown."""
    with pytest.raises(FivefoldError) as caught:
        subject(tmp_path, text)
    assert caught.value.code == code
    assert words in caught.value.message
    assert "r4" not in str(caught.value)


def test_a_file_of_another_length_is_refused_without_ids(tmp_path: Path) -> None:
    """Nothing is cut or filled."""
    with pytest.raises(FivefoldError) as caught:
        subject(tmp_path, "prediction\nyes\n", by_id=False)
    assert caught.value.code == "predictions.rows"


def test_a_regression_is_read_as_numbers(tmp_path: Path) -> None:
    """Whole targets with real answers are no classes."""
    what = Known(("1", "2", "3"), numeric=True, whole=True)
    made = subject(tmp_path, "id,prediction\nr2,1.5\nr1,0.5\nr3,2\n", what, data="id,x,y\nr1,1,1\nr2,2,2\nr3,3,3\n")
    assert made.task == "regression"
    assert answers(tmp_path, made) == [0.5, 1.5, 2.0]


def test_other_sets_and_training_are_refused(tmp_path: Path) -> None:
    """A file knows its own rows only."""
    made = subject(tmp_path, "prediction,id\nyes,r3\nno,r1\nno,r2\n")
    table = Store(tmp_path, {"train": DataSet(name="train", path="test.csv", target="y")}).table(
        "train", Coding("binary", ("no", "yes"))
    )
    for act in (lambda: made.predict(table), lambda: made.retrain(table, 1), lambda: made.predict_proba(table)):
        with pytest.raises(UnsupportedError):
            act()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("id,prediction,no,yes\nr1,no,0.9,0.9\nr2,yes,0,1\nr3,yes,0,1\n", "1 of 3 rows are no probabilities"),
        ("id,prediction,NO,YES\nr1,no,1,0\nr2,yes,0,1\nr3,yes,0,1\n", "named unlike the classes"),
        ("id,prediction,no,yes\nr1,no,high,low\nr2,yes,1,0\nr3,yes,1,0\n", "hold texts"),
    ],
)
def test_labels_are_used_where_probabilities_cannot_be_and_that_is_said(tmp_path: Path, text: str, words: str) -> None:
    """A note in every finding, no error."""
    made = subject(tmp_path, text)
    assert answers(tmp_path, made) == [0, 1, 1]
    assert not made.capabilities.scores
    assert "only its labels" in made.notes[0]
    assert words in made.notes[0]


def test_one_probability_of_two_classes_is_enough(tmp_path: Path) -> None:
    """The other is what is left of one."""
    made = subject(tmp_path, "id,p:yes\nr1,0.2\nr2,0.7\nr3,0.9\n")
    assert answers(tmp_path, made) == [0, 1, 1]
    assert made.notes == ()


def test_a_file_of_other_whole_numbers_is_undecided(tmp_path: Path) -> None:
    """Places of labels, or counts: which, has to be declared."""
    what = Known(("1", "2", "3"), numeric=True, whole=True)
    with pytest.raises(FivefoldError) as caught:
        subject(tmp_path, "id,prediction\nr1,0\nr2,1\nr3,2\n", what, data="id,x,y\nr1,1,1\nr2,2,2\nr3,3,3\n")
    assert caught.value.code == "model.task"
    assert "model.task: regression" in caught.value.remedy
