"""Planted: a linear model over the words of texts, for which it is known which texts can be made to fall."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from fivefold.protection.evasion.texts.attack import Campaign

_WORDS = 20_000
_SPLIT = r"\w+"
_CUTS = (0.5, 0.35, 0.65, 0.2, 0.8, 0.1, 0.9)
_PENALTY = 1.0
_APART = np.array([-1.0, 1.0])
_HAIR = 1e-9
_SOME = 10
"""Texts that surely stand; more are not sought, since a border far from the middle is harder to learn."""


@dataclass(frozen=True)
class Words:
    """Scores are sums over words; unknown words add nothing.

    Attributes:
        counter: Texts to (n, w) counts.
        kinds: (K,) classes.
        weights: (w, K).
        offset: (K,).
    """

    counter: Any
    kinds: np.ndarray
    weights: np.ndarray
    offset: np.ndarray

    def score(self, texts: list[str]) -> np.ndarray:
        """Return (n, K)."""
        return np.asarray(self.counter.transform(texts) @ self.weights + self.offset)

    def answers(self, texts: list[str]) -> np.ndarray:
        """Return (n,) classes."""
        return np.asarray(self.kinds[self.score(texts).argmax(axis=1)])

    def left(self, texts: list[str], answers: np.ndarray) -> np.ndarray:
        """Return (n,) the lead of each text's first answer over the next best."""
        score, at = self.score(texts), np.arange(len(texts))
        mine = np.minimum(np.searchsorted(self.kinds, answers), len(self.kinds) - 1)
        own = score[at, mine]
        score[at, mine] = -np.inf
        return np.asarray(own - score.max(axis=1))

    def placed(self, texts: list[str], campaign: Campaign, most: int) -> tuple[Words, np.ndarray, np.ndarray]:
        """Put the border between both classes where many texts surely fall and some surely stand, near the middle.

        Args:
            texts: Public ones.
            campaign: The same, with their budgets.
            most: How many are needed that fall.

        Returns:
            The model, and (n,) bool twice: as :meth:`falls` and :meth:`stands` say.
        """
        lead = self.score(texts) @ _APART
        found = []
        for cut in _CUTS:
            moved = replace(self, offset=self.offset - np.array([0.0, float(np.quantile(lead, cut))]))
            found.append((moved, moved.falls(texts, campaign), moved.stands(texts, campaign)))
        return max(found, key=lambda one: (min(one[1].sum(), most), min(one[2].sum(), _SOME)))

    def falls(self, texts: list[str], campaign: Campaign) -> np.ndarray:
        """Return (n,) bool: whether a text falls where its budget of weightiest words becomes unknown; two classes."""
        lead, carried, _ = self._carried(texts, campaign)
        return np.asarray(lead < carried - _HAIR)

    def stands(self, texts: list[str], campaign: Campaign) -> np.ndarray:
        """Return (n,) bool: whether a text stands whatever known words its budget of words becomes; two classes.

        A character that looks like a letter may cut a word in two.
        """
        lead, carried, worst = self._carried(texts, campaign)
        return np.asarray(lead > carried + 2 * campaign.budget * worst + _HAIR)

    def _carried(self, texts: list[str], campaign: Campaign) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return (n,) each text's lead, what its weightiest words add to it, and the most that one other word takes."""
        slope, told = self.weights @ _APART, self.score(texts) @ _APART
        sign = np.where(told > 0, 1.0, -1.0)
        index, carried = self.counter.vocabulary_, np.zeros(len(texts))
        for row, text in enumerate(campaign.texts):
            codes = [index.get(text.pieces[place].lower()) for place in text.places]
            added = np.sort([sign[row] * slope[code] for code in codes if code is not None])[::-1]
            carried[row] = added[: campaign.budget[row]].clip(0).sum()
        worst = np.where(sign > 0, (-slope).max(initial=0.0), slope.max(initial=0.0))
        return np.abs(told), carried, worst


def fit(texts: list[str], answers: np.ndarray) -> Words:
    """Fit a ridge regression of each class's indicator to the words of texts; classes below 0 are left out."""
    from sklearn.feature_extraction.text import CountVectorizer
    from sklearn.linear_model import Ridge

    known = np.flatnonzero(answers >= 0)
    texts, answers = [texts[at] for at in known], answers[known]
    kinds = np.unique(np.append(answers, [0, 1]))
    counter = CountVectorizer(token_pattern=_SPLIT, max_features=_WORDS)
    counts = counter.fit_transform([*texts, "a"])[: len(texts)].astype(np.float64)
    model = Ridge(alpha=_PENALTY, solver="lsqr").fit(counts, (answers[:, None] == kinds).astype(np.float64))
    return Words(counter, kinds, model.coef_.reshape(len(kinds), -1).T, np.broadcast_to(model.intercept_, len(kinds)))
