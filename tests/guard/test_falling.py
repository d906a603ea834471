"""The ladder in the guard: who answers where the model is unsure, gone or overtaken; cases for people."""

from __future__ import annotations

import os
import signal
import time
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
from tests.guard import signed
from tests.guard.signed import ROW, command
from tests.subject.apps import table

from fivefold.errors import InputError, StorageError
from fivefold.governance.operation.told import OVERRIDDEN, trace
from fivefold.governance.queue import Queue
from fivefold.guard import Guard
from fivefold.guard.nouns import RefusedError
from fivefold.manifest.reader import read
from fivefold.traceability.recorder.opening import home as place_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import pandas as pd

RULES = """
rules: 1
table:
  - {when: "weight > 49 and colour == 'red'", answer: "yes", because: red and not light}
"""
SURE, UNSURE, RULED = ROW | {"weight": 75.0}, ROW | {"weight": 50.0, "colour": "green"}, ROW | {"weight": 50.5}
LADDER = {"risk": 0.1, "delta": 0.1, "levels": ["model", "rules", "human"], "rules": "rules.yaml", "deadline": 1}


def application(root: Path, more: dict[str, object] | None = None, **options: object) -> Path:
    """Return a signed application with a ladder and 600 calibration rows; ``more``: other controls."""
    (root / "data").mkdir(parents=True)
    (root / "rules.yaml").write_text(RULES, encoding="utf-8")
    data = {
        "train": {"path": "data/train.csv", "target": "answer", "positive": "yes"},
        "test": {"path": "data/test.csv"},
        "calibration": {"path": "data/calibration.csv"},
    }
    table(600, 3).to_csv(root / "data" / "calibration.csv", index=False)
    return signed.application(root, controls={"C3": {**LADDER, **options}, **(more or {})}, data=data)


@pytest.fixture(scope="module")
def served(made: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guard]:
    """An open guard with a ladder."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CONFIG_HOME", str(made / "config"))
        patch.setenv("XDG_DATA_HOME", str(made / "data"))
        guard = Guard(application(tmp_path_factory.mktemp("ladder") / "app"))
    with guard:
        yield guard


def records(root: Path, **wanted: Any) -> list[Any]:
    """Return the records of an application's guard."""
    return list(place_of(read(root)).reading().search(**wanted))


def ask(guard: Guard, row: dict[str, Any], **more: str) -> Any:
    """Ask one row."""
    return guard.decide(row, caller="c", purpose="sorting", **more)


def kill(guard: Guard) -> None:
    """Kill the model's process, once its number is known; one that has no process yet is given one first."""
    if guard._isolated._model is None:
        guard._isolated._start()
    while not guard._isolated.pid:
        guard._isolated.tend()
        time.sleep(0.01)
    os.kill(guard._isolated.pid, signal.SIGKILL)


def test_each_row_goes_to_the_first_that_may_answer(served: Guard) -> None:
    """The model where it is sure, a rule that holds, else a person, each with its reason."""
    sure, ruled, unsure = (ask(served, row) for row in (SURE, RULED, UNSURE))
    assert (sure.answers, sure.by) == (("yes",), ("model",))
    assert (ruled.answers, ruled.by) == (("yes",), ("rules",))
    assert ruled.reasons[0].text == (
        "The model is not sure enough, so rule 1 of the application's own table decided: red and not light."
    )
    assert (unsure.answers, unsure.by) == (("",), ("human",))
    assert unsure.waiting[0] in unsure.reasons[0].text
    assert unsure.scores[0][0] != unsure.scores[0][0], "what the model thinks of it is not let out"


def test_who_answered_and_how_sure_the_model_was_is_on_record(served: Guard) -> None:
    """For each row, and the thresholds when the guard opens."""
    ask(served, UNSURE, case="unsure")
    fields = records(served.manifest.root, case="unsure")[-1].body.fields
    assert (fields["by"], fields["certainty"]) == (["human"], [0.5])
    opened = records(served.manifest.root, case="guard", kind="model-change")[-1].body.fields
    assert opened["chain"] == ["purpose", "domain", "drift", "model", "fallback", "shape", "reason"]
    assert 0.5 < opened["guarantees"]["model"][""]["threshold"] < 1


def test_a_killed_model_answers_nothing_and_the_rules_do(served: Guard) -> None:
    """Its question goes down the ladder; the next one gets a new process."""
    kill(served)
    found = ask(served, SURE, case="gone")
    assert (found.answers, found.by) == (("yes",), ("rules",))
    assert found.reasons[0].text.startswith("The model gives no answer, so rule 1")
    assert records(served.manifest.root, case="gone")[-1].body.fields["model"] == "model.ended"
    assert ask(served, SURE).by == ("model",)


