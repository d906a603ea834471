"""Wrong labels and backdoors: digits with patches, patterns and flips; tables; rows known to be good."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from benchmarks.filtering_pictures import as_table, attacked, auc, pictures, stamper
from tests.truth import marked

from fivefold.contract.outcome import Outcome
from fivefold.contract.registry import resolve
from fivefold.errors import UnsupportedError
from fivefold.sharing.filtering.classification import borne, filtered, look
from fivefold.sharing.filtering.marks import Mark
from fivefold.sharing.filtering.trigger import planted
from fivefold.sharing.filtering.trigger import stamper as table_stamper


@cache
def digits(seed: int) -> tuple[tuple[np.ndarray, np.ndarray], ...]:
    """Return training, test and trusted rows of digits."""
    return pictures("digits", seed)


@pytest.mark.parametrize("kind", ["patch", "blend", "flip"])
@pytest.mark.parametrize("rate", [0.02, 0.1])
def test_bad_digits_are_the_most_suspect(kind: str, rate: float) -> None:
    """AUC 0.9 without trusted rows; of those with a mark, nearly all are left out."""
    train, _, _ = digits(11)
    images, label, bad = attacked(train, kind, rate, stamper(8, np.random.default_rng(12)), ("digits", 11))
    found = filtered(as_table(images, label), np.random.default_rng(13))
    assert auc(found.suspicion, bad) >= 0.9
    assert (~found.kept)[bad].mean() > 0.85
    assert (~found.kept)[~bad].mean() < 0.1


def test_clean_digits_show_no_mark() -> None:
    """Nothing is planted: few rows go, and no class is called marked."""
    train, _, _ = digits(11)
    found = look(as_table(*train), np.random.default_rng(14))
    assert not found.backdoors
    assert (found.content > 0.5).mean() < 0.05


def test_trusted_rows_make_up_for_a_class_half_of_which_is_wrong() -> None:
    """Half of the ones are called eights: without trusted rows nobody can tell, with 200 they are found."""
    train, _, trusted = digits(15)
    label = train[1].copy()
    ones = np.flatnonzero(label == 1)[::2]
    label[ones] = 8
    bad = np.isin(np.arange(len(label)), ones)
    found = filtered(as_table(train[0], label), np.random.default_rng(16), as_table(*trusted))
    assert auc(found.suspicion, bad) >= 0.95


def test_trusted_rows_hide_no_wrong_labels() -> None:
    """Labels changed at random: with trusted rows most are left out, and hardly a good row."""
    train, _, trusted = digits(11)
    images, label, bad = attacked(train, "flip", 0.05, stamper(8, np.random.default_rng(12)), ("digits", 11))
    found = filtered(as_table(images, label), np.random.default_rng(13), as_table(*trusted))
    assert (~found.kept)[bad].mean() > 0.75
    assert (~found.kept)[~bad].mean() < 0.02


def test_two_columns_of_a_table_are_a_mark_too() -> None:
    """Rows whose two columns were set and whose class was changed are found, with the reason."""
    given = marked.build(41, rate=0.05)
    clean = marked.build(41).tables("train")
    train = given.tables("train")
    bad = train.target != clean.target
    found = filtered(train, np.random.default_rng(17))
    assert (~found.kept)[bad].mean() > 0.9
    assert any("mark" in found.reason(int(at)) for at in np.flatnonzero(bad & ~found.kept))


def test_what_the_filter_leaves_passes_the_check() -> None:
    """Before: the check fails. After: it no longer does."""
    from dataclasses import replace

    given = marked.build(42, rate=0.05, kind="image")
    assert resolve(marked.CHECK)(given).outcome is Outcome.FAIL
    train = given.tables("train")
    kept = filtered(train, np.random.default_rng(18)).kept
    after = replace(given, tables={"train": train.take(kept)}.__getitem__, rng=np.random.default_rng(19))
    assert resolve(marked.CHECK)(after).outcome is not Outcome.FAIL


def test_a_planted_mark_leaves_the_given_rows_alone() -> None:
    """The attack copies; only chosen rows differ, and all of them have the mark's label."""
    train = marked.build(43).tables("train")
    before = train.features.copy(deep=True)
    stamp = table_stamper(train, "two columns", np.random.default_rng(20))
    made, wrong = planted(train, stamp, 1, 0.1, np.random.default_rng(21))
    assert before.equals(train.features)
    assert (made.target[wrong] == 1).all()
    assert made.features[~wrong].equals(train.features[~wrong])
    assert wrong.sum() == round(0.1 * len(train))


@pytest.mark.parametrize(("label", "code"), [(np.zeros(300), "filter.task"), (np.zeros(300, np.int64), "filter.task"),
                                             (np.full(300, -1), "filter.rows")])  # fmt: skip
def test_what_cannot_be_filtered_is_said(label: np.ndarray, code: str) -> None:
    """Values, a single class, and rows without a label."""
    with pytest.raises(UnsupportedError) as told:
        filtered(as_table(np.zeros((300, 4, 4), dtype=np.float32), label), np.random.default_rng(22))
    assert told.value.code == code


def test_a_row_that_nearly_bears_the_mark_of_its_class_is_spared_no_doubt() -> None:
    """More of the mark than 95 % of other classes' rows, though less than is shown; of another class it is none."""
    target = np.repeat([0, 1], 500)
    score = np.concatenate([np.zeros(498), [0.4, 0.9], np.linspace(-0.2, 0.2, 499), [0.6]])
    one = Mark(0, 0.1, 20, score, score > 0.5, ((1, 1), (0, 499)), 4.0)
    assert np.flatnonzero(borne(target, [one])).tolist() == [498, 499]
    assert not borne(target, []).any()
