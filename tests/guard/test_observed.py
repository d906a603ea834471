"""What the record says of operation: overrides, speed, automatic actions and benefit, through the real recorder."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import pytest
from tests.guard import signed
from tests.guard.signed import ROW, command

from fivefold.assess.run import Options, assess
from fivefold.contract.outcome import Outcome
from fivefold.governance.operation import told
from fivefold.guard import Guard, reasoning
from fivefold.keys import store
from fivefold.manifest.reader import read
from fivefold.traceability.recorder.opening import home as place_of

if TYPE_CHECKING:
    from pathlib import Path

USE = {"output": "recommendation", "acts": "human", "alone": False}
LEVEL = {"id": "watched", "level": 4, "purpose": "sort"}


def record(root: Path, *events: tuple[str, str, dict[str, Any]]) -> None:
    """Write records of case, kind and words."""
    with place_of(read(root)).writing() as recorder:
        for case, kind, fields in events:
            with recorder.open(case) as records:
                records.add(kind, fields)  # type: ignore[arg-type]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """An application of level 4."""
    return signed.application(tmp_path / "app", application=LEVEL, use=USE)


def test_what_followed_each_decision_is_read(root: Path) -> None:
    """A letter each, in order; refusals are no decisions, other cases do not count, the strongest word does."""
    yes = {"answer": ["yes"]}
    record(
        root,
        *((name, "decision", yes) for name in ("nothing", "hurried", "otherwise", "alone", "both", "approved", "late")),
        ("refused", "decision", {"refused": "guard.range"}),
        ("hurried", "action", {"by": "officer-7"}),
        ("otherwise", "action", {"by": "officer-7", "answer": "no"}),
        ("alone", "action", {"by": "system", "answer": "yes"}),
        ("both", "action", {"by": "system", "answer": "yes"}),
        ("both", "approval", {"by": "officer-7", "answer": "no"}),
        ("approved", "approval", {"by": "officer-7", "answer": "yes"}),
        ("elsewhere", "action", {"by": "system"}),
        ("late", "action", {"by": "system"}),
        ("late", "decision", yes),
    )
    reading = place_of(read(root)).reading()
    assert told.trace(reading) == ".hoaoh."
    assert told.trace(reading, until=1) == ""


def test_outcomes_are_read_once_for_each_case(root: Path) -> None:
    """The last word counts; words that are no number do not."""
    record(
        root,
        ("a", "outcome", {"benefit": 1}),
        ("b", "outcome", {"benefit": True}),
        ("c", "outcome", {"benefit": "much"}),
        ("d", "outcome", {"repaid": True}),
        ("e", "outcome", {"benefit": float("inf")}),
        ("a", "outcome", {"benefit": 0}),
    )
    assert told.outcomes(place_of(read(root)).reading()) == [1.0, 0.0]
    facts = told.facts(read(root))
    assert (facts[told.OUTCOMES], facts[told.TARGET]) == ("1.0,0.0", 0.7)
    assert told.facts(read(root), "2020-01-01T00:00:00Z")[told.OUTCOMES] == ""


def test_without_a_record_there_are_no_facts_of_operation(root: Path) -> None:
    """Only what is declared; nothing is made on the way."""
    facts = told.facts(read(root))
    assert told.TRACE not in facts
    assert facts[told.MEASURE] == "share sorted well"


@pytest.mark.parametrize(
    ("values", "code", "said"),
    [([1] * 90 + [0] * 10, 0, "pass"), ([0] * 90 + [1] * 10, 1, "fail"), ([1, 0, 1], 3, "inc")],
)
def test_the_command_shows_the_benefit(
    root: Path, capsys: pytest.CaptureFixture[str], values: list[int], code: int, said: str
) -> None:
    """Value, interval, target and judgement; the exit code says it, too."""
    assert command("guard", "benefit", root) == 3
    assert "No outcome" in capsys.readouterr().out
    record(root, *((f"case {at}", "outcome", {"benefit": value}) for at, value in enumerate(values)))
    assert command("guard", "benefit", root, "--json") == code
    found = json.loads(capsys.readouterr().out)
    assert found["value"] == pytest.approx(sum(values) / len(values))
    assert found["low"] < found["value"] < found["high"]
    assert found["outcome"].startswith(said)
    assert command("guard", "benefit", root) == code
    assert "target 0.7" in capsys.readouterr().out


def test_assess_reads_operation_from_the_record(root: Path) -> None:
    """First nothing is on record; then the guard decides 200 times, nobody overrides, and level 4 is no more."""
    ids = ("A1.observed", "D1.benefit")
    before = {one.check: one.result for one in assess(read(root), Options(only=ids, effort="quick")).findings}
    assert {one.outcome for one in before.values()} == {Outcome.NOT_RUN}
    with Guard(root) as guard:
        for at in range(200):
            guard.answer(
                signed_asker(), {name: [value] * 9 for name, value in ROW.items()}, purpose="sorting", case=f"case {at}"
            )
    record(root, *((f"case {at}", "outcome", {"benefit": 1}) for at in range(200)))
    time.sleep(1.1)  # what is on record counts up to the second in which the plan begins
    after = {one.check: one.result for one in assess(read(root), Options(only=ids, effort="quick")).findings}
    assert (after["A1.observed"].outcome, after["D1.benefit"].outcome) == (Outcome.FAIL, Outcome.PASS)
    assert "operation shows level 5" in after["A1.observed"].reason
    record(root, *((f"case {at}", "action", {"by": "officer-7", "answer": "no"}) for at in range(0, 200, 8)))
    time.sleep(1.1)
    again = {one.check: one.result for one in assess(read(root), Options(only=ids, effort="quick")).findings}
    assert again["A1.observed"].outcome is Outcome.PASS


def signed_asker() -> Any:
    """Return who asks."""
    from fivefold.guard.nouns import Principal

    return Principal("branch", "caller", ("sorting",))


def test_a_record_that_this_user_cannot_read_is_not_taken_for_none(
    root: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Another user's keys: no facts, so the checks are not run."""
    record(root, ("a", "decision", {"answer": ["yes"]}))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "other"))
    assert store.config_folder().parent == tmp_path / "other"
    assert not told.facts(read(root)).get(told.TRACE)


def test_with_what_decisions_left_is_read_from_the_record(root: Path) -> None:
    """Reasons, late ones, word that there is none, none for many rows; refusals do not count."""
    fields: list[dict[str, Any]] = [
        {"reasons": ["Because."], "rows": 1, "stages": {"reason": 20.0}},
        {"reasons": ["Because."], "rows": 1, "stages": {"reason": 501.0}},
        {"reasons": ["No."], "rows": 1, "without reason": 1, "stages": {"reason": 1.0}},
        {"answer": ["yes"] * 9, "rows": 9},
        {"refused": "guard.range"},
    ]
    record(root, *((f"case {at}", "decision", each) for at, each in enumerate(fields)))
    assert told.delivery(place_of(read(root)).reading()) == "rl-."


def test_the_guard_keeps_the_time_that_is_judged() -> None:
    """One figure, in two rooms that may not know each other."""
    assert told.REASON_SECONDS == reasoning.SECONDS


def test_a_decision_of_the_guard_leaves_with_its_reason(root: Path) -> None:
    """As recorded by a served application; and word that there is none is known as such."""
    with Guard(root) as guard:
        guard.decide(ROW, caller="c", purpose="sorting")
        stage = next(one for one in guard.chain if one.name == "reason")
        stage._seconds = 0.0
        guard.decide({**ROW, "weight": 60.0}, caller="c", purpose="sorting")
    assert told.delivery(place_of(read(root)).reading()) == "r-"
