"""Guarded: a model behind its application's guard, as a check asks it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from fivefold.contract.subject import Subject

if TYPE_CHECKING:
    import numpy as np

    from fivefold.contract.subject import Table


@dataclass(frozen=True)
class Decided:
    """What an application answers behind its guard.

    Attributes:
        answers: (n,) class indices, or values; -1, or NaN, where nobody answers.
        scores: (n, K) probabilities as they are let out, NaN where none are told; None: none are let out at all.
        by: (n,) int64, index into ``levels`` of who answered; -1: the request was refused.
        levels: Who may answer, the model first.
    """

    answers: np.ndarray
    scores: np.ndarray | None
    by: np.ndarray
    levels: tuple[str, ...]

    @property
    def answered(self) -> np.ndarray:
        """(n,) bool: somebody gave an answer at once."""
        import numpy as np

        given: np.ndarray = np.isfinite(self.answers) if self.answers.dtype.kind == "f" else self.answers >= 0
        return given


class Guarded(Subject, Protocol):
    """A model behind its application's guard; what asks it comes as an ordinary principal.

    As a :class:`Subject` it answers for every row: where nobody answers, with what carries nothing of the row (the
    shares of the classes in the data, their most frequent one, the median of values).
    """

    @property
    def bare(self) -> Subject:
        """The model without the guard, for whoever judges and not for whoever attacks."""
        ...

    def decide(self, table: Table) -> Decided:
        """Return what the application answers, and who does.

        Raises:
            SubjectError: The guard failed.
        """
        ...
