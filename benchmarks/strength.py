"""Strength: before any time is compared, our attacks and intervals must be at least as good as the peers'."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from fivefold.protection.membership.answers import Answers
from fivefold.protection.membership.attack import Halves, attack
from fivefold.protection.membership.bounds import auc
from fivefold.protection.membership.rows import encode
from fivefold.protection.membership.student import widen
from fivefold.stats import auc as area
from fivefold.stats import difference

if TYPE_CHECKING:
    from pathlib import Path


def job(folder: Path, splits: int, seed: int = 0) -> tuple[dict[str, np.ndarray], list[float]]:
    """Attack the example's model kind on random splits and halves with answers alone (no neighbours, no shadows).

    Each split draws members anew from all 1,000 rows and trains the example's own model on them, so that the
    comparison does not hang on one lucky split. The answers go to the peers as they are.

    Args:
        folder: The example.
        splits: Number of splits.
        seed: Of the splits.

    Returns:
        The arrays for the peers (``scores`` (s, n, 2), ``truth``, ``member``, ``fits`` (s, n)) and our AUC on each.
    """
    sys.path.insert(0, str(folder))
    import train  # type: ignore[import-not-found]

    names = ("train", "calibration", "test")
    rows = pd.concat([pd.read_csv(folder / "data" / f"{name}.csv", keep_default_na=False) for name in names])
    truth = (rows.pop("credit") == "good").to_numpy().astype(np.int64)
    features = rows.drop(columns=list(train.DROP)).reset_index(drop=True)
    rng = np.random.default_rng(seed)
    member = np.arange(len(truth)) < len(truth) // 2
    all_scores, all_truth, fits, ours = [], [], [], []
    for _ in range(splits):
        order = rng.permutation(len(truth))
        frame, target = features.iloc[order].reset_index(drop=True), truth[order]
        inner = np.flatnonzero(member)
        table = type("Rows", (), {"features": frame.iloc[inner], "target": target[inner]})
        scores = train.fit(table, rng).predict_proba(frame)
        fit = rng.random(len(truth)) < 0.5
        design = widen(encode(frame, rng), int((fit & ~member).sum()), rng)
        found = attack(Answers("binary", target, scores, scores.argmax(axis=1), 2), design, Halves(member, fit), rng)
        best = found.scores[found.best_auc]
        ours.append(auc(best[~fit & member], best[~fit & ~member]).value)
        all_scores.append(scores)
        all_truth.append(target)
        fits.append(fit)
    arrays = {"scores": np.array(all_scores), "truth": np.array(all_truth), "fits": np.array(fits), "member": member}
    return arrays, ours


def coverage(trials: int, draws: int, seed: int = 0) -> dict[str, tuple[float, float]]:
    """Coverage of one-sided 95 % bounds, ours and the percentile bootstrap's, at the example's sizes.

    Args:
        trials: Simulated samples.
        draws: Resamples of the bootstrap.
        seed: Of the samples.

    Returns:
        Name to (ours, peer): the smaller coverage of the two bounds. ``rate gap``: selection 0.70 among 260 against
        0.60 among 70. ``AUC``: 0.65 from 250 members and 200 others.
    """
    rng = np.random.default_rng(seed)
    n1, p1, n2, p2 = 260, 0.70, 70, 0.60
    k1, k2 = rng.binomial(n1, p1, trials), rng.binomial(n2, p2, trials)
    low, high = difference.miettinen_nurminen(k1, n1, k2, n2)
    again = (
        rng.binomial(n1, k1[:, None] / n1, (trials, draws)) / n1
        - rng.binomial(n2, k2[:, None] / n2, (trials, draws)) / n2
    )
    low_b, high_b = np.quantile(again, [0.05, 0.95], axis=1)
    truth = p1 - p2
    gap = (_least(low, high, truth), _least(low_b, high_b, truth))
    shift = 0.5449  # sqrt(2) times the normal quantile of 0.65
    ours, peer = [], []
    for _ in range(trials // 2):
        inner, outer = rng.normal(shift, 1, 250), rng.normal(0, 1, 200)
        value, error = area.delong(inner, outer)
        ours.append(area.bound(value, error, 250, 200))
        wins = (inner[:, None] > outer).astype(np.float64)
        a = rng.multinomial(250, np.full(250, 1 / 250), draws) / 250
        b = rng.multinomial(200, np.full(200, 1 / 200), draws) / 200
        peer.append(np.quantile(((a @ wins) * b).sum(axis=1), [0.05, 0.95]))
    first, second = np.array(ours), np.array(peer)
    return {"rate gap": gap, "AUC": (_least(*first.T, 0.65), _least(*second.T, 0.65))}


def _least(low: np.ndarray, high: np.ndarray, truth: float) -> float:
    return float(min((low <= truth).mean(), (high >= truth).mean()))
