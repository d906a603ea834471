"""E4.experts: rankings compared above chance, files read or refused with the way out, rows found by their ids."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest
from tests.truth.explanation_experts import CHECK, build

from fivefold.contract.outcome import Outcome
from fivefold.contract.registry import resolve
from fivefold.errors import InputError, UnsupportedError
from fivefold.explanation.measured import ranked
from fivefold.explanation.measured.overlap import above_chance, depth, ordered
from fivefold.manifest.reader import parse
from fivefold.manifest.reader import read as read_manifest
from fivefold.plan import facts
from fivefold.subject.tables import Coding, Store

if TYPE_CHECKING:
    from pathlib import Path

    from fivefold.contract.check import Context


def with_file(given: Context, frame: pd.DataFrame, rows: np.ndarray | None = None, **options: object) -> Context:
    """Return a context whose experts say something else."""
    before, file = given.tables, given.tables("experts")
    made = replace(file, features=frame, rows=file.rows if rows is None else rows)
    tables = lambda name: made if name == "experts" else before(name)  # noqa: E731
    return replace(given, tables=tables, options={**given.options, **options})


def test_the_same_ranking_is_one_and_chance_is_nothing() -> None:
    """Equal rankings agree to 1, also short ones; random ones to 0 on average; a column never seen costs its place."""
    rng = np.random.default_rng(1)
    theirs = np.argsort(rng.random((4000, 9)), axis=1)[:, :3]
    short = np.where(np.arange(3) < rng.integers(1, 4, size=(4000, 1)), theirs, -1)
    mine = np.argsort(rng.random((4000, 9)), axis=1)[:, :3]
    for one in (theirs, short):
        assert np.allclose(above_chance(theirs, one, 9), 1.0)
        assert abs(above_chance(mine, one, 9).mean()) < 0.02
    unseen = np.where(np.arange(3) == 0, 9, theirs)
    assert abs(above_chance(mine, unseen, 9).mean()) < 0.02
    assert (above_chance(theirs, unseen, 9) < 1).all()
    by_hand = above_chance(np.array([[0, 1, 2]]), np.array([[1, 0, 5]]), 9)
    weight = np.array([1, 0.9, 0.81]) / 2.71
    chance = float(weight @ [1 / 9, 2 / 9, 3 / 9])
    assert by_hand == pytest.approx((weight @ [0, 1, 2 / 3] - chance) / (1 - chance))


def test_ranks_follow_the_size_of_credit_and_few_count() -> None:
    """Signs do not matter, a column without credit is no reason; of n columns n / 3 ranks count, one at least."""
    assert ordered(np.array([[0.1, -3.0, 0.0, 2.0]]), 4).tolist() == [[1, 3, 0, -1]]
    assert ordered(np.zeros((1, 3)), 2).tolist() == [[-1, -1]]
    assert [depth(players, 5) for players in (2, 3, 6, 9, 300)] == [1, 1, 2, 3, 5]


def test_columns_of_one_player_are_named_once() -> None:
    """Two columns of one code are one reason; what the model does not see is a reason that it cannot have."""
    file = ranked.Ranked(np.arange(2), np.array([["a", "b", "c"], ["hidden", "c", None]], dtype=object))
    assert file.players(("a", "b", "c"), np.array([0, 0, 1])).tolist() == [[0, 1, -1], [2 + 3, 1, -1]]


BROKEN = {
    "foreign": lambda frame: frame.replace({"reason 2": {frame["reason 2"][0]: "colour of the door"}}),
    "tie": lambda frame: frame.assign(**{"reason 2": frame["reason 1"]}),
    "gap": lambda frame: frame.assign(**{"reason 1": None}),
    "twice": lambda frame: frame.assign(doctor="Dr. A"),
    "ranks": lambda frame: frame.rename(columns=dict(zip(frame.columns, ["x", "y", "z"], strict=False))),
    "column": lambda frame: frame.drop(columns="doctor"),
}


@pytest.mark.parametrize("code", sorted(BROKEN))
def test_a_file_that_cannot_be_right_is_refused(code: str) -> None:
    """Foreign columns, ties, gaps, lines said twice, ranks or experts that are nowhere: code and remedy, no id."""
    given = build(3, experts=2)
    file = given.tables("experts")
    with pytest.raises(InputError) as caught:
        resolve(CHECK)(with_file(given, BROKEN[code](file.features.copy())))
    assert caught.value.code == f"experts.{code}"
    assert caught.value.remedy


def test_no_file_and_few_rows_are_not_run() -> None:
    """A set that is not declared, one of the measured ones, and a handful of rows."""
    given = build(3)
    for name in ("nobody", "test"):
        with pytest.raises(UnsupportedError) as caught:
            resolve(CHECK)(replace(given, options={"file": name}))
        assert caught.value.code == "experts.undeclared"
    file = given.tables("experts")
    with pytest.raises(UnsupportedError) as caught:
        resolve(CHECK)(with_file(given, file.features[:12], file.rows[:12]))
    assert caught.value.code == "experts.few"


def test_what_is_leant_on_and_not_named_is_told() -> None:
    """Experts who never name the column that decides: the finding fails and says which one it is."""
    given = build(8, columns=(9, 10))
    file = given.tables("experts")
    first = file.features["reason 1"].mode()[0]
    others = [str(name) for name in given.tables("test").features.columns if name != first]
    frame = pd.DataFrame({f"rank_{at + 1}": others[at] for at in range(3)}, index=file.features.index)
    result = resolve(CHECK)(with_file(given, frame, by=""))
    assert result.outcome is Outcome.FAIL
    astray = [one for one in result.measures if one.name.startswith("results that lean")]
    assert astray[0].where == first


def test_a_constant_model_and_experts_at_odds_get_no_verdict() -> None:
    """Nothing to compare, or nothing to compare with: inconclusive, and the reason says which."""
    constant, odds = build(4), build(4, experts=3, noise=5.0)
    constant.subject.weights.clear()  # type: ignore[union-attr]
    result = resolve(CHECK)(constant)
    assert (result.outcome, "no reasons" in result.reason) == (Outcome.INCONCLUSIVE, True), result.reason
    result = resolve(CHECK)(odds)
    assert (result.outcome, result.canary.noticed) == (Outcome.INCONCLUSIVE, False)  # type: ignore[union-attr]
    assert result.reason.startswith("Experts do not agree")


MANIFEST = """fivefold: 1
application: {id: app, level: 3, purpose: x}
use: {output: label, acts: human, alone: false}
data:
  train: {path: train.csv, target: y, protected: [a], KEY}
  test: {path: test.csv}
  experts: {path: experts.csv, reasons: true, id: patient}
