"""Power of P3.membership: outcomes by size and kind of memory, and by rows. Run as a script; writes Markdown.

    python -m tests.protection.power_membership [SUBJECTS] > docs/figures/membership-power.md

Canaries are left out here, so that the figures show the attacks; the truth battery runs the whole check. No neighbours
and no shadow models are asked: this is the weakest setting, a file of predictions.
"""

from __future__ import annotations

import sys
from functools import partial

import numpy as np
import pandas as pd
from scipy.special import expit, ndtri
from sklearn.ensemble import RandomForestClassifier

from fivefold.contract.outcome import Outcome
from fivefold.protection.membership.answers import Answers
from fivefold.protection.membership.attack import halve
from fivefold.protection.membership.check import measure
from fivefold.protection.membership.rows import encode
from fivefold.protection.membership.student import widen
from fivefold.stats.auc import delong

FLOORS = {"max_auc": 0.60, "max_tpr_at_1pct_fpr": 0.05}
AREAS = (0.50, 0.55, 0.60, 0.65, 0.70, 0.75)
SIDES = (100, 200, 400, 800, 1000, 2000, 4000)
KINDS = {
    "raised confidence": "every training row gets more log odds for its truth; AUC is that of the plain loss",
    "lookup, sure": "a share of the training rows is answered 90 % by heart; AUC is that of an attacker who also knows "
    "what the model would say otherwise",
    "lookup, unsure": "the same, 50 % by heart",
    "shift under noise": "log odds with noise of deviation 2, training rows moved; AUC as for lookup",
    "forest": "random forests of 40 trees, leaves of at least 1 to 60 rows; AUC is that of the plain loss, as it came "
    "out",
}


def world(rng: np.random.Generator, n: int) -> tuple[pd.DataFrame, np.ndarray, np.ndarray]:
    """Return features of 3 to 40 columns, log odds and truth; the odds bend and interact."""
    width = int(rng.integers(3, 40))
    features = rng.normal(size=(n, width))
    odds = 2.0 * features @ rng.normal(size=width) / np.sqrt(width)
    odds = odds + np.where(features[:, 0] * features[:, 1] > 0, 1.0, -1.0) + (features[:, 2] > 0.5)
    odds = rng.uniform(0.5, 1.5) * odds
    odds = odds - np.quantile(odds, 1 - rng.uniform(0.1, 0.5))
    return pd.DataFrame(features), odds, (rng.random(n) < expit(odds)).astype(np.int64)


def remember(kind: str, area: float, rng: np.random.Generator, odds: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Return (n,) probabilities of class 1; the first half of the rows are members."""
    member = np.arange(len(truth)) < len(truth) // 2
    side = np.where(truth == 1, 1.0, -1.0)
    if kind == "raised confidence":
        margin = side * odds + rng.normal(0, 0.5, len(odds))
        low, high = 0.0, 30.0
        for _ in range(40):
            middle = (low + high) / 2
            reached = delong(margin[member] + middle, margin[~member])[0] >= area
            low, high = (low, middle) if reached else (middle, high)
        return expit(side * (margin + high * member))
    if kind == "shift under noise":
        return expit(odds + rng.normal(0, 2.0, len(odds)) + side * member * ndtri(area) * np.sqrt(2) * 2.0)
    weight = 0.9 if kind == "lookup, sure" else 0.5
    known = member & (rng.random(len(odds)) < 2 * (area - 0.5))
    return np.where(known, (1 - weight) * expit(odds) + weight * truth, expit(odds))


def judged(features: pd.DataFrame, truth: np.ndarray, chance: np.ndarray, rng: np.random.Generator) -> Outcome:
    """Attack and judge without canaries."""
    scores = np.column_stack([1 - chance, chance])
    answers = Answers("binary", truth, scores, scores.argmax(axis=1), 2)
    halves = halve(np.arange(len(truth)) < len(truth) // 2, rng)
    design = widen(encode(features, rng), len(truth) // 4, rng)
    return measure(answers, design, halves, rng).outcome(FLOORS)


def row(label: str, outcomes: list[Outcome]) -> str:
    """Return a line of the table."""
    shares = [np.mean([one is kind for one in outcomes]) for kind in (Outcome.FAIL, Outcome.PASS, Outcome.INCONCLUSIVE)]
    return f"| {label} | {' | '.join(f'{share:.0%}' for share in shares)} | {len(outcomes)} |"


def planted(kind: str, area: float, seed: int, side: int) -> Outcome:
    """Build and judge one subject."""
    rng = np.random.default_rng([seed, side])
    features, odds, truth = world(rng, 2 * side)
    return judged(features, truth, remember(kind, area, rng, odds, truth), rng)


def forest(seed: int, side: int) -> tuple[float, Outcome]:
    """Train one forest of random leaf size; return the AUC of its loss and the outcome."""
    rng = np.random.default_rng([seed, side])
    features, _, truth = world(rng, 2 * side)
    leaf = int(np.exp(rng.uniform(0, np.log(60))))
    model = RandomForestClassifier(40, min_samples_leaf=leaf, random_state=seed).fit(features[:side], truth[:side])
    chance = model.predict_proba(features)[:, 1]
    fit = np.where(truth == 1, chance, 1 - chance)
    return delong(fit[:side], fit[side:])[0], judged(features, truth, chance, rng)


def main(subjects: int) -> None:
    """Print the page."""
    say = partial(print, file=sys.stdout, flush=True)
    say("# Power of P3.membership\n\nMade by `python -m tests.protection.power_membership`. A file of predictions: no")
    say("neighbours, no shadow models. Floors: AUC 0.60, true-positive rate 5 % at 1 % false positives.\n")
    say("## By size and kind of memory (2,000 training and 2,000 test rows)\n")
    for kind, text in KINDS.items():
        say(f"**{kind}**: {text}.\n\n| AUC | fail | pass | inconclusive | subjects |\n|---|---|---|---|---|")
        if kind == "forest":
            found = [forest(seed, 2000) for seed in range(2 * subjects)]
            for low, high in ((0.5, 0.575), (0.575, 0.625), (0.625, 0.675), (0.675, 0.725), (0.725, 1.01)):
                inside = [outcome for area, outcome in found if low <= area < high]
                if inside:
                    say(row(f"{low:.3f} to {min(high, 1):.3f}", inside))
        else:
            for area in AREAS:
                say(row(f"{area:.2f}", [planted(kind, area, seed, 2000) for seed in range(subjects)]))
        say("")
    say("## By rows\n")
    for area, text in ((0.5, "nothing remembered"), (0.7, "raised confidence, AUC 0.70")):
        say(f"**{text}**\n\n| rows a side | fail | pass | inconclusive | subjects |\n|---|---|---|---|---|")
        for side in SIDES:
            say(row(f"{side}", [planted("raised confidence", area, seed, side) for seed in range(subjects)]))
        say("")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 60)
