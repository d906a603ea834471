"""Trial: reports of other makers' devices, fresh ones that were given known values, audited without knowing their form.

The owner runs fresh devices of any language on values that are written down beside their reports. How a report is told
from another is learned on half of them: by its whole text where few texts occur, and by each character at its place
(naive Bayes). The bound is that of the game on the other half, so a rule that is learned badly never says too much.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fivefold.errors import UnsupportedError
from fivefold.sharing.telemetry.game import Loss, bounded

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fivefold.contract.subject import Table

VALUE, REPORT = "value", "report"
FEWEST = 1000
_LONGEST = 512
_FEW_TEXTS = 20


def shown(table: Table) -> Loss:
    """Return what the reports of a trial show of the loss between the two values that most devices were given.

    Args:
        table: Columns ``value`` and ``report``, a row a fresh device.

    Raises:
        UnsupportedError: ``telemetry.trial`` without these columns, or for fewer than 1,000 devices of the two values.
    """
    try:
        values, reports = (table.column(name).astype("str").tolist() for name in (VALUE, REPORT))
    except KeyError:
        raise UnsupportedError(
            "telemetry.trial", f"the trial has no columns `{VALUE}` and `{REPORT}`.", remedy="Name them so."
        ) from None
    names, counts = np.unique(np.array(values), return_counts=True)
    order = np.argsort(-counts, kind="stable")[:2]
    if len(order) < 2 or counts[order].min() < FEWEST // 2:
        raise UnsupportedError(
            "telemetry.trial", "too few devices were given the same two values.",
            remedy=f"Give each of two values to {FEWEST // 2} fresh devices, better to 50,000.",
        )  # fmt: skip
    first, second = names[order[0]], names[order[1]]
    kept = [at for at, value in enumerate(values) if value in (first, second)]
    sides = np.array([values[at] == first for at in kept])
    return learned([reports[at] for at in kept], sides)


def learned(reports: Sequence[str], sides: np.ndarray) -> Loss:
    """Learn on every other device how reports differ, and bound the loss on the rest.

    The two sides are made equally many, so that a guess by them alone is right half of the time.

    Args:
        reports: (n,) texts.
        sides: (n,) bool, which value each device was given.
    """
    few = int(min(sides.sum(), (~sides).sum()))
    kept = np.sort(np.concatenate([np.flatnonzero(sides)[:few], np.flatnonzero(~sides)[:few]]))
    texts, sides = np.array([reports[at][:_LONGEST] for at in kept]), sides[kept]
    rank = np.where(sides, np.cumsum(sides), np.cumsum(~sides))
    learn = rank % 2 == 0
    found = [_by_place(texts, sides, learn)]
    if len(np.unique(texts)) * _FEW_TEXTS <= len(texts):
        found.append(_by_text(texts, sides, learn))
    each = 1.0 - 0.05 / len(found)
    losses = [bounded(scores[~learn], sides[~learn], each) for scores in found]
    return max(losses, key=lambda loss: loss.low)


def _by_text(texts: np.ndarray, sides: np.ndarray, learn: np.ndarray) -> np.ndarray:
    _, codes = np.unique(texts, return_inverse=True)
    return _ratio(codes, sides, learn, int(codes.max()) + 1)


def _by_place(texts: np.ndarray, sides: np.ndarray, learn: np.ndarray) -> np.ndarray:
    wide = texts.dtype.itemsize // 4
    letters = np.ascontiguousarray(texts).view(np.uint32).reshape(len(texts), wide)
    scores = np.zeros(len(texts))
    for place in range(wide):
        found, codes = np.unique(letters[:, place], return_inverse=True)
        if len(found) > 1:
            scores += _ratio(codes, sides, learn, len(found))
    return scores


def _ratio(codes: np.ndarray, sides: np.ndarray, learn: np.ndarray, count: int) -> np.ndarray:
    """Return (n,) the log ratio of how often each code occurs on the two sides, as learned, half a device added."""
    ones = np.bincount(codes[learn & sides], minlength=count) + 0.5
    others = np.bincount(codes[learn & ~sides], minlength=count) + 0.5
    return np.asarray(np.log(ones / others)[codes])
