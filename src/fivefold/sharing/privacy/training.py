r"""Training: a logistic regression of a table, learned from noisy gradients; the whole path of it costs a stated loss.

Full gradients (no sampling) of two classes, so that composition is exact: T gradients with noise of variance s2 and
L2 sensitivity S cost rho = T S^2 / (2 s2) (Bun and Steinke 2016). What touches a row is whole numbers alone:

- A column becomes a number in [-1, 1] or a vector with a single 1; with c columns and a 1 for the intercept, the row
  has length at most sqrt(c + 1), by which it is divided: no clipping is needed. X = round(2^10 x).
- Weights are multiples of 2^-12. X times weights is a sum of whole numbers below 2^53: exact in doubles, in any order.
- The probability is read from a table of 2^13 + 1 entries at that sum, rounded to 2^-8; R = round(2^12 p) - 2^12 y.
- The gradient X'R is again a sum of whole numbers below 2^53.

A row therefore moves the gradient by at most S = 2^12 (2^10 + sqrt(d) / 2) in L2, whatever the others are, and a person
with r rows by r S. Threat: a model that was learned as usual repeats rare rows, or tells who was in its data.
Limit: two classes; encodings, steps and weights are public, so nothing is tuned on the data without paying for it.
Source: Song, Chaudhuri and Sarwate 2013 (noisy gradients); the fixed-point path is ours.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from fivefold.errors import InputError
from fivefold.sharing.privacy import chunks, noise, tables
from fivefold.sharing.privacy.loss import DELTA, RHO, Loss, budget_of, epsilon_of
from fivefold.sharing.privacy.queries import Cost, Domain, Unit

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import pandas as pd

    from fivefold.sharing.privacy.ledger import Ledger
    from fivefold.sharing.privacy.noise import Bytes

_X, _W, _P, _Z = 10, 12, 12, 8
_REACH = 16
_SHARE = 50
"""The count takes one part in so many of the loss."""
_AIM = 4096
_BLOCK = 65_536
_MOST_ROWS = 1 << 24


class Column(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How a column becomes numbers: by bounds, or by its domain; anybody may know it."""

    bounds: tuple[float, float] | None = None
    values: tuple[str | int | float | bool, ...] = ()
    edges: tuple[float, ...] = ()

    @property
    def domain(self) -> Domain:
        """Its cells."""
        return Domain(values=self.values, edges=self.edges)


