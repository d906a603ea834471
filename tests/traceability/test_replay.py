"""A recorded decision is asked again: bit for bit the same, or where it differs; whatever the columns and the model."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
from tests.subject import input_apps
from tests.subject.apps import RULE, build, table

from fivefold.assess.replay import ask
from fivefold.errors import InputError
from fivefold.log.simulated import SimulatedDisk
from fivefold.manifest.reader import read
from fivefold.store.people import People
from fivefold.traceability.recorder import Reading, Recorder, open_recorder
from fivefold.traceability.recorder.replaying import Compared, compare, decisions
from fivefold.traceability.recorder.secrets_ import Secrets

if TYPE_CHECKING:
    from fivefold.keys.signing import Signer
    from fivefold.traceability.recorder.replaying import Decision

CREDIT = Path(__file__).resolve().parents[2] / "examples" / "credit"


def replayed(root: Path, *words: str) -> tuple[int, dict[str, Any], str]:
    """Run the command on a record."""
    command = [sys.executable, "-m", "fivefold", "record", "replay", *words, "--in", str(root), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    return done.returncode, json.loads(done.stdout) if done.stdout else {}, done.stderr


def recorded(given: dict[str, Any] | pd.DataFrame, answer: Any = None) -> Decision:
    """Record one decision on a simulated disk and read it back."""
    from fivefold.keys import signing

    disk, secrets = SimulatedDisk(), Secrets(bytes(32), People(None, "app"))
    signer: Signer = signing.generate()
    with Recorder(disk, "fivefold/app/record", signer, secrets) as recorder, recorder.open("one") as case:
        case.input(given)
        case.output({"answer": np.zeros(1) if answer is None else answer})
    (found,) = decisions(Reading(disk, secrets).search())
    return found


@pytest.mark.parametrize(
    "column",
    [
        pd.Series([1.5, np.nan, -0.0]), pd.Series([1, 2, 3], dtype="int8"), pd.Series([True, False, True]),
        pd.Series(["a", None, "é"], dtype=object), pd.Series([1, "a", None, 2.5], dtype=object),
        pd.Series(["a", None, "b"], dtype="string"), pd.Series(["a", "b", "a"]),
        pd.Series([1, None, 3], dtype="Int64"), pd.Series([True, None], dtype="boolean"),
        pd.Series([2**62 + 1, None], dtype="Int64"), pd.Series([1.5, None], dtype="Float64"),
        pd.Series(pd.Categorical(["b", None, "a"], categories=["b", "a", "c"])),
        pd.Series(pd.Categorical(["low", "high"], categories=["low", "high"], ordered=True)),
        pd.Series(pd.Categorical([3, 1, 3])), pd.Series(pd.to_datetime(["2026-01-01", None])),
        pd.Series(pd.to_datetime(["2026-01-01T12:00", None]).tz_localize("Europe/Berlin")),
        pd.Series(np.array([1, 2], dtype="float32")), pd.Series([], dtype="float64"),
    ],
    ids=lambda column: f"{column.dtype}"[:30],
)  # fmt: skip
def test_columns_come_back_as_they_were(column: pd.Series) -> None:
    """Values, types, levels, what is missing and how."""
    frame = pd.DataFrame({"a b": column})
    again = recorded(frame).rows()
    assert isinstance(again, pd.DataFrame)
    pd.testing.assert_frame_equal(again, frame)


def test_an_array_is_given_as_an_array() -> None:
    """Images and the like are one array."""
    images = np.random.default_rng(1).integers(0, 255, (3, 1, 4, 4)).astype(np.uint8)
    again = recorded({"inputs": images}).rows()
    assert isinstance(again, np.ndarray)
    assert again.dtype == np.uint8
    assert (again == images).all()


def held(told: Any, **answers: np.ndarray) -> Compared:
    (found,) = compare(recorded({"x": [1.0, 2.0]}, told), answers)
    return found


def test_answers_are_held_against_what_fits() -> None:
    """Whole tables, one column of them, another precision; bits, not nearness; what fits nothing is said."""
    chances = np.array([[0.25, 0.75], [0.1, 0.9]])
    labels = np.array(["no", "yes"], dtype=object)
    assert held(chances, predict_proba=chances).same
    assert held(chances[:, 1], predict=labels, predict_proba=chances).by == "predict_proba"
    assert held(chances[:, 1].astype(np.float32), predict_proba=chances).same
    assert held(["no", "yes"], predict=labels, predict_proba=chances).by == "predict"
    assert held(np.array([np.nan, 0.0]), predict=np.array([np.nan, 0.0])).same
    nearly = held(chances, predict_proba=np.nextafter(chances, 1))
    assert nearly.same is False
    assert "4 of 4 values" in nearly.said
    assert held(np.array([0.0, 1.0]), predict=np.array([-0.0, 1.0])).same is False
    assert held(["no", "no"], predict=labels).same is False
    assert held(np.array([0, 1]), predict=np.array([0.5, 1.0])).same is False
    assert held(np.zeros(7), predict_proba=chances).same is None


def test_what_differs_outweighs_what_cannot_be_compared() -> None:
    """One array that differs makes the decision differ, whatever the others are."""
    from fivefold.cli.replay_ import _same

    assert _same([True, True]) is True
    assert _same([True, None, False]) is False
    assert _same([True, None]) is None
    assert _same([]) is None


def test_a_question_goes_with_the_next_answers_of_its_case() -> None:
    """Cases interleave; an answer without a question is none; an erased one is passed over."""
    from fivefold.keys import signing

    disk, secrets = SimulatedDisk(), Secrets(bytes(32), People(None, "app"))
    with Recorder(disk, "o", signing.generate(), secrets) as recorder:
        first, second, gone = recorder.open("1"), recorder.open("2"), recorder.open("3", subject="Jane")
        first.output({"y": [0.0]})
        first.input({"x": [1.0]})
        second.input({"x": [2.0]})
        gone.input({"x": [3.0]})
        for case in (second, first, gone):
            case.output({"y": [0.0]})
        first.output({"y": [0.5]})
        recorder.erase("Jane")
    found = [item.rows() for item in decisions(Reading(disk, secrets).search())]
    assert [float(rows["x"].iloc[0]) for rows in found if isinstance(rows, pd.DataFrame)] == [2.0, 1.0, 1.0]


def test_decisions_of_the_credit_example_replay_bit_for_bit(tmp_path: Path) -> None:
    """Its own rows, one decision each; with another model every one differs and the model is named another."""
    root = tmp_path / "credit"
    shutil.copytree(CREDIT, root, ignore=shutil.ignore_patterns("evidence", "record"))
    rows = pd.read_csv(root / "data" / "test.csv").head(60)
    seen = rows.drop(columns=["credit", "sex", "age_band", "marital_status", "foreign_worker"])
    parts = [seen.iloc[at : at + 1] for at in range(len(seen))]
    first = ask(read(root), parts)
    with open_recorder(root / "record", "credit-example") as recorder:
        for at, (part, reply) in enumerate(zip(parts, first.replies, strict=True)):
            with recorder.open(f"loan {at}", subject=f"person {at}", model=first.model) as case:
                case.input(part)
                case.output({"chance": reply.arrays()["predict_proba"]})
    code, told, _ = replayed(root)
    assert (code, told["decisions"], told["same"]) == (0, 60, 60)
    assert {item["model"] for item in told["replayed"]} == {"same"}
    file = root / "model.json"
    model = json.loads(file.read_text(encoding="utf-8"))
    file.write_text(json.dumps(shifted(model)), encoding="utf-8")
    code, told, _ = replayed(root, "--most", "5")
    assert (code, told["decisions"], told["same"]) == (1, 5, 0)
    assert {item["model"] for item in told["replayed"]} == {"other"}
    assert all("then" in part["said"] for item in told["replayed"] for part in item["arrays"])


def shifted(value: Any) -> Any:
    """Return the same document with every number that is no whole one a little larger."""
    if isinstance(value, dict):
        return {key: shifted(part) for key, part in value.items()}
    if isinstance(value, list):
        return [shifted(part) for part in value]
    return value * 1.01 if isinstance(value, float) else value


def test_one_decision_is_named_by_any_of_its_records(tmp_path: Path) -> None:
    """By question or answer; a record that is neither replays its case; an unknown one is refused."""
    manifest = build(tmp_path / "app")
    rows = table(5, 3).drop(columns="answer")
    (reply,) = ask(manifest, [rows]).replies
    with open_recorder(manifest.root / "record", "app") as recorder:
        with recorder.open("one") as case:
            asked = case.input(rows)
            case.status(mode="normal")
            answered = case.output({"label": reply.arrays()["predict"]})
            note = case.action("officer", "agreed")
        with recorder.open("two") as case:
            case.input(rows)
            case.output({"label": ["yes"] * 5})
    for which in (asked, answered, note):
        code, told, _ = replayed(manifest.root, which)
        assert (code, told["decisions"]) == (0, 1)
    code, told, _ = replayed(manifest.root, "--case", "two")
    assert code == 1
    code, _, error = replayed(manifest.root, "--case", "three")
    assert code == 2
    assert "no decision fits" in error
    code, _, error = replayed(manifest.root, "9999")
    assert code == 2


def test_a_model_that_draws_does_not_replay(tmp_path: Path) -> None:
    """Chance in an answer is found."""
    model = RULE.replace("return np.column_stack([1 - yes, yes])", "yes = yes * (0.9 + 0.1 * np.random.random(len(yes)))\n        return np.column_stack([1 - yes, yes])")  # fmt: skip  # noqa: E501
    manifest = build(tmp_path / "app", model)
    rows = table(5, 3).drop(columns="answer")
    (reply,) = ask(manifest, [rows]).replies
    decision = recorded(rows, np.array(reply.arrays()["predict_proba"]) * 0.999)
    (again,) = ask(manifest, [decision.rows()]).replies
    assert [part.same for part in compare(decision, again.arrays())] == [False]


def test_images_replay(tmp_path: Path) -> None:
    """One array, as the model is given it."""
    root = input_apps.build(tmp_path / "app", "image", rows=100)
    images, _ = input_apps.images(4, np.random.default_rng(2))
    (reply,) = ask(read(root), [images]).replies
    decision = recorded({"inputs": images}, reply.arrays()["predict_proba"])
    (again,) = ask(read(root), [decision.rows()]).replies
    assert [part.same for part in compare(decision, again.arrays())] == [True]


def test_what_holds_no_rows_is_refused() -> None:
    """Columns of different lengths were never rows."""
    with pytest.raises(InputError) as error:
        recorded({"a": [1.0, 2.0], "b": [1.0]}).rows()
    assert error.value.code == "replay.input"
