"""The chain in process: what is let through, what is refused and where it stands in the record; models that fail."""

from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
import yaml
from tests.guard import signed
from tests.guard.signed import ROW
from tests.subject.apps import RULE

from fivefold.errors import InputError, StorageError, TrustError
from fivefold.guard import Guard, admission, budget
from fivefold.guard.nouns import Passage, Principal, RefusedError
from fivefold.manifest.reader import read
from fivefold.traceability.recorder.opening import home as place_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


def records(root: Path, **wanted: Any) -> list[Any]:
    """Return the records of an application's guard."""
    return list(place_of(read(root)).reading().search(**wanted))


@pytest.fixture(scope="module")
def served(made: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guard]:
    """An open guard."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CONFIG_HOME", str(made / "config"))
        guard = Guard(signed.application(tmp_path_factory.mktemp("served") / "app"))
    with guard:
        yield guard


def test_an_answer_has_its_record_before_it_is_given(served: Guard) -> None:
    """Question, answer, asker, purpose, stages and the model's digest; the receipt names it."""
    found = served.decide(ROW, caller="branch-12", purpose="sorting", case="case 7", subject="Jane")
    assert found.answers == ("yes",)
    assert found.classes == ("no", "yes")
    chance = 1 / (1 + math.exp(-(61.5 - 50) / 5))
    assert found.scores == ((pytest.approx(1 - chance), pytest.approx(chance)),)
    asked, said = records(served.manifest.root, case="case 7")
    assert said.id == found.receipt.record
    assert (asked.kind, said.kind, said.body.person, said.body.model) == ("input", "decision", "Jane", served.model)
    assert said.body.fields["answer"] == ["yes"]
    assert (said.body.fields["caller"], said.body.fields["purpose"]) == ("branch-12", "sorting")
    assert set(said.body.fields["stages"]) == {"purpose", "domain", "drift", "model", "shape", "reason"}


def test_the_model_gets_what_it_was_trained_on(served: Guard) -> None:
    """Many rows through the guard are answered as the model answers them; types and order are the table's."""
    rows = pd.read_csv(served.manifest.root / "data" / "test.csv").drop(columns="answer")
    given = {name: [None if value != value else value for value in rows[name]] for name in reversed(rows.columns)}
    found = served.answer(Principal("batch", "caller", ("sorting",)), given)
    chance = 1 / (1 + np.exp(-(rows["weight"].to_numpy() - 50) / 5))
    np.testing.assert_allclose([row[1] for row in found.scores], chance)
    assert found.answers == tuple(np.where(chance > 0.5, "yes", "no"))


@pytest.mark.parametrize(
    ("change", "code", "field"),
    [
        ({"weight": 121}, "guard.range", "weight"),
        ({"weight": -0.1}, "guard.range", "weight"),
        ({"weight": "61"}, "guard.type", "weight"),
        ({"weight": True}, "guard.type", "weight"),
        ({"weight": float("inf")}, "guard.type", "weight"),
        ({"weight": float("nan")}, "guard.missing", "weight"),
        ({"weight": 10**400}, "guard.type", "weight"),
        ({"weight": [1, 2]}, "guard.type", "weight"),
        ({"colour": 7}, "guard.type", "colour"),
        ({"team": None}, "guard.missing", "team"),
        ({"answer": "yes"}, "guard.fields", "answer"),
        ({"wait": 1}, "guard.fields", "wait"),
        ({"since": 5}, "guard.type", "since"),
    ],
)
def test_input_outside_what_is_declared_is_refused_with_its_field(
    served: Guard, change: dict[str, Any], code: str, field: str
) -> None:
    """The refusal is recorded, the model was not asked."""
    case = f"refused {code} {change!r}"[:200]
    with pytest.raises(RefusedError) as error:
        served.decide(ROW | change, caller="c", purpose="sorting", case=case)
    assert (error.value.code, error.value.field) == (code, field)
    (said,) = records(served.manifest.root, case=case)
    assert (said.kind, said.body.fields["refused"], said.body.fields["field"]) == ("decision", code, field)
    assert "model" not in said.body.fields["stages"]


