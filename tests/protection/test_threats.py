"""The detector of unknown threats, its parts and options; and the checks of P5 from a manifest, in the worker."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest
import yaml
from tests.truth.threats import flows

from fivefold.assess.run import Options as Run
from fivefold.assess.run import assess
from fivefold.contract.outcome import Outcome
from fivefold.errors import InputError, UnsupportedError
from fivefold.manifest.reader import read as manifest_of
from fivefold.protection.threats import detector, encoding, tails
from fivefold.protection.threats.delivered import Beside
from fivefold.protection.threats.options import Options, benign_of, read

if TYPE_CHECKING:
    from pathlib import Path

    from fivefold.protection.threats.detector import Detector

MODEL = """
import numpy as np

class Model:
    classes_ = np.array(["attack", "fine"])
    def __init__(self, cut):
        self.cut = cut
    def predict(self, frame):
        sent = frame["packets"].to_numpy(dtype=float, na_value=0.0)
        return np.where(sent > self.cut, "attack", "fine")

def load():
    return Model(2000.0)
"""
"""It knows the flood of packets alone, and cannot be trained again."""


def _sets(seed: int, rows: int = 900) -> tuple[pd.DataFrame, np.ndarray]:
    frame, family = flows(np.random.default_rng(seed), rows, 0.35)
    return frame.drop(columns="site"), family


@pytest.fixture(scope="module")
def made() -> Detector:
    """A detector that was never shown the family ``leak``."""
    frame, family = _sets(1)
    kept = family != "leak"
    fitted = detector.fit(frame[kept], family[kept] != "", np.random.default_rng(0))
    benign, other = _sets(2)
    return detector.calibrated(fitted, benign[other == ""], 0.03)


def test_a_family_never_shown_is_found_and_benign_flows_are_seldom_alarmed(made: Detector) -> None:
    """Too much sent for the service: most rings, of benign flows not twice what is allowed."""
    frame, family = _sets(3, 2000)
    rings = made.alarms(frame)
    assert rings[family == "leak"].mean() > 0.8
    assert rings[family == ""].mean() < 0.06
    assert rings[family == "flood"].mean() > 0.9


def test_a_flow_is_judged_the_same_alone_and_among_others(made: Detector) -> None:
    """Nothing is learned from the flows that are asked."""
    frame, _ = _sets(4, 40)
    np.testing.assert_allclose(made.chances(frame.iloc[7:8]), made.chances(frame)[7:8])
    assert len(made.chances(frame.iloc[:0])) == 0


def test_chances_hold_the_declared_rate_on_the_flows_that_set_them(made: Detector) -> None:
    """A conformal p-value: of the calibration flows themselves at most the declared share rings."""
    benign, other = _sets(2)
    assert made.alarms(benign[other == ""]).mean() <= 0.03


def test_what_was_never_seen_is_alarmed_whatever_the_forest_says(made: Detector) -> None:
    """A number far beyond every benign one is found by rare values."""
    frame, family = _sets(5, 200)
    odd = frame[family == ""].copy()
    odd["hosts"] = 100_000.0
    assert made.alarms(odd).mean() > 0.9


def test_strings_dates_missing_cells_and_constant_columns_are_read() -> None:
    """Unknown and missing texts have ranks of their own, missing numbers lie below all others."""
    frame = pd.DataFrame({
        "proto": ["tcp"] * 6 + ["udp"] * 3 + [None], "bytes": [1.0, np.nan, *range(8)], "same": [1] * 10,
        "when": pd.date_range("2024-01-01", periods=10), "name": [f"host-{at}" for at in range(10)],
        "none": [None] * 10, "on": [True, False] * 5,
    })  # fmt: skip
    told = encoding.fit(frame)
    names = [column.name for column in told.columns]
    assert names == ["proto", "bytes", "same", "when", "name", "on"]
    values = told(frame)
    assert np.isfinite(values).all()
    assert values[1, 1] < values[:, 1].max()
    assert values[1, 1] == values[:, 1].min()
    asked = told(frame.head(2).assign(proto=["icmp", None], bytes=["12", "what"]))
    np.testing.assert_array_equal(asked[:, 0], [2.0, 3.0])
    assert asked[1, 1] == values[1, 1]
    with pytest.raises(UnsupportedError) as error:
        told(frame.drop(columns="bytes"))
    assert error.value.code == "threats.columns"
    assert "bytes" not in [column.name for column in encoding.fit(frame, leave=["bytes"]).columns]


def test_rarity_is_counted_within_the_kind_of_flow() -> None:
    """The same number is rare in one service and usual in another."""
    rng = np.random.default_rng(0)
    kind = rng.integers(0, 2, 2000).astype(float)
    values = np.column_stack([kind, np.where(kind > 0, 10.0, 1.0) + rng.normal(size=2000)])
    found = tails.fit(values, np.array([True, False]))
    usual, rare = found(np.array([[1.0, 10.0], [0.0, 10.0]]))
    assert rare > usual + 3


@pytest.mark.parametrize(
    ("declared", "part"),
    [
        ({"alarms": 1}, "alarms"),
        ({"false_alarms": 0.9}, "0.9"),
        ({"false_alarms": True}, "True"),
        ({"leave": "hot"}, "leave"),
    ],
)
def test_options_out_of_range_are_refused(declared: dict[str, object], part: str) -> None:
    """Keys and values that nothing is made of are named."""
    with pytest.raises(InputError) as error:
        read({"P5": declared})
    assert error.value.code == "threats.option"
    assert part in error.value.message


def test_options_and_the_benign_class_are_read() -> None:
    """The favourable class is benign; of two classes also the one that is not to be detected; else nobody knows."""
    assert read({}) is None
    assert read({"P5": {"leave": ["hot"]}}) == Options(0.02, ("hot",))
    assert benign_of(("a", "b", "c"), "b", None) == 1
    assert benign_of(("a", "b"), None, "a") == 1
    assert benign_of(("a", "b", "c"), None, "a") is None
    assert benign_of(("a", "b", "c"), "b", None, "c") == 2
    assert benign_of(("a", "b"), None, "a", "misspelt") is None


def test_too_few_benign_flows_are_refused() -> None:
    """Neither learned from nor calibrated on."""
    frame, family = _sets(6, 60)
    with pytest.raises(UnsupportedError) as error:
        detector.fit(frame, family != "", np.random.default_rng(0))
    assert error.value.code == "threats.benign"
    fitted = detector.fit(_sets(7)[0], _sets(7)[1] != "", np.random.default_rng(0))
    with pytest.raises(UnsupportedError) as error:
        detector.calibrated(fitted, frame[family == ""].head(20), 0.02)
    assert error.value.code == "threats.calibration"


def test_flows_that_the_model_calls_threats_are_not_handed_over() -> None:
    """The detector of the guard marks flows that the model takes for benign, and no others."""
    frame, family = _sets(8)
    beside = Beside({"P5": {"false_alarms": 0.03}}, (frame, (family == "").astype(np.int64)), ("attack", "fine"),
                    (None, "attack"), rng=np.random.default_rng(1))  # fmt: skip
    asked, kinds = _sets(9, 300)
    taken, _ = beside.judge(asked, np.ones(300, dtype=np.int64))
    told, _ = beside.judge(asked, np.zeros(300, dtype=np.int64))
    assert taken[kinds != ""].mean() > 0.8
    assert not told.any()


def _application(
    root: Path, controls: dict[str, object], families: str = "family", rows: int = 900, *, calibrated: bool = False
) -> Path:
    (root / "data").mkdir(parents=True)
    for name, seed in (("train", 11), ("test", 12), *((("calibration", 13),) if calibrated else ())):
        frame, family = flows(np.random.default_rng(seed), rows, 0.35)
        frame["label"] = np.where(family == "", "fine", "attack")
        frame["family"] = family
        frame.to_csv(root / "data" / f"{name}.csv", index=False)
    (root / "scorer.py").write_text(MODEL, encoding="utf-8")
    document = {
        "fivefold": 1, "application": {"id": "flows", "level": 2}, "use": {"output": "label"},
        "data": {
            "train": {"path": "data/train.csv", "target": "label", "alarm": "attack", "drop": ["family", "site"],
                      "source": "north"},
            "test": {"path": "data/test.csv", "source": "south"},
        },
        "model": {"factory": "scorer:load"}, "controls": controls,
        "checks": {"P5": {"traffic": 5000.0} | ({"families": families} if families else {})},
    }  # fmt: skip
    if calibrated:
        document["data"]["calibration"] = {"path": "data/calibration.csv"}
    (root / "fivefold.yaml").write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")
    return root


def _outcomes(root: Path, only: tuple[str, ...]) -> dict[str, tuple[Outcome, str]]:
    run = assess(manifest_of(root), Run(only=only, effort="quick"))
    return {one.check: (one.result.outcome, one.result.reason) for one in run.findings}


def test_checks_from_a_manifest_with_the_control(tmp_path: Path) -> None:
    """A model that cannot be trained again, a detector beside it, sites that learn together: all five are measured."""
    controls = {"P5": {"false_alarms": 0.015}, "S3": {"clients": 3, "rounds": 40}}
    root = _application(tmp_path / "app", controls, rows=2000, calibrated=True)
    found = _outcomes(root, ("P5.known", "P5.unseen", "P5.open-set", "P5.throughput", "P5.joint"))
    assert set(found) == {"P5.known", "P5.unseen", "P5.open-set", "P5.throughput", "P5.joint"}
    assert {outcome for outcome, _ in found.values()} <= {Outcome.PASS, Outcome.INCONCLUSIVE, Outcome.FAIL}
    assert found["P5.unseen"][0] is not Outcome.FAIL, found["P5.unseen"][1]
    assert found["P5.open-set"][0] is Outcome.PASS, found["P5.open-set"][1]
    assert found["P5.throughput"][0] is Outcome.PASS, found["P5.throughput"][1]


def test_a_threshold_that_few_flows_set_is_said_to_be_loose(tmp_path: Path) -> None:
    """With the rate that may result; not where a calibration set is large."""
    said = []
    for name, calibrated in (("few", False), ("many", True)):
        root = _application(tmp_path / name, {"P5": {"false_alarms": 0.015}}, rows=2000, calibrated=calibrated)
        (one,) = assess(manifest_of(root), Run(only=("P5.known",), effort="quick")).findings
        said.append([text for text in one.result.limits if "set the threshold: at 1.50% false alarms asked" in text])
    assert len(said[0]) == 1
    assert not said[1]


def test_checks_from_a_manifest_without_the_control(tmp_path: Path) -> None:
    """The model alone misses four families of five; what cannot be held out is not run, and says why."""
    found = _outcomes(_application(tmp_path / "app", {}), ("P5.known", "P5.unseen"))
    assert found["P5.known"][0] is Outcome.FAIL
    assert found["P5.unseen"][0] is Outcome.NOT_RUN
    assert "no detector is declared" in found["P5.unseen"][1]


def test_families_are_clusters_where_none_are_declared(tmp_path: Path) -> None:
    """The finding says so."""
    run = assess(manifest_of(_application(tmp_path / "app", {"P5": {}}, "")), Run(only=("P5.unseen",), effort="quick"))
    (one,) = run.findings
    assert any("grouped into clusters" in text for text in one.result.limits)
    assert any(measure.where.startswith("cluster") for measure in one.result.measures)
