"""The example: its data are what prepare.py makes, its model is what its files say, its owner signed it."""

from __future__ import annotations

import csv
import importlib
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest

from fivefold.contract.subject import Table
from fivefold.errors import TrustError
from fivefold.evidence import oms, signed_set
from fivefold.keys.signing import load_public
from fivefold.manifest import reader
from fivefold.subject.training import training_table

if TYPE_CHECKING:
    from collections.abc import Iterator

CREDIT = Path(__file__).resolve().parents[2] / "examples" / "credit"
DROP = ["sex", "age_band", "marital_status", "foreign_worker"]


@pytest.fixture
def modules(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Any, Any]]:
    """Import the example's scorer and trainer as the worker would: by name, from its folder."""
    monkeypatch.syspath_prepend(str(CREDIT))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    yield importlib.import_module("scorer"), importlib.import_module("train")
    for name in ("scorer", "train"):
        sys.modules.pop(name, None)


def rows(name: str) -> pd.DataFrame:
    return pd.read_csv(CREDIT / "data" / f"{name}.csv", keep_default_na=False)


def table(name: str) -> Table:
    frame = rows(name)
    good = (frame["credit"] == "good").to_numpy().astype("int64")
    features = frame.drop(columns=[*DROP, "credit"])
    return Table(name=name, rows=np.arange(len(frame)), features=features, target=good, others=frame[DROP])


def test_the_manifest_reads() -> None:
    """Level 4, both protected fields dropped from what the model sees, favourable and alarm class declared."""
    manifest = reader.read(CREDIT)
    assert manifest.application.level == 4
    train = manifest.data["train"]
    assert (train.target, train.positive, train.alarm) == ("credit", "good", "bad")
    assert set(train.protected) <= set(train.drop) == set(DROP)
    assert manifest.model is not None
    assert Path(manifest.model.path).suffix == ".json"


def test_the_three_files_hold_each_loan_once() -> None:
    """1,000 loans, 700 good, the same share in each part, no row in two of them."""
    parts = {name: rows(name) for name in ("train", "calibration", "test")}
    assert {name: len(part) for name, part in parts.items()} == {"train": 500, "calibration": 100, "test": 400}
    assert all((part["credit"] == "good").mean() == 0.7 for part in parts.values())
    assert not pd.concat(parts.values()).duplicated().any()


@pytest.mark.shared
def test_the_data_are_what_prepare_makes(shared: Path, tmp_path: Path) -> None:
    """The committed files are byte for byte what the script makes of the public file."""
    shutil.copy(CREDIT / "prepare.py", tmp_path)
    source = shared / "german_credit" / "german_named.csv"
    subprocess.run([sys.executable, "prepare.py", str(source)], cwd=tmp_path, check=True, capture_output=True)
    for name in ("train", "calibration", "test"):
        assert (tmp_path / "data" / f"{name}.csv").read_bytes() == (CREDIT / "data" / f"{name}.csv").read_bytes()


def test_prepare_refuses_another_file(tmp_path: Path) -> None:
    """The script was written for one file; it does not guess about others."""
    other = tmp_path / "other.csv"
    other.write_text("a,b\n1,2\n")
    shutil.copy(CREDIT / "prepare.py", tmp_path)
    done = subprocess.run(
        [sys.executable, "prepare.py", "other.csv"], cwd=tmp_path, check=False, capture_output=True, text=True
    )
    assert done.returncode == 1
    assert "SHA-256" in done.stderr
    assert not list(tmp_path.glob("data/*"))


def test_the_owner_signed_exactly_the_model_the_scorer_and_the_trainer() -> None:
    """The signature holds for the set that the manifest names, under owner.pub and under no other key."""
    manifest = reader.read(CREDIT)
    owner = load_public((CREDIT / "owner.pub").read_bytes())
    found = oms.verify_files((CREDIT / "model.sig").read_bytes(), signed_set.files(manifest), [owner])
    assert set(found.files) == {"model.json", "scorer.py", "train.py"}
    changed = {**signed_set.files(manifest), "scorer.py": b"# changed"}
    with pytest.raises(TrustError) as caught:
        oms.verify_files((CREDIT / "model.sig").read_bytes(), changed, [owner])
    assert caught.value.code == "oms.changed-file"
    assert not [path for path in CREDIT.rglob("*") if path.is_file() and b"PRIVATE KEY" in path.read_bytes()]


