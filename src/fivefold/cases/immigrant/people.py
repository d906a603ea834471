"""People: how they use a telephone network, whether they pay back, and what the bank wrote down about it; drawn."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from fivefold.fairness.mitigation.fair import Lesson

LITTLE, FLUENT = "little", "fluent"
SHARE = 0.3
"""Of people with little of the language."""
LATE = 0.35
"""Share of good payers with little of the language who are on record as late: they could not read a letter."""


@dataclass(frozen=True)
class People:
    """n people.

    Attributes:
        features: What the network sees of them; their language is not among it.
        language: (n,) ``little`` or ``fluent``.
        repays: (n,) 0 or 1: pays back in the end.
        recorded: (n,) 0 or 1: what the bank wrote down, ``paid`` without a reminder.
    """

    features: pd.DataFrame
    language: pd.Series
    repays: np.ndarray
    recorded: np.ndarray


def drawn(n: int, rng: np.random.Generator) -> People:
    """Draw people: whether they pay back does not depend on their language; what the network sees of them does.

    Args:
        n: How many.
        rng: Draws them.
    """
    little = rng.random(n) < SHARE
    steady = rng.normal(size=n)
    repays = (rng.random(n) < 1 / (1 + np.exp(-(0.9 + 1.8 * steady)))).astype(np.int64)
    noise = rng.normal(size=(n, 8))
    features = pd.DataFrame({
        "top_up_regularity": (0.9 * steady + 0.6 * noise[:, 0]).round(3),
        "months_with_number": np.clip(np.round(40 + 14 * steady - 16 * little + 12 * noise[:, 1]), 1, 180),
        "home_cell_share": np.clip(0.6 + 0.08 * steady + 0.12 * noise[:, 2], 0, 1).round(3),
        "domestic_contacts": np.clip(np.round(35 + 5 * steady - 14 * little + 9 * noise[:, 3]), 0, None),
        "foreign_call_share": np.clip(0.06 + 0.4 * little + 0.12 * noise[:, 4], 0, 1).round(3),
        "night_call_share": np.clip(0.18 + 0.1 * little - 0.02 * steady + 0.07 * noise[:, 5], 0, 1).round(3),
        "data_gb": np.exp(1.2 + 0.15 * steady + 0.35 * little + 0.5 * noise[:, 6]).round(2),
        "menu_language": np.where(rng.random(n) < np.where(little, 0.75, 0.03), "other", "local"),
        "tariff": np.array(["prepaid", "contract", "family"])[
            np.where(rng.random(n) < np.where(little, 0.75, 0.35), 0, 1 + (rng.random(n) < 0.4))
        ],
    })  # fmt: skip
    late = little & (repays == 1) & (rng.random(n) < LATE)
    language = pd.Series(np.where(little, LITTLE, FLUENT), name="language")
    return People(features, language, repays, np.where(late, 0, repays))


def lesson(people: People, truth: np.ndarray) -> Lesson:
    """Return people as something to learn from, or to judge by, with a truth."""
    from fivefold.fairness.mitigation.fair import Lesson

    return Lesson(people.features, truth, people.language, ("refuse", "grant"))