model: {factory: "m:load"}
"""


def stored(folder: Path, experts: pd.DataFrame, key: str = "id: patient", ids: tuple[str, ...] = ("p1", "p2")) -> Store:
    """Write an application and return its store."""
    for name in ("train", "test"):
        frame = pd.DataFrame({"patient": ids, "a": [1.0, 2.0], "y": [0, 1]})
        frame.to_csv(folder / f"{name}.csv", index=False)
    (folder / "train.csv").write_text((folder / "train.csv").read_text() + "p9,3.0,1\n")
    experts.to_csv(folder / "experts.csv", index=False)
    (folder / "m.py").write_text("def load():\n    return None\n")
    (folder / "fivefold.yaml").write_text(MANIFEST.replace("KEY", key))
    manifest = read_manifest(folder)
    assert facts.read(manifest, None)["data.reasons"] is True
    columns = {"train": ("patient", "a", "y"), "test": ("patient", "a", "y"), "experts": tuple(experts.columns)}
    assert parse(manifest.raw, manifest.root, columns).data == manifest.data
    return Store(manifest.root, manifest.data, manifest.features, seen={"a": "number"})


def test_lines_are_about_rows_by_id_or_by_number(tmp_path: Path) -> None:
    """The id of the test row, or its number from 1 where it has none; the id itself is not handed to the check."""
    experts = pd.DataFrame({"patient": ["p2", "p1", "p2"], "1": ["a", "a", "a"]})
    table = stored(tmp_path, experts).table("experts", Coding("binary", ("0", "1")))
    assert (table.rows.tolist(), list(table.features.columns)) == ([1, 0, 1], ["1"])
    by_number = stored(tmp_path, experts.assign(patient=[2, 1, 2]), key="drop: [patient]")
    assert by_number.table("experts", Coding("binary", ("0", "1"))).rows.tolist() == [1, 0, 1]


@pytest.mark.parametrize(
    ("patient", "ids", "said"),
    [(["p1", "p7"], ("p1", "p2"), "line 2 below the header"), (["p1", "p1"], ("p1", "p1"), "have the same patient")],
)
def test_unknown_rows_and_ids_that_are_none_are_refused(
    tmp_path: Path, patient: list[str], ids: tuple[str, ...], said: str
) -> None:
    """A line about a row that is not there, and ids that several rows share; no id stands in the message."""
    with pytest.raises(InputError) as caught:
        stored(tmp_path, pd.DataFrame({"patient": patient, "1": "a"}), ids=ids).table("experts", Coding("binary", ()))
    assert caught.value.code == "data.reasons"
    assert said in caught.value.message
    assert "p7" not in caught.value.message
