"""Outcome: the six answers that a check can give, never a bool (DESIGN, rule 1)."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


class Outcome(StrEnum):
    """What a check found."""

    PASS = "pass"  # noqa: S105
    FAIL = "fail"
    INCONCLUSIVE = "inconclusive"
    ERROR = "error"
    NOT_APPLICABLE = "not-applicable"
    NOT_RUN = "not-run"

    @property
    def satisfies(self) -> bool:
        """Whether this outcome alone can satisfy a claim."""
        return self in (Outcome.PASS, Outcome.NOT_APPLICABLE)


_WORST_FIRST = (
    Outcome.FAIL,
    Outcome.ERROR,
    Outcome.NOT_RUN,
    Outcome.INCONCLUSIVE,
    Outcome.PASS,
    Outcome.NOT_APPLICABLE,
)


def worst(outcomes: Iterable[Outcome]) -> Outcome:
    """Return the outcome that decides for all that must hold together.

    ``fail`` before ``error`` before ``not-run`` before ``inconclusive`` before ``pass``; nothing at all
    is ``not-run``, and ``not-applicable`` only if everything is.
    """
    found = set(outcomes)
    return next((outcome for outcome in _WORST_FIRST if outcome in found), Outcome.NOT_RUN)
