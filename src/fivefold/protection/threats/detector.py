"""Detector: flows of known and of unknown threats, by three scores that are ranked among benign flows and combined."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from sklearn.ensemble import RandomForestClassifier

from fivefold.errors import UnsupportedError
from fivefold.protection.threats import encoding, tails
from fivefold.stats.forest import shares

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from fivefold.protection.threats.encoding import Encoding
    from fivefold.protection.threats.tails import Tails

FEWEST, MOST_ROWS = 100, 20_000
"""Benign flows that are needed, and flows that are learned from at most."""
_TREES, _LEAF = 100, 2
_WEIGHTS = (1.0, 1.0, 0.75)
_SWAPPED = (0.02, 0.5)
_STRANGE, _BEYOND = 0.1, 0.5
"""Share of the swapped cells that lie beyond what was seen, and how far at most, in ranges."""
_SHARE = 0.5
_TAIL = 0.9
_TOGETHER = 20_000


@dataclass(frozen=True)
class Fitted:
    """Three scores of a flow.

    Attributes:
        encoding: How flows become numbers.
        known: Tells known threats from benign flows; None: no threat was shown.
        novel: Tells artificial anomalies and known threats from benign flows.
        tails: How rare values are among benign flows of the same kind.
    """

    encoding: Encoding
    known: RandomForestClassifier | None
    novel: RandomForestClassifier
    tails: Tails

    def scores(self, rows: pd.DataFrame) -> np.ndarray:
        """Return (n, 3) float64: like a known threat, like an anomaly, rare values; larger is worse.

        Args:
            rows: n flows.
        """
        parts = [self._scores(rows.iloc[at : at + _TOGETHER]) for at in range(0, max(len(rows), 1), _TOGETHER)]
        return np.concatenate(parts)

    def _scores(self, rows: pd.DataFrame) -> np.ndarray:
        if not len(rows):
            return np.zeros((0, 3))
        values = self.encoding(rows)
        known = np.zeros(len(values)) if self.known is None else shares(self.known, values)[:, 1]
        return np.column_stack([known, shares(self.novel, values)[:, 1], self.tails(values)])


@dataclass(frozen=True)
class Detector:
    """A detector whose false alarms are calibrated.

    Attributes:
        fitted: The scores.
        ranks: (3, n) each score of n benign flows that nothing was fitted to, sorted.
        sums: (n,) the combined score of these flows, sorted.
        false_alarms: Share of benign flows that may be alarmed.
    """

    fitted: Fitted
    ranks: np.ndarray
    sums: np.ndarray
    false_alarms: float

    def chances(self, rows: pd.DataFrame) -> np.ndarray:
        """Return (n,) conformal p-values of being benign: at most a share a of benign flows get a or less."""
        return _beyond(self.sums, _combined(self.ranks, self.fitted.scores(rows)))

    def alarms(self, rows: pd.DataFrame) -> np.ndarray:
        """Return (n,) bool, flows that are alarmed."""
        return np.asarray(self.chances(rows) <= self.false_alarms)

    def resembles(self, rows: pd.DataFrame) -> np.ndarray:
        """Return (n,) bool, flows that are like known threats by the first score alone, at as many false alarms."""
        return np.asarray(_beyond(self.ranks[0], self.fitted.scores(rows)[:, 0]) <= self.false_alarms)


def fit(rows: pd.DataFrame, bad: np.ndarray, rng: np.random.Generator, leave: Sequence[str] = ()) -> Fitted:
    """Fit the scores.

    Artificial anomalies (Fan et al. 2001) are benign flows in which a share of the cells, drawn for each, comes from
    other benign flows: every value was seen, the combination was not; a tenth of these cells lie beyond
    what was seen instead. With the known threats they teach a forest
    where benign flows end, not only on which side known threats lie.

    Threat: an attack of a family that nobody has seen yet looks benign to whatever has learned known families apart.
    Limit: a threat whose flows are those of benign users, one by one, is not found.

    Args:
        rows: (n, d) flows.
        bad: (n,) bool, known threats among them.
        rng: All choices.
        leave: Columns that are not to be used.

    Raises:
        UnsupportedError: ``threats.benign`` for fewer than 100 benign flows; ``threats.columns``.
    """
    at = np.concatenate([_some(np.flatnonzero(~bad), rng), _some(np.flatnonzero(bad), rng)])
    rows, bad = rows.iloc[at], bad[at]
    if int((~bad).sum()) < FEWEST:
        raise UnsupportedError(
            "threats.benign", f"{int((~bad).sum())} benign flows are known, and {FEWEST} are needed.",
            remedy="Give more flows, or say which class is benign (`positive`) or to be detected (`alarm`).",
        )  # fmt: skip
    told = encoding.fit(rows, leave)
    values = told(rows)
    benign, worse = values[~bad], values[bad]
    made = _anomalies(benign, rng)
    weights = [np.ones(len(benign)), np.full(len(made), _SHARE)]
    weights.append(_SHARE * len(benign) * _evenly(tails.kinds(worse, told.texts)))
    novel = _forest(rng, _LEAF).fit(
        np.concatenate([benign, made, worse]), np.arange(len(benign) + len(made) + len(worse)) >= len(benign),
        sample_weight=np.concatenate(weights),
    )  # fmt: skip
    known = _forest(rng, 1).fit(values, bad) if len(worse) else None
    return Fitted(told, known, novel, tails.fit(benign, told.texts))


def calibrated(fitted: Fitted, benign: pd.DataFrame, false_alarms: float) -> Detector:
    """Rank the scores among benign flows that nothing was fitted to.

    The ranks are combined as Fisher combines p-values; the sum is ranked again, so that the rate of false alarms holds
    however the scores hang together (Vovk et al. 2005).

    Args:
        fitted: The scores.
        benign: n flows.
        false_alarms: In (0, 1); at least 1 / ``false_alarms`` - 1 flows are needed.

    Raises:
        UnsupportedError: ``threats.calibration`` for too few.
    """
    if (len(benign) + 1) * false_alarms < 1:
        raise UnsupportedError(
            "threats.calibration", f"{len(benign)} benign flows cannot hold {false_alarms:.2%} false alarms.",
            remedy=f"Give at least {int(np.ceil(1 / false_alarms))} that nothing was fitted to, or allow more alarms.",
        )  # fmt: skip
    scores = fitted.scores(benign)
    ranks = np.sort(scores.T, axis=1)
    return Detector(fitted, ranks, np.sort(_combined(ranks, scores)), false_alarms)


def _combined(ranks: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """Return (n,) the sum of minus the logarithms of the ranks.

    Rare values beyond the rarest benign ones go on along an exponential tail, fitted to the rarest tenth of these
    (peaks over threshold; Pickands 1975): a value that no flow ever had must show by itself.
    """
    parts = [-np.log(_beyond(ranks[at], scores[:, at])) for at in range(len(_WEIGHTS))]
    known = ranks[2]
    top = known[int(_TAIL * len(known)) :]
    scale = max(float(top.mean() - top[0]), 1e-9)
    parts[2] = parts[2] + np.clip((scores[:, 2] - known[-1]) / scale, 0.0, np.log(len(known) + 1))
    return np.asarray(np.sum([weight * part for weight, part in zip(_WEIGHTS, parts, strict=True)], axis=0))


def _beyond(known: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Return (n,) (1 + how many of m sorted known values are at least as large) / (m + 1)."""
    return np.asarray((1 + len(known) - np.searchsorted(known, values - 1e-12)) / (len(known) + 1))


