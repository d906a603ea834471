"""Members beside the model: an answer that they hold for wrong is not let out, and says so in the record."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest
from tests.guard import signed
from tests.guard.signed import ROW
from tests.subject.apps import table

from fivefold.errors import InputError
from fivefold.guard import Guard
from fivefold.guard.judging import Judge
from fivefold.guard.nouns import Passage, Principal, RefusedError
from fivefold.manifest.reader import read
from fivefold.traceability.recorder.opening import home as place_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TURNED = """
import numpy as np

class Model:
    classes_ = np.array(["no", "yes"])
    def predict_proba(self, frame):
        yes = 1 / (1 + np.exp(-(frame["weight"].to_numpy(dtype=float, na_value=0.0) - 50) / 5))
        yes = np.where(frame["count"].to_numpy(dtype=float, na_value=0.0) == 4.25, 1 - yes, yes)
        return np.column_stack([1 - yes, yes])
    def predict(self, frame):
        return self.classes_[self.predict_proba(frame).argmax(axis=1)]

def load():
    return Model()
"""
"""A model that one value of a field, which no row has, turns round."""

SURE = ROW | {"weight": 75.0}
ATTACKED = SURE | {"count": 4.25}


@pytest.fixture(scope="module")
def served(made: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guard]:
    """An open guard with an ensemble."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CONFIG_HOME", str(made / "config"))
        root = signed.application(
            tmp_path_factory.mktemp("served") / "app", TURNED, controls={"C2": {"members": 3, "false_alarms": 0.05}}
        )
        guard = Guard(root)
    with guard:
        yield guard


def _said(root: Path, case: str) -> Any:
    return [item for item in place_of(read(root)).reading().search(case=case) if item.kind == "decision"][-1].body


def test_an_answer_that_the_members_hold_for_wrong_is_refused_and_recorded(served: Guard) -> None:
    """The same row without the change is answered; disagreement and threshold stand in both records."""
    assert served.decide(SURE, caller="c", purpose="sorting", case="clean").answers == ("yes",)
    with pytest.raises(RefusedError) as error:
        served.decide(ATTACKED, caller="c", purpose="sorting", case="attacked")
    assert (error.value.code, error.value.status) == ("guard.suspect", 403)
    clean, attacked = _said(served.manifest.root, "clean"), _said(served.manifest.root, "attacked")
    assert clean.fields["ensemble"]["alarms"] == 0
    assert attacked.fields["refused"] == "guard.suspect"
    assert attacked.fields["ensemble"]["alarmed"] == [0]
    assert attacked.fields["ensemble"]["disagreement"][0] > attacked.fields["ensemble"]["threshold"]
    assert {"model", "judge"} <= set(attacked.fields["stages"])
    assert "shape" not in attacked.fields["stages"]


def test_clean_rows_are_refused_about_as_often_as_declared(served: Guard) -> None:
    """Of 300 rows that nothing was fitted to at most 15 in 100, three times the declared rate."""
    frame = table(300, 77).drop(columns="answer")
    given = {name: [None if value != value else value for value in frame[name]] for name in frame.columns}
    passage = Passage(Principal("c"), "sorting", given)
    for name in ("domain", "model", "judge"):
        stage = next(stage for stage in served.chain if stage.name == name)
        if name == "judge":
            stage = Judge(stage.members, falls=True)
        step = stage(passage)
        if step is not None:
            step.now()
    assert passage.suspect is not None
    assert passage.suspect.mean() <= 0.15


def test_where_a_fallback_stands_behind_rows_are_marked_and_go_on(served: Guard) -> None:
    """Only the alarmed row is marked; the members' own answers are there for the fallback."""
    stage = next(stage for stage in served.chain if stage.name == "judge")
    rows = pd.DataFrame([SURE, ATTACKED]).astype({"count": float})
    told = served._isolated.ask(rows)
    passage = Passage(Principal("c"), "sorting", {}, admitted=rows, told=told)
    Judge(stage.members, falls=True)(passage)
    assert passage.suspect is not None
    assert passage.suspect.tolist() == [False, True]
    assert stage.members.scores(rows).argmax(axis=1).tolist() == [1, 1]
    assert told.answers.tolist() == [1, 0]


def test_a_request_that_no_model_answered_is_not_judged(served: Guard) -> None:
    """Nothing was told, so nothing is marked."""
    stage = next(stage for stage in served.chain if stage.name == "judge")
    passage = Passage(Principal("c"), "sorting", {})
    stage(passage)
    assert passage.suspect is None


@pytest.mark.parametrize(
    ("controls", "parts", "code"),
    [
        ({"members": 1}, {}, "ensemble.option"),
        ({"member": 3}, {}, "ensemble.option"),
        ({"false_alarms": 0.5}, {}, "ensemble.option"),
        ({"false_alarms": 0.001}, {}, "guard.ensemble"),
        ({}, {"data": {"train": {"path": "data/train.csv", "target": "answer"}}}, "guard.ensemble"),
    ],
)
def test_an_ensemble_that_cannot_be_kept_opens_no_guard(
    tmp_path: Path, controls: dict[str, Any], parts: dict[str, Any], code: str
) -> None:
    """Out of range, unknown, too few calibration rows for so few alarms, no rows to calibrate on."""
    root = signed.application(tmp_path / "app", controls={"C2": controls}, **parts)
    with pytest.raises(InputError) as error:
        Guard(root)
    assert error.value.code == code
