"""Gauge and watch: what is told apart, at what rate honest requests alarm, mixed types, arrays, rates and bursts."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from tests.truth.subjects import filler

from fivefold.errors import InputError, UnsupportedError
from fivefold.governance.purpose.declared import Declared
from fivefold.governance.purpose.gauge import columns_of, fit
from fivefold.governance.purpose.watch import BLOCK, CHANCE, Rate, Watch


def mixed(n: int, rng: np.random.Generator) -> pd.DataFrame:
    """Return columns of many kinds, some with missing cells."""
    frame = filler(rng, n, 8)
    frame["when"] = pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 500, n), unit="D")
    frame["flag"] = rng.random(n) < 0.3
    frame["group"] = pd.Categorical(rng.choice(["a", "b", "c"], n))
    frame["odd"] = np.array([f"id {at}" for at in range(n)], dtype=object)
    return frame


def asked(aims: Declared, rows: pd.DataFrame | np.ndarray) -> int:
    """Return after how many rows, asked one block at a time, there is an alarm; 0: none."""
    watch = aims.watch()
    for at in range(0, len(rows) - BLOCK + 1, BLOCK):
        part = rows[at : at + BLOCK] if isinstance(rows, np.ndarray) else rows.iloc[at : at + BLOCK]
        given = part if isinstance(part, np.ndarray) else {name: part[name].tolist() for name in part}
        if aims.look(watch, [given]):
            return at + BLOCK
    return 0


def test_honest_requests_of_mixed_columns_do_not_alarm() -> None:
    """60 populations of 3,000 honest rows: none of them (one in a hundred is stated)."""
    alarms = 0
    for seed in range(60):
        rng = np.random.default_rng(seed)
        rows = mixed(4000, rng)
        alarms += asked(Declared(rows.iloc[:1000], {}, rng), rows.iloc[1000:]) > 0
    assert alarms <= 2


@pytest.mark.parametrize(
    ("name", "of"),
    [
        ("when", lambda cells: cells > pd.Timestamp("2024-10-01")),
        ("flag", lambda cells: cells),
        ("group", lambda cells: cells == "b"),
    ],
)
def test_people_on_one_side_of_any_kind_of_column_are_noticed(name: str, of: object) -> None:
    """Dates, flags and categories; within 128 rows, and the alarm names what moved."""
    rng = np.random.default_rng(3)
    rows = mixed(6000, rng)
    aims, rest = Declared(rows.iloc[:2000], {}, rng), rows.iloc[2000:]
    assert 0 < asked(aims, rest[of(rest[name]).to_numpy()]) <= 128  # type: ignore[operator]


def test_missing_cells_and_new_levels_are_noticed() -> None:
    """A column that comes empty, a level that nobody had."""
    rng = np.random.default_rng(4)
    frame = pd.DataFrame({"x": rng.normal(size=4000), "kind": rng.choice(["a", "b"], 4000)})
    aims = Declared(frame.iloc[:2000], {}, rng)
    assert 0 < asked(aims, frame.iloc[2000:].assign(x=None)) <= 64
    assert 0 < asked(aims, frame.iloc[2000:].assign(kind="c")) <= 64


def test_a_broken_dependence_is_noticed_though_each_column_is_whole() -> None:
    """Rows made of cells of others."""
    rng = np.random.default_rng(6)
    latent = rng.normal(size=8000)
    frame = pd.DataFrame({name: latent + 0.4 * rng.normal(size=8000) for name in "abcd"})
    aims = Declared(frame.iloc[:3000], {}, rng)
    whole = frame.iloc[3000:]
    assert asked(aims, whole) == 0
    broken = pd.DataFrame({name: whole[name].to_numpy()[rng.permutation(len(whole))] for name in whole})
    assert 0 < asked(aims, broken) <= 640


def test_images_are_compared_by_their_parts() -> None:
    """Darker ones are noticed, others are not; texts are not compared, and it is said."""
    rng = np.random.default_rng(8)
    images = rng.integers(0, 255, (3000, 1, 28, 28)).astype(np.uint8)
    aims = Declared(images[:1000], {}, rng)
    assert len(columns_of(images)) == 64
    assert asked(aims, images[1000:]) == 0
    assert 0 < asked(aims, images[1000:] // 2) <= 64
    texts = Declared(np.array(["a", "b"] * 100, dtype=object), {}, rng)
    assert (texts.gauge, texts.lacking) == (None, "populations of texts are not compared.")


def test_too_little_to_know_a_population() -> None:
    """Said, not guessed."""
    rng = np.random.default_rng(1)
    for given in ({"x": np.arange(59.0)}, {}):
        with pytest.raises(UnsupportedError):
            fit(given, rng, chance=0.01, tolerance=0.0)
    assert Declared(None, {}, rng).watch().take({}, 5) is None


def arrivals(counts: np.ndarray, rate: Rate) -> int:
    """Return in which period there is an alarm; 0: none."""
    watch = Watch(None, rate)
    for at, count in enumerate(counts.tolist()):
        if watch.arrive(count, 1e9 + at * rate.seconds):
            return at + 1
    return 0


def test_bursts_of_the_declared_mean_do_not_alarm_and_more_does() -> None:
    """One period in ten holds everything: 100 runs of 500 hours; three times the rate is noticed."""
    rate, alarms = Rate.read("40/hour"), 0
    for seed in range(100):
        rng = np.random.default_rng(seed)
        alarms += arrivals(np.where(rng.random(500) < 0.1, 400, 0), rate) > 0
    assert alarms <= 2
    steady = np.random.default_rng(1).poisson(120, 200)
    assert 0 < arrivals(steady, rate) <= 40


def test_a_long_silence_is_taken_in_its_stride() -> None:
    """Years without a request cost no time, and what comes then is judged anew."""
    watch = Watch(None, Rate.read("10/minute"))
    for at in range(30):
        watch.arrive(9, 1e9 + 60 * at)
    assert watch.arrive(10, 3e9) is None
    for at in range(1, 60):
        watch.arrive(80, 3e9 + 60 * at)
    assert watch.found is not None


def test_restarts_share_one_rate_of_false_alarms() -> None:
    """What many openings may spend together is the stated chance."""
    rng = np.random.default_rng(2)
    aims = Declared(pd.DataFrame({"x": rng.normal(size=500)}), {}, rng)
    spent = [np.exp(-aims.watch(restarts)._need_people) for restarts in range(2000)]
    assert sum(spent) < 0.4 * CHANCE
    assert all(one > other for one, other in pairwise(spent))


@pytest.mark.parametrize("text", ["", "0/day", "5/week", "-1/hour", "1.5/day"])
def test_a_rate_that_is_none(text: str) -> None:
    """Refused with how it is written."""
    with pytest.raises(InputError) as error:
        Rate.read(text)
    assert error.value.code == "purpose.rate"


@pytest.mark.parametrize("each", [30.0, 0.6])
def test_a_rate_is_found_at_the_same_row_whether_looked_at_each_time_or_not(each: float) -> None:
    """Rows below what can be found are only counted: the same is found, at the same row, as by looking at each."""
    rng = np.random.default_rng(9)
    quick, careful = Watch(None, Rate(100, 60)), Watch(None, Rate(100, 60))
    now, found = 1e9, 0
    for at in range(2000):
        now += rng.exponential(each)
        careful._calm = -1.0
        n = int(rng.integers(1, 4))
        one, other = quick.arrive(n, now), careful.arrive(n, now)
        assert one == other
        found = found or (at if one else 0)
    assert bool(found) == (each < 1)


def test_a_number_that_was_never_there_tells_nothing_and_the_others_still_do() -> None:
    """No edge can be drawn where every value is missing, and an event that always holds is none."""
    rng = np.random.default_rng(3)
    cells = {"a": rng.normal(size=600), "b": np.full(600, np.nan)}
    made = fit(cells, rng, chance=0.01, tolerance=0.0)
    said = [made.words(event) for event in range(len(made.where))]
    assert any(one.startswith("a ") for one in said)
    assert not any(one.startswith("b ") for one in said)
