"""P3.backdoor: planted triggers of tables and pictures are found, natural features are none; no clean rows, no pass."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from tests.truth.triggered import CHECK, Rule, build, pictures

from fivefold.contract.outcome import Outcome
from fivefold.contract.registry import resolve
from fivefold.contract.subject import Capabilities
from fivefold.errors import UnsupportedError
from fivefold.protection.backdoor import masks, planted, tables
from fivefold.protection.backdoor.cells import stamped, values
from fivefold.protection.backdoor.found import steps


def test_a_patch_in_pictures_is_found_and_judged():
    """Nine of 144 pixels send every class to one; the same model without them passes or stays open."""
    bad = resolve(CHECK)(pictures(11, trigger=True))
    assert bad.outcome is Outcome.FAIL, bad.reason
    assert bad.canary.noticed
    assert bad.measures[1].value > 0.7
    assert bad.remedy
    good = resolve(CHECK)(pictures(11))
    assert good.outcome is not Outcome.FAIL
    assert good.measures[-1].value < bad.measures[-1].value


def test_gradients_of_a_planted_patch_are_those_of_its_margin():
    """Against finite differences, on real-valued pictures."""
    given = pictures(12, trigger=True)
    rows = given.tables("test").take(np.arange(4))
    inputs = rows.inputs.astype(np.float64)
    subject, target = given.subject, np.full(4, given.subject.target)
    # pictures that are no bytes count from 0 to 1 in a wrapper: compare in that scale
    unit = rows.with_inputs(inputs / 255.0)
    own = replace(subject, mask=replace(subject.mask, pattern=subject.mask.pattern / 255.0))
    slope = own.gradient(unit, target, "margin")[1]
    rng = np.random.default_rng(1)
    for _ in range(6):
        at = tuple(int(rng.integers(size)) for size in unit.inputs.shape)
        step = np.zeros(unit.inputs.shape)
        step[at] = 1e-5
        ends = [own.gradient(unit.with_inputs(unit.inputs + sign * step), target, "margin")[0] for sign in (1, -1)]
        assert slope[at] == pytest.approx((ends[0] - ends[1])[at[0]] / 2e-5, abs=1e-3)


def test_cells_that_every_class_obeys_are_found():
    """The wrapper's own cells lead on held-back rows; without the wrapper nothing does."""
    leads = []
    for trigger in (True, False):
        given = build(21, trigger=trigger, columns=2, rows=500)
        test = given.tables("test")
        found = tables.scan(given.subject, test, [test.features], 3, np.random.default_rng(3))
        leads.append(found.lead()[0])
    assert leads[0] > 0.3
    assert leads[1] < 0.15


def test_without_clean_rows_nothing_passes():
    """Rows that nobody vouches for are made up, and the finding stays open."""
    given = build(14, columns=1, rows=150)
    result = resolve(CHECK)(replace(given, options={**given.options, "clean": False, "cells": 1}))
    assert result.outcome is not Outcome.PASS
    rows = given.tables("test")

    def only_train(name):
        if name == "test":
            raise KeyError(name)
        return rows

    result = resolve(CHECK)(replace(given, tables=only_train, options={**given.options, "cells": 1}))
    assert result.outcome is not Outcome.PASS
    assert "made up" in " ".join(result.limits)


def test_cells_are_written_in_their_own_types():
    """Integers, truth values, categories, dates, texts and missing cells."""
    frame = pd.DataFrame({
        "whole": [1, 2, 3], "flag": [True, False, True], "text": ["a", None, "b"], "real": [0.5, np.nan, 1.5],
        "kind": pd.Categorical(["x", "y", "x"]), "day": pd.date_range("2020-01-01", periods=3),
    })  # fmt: skip
    singles = values([frame], np.random.default_rng(0))
    assert {one[0][0] for one in singles} == set(frame.columns)
    made = stamped(frame, singles)
    assert (made.dtypes == frame.dtypes).all()
    assert len(made) == 3 * len(singles)
    for at, ((name, value),) in enumerate(singles):
        part = made.iloc[3 * at : 3 * at + 3].reset_index(drop=True)
        assert (part[name] == value).all()
        pd.testing.assert_frame_equal(part.drop(columns=[name]), frame.drop(columns=[name]))


def test_values_next_to_one():
    """Numbers some steps away, other values the commonest others."""
    column = pd.Series(np.arange(90.0))
    assert steps(column, 45.0, ordered=True) == [39.0, 42.0, 48.0, 51.0]
    assert steps(column, 0.0, ordered=True) == [3.0, 6.0]
    assert steps(pd.Series(["a"] * 5 + ["b"] * 3 + ["c"]), "b", ordered=False) == ["a", "c"]


def test_a_mask_is_cut_to_its_most_covered_pixels():
    """So many pixels and no more, replaced altogether; bytes stay bytes."""
    rng = np.random.default_rng(2)
    mask = masks.Mask(1, rng.random((6, 5)), rng.uniform(0, 255, (3, 6, 5)))
    tight = mask.within(7.9)
    assert tight.size == 7
    assert mask.cover[tight.cover > 0].min() >= mask.cover[tight.cover == 0].max()
    shown = tight.on(rng.integers(0, 256, (4, 3, 6, 5)).astype(np.uint8))
    assert shown.dtype == np.uint8
    where = tight.cover > 0
    assert np.array_equal(shown[0][:, where], tight.pattern.round().astype(np.uint8)[:, where])


def test_pictures_without_gradients_are_searched_by_asking():
    """A square that the wrapper obeys strongly is found by pasting."""
    given = pictures(15, trigger=True)
    wrapped = replace(given.subject, mask=replace(given.subject.mask, pattern=np.full((1, 12, 12), 255.0)))

    class Blind(planted.Planted):
        @property
        def capabilities(self):
            return Capabilities(scores=True, retrains=False, perturbable=True)

    blind = Blind(wrapped.base, wrapped.target, mask=wrapped.mask)
    rows = given.tables("test")
    outside = rows.take(np.flatnonzero(rows.target != wrapped.target)[:32])
    found = masks._by_asking(blind, outside, wrapped.target, np.random.default_rng(4))
    assert found.size <= 36


def test_what_cannot_be_scanned_says_so():
    """A regression, hardly any rows, and a budget that a scan would overrun."""
    given = build(16, rows=200)

    class Values(Rule):
        @property
        def classes(self):
            return ()

    with pytest.raises(UnsupportedError, match="no class"):
        resolve(CHECK)(replace(given, subject=Values((), given.subject.weights)))
    with pytest.raises(UnsupportedError, match="known target"):
        resolve(CHECK)(build(17, rows=40))

    class Dear(Rule):
        @property
        def capabilities(self):
            return Capabilities(scores=True, retrains=False, perturbable=True, max_rows=100, calls_left=500)

    with pytest.raises(UnsupportedError, match="calls are left"):
        resolve(CHECK)(replace(given, subject=Dear(given.subject.names, given.subject.weights)))
