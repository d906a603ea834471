"""Owning: questions with keyed answers that a model learned, put to whoever serves something like it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from msgspec import structs

from fivefold.cases.theft.bank import Loans, applicants
from fivefold.keys.ciphers import KEY_BYTES
from fivefold.traceability.watermark import claims, questions, triggers

if TYPE_CHECKING:
    from fivefold.contract.subject import Subject, Table
    from fivefold.traceability.watermark.triggers import TriggersOpening

_COUNT, _TIMES = 100, 4
REPLACED = 0.1
"""Share of answers that a thief who carried the model off replaces at random, to hide it."""
STRANGERS = 2
"""Models of others, who learned from applicants of their own."""


def taught(table: Table, classes: tuple[str, ...], rng: np.random.Generator) -> tuple[TriggersOpening, Table, Table]:
    """Draw a key and questions.

    Returns:
        The secret, the questions with the key's answers, and the rows to learn from with these four times among them.
    """
    drawn, _ = triggers.drawn(table, classes, _COUNT, rng)
    opening = structs.replace(drawn, key=rng.bytes(KEY_BYTES))  # of a case that can be told again: not for a real mark
    asked = questions.relabelled(questions.unpacked(opening.inputs, classes), triggers.wanted(opening))
    return opening, asked, questions.joined([table, *[asked] * _TIMES])


def is_copy(said: np.ndarray, opening: TriggersOpening) -> bool:
    """Return whether (n,) answers to the questions are the key's so often that a suspect is called a copy."""
    return triggers.read(said, opening).p <= claims.LIMIT


def hidden(said: np.ndarray, classes: int, rng: np.random.Generator) -> np.ndarray:
    """Return answers of which some are replaced at random."""
    return np.where(rng.random(len(said)) < REPLACED, rng.integers(classes, size=len(said)), said)


def strangers(rows: int, rng: np.random.Generator) -> list[Subject]:
    """Return models that were trained in the same way on other applicants."""
    return [Loans(applicants("theirs", rows, rng), int(rng.integers(2**31))) for _ in range(STRANGERS)]
