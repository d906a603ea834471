"""Manner: short ways of asking a model, taken only where they were seen to give the very same on its own rows.

*Arrays.* A single row of one type of number is handed over as an array where the answers to the rows tried are the
same, bit for bit (many rows at once lie otherwise in memory as a table, and differ in the last bits). *One question.*
The label is read off the scores where the highest one is as far ahead as it was on a row that the model answered so:
at smaller margins, and where label and scores contradicted each other, it is asked for its label.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd

from fivefold.errors import FivefoldError
from fivefold.subject.remote import ENDED
from fivefold.subject.rows import cut, spread, strangers
from fivefold.subject.way import methods, told

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fivefold.guard.block import Block
    from fivefold.subject.access import Access
    from fivefold.subject.model import Form, Method
    from fivefold.subject.remote import RemoteModel
    from fivefold.subject.rows import Rows
    from fivefold.subject.way import Told, Way

_SINGLE = 16
_CLOSE = 1e-9
_TIMED, _SLOW = 5, 0.03
"""Seconds for one row from which on nothing is tried."""
_FEWEST = 64


class Manner(NamedTuple):
    """What was found out.

    Attributes:
        plain: An array is given of a single row.
        floors: (K,) margin of the highest score over the next from which on it is the answer; None: always asked.

    Limit: what no row that was tried has shown is not known; the rows are those of the training data, as many again
    made of their cells, and a few one at a time.
    """

    plain: bool = False
    floors: np.ndarray | None = None

    def given(self, way: Way, rows: Rows | Block) -> tuple[tuple[Method, ...], Form, Rows]:
        """Return what is asked, and how, about rows."""
        access = way.access
        first = (access.score,) if self.floors is not None and access.score is not None else methods(access)
        if isinstance(rows, pd.DataFrame | np.ndarray):
            return first, access.form, rows
        if self.plain and len(rows) == 1:
            return first, "matrix", _cells(rows.values, access.form)
        return first, access.form, rows.frame()

    def read(self, every: Mapping[Method, np.ndarray], access: Access, scored: Access, n: int) -> Told | None:
        """Return what was told of n rows; None: the labels must be asked for.

        Args:
            every: Raw answers.
            access: How the model is asked.
            scored: The same for a model that gives scores alone.
            n: Rows.

        Raises:
            SubjectError: It cannot be used.
        """
        if self.floors is None:
            return told(every, access, n)
        found = told(every, scored, n)
        if found.scores is None or not bool((margins(found.scores) >= self.floors[found.answers]).all()):
            return None
        return found


def margins(scores: np.ndarray) -> np.ndarray:
    """Return (n,) by how much the highest of (n, K) scores is above the next."""
    if scores.shape[1] < 2:
        return np.zeros(len(scores))
    two = np.partition(scores, -2, axis=1)[:, -2:]
    return np.asarray(two[:, 1] - two[:, 0])


def learnt(model: RemoteModel, way: Way) -> Manner:
    """Find out; whatever goes wrong, and with a slow model, it is asked as it was assessed.

    Raises:
        SubjectError: ``model.ended``: its process is gone, or too late.
    """
    usual = way.usual()
    if usual is None or len(usual) < _FEWEST:
        return Manner()
    try:
        times = []
        for at in range(_TIMED):  # the first loads it
            began = time.monotonic()
            model.every(methods(way.access), way.access.form, cut(usual, slice(at, at + 1)))
            times.append(time.monotonic() - began)
        if min(times) > _SLOW:
            return Manner()
        some = spread(usual)
        other = strangers(some)
        places = np.linspace(0, len(some) - 1, _SINGLE).astype(np.int64).tolist()
        tried = [some, other, *(cut(rows, slice(place, place + 1)) for rows in (some, other) for place in places)]
        every = [model.every(methods(way.access), way.access.form, rows) for rows in tried]
        return Manner(_plain(model, way, tried, every), _floors(way, tried, every))
    except FivefoldError as error:
        if error.code == ENDED:
            raise
        return Manner()


def _plain(model: RemoteModel, way: Way, tried: list[Rows], every: list[dict[Method, np.ndarray]]) -> bool:
    """Return whether arrays of the same rows are answered as tables are: of one row bit for bit."""
    for rows, expected in zip(tried, every, strict=True):
        if not isinstance(rows, pd.DataFrame) or len(set(rows.dtypes)) != 1 or rows.isna().to_numpy().any():
            return False
        if getattr(rows.dtypes.iloc[0], "kind", "") not in tuple("iuf"):
            return False
        try:
            found = model.every(methods(way.access), "matrix", _cells(rows.to_numpy(), way.access.form))
        except FivefoldError as error:
            if error.code == ENDED:
                raise
            return False
        if not all(_same(found[name], values, exact=len(rows) == 1) for name, values in expected.items()):
            return False
    return True


def _cells(values: np.ndarray, form: Form) -> np.ndarray:
    """Return cells as a model gets them: one that takes arrays was always given float64."""
    return np.ascontiguousarray(values, dtype=np.float64 if form == "matrix" else None)


def _same(one: np.ndarray, other: np.ndarray, *, exact: bool) -> bool:
    if one.dtype != other.dtype or one.shape != other.shape:
        return False
    if not exact and one.dtype.kind == "f":
        return bool(np.allclose(one, other, rtol=_CLOSE, atol=_CLOSE, equal_nan=True))
    return bool((one == other).all()) if one.dtype == object else one.tobytes() == other.tobytes()


def _floors(way: Way, tried: list[Rows], every: list[dict[Method, np.ndarray]]) -> np.ndarray | None:
    """Return (K,) margins from which on label and highest score were one; infinity: never seen."""
    access = way.access
    if access.answer is None or access.score is None or access.task == "regression" or len(access.classes) < 2:
        return None
    found = [told(given, access, len(rows)) for rows, given in zip(tried, every, strict=True)]
    scores = np.concatenate([one.scores for one in found if one.scores is not None])
    said, ahead, best = np.concatenate([one.answers for one in found]), margins(scores), scores.argmax(axis=1)
    floors = np.full(len(access.classes), np.inf)
    for at in range(len(floors)):
        wrong = ahead[(best == at) & (said != at)].max(initial=-1.0)
        floors[at] = ahead[(best == at) & (said == at) & (ahead > wrong)].min(initial=np.inf)
    return floors if np.isfinite(floors).any() else None
