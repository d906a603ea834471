"""The detector of theft: what it flags, what it must not, its memory; and noise that cannot be averaged away."""

from __future__ import annotations

import threading
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from fivefold.protection.theft import coding, learning, nearness, traffic, wealth
from fivefold.protection.theft import detector as detecting
from fivefold.protection.theft.detector import Detector
from fivefold.protection.theft.learning import Profile, learn
from fivefold.protection.theft.shaping import Shaping, identities
from fivefold.protection.theft.stream import Honest, Stream


def population(count: int, seed: int, width: int = 6) -> pd.DataFrame:
    """Return rows whose columns depend on one factor: numbers, whole numbers, a text, a date, missing cells."""
    rng = np.random.default_rng(seed)
    factor = rng.normal(size=count)
    made: dict[str, object] = {f"n{at}": factor * (1 + at) + 0.2 * rng.normal(size=count) for at in range(width)}
    made["whole"] = np.round(10 * factor + rng.normal(size=count)).astype(np.int64)
    made["gap"] = np.where(rng.random(count) < 0.2, np.nan, factor)
    made["town"] = np.array(list("abcdefgh"), dtype=object)[np.clip((factor * 2 + 4).astype(int), 0, 7)]
    made["since"] = pd.Timestamp("2020-01-01") + pd.to_timedelta(np.round(factor * 100), unit="D")
    made["old"] = factor > 0
    return pd.DataFrame(made)


def even(rows: pd.DataFrame, count: int, seed: int) -> pd.DataFrame:
    """Return rows whose cells are drawn one by one from those of the population."""
    rng = np.random.default_rng(seed)
    drawn = {name: rows[name].iloc[rng.integers(0, len(rows), count)].reset_index(drop=True) for name in rows}
    return pd.DataFrame(drawn)


def variants(rows: pd.DataFrame, count: int) -> pd.DataFrame:
    """Return one row over and over with another number in one column."""
    made = rows.iloc[np.zeros(count, dtype=int)].reset_index(drop=True)
    made["n0"] = np.linspace(-1, 1, count)
    return made


@pytest.fixture(scope="module")
def profile() -> Profile:
    """Of 4,000 rows."""
    return learn(population(4000, 1), np.random.default_rng(0))


def answered(detector: Detector, rows: pd.DataFrame, names: list[str]) -> int:
    """Return how many rows are answered, asked one by one under these names in turn."""
    states = [detector.screen(names[at % len(names)], rows.iloc[at : at + 1]).state for at in range(len(rows))]
    return states.count("passed")


def test_bets_are_fair_and_beginnings_weigh_one_at_most() -> None:
    """At the chance that was bet on, a stake is expected to stay; all times of beginning together weigh at most 1."""
    chance = np.array([0.001, 0.05, 0.3, 1.0])
    won, lost = wealth.odds(chance)
    np.testing.assert_allclose(won * chance[:, None] + lost * (1 - chance[:, None]), 1.0)
    assert 0.8 < sum(wealth.begins(turn) for turn in range(1, 100_001)) <= 1.0
    bets = wealth.bets(np.array([3.0, 1.0, 2.0]), chance[:3])
    assert bets.cuts == [1.0, 2.0, 3.0]
    np.testing.assert_allclose(bets.moves[1, :5], won[1])
    np.testing.assert_allclose(bets.moves[1, 5:10], (1 - wealth.SHARES))
    assert bets.against == [0, 2, 2, 2]


def test_stakes_do_not_depend_on_how_questions_come_in_batches(profile: Profile) -> None:
    """One by one or all at once, every row counts the same and the stakes are the same."""
    rows = pd.concat([population(60, 3), even(population(4000, 1), 60, 2), variants(population(1, 4), 30)])
    whole, parts, found = Stream(profile), Stream(profile), []
    cells = profile.coding.cells(rows)
    unlike = profile.unlikely(cells)
    _, together = whole.add(profile, Honest(), cells, unlike)
    for at in range(len(rows)):
        alone = profile.coding.cells(rows.iloc[at : at + 1])
        found += parts.add(profile, Honest(), alone, profile.unlikely(alone))[1]
    assert found == together
    assert 2 in found
    assert parts.level == pytest.approx(whole.level)


