"""Shaping: what of an answer is let out (row P2): disturbed or rounded answers, the top classes, or labels alone.

The same question always gets the same answer, so that asking again and averaging gains nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from fivefold.contract.registry import provided
from fivefold.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fivefold.guard.nouns import Passage, Scores
    from fivefold.subject.access import Access
    from fivefold.subject.rows import Rows
    from fivefold.subject.way import Told

_MOST = 15
_MOST_NOISE = 5.0


class Shape:
    """Turns what the model told into what is let out; the record keeps what it told.

    Limit: labels alone can be learnt from, too; see the technique P2.
    """

    name = "shape"

    def __init__(self, options: Mapping[str, Any], access: Access, secret: bytes = b"") -> None:
        """Take the options of the control P2; what is absent changes nothing.

        Args:
            options: ``decimals`` (0: labels alone), ``top`` (how many scores are told), ``noise`` (standard deviation
                added to logarithms of scores; values: in units of the declared ``spread``), ``flips`` (largest share
                of rows whose highest score may become another one), ``step`` (values are told as the middle of the
                interval of this width that they lie in).
            access: Classes.
            secret: Of the application; noise is drawn from it and the question.

        Raises:
            InputError: ``guard.decimals``, ``guard.top``, ``guard.noise``, ``guard.flips``, ``guard.step`` for what is
                out of range, ``guard.spread`` where values are to be disturbed without one.
        """
        decimals = _option(options, "decimals", int, (0, _MOST))
        top, noise = _option(options, "top", int, (1, 1000)), _option(options, "noise", float, (0, _MOST_NOISE))
        flips = _option(options, "flips", float, (0, 1))
        spread, step = (_option(options, key, float, (0, 1e300)) for key in ("spread", "step"))
        if noise and access.task == "regression" and not spread:
            raise InputError("guard.spread", "controls.P2.noise of values needs a unit.", remedy="Declare P2.spread.")
        self._labels_only, self._spread = decimals == 0, float(spread or 0)
        self._access, self._secret = access, secret
        self._noise = bool(noise)
        self._shaping = provided("theft.shaping")(
            float(noise or 0), float(flips or 0), top or 0, decimals, float(step or 0)
        )
        self._identities = provided("theft.identities")

    def __call__(self, passage: Passage) -> None:
        """Settle a label or value for each row, and the scores that are let out."""
        if passage.told is not None:
            passage.shaped = self._shaped(passage.told, passage.rows if self._noise else None)

    def _shaped(self, told: Told, rows: Rows | None) -> tuple[tuple[str | float, ...], Scores]:
        access = self._access
        ids = None if rows is None else self._identities(rows, self._secret)
        if access.task == "regression":
            return tuple(map(float, self._shaping.values(told.answers, ids, self._spread))), None
        answers = tuple(np.array([*access.classes, ""], dtype=object)[told.answers.astype(np.int64)].tolist())
        if told.scores is None or self._labels_only:
            return answers, None
        scores = self._shaping.scores(told.scores, ids)
        return answers, tuple(tuple(map(float, row)) for row in scores)


def _option(options: Mapping[str, Any], key: str, kind: type, span: tuple[float, float]) -> Any:
    """Return an option, or None.

    Raises:
        InputError: It is out of range.
    """
    value = options.get(key)
    fits = type(value) is int or (kind is float and type(value) is float)
    if value is not None and not (fits and span[0] <= value <= span[1]):
        what = "a whole number" if kind is int else "a number"
        remedy = f"Write {what} from {span[0]:g} to {span[1]:g}."
        raise InputError(f"guard.{key}", f"controls.P2.{key} is {str(value)[:40]!r}.", remedy=remedy)
    return value
