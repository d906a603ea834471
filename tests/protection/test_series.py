"""P1.series: what the attack finds is what is exact, and what it adds is smooth, within each channel's budget."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from tests.truth import evasion_waves
from tests.truth.evasion_waves import CHECK, build, smoothing

from fivefold.contract.outcome import Outcome
from fivefold.contract.registry import resolve
from fivefold.subject.possible import waves


@pytest.mark.parametrize("classes", [2, 3])
def test_the_attack_comes_near_to_what_is_exact(classes):
    """On linear models of one to three channels, within two points and sampling."""
    made = build(4, classes=classes)
    main = resolve(CHECK)(made).measures[0]
    assert main.low - 0.02 <= made.thresholds["min_robust_accuracy"] <= main.high + 0.02


def test_changes_are_smooth_and_stay_within_each_channels_budget():
    """Any vector of the box becomes a series that differs as the matrix made by hand says; missing values stay."""
    rng = np.random.default_rng(0)
    rows = build(1).tables("test").take(np.arange(40))
    inputs = (rng.random((40, 2, 30)) * np.array([1.0, 500.0])[:, None]).astype(np.float32)
    inputs[3, 1, 4:7] = np.nan
    rows = replace(rows, inputs=inputs)
    space = waves.of_series([rows], 0.1)
    home = space.encode(rows)
    assert np.array_equal(space.decode(home, np.arange(40), rows).inputs, inputs, equal_nan=True)
    low, high = space.ball(home, 0.05)
    moved = np.where(rng.random(home.shape) < 0.5, low, high)
    found = space.decode(moved, np.arange(40), rows).inputs
    added = np.nan_to_num(moved - home).reshape(40, 2, 30) @ smoothing(30).T
    wanted = np.clip(home + added.reshape(40, -1), space.low, space.high).reshape(found.shape)
    assert np.allclose(found, wanted, rtol=1e-5, atol=1e-5, equal_nan=True)
    assert np.isnan(found[3, 1, 4:7]).all()
    reach = 0.05 * np.array([np.ptp(inputs[:, 0]), np.ptp(np.nan_to_num(inputs[:, 1]))])
    assert (np.nanmax(np.abs(found - inputs), axis=(0, 2)) <= reach + 1e-3).all()
    assert np.nanmax(np.abs(np.diff(found - inputs, axis=2))[:, 1]) < 1.2 * reach[1], "no full swing from time to time"


def test_series_with_missing_values_are_attacked():
    """A tenth of the values missing; the model takes them as nothing."""
    made = build(5)
    rng = np.random.default_rng(2)

    class Patient(evasion_waves.Line):
        def score(self, inputs):
            return super().score(np.nan_to_num(inputs))

    parts = {}
    for name in ("test", "train"):
        rows = made.tables(name)
        inputs = np.where(rng.random(rows.inputs.shape) < 0.1, np.nan, rows.inputs).astype(np.float32)
        inputs[:2] = rows.inputs[:2]
        parts[name] = rows.with_inputs(inputs)
    model = Patient(made.subject.weights, made.subject.offset)
    parts = {name: replace(rows, target=model.predict(rows)) for name, rows in parts.items()}
    result = resolve(CHECK)(replace(made, subject=model, tables=parts.__getitem__))
    assert result.canary.noticed
    assert result.measures[0].value < result.measures[1].value
    assert result.outcome is not Outcome.NOT_RUN
