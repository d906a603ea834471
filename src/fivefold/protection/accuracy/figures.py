"""Figures of a classifier and of a regressor, each with one-sided 95 % bounds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

from fivefold.contract.finding import Measure
from fivefold.contract.outcome import Outcome
from fivefold.stats import paired, proportion
from fivefold.stats.judge import judge
from fivefold.stats.mean import skew_t

if TYPE_CHECKING:
    from collections.abc import Mapping

CELL = 10  # fewest rows behind a figure that is shown
_MOST_CLASSES = 12  # classes whose rates are listed

Margin = tuple[np.ndarray, np.ndarray, np.ndarray]


def rate(name: str, hits: int, n: int, where: str = "", *, note: str = "") -> Measure:
    """Return a share with Wilson bounds; without a value if fewer than ten rows stand behind it."""
    if n < CELL:
        return Measure(name=name, unit="share", n=n, where=where, note=f"Not shown: fewer than {CELL} rows.")
    low, high = proportion.wilson(hits, n)
    return Measure(
        name=name, value=hits / n, low=float(low), high=float(high), unit="share", n=n, where=where, note=note
    )


def classifier_margin(predicted: np.ndarray, target: np.ndarray, classes: int) -> Margin:
    """Accuracy less the one of the best constant answer, on the same rows.

    Which constant is best is not known beforehand. A pass must be clear of *every* constant, so the lower bound is the
    smallest of the paired bounds (intersection-union, no correction). The upper bound is corrected (Bonferroni) over
    the constants that are about as good as the best one.

    Args:
        predicted: (r, n) int64 class indices of r models, n at least 1.
        target: (n,) int64 class indices.
        classes: Number of classes.

    Returns:
        ``(value, low, high)``, each (r,), with bounds of Tango (1998).
    """
    n = len(target)
    right = predicted == target
    size = np.bincount(target, minlength=classes)
    both = np.stack([np.bincount(target[one], minlength=classes) for one in right])
    only_model = right.sum(axis=1)[:, None] - both
    only_constant = size - both
    low, _ = paired.tango(only_model, only_constant, n)
    near = size >= size.max() - 2 * np.sqrt(2 * size.max())
    _, high = paired.tango(only_model[:, near], only_constant[:, near], n, 1 - 0.05 / int(near.sum()))
    return right.mean(axis=1) - size.max() / n, low.min(axis=1), high.min(axis=1)


def regressor_margin(predicted: np.ndarray, target: np.ndarray) -> Margin:
    """Share of the best constant's mean absolute error that the model removes: 1 - MAE / MAE(median).

    Bounds come from the linearised ratio with skewness removed (Hall 1992); the median of the very rows is
    the constant that is hardest to beat.

    Args:
        predicted: (r, n) float64 answers of r models.
        target: (n,) float64.

    Returns:
        ``(value, low, high)``, each (r,); NaN if the target does not vary.
    """
    constant = np.abs(target - np.median(target))
    unit = float(constant.mean())
    rows = np.full((len(predicted), 3), np.nan)
    for at, own in enumerate(np.abs(target - predicted)):
        if unit > 0.0:
            value = 1 - own.mean() / unit
            rows[at] = value, *skew_t(value + (constant - own - value * constant) / unit)
    return rows[:, 0], rows[:, 1], rows[:, 2]


def margin_measure(margin: Margin, floor: float, n: int, *, regression: bool) -> Measure:
    """Judge the margin of the first model over the best constant answer."""
    value, low, high = (float(part[0]) for part in margin)
    known = bool(np.isfinite(value))
    return Measure(
        name="share of the best constant's mean absolute error removed"
        if regression
        else "accuracy over the best constant answer",
        value=value if known else None,
        low=low if np.isfinite(low) else None,
        high=high if np.isfinite(high) else None,
        threshold=floor,
        direction="min",
        outcome=judge(low, high, floor, "min"),
        unit="share",
        n=n,
        note="" if known else "The target does not vary, so no answer can be better than a constant.",
    )


def classification(predicted: np.ndarray, target: np.ndarray, where: str = "") -> list[Measure]:
    """Return accuracy and balanced accuracy."""
    right, n = predicted == target, len(target)
    size = np.bincount(target)
    present = np.flatnonzero(size)
    hits = np.bincount(target[right], minlength=len(size))[present]
    low, high = proportion.wilson(hits, size[present])
    recall = hits / size[present]
    # square-and-add of Wilson bounds, as Newcombe's method 10 does for a difference
    down = float(np.sqrt(((recall - low) ** 2).sum()) / len(present))
    up = float(np.sqrt(((high - recall) ** 2).sum()) / len(present))
    mean = float(recall.mean())
    balanced = Measure(
        name="balanced accuracy",
        value=mean,
        low=max(mean - down, 0.0),
        high=min(mean + up, 1.0),
        unit="share",
        n=n,
        where=where,
    )
    plain = rate("accuracy", int(right.sum()), n, where)
    return [plain, balanced] if n >= CELL else [plain]


def alarms(
    predicted: np.ndarray,
    target: np.ndarray,
    classes: tuple[str, ...],
    alarm: int | None,
    options: Mapping[str, object],
    *,
    where: str = "",
) -> list[Measure]:
    """Return missed-detection and false-alarm rates of the alarm class, or of each class against the rest.

    Limits on them are judged only for a declared alarm class; a limit without one is inconclusive, never guessed.
    """
    chosen = [alarm] if alarm is not None else _largest(target, len(classes))
    measures = []
    for one in chosen:
        which = f"{classes[one]} to detect" if alarm is not None else f"{classes[one]} against the rest"
        place = f"{where}, {which}" if where else which
        wanted = target == one
        called = predicted == one
        missed = rate("missed-detection rate", int((wanted & ~called).sum()), int(wanted.sum()), place)
        false = rate("false-alarm rate", int((called & ~wanted).sum()), int((~wanted).sum()), place)
        if alarm is not None and not where:
            missed, false = limited(missed, options.get("max_missed")), limited(false, options.get("max_false_alarm"))
        measures += [missed, false]
    if alarm is None and not where:
        measures += [
            _undeclared(key, limit)
            for key in ("max_missed", "max_false_alarm")
            if (limit := options.get(key)) is not None
        ]
    return measures


def limited(measure: Measure, limit: object, direction: Literal["min", "max"] = "max") -> Measure:
    """Judge a measure against a limit that the manifest declares; unchanged if there is none."""
    if not isinstance(limit, int | float):
        return measure
    return Measure(
        name=measure.name,
        value=measure.value,
        low=measure.low,
        high=measure.high,
        threshold=float(limit),
        direction=direction,
        outcome=judge(measure.low, measure.high, float(limit), direction),
        unit=measure.unit,
        n=measure.n,
        where=measure.where,
        note=measure.note,
    )


def regression(
    predicted: np.ndarray, target: np.ndarray, tolerance: float, where: str = "", *, note: str = ""
) -> list[Measure]:
    """Return MAE, R2 and the share within the tolerance."""
    n = len(target)
    if n < CELL:
        return [Measure(name="mean absolute error", n=n, where=where, note=f"Not shown: fewer than {CELL} rows.")]
    own = np.abs(target - predicted)
    low, high = skew_t(own)
    measures = [
        Measure(name="mean absolute error", value=float(own.mean()), low=max(low, 0.0), high=high, n=n, where=where)
    ]
    spread = (target - target.mean()) ** 2
    if spread.mean() > 0:
        unexplained = float((own**2).mean() / spread.mean())
        bottom, top = skew_t(1 - unexplained - (own**2 - unexplained * spread) / spread.mean())
        measures.append(Measure(name="R2", value=1 - unexplained, low=bottom, high=min(top, 1.0), n=n, where=where))
    within = own <= tolerance
    return [*measures, rate("share within the tolerance", int(within.sum()), n, where, note=note)]


def _undeclared(key: str, limit: object) -> Measure:
    return Measure(
        name="missed-detection rate" if key == "max_missed" else "false-alarm rate",
        threshold=float(limit) if isinstance(limit, int | float) else None,
        direction="max",
        outcome=Outcome.INCONCLUSIVE,
        unit="share",
        note=f"`{key}` is declared, but no class to detect is: name it as `alarm` in the manifest.",
    )


def _largest(target: np.ndarray, classes: int) -> list[int]:
    size = np.bincount(target, minlength=classes)
    order = sorted(range(classes), key=lambda one: (-int(size[one]), one))[:_MOST_CLASSES]
    return sorted(one for one in order if size[one] > 0)
