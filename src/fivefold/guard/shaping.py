"""Shaping: what of an answer is let out (row P2): rounded scores, the top classes, or labels alone.

The same question always gets the same answer, so that asking again and averaging gains nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from fivefold.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fivefold.guard.nouns import Passage, Scores
    from fivefold.subject.access import Access
    from fivefold.subject.way import Told


_MOST = 15


class Shape:
    """Turns what the model told into what is let out; the record keeps what it told.

    Limit: labels alone can be learnt from, too; see the technique P2.
    """

    name = "shape"

    def __init__(self, options: Mapping[str, Any], access: Access) -> None:
        """Take the options of the control P2: ``decimals`` (0: labels alone); absent: nothing is changed.

        Raises:
            InputError: ``guard.decimals`` unless they are a whole number from 0 to 15.
        """
        decimals = options.get("decimals")
        if decimals is not None and not (type(decimals) is int and 0 <= decimals <= _MOST):
            raise InputError(
                "guard.decimals", f"controls.P2.decimals is {str(decimals)[:40]!r}.", remedy=f"Write 0 to {_MOST}."
            )
        self._decimals: int | None = decimals
        self._access = access

    def __call__(self, passage: Passage) -> None:
        """Settle a label or value for each row, and the scores that are let out."""
        if passage.told is not None:
            passage.shaped = self._shaped(passage.told)

    def _shaped(self, told: Told) -> tuple[tuple[str | float, ...], Scores]:
        access = self._access
        if access.task == "regression":
            values = told.answers if self._decimals is None else told.answers.round(self._decimals)
            return tuple(map(float, values)), None
        answers = tuple(np.array([*access.classes, ""], dtype=object)[told.answers.astype(np.int64)].tolist())
        if told.scores is None or self._decimals == 0:
            return answers, None
        scores = told.scores if self._decimals is None else told.scores.round(self._decimals)
        return answers, tuple(tuple(map(float, row)) for row in scores)
