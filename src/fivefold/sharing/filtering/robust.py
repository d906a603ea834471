"""Robust: a linear fit that a minority of rows cannot steer, and which rows it leaves out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

_HALF = 0.6
_SUBSETS, _BEST, _SAMPLE = 60, 3, 300
_NARROW = 30
_FIRST, _STEPS = 2, 15
_ROUNDS = 5
_CUT = 0.06
KEEP = 3.0
"""Spreads of the noise within which a row stays."""
_FIT, _OF_FIT = 2.0, 0.8796  # rows within two spreads make the fit; their own spread is that part of the noise's
_AT_HALF = 0.8416  # 60 % of a normal distribution lies within so many spreads
_NEAR = 0.75
_OTHERS, _HEAP, _DENSE = 100, 0.08, 0.4
_ROWS, _FOR_EACH = 1000, 8
_LEAST, _STILL = 0.4, 0.001


@dataclass(frozen=True)
class Fit:
    """A linear fit to the rows that were kept.

    Attributes:
        weights: (p + 1,) float64 in the units of the columns, the intercept last.
        kept: (n,) bool, rows that the fit rests on.
        away: (n,) float64, distance of the target from what the other rows say, in spreads of the noise.
        spread: Spread of the noise, in the unit of the target.
    """

    weights: np.ndarray
    kept: np.ndarray
    away: np.ndarray
    spread: float

    def __call__(self, inputs: np.ndarray) -> np.ndarray:
        """Return (m,) fitted values of (m, p) rows."""
        return np.asarray(inputs @ self.weights[:-1] + self.weights[-1])


def trimmed(inputs: np.ndarray, target: np.ndarray, rng: np.random.Generator) -> Fit:
    """Fit on the rows that agree, without being told how many do not.

    Least trimmed squares: concentration steps from several starts, none of which knows the order of the rows (small
    random subsets, least absolute deviations, and rows dropped along the direction in which gradients pull together);
    the start with the least trimmed error wins. Then rows within three spreads of the noise are taken back, each judged
    without its own part in the fit.

    Threat: rows whose targets (and inputs) are made to bend the fit, at most four of ten.
    Limit: a bad row within three spreads of the noise stays, and so does the little that it bends. What no linear
    fit follows looks wrong: see :mod:`~fivefold.sharing.filtering.regression`.

    Args:
        inputs: (n, p) float64, finite; n above p + 10.
        target: (n,) float64, finite.
        rng: Draws the subsets.

    Source: Rousseeuw and Van Driessen 2006 (concentration steps); Jagielski et al. 2018 (TRIM); Diakonikolas et al.
    2019 (gradients that pull together); Rousseeuw and Leroy 1987 (reweighting).
    """
    centre, scale = inputs.mean(axis=0), inputs.std(axis=0)
    scale = np.where(scale > 0, scale, 1.0)
    middle = float(np.median(target))
    size = float(np.abs(target - middle).mean()) or 1.0
    design = np.column_stack([(inputs - centre) / scale, np.ones(len(target))])
    goal = (target - middle) / size
    ridge = _ridge(design)
    some = np.sort(rng.permutation(len(goal))[: max(_ROWS, _FOR_EACH * design.shape[1])])
    best = _begun(design[some], goal[some], ridge, rng)
    weights, kept, away, spread = _reweighted(design, goal, best, ridge)
    slopes = weights[:-1] / scale * size
    level = weights[-1] * size + middle - float(centre @ slopes)
    return Fit(np.append(slopes, level), kept, away, spread * size)


def _ridge(design: np.ndarray) -> float:
    """Return a small penalty, larger where there are few rows for a column."""
    n, p = design.shape
    return float(n * (1e-6 if n > 20 * p else 0.1))


def _solved(design: np.ndarray, goal: np.ndarray, ridge: float) -> np.ndarray:
    gram = design.T @ design
    gram[np.diag_indices_from(gram)] += ridge
    return np.asarray(np.linalg.solve(gram, design.T @ goal))


def _begun(design: np.ndarray, goal: np.ndarray, ridge: float, rng: np.random.Generator) -> np.ndarray:
    """Return the weights of the start that has the least trimmed error after its steps.

    Rows that lie far out, or in a heap of their own, bend a fit at no cost to themselves: they have no say here.
    """
    far = np.einsum("ij,ij->i", design, design)
    near = far <= np.quantile(far, _NEAR)
    heaped = _heaped(design, rng)
    near = near & ~heaped if (near & ~heaped).mean() >= _LEAST else near
    half = int(np.ceil(_HALF * len(goal)))

    def error(found: np.ndarray) -> float:
        return _error(design[near], goal[near], found)

    starts = [
        _concentrated(design, goal, start, half, ridge, _FIRST) for start in _starts(design, goal, near, ridge, rng)
    ]
    starts = sorted(starts, key=error)[:2]
    return min((_concentrated(design, goal, start, half, ridge, _STEPS) for start in starts), key=error)


def _heaped(design: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return (n,) bool: rows whose neighbours are far closer than those of most rows."""
    design = design.astype(np.float32)
    some = design[rng.permutation(len(design))[:_OTHERS]]
    square = np.einsum("ij,ij->i", design, design)[:, None] + np.einsum("ij,ij->i", some, some) - 2 * design @ some.T
    at = max(1, int(_HEAP * len(some)))
    reach = np.sqrt(np.maximum(np.partition(square, at, axis=1)[:, at], 0.0))
    return np.asarray(reach < _DENSE * np.median(reach))


