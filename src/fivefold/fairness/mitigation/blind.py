"""Blind correction: scores moved by what the features tell about the group, so that no group is asked at decision time.

The classifier with the fewest errors among those whose rates are alike is a threshold on
``eta(x) - 1/2 + sum over g of l_g (P(g|x) / P(g) - 1)`` for equal selection, and with ``P(y=1, g|x) / P(y=1, g) -
P(y=1|x) / P(y=1)`` in the sum for equal true-positive rates (Menon and Williamson 2018, proposition 5; Zeng, Dobriban
and Cheng 2022, section 4). The multipliers ``l`` are found on rows whose group is known, by ascent on the gaps.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fivefold.fairness.mitigation.aims import gap, rates

if TYPE_CHECKING:
    from fivefold.fairness.mitigation.aims import Aim

_STEPS = 150


def terms(score: np.ndarray, chance: np.ndarray, base: np.ndarray, aim: Aim) -> np.ndarray:
    """Return (n, G) what each multiplier is multiplied with.

    Args:
        score: (n,) probability of the favourable class.
        chance: (n, G) chance of each group, from the features.
        base: (G,) shares of the groups among the rows that count.
        aim: What is to be alike.
    """
    if aim == "selection":
        return np.asarray(chance / np.maximum(base, 1e-9) - 1.0)
    return np.asarray(score[:, None] * (chance / np.maximum(base, 1e-9) - 1.0) * 2)


def multipliers(
    score: np.ndarray, chance: np.ndarray, truth: np.ndarray, codes: np.ndarray, aim: Aim
) -> tuple[np.ndarray, np.ndarray]:
    """Return (G,) multipliers that make the rates alike on these rows as far as the features allow, and (G,) shares.

    Args:
        score: (n,) probability of the favourable class.
        chance: (n, G) chance of each group, from the features, by a model fitted on other rows.
        truth: (n,) 0 or 1.
        codes: (n,) groups.
        aim: What is to be alike.
    """
    count = chance.shape[1]
    mine = np.ones(len(codes), dtype=bool) if aim == "selection" else truth == 1
    base = np.bincount(codes[mine], minlength=count) / max(int(mine.sum()), 1)
    parts = terms(score, chance, base, aim)
    now = np.zeros(count)
    best, kept = gap(score >= 0.5, codes, truth, aim), now.copy()
    for step in range(_STEPS):
        found = np.nan_to_num(rates(score - 0.5 + parts @ now >= 0, codes, truth, aim), nan=0.0)
        present = base > 0
        away = np.where(present, found - np.average(found, weights=np.maximum(base, 1e-12)), 0.0)
        now = now - 0.3 / np.sqrt(1 + step) * away * base
        apart = gap(score - 0.5 + parts @ now >= 0, codes, truth, aim)
        if apart < best:
            best, kept = apart, now.copy()
    return kept, base


def moved(score: np.ndarray, chance: np.ndarray, found: tuple[np.ndarray, np.ndarray], aim: Aim, strength: float = 1.0
          ) -> np.ndarray:  # fmt: skip
    """Return (n,) corrected scores; the favourable answer is given from one half on."""
    weight, base = found
    return np.asarray(score + strength * (terms(score, chance, base, aim) @ weight))
