"""Classes: twelve figures by group from one table of counts, 1,000 tables drawn from it, never a row looked at twice.

Tables are drawn group by group from a multinomial whose cells have half a row more (Jeffreys), so that a cell that
happens to be empty does not make its figures certain. Widths come from the draws, values from the counts themselves.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from fivefold.errors import InputError
from fivefold.stats.simultaneous import band

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

NAMES = (
    "selection rate", "true positive rate", "false positive rate", "true negative rate", "false negative rate",
    "positive predictive value", "negative predictive value", "false discovery rate", "false omission rate",
    "accuracy", "balanced accuracy", "F1 score",
)  # fmt: skip
"""The twelve figures, in the order in which arrays hold them."""
DRAWS = 1000
_MOST_GROUPS = 10_000
_JEFFREYS = 0.5


@dataclass(frozen=True)
class Frame:
    """Twelve figures of G groups.

    Attributes:
        labels: Names of the groups, in order of first occurrence; a missing value is the group None.
        counts: (G, 2, 2) rows by group, truth and answer.
        value: (12, G) figures; NaN where no row is behind one.
        low: (12, G) lower ends; all low and high hold together.
        high: (12, G) upper ends.
        overall: (12,) figures of all rows.
    """

    labels: tuple[object, ...]
    counts: np.ndarray
    value: np.ndarray
    low: np.ndarray
    high: np.ndarray
    overall: np.ndarray


def frame(
    group: ArrayLike | pd.Series, truth: ArrayLike, answer: ArrayLike, rng: np.random.Generator, *, draws: int = DRAWS,
    confidence: float = 0.95,
) -> Frame:  # fmt: skip
    """Measure twelve figures by group, with simultaneous intervals, from one pass over the rows.

    Args:
        group: (n,) labels of any kind.
        truth: (n,) 0 or 1: deserves the favourable answer.
        answer: (n,) 0 or 1: was given it.
        rng: Draws the tables.
        draws: How many tables are drawn, at least 100.
        confidence: That all intervals hold at once.

    Raises:
        InputError: ``fairness.rows`` for arrays of other lengths, none at all, or values that are not 0 or 1;
            ``fairness.groups`` for more than 10,000 groups; ``fairness.draws`` for fewer than 100 draws.

    Source: Efron and Tibshirani 1993, chapter 8 (bootstrap of counts); Romano and Wolf 2005 (max-t).
    """
    if draws < 100:
        raise InputError("fairness.draws", f"{draws} draws are too few.", remedy="Draw at least 100.")
    column = group if isinstance(group, pd.Series) else pd.Series(np.asarray(group))
    codes, labels = pd.factorize(column, use_na_sentinel=False)
    counts = count(codes, np.asarray(truth), np.asarray(answer), len(labels))
    value = figures(counts)
    low, high = band(value, figures(drawn(counts, rng, draws)), figures(counts + _JEFFREYS), confidence)
    named = tuple(None if pd.isna(label) else label for label in labels)
    every = figures(counts.sum(axis=0)[None])[:, 0]
    return Frame(named, counts, value, np.clip(low, 0, 1), np.clip(high, 0, 1), every)


def count(codes: np.ndarray, truth: np.ndarray, answer: np.ndarray, groups: int) -> np.ndarray:
    """Return (G, 2, 2) rows by group, truth and answer.

    Raises:
        InputError: ``fairness.rows`` or ``fairness.groups``.
    """
    if groups > _MOST_GROUPS:
        raise InputError("fairness.groups", f"{groups} groups are too many.", remedy="Join groups.")
    if not len(codes) or len(codes) != len(truth) or len(codes) != len(answer):
        raise InputError("fairness.rows", "groups, truth and answers need as many rows each, and at least one.")
    cell = np.bincount(codes * 4 + _bits(truth) * 2 + _bits(answer), minlength=4 * groups)
    return np.asarray(cell).reshape(groups, 2, 2)


def _bits(values: np.ndarray) -> np.ndarray:
    if values.dtype != bool and not (values.dtype.kind in "iuf" and values.min() >= 0 and values.max() <= 1
                                     and (values.dtype.kind != "f" or np.isin(values, (0, 1)).all())):  # fmt: skip
        raise InputError("fairness.rows", "truth and answers have to be 0 or 1.", remedy="Compare with one class.")
    return values.astype(np.intp, copy=False)


def drawn(counts: np.ndarray, rng: np.random.Generator, draws: int) -> np.ndarray:
    """Return (D, G, 2, 2) tables drawn group by group around :func:`smoothed` counts, each of its group's size."""
    groups = len(counts)
    cells = counts.reshape(groups, 4) + _JEFFREYS
    sizes = counts.reshape(groups, 4).sum(axis=1)
    made = rng.multinomial(sizes, cells / cells.sum(axis=1, keepdims=True), size=(draws, groups))
    return made.reshape(draws, groups, 2, 2)


def figures(counts: np.ndarray) -> np.ndarray:
    """Return (..., 12, G) figures of (..., G, 2, 2) counts; NaN where no row is behind one."""
    tn, fp, fn, tp = (counts[..., at, to].astype(np.float64) for at in (0, 1) for to in (0, 1))
    with np.errstate(divide="ignore", invalid="ignore"):
        tpr, fpr = tp / (tp + fn), fp / (fp + tn)
        tnr, ppv, npv = tn / (fp + tn), tp / (tp + fp), tn / (tn + fn)
        found = [
            (tp + fp) / (tp + fp + tn + fn), tpr, fpr, tnr, fn / (tp + fn), ppv, npv, fp / (tp + fp), fn / (tn + fn),
            (tp + tn) / (tp + fp + tn + fn), (tpr + tnr) / 2, 2 * tp / (2 * tp + fp + fn),
        ]  # fmt: skip
    return np.stack(found, axis=-2)