def test_values_that_were_missing_in_training_may_be_missing(served: Guard) -> None:
    """Where some were; a whole number stands for a number."""
    found = served.decide(ROW | {"count": None, "colour": None, "weight": 40}, caller="c", purpose="testing")
    assert found.answers == ("no",)
    lacking = {name: value for name, value in ROW.items() if name != "team"}
    with pytest.raises(RefusedError) as error:
        served.decide(lacking, caller="c", purpose="testing")
    assert (error.value.code, error.value.field) == ("guard.fields", "team")


@pytest.mark.parametrize(
    ("principal", "purpose", "code"),
    [
        (Principal("p", "caller", ("sorting",)), "testing", "guard.purpose"),
        (Principal("p", "caller", ("sorting",)), "other", "guard.purpose"),
        (Principal("p", "caller", ("sorting", "testing")), "", "guard.purpose"),
        (Principal("p", "caller", ("other",)), "other", "guard.purpose"),
        (Principal("p", "caller", ()), "", "guard.purpose"),
        (Principal("p", "operator", ("sorting",)), "sorting", "guard.role"),
        (Principal("p", "reviewer", ("sorting",)), "sorting", "guard.role"),
    ],
)
def test_who_asks_for_something_else_is_refused(served: Guard, principal: Principal, purpose: str, code: str) -> None:
    """A purpose of its own that is declared, and the role of a caller."""
    with pytest.raises(RefusedError) as error:
        served.answer(principal, {name: [value] for name, value in ROW.items()}, purpose=purpose)
    assert (error.value.code, error.value.status) == (code, 403)


def test_the_only_purpose_of_a_caller_need_not_be_said(served: Guard) -> None:
    """It is recorded all the same."""
    given = {name: [value] for name, value in ROW.items()}
    found = served.answer(Principal("p", "caller", ("sorting",)), given, case="unsaid")
    assert records(served.manifest.root, case="unsaid")[-1].body.fields["purpose"] == "sorting"
    assert found.answers == ("yes",)


@pytest.mark.parametrize("given", [{}, {"weight": []}, [1, 2], None, "text", {"weight": [1.0, 2.0], "colour": ["a"]}])
def test_what_is_no_table_is_refused(served: Guard, given: Any) -> None:
    """With a refusal, never another error."""
    with pytest.raises(RefusedError) as error:
        served.answer(Principal("p", "caller", ("sorting",)), given)
    assert error.value.status == 400


ODD = pd.DataFrame(
    {
        "i": pd.Series([1, 2], dtype="int64"), "I": pd.Series([1, None], dtype="Int64"), "b": [True, False],
        "B": pd.Series([True, None], dtype="boolean"), "f": pd.Series([1.5, 2.5], dtype="float32"),
        "c": pd.Categorical(["a", "b"]), "d": pd.to_datetime(["2020-01-01", "2021-01-01"]),
        "s": pd.Series(["x", "y"], dtype="string"), "o": pd.Series(["x", None], dtype=object),
        "u": pd.Series([1, 2], dtype="uint8"), "F": pd.Series([1.5, 2.5], dtype="Float32"),
        "n": pd.Categorical([3, 1]),
    }
)  # fmt: skip
PLAIN = {
    "i": 1,
    "I": None,
    "b": True,
    "B": None,
    "f": 1.5,
    "c": "a",
    "d": "2020-05-01",
    "s": "q",
    "o": None,
    "u": 3,
    "F": 2.5,
    "n": 1,
}


def admitted(**change: Any) -> pd.DataFrame:
    """Take one row of odd types through the domain."""
    passage = Passage(Principal("p"), "", {name: [value] for name, value in (PLAIN | change).items()})
    admission.Domain(ODD.iloc[:1], {}, frozenset({"I", "B", "o", "c"}))(passage)
    return passage.rows


def test_every_type_of_column_is_given_as_it_was_trained_on() -> None:
    """Masked, categorical, dates, small integers; a whole float stands for an integer."""
    pd.testing.assert_series_equal(admitted().dtypes, ODD.dtypes)
    assert admitted(i=1.0)["i"].tolist() == [1]
    assert admitted(i=2**53 + 1)["i"].tolist() == [2**53 + 1]
    assert admitted(B=True, I=5)["I"].tolist() == [5]
    assert admitted(c=None)["c"].isna().tolist() == [True]


