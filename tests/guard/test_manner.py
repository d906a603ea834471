"""Short ways of asking a model are taken only where they were seen to give the same."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from fivefold.guard.block import Block
from fivefold.guard.manner import Manner, learnt, margins
from fivefold.subject.access import Access
from fivefold.subject.batch import pack
from fivefold.subject.way import Way, methods

ACCESS = Access("binary", ("no", "yes"), "frame", "predict", "predict_proba", order=(0, 1))


class Scorer:
    """A model whose label is ``yes`` from a threshold on; by arrays it may give something else."""

    def __init__(self, threshold: float, *, off: float = 0.0) -> None:
        self._threshold, self._off = threshold, off

    def every(self, asked: tuple[str, ...], form: str, rows: Any) -> dict[str, np.ndarray]:
        """Return labels and scores; see :class:`fivefold.subject.remote.RemoteModel`."""
        cells = rows if isinstance(rows, np.ndarray) else rows.to_numpy()
        second = 1 / (1 + np.exp(-cells[:, 0])) + (self._off if form == "matrix" else 0.0)
        label = np.where(second >= self._threshold, "yes", "no").astype(object)
        given = {"predict": label, "predict_proba": np.column_stack([1 - second, second])}
        return {name: given[name] for name in asked}


def _way(rows: int = 300) -> Way:
    frame = pd.DataFrame(np.random.default_rng(0).normal(size=(rows, 3)), columns=["a", "b", "c"])
    return Way(ACCESS, pack(frame.iloc[:1]), None, pack(frame))


def _block(first: float) -> Block:
    return Block(pd.Index(["a", "b", "c"]), ("a", "b", "c"), np.array([[first, 0.0, 0.0]]))


def _asked(model: Scorer, manner: Manner, way: Way, first: float) -> tuple[int | None, tuple[str, ...], str]:
    asked, form, rows = manner.given(way, _block(first))
    told = manner.read(model.every(asked, form, rows), ACCESS, replace(ACCESS, answer=None), 1)
    return (None if told is None else int(told.answers[0])), asked, form


@pytest.mark.parametrize("threshold", [0.2, 0.5, 0.7])
def test_labels_read_off_scores_are_those_of_the_model(threshold: float) -> None:
    """Whatever the threshold: where the label could be another one than the highest score, it is asked for."""
    model, way = Scorer(threshold), _way()
    manner = learnt(model, way)  # type: ignore[arg-type]
    read = 0
    for first in np.linspace(-3, 3, 301):
        found, asked, _ = _asked(model, manner, way, float(first))
        assert asked == ("predict_proba",)
        expected = model.every(("predict",), "matrix", _block(float(first)).values)["predict"][0]
        assert found is None or ACCESS.classes[found] == expected
        read += found is not None
    assert read > 100


def test_arrays_are_given_only_to_a_model_that_answers_them_the_same() -> None:
    """A difference in the last bits is one; many rows at once stay a table."""
    same, other = (learnt(Scorer(0.5, off=off), _way()) for off in (0.0, 1e-12))  # type: ignore[arg-type]
    assert (same.plain, other.plain) == (True, False)
    many = Block(pd.Index(["a", "b", "c"]), ("a", "b", "c"), np.zeros((2, 3)))
    assert [one.given(_way(), many)[1] for one in (same, other)] == ["frame", "frame"]
    assert isinstance(same.given(_way(), _block(1.0))[2], np.ndarray)


def test_with_few_rows_the_model_is_asked_as_it_was_assessed() -> None:
    """Nothing is concluded from too few."""
    manner = learnt(Scorer(0.5), _way(20))  # type: ignore[arg-type]
    assert manner == Manner()
    assert manner.given(_way(20), _block(0.0))[0] == methods(ACCESS)


def test_margins_are_how_far_the_highest_score_is_ahead() -> None:
    """Also with one column, where nothing is ahead of anything."""
    assert margins(np.array([[0.2, 0.5, 0.3], [0.4, 0.4, 0.2]])) == pytest.approx([0.2, 0.0])
    assert margins(np.ones((2, 1))).tolist() == [0.0, 0.0]
