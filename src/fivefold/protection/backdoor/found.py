"""Found: what the most suspicious trigger does to rows that it was not searched on, beside what is usual."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from fivefold.stats import paired

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Found:
    """One scan.

    Attributes:
        what: The trigger in words, without the values of any row.
        target: The class that rows are sent to.
        sent: (n,) bool, whether each held-back row of another class is sent there by the trigger.
        usual: (n,) bool, whether it would be by what is usual: clean rows' models and slightly other triggers, or a
            trigger of the size that other classes need.
        anomaly: How far the class stands out among all; larger: more suspicious.
    """

    what: str
    target: int
    sent: np.ndarray
    usual: np.ndarray
    anomaly: float

    def lead(self, confidence: float = 0.95) -> tuple[float, float, float]:
        """Return the share of rows that only the trigger sends, less the share that only what is usual does."""
        one, two = int((self.sent & ~self.usual).sum()), int((self.usual & ~self.sent).sum())
        low, high = paired.tango(one, two, len(self.sent), confidence)
        return (one - two) / max(len(self.sent), 1), float(low), float(high)


def steps(column: pd.Series, value: Any, *, ordered: bool) -> list[Any]:
    """Return values next to one in a column: of numbers some steps up and down, of others the commonest ones.

    Args:
        column: Known values.
        value: The one.
        ordered: Whether they are numbers or dates; a step is a thirtieth of the distinct ones.
    """
    if not ordered:
        return [one for one in column.value_counts().index[:5] if one != value][:4]
    known = np.sort(column.unique())
    at, step = int(np.searchsorted(known, value)), max(1, round(len(known) / 30))
    places = [place for place in (at - 2 * step, at - step, at + step, at + 2 * step) if 0 <= place < len(known)]
    return [known[place] for place in places if known[place] != value]