def test_a_row_is_compared_with_a_sketch_as_with_the_rows_in_it(profile: Profile) -> None:
    """Variants and copies of former rows, found by weights, are those that the slower way finds."""
    rows = pd.concat([variants(population(1, 4), 10), population(30, 5), even(population(4000, 1), 20, 2)])
    cells, sketch, near = profile.coding.cells(rows), profile.near.sketch(), profile.near
    looks = list(near.looks(cells))
    for look in looks:
        sketch.keep(look, 0, None)
    places, marks = near.kept(sketch, np.arange(sketch.used))
    np.testing.assert_array_equal(places, cells.places)
    alike = near.alike(cells, places, marks)
    for at, look in enumerate(looks):
        found = sketch.near(near, look)
        assert found is not None
        np.testing.assert_array_equal(found[0], np.flatnonzero(near.is_near(alike[at])))
        np.testing.assert_array_equal(found[1], np.flatnonzero(alike[at] > nearness.COPY / 2))
    places, marks = near.known.places[:9].astype(np.int16), near.known.marks[:9]
    known = near.is_near(near.alike(near.known, places, marks)).sum(axis=0)
    np.testing.assert_array_equal(near.variants(places, marks), known)
    assert (known > 0).any()


def test_a_single_row_is_read_as_in_a_batch(profile: Profile) -> None:
    """Codes, places, marks and the row's own number; numbers, texts, dates, truth values, missing and unseen cells."""
    rows = population(60, 9)
    rows["n0"] = rows["n0"] * 100
    rows.loc[5, "town"] = "unheard of"
    rows.loc[6, "town"] = None
    together = profile.coding.cells(rows)
    for at in range(len(rows)):
        alone = profile.coding.cells(rows.iloc[at : at + 1])
        for name in ("codes", "places", "marks", "whole"):
            np.testing.assert_array_equal(getattr(alone, name)[0], getattr(together, name)[at])


def test_rows_drawn_cell_by_cell_are_flagged_and_those_of_the_population_are_not(profile: Profile) -> None:
    """Whatever the columns are called."""
    rows = population(4000, 1)
    detector = Detector(profile)
    assert answered(detector, even(rows, 60, 2), ["thief"]) < 15
    assert detector.is_flagged("thief")
    assert answered(detector, population(300, 3), ["branch"]) > 280  # a few are held while new callers are watched
    assert not detector.is_flagged("branch")
    names = {name: f"x{at}" for at, name in enumerate(rows.columns)}
    renamed = Detector(learn(rows.rename(columns=names), np.random.default_rng(0)))
    assert answered(renamed, even(rows, 60, 2).rename(columns=names), ["thief"]) < 15


def test_variants_of_one_row_are_flagged_and_the_same_row_asked_again_is_not(profile: Profile) -> None:
    """Ten variants are allowed, and any number of repeats of a row and of its variants."""
    detector, rows = Detector(profile), population(10, 4)
    assert 10 <= answered(detector, variants(rows, 60), ["thief"]) < 40
    again = variants(rows, 8).iloc[np.arange(400) % 8].reset_index(drop=True)
    assert answered(Detector(profile), again, ["branch"]) == 400


def test_a_thief_with_fifty_accounts_is_stopped_and_honest_new_callers_are_answered(profile: Profile) -> None:
    """Each account asks a few rows only."""
    detector = Detector(profile)
    accounts = [f"account {at}" for at in range(50)]
    assert answered(detector, even(population(4000, 1), 150, 5), accounts) < 40
    honest = answered(detector, population(200, 6), [f"branch {at}" for at in range(50)])
    assert honest >= 190
    assert not any(detector.is_flagged(f"branch {at}") for at in range(50))


@pytest.mark.parametrize("kind", traffic.KINDS)
def test_honest_callers_are_not_flagged(profile: Profile, kind: str) -> None:
    """Forty callers of each kind, 400 questions each: stakes stay far from what flags."""
    rows = population(3000, 7)
    for turn in range(40):
        cells = profile.coding.cells(traffic.honest(rows, kind, 400, np.random.default_rng([8, turn])))
        most, _ = Stream(profile).add(profile, Honest(), cells, profile.unlikely(cells))
        assert most < np.log(1e4)


