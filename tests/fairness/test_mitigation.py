"""F1.mitigation and model train --fair: ways of mending against their definitions, on real rows, by command."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from tests.truth.mending import build

from fivefold.cli.main import run as command
from fivefold.contract.outcome import Outcome
from fivefold.contract.registry import resolve
from fivefold.contract.subject import Table
from fivefold.errors import InputError
from fivefold.fairness.mitigation.aims import gap, rates
from fivefold.fairness.mitigation.check import known_groups
from fivefold.fairness.mitigation.fair import METHODS, Lesson, Scorer, codes_of, learn, read, write
from fivefold.fairness.mitigation.thresholds import by_group
from fivefold.fairness.mitigation.weights import reweighed

CREDIT = Path(__file__).resolve().parents[2] / "examples" / "credit"
run = resolve("F1.mitigation")


def test_weights_make_group_and_truth_independent() -> None:
    """Weighed shares of positives are the same in every group (Kamiran and Calders 2012)."""
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 3, 3000)
    truth = (rng.random(3000) < np.array([0.1, 0.4, 0.8])[codes]).astype(int)
    weight = reweighed(codes, truth)
    shares = [np.average(truth[codes == at], weights=weight[codes == at]) for at in range(3)]
    assert np.allclose(shares, truth.mean())
    assert weight.mean() == pytest.approx(1.0)


@pytest.mark.parametrize("aim", ["selection", "tpr"])
def test_thresholds_meet_the_aim_with_the_fewest_errors(aim: str) -> None:
    """Rates are alike to a hundredth, and no common rate of a finer search makes fewer errors by a hundredth."""
    rng = np.random.default_rng(1)
    codes = rng.integers(0, 2, 8000)
    truth = (rng.random(8000) < 0.4).astype(int)
    score = np.clip(0.35 * truth + 0.2 * codes + 0.2 + 0.15 * rng.normal(size=8000), 0, 1)
    cuts = by_group(score, truth, codes, aim)  # type: ignore[arg-type]
    chosen = score >= cuts[codes]
    assert gap(chosen, codes, truth, aim) < 0.01  # type: ignore[arg-type]
    best = 1.0
    for rate in np.linspace(0.01, 0.99, 197):
        some = truth == 1 if aim == "tpr" else np.ones(8000, dtype=bool)
        other = np.array([np.quantile(score[some & (codes == at)], 1 - rate) for at in range(2)])
        best = min(best, float(((score >= other[codes]) != truth).mean()))
    assert (chosen != truth).mean() < best + 0.01


def test_each_method_narrows_the_gap_on_adult_census(shared: Path) -> None:
    """Selection ratio by sex on other rows: from below 0.4 to above 0.55 by weights and 0.85 by the others."""
    frame = pd.read_csv(shared / "adult_census" / "train.csv.gz").iloc[:9000]
    truth = frame["income"].str.contains(">50K").to_numpy().astype(int)
    seen = frame.drop(columns=["income", "sex", "fnlwgt"])
    half = np.arange(9000) < 5000
    given = Lesson(
        seen[half].reset_index(drop=True), truth[half], frame["sex"][half].reset_index(drop=True), ("no", "yes")
    )
    other = frame[~half]
    found = {}
    for method in METHODS:
        model = learn(given, method, "selection", np.random.default_rng(0))  # type: ignore[arg-type]
        assert read(write(model)).model == model
        chosen = Scorer(model).predict_proba(other)[:, 1] >= 0.5
        rate = rates(chosen, codes_of(other["sex"], model.groups), truth[~half], "selection")
        found[method] = float(rate.min() / rate.max()), float((chosen == truth[~half]).mean())
    assert found["none"][0] < 0.4
    assert found["reweigh"][0] > 0.5
    assert min(found[method][0] for method in ("constraints", "thresholds", "blind")) > 0.8
    assert min(one[1] for one in found.values()) > found["none"][1] - 0.05
    blind = learn(given, "blind", "selection", np.random.default_rng(0))
    without = Scorer(blind).predict_proba(other.drop(columns="sex"))
    assert np.array_equal(without, Scorer(blind).predict_proba(other))


def test_cheap_gaps_pass_and_dear_ones_fail() -> None:
    """Scores that are merely too low are mended at little cost; where truth hangs on the group nothing is cheap."""
    assert run(build(3)).outcome is Outcome.PASS
    dear = run(build(2, dear=True))
    assert dear.outcome is Outcome.FAIL
    assert dear.plots[0].kind == "curves"
    assert run(build(2, dear=True, rows=120)).outcome is not Outcome.PASS


def test_the_command_learns_and_says_what_changes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """On examples/credit: rates of both models on data.test; the file gives scores; a wrong method is refused."""
    app = tmp_path / "app"
    shutil.copytree(CREDIT, app)
    out = tmp_path / "fair.json"
    with pytest.raises(SystemExit) as leave:
        command(["model", "train", "--fair", "blind", "--in", str(app), "--out", str(out), "--json"])
    assert not leave.value.code
    told = json.loads(capsys.readouterr().out)
    assert told["judged on"] == "test"
    assert told["asks for the group"] is False
    assert set(told["fair"]["rates"]) == set(told["plain"]["rates"])
    scores = read(out.read_bytes()).predict_proba(pd.read_csv(app / "data" / "test.csv"))
    assert np.allclose(scores.sum(axis=1), 1)
    with pytest.raises(SystemExit) as leave:
        command(["model", "train", "--fair", "luck", "--in", str(app), "--out", str(tmp_path / "x.json"), "--json"])
    assert leave.value.code == 2
    with pytest.raises(InputError) as error:
        read(b"{}")
    assert error.value.code == "fair.model"


def test_groups_stay_with_their_rows_where_answers_are_missing() -> None:
    """Rows of unknown target anywhere in the table are left out of codes and of positions alike."""
    group = pd.Series(["a", "b", None, "b", "a"])
    train = Table(
        name="train", rows=np.arange(5), features=pd.DataFrame({"x": range(5)}), target=np.array([-1, 1, 0, -1, 1]),
        others=pd.DataFrame({"group": group}),
    )  # fmt: skip
    places, codes = known_groups(train, "group")
    assert places.tolist() == [1, 2, 4]
    assert codes.tolist() == [2, 0, 1]
    with pytest.raises(KeyError):
        known_groups(train, "absent")