def test_a_model_that_dies_over_and_over_never_answers(tmp_path: Path) -> None:
    """Nine questions, each of which finds it killed: not one answer is the model's."""
    with Guard(application(tmp_path / "app")) as guard:
        seen = []
        for _ in range(9):
            kill(guard)
            seen.append(ask(guard, SURE).by)
    assert seen == [("rules",)] * 9


def test_a_case_is_decided_once_and_on_record(served: Guard) -> None:
    """By a named person with a reason, in the case that was asked."""
    asked = ask(served, UNSURE, case="loan 7", subject="Jane")
    case = asked.waiting[0]
    home = place_of(served.manifest)
    with closing(Queue(home, ("no", "yes"))) as queue, closing(home.writing()) as recorder:
        assert queue.asked(queue.get(case))["weight"] == 50.0
        for answer, because, code in (("maybe", "x", "queue.answer"), ("no", " ", "queue.because")):
            with pytest.raises(InputError) as error:
                queue.decide(case, "officer", answer, because, recorder)
            assert error.value.code == code
        done = queue.decide(case, "officer", "no", "too little is known", recorder)
        with pytest.raises(InputError, match="officer has decided"):
            queue.decide(case, "another", "yes", "x", recorder)
        with pytest.raises(InputError) as error:
            queue.decide("nowhere", "another", "yes", "x", recorder)
        assert error.value.code == "queue.none"
    last = records(served.manifest.root, case="loan 7")[-1]
    assert (last.id, last.body.person) == (done.record, "Jane")
    assert (last.kind, last.body.fields["by"], last.body.fields["answer"]) == ("action", "officer", "no")
    assert trace(place_of(served.manifest).reading())[-1] == OVERRIDDEN, "a person decided, not the model"


def test_a_case_whose_time_is_over_is_refused_on_record(served: Guard) -> None:
    """Nobody can decide it then."""
    case = ask(served, UNSURE).waiting[0]
    home = place_of(served.manifest)
    later = time.time() + 3700
    with closing(Queue(home, ("no", "yes"), now=lambda: later)) as queue, closing(home.writing()) as recorder:
        with pytest.raises(InputError, match="over"):
            queue.decide(case, "officer", "no", "x", recorder)
        assert queue.settle(recorder) >= 1
        assert queue.get(case).record
        assert case not in [one.id for one in queue.waiting()]
    told = [item.body.fields for item in records(served.manifest.root, kind="status") if item.body]
    assert [one["refused"] for one in told if one.get("case") == case] == ["nobody decided in time"]


def test_a_decision_that_a_crash_kept_from_the_record_goes_there_later(tmp_path: Path) -> None:
    """The queue keeps it; the next who opens the queue records it."""
    home = place_of(read(application(tmp_path / "app")))

    class Broken:
        def open(self, *_: object, **__: object) -> Any:
            raise StorageError("log.disk", "the disk is full.")

    with closing(home.writing()) as recorder:
        with recorder.open("case") as made:
            asked = made.input({"weight": [1.0]})
        with closing(Queue(home, ("no", "yes"))) as queue:
            (case,) = queue.put("c", "sorting", asked, [0], 1) or []
            with pytest.raises(StorageError):
                queue.decide(case, "officer", "no", "x", Broken())
            assert queue.get(case).record == ""
        with closing(Queue(home, ("no", "yes"))) as queue:
            assert queue.settle(recorder) == 1
            assert queue.get(case).record


