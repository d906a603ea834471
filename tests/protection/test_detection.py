"""P1.detection: what an alarm rings for does the attacker no good, and who knows of the alarm goes round it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import yaml
from tests.truth.detected import CHECK, _made
from tests.truth.subjects import table

from fivefold.assess.run import Options as Run
from fivefold.assess.run import assess
from fivefold.contract.outcome import Outcome
from fivefold.contract.registry import resolve
from fivefold.contract.subject import Capabilities, SettingsView
from fivefold.errors import InputError, UnsupportedError
from fivefold.manifest.reader import read as manifest_of
from fivefold.protection.evasion import blackbox, detection

MODEL = """
import numpy as np


class Hanging:
    classes_, reads = np.array(["k0", "k1"]), {0!r}

    def predict(self, rows):
        return self.classes_[((rows[self.reads[0]] + rows[self.reads[1]]) / 2 > 1.9).to_numpy().astype(int)]


def load():
    return Hanging()
"""


def figures(result):
    """Return measures by name and place."""
    return {f"{one.name} {one.where}".strip(): one.value for one in result.measures}


def detector(rings):
    """Return what makes a detector that rings where ``rings``, rows to (n,) bool, says so."""

    def make(_controls, _train, _calibration, ask, *, width, rng):
        ask(_calibration)
        return SimpleNamespace(
            options=SimpleNamespace(false_alarms=0.01),
            judge=lambda rows, answers, scores: SimpleNamespace(alarm=rings(rows)),
        )

    return {"ensemble.members": make}


def silent(rows):
    """Ring for nothing."""
    return np.zeros(len(rows), dtype=bool)


def test_who_knows_of_the_detector_goes_round_it():
    """It watches one of the two columns that the model reads: the blind attack moves both, the other only one."""
    made = _made(3, cut=1.3, epsilon=0.35, rows=400)
    watched = made.subject.reads[0]
    seen = {value for name in ("train", "test") for value in made.tables(name).features[watched].round(9)}
    moved = detector(lambda rows: ~rows[watched].round(9).isin(seen).to_numpy())
    result = detection.run(replace(made, uses=moved))
    told = figures(result)
    assert told["attacks noticed answers alone"] > 0.5
    assert told["attacks that get through"] > 0.6
    assert told["robust accuracy with the detector"] < 0.5
    assert result.outcome is Outcome.FAIL
    assert result.canary.noticed


def test_a_detector_that_rings_for_every_change_saves_every_row():
    """And one that is silent saves none: then both robust accuracies are the same."""
    made = _made(4, rows=400)

    def cells(rows):
        return [tuple(row) for row in rows.select_dtypes("number").fillna(-99.0).round(9).to_numpy()]

    known = set(cells(made.tables("test").features))

    def rings(rows):
        return np.array([row not in known for row in cells(rows)])

    loud = figures(detection.run(replace(made, uses=detector(rings))))
    assert loud["attacks that get through"] == 0.0
    assert loud["robust accuracy with the detector"] == loud["right and not alarmed, without an attack"]
    still = figures(detection.run(replace(made, uses=detector(silent))))
    assert still["attacks noticed answers alone"] == 0.0
    assert still["robust accuracy with the detector"] <= still["robust accuracy of the model alone"] + 0.02


@pytest.mark.parametrize("broken", ["finds nothing", "sees no alarm"])
def test_an_attack_that_cannot_be_believed_decides_nothing(broken, monkeypatch):
    """One that changes nothing, and one that counts what was alarmed."""
    true = blackbox.attack

    def attack(space, oracle, **more):
        hunt = true(space, oracle, **more)
        hunt.fallen[:] = broken == "sees no alarm"
        return hunt

    monkeypatch.setattr(blackbox, "attack", attack)
    result = detection.run(replace(_made(5, rows=200, queries=40), uses=detector(silent)))
    assert result.outcome is Outcome.INCONCLUSIVE
    assert not result.canary.noticed
    assert "Planted rows did not fall" in result.reason


def test_false_alarms_fail_by_themselves():
    """A detector that rings for a tenth of the clean rows, whatever it saves."""

    def rings(rows):
        return np.arange(len(rows)) % 10 == 0

    result = detection.run(replace(_made(6, rows=400), uses=detector(rings)))
    assert result.outcome is Outcome.FAIL
    assert "10.0 times as often as declared" in result.reason


@dataclass(frozen=True)
class _Values:
    task = "regression"
    classes = ()
    capabilities = Capabilities(scores=False, retrains=False, perturbable=True)


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"settings": SettingsView(controls={}, classes=("k0", "k1"), level=5)}, "evasion.detector"),
        ({"subject": _Values()}, "evasion.classes"),
        ({"subject": None}, "evasion.subject"),
    ],
)
def test_what_it_cannot_be_run_on(changed, code):
    """No detector, values, no model."""
    with pytest.raises(UnsupportedError) as told:
        detection.run(replace(_made(7, rows=300), **changed))
    assert told.value.code == code


class _Endpoint:
    """A subject that counts its calls."""

    def __init__(self, made, calls):
        self.made, self.calls, self.task, self.classes = made, 0, made.task, made.classes
        self.capabilities = replace(made.capabilities, calls_left=calls, max_rows=200)

    def predict(self, asked):
        self.calls += -(-len(asked) // 200)
        return self.made.predict(asked)

    def predict_proba(self, asked):
        self.calls += -(-len(asked) // 200)
        return self.made.predict_proba(asked)


@pytest.mark.parametrize("calls", [700, 2000])
def test_an_endpoint_is_never_overdrawn(calls):
    """Half of the calls that are left are the most."""
    made = _made(8, rows=600)
    subject = _Endpoint(made.subject, calls)
    result = detection.run(replace(made, subject=subject))
    assert result.measures[0].n >= 10
    assert subject.calls <= calls / 2


def test_too_few_calls_are_refused():
    """Before the first one."""
    made = _made(8, rows=600)
    subject = _Endpoint(made.subject, 10)
    with pytest.raises(UnsupportedError) as told:
        detection.run(replace(made, subject=subject))
    assert told.value.code == "evasion.budget"


def test_half_of_the_test_rows_calibrate_where_nothing_else_does():
    """And are not attacked."""
    made = _made(9, rows=800)
    tables = {name: made.tables(name) for name in ("train", "test")}
    result = resolve(CHECK)(replace(made, tables=tables.__getitem__))
    assert any("half of the test rows calibrate" in one for one in result.limits)
    assert figures(result)["robust accuracy with the detector"] > 0.9


def test_gradients_are_followed_where_the_model_gives_them():
    """A plane through numbers: its gradient fells what answers alone fell, and both are shown."""
    rng = np.random.default_rng(0)
    weights = rng.normal(size=5)

    class Plane:
        task, classes = "binary", ("k0", "k1")
        capabilities = Capabilities(scores=True, retrains=False, perturbable=True, gradients=True)

        def score(self, asked):
            return asked.features.to_numpy() @ weights

        def predict(self, asked):
            return (self.score(asked) > 0).astype(np.int64)

        def predict_proba(self, asked):
            chance = 1 / (1 + np.exp(-self.score(asked)))
            return np.column_stack([1 - chance, chance])

        def gradient(self, asked, target, _loss):
            sign = np.where(target == 1, -1.0, 1.0)
            return sign * self.score(asked), sign[:, None] * weights

    tables = {}
    for name in ("train", "calibration", "test"):
        values = rng.normal(size=(500, 5))
        tables[name] = table(name, pd.DataFrame(values, columns=list("abcde")), (values @ weights > 0).astype(np.int64))
    made = replace(_made(1, rows=300), subject=Plane(), tables=tables.__getitem__, uses=detector(silent))
    told = figures(detection.run(made))
    assert told["attacks noticed along gradients"] == told["attacks noticed answers alone"] == 0.0
    assert told["robust accuracy of the model alone"] == pytest.approx(
        told["robust accuracy with the detector"], abs=0.02
    )


def test_from_a_manifest(tmp_path):
    """It runs where a detector is declared, and does not apply where none is."""
    made = _made(2, rows=400)
    for name in ("train", "calibration", "test"):
        given = made.tables(name)
        given.features.assign(y=np.array(["k0", "k1"])[given.target]).to_csv(tmp_path / f"{name}.csv", index=False)
    (tmp_path / "served.py").write_text(MODEL.format(made.subject.reads), encoding="utf-8")
    sets = {name: {"path": f"{name}.csv", "target": "y", "positive": "k1"} for name in ("train", "calibration", "test")}
    base = {
        "fivefold": 1, "application": {"id": "a", "level": 2}, "use": {"output": "label"}, "data": sets,
        "model": {"factory": "served:load"},
    }  # fmt: skip
    (tmp_path / "fivefold.yaml").write_text(
        yaml.safe_dump(base | {"controls": {"C2": {"members": 2}}}), encoding="utf-8"
    )
    result = assess(manifest_of(tmp_path), Run(only=(CHECK,), effort="quick")).findings[0].result
    assert result.outcome in (Outcome.PASS, Outcome.FAIL), result.reason
    assert result.canary.noticed
    (tmp_path / "fivefold.yaml").write_text(yaml.safe_dump(base), encoding="utf-8")
    with pytest.raises(InputError, match=r"It applies where control\.ensemble is true"):
        assess(manifest_of(tmp_path), Run(only=(CHECK,), effort="quick"))
