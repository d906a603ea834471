"""Check S4.training: a model trained on encrypted rows against one trained on the same rows in the clear."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fivefold.contract.finding import Canary, Measure, Result
from fivefold.contract.outcome import Outcome
from fivefold.errors import InputError, UnsupportedError
from fivefold.sharing.ciphertext import learning
from fivefold.sharing.ciphertext.declared import declared, rows
from fivefold.sharing.ciphertext.server import Service
from fivefold.sharing.federated.accuracy import lost
from fivefold.stats.judge import judge

if TYPE_CHECKING:
    from fivefold.contract.check import Context

LOSS, ERROR = "max_accuracy_loss", "max_error"
_MOST_STEPS = 200
_REMEDY = "Take more steps in controls.S4.training, and leave its settings out."


def run(context: Context) -> Result:
    """Judge S4.training.

    Threat: training on encrypted rows is cut short or drowned in noise, and the model is worse than anybody was told.
    Limit: a logistic regression of two classes; the rows that are compared on are those that were learned from, too.

    Raises:
        UnsupportedError: ``ciphertext.undeclared``, ``ciphertext.declared``, ``ciphertext.data``,
            ``ciphertext.engine``, ``ciphertext.settings``.
    """
    told = declared(context).training
    if told is None:
        raise UnsupportedError("ciphertext.undeclared", "controls.S4.training is not declared.",
                               remedy="Declare it, or nothing is learned in secret.")  # fmt: skip
    x, y, _ = rows(told, context)
    count = min(len(x), told.settings.slots)
    drawn = context.rng.permutation(len(x))
    part = np.sort(drawn[:count])
    if not 0 < y[part].sum() < count:
        raise UnsupportedError("ciphertext.data", f"{count:,} drawn rows are of one class.", remedy="Give more rows.")
    context.progress(0.1, "training on encrypted rows")
    found = _encrypted(told, x[part], y[part])
    same = learning.in_clear(told, x[part], y[part])
    plain = usual(x[part], y[part])
    first, second = right(plain, x, y), right(found.weights, x, y)
    accuracy = lost(first, second, context.thresholds[LOSS], "accuracy lost against training in the clear",
                    f"{count:,} rows learned from, {told.steps} steps.")  # fmt: skip
    error = error_of(found.weights, same, context.thresholds[ERROR])
    context.progress(0.9, "planting a loss")
    bird = _canary(first, same, context)
    outcomes = (accuracy.outcome, error.outcome)
    bad = Outcome.FAIL if Outcome.FAIL in outcomes else Outcome.INCONCLUSIVE
    outcome = Outcome.PASS if all(one is Outcome.PASS for one in outcomes) else bad
    return Result(
        outcome=outcome if bird.noticed else Outcome.INCONCLUSIVE,
        reason=(
            f"{second.mean():.4f} of {len(x):,} rows are answered rightly by the model trained on encrypted rows, "
            f"{first.mean():.4f} by one trained in the clear; weights are off by at most {error.value:.2g}."
            if bird.noticed
            else "A loss that was planted was not noticed at so few rows, so nothing is concluded."
        ),
        measures=(
            accuracy, error,
            Measure(name="bytes sent for each row", value=float(f"{found.sent / count:.2g}"), n=count),
        ),
        canary=bird,
        limits=("A logistic regression; rows that were learned from are among those compared on.",),
        remedy="" if outcome is Outcome.PASS else _REMEDY,
    )  # fmt: skip


def _encrypted(told: learning.Learning, x: np.ndarray, y: np.ndarray) -> learning.Learned:
    try:
        return learning.learn(told, x, y, Service().answer)
    except (InputError, ValueError, RuntimeError) as error:
        raise UnsupportedError("ciphertext.settings", f"nothing can be learned so ({str(error)[:120]}).",
                               remedy=_REMEDY) from None  # fmt: skip


def usual(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return (d,) weights of a logistic regression in the clear, to convergence (Newton with the same ridge).

    Args:
        x: (n, d) rows with a leading 1.
        y: (n,) answers 0 or 1.
    """
    weights, n = np.zeros(x.shape[1]), len(x)
    for _ in range(_MOST_STEPS):
        p = 1 / (1 + np.exp(-np.clip(x @ weights, -30, 30)))
        slope = x.T @ (p - y) / n + learning.RIDGE * weights
        curved = (x.T * np.maximum(p * (1 - p), 1e-3)) @ x / n + learning.RIDGE * np.eye(len(weights))
        step = np.linalg.solve(curved, slope)
        weights = weights - step
        if np.abs(step).max() < 1e-9:
            break
    return weights


def right(weights: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return (n,) bool: which rows are answered rightly."""
    return np.asarray((x @ weights > 0) == (y > 0))


def error_of(found: np.ndarray, wanted: np.ndarray, floor: float) -> Measure:
    """Return how far weights are from those of the same steps in the clear, judged.

    Below a hundredth of the floor a hundredth is written down: what noise does there varies from run to run.
    """
    off = float(np.abs(found - wanted).max())
    shown = float(f"{min(max(off, floor / 100), 1e12):.1g}") if np.isfinite(off) else 1e12
    return Measure(
        name="error of a weight", value=shown, low=shown, high=shown, threshold=floor, direction="max", n=len(found),
        outcome=judge(shown, shown, floor, "max"), note="Against the same steps in the clear.",
    )  # fmt: skip


def _canary(first: np.ndarray, same: np.ndarray, context: Context) -> Canary:
    """Right answers taken away and weights moved must be noticed; the very same ones must not."""
    loss, error, rng = context.thresholds[LOSS], context.thresholds[ERROR], context.rng
    share = float(rng.uniform(2.0, 4.0)) * loss + 0.01
    spoilt = first & (rng.random(len(first)) > share / max(float(first.mean()), share))
    moved = same.copy()
    moved[int(rng.integers(len(moved)))] += float(rng.uniform(2.0, 10.0)) * error
    bad = [lost(first, spoilt, loss).outcome, error_of(moved, same, error).outcome]
    good = [lost(first, first, loss).outcome, error_of(same, same, error).outcome]
    found, alarms = (sum(one is Outcome.FAIL for one in some) for some in (bad, good))
    return Canary(
        kind="a model that loses accuracy, and one with a weight moved", planted=2, found=found, clean=2,
        false_alarms=alarms, noticed=found == 2 and not alarms, detail=f"A loss of {share:.3f}.",
    )  # fmt: skip