def test_memory_of_a_caller_is_bounded() -> None:
    """At most 64 KiB for images and for tables of 300 columns, after thousands of rows."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (400, 1, 28, 28)).astype(np.uint8)
    wide = pd.DataFrame(rng.normal(size=(400, 300)), columns=[f"c{at}" for at in range(300)])
    for rows in (images, wide):
        known = learn(rows, rng)
        stream, cells = Stream(known), known.coding.cells(rows)
        for _ in range(5):
            fresh = replace(cells, whole=rng.integers(0, 2**63, len(cells)).astype(np.uint64))
            stream.add(known, Honest(), fresh, known.unlikely(cells))
        assert stream.asked == 2000
        assert 0 < stream.nbytes <= 64 << 10


@pytest.mark.parametrize("width", [1, 300])
def test_few_and_many_columns_and_few_rows(width: int) -> None:
    """Two hundred rows are enough to learn from; fewer than a hundred are not."""
    rows = population(200, 1, width)
    detector = Detector(learn(rows, np.random.default_rng(0)))
    assert answered(detector, population(50, 2, width), ["branch"]) == 50
    with pytest.raises(ValueError, match="too few"):
        learn(rows.iloc[: learning.FEWEST - 1], np.random.default_rng(0))


def test_images_drawn_at_random_are_flagged_and_moved_ones_are_not() -> None:
    """Blurred spots as the population; noise as the thief; the same spot moved by a pixel as the honest retry."""
    rng = np.random.default_rng(0)
    centre = rng.uniform(8, 20, (3000, 2))
    grid = np.arange(28)
    square = (grid[None, :, None] - centre[:, :1, None]) ** 2 + (grid[None, None, :] - centre[:, 1:, None]) ** 2
    spots = (255 * np.exp(-square / 20)).astype(np.uint8)[:, None]
    detector = Detector(learn(spots[:2000], rng))
    noise = rng.integers(0, 256, (40, 1, 28, 28)).astype(np.uint8)
    assert [detector.screen("thief", noise[at : at + 1]).state for at in range(40)].count("passed") < 12
    moved = traffic.honest(spots[2000:], "retries", 200, rng)
    states = [detector.screen("branch", moved[at : at + 1]).state for at in range(200)]
    assert "flagged" not in states
    assert states.count("passed") > 180


def test_who_is_suspected_is_not_forgotten_when_many_new_callers_come(
    profile: Profile, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Flagged at the very question as without them, also when out of the table by then; the table stays small."""
    monkeypatch.setattr(detecting, "YOUNG", 0)
    odd, rows = even(population(4000, 1), 60, 2), population(300, 12)
    needed = answered(Detector(profile), odd, ["thief"])
    detector = Detector(profile, callers=20)
    assert answered(detector, odd.iloc[: needed - 1], ["thief"]) == needed - 1
    suspects = even(population(4000, 1), 40, 3)
    answered(detector, suspects, [f"suspect {at}" for at in range(40)])  # as suspect as he is, and after him
    answered(detector, rows, [f"new {at}" for at in range(300)])
    assert detector.callers <= 20
    assert answered(detector, odd.iloc[needed - 1 : needed + 1], ["thief"]) == 1
    assert detector.is_flagged("thief")


def test_refused_questions_count_and_flags_are_restored(profile: Profile) -> None:
    """A flagged caller stays flagged whatever it asks; a new detector takes over who was flagged."""
    detector = Detector(profile)
    detector.restore(["thief"])
    found = detector.screen("thief", population(20, 3))
    assert (found.state, found.first, found.asked) == ("flagged", False, 20)


def test_callers_are_screened_from_many_threads(profile: Profile) -> None:
    """Every row is counted once."""
    detector, rows = Detector(profile), population(50, 3)

    def ask() -> None:
        for at in range(50):
            detector.screen("branch", rows.iloc[at : at + 1])

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert detector.screen("branch", rows.iloc[:1]).asked == 201


def test_a_sketch_keeps_those_whose_variants_were_asked_last(profile: Profile) -> None:
    """Of more rows than there is room for; and those of which too many variants were asked even longer."""
    cells = profile.coding.cells(population(40, 5))
    looks, sketch = list(profile.near.looks(cells)), profile.near.sketch(16)
    for at, look in enumerate(looks):
        sketch.keep(look, at, np.where(np.arange(16) == 3, 100, 0) if sketch.used == 16 else None)
    _, marks = profile.near.kept(sketch, np.arange(16))
    kept = [int(np.flatnonzero((cells.marks == one).all(axis=1))[0]) for one in marks]
    assert sorted(kept) == [3, *range(25, 40)]
    assert not sketch.is_known(cells.whole[0])
    assert sketch.is_known(cells.whole[0])


