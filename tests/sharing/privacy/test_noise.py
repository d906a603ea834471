"""Tables are the laws they are named after, and draws are as the tables say."""

from __future__ import annotations

import math
from bisect import bisect_right
from decimal import Decimal, localcontext
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fivefold.errors import InputError
from fivefold.sharing.privacy import noise, tables

LAWS = [
    ("gaussian", Fraction(1, 9)), ("gaussian", Fraction(1)), ("gaussian", Fraction(22, 7)),
    ("gaussian", Fraction(2500)),
    ("laplace", Fraction(1, 4)), ("laplace", Fraction(3, 2)), ("laplace", Fraction(40)),
]  # fmt: skip


def _law(kind: str, scale: Fraction) -> tables.Law:
    return tables.gaussian(scale) if kind == "gaussian" else tables.laplace(scale)


@pytest.mark.parametrize(("kind", "scale"), LAWS)
def test_the_bound_on_total_variation_holds(kind: str, scale: Fraction) -> None:
    """Against weights of Python's decimal arithmetic with 90 digits, tails included; and the bound is small."""
    law = _law(kind, scale)
    with localcontext() as exact:
        exact.prec = 90
        s = Decimal(scale.numerator) / Decimal(scale.denominator)
        far = law.most + 60 * max(1, math.isqrt(int(scale)) if kind == "gaussian" else int(scale) + 1)
        powers = ((Decimal(k) ** 2 / (2 * s) if kind == "gaussian" else Decimal(k) / s) for k in range(far + 1))
        weights = [(-x).exp() for x in powers]
        whole = 2 * sum(weights) - weights[0]
        off, before = Decimal(0), 0
        for k in range(-law.most, law.most + 1):
            upto = law.table[k + law.most]
            off += abs(Decimal(upto - before) / Decimal(1 << 128) - weights[abs(k)] / whole)
            before = upto
        off += 2 * sum(weights[law.most + 1 :]) / whole
        assert off / 2 <= Decimal(law.tv.numerator) / Decimal(law.tv.denominator)
    assert law.tv < Fraction(1, 1 << 100)
    assert law.table[-1] == 1 << 128


@given(st.integers(0, 400), st.integers(1, 400))
@settings(max_examples=60, deadline=None)
def test_the_exponential_is_right_to_two_units(top: int, below: int) -> None:
    """Against decimal arithmetic."""
    with localcontext() as exact:
        exact.prec = 120
        true = (-(Decimal(top) / Decimal(below))).exp() * Decimal(1 << 256)
        assert abs(Decimal(tables.exponential(Fraction(top, below))) - true) <= 2


@pytest.mark.parametrize(("kind", "scale"), LAWS)
def test_draws_follow_the_table(kind: str, scale: Fraction) -> None:
    """Chi-squared over the values that occur, with a fixed source."""
    from scipy import stats

    law, n = _law(kind, scale), 200_000
    drawn = noise.sample(law, n, noise.seeded(np.random.default_rng(7)))
    before = np.array([0, *law.table[:-1]], dtype=object)
    chance = np.array([float(Fraction(a - b, 1 << 128)) for a, b in zip(law.table, before, strict=True)])
    counts = np.bincount(drawn + law.most, minlength=len(chance))
    common = chance * n > 10
    rest = n - counts[common].sum()
    seen, wanted = np.append(counts[common], rest), np.append(chance[common] * n, n - (chance[common] * n).sum())
    kept = wanted > 1
    assert stats.chisquare(seen[kept], wanted[kept] * seen[kept].sum() / wanted[kept].sum()).pvalue > 1e-4


def _bits(u: int) -> noise.Bytes:
    """Return a source that gives the 128 bits of one draw, the highest first."""
    left = [u, 128]

    def draw(size: int) -> bytes:
        left[1] -= 8 * size
        assert left[1] >= 0
        return (left[0] >> left[1] & (1 << 8 * size) - 1).to_bytes(size, "little")

    return draw


@pytest.mark.parametrize(("kind", "scale"), [*LAWS, ("gaussian", Fraction(1 << 22)), ("laplace", Fraction(3000))])
def test_a_draw_is_the_first_entry_above_its_128_bits(kind: str, scale: Fraction) -> None:
    """At the edges of entries and of the guide's buckets, where first halves are equal, and anywhere else."""
    law, rng = _law(kind, scale), np.random.default_rng(11)
    edges = [law.table[at] + step for at in rng.integers(0, len(law.table), 300).tolist() for step in (-1, 0, 1)]
    edges += [law.table[at] + step for at in (0, 1, law.most, -3, -2, -1) for step in (-1, 0, 1)]
    edges += [(at << 108) + step for at in rng.integers(0, 1 << 20, 300).tolist() for step in (-1, 0)]
    edges += [law.table[at] >> 64 << 64 | int(rng.integers(1 << 62)) for at in rng.integers(0, len(law.table), 300)]
    for u in [0, (1 << 128) - 1, *edges, *(int.from_bytes(rng.bytes(16), "big") for _ in range(300))]:
        if 0 <= u < 1 << 128:
            assert noise.sample(law, 1, _bits(u))[0] == bisect_right(law.table, u) - law.most


def test_the_deviation_is_that_of_the_law() -> None:
    """Small and large, against the table."""
    for kind, scale in LAWS:
        law = _law(kind, scale)
        before = [0, *law.table[:-1]]
        square = sum(
            float(Fraction(a - b, 1 << 128)) * k * k
            for k, a, b in zip(range(-law.most, law.most + 1), law.table, before, strict=True)
        )
        assert law.deviation == pytest.approx(math.sqrt(square), rel=1e-6)


def test_a_quantile_is_the_first_value_beyond_the_tail() -> None:
    """It, and not the one before it, is reached rarely enough."""
    law = tables.gaussian(Fraction(100))
    for tail in (Fraction(1, 10), Fraction(1, 10**6), Fraction(1, 10**15)):
        at = law.quantile(tail)
        assert law.upper(at) + law.tv <= tail < law.upper(at - 1) + law.tv


@pytest.mark.parametrize("scale", [Fraction(0), Fraction(-1), Fraction(1 << 31)])
def test_noise_out_of_range_is_refused(scale: Fraction) -> None:
    """With a code."""
    for make in (tables.gaussian, tables.laplace):
        with pytest.raises(InputError) as error:
            make(scale)
        assert error.value.code == "privacy.scale"


def test_many_bytes_are_fresh_each_time() -> None:
    """No two calls give the same stream, also not for the same size."""
    assert len({noise.fresh(size) for size in (64, 64, 4096, 4096)}) == 4
    assert [len(noise.fresh(size)) for size in (0, 1, 512, 513, 100_000)] == [0, 1, 512, 513, 100_000]