@pytest.mark.parametrize(
    "change",
    [
        {"u": 300}, {"u": -1}, {"i": 2**63}, {"i": 2**70}, {"i": 1.5}, {"i": 1e30}, {"b": 1}, {"B": 1}, {"I": 5.5},
        {"I": 2**70}, {"f": 1e300}, {"f": "1.5"}, {"f": {}}, {"f": 1j}, {"c": "zzz"}, {"c": 1}, {"d": "yesterday"},
        {"d": "9999999-01-01"}, {"d": 5}, {"d": "NaT"}, {"d": ""}, {"d": "now"}, {"d": "nan"},
        {"F": 1e300}, {"s": "\ud800"}, {"o": 7}, {"i": [1, 2]}, {"i": np.array([1, 2])},
    ],
    ids=str,
)  # fmt: skip
def test_no_value_is_quietly_made_another_one(change: dict[str, Any]) -> None:
    """Too large for its type, a category that there is not, no date: refused with the field."""
    with pytest.raises(RefusedError) as error:
        admitted(**change)
    assert (error.value.code, error.value.field) == ("guard.type", next(iter(change)))


@pytest.mark.parametrize("value", [300, -1, 1.5, float("nan"), "x", None])
def test_a_pixel_is_not_made_another_one(value: Any) -> None:
    """Arrays of small integers take what fits in them."""
    domain = admission.Domain(np.zeros((1, 2, 2), np.uint8), {}, frozenset())
    good = Passage(Principal("p"), "", {"input": [[[1, 2], [3, 255]]]})
    domain(good)
    assert (good.rows.dtype, good.rows.tolist()) == (np.uint8, [[[1, 2], [3, 255]]])
    for odd in ([[[value, 0], [0, 0]]], [[1, 2]], [[[1, 2], [3]]]):
        with pytest.raises(RefusedError):
            domain(Passage(Principal("p"), "", {"input": odd}))


def test_too_many_rows_are_refused(served: Guard) -> None:
    """At most 10,000."""
    given = {name: [value] * 10_001 for name, value in ROW.items()}
    with pytest.raises(RefusedError) as error:
        served.answer(Principal("p", "caller", ("sorting",)), given)
    assert error.value.status == 413


def test_a_dead_model_is_replaced_and_its_question_refused(served: Guard) -> None:
    """No answer from a process that died; the refusal is recorded, the next question is answered."""
    for _ in range(100):
        if served._isolated.pid:
            break
        time.sleep(0.05)
    os.kill(served._isolated.pid, signal.SIGKILL)
    with pytest.raises(RefusedError) as error:
        served.decide(ROW, caller="c", purpose="sorting", case="killed")
    assert (error.value.code, error.value.status) == ("guard.model", 503)
    assert records(served.manifest.root, case="killed")[-1].body.fields["error"] == "model.ended"
    assert served.decide(ROW, caller="c", purpose="sorting").answers == ("yes",)