def test_unseen_columns_of_one_value_are_coded() -> None:
    """A column that is empty in the training rows, and one that never changes."""
    rows = pd.DataFrame({"empty": np.full(200, np.nan), "same": np.ones(200), "n": np.arange(200.0)})
    known = coding.learn(rows)
    cells = known.cells(pd.DataFrame({"empty": [1.0], "same": [2.0], "n": [3.5]}))
    assert cells.codes[0, 0] == coding.OUTSIDE
    assert cells.codes[0, 1] == coding.OUTSIDE


def test_noise_is_the_same_for_the_same_question_and_hardly_other_ones(profile: Profile) -> None:
    """Not for another row or another secret; so averaging answers to one question gains nothing."""
    rows = population(50, 2)
    ids = identities(rows, b"secret")
    np.testing.assert_array_equal(ids, identities(rows, b"secret"))
    assert len(np.unique(ids[:, 0])) == 50
    assert (ids != identities(rows, b"other")).all()
    near = rows.assign(n0=rows["n0"] * (1 + 1e-9))
    assert (identities(near, b"secret") == ids).all(axis=1).mean() > 0.95
    images = np.arange(2 * 9, dtype=np.uint8).reshape(2, 1, 3, 3)
    assert len(np.unique(identities(images, b"secret"))) == 4


@pytest.mark.parametrize("noise", [0.5, 3.0])
def test_noise_changes_scores_but_no_highest_one(noise: float) -> None:
    """Unless flips are allowed, and then in at most that share; scores stay probabilities."""
    rng = np.random.default_rng(0)
    scores, ids = rng.dirichlet(np.ones(4), 4000), rng.integers(0, 2**63, (4000, 2)).astype(np.uint64)
    shaped = Shaping(noise=noise).scores(scores, ids)
    np.testing.assert_allclose(shaped.sum(axis=1), 1.0)
    assert (shaped.argmax(axis=1) == scores.argmax(axis=1)).all()
    assert np.abs(shaped - scores).max(axis=1).mean() > 0.02
    changed = (Shaping(noise=noise, flips=0.1).scores(scores, ids).argmax(axis=1) != scores.argmax(axis=1)).mean()
    assert 0 < changed < 0.12


def test_noise_is_normal() -> None:
    """Mean 0 and the standard deviation that was declared, for values too."""
    ids = np.random.default_rng(1).integers(0, 2**63, (20_000, 2)).astype(np.uint64)
    found = Shaping(noise=0.5).values(np.zeros(20_000), ids, 2.0)
    assert abs(found.mean()) < 0.03
    assert found.std() == pytest.approx(1.0, abs=0.03)


def test_only_the_top_scores_are_told() -> None:
    """The others share what is left; decimals come last."""
    ids = np.zeros((1, 2), np.uint64)
    found = Shaping(top=1, decimals=2).scores(np.array([[0.1, 0.65, 0.25]]), ids)
    np.testing.assert_allclose(found, [[0.18, 0.65, 0.18]])


def test_rounding_leaves_the_highest_score_the_highest() -> None:
    """Also where others are as high by then; two classes still add up to one."""
    ids = np.zeros((3, 2), np.uint64)
    found = Shaping(decimals=1).scores(np.array([[0.48, 0.52], [0.52, 0.48], [0.9, 0.1]]), ids)
    np.testing.assert_allclose(found, [[0.4, 0.6], [0.6, 0.4], [0.9, 0.1]])
    rng = np.random.default_rng(0)
    scores, ids = rng.dirichlet(np.ones(5), 3000), rng.integers(0, 2**63, (3000, 2)).astype(np.uint64)
    for shaping in (Shaping(decimals=1), Shaping(noise=1.5, decimals=1)):
        shaped = shaping.scores(scores, ids)
        assert (np.sort(shaped)[:, -1] > np.sort(shaped)[:, -2]).all()
        assert (shaped.argmax(axis=1) == scores.argmax(axis=1)).all()
        assert ((shaped >= 0) & (shaped <= 1)).all()
