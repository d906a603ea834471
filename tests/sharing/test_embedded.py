"""Images, series, recordings and texts become a few numbers; the two filters run on each from its manifest."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest
from tests.subject import input_apps
from tests.truth import label_noise, outliers

from fivefold.assess.run import Options, assess
from fivefold.contract.outcome import Outcome
from fivefold.contract.registry import resolve
from fivefold.contract.subject import Table
from fivefold.manifest.reader import read
from fivefold.sharing.filtering.embedded import embedded

if TYPE_CHECKING:
    from pathlib import Path


def inputs(kind: str, x: np.ndarray, target: np.ndarray | None = None) -> Table:
    """Return n rows of what the model sees."""
    rows = np.arange(len(x))
    none = pd.DataFrame(index=pd.RangeIndex(len(x)))
    words = pd.DataFrame({"text": x}) if kind == "text" else none
    target = np.zeros(len(x), dtype=np.int64) if target is None else target
    return Table("train", rows, words, target, none, kind=kind, inputs=None if kind == "text" else x)


@pytest.mark.parametrize(
    ("kind", "shape"),
    [("image", (60, 1, 6, 6)), ("image", (60, 3, 40, 51)), ("series", (60, 2, 5)), ("series", (60, 4, 300)),
     ("audio", (60, 200)), ("audio", (60, 9000))],
)  # fmt: skip
def test_any_shape_becomes_a_few_numbers(kind: str, shape: tuple[int, ...]) -> None:
    """Small and large; the widest column has unit spread."""
    values = np.random.default_rng(1).random(shape).astype(np.float32)
    if kind == "series":
        values[:5, :, 2:] = np.nan
    made = embedded(inputs(kind, values))
    assert made.shape[0] == 60
    assert 0 < made.shape[1] <= 32
    assert np.isfinite(made).all()
    assert made.std(axis=0).max() == pytest.approx(1.0, abs=1e-3)


@pytest.mark.parametrize("kind", ["image", "series", "audio", "text"])
def test_rows_that_are_all_alike_become_no_number(kind: str) -> None:
    """Nothing varies."""
    plain = {"image": (50, 1, 4, 4), "series": (50, 1, 4), "audio": (50, 90)}
    x = np.array([""] * 50, dtype=object) if kind == "text" else np.ones(plain[kind], dtype=np.float32)
    assert embedded(inputs(kind, x)).shape[1] == 0


def digits() -> tuple[np.ndarray, np.ndarray]:
    from sklearn.datasets import load_digits

    found = load_digits()
    return (found.images[:, None] * 15.9).astype(np.uint8), found.target.astype(np.int64)


def test_wrong_labels_of_images_are_found() -> None:
    """Handwritten digits: right as they are, not with 15 % wrong labels."""
    x, target = digits()
    rng = np.random.default_rng(3)
    wrong = rng.random(len(target)) < 0.15
    given = label_noise.build(1, rows=300)
    for labels, said in ((target, Outcome.PASS), (np.where(wrong, (target + 3) % 10, target), Outcome.FAIL)):
        rows = inputs("image", x, labels)
        assert resolve(label_noise.CHECK)(replace(given, tables={"train": rows}.__getitem__)).outcome is said


@pytest.mark.parametrize("odd", ["nothing", "pixels of several", "noise"])
def test_foreign_images_are_found(odd: str) -> None:
    """Handwritten digits: none foreign as they are; 15 % noise or with pixels of different images are."""
    x, _ = digits()
    rng = np.random.default_rng(3)
    bad = np.flatnonzero(rng.random(len(x)) < 0.15)
    spoilt = x.copy()
    if odd == "noise":
        spoilt[bad] = rng.integers(0, 255, (len(bad), 1, 8, 8))
    if odd == "pixels of several":
        for row in range(8):
            for column in range(8):
                spoilt[bad, 0, row, column] = x[rng.integers(0, len(x), len(bad)), 0, row, column]
    rows = inputs("image", spoilt)
    found = resolve(outliers.CHECK)(replace(outliers.build(1, rows=300), tables={"train": rows}.__getitem__))
    assert found.outcome is (Outcome.PASS if odd == "nothing" else Outcome.FAIL), found.reason
    assert not any("slipped" in one.where for one in found.measures)


@pytest.mark.parametrize("kind", input_apps.KINDS)
def test_both_filters_run_on_every_kind(tmp_path: Path, kind: str) -> None:
    """From the manifest of the page, each gives a finding and no error."""
    root = input_apps.build(tmp_path / "app", kind, rows=260)
    done = assess(read(root), Options(effort="quick", only=("S5.label-noise", "S5.outliers")))
    assert {one.check for one in done.findings} == {"S5.label-noise", "S5.outliers"}
    for finding in done.findings:
        assert finding.result.outcome not in {Outcome.ERROR, Outcome.NOT_RUN}, finding.result.reason
