"""Planted: a linear model over the words of texts, for which it is known which texts can be made to fall."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from fivefold.protection.evasion.texts.attack import Campaign

_WORDS = 20_000
_SPLIT = r"\w+"
_CUTS = (0.5, 0.35, 0.65, 0.2, 0.8)
_PENALTY = 1.0


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

    def placed(self, texts: list[str], campaign: Campaign) -> tuple[Words, np.ndarray]:
        """Put the border between both classes where many texts fall once their weightiest words are unknown.

        Returns:
            The model, and (n,) bool: texts whose lead is less than what their budget of weightiest words adds to it.
        """
        best, told = self, np.zeros(len(texts), dtype=bool)
        lead = self.score(texts) @ np.array([-1.0, 1.0])
        for cut in _CUTS:
            moved = replace(self, offset=self.offset - np.array([0.0, float(np.quantile(lead, cut))]))
            doomed = moved.falls(texts, campaign)
            if doomed.sum() > told.sum():
                best, told = moved, doomed
        return best, told

    def falls(self, texts: list[str], campaign: Campaign) -> np.ndarray:
        """Return (n,) bool: whether a text falls where its budget of weightiest words becomes unknown; two classes."""
        slope = self.weights @ np.array([-1.0, 1.0])
        lead = self.score(texts) @ np.array([-1.0, 1.0])
        index = self.counter.vocabulary_
        found = np.zeros(len(texts), dtype=bool)
        for row, text in enumerate(campaign.texts):
            sign = 1.0 if lead[row] > 0 else -1.0
            codes = [index.get(text.pieces[place].lower()) for place in text.places]
            added = np.sort([sign * slope[code] for code in codes if code is not None])[::-1]
            found[row] = abs(lead[row]) < added[: campaign.budget[row]].clip(0).sum() - 1e-9
        return found


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