def test_the_scorer_agrees_with_the_library_that_trained_it(modules: tuple[Any, Any]) -> None:
    """Scores from the exported numbers are those of scikit-learn, to the last bits."""
    from sklearn.ensemble import GradientBoostingClassifier

    scorer, train = modules
    seen: list[Any] = []

    class Spy(GradientBoostingClassifier):
        def fit(self, X: Any, y: Any, **options: Any) -> Spy:
            seen.append(self)
            return super().fit(X, y, **options)  # type: ignore[no-any-return]

    train.GradientBoostingClassifier = Spy
    data = table("train")
    model = train.fit(data, np.random.default_rng(1))
    test = table("test").features
    wanted = seen[0].predict_proba(scorer.encode(test, model.columns))
    np.testing.assert_allclose(model.predict_proba(test), wanted, atol=1e-12)


def test_training_again_gives_the_committed_model(modules: tuple[Any, Any]) -> None:
    """The main of train.py is deterministic; another library version may move the last digits only."""
    _, train = modules
    frame = rows("train")
    again = train.describe(frame.drop(columns=[*DROP, "credit"]), frame["credit"], np.random.default_rng(train.SEED))
    kept = json.loads((CREDIT / "model.json").read_text())
    assert again["columns"] == kept["columns"]
    np.testing.assert_allclose(again["leaf"], kept["leaf"], atol=1e-9)


def test_the_model_is_better_than_always_saying_good(modules: tuple[Any, Any]) -> None:
    """74 of 100 right on the test rows, where the constant answer is right in 70."""
    model = modules[0].load()
    frame = rows("test")
    assert (model.predict(frame) == frame["credit"]).mean() >= 0.73


@pytest.mark.parametrize("form", ["places", "labels", "as the worker hands it"])
def test_fit_takes_labels_or_their_places(modules: tuple[Any, Any], form: str) -> None:
    """Whoever calls it may hand the target either way; both give the same model."""
    _, train = modules
    data = table("train")
    wanted = train.fit(data, np.random.default_rng(3)).predict_proba(data.features)
    given: Any = data
    if form == "labels":
        given = Table(**{**vars(data), "target": np.where(data.target == 1, "good", "bad").astype(object)})
    elif form == "as the worker hands it":
        given = training_table(data, "credit", ("bad", "good"))
    np.testing.assert_array_equal(train.fit(given, np.random.default_rng(3)).predict_proba(data.features), wanted)


def test_odd_rows_get_a_score_too(modules: tuple[Any, Any]) -> None:
    """Missing numbers, unknown and missing texts, other dtypes, no row at all, columns in another order."""
    model = modules[0].load()
    frame = table("test").features.head(4).copy()
    frame["age"] = [np.nan, 30, 40, 50]
    frame["purpose"] = ["never seen", None, np.nan, "education"]
    frame["housing"] = frame["housing"].astype("category")
    frame["amount"] = frame["amount"].astype("Int64")
    odd = model.predict_proba(frame)
    assert np.isfinite(odd).all()
    np.testing.assert_allclose(odd.sum(axis=1), 1.0)
    np.testing.assert_array_equal(model.predict_proba(frame[frame.columns[::-1]]), odd)
    assert model.predict_proba(frame.head(0)).shape == (0, 2)


def test_large_tables_are_scored_in_parts(modules: tuple[Any, Any]) -> None:
    """More rows than one part: the same scores as row by row."""
    model = modules[0].load()
    frame = table("test").features
    many = pd.concat([frame] * 60, ignore_index=True)
    np.testing.assert_array_equal(model.predict_proba(many), np.tile(model.predict_proba(frame), (60, 1)))


@pytest.mark.parametrize("size", [8, 20, 60])
def test_fit_takes_few_rows(modules: tuple[Any, Any], size: int) -> None:
    """Checks train on samples; a handful of rows of both classes is enough to get a model."""
    _, train = modules
    data = table("train")
    both = np.concatenate(
        [np.flatnonzero(data.target == 1)[: size // 2], np.flatnonzero(data.target == 0)[: size // 2]]
    )
    model = train.fit(data.take(both), np.random.default_rng(0))
    assert np.isfinite(model.predict_proba(data.features)).all()


def test_licence_and_source_stand_beside_the_data() -> None:
    """Attribution is what the licence asks for."""
    text = (CREDIT / "data" / "README.md").read_text()
    for words in ("CC BY 4.0", "Hans Hofmann", "10.24432/C5NC77", "Changed:"):
        assert words in text
    with (CREDIT / "data" / "train.csv").open() as file:
        assert "age_band" in next(csv.reader(file))