def test_many_askers_at_once_each_get_their_own_answer(served: Guard) -> None:
    """Two hundred questions over eight threads: no answer is another's, each has one decision on record."""
    wrong: list[int] = []

    def ask(start: int) -> None:
        for at in range(start, 200, 8):
            weight = 20 + at % 60
            found = served.decide(ROW | {"weight": weight}, caller="c", purpose="sorting", case=f"many {at}")
            chance = 1 / (1 + math.exp(-(weight - 50) / 5))
            if abs(found.scores[0][1] - chance) > 1e-9:
                wrong.append(at)

    threads = [threading.Thread(target=ask, args=(start,)) for start in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    found = [item for item in records(served.manifest.root, kind="decision") if item.body.case.startswith("many ")]
    assert len(found) == 200


def test_the_reason_goes_out_with_the_answer(served: Guard) -> None:
    """In plain words with the unit; true of the model; the same for the same row; on record."""
    found = served.decide(ROW | {"weight": 52.0}, caller="c", purpose="sorting", case="why")
    (said,) = found.reasons
    field, was, instead, answer = said.flip
    assert (field, was, answer) == ("weight", 52.0, "no")
    assert instead <= 50
    assert f"If weight were {instead:,.6g} kg and all else the same, the answer would be no." in said.text
    again = served.decide(ROW | {"weight": instead}, caller="c", purpose="sorting")
    assert again.answers == ("no",)
    heavy = served.decide(ROW | {"weight": 90.0}, caller="c", purpose="sorting").reasons[0]
    assert heavy.fields == (("weight", 90.0, "for"),)
    assert heavy.text.startswith("What spoke for this answer most: weight (90 kg).")
    assert heavy == served.decide(ROW | {"weight": 90.0}, caller="other", purpose="sorting").reasons[0]
    (asked, kept) = records(served.manifest.root, case="why")
    assert kept.body.fields["reasons"] == [said.text]
    assert kept.body.fields["credits"][0]["flip"]["instead"] == instead
    assert asked.kind == "input"


def test_many_rows_at_once_get_no_reasons(served: Guard) -> None:
    """Eight do, nine do not."""
    principal = Principal("p", "caller", ("sorting",))
    for n, expected in ((8, 8), (9, 0)):
        found = served.answer(principal, {name: [value] * n for name, value in ROW.items()})
        assert len(found.reasons) == expected


def test_no_time_for_a_reason_is_said(app: Path) -> None:
    """The answer comes all the same."""
    with Guard(app) as guard:
        guard.decide(ROW, caller="c", purpose="sorting")
        guard.chain[-1]._seconds = 0.0
        found = guard.decide(ROW | {"weight": 70.0}, caller="c", purpose="sorting")
    assert found.answers == ("yes",)
    assert found.reasons[0].text == "No reason could be given within the time allowed."


def test_a_model_that_fails_over_the_reason_has_answered(tmp_path: Path) -> None:
    """The answer to the row itself stands."""
    model = RULE.replace(
        "def predict_proba(self, frame):",
        "def predict_proba(self, frame):\n        if len(frame) == 100: raise RuntimeError('no')",
    )
    with Guard(signed.application(tmp_path / "app", model)) as guard:
        found = guard.decide(ROW, caller="c", purpose="sorting")
    assert found.answers == ("yes",)
    assert found.reasons[0].text.startswith("No reason could be given: the model failed")


def test_a_stage_that_errs_refuses(app: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it said stays inside; the record names the error."""

    class Broken:
        name = "broken"

        def __call__(self, passage: Passage) -> None:
            raise ZeroDivisionError(str(passage.given))

    with Guard(app) as guard:
        monkeypatch.setattr(guard, "chain", (*guard.chain, Broken()))
        with pytest.raises(RefusedError) as error:
            guard.decide(ROW, caller="c", purpose="sorting", case="broken")
        assert error.value.code == "guard.stage"
        assert "61.5" not in str(error.value)
    said = records(app, case="broken")[-1]
    assert (said.body.fields["refused"], said.body.fields["error"]) == ("guard.stage", "ZeroDivisionError")


def test_nothing_is_answered_while_the_record_cannot_be_written(app: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Refused and counted; the record is opened again, the count is told, and answers come."""
    with Guard(app) as guard:

        def full(*_: object, **__: object) -> None:
            raise StorageError("log.disk", "the disk refused (No space left on device).")

        broken = guard.writing.recorder
        monkeypatch.setattr(broken, "submit", full)
        with pytest.raises(RefusedError) as error:
            guard.decide(ROW, caller="c", purpose="sorting", case="full")
        assert (error.value.code, error.value.status) == ("guard.record", 503)
        wait_until(lambda: guard.writing.recorder is not broken and not guard.writing.broken)
        assert guard.decide(ROW, caller="c", purpose="sorting").answers == ("yes",)
    assert not records(app, case="full")
    (gap,) = records(app, kind="gap")
    assert gap.body.fields["refused without a record"] == 1


def test_a_record_that_stays_away_is_opened_again_when_it_is_back(app: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However often it could not be: the thread that tends the guard lives on."""
    with Guard(app) as guard:
        tries: list[int] = []

        def away(*_: object, **__: object) -> None:
            tries.append(1)
            raise StorageError("log.disk", "the disk refused.")

        writing = type(guard.home).writing
        monkeypatch.setattr(type(guard.home), "writing", away)
        monkeypatch.setattr(guard.writing.recorder, "submit", away)
        with pytest.raises(RefusedError):
            guard.decide(ROW, caller="c", purpose="sorting")
        wait_until(lambda: len(tries) > 4)
        monkeypatch.setattr(type(guard.home), "writing", writing)
        wait_until(lambda: not guard.writing.broken)
        assert guard.decide(ROW, caller="c", purpose="sorting").answers == ("yes",)


WRITER = """
import sys, time
from pathlib import Path
from fivefold.traceability.recorder import open_recorder
with open_recorder(Path(sys.argv[1]), "app"):
    print("open", flush=True)
    time.sleep(60)
"""


def test_the_process_that_writes_the_record_may_die(app: Path) -> None:
    """The guard hands records over to it; when it is killed, it refuses, and then writes itself."""
    with subprocess.Popen([sys.executable, "-c", WRITER, str(app / "record")], stdout=subprocess.PIPE) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == b"open\n"
        with Guard(app) as guard:
            assert guard.decide(ROW, caller="c", purpose="sorting", case="before").answers == ("yes",)
            handed = guard.writing.recorder
            writer.kill()
            writer.wait()
            with pytest.raises(RefusedError) as error:
                guard.decide(ROW, caller="c", purpose="sorting")
            assert error.value.code == "guard.record"
            wait_until(lambda: guard.writing.recorder is not handed and not guard.writing.broken)
            assert guard.decide(ROW, caller="c", purpose="sorting", case="after").answers == ("yes",)
    assert [len(records(app, case=case)) for case in ("before", "after")] == [2, 2]


def wait_until(done: Callable[[], bool]) -> None:
    """Wait for another thread, as long as it takes."""
    while not done():
        time.sleep(0.05)


SLOW = """
import time
import numpy as np
class Model:
    classes_ = np.array(["no", "yes"])
    def predict(self, frame):
        if (frame["weight"] > 100).any():
            time.sleep(60)
        return np.where(frame["weight"] > 50, "yes", "no")
def load():
    return Model()
"""
HUNGRY = SLOW.replace("time.sleep(60)", "self.held = bytearray(6 << 30); time.sleep(60)")
RAISES = SLOW.replace("time.sleep(60)", "raise RuntimeError('secret of the row')")
NONSENSE = SLOW.replace("time.sleep(60)", "return np.array(['maybe'] * len(frame))")


@pytest.mark.parametrize(
    ("model", "said"),
    [(SLOW, "process ended"), (HUNGRY, "of memory"), (RAISES, "RuntimeError"), (NONSENSE, "among the classes")],
    ids=["slow", "hungry", "raises", "nonsense"],
)
def test_a_model_that_misbehaves_gives_no_answer(tmp_path: Path, model: str, said: str) -> None:
    """Too slow, too large, an exception, an unknown label: refused, and the next question is answered."""
    root = signed.application(tmp_path / "app", model)
    with Guard(root, seconds=30 if model == HUNGRY else 2) as guard:
        with pytest.raises(RefusedError) as error:
            guard.decide(ROW | {"weight": 110}, caller="c", purpose="sorting")
        assert error.value.code == "guard.model"
        assert "secret" not in str(error.value)
        assert guard.decide(ROW, caller="c", purpose="sorting").answers == ("yes",)
    fields = records(root, kind="decision")[0].body.fields
    assert fields["refused"] == "guard.model"
    assert said in fields["said"]


@pytest.mark.parametrize("decimals", [0, 1, 2])
def test_scores_are_let_out_as_declared_and_recorded_as_they_were(tmp_path: Path, decimals: int) -> None:
    """Labels alone, or rounded; equal questions get equal answers; the label never changes."""
    root = signed.application(tmp_path / "app", controls={"P2": {"decimals": decimals}})
    with Guard(root) as guard:
        first, again = (guard.decide(ROW, caller="c", purpose="sorting") for _ in range(2))
    assert first.answers == again.answers == ("yes",)
    assert first.scores == again.scores
    chance = 1 / (1 + math.exp(-(61.5 - 50) / 5))
    assert first.scores == (None if decimals == 0 else ((round(1 - chance, decimals), round(chance, decimals)),))
    (tensor,) = (one for one in records(root, kind="decision")[-1].body.tensors if one.name == "predict_proba")
    assert np.frombuffer(tensor.data)[1] == pytest.approx(chance, rel=1e-12)


@pytest.mark.parametrize("options", [{"decimals": -1}, {"decimals": "two"}, {"decimals": True}, {"budget": "many"}])
def test_controls_that_cannot_be_meant_are_refused(tmp_path: Path, options: dict[str, Any]) -> None:
    """With the key that is wrong."""
    root = signed.application(tmp_path / "app", controls={"P2": options})
    with pytest.raises(InputError) as error:
        Guard(root)
    assert error.value.code == f"guard.{next(iter(options))}"


def test_what_the_guard_reads_at_opening_is_recorded(app: Path) -> None:
    """Each data set and the model, begun and done, with their digests."""
    Guard(app).close()
    found = [item.body.fields for item in records(app, kind="data-operation")]
    assert [(one["operation"], one["object"], one["result"]) for one in found] == [
        ("guard", name, result) for result in ("begun", "done") for name in ("data.train", "data.test", "model")
    ]
    assert all(len(one["digest"]) >= 64 for one in found[3:])


def test_a_budget_is_kept_over_restarts(tmp_path: Path) -> None:
    """Ten rows a day for each caller: the eleventh is refused, whoever else asks and however often it is opened."""
    root = signed.application(tmp_path / "app", controls={"P2": {"budget": "10/day"}})
    with Guard(root) as guard:
        for _ in range(6):
            guard.decide(ROW, caller="a", purpose="sorting")
        with pytest.raises(RefusedError) as error:
            guard.answer(Principal("a", "caller", ("sorting",)), {name: [value] * 5 for name, value in ROW.items()})
        assert (error.value.code, error.value.status) == ("guard.budget", 429)
        assert "4 are left of 10" in str(error.value)
        guard.decide(ROW, caller="b", purpose="sorting")
        with pytest.raises(RefusedError):
            guard.decide(ROW | {"weight": 500}, caller="a", purpose="sorting")  # refused earlier: costs nothing
    with Guard(root) as guard:
        for _ in range(4):
            guard.decide(ROW, caller="a", purpose="sorting")
        with pytest.raises(RefusedError) as error:
            guard.decide(ROW, caller="a", purpose="sorting")
        assert error.value.code == "guard.budget"
        for _ in range(9):
            guard.decide(ROW, caller="b", purpose="sorting")
    refused = [item for item in records(root, kind="decision") if item.body.fields.get("refused") == "guard.budget"]
    assert len(refused) == 2


def test_a_budget_begins_anew_with_the_hour(monkeypatch: pytest.MonkeyPatch) -> None:
    """By the clock, in UTC; what is no budget is refused."""
    now = [7200.0]
    monkeypatch.setattr(budget.time, "time", lambda: now[0])
    held = budget.Budget("2/hour", lambda since: [("a", 1)] if since == 7200 * 10**9 else [])
    passage = Passage(Principal("a"), "", None, admitted=pd.DataFrame({"x": [1]}))
    held(passage)
    with pytest.raises(RefusedError):
        held(passage)
    now[0] = 10_800.0
    held(passage)
    held(passage)
    for odd in ("", "5", "0/day", "5/week", "-1/day", "five/day"):
        with pytest.raises(InputError) as error:
            budget.Budget(odd, lambda _: [])
        assert error.value.code == "guard.budget"


def test_decisions_replay_bit_for_bit(app: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What the guard recorded is what `record replay` asks again."""
    with Guard(app) as guard:
        for weight in range(30, 60):
            guard.decide(ROW | {"weight": weight, "count": None}, caller="c", purpose="sorting")
    capsys.readouterr()
    assert signed.command("record", "replay", "--json", "--in", app) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["decisions"], told["same"]) == (30, 30)


def test_an_erased_person_leaves_no_row(app: Path) -> None:
    """Question and answer about the person are unreadable; the guard goes on."""
    with Guard(app) as guard:
        guard.decide(ROW, caller="c", purpose="sorting", case="hers", subject="Jane")
        assert signed.command("record", "erase", "Jane", "--in", app) == 0
        assert guard.decide(ROW, caller="c", purpose="sorting").answers == ("yes",)
    assert [item.body for item in records(app) if item.body is None] == [None, None]


def test_an_unsigned_or_altered_model_is_not_opened(home: Path, tmp_path: Path) -> None:
    """No signature, one byte changed, a signer whom nobody trusts any more."""
    root = signed.application(tmp_path / "app", signed=False)
    with pytest.raises((TrustError, InputError)):
        Guard(root)
    signed.sign(root)
    Guard(root).close()
    with (root / "scorer.py").open("a") as file:
        file.write("\n")
    with pytest.raises(TrustError) as error:
        Guard(root)
    assert error.value.code == "guard.unsigned"
    signed.sign(root)
    with pytest.raises(TrustError) as error:  # other bytes under a version that was served
        Guard(root)
    assert error.value.code == "guard.same-version"


def test_a_model_of_a_revoked_signer_is_not_opened(app: Path, home: Path) -> None:
    """From the revocation on, though the signature is intact."""
    (key,) = home.rglob("signer-*.pub")
    trust = next(home.rglob("trust.json"))
    kept = trust.read_bytes()
    Guard(app).close()
    try:
        assert signed.command("trust", "revoke", key.stem.partition("-")[2]) == 0
        with pytest.raises(TrustError) as error:
            Guard(app)
        assert error.value.code == "guard.unsigned"
    finally:
        trust.write_bytes(kept)


def test_an_older_version_is_not_opened_again(app: Path) -> None:
    """The highest version that was served stands in the record; the same one may come again."""
    Guard(app).close()
    Guard(app).close()
    manifest = app / "fivefold.yaml"
    manifest.write_text(manifest.read_text().replace("version: 2", "version: 1"))
    with pytest.raises(TrustError) as error:
        Guard(app)
    assert error.value.code == "guard.rolled-back"
    manifest.write_text(manifest.read_text().replace("version: 1", "version: 2"))
    (app / "scorer.py").write_text((app / "scorer.py").read_text() + "\n# another\n")
    signed.sign(app)
    with pytest.raises(TrustError) as error:
        Guard(app)
    assert error.value.code == "guard.same-version"
    manifest.write_text(manifest.read_text().replace("version: 2", "version: 3"))
    with Guard(app) as guard:
        assert guard.decide(ROW, caller="c", purpose="sorting").answers == ("yes",)


def test_a_model_changed_while_it_is_served_stops_the_guard(app: Path) -> None:
    """Noticed within seconds, recorded; touching a file alone changes nothing."""
    with Guard(app) as guard:
        (app / "scorer.py").touch()
        time.sleep(1.5)
        assert guard.decide(ROW, caller="c", purpose="sorting").answers == ("yes",)
        with (app / "scorer.py").open("a") as file:
            file.write("\n")
        for _ in range(100):
            if guard.stopped:
                break
            time.sleep(0.1)
        with pytest.raises(RefusedError) as error:
            guard.decide(ROW, caller="c", purpose="sorting")
        assert error.value.code == "guard.stopped"
    assert [item.kind for item in records(app, case="guard")] == ["model-change", "alarm", "gap", "status"]


@pytest.mark.parametrize("part", ["purposes", "benefit", "basis", "model"])
def test_what_is_not_declared_is_not_served(tmp_path: Path, part: str) -> None:
    """Purpose, benefit, lawful ground where persons are in the data, and a model that can be asked."""
    root = signed.application(tmp_path / "app")
    text = (root / "fivefold.yaml").read_text()
    document = yaml.safe_load(text)
    if part == "basis":
        document["data"]["train"]["label"] = {"personal": ["team"], "class": "internal"}
    elif part == "model":
        document["model"] = {"command": ["true"]}
    else:
        del document[part]
    (root / "fivefold.yaml").write_text(yaml.safe_dump(document))
    with pytest.raises(InputError) as error:
        Guard(root)
    assert error.value.code == ("guard.model" if part == "model" else "guard.undeclared")
    assert error.value.remedy
    assert not (root / "record").exists()