class Training(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What is learned.

    Attributes:
        target: The column of the answer.
        positive: The class whose probability the model gives; every other cell is the other one.
        columns: What it is learned from.
        loss: What it costs.
        data: Data set of the manifest.
        unit: Whose privacy.
        steps: Gradients.
        version: 1.
    """

    target: str
    positive: str | int | float | bool
    columns: dict[str, Column]
    loss: Cost
    data: str = "train"
    unit: Unit = Unit()
    steps: int = 80
    version: int = 1

    def read_columns(self) -> tuple[str, ...]:
        """Return the columns that are read."""
        named = [self.unit.column, self.target, *self.columns]
        return tuple(dict.fromkeys(name for name in named if name))


@dataclass(frozen=True)
class Plan:
    """A training, ready to be run; made from what is public alone.

    Attributes:
        training: As declared.
        loss: What it costs.
        step_rho: Of it, each gradient, in 10^-9.
        count_rho: Of it, the count of rows.
        width: d, numbers of an encoded row.
    """

    training: Training
    loss: Loss
    step_rho: int
    count_rho: int
    width: int

    @property
    def unit(self) -> int:
        """Steps of the fixed point in one of the grid of the noise."""
        return 1 << max(0, math.floor(math.log2(self._moved() / math.sqrt(2 * self.step_rho / RHO) / _AIM)))

    @property
    def law(self) -> tables.Law:
        """Noise of a gradient's cell, on the grid; rounding to it moves each of the d cells by one more at most."""
        moved = math.ceil(self._moved() / self.unit + math.sqrt(self.width))
        return tables.gaussian(Fraction(moved * moved * RHO, 2 * self.step_rho))

    def _moved(self) -> float:
        """How far a person moves a gradient in L2, before the grid."""
        return self.training.unit.rows * (1 << _P) * ((1 << _X) + math.sqrt(self.width) / 2)


def read(told: Mapping[str, Any], where: str = "") -> Training:
    """Check a training as it was written.

    Raises:
        InputError: ``privacy.training``, with the field.
    """
    try:
        made = msgspec.convert(dict(told), Training, strict=True)
    except msgspec.ValidationError as error:
        raise _refused(str(error), where) from None
    faults = [f"columns.{name}: needs bounds, values or edges, one of them." for name, column in made.columns.items()
              if bool(column.bounds) + bool(column.values) + bool(column.edges) != 1]  # fmt: skip
    faults += [f"columns.{name}: the smaller bound first." for name, column in made.columns.items()
               if column.bounds and not column.bounds[0] < column.bounds[1]]  # fmt: skip
    if not made.columns or made.target in made.columns:
        faults.append("columns: at least one, and not the target.")
    if bool(made.loss.rho) == bool(made.loss.epsilon) or not 1 <= made.steps <= 1000 or made.version != 1:
        faults.append("loss: needs rho, or epsilon and delta; steps: 1 to 1000; version: 1.")
    if made.unit.rows < 1 or (not made.unit.column and made.unit.rows != 1):
        faults.append("unit.rows: at least 1, and 1 where each row is a person.")
    if faults:
        raise _refused(faults[0], where)
    return made


def _refused(fault: str, where: str) -> InputError:
    return InputError("privacy.training", f"the training cannot be run: {fault}", where=where,
                      remedy="See the page on private training.")  # fmt: skip


def plan(training: Training) -> Plan:
    """Say what a training costs.

    Raises:
        InputError: ``privacy.budget``, ``privacy.scale``.
    """
    cost = training.loss
    rho = budget_of(cost.epsilon, cost.delta).rho if cost.epsilon else round(cost.rho * RHO)
    count = rho // _SHARE
    each = (rho - count) // training.steps
    if count < 1 or each < 1:
        raise InputError("privacy.budget", "nothing is left for a step.", remedy="Raise the loss, or take fewer steps.")
    sizes = (1 if column.bounds else len(chunks.names(column.domain)) for column in training.columns.values())
    made = Plan(training, Loss(0, 0), each, count, 1 + sum(sizes))
    far = float(made.law.tv) * made.width * training.steps + float(_count_law(made).tv)
    delta = max(1, math.ceil(far * (1 + math.exp(min(epsilon_of(rho / RHO, 1e-12), 60.0))) * DELTA))
    return Plan(training, Loss(count + each * training.steps, delta), each, count, made.width)


def _count_law(made: Plan) -> tables.Law:
    rows = made.training.unit.rows
    return tables.gaussian(Fraction(rows * rows * RHO, 2 * made.count_rho))


def encoded(training: Training, parts: Iterable[pd.DataFrame]) -> tuple[np.ndarray, np.ndarray]:
    """Return (n, d) int16 rows and (n,) int8 answers; a row without an answer is left out.

    Raises:
        InputError: ``privacy.rows`` for more than 2^24 rows.
    """
    limit, rows, answers, n = chunks.Limit(training.unit), [], [], 0
    scale = (1 << _X) / math.sqrt(len(training.columns) + 1)
    for part in parts:
        kept = limit.keep(part)
        kept = kept[kept[training.target].notna()]
        pieces = [np.full((len(kept), 1), scale)]
        for name, column in training.columns.items():
            pieces.append(piece(kept[name], column) * scale)
        rows.append(np.rint(np.concatenate(pieces, axis=1)).astype(np.int16))
        answers.append(chunks.cells(kept[training.target], Domain(values=(training.positive,))) == 0)
        n += len(kept)
        if n > _MOST_ROWS:
            raise InputError("privacy.rows", f"more than {_MOST_ROWS} rows.", remedy="Train on a part of them.")
    width = plan(training).width
    return (
        np.concatenate(rows) if rows else np.zeros((0, width), dtype=np.int16),
        np.concatenate(answers).astype(np.int8) if answers else np.zeros(0, dtype=np.int8),
    )


def piece(values: pd.Series, column: Column) -> np.ndarray:
    """Return (n, k) float64 in [-1, 1] with at most one that is not 0; missing numbers are 0."""
    if column.bounds:
        low, high = column.bounds
        moved = (np.clip(chunks.number(values), low, high) - (low + high) / 2) / ((high - low) / 2)
        return np.asarray(np.nan_to_num(moved)[:, None])
    return np.asarray(np.eye(len(chunks.names(column.domain)))[chunks.cells(values, column.domain)])


_TABLE = np.rint((1 << _P) / (1 + np.exp(-np.arange(-_REACH << _Z, (_REACH << _Z) + 1) / (1 << _Z))))


def gradient(rows: np.ndarray, answers: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return X'R: (d,) int64, exact.

    Args:
        rows: (n, d) int16.
        answers: (n,) int8, 0 or 1.
        weights: (d,) int64 multiples of 2^-12.
    """
    found = np.zeros(rows.shape[1])
    for start in range(0, len(rows), _BLOCK):
        block = rows[start : start + _BLOCK].astype(np.float64)
        z = block @ weights.astype(np.float64)  # 2^22 times the logit
        at = np.clip(np.rint(z / (1 << (_X + _W - _Z))), -_REACH << _Z, _REACH << _Z).astype(np.int64)
        residual = _TABLE[at + (_REACH << _Z)] - answers[start : start + _BLOCK] * float(1 << _P)
        found += residual @ block
    return found.astype(np.int64)


def descend(made: Plan, rows: np.ndarray, answers: np.ndarray, draw: Bytes = noise.fresh) -> np.ndarray:
    """Return (d,) int64 weights, multiples of 2^-12, from noisy gradients alone; the last half of the path is averaged.

    Source: Nesterov 1983 with the step 1 / (1/4 + l) of a logistic loss over rows of length at most 1.
    """
    count = max(1.0, float(len(rows) + noise.sample(_count_law(made), 1, draw)[0]))
    law, unit, ridge = made.law, made.unit, 1e-4
    weights = before = np.zeros(made.width)
    total, kept = np.zeros(made.width), 0
    for step in range(made.training.steps):
        ahead = weights + step / (step + 3) * (weights - before)
        whole = np.rint(np.clip(ahead, -(1 << 18), 1 << 18) * (1 << _W)).astype(np.int64)
        exact = gradient(rows, answers, whole)
        noisy = (exact + unit // 2) // unit + noise.sample(law, made.width, draw)
        slope = noisy * (unit / (1 << (_X + _P))) / count + ridge * ahead
        before, weights = weights, ahead - slope / (0.25 + ridge)
        if 2 * step >= made.training.steps:
            total, kept = total + weights, kept + 1
    return np.rint(total / max(kept, 1) * (1 << _W)).astype(np.int64)


def train(made: Plan, parts: Iterable[pd.DataFrame], ledger: Ledger, source: str) -> bytes:
    """Reserve, then learn; return the model as JSON.

    Raises:
        InputError: ``privacy.overdrawn``, before anything is read; ``privacy.table``, ``privacy.rows`` after.
        StorageError: ``store.disk``, ``store.server``.
    """
    training = made.training
    reservation = ledger.reserve(source, made.loss, f"logistic regression of {training.target}")
    weights = descend(made, *encoded(training, parts))
    model = {
        "version": 1, "kind": "logistic", "reservation": reservation,
        "loss": {"rho": made.loss.rho / RHO, "delta": made.loss.delta / DELTA},
        "target": training.target, "positive": training.positive, "columns": msgspec.to_builtins(training.columns),
        "weights": (weights / (1 << _W)).tolist(),
    }  # fmt: skip
    raw = json.dumps(model, ensure_ascii=False, allow_nan=False, indent=1).encode()
    ledger.released(reservation, raw)
    return raw


def predict(model: Mapping[str, Any], rows: pd.DataFrame) -> np.ndarray:
    """Return (n,) float64 probabilities of the positive class, by a model that :func:`train` wrote.

    Raises:
        InputError: ``privacy.training`` for columns that are not understood.
        KeyError: A column is missing.
    """
    told = {"target": model["target"], "positive": model["positive"], "columns": model["columns"], "loss": {"rho": 1.0}}
    training = read(told)
    scale = 1 / math.sqrt(len(training.columns) + 1)
    pieces = [np.ones((len(rows), 1))]
    pieces += [piece(rows[name], column) for name, column in training.columns.items()]
    logits = np.concatenate(pieces, axis=1) @ np.array(model["weights"], dtype=np.float64) * scale
    return np.asarray(1 / (1 + np.exp(-np.clip(logits, -700, 700))))
