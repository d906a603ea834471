"""Plants: the user's model, made blind to some columns and made to lean on others by a known rule."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from fivefold.explanation.asking import Ask

WEIGHT = 0.5
"""Share of a planted model's answer that is the planted rule."""

_MOST_LEANT = 4
_BALANCED = 0.3


@dataclass(frozen=True)
class Plant:
    """A model over cells of the store: blind to ``idle`` and ``leant``, but for a rule on ``leant``.

    Attributes:
        ask: The user's model.
        idle: Players that the planted model does not use, by construction.
        leant: Players that it leans on.
        fixed: (P,) position of the cell that a blinded player always has.
        high: (N, leant) bool, whether a cell counts for the rule.
        unit: What a rule that holds adds, in the unit of the answers; for classes WEIGHT / number of rules.
        pair: The class that loses and the class that wins; None: a regression.
    """

    ask: Ask
    idle: np.ndarray
    leant: np.ndarray
    fixed: np.ndarray
    high: np.ndarray
    unit: float
    pair: tuple[int, int] | None

    def __call__(self, cells: np.ndarray) -> np.ndarray:
        """Return (m, K) answers; see :data:`fivefold.explanation.asking.Ask`."""
        seen = cells.copy()
        blind = np.concatenate([self.idle, self.leant])
        seen[:, blind] = self.fixed[blind]
        scores = self.ask(seen)
        told = self.high[cells[:, self.leant], np.arange(len(self.leant))].sum(axis=1)
        if self.pair is None:
            return np.asarray(scores + self.unit * told[:, None])
        made: np.ndarray = (1 - WEIGHT) * scores
        made[:, self.pair[1]] += self.unit * told
        made[:, self.pair[0]] += self.unit * (len(self.leant) - told)
        return made

    def exact(self, rows: np.ndarray, background: np.ndarray) -> np.ndarray:
        """Return (n, leant) the exact attributions of the leant players, in the winning class's score."""
        mean = self.high[background].mean(axis=0)
        return np.asarray(self.unit * (self.high[rows] - mean))


def plant(
    ask: Ask,
    codes: np.ndarray,
    scores: np.ndarray,
    rng: np.random.Generator,
) -> Plant:
    """Draw which columns are idle and which are leant on, and the rule.

    Args:
        ask: The user's model.
        codes: (N, P) ranks of cells, P at least 3.
        scores: (N, K) the model's answers to the rows as they are.
        rng: Draws.
    """
    total, players = codes.shape
    rules, balance = _rules(codes)
    fit = np.flatnonzero(balance >= _BALANCED)
    count = max(1, min(players // 4, _MOST_LEANT, len(fit)))
    leant = np.sort(rng.choice(fit, count, replace=False) if len(fit) >= count else np.argsort(-balance)[:count])
    rest = rng.permutation(np.setdiff1d(np.arange(players), leant))
    # columns of one value last: no explainer would credit them
    rest = rest[np.argsort(codes[:, rest].std(axis=0) == 0, kind="stable")]
    idle = np.sort(rest[: max(1, players // 4)])
    high = rules[:, leant]
    pair = None
    if scores.shape[1] > 1:
        usual = np.argsort(-scores.mean(axis=0), kind="stable")
        pair = int(usual[0]), int(usual[1])
    spread = float(scores[:, 0].std()) or 1.0
    unit = (spread if pair is None else WEIGHT) / count
    return Plant(ask, idle, leant, np.asarray(rng.integers(total, size=players)), high, unit, pair)


def _rules(codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return (N, P) bool, the step nearest to the median, and (P,) the share of the rarer side."""
    cut = np.median(codes, axis=0)
    above, from_ = codes > cut, codes >= cut
    rarer = [np.minimum(side.mean(axis=0), 1 - side.mean(axis=0)) for side in (above, from_)]
    return np.where(rarer[0] >= rarer[1], above, from_), np.maximum(*rarer)


def roc(leant: np.ndarray, idle: np.ndarray) -> np.ndarray:
    """Return (n,) AUC with which the size of credit tells leant from idle players in each row, ties half.

    Args:
        leant: (n, a) sizes.
        idle: (n, b) sizes.
    """
    over = leant[:, :, None] - idle[:, None, :]
    return np.asarray(((over > 0) + 0.5 * (over == 0)).mean(axis=(1, 2)))