def test_a_full_queue_passes_people_by(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And the row is refused, which is said."""
    monkeypatch.setattr("fivefold.governance.queue.MOST_WAITING", 0)
    with Guard(application(tmp_path / "app")) as guard:
        found = ask(guard, UNSURE)
    assert (found.answers, found.waiting) == (("",), {})
    assert found.reasons[0].text == "The model is not sure enough, and nobody else decides: there is no answer."


def test_a_case_that_cannot_be_recorded_is_taken_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody was told of it, so that nobody need decide it."""
    with Guard(application(tmp_path / "app")) as guard:
        assert guard.fallback is not None
        before = guard.fallback.queue.waiting(1000)
        case = guard.writing.recorder.open("other")
        monkeypatch.setattr(type(case), "add", refuse(type(case).add))
        with pytest.raises(RefusedError) as error:
            ask(guard, UNSURE)
        assert error.value.code == "guard.record"
        assert guard.fallback.queue.waiting(1000) == before
        monkeypatch.undo()


def refuse(real: Any) -> Any:
    """Return an ``add`` that cannot write decisions."""

    def add(self: Any, kind: str, *given: Any, **more: Any) -> str:
        if kind == "decision":
            raise StorageError("log.disk", "the disk is full.")
        return str(real(self, kind, *given, **more))

    return add


def shifted(guard: Guard) -> pd.DataFrame:
    """Return rows unlike those that the ladder was calibrated on."""
    rows = table(400, 9).drop(columns="answer")
    rows["weight"] = 50 + (rows["weight"] - 50) * 0.05
    return rows.where(rows.notna(), None)


def test_after_a_shift_the_model_answers_no_more_until_it_is_calibrated_anew(tmp_path: Path) -> None:
    """One alarm is recorded; a restart does not forget it; other calibration rows begin anew."""
    root = application(tmp_path / "app")
    with Guard(root) as guard:
        for row in shifted(guard).to_dict("records"):
            found = ask(guard, row)
            if found.reasons[0].text.startswith("What is asked"):
                break
        assert found.reasons[0].text.startswith("What is asked is not like what the model was tried on any more")
        assert ask(guard, SURE).by == ("rules",)
    assert len([one for one in records(root, kind="alarm") if "shift" in one.body.fields]) == 1
    with Guard(root) as guard:
        assert ask(guard, SURE).by == ("rules",)
    table(600, 33).to_csv(root / "data" / "calibration.csv", index=False)
    with Guard(root) as guard:
        assert ask(guard, SURE).by == ("model",)


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"rules": "../rules.yaml"}, "guard.rules"),
        ({"rules": "nowhere.yaml"}, "guard.rules"),
        ({"levels": ["model", "ensemble"], "rules": ""}, "fallback.rung"),
        ({"risk": 7}, "fallback.terms"),
    ],
)
def test_a_ladder_that_cannot_be_built_opens_nothing(tmp_path: Path, options: dict[str, object], code: str) -> None:
    """With its code."""
    with pytest.raises(InputError) as error:
        Guard(application(tmp_path / "app", **options))
    assert error.value.code == code


def test_without_calibration_rows_there_is_no_ladder(tmp_path: Path) -> None:
    """They are asked for."""
    with pytest.raises(InputError, match=r"data\.calibration"):
        Guard(signed.application(tmp_path / "app", controls={"C3": {"levels": ["model", "human"]}}))


def test_people_see_and_decide_cases_by_command(served: Guard, capsys: pytest.CaptureFixture[str]) -> None:
    """List, show, decide; only who holds a reviewer's token decides."""
    case, root = ask(served, UNSURE).waiting[0], served.manifest.root
    assert command("guard", "queue", "list", "--in", root) == 0
    assert case in capsys.readouterr().out
    assert command("guard", "queue", "show", case, "--in", root) == 0
    assert "weight: 50.0" in capsys.readouterr().out
    decide = ("guard", "queue", "decide", case, "--answer", "yes", "--because", "seen it", "--in", root)
    assert command(*decide, "--as", "officer-7") == 2
    assert "reviewer's token" in capsys.readouterr().err
    assert command("guard", "token", "issue", "--name", "officer-7", "--role", "reviewer", "--in", root) == 0
    assert command(*decide, "--as", "officer-7") == 0
    assert "yes by officer-7: seen it" in capsys.readouterr().out
    assert command("guard", "queue", "drop", "--in", root) == 2


def test_who_has_no_guard_has_no_queue(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """That is said."""
    root = application(tmp_path / "app")
    with closing(place_of(read(root)).writing()):
        pass
    assert command("guard", "queue", "list", "--in", root) == 2
    assert "queue.none" in capsys.readouterr().err


def test_an_erased_person_is_not_shown(served: Guard, capsys: pytest.CaptureFixture[str]) -> None:
    """The case stays, without what was asked."""
    case, root = ask(served, UNSURE, subject="Gone").waiting[0], served.manifest.root
    assert command("record", "erase", "Gone", "--in", root) == 0
    capsys.readouterr()
    assert command("guard", "queue", "show", case, "--in", root) == 0
    assert "(erased)" in capsys.readouterr().out


def test_the_ensemble_is_a_rung_and_its_alarm_a_reason_to_fall(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It answers where the model is gone; a row that it marks is answered by no model."""
    root = application(
        tmp_path / "app", {"C2": {"members": 3}}, levels=["model", "ensemble", "human"], rules="", risk=0.4
    )
    with Guard(root) as guard:
        kill(guard)
        found = ask(guard, SURE)
        assert (found.answers, found.by) == (("yes",), ("ensemble",))
        assert found.reasons[0].text == "The model gives no answer, so several models together answered."
        assert ask(guard, SURE).by == ("model",)
        judge = next(stage for stage in guard.chain if stage.name == "judge")
        real = judge.members.judge

        def alarmed(*given: Any) -> Any:
            found = real(*given)
            found.alarm[:] = True
            return found

        monkeypatch.setattr(judge.members, "judge", alarmed)
        found = ask(guard, SURE, case="marked")
        assert found.by == ("human",)
        assert found.reasons[0].text.startswith("The input looks made to mislead the model, so a person decides")
    assert records(root, case="marked")[-1].body.fields["ensemble"]["alarms"] == 1