def _anomalies(benign: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return (n, d) benign flows with cells of others in them, at least one each."""
    n, width = benign.shape
    swapped = rng.random((n, width)) < rng.uniform(*_SWAPPED, (n, 1))
    swapped[np.arange(n), rng.integers(0, width, n)] = True
    made = np.where(swapped, benign[rng.integers(0, n, (n, width)), np.arange(width)], benign)
    low, high = benign.min(axis=0), benign.max(axis=0)
    away = _BEYOND * np.maximum(high - low, 1.0) * rng.random((n, width))
    strange = swapped & (rng.random((n, width)) < _STRANGE)
    return np.asarray(np.where(strange, np.where(rng.random((n, width)) < 0.5, low - away, high + away), made))


def _evenly(kind: np.ndarray) -> np.ndarray:
    """Return (n,) weights that add up to 1, so that a flood of threats of one kind does not outvote the others."""
    if not len(kind):
        return np.zeros(0)
    _, place, counts = np.unique(kind, return_inverse=True, return_counts=True)
    weights = 1.0 / np.sqrt(counts[place])
    return np.asarray(weights / weights.sum())


def _forest(rng: np.random.Generator, leaf: int) -> RandomForestClassifier:
    seed = int(rng.integers(1 << 31))
    return RandomForestClassifier(n_estimators=_TREES, min_samples_leaf=leaf, random_state=seed, n_jobs=1)


def _some(places: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    most = MOST_ROWS // 2
    return places if len(places) <= most else np.sort(rng.choice(places, most, replace=False))
