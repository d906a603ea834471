"""A decision is held against those before it: what was planted is named, and what is usual is not accused."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
from tests.subject.apps import build

from fivefold.cli.main import run
from fivefold.errors import InputError
from fivefold.keys import signing
from fivefold.log.simulated import SimulatedDisk
from fivefold.store.people import People
from fivefold.traceability.recorder import Reading, Recorder, diagnosing, open_recorder
from fivefold.traceability.recorder.diagnosing import Diagnosis, diagnose
from fivefold.traceability.recorder.secrets_ import Secrets

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

OLD, NEW = "a" * 64, "b" * 64


@dataclass
class One:
    """One decision about to be recorded."""

    frame: pd.DataFrame
    answer: dict[str, Any]
    model: str = OLD
    status: dict[str, Any] = field(default_factory=lambda: {"mode": "normal"})
    seconds: float = 0.02
    alarm: str = ""
    change: bool = False
    action: str = ""


def usual(at: int, rng: np.random.Generator, rows: int = 1, wide: int = 4) -> One:
    """Return an ordinary decision: heavy tails, tied columns, rare levels, an id, a counter, gaps."""
    frame = pd.DataFrame(rng.normal(size=(rows, wide)), columns=[f"c{place}" for place in range(wide)])
    frame["income"] = np.exp(8 + 1.5 * rng.normal(size=rows))
    frame["rent"] = frame["income"] * rng.uniform(0.2, 0.3, rows)
    frame["town"] = rng.choice(["Ulm", "Bonn", "Kiel", "Linz"], rows, p=[0.6, 0.3, 0.08, 0.02])
    frame["id"] = [f"id{at}.{row}" for row in range(rows)]
    frame["counter"] = float(at)
    frame.loc[rng.random(rows) < 0.1, "c1"] = np.nan
    score = 1 / (1 + np.exp(-frame["c0"] - 0.05 * rng.normal(size=rows)))
    return One(frame, {"score": score.to_numpy(), "label": np.where(score > 0.5, "yes", "no").astype(object)})


def diagnosed(plant: Callable[[One], None], seed: int = 0, n: int = 300, rows: int = 1, wide: int = 4) -> Diagnosis:
    """Record ``n`` ordinary decisions and one more, and diagnose that."""
    rng, ticks = np.random.default_rng(seed), count(1_000_000_000_000, 1000)
    now = [0]
    disk, secrets = SimulatedDisk(), Secrets(bytes(32), People(None, "app"))

    def clock() -> int:
        return next(ticks) + now[0]

    with Recorder(disk, "fivefold/app/record", signing.generate(), secrets, clock=clock, queued=True) as recorder:
        for at in range(n + 1):
            one = usual(at, rng, rows, wide)
            one.seconds = float(rng.lognormal(-4, 0.3))
            if at == n:
                plant(one)
            if one.change:
                with recorder.open(f"release {at}") as case:
                    case.add("model-change", {"to": one.model})
            with recorder.open(f"case {at}", model=one.model) as case:
                case.status(**one.status)
                case.input(one.frame)
                if one.alarm:
                    case.add("alarm", {"what": one.alarm})
                now[0] += int(one.seconds * 1e9)
                which = case.output(one.answer)
                if one.action:
                    case.action("officer-7", one.action)
    return diagnose(Reading(disk, secrets), which)


def _set(name: str, value: Any) -> Callable[[One], None]:
    def plant(one: One) -> None:
        one.frame[name] = value

    return plant


def _other_model(one: One) -> None:
    one.model = NEW


def _released(one: One) -> None:
    one.model, one.change = NEW, True


def _degraded(one: One) -> None:
    one.status = {"mode": "degraded"}


def _new_word(one: One) -> None:
    one.status = {"mode": "normal", "stage": "fallback"}


def _slow(one: One) -> None:
    one.seconds = 9.0


def _broken_tie(one: One) -> None:
    one.frame["rent"] = 2.0
    one.frame["income"] = float(np.exp(9.5))


def _odd_answer(one: One) -> None:
    one.frame["c0"] = 2.0
    one.answer = {"score": np.array([0.03]), "label": np.array(["yes"], dtype=object)}


def _odd_label(one: One) -> None:
    one.frame["c0"] = 2.5
    one.answer = {"score": np.array([0.92]), "label": np.array(["no"], dtype=object)}


def _alarmed(one: One) -> None:
    one.alarm = "sensor 3 silent"


def _overruled(one: One) -> None:
    one.action = "override"


def _renamed(one: One) -> None:
    one.frame = one.frame.rename(columns={"income": "earnings"})


@pytest.mark.parametrize(
    ("plant", "about", "said"),
    [
        (_other_model, "model", "No model change was recorded"),
        (_released, "model", "A model change was recorded"),
        (_degraded, "words", "status mode = degraded (0 of 300 before)"),
        (_new_word, "words", "status stage = fallback (0 of 300 before)"),
        (_slow, "words", "seconds to the answer = 9"),
        (_set("c2", 40.0), "input", "c2 = 40 (before: "),
        (_set("income", 1e9), "input", "income = 1e+09"),
        (_set("c2", np.inf), "input", "c2 = inf"),
        (_set("c2", np.nan), "input", "c2 = missing (0 of 300 before)"),
        (_set("town", "Atlantis"), "input", "town = Atlantis (0 of 300 before)"),
        (_set("town", None), "input", "town = missing (0 of 300 before)"),
        (_set("c3", "12,5"), "columns", "c3 (text, before number)"),
        (_odd_answer, "answer", "score = 0.03, while the 10 inputs most like it got"),
        (_odd_label, "answer", "label = no, while"),
        (_alarmed, "case", "Alarm before the answer: what=sensor 3 silent"),
        (_renamed, "columns", "it has earnings; it lacks income"),
    ],
)  # fmt: skip
def test_a_planted_difference_is_named(plant: Callable[[One], None], about: str, said: str) -> None:
    """Whatever it is in, with what it was before."""
    found = diagnosed(plant)
    told = [one for one in found.stands_out if one.about == about]
    assert any(said in one.said for one in told), (found.stands_out, found.untold)
    assert all(one.chance is None or one.chance <= 0.01 for one in found.stands_out)


def test_what_people_did_with_it_is_said_apart() -> None:
    """An override is no cause, but a reader wants to know."""
    found = diagnosed(_overruled)
    assert found.afterwards == ("action: who=officer-7, what=override, reason=",)
    assert not any(one.about == "case" for one in found.stands_out)


def test_usual_numbers_that_never_met_are_found() -> None:
    """A low rent and a high income are both usual; together they are not."""
    found = diagnosed(_broken_tie, n=600)
    assert any("where the other columns let expect about" in one.said for one in found.stands_out), found


@pytest.mark.parametrize("rows", [1, 7])
def test_an_ordinary_decision_is_rarely_accused(rows: int) -> None:
    """Each of seven comparisons may err in 1 of 100: 30 decisions let expect 2.1, and more than 8 come 1 in 4,000."""
    told = [one for seed in range(30) for one in diagnosed(lambda _: None, seed, n=120, rows=rows).stands_out]
    assert len(told) <= 8, told


def test_one_wrong_number_among_three_hundred_columns_is_found() -> None:
    """The comparison is made once for all columns, so that many of them do not hide it."""
    found = diagnosed(_set("c250", -1000.0), wide=300)
    assert found.stands_out[0].said.startswith("Outside what was there before: c250 = -1000"), found


def test_a_row_in_a_batch_is_found() -> None:
    """The row that differs most speaks for its batch."""

    def plant(one: One) -> None:
        one.frame.loc[5, "c2"] = 99.0

    found = diagnosed(plant, rows=7)
    assert any("c2 = 99" in one.said for one in found.stands_out), found
    assert found.rows == 2100


def test_no_more_rows_are_held_than_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    """The newest ones, and it is said."""
    monkeypatch.setattr(diagnosing, "MOST_ROWS", 700)
    found = diagnosed(_set("c2", 40.0), n=120, rows=7)
    assert found.rows == 700
    assert "inputs before the newest 700 rows" in found.untold
    assert any("c2 = 40" in one.said for one in found.stands_out)


def test_what_cannot_be_compared_is_said() -> None:
    """Few decisions, no model, a counter: nothing of it is passed over in silence."""
    found = diagnosed(lambda _: None, n=20)
    assert any("20 decisions before it" in why and "99 are needed" in why for why in found.untold)
    assert any("counter, which runs with time" in why for why in diagnosed(lambda _: None).untold)

    def nameless(one: One) -> None:
        one.model = ""

    assert any(why.startswith("model:") for why in diagnosed(nameless).untold)
    assert diagnosed(lambda _: None, n=0).before == 0


_COLUMNS: dict[str, Callable[[int, np.random.Generator], Any]] = {
    "number": lambda n, rng: rng.normal(size=n) * 1e300,
    "missing": lambda n, _: np.full(n, np.nan),
    "infinite": lambda n, rng: np.where(rng.random(n) < 0.1, np.inf, rng.normal(size=n)),
    "whole": lambda n, rng: rng.integers(2**62, 2**63 - 1, n),
    "truth": lambda n, rng: rng.random(n) < 0.5,
    "complex": lambda n, rng: rng.normal(size=n) + 1j,
    "bytes": lambda n, rng: np.array([b"a", b"b"])[rng.integers(0, 2, n)],
    "text": lambda n, rng: pd.Series(rng.choice(["a", None], n), dtype=object),
    "mixed": lambda n, _: pd.Series(([1, "a", None, 2.5] * n)[:n], dtype=object),
    "levels": lambda n, rng: pd.Series(pd.Categorical(rng.choice(["x", "y"], n), categories=["y", "x", "z"])),
    "day": lambda n, rng: pd.Series(pd.to_datetime(rng.integers(10**9, 2 * 10**9, n), unit="s")),
    "zone": lambda n, rng: pd.Series(pd.to_datetime(rng.integers(10**9, 2 * 10**9, n), unit="s", utc=True)),
    "Int64": lambda n, rng: pd.Series(pd.array([None if r < 0.2 else int(9 * r) for r in rng.random(n)], "Int64")),
    "boolean": lambda n, rng: pd.Series(pd.array([None if r < 0.2 else r < 0.6 for r in rng.random(n)], "boolean")),
    "string": lambda n, rng: pd.Series(rng.choice(["é", "ü"], n), dtype="string"),
}


@pytest.mark.parametrize("seed", range(12))
def test_whatever_was_recorded_can_be_diagnosed(seed: int) -> None:
    """Columns of all types, answers of another type than before, words of all types: no error, no warning."""
    rng = np.random.default_rng(seed)
    names, rows = rng.choice(list(_COLUMNS), 4, replace=False), int(rng.choice([1, 3]))
    disk, secrets = SimulatedDisk(), Secrets(bytes(32), People(None, "app"))
    with Recorder(disk, "fivefold/app/record", signing.generate(), secrets, queued=True) as recorder:
        for at in range(110):
            with recorder.open(f"case {at}") as case:
                case.input(pd.DataFrame({name: _COLUMNS[name](rows, rng) for name in names}))
                kind = str(rng.choice(list(_COLUMNS))) if at == 109 else "number"
                which = case.output({"answer": _COLUMNS[kind](rows, rng)}, stage=["x", 1, None, True][at % 4])
    found = diagnose(Reading(disk, secrets), which)
    assert found.before == 109
    assert all(0 < one.chance <= 0.01 for one in found.stands_out if one.chance is not None)


def test_images_are_compared_by_a_few_figures() -> None:
    """Pixels by themselves say little; brightness, spread and roughness do."""
    rng, (disk, secrets) = np.random.default_rng(0), (SimulatedDisk(), Secrets(bytes(32), People(None, "app")))
    with Recorder(disk, "fivefold/app/record", signing.generate(), secrets, queued=True) as recorder:
        for at in range(151):
            image = np.full((1, 1, 8, 8), 255) if at == 150 else rng.integers(0, 200, (1, 1, 8, 8))
            with recorder.open(f"image {at}") as case:
                case.input({"x": image.astype(np.uint8)})
                which = case.output({"score": rng.random(1)})
    found = diagnose(Reading(disk, secrets), which)
    assert any("mean = 255" in one.said for one in found.stands_out), found


def test_the_command_says_it_and_points_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """From a record that only follows the decision; erased ones are counted; a case without one is said."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    root, rng = tmp_path / "app", np.random.default_rng(1)
    manifest = build(root)
    with open_recorder(root / "record", manifest.application.id, queued=True) as recorder:
        for at in range(120):
            one = usual(at, rng)
            with recorder.open(f"loan {at}", subject=f"Jane {at}", model=NEW if at == 119 else OLD) as case:
                case.input(one.frame)
                case.output(one.answer)
                which = case.action("officer-7", "override") if at == 119 else ""
        with recorder.open("talk") as case:
            other = case.action("officer-7", "asked")
        assert recorder.erase("Jane 5") == 1

    def say(*words: str, code: int = 0) -> str:
        with pytest.raises(SystemExit) as left:
            run(["record", "diagnose", *words, "--in", str(root)])
        said = capsys.readouterr()
        assert (left.value.code or 0) == code, said
        return " ".join((said.out + said.err).split())

    shown = say(which)
    assert "held against 118 decisions before it" in shown
    assert "Answered by model bbbbbbbbbbbbbbbb" in shown
    assert "Afterwards action: who=officer-7, what=override" in shown
    assert "2 records among them were erased" in shown
    value = json.loads(say(which, "--json"))
    assert value["stands_out"][0]["about"] in ("model", "case")
    assert "diagnose.none" in say(other, code=2)
    assert "recorder.unknown" in say("9999", code=2)
    assert json.loads(say(which, "--most", "10", "--json"))["before"] == 10


def test_an_erased_decision_is_refused() -> None:
    """Nobody can say anything about it."""
    disk, secrets = SimulatedDisk(), Secrets(bytes(32), People(None, "app"))
    with Recorder(disk, "fivefold/app/record", signing.generate(), secrets) as recorder:
        with recorder.open("one", subject="Jane") as case:
            case.input({"a": np.arange(3.0)})
            which = case.output({"b": np.arange(3.0)})
        recorder.erase("Jane")
    with pytest.raises(InputError, match="erased") as told:
        diagnose(Reading(disk, secrets), which)
    assert told.value.code == "diagnose.none"
