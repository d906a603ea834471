"""P3.faults: weights change bit by bit as IEEE 754 says, in files and modules, and what is left is counted."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.truth.faulty import CHECK, build

from fivefold.contract.outcome import Outcome
from fivefold.contract.registry import resolve
from fivefold.errors import UnsupportedError
from fivefold.protection.faults.bench import EXPONENT
from fivefold.protection.faults.check import _bench
from fivefold.subject.altered import Alterable, Change
from fivefold.subject.files.weights import changed


@given(st.sampled_from([np.float16, np.float32, np.float64]), st.integers(0, 63), st.integers(0, 9))
def test_one_bit_flips_and_flips_back(kind, bit, place):
    """A sign bit negates, any bit changes its own weight alone, and the same flip again restores it."""
    kept = [np.arange(1, 5, dtype=kind), np.linspace(0.5, 2, 6, dtype=kind).reshape(2, 3)]
    width = 8 * np.dtype(kind).itemsize
    at, bits = np.array([place]), np.array([bit % width])
    once = changed(kept, "flips", at, bits)
    flat, before = np.concatenate([one.ravel() for one in once]), np.concatenate([one.ravel() for one in kept])
    same = flat == before
    assert not same[place]
    assert same.sum() == 9
    if bit % width == width - 1:
        assert flat[place] == -before[place]
    again = changed(once, "flips", at, bits)
    assert all(np.array_equal(one, two) for one, two in zip(again, kept, strict=True))


def test_weights_are_rounded_as_said():
    """Half precision, and 255 even steps for tensors of more than one axis."""
    kept = [np.array([1.0001, 3.0], np.float32), np.array([[1.27, 0.014], [-0.5, 0.0]], np.float32)]
    half = changed(kept, "float16", np.empty(0, np.int64), np.empty(0, np.int64))
    assert half[0].dtype == np.float32
    assert np.array_equal(half[0], kept[0].astype(np.float16))
    byte = changed(kept, "int8", np.empty(0, np.int64), np.empty(0, np.int64))
    assert np.array_equal(byte[0], kept[0])
    assert byte[1] == pytest.approx(np.array([[1.27, 0.01], [-0.5, 0.0]]))


def test_a_place_that_is_none_is_refused():
    """Places and bits come from another process."""
    for place, bit in ((2, 0), (-1, 0), (0, 32)):
        with pytest.raises(ValueError, match="no such"):
            changed([np.ones(2, np.float32)], "flips", np.array([place]), np.array([bit]))


@pytest.mark.parametrize(("classes", "outcome"), [(2, Outcome.FAIL), (0, Outcome.FAIL)])
def test_an_unbounded_network_fails(classes, outcome):
    """One bit in two hundred flips; a high bit of the exponent makes a weight huge."""
    result = resolve(CHECK)(build(3, classes=classes))
    assert result.outcome is outcome
    assert result.canary.noticed
    assert result.remedy


def test_a_bounded_network_passes_where_few_bits_flip():
    """Weights held in their range lose little, and rounding to 8 bits costs less than flips do."""
    given = build(4, bounded=True, rate=5e-5)
    result = resolve(CHECK)(given)
    assert result.outcome is Outcome.PASS
    shown = {one.where: one.value for one in result.measures}
    assert shown["weights rounded to float16"] > 0.95
    assert shown["bits flip at 0.01"] < shown["bits flip at 1e-05"]
    assert np.array_equal(given.subject.used[0], given.subject.stored[0])


def test_a_rare_class_counts_as_much_as_a_common_one():
    """A broken network that always answers the commonest class has kept one class."""
    bench = _bench(build(5, classes=4).subject, build(5, classes=4))[0]
    common = np.bincount(bench.groups).argmax()
    common_share = float((bench.groups == common).mean())
    kept = bench.share(bench.groups == common)
    assert kept == pytest.approx(1 / len([n for n in np.bincount(bench.groups) if n >= 5]))
    assert kept < common_share


def test_bits_of_each_kind_are_where_ieee_754_has_them():
    """Sign, exponent and mantissa of three widths."""
    bench = _bench(build(6, classes=2).subject, build(6, classes=2))[0]
    rng = np.random.default_rng(0)
    for kind, (low, high) in {"sign": (31, 31), "exponent": (23, 30), "mantissa": (0, 22), "top": (30, 30)}.items():
        bits = bench.of_kind(kind, 0.5, rng).bits
        assert low <= bits.min() <= bits.max() <= high
    assert {width: 1 + high - low for width, (low, high) in EXPONENT.items()} == {16: 6, 32: 9, 64: 12}


def test_the_worst_bit_is_worse_than_most():
    """The search finds a bit that costs more than the usual one, on rows that it was not chosen on."""
    context = build(9, classes=2)
    bench = _bench(context.subject, context)[0]
    _, left, rows = bench.worst(120, np.random.default_rng(1))
    usual = [bench.share(bench.kept(bench.of_kind("exponent", 1e-9, np.random.default_rng(at)))) for at in range(20)]
    assert left < np.median(usual)
    assert rows == len(bench.table) - len(bench.table) // 2


def test_what_cannot_be_measured_says_so():
    """A file of answers has no weights here, and two right rows show nothing."""

    class Elsewhere:
        classes = ("a", "b")

    assert not isinstance(Elsewhere(), Alterable)
    given = build(7, rows=12)
    with pytest.raises(UnsupportedError, match="answered rightly"):
        resolve(CHECK)(given)
    from dataclasses import replace

    with pytest.raises(UnsupportedError, match="cannot be reached"):
        resolve(CHECK)(replace(given, subject=Elsewhere()))


def test_a_change_of_nothing_is_the_model_itself():
    """No flips at all leave every row right."""
    context = build(8, classes=3)
    bench = _bench(context.subject, context)[0]
    assert bench.kept(Change("flips")).all()
    assert bench.kept(Change()).all()
