"""Risk: from which certainty on a model may answer, so that too many of its answers are wrong only rarely.

Learn then test: each threshold of a fixed order is the hypothesis "of the answers at or above it more than `risk` are
wrong"; the exact binomial test rejects it, and the lowest threshold whose hypothesis falls is taken. The order goes
from the surest rows down. The first tests, on few rows, share `delta`; a test that rejects hands its share on to the
next (fallback procedure), so that one early error does not leave everything unanswered.

Sources: Angelopoulos, Bates, Candes, Jordan and Lei 2021 (learn then test); Wiens 2003 (fallback procedure);
Geifman and El-Yaniv 2017 (selective risk).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import bdtr

from fivefold.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

NOTHING = float("inf")
"""Threshold at which nothing is answered."""
_STEPS = 100
_STARTS = 4


@dataclass(frozen=True)
class Guarantee:
    """What a threshold holds.

    Attributes:
        threshold: Certainty from which on answers are given; infinite: none is.
        risk: Highest share of wrong ones among them, but with probability ``delta``.
        delta: That probability, over the draw of the calibration rows.
        rows: Calibration rows.
        answered: Those of them at or above the threshold.
        wrong: Those of the answered that are wrong.
    """

    threshold: float
    risk: float
    delta: float
    rows: int
    answered: int = 0
    wrong: int = 0


def controlled(certainty: ArrayLike, wrong: ArrayLike, *, risk: float, delta: float) -> Guarantee:
    """Return the lowest threshold that holds the risk.

    The guarantee is over the draw of the rows, for rows to come from the same source: P(risk of the answered > risk)
    is at most delta. It is exact where rows are wrong no less often the less certain they are, which makes the count
    above a threshold that is itself a calibration row a binomial one.

    Args:
        certainty: (n,) how sure the answer to each calibration row is; more is surer.
        wrong: (n,) whether it is wrong.
        risk: In (0, 1).
        delta: In (0, 1).

    Raises:
        InputError: ``fallback.share`` unless both are in (0, 1).
    """
    if not (0 < risk < 1 and 0 < delta < 1):
        raise InputError(
            "fallback.share", "risk and delta lie between 0 and 1.", remedy="Write for example risk: 0.05."
        )
    sure, bad = np.asarray(certainty, dtype=np.float64), np.asarray(wrong, dtype=np.int64)
    order = np.argsort(-sure, kind="stable")
    sure, errors = sure[order], np.cumsum(bad[order])
    counts, starts = _sequence(sure, risk, delta)
    best, level = 0, 0.0
    for count, start in zip(counts.tolist(), starts.tolist(), strict=True):
        level += delta * start
        # the row at the threshold itself is no draw from above it: it is left out, as an error if it is one
        seen = count - 1
        if bdtr(errors[count - 1] - bad[order[count - 1]], seen, risk) <= level:
            best = count
        else:
            level = 0.0
    if not best:
        return Guarantee(NOTHING, risk, delta, len(sure))
    return Guarantee(float(sure[best - 1]), risk, delta, len(sure), best, int(errors[best - 1]))


def _sequence(sure: np.ndarray, risk: float, delta: float) -> tuple[np.ndarray, np.ndarray]:
    """Return how many rows each threshold of the order lets through, and the share of delta that starts there.

    The order and the shares hang on certainties and numbers alone, never on what was wrong.
    """
    n = len(sure)
    last = np.flatnonzero(np.append(sure[:-1] != sure[1:], True)) + 1 if n else np.zeros(0, dtype=np.int64)
    first = int(np.ceil(np.log(delta / _STARTS) / np.log1p(-risk))) + 1
    starts = [count for count in (first * 2**k for k in range(_STARTS)) if count <= n]
    if not starts or not len(last):
        return np.zeros(0, dtype=np.int64), np.zeros(0)
    steps = np.arange(starts[min(1, len(starts) - 1)], n + 1, max(1, n // _STEPS))
    wanted = np.unique(np.concatenate([starts, steps, [n]]))
    counts = np.unique(last[np.searchsorted(last, wanted)])
    given = np.zeros(len(counts))
    np.add.at(given, np.searchsorted(counts, starts), 1 / len(starts))
    return counts, given
