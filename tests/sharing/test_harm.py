"""What bad rows cost a model is measured by training it again; what cannot be measured is said."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest
from tests.assess.test_run import TRAINED, quick
from tests.subject.apps import build
from tests.truth import label_noise, outliers
from tests.truth.subjects import Answers, table

from fivefold.assess.run import assess
from fivefold.contract.outcome import Outcome
from fivefold.contract.registry import resolve
from fivefold.contract.subject import Capabilities
from fivefold.errors import SubjectError

if TYPE_CHECKING:
    from pathlib import Path

    from fivefold.contract.check import Context
    from fivefold.contract.finding import Result
    from fivefold.contract.subject import Subject, Table, Task


@dataclass(frozen=True)
class Trained:
    """Nearest neighbours: they learn every wrong label by heart."""

    task: Task = "binary"
    classes: tuple[str, ...] = ("no", "yes")
    rows: Table | None = None

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(scores=False, retrains=True, perturbable=True)

    def predict(self, given: Table) -> np.ndarray:
        from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor

        assert self.rows is not None
        model = KNeighborsClassifier(1) if self.classes else KNeighborsRegressor(1)
        model.fit(self.rows.features.fillna(0), self.rows.target)
        return np.asarray(model.predict(given.features.fillna(0)))

    def predict_proba(self, given: Table) -> np.ndarray:
        raise NotImplementedError

    def retrain(self, given: Table, seed: int) -> Subject:
        return replace(self, rows=given)


class Refuses(Trained):
    """A training function that breaks."""

    def retrain(self, given: Table, seed: int) -> Subject:
        raise SubjectError("model.training", "the training function broke.")


def numbers(rows: int, seed: int) -> tuple[pd.DataFrame, np.ndarray]:
    """Return columns that a cause ties together, and a class that follows from it."""
    rng = np.random.default_rng(seed)
    cause = rng.normal(size=(rows, 2))
    values = cause @ np.array([[1.0, 0.0, 0.7, 0.5], [0.0, 1.0, 0.7, -0.5]]) + 0.1 * rng.normal(size=(rows, 4))
    return pd.DataFrame(values, columns=list("abcd")), (cause[:, 0] > 0).astype(np.int64)


def run(given: Context, subject: object, *, sets: tuple[str, ...] = ("train", "test"), rows: int = 500) -> Result:
    """Run the check of ``given`` on the numbers above."""
    tables = {name: table(name, *numbers(800 if name == "train" else rows, at)) for at, name in enumerate(sets)}
    check = label_noise.CHECK if "max_mislabelled" in given.thresholds else outliers.CHECK
    return resolve(check)(replace(given, subject=subject, tables=tables.__getitem__))  # type: ignore[arg-type]


def test_wrong_labels_cost_and_leaving_them_out_wins_back() -> None:
    """A model that learns by heart loses by a fifth of wrong labels; the filter gives some of it back."""
    found = run(label_noise.build(1, rows=300), Trained())
    said = {one.name: one for one in found.measures}
    lost = said["lost by planted wrong labels"]
    assert (lost.low or 0) > 0.05
    assert (said["won back by leaving the flagged rows out"].low or 0) > 0
    assert sum(name.startswith("accuracy on test rows") for name in said) == 1
    assert sum(one.name.startswith("accuracy on test rows") for one in found.measures) == 3
    assert any(plot.title.startswith("Your own model") for plot in found.plots)


def test_foreign_rows_are_trained_on() -> None:
    """Measured too, whatever it comes to, with its interval."""
    found = run(outliers.build(1, rows=300), Trained())
    lost = next(one for one in found.measures if one.name.startswith("lost by planted rows"))
    assert lost.low is not None
    assert lost.high is not None
    assert lost.n == 500


@pytest.mark.parametrize(
    ("subject", "sets", "rows", "words"),
    [
        (None, ("train", "test"), 500, "no training is declared"),
        (Answers("binary", ("no", "yes"), np.zeros(800, dtype=np.int64)), ("train", "test"), 500, "no training"),
        (Trained(), ("train",), 500, "no data set `test`"),
        (Trained(), ("train", "test"), 20, "under 30 test rows"),
        (Refuses(), ("train", "test"), 500, "the training function broke"),
    ],
)
@pytest.mark.parametrize("module", [label_noise, outliers], ids=["labels", "outliers"])
def test_what_is_not_measured_is_said(
    module: object, subject: object, sets: tuple[str, ...], rows: int, words: str
) -> None:
    """No model, one that cannot be trained, no test rows, few of them, a training that fails: the rest still counts."""
    found = run(module.build(1, rows=300), subject, sets=sets, rows=rows)  # type: ignore[attr-defined]
    assert found.outcome is not Outcome.ERROR
    assert any(words in text for text in found.limits), found.limits
    assert not any(one.name.startswith("lost") for one in found.measures)


@pytest.mark.parametrize("declared", [True, False])
def test_a_manifest_with_training_measures_the_cost(tmp_path: Path, *, declared: bool) -> None:
    """With ``training.factory`` the model is opened for checks that can do without it; else they run without one."""
    more = {"training": {"factory": "scorer:fit"}} if declared else {}
    manifest = build(tmp_path / "app", TRAINED, manifest=more, rows=400)
    done = assess(manifest, quick(only=("S5.label-noise", "S5.outliers")))
    assert {one.check for one in done.findings} == {"S5.label-noise", "S5.outliers"}
    for finding in done.findings:
        assert finding.result.outcome not in {Outcome.ERROR, Outcome.NOT_RUN}, finding.result.reason
        names = {one.name for one in finding.result.measures}
        assert any(name.startswith("lost by planted") for name in names) is declared, (finding.check, names)
    regions = [one.where for one in done.findings[0].result.measures]
    assert {"class no", "class yes"} & set(regions)