def _starts(
    design: np.ndarray, goal: np.ndarray, near: np.ndarray, ridge: float, rng: np.random.Generator
) -> list[np.ndarray]:
    """Return (p + 1,) weights of each start."""
    made = [_absolute(design, goal, ridge), _pulled(design, goal, ridge), _solved(design[near], goal[near], ridge)]
    if design.shape[1] <= _NARROW:
        made += _subsets(design, goal, near, ridge, rng)
    return made


def _absolute(design: np.ndarray, goal: np.ndarray, ridge: float) -> np.ndarray:
    """Return least absolute deviations, by reweighting, of rows that lie far out weighted down."""
    far = np.linalg.norm(design, axis=1)
    lean = np.minimum(1.0, np.median(far) / np.maximum(far, 1e-12))
    weights = _solved(design, goal, ridge)
    for _ in range(_ROUNDS):
        pull = np.sqrt(lean / np.maximum(np.abs(goal - design @ weights), 1e-3))
        weights = _solved(design * pull[:, None], goal * pull, ridge)
    return weights


def _pulled(design: np.ndarray, goal: np.ndarray, ridge: float) -> np.ndarray:
    """Return a fit without the rows whose gradients pull hardest in one direction."""
    rows = np.arange(len(goal))
    for _ in range(_ROUNDS):
        weights = _solved(design[rows], goal[rows], ridge)
        pull = design[rows] * (goal[rows] - design[rows] @ weights)[:, None]
        pull -= pull.mean(axis=0)
        _, axes = np.linalg.eigh(pull.T @ pull)
        along = np.abs(pull @ axes[:, -1])
        rows = rows[np.argsort(along, kind="stable")[: int((1 - _CUT) * len(rows))]]
    return _solved(design[rows], goal[rows], ridge)


def _subsets(
    design: np.ndarray, goal: np.ndarray, near: np.ndarray, ridge: float, rng: np.random.Generator
) -> list[np.ndarray]:
    """Return the best of many fits to a handful of rows each, after concentration steps on a sample."""
    n, p = design.shape
    some = rng.permutation(n)[:_SAMPLE]
    wide, aim, inner = design[some], goal[some], near[some]
    chosen = np.argpartition(rng.random((_SUBSETS, len(some))), p + 1, axis=1)[:, : p + 1]
    weights = _solved_each(wide[chosen], aim[chosen], 1e-6 + ridge / n)
    for left in (_SUBSETS // 4, _BEST):
        half = int(np.ceil(_HALF * len(some)))
        off = np.abs(weights @ wide.T - aim)
        best = np.argsort(_errors(off[:, inner]))[:left]
        chosen = np.argpartition(off[best], half, axis=1)[:, :half]
        weights = _solved_each(wide[chosen], aim[chosen], 1e-6 + ridge / n)
    return list(weights)


def _solved_each(design: np.ndarray, goal: np.ndarray, ridge: float) -> np.ndarray:
    turned = design.transpose(0, 2, 1)
    gram = turned @ design + ridge * np.eye(design.shape[2])
    return np.asarray(np.linalg.solve(gram, turned @ goal[:, :, None])[:, :, 0])


def _errors(off: np.ndarray) -> np.ndarray:
    """Return (k,) trimmed squared errors of (k, n) distances."""
    half = int(np.ceil(_HALF * off.shape[1]))
    return np.asarray((np.partition(off, half - 1, axis=1)[:, :half] ** 2).sum(axis=1))


def _error(design: np.ndarray, goal: np.ndarray, weights: np.ndarray) -> float:
    return float(_errors(np.abs(goal - design @ weights)[None])[0])


def _concentrated(  # noqa: PLR0917
    design: np.ndarray, goal: np.ndarray, start: np.ndarray, half: int, ridge: float, steps: int
) -> np.ndarray:
    """Return the weights after concentration steps."""
    weights, last = start, np.inf
    for _ in range(steps):
        square = (goal - design @ weights) ** 2
        rows = np.argpartition(square, half - 1)[:half]
        error = float(square[rows].sum())
        if error >= last * (1 - 1e-3):
            break
        last = error
        weights = _solved(design[rows], goal[rows], ridge)
    return weights


def _reweighted(
    design: np.ndarray, goal: np.ndarray, weights: np.ndarray, ridge: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray, float]:
    """Take back rows that agree: weights, rows kept, distances, spread of the noise."""
    away = np.abs(goal - design @ weights)
    spread = float(np.quantile(away, _HALF)) / _AT_HALF
    inner = away <= _FIT * spread
    for _ in range(_STEPS):
        rows = design[inner]
        gram = rows.T @ rows
        gram[np.diag_indices_from(gram)] += ridge
        inverse = np.linalg.inv(gram)
        weights = inverse @ (rows.T @ goal[inner])
        lever = ((design @ inverse) * design).sum(axis=1)
        # a row that has a part in the fit is judged as if it had none; one that has none bears the fit's own error
        bare = np.abs(goal - design @ weights)
        off = np.where(inner, bare / np.sqrt(np.maximum(1 - lever, 1e-3)), bare / np.sqrt(1 + lever))
        spread = max(float(np.sqrt(np.mean(off[inner] ** 2))) / _OF_FIT, 1e-9)
        away = off / spread
        new = away <= _FIT
        if new.mean() < _LEAST or (new != inner).mean() <= _STILL:
            break
        inner = new
    return weights, away <= KEEP, away, spread
