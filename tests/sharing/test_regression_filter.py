"""Bent targets: a fit that they cannot steer, whatever the order, and a filter that leaves the rest alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from benchmarks.filtering import WAYS, regression
from tests.truth import bent
from tests.truth.subjects import table

from fivefold.contract.outcome import Outcome
from fivefold.contract.registry import resolve
from fivefold.errors import UnsupportedError
from fivefold.sharing.filtering.regression import filtered
from fivefold.sharing.filtering.robust import trimmed


@pytest.mark.parametrize("way", [way for way in WAYS if way != "mild"])
@pytest.mark.parametrize("seed", [101, 102, 103])
def test_a_fifth_of_bad_rows_bends_the_fit_by_less_than_a_twentieth(way: str, seed: int) -> None:
    """Mean squared error on other rows, against least squares on the good rows alone."""
    inputs, target, good, asked, truth = regression(seed, way)
    fit = trimmed(inputs, target, np.random.default_rng(seed))
    design = np.column_stack([inputs[good], np.ones(good.sum())])
    best, *_ = np.linalg.lstsq(design, target[good], rcond=None)
    clean = np.mean((asked @ best[:-1] + best[-1] - truth) ** 2)
    assert np.mean((fit(asked) - truth) ** 2) <= 1.05 * clean


def test_the_order_of_rows_tells_the_fit_nothing() -> None:
    """Bad rows last or first: the same rows are kept."""
    inputs, target, good, _, _ = regression(5, "corner")
    kept = []
    for order in (np.argsort(good, kind="stable"), np.argsort(~good, kind="stable")):
        fit = trimmed(inputs[order], target[order], np.random.default_rng(1))
        back = np.empty(len(order), dtype=bool)
        back[order] = fit.kept
        kept.append(back)
    assert (kept[0] == kept[1]).mean() > 0.995
    assert not kept[0][~good].any()


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e9])
def test_units_do_not_matter(scale: float) -> None:
    """A target in micrograms or tons, columns likewise: the same rows are kept."""
    inputs, target, _, _, _ = regression(6, "flip")
    plain = trimmed(inputs, target, np.random.default_rng(2)).kept
    other = trimmed(inputs * scale + 3 * scale, target * scale - scale, np.random.default_rng(2)).kept
    assert (plain == other).mean() > 0.999


@pytest.mark.parametrize("shape", ["line", "dressed", "steps", "positive"])
def test_the_filter_finds_bent_targets_and_little_else(shape: str) -> None:
    """Texts, gaps, steps and skewed targets: most bent targets go, few others, and what is left passes the check."""
    given = bent.build(301, rate=0.15, shape=shape)
    train = given.tables("train")
    clean = bent.build(301, shape=shape).tables("train")
    wrong = train.target != clean.target
    found = filtered(train, np.random.default_rng(3))
    assert (~found.kept)[wrong].mean() > 0.85
    assert (~found.kept)[~wrong].mean() < 0.08
    assert all(found.reason(int(at)) for at in np.flatnonzero(~found.kept)[:20])
    left = {"train": train.take(found.kept)}
    after = resolve(bent.CHECK)(replace(given, tables=left.__getitem__))
    assert after.outcome is not Outcome.FAIL
    assert (after.measures[0].value or 0.0) < 0.03


def test_rows_without_a_target_are_left_out_with_that_reason() -> None:
    """A missing target is no number."""
    train = bent.build(302).tables("train")
    target = train.target.copy()
    target[:7] = np.nan
    found = filtered(replace(train, target=target), np.random.default_rng(4))
    assert not found.kept[:7].any()
    assert found.reason(0) == "the target is no number"


@pytest.mark.parametrize(
    ("target", "code"), [(np.zeros(300, dtype=np.int64), "filter.task"), (np.full(300, np.nan), "filter.rows")]
)
def test_what_cannot_be_filtered_is_said(target: np.ndarray, code: str) -> None:
    """Classes, and rows of which no target is known."""
    frame = pd.DataFrame({"a": np.arange(300.0)})
    with pytest.raises(UnsupportedError) as told:
        filtered(table("train", frame, target), np.random.default_rng(5))
    assert told.value.code == code


def test_more_columns_than_rows_are_borne() -> None:
    """300 columns and 200 rows: no crash, and most rows stay."""
    rng = np.random.default_rng(6)
    frame = pd.DataFrame(rng.normal(size=(200, 300)), columns=[f"c{at}" for at in range(300)])
    found = filtered(table("train", frame, frame["c0"].to_numpy() + 0.1 * rng.normal(size=200)), rng)
    assert found.kept.mean() > 0.5
