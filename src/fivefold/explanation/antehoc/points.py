"""Points: a sparse scoring table with whole points, small enough for a card.

The steps of an additive model of few columns are scaled and rounded to at most ten points, then each step's points are
moved by one while that lowers the loss (the weight of a point and the base fitted anew each time). Source: Ustun and
Rudin 2019 (risk scores; rounding with rescaling and refinement by coordinate descent).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from fivefold.errors import InputError
from fivefold.explanation.antehoc import additive
from fivefold.explanation.antehoc.form import Model, Term, adds, positions

if TYPE_CHECKING:
    from fivefold.explanation.antehoc.steps import Lesson

_WIDEST = (3, 5, 10)
_PASSES = 4
_NEWTON = 12
_GAIN = 1e-6
_DIGITS = 4


@dataclass(frozen=True)
class _Fit:
    loss: float
    base: float
    scale: float


def learn(given: Lesson, terms: int, cuts: int, rng: np.random.Generator) -> Model:
    """Learn a scoring table.

    Args:
        given: Rows.
        terms: Most columns.
        cuts: Most cuts of a number, or named texts, of one column.
        rng: Seeds the boosting.

    Raises:
        InputError: ``antehoc.points`` for several classes, or where no column tells anything; as
            :func:`fivefold.explanation.antehoc.additive.learn`.
    """
    if given.task == "multiclass":
        raise InputError("antehoc.points", "one sum of points cannot choose among several classes.",
                         remedy="Train the form additive or rules.")  # fmt: skip
    real = additive.learn(given, terms, cuts, rng)
    if not real.terms:
        raise InputError("antehoc.points", "no column tells anything about the target.",
                         remedy="Bring more rows, or other columns.")  # fmt: skip
    codes = np.column_stack([positions(term, given.features[term.column]) for term in real.terms])
    shapes = [adds(term)[:, 0] for term in real.terms]
    best: tuple[_Fit, list[np.ndarray]] | None = None
    ranges = np.sort([float(np.ptp(shape)) for shape in shapes])
    for unit in {float(reach) / widest for reach in (ranges[-1], np.median(ranges)) for widest in _WIDEST if reach > 0}:
        points = [np.minimum(np.round((shape - shape.min()) / unit), _WIDEST[-1]).astype(np.int64) for shape in shapes]
        fit, points = _refined(given, real.terms, codes, points)
        if best is None or fit.loss < best[0].loss * (1 - _GAIN):
            best = fit, points
    if best is None or best[0].scale <= 0:
        raise InputError("antehoc.points", "no table of few points tells anything about the target.",
                         remedy="Raise controls.E1.terms or controls.E1.steps.")  # fmt: skip
    fit, points = best
    made, shift = [], 0
    for term, told in zip(real.terms, points, strict=True):
        low = int(told.min())
        shift += low
        if np.ptp(told):
            made.append(additive.term_of(term, (told - low)[:, None].astype(np.float64)))
    base = fit.base + fit.scale * shift
    return msgspec.structs.replace(
        real, form="points", base=(_short(base),), scale=_short(fit.scale), terms=tuple(made)
    )


def _short(value: float) -> float:
    return float(f"{value:.{_DIGITS}g}")


def _refined(
    given: Lesson, terms: tuple[Term, ...], codes: np.ndarray, points: list[np.ndarray]
) -> tuple[_Fit, list[np.ndarray]]:
    """Return points moved one by one while that lowers the loss; what is declared monotone stays so."""
    total = sum((told[codes[:, at]] for at, told in enumerate(points)), np.zeros(len(codes), dtype=np.int64))
    best = _fit(total, given)
    for _ in range(_PASSES):
        before = best.loss
        for at, term in enumerate(terms):
            sign = given.monotone.get(term.column, 0)
            for step in range(len(points[at])):
                rows = codes[:, at] == step
                if not rows.any():
                    continue
                for move in (-1, 1):
                    tried = points[at].copy()
                    tried[step] += move
                    if sign and (np.diff(tried[:-1]) * sign < 0).any():
                        continue
                    fit = _fit(total + move * rows, given)
                    if fit.loss < best.loss * (1 - _GAIN) and np.ptp(tried) <= _WIDEST[-1]:
                        best, points[at], total = fit, tried, total + move * rows
        if best.loss >= before * (1 - _GAIN):
            break
    return best, points


def _fit(total: np.ndarray, given: Lesson) -> _Fit:
    """Return loss, base and weight of a point of the best line through sums of points; infinite loss: it falls."""
    low = int(total.min())
    count = np.bincount(total - low).astype(np.float64)
    hits = np.bincount(total - low, weights=given.target)
    at = np.flatnonzero(count)
    x, n, s = at + low, count[at], hits[at]
    if given.task == "regression":
        mean, level = (n @ x) / n.sum(), s.sum() / n.sum()
        spread = n @ (x - mean) ** 2
        scale = float((x - mean) @ (s - n * level) / spread) if spread else 0.0
        base = float(level - scale * mean)
        # the squares of single targets are the same whatever the points
        loss = float(given.target @ given.target - 2 * (s @ (base + scale * x)) + n @ (base + scale * x) ** 2)
        return _Fit(loss if scale > 0 else np.inf, base, scale)
    base, scale = _logistic(x.astype(np.float64), n, s)
    score = base + scale * x
    loss = float(n @ np.logaddexp(0, score) - s @ score)
    return _Fit(loss if scale > 0 else np.inf, base, scale)


def _logistic(x: np.ndarray, n: np.ndarray, s: np.ndarray) -> tuple[float, float]:
    """Return base and slope of a logistic regression of counted sums, by Newton's method with a hair of ridge."""
    share = np.clip(s.sum() / n.sum(), 1e-6, 1 - 1e-6)
    centre, width = (n @ x) / n.sum(), max(float(np.ptp(x)), 1.0)
    z = (x - centre) / width
    a, b = float(np.log(share / (1 - share))), 0.0
    for _ in range(_NEWTON):
        p = 1 / (1 + np.exp(-np.clip(a + b * z, -30, 30)))
        w = n * p * (1 - p)
        g0, g1 = (s - n * p).sum(), z @ (s - n * p) - 1e-3 * b
        h00, h01, h11 = w.sum() + 1e-9, w @ z, w @ z**2 + 1e-3
        det = h00 * h11 - h01 * h01
        a += float(np.clip((h11 * g0 - h01 * g1) / det, -5, 5))
        b += float(np.clip((h00 * g1 - h01 * g0) / det, -5, 5))
    return a - b * centre / width, b / width
