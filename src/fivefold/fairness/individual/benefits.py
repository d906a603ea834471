"""Benefits and costs: what each person gets from the answer, by group, and how unequally it falls."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from fivefold.contract.finding import Measure
from fivefold.errors import InputError
from fivefold.fairness.gaps.comparisons import moments
from fivefold.fairness.gaps.groups import MIN_SHOWN

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fivefold.fairness.gaps.groups import Field

_CELLS = ("tn", "fp", "fn", "tp")
_USUAL = {"tn": 1.0, "fp": 2.0, "fn": 0.0, "tp": 1.0}
"""Answer less truth plus one: Speicher et al. 2018, section 3.1."""


def declared(option: Mapping[str, Any] | None) -> np.ndarray:
    """Return what one person gets by (truth, answer), (2, 2).

    Raises:
        InputError: ``individual.benefit`` if the option names other cells than tn, fp, fn, tp, or no numbers.
    """
    given = dict(option or _USUAL)
    numbers = all(isinstance(value, int | float) and not isinstance(value, bool) for value in given.values())
    if not set(given) <= set(_CELLS) or not numbers or not np.isfinite(list(map(float, given.values()))).all():
        raise InputError(
            "individual.benefit", "the option `benefit` cannot be read.",
            remedy="Write what a person gets in each cell, for example {tp: 1, fn: -1, fp: 1, tn: 0}.",
        )  # fmt: skip
    return np.array([float(given.get(cell, 0.0)) for cell in _CELLS]).reshape(2, 2)


def shown(fields: Sequence[Field], truth: np.ndarray, answer: np.ndarray, worth: np.ndarray) -> tuple[Measure, ...]:
    """Return the mean benefit of each group, and the share of the inequality that lies between the groups.

    Inequality is half the squared coefficient of variation, the generalised entropy of order 2, which falls apart
    exactly into a part between the groups and one within (Speicher et al. 2018, section 4; Shorrocks 1980).

    Args:
        fields: Cuts of the rows.
        truth: (n,) 0 or 1.
        answer: (n,) 0 or 1.
        worth: (2, 2) benefit by truth and answer.
    """
    gain = worth[truth, answer]
    measures = []
    for field in fields:
        found = moments(field.codes[None], gain, len(field.labels))
        half = 1.645 * np.sqrt(found.variance / np.maximum(found.rows, 1))
        measures += [
            Measure(name="mean benefit", value=round(float(found.mean[at]), 6), n=int(found.rows[at]), where=label,
                    low=round(float(found.mean[at] - half[at]), 6), high=round(float(found.mean[at] + half[at]), 6))
            for at, label in enumerate(field.labels)
            if found.rows[at] >= MIN_SHOWN
        ]  # fmt: skip
        total = float(gain.var())
        between = float((found.rows * (found.mean - gain.mean()) ** 2).sum() / found.rows.sum())
        if total > 0 and float(gain.mean()) > 0:
            measures.append(Measure(
                name="inequality of benefit between groups", value=round(between / total, 6), unit="share",
                n=len(gain), where=field.name,
                note=f"Of generalised entropy {total / (2 * float(gain.mean()) ** 2):.3f} among all persons.",
            ))  # fmt: skip
    return tuple(measures)
