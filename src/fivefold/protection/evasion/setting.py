"""Setting: which rows are attacked, in which space, with which budget; shared by both checks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from fivefold.errors import UnsupportedError
from fivefold.protection.evasion.hunt import Goal, Limit
from fivefold.protection.evasion.oracle import SHARE, Oracle, of_subject
from fivefold.subject.possible import space as spaces
from fivefold.subject.possible import waves

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fivefold.contract.check import Context
    from fivefold.contract.subject import Subject, Table
    from fivefold.subject.possible.space import Space

PUBLIC = 2000
"""Rows that the attacker has and asks about before he attacks."""

_FEWEST = 10
_CELLS = 20_000_000
"""Most numbers in all rows under attack, and in all public ones."""

_SPARE = 8
"""Questions per row besides the attack: the answer itself, confirmation, the curve."""


@dataclass(frozen=True)
class Setting:
    """Everything that an attack on the user's model needs.

    Attributes:
        subject: The model.
        space: Possible rows.
        sample: Rows under attack, targets known.
        values: (n, d) the same as vectors.
        public: Rows that the attacker has.
        public_values: (m, d).
        oracle: The model, counted.
        limit: What the attacker is given.
        tolerance: Regression: what counts as a changed answer; None: classes.
        total: Test rows with a known target.
        notes: What the reader should know.
    """

    subject: Subject
    space: Space
    sample: Table
    values: np.ndarray
    public: Table
    public_values: np.ndarray
    oracle: Oracle
    limit: Limit
    tolerance: float | None
    total: int
    notes: tuple[str, ...]

    def is_right(self, answers: np.ndarray) -> np.ndarray:
        """Return (n,) bool: whether answers to the sample are right."""
        if self.tolerance is None:
            return np.asarray(answers == self.sample.target)
        return np.asarray(np.abs(answers - self.sample.target) <= self.tolerance)

    def goal(self, answers: np.ndarray) -> Goal:
        """Return when rows with these answers have fallen."""
        return Goal(answers, self.tolerance)


def lay_out(context: Context) -> Setting:
    """Read data and options, draw the rows, share out the budget.

    Raises:
        UnsupportedError: ``evasion.subject``, ``evasion.inputs``, ``evasion.rows`` or ``evasion.fixed``.
    """
    subject = context.subject
    if subject is None or not subject.capabilities.perturbable:
        raise UnsupportedError("evasion.subject", "there is no model that answers for changed rows.")
    test = _known(context.tables("test"))
    if test.kind not in ("table", "image", "series"):
        raise UnsupportedError(
            "evasion.inputs", f"this attack changes tables, images and series, not data of kind {test.kind}."
        )
    if len(test) < _FEWEST:
        raise UnsupportedError(
            "evasion.rows",
            f"only {len(test)} test rows have a known target.",
            remedy=f"Give at least {_FEWEST}; a few hundred are needed for a judgement.",
        )
    train = _train(context)
    both = [test] if train is None else [test, train]
    space, epsilon = _space(both, context)
    if space.is_empty:
        raise UnsupportedError(
            "evasion.fixed",
            "an attacker may change nothing: every feature is immutable, constant or hardly repeats.",
            remedy="Declare `range:` for features that people can change.",
        )
    queries = int(_number(context.options, "queries", 200))
    left = subject.capabilities.calls_left
    purse = None if left is None else int(left * SHARE)
    shape = Oracle(lambda values, _: values, purse, subject.capabilities.max_rows)
    rows, public_rows, notes = _shares(shape.affordable, context.rows, queries)
    most = max(_FEWEST, _CELLS // len(space.low))
    if most < rows:
        notes = [*notes, f"So wide are the inputs that {most} rows are attacked, to bound memory."]
    rows, public_rows = min(rows, most), min(public_rows, most)
    chosen = np.sort(context.rng.choice(len(test), min(rows, len(test)), replace=False))
    sample = test.take(chosen)
    rest = train if train is not None and len(train) else test
    public = rest.take(np.sort(context.rng.choice(len(rest), min(public_rows, len(rest)), replace=False)))
    encoded = space.encode(public)
    notes += _stretched(space, encoded, epsilon)
    tolerance, told = _tolerance(subject, test, context.options)
    return Setting(
        subject,
        space,
        sample,
        space.encode(sample),
        public,
        encoded,
        of_subject(subject, space, sample, purse, context.guarded),
        Limit(epsilon, _number(context.options, "swaps", 1.0), queries),
        tolerance,
        len(test),
        (*space.notes, *notes, *told),
    )


def _space(tables: list[Table], context: Context) -> tuple[Space, float]:
    """Return what may be moved, and how far as a share of each range."""
    epsilon = _number(context.options, "epsilon", 0.05)
    kind = tables[0].kind
    if kind == "series":
        return waves.of_series(tables, _number(context.options, "smooth", 0.1)), epsilon
    if kind == "image":
        return spaces.of_images(tables), epsilon
    return spaces.of_tables(tables, context.settings.features or {}), epsilon


def _number(values: Mapping[str, object], key: str, default: float) -> float:
    value = values.get(key)
    return float(value) if isinstance(value, int | float) else default


def _known(table: Table) -> Table:
    known = table.target >= 0 if table.target.dtype.kind == "i" else np.isfinite(table.target)
    return table if known.all() else table.take(np.flatnonzero(known))


def _train(context: Context) -> Table | None:
    try:
        return context.tables("train")
    except KeyError:
        return None


def _stretched(space: Space, values: np.ndarray, epsilon: float) -> list[str]:
    """Return a note on features whose range is so stretched by a few values that epsilon spans half of all rows."""
    names = [column.name for column in space.columns]
    some = np.flatnonzero(space.moves & (space.unit > 0)) if names else np.empty(0, dtype=np.int64)
    if not len(some):
        return []
    with np.errstate(all="ignore"):
        low, high = np.nanquantile(values[:, some], [0.25, 0.75], axis=0)
    wide = some[(high > low) & (high - low < epsilon * space.unit[some] / space.cost[some])]
    if not len(wide):
        return []
    shown = ", ".join(f"`{names[at]}`" for at in wide[:4]) + (" and others" if len(wide) > 4 else "")
    return [f"A few values stretch the range of {shown}: epsilon spans half of all rows there; declare `range:`."]


def _shares(affordable: int | None, rows: int, queries: int) -> tuple[int, int, list[str]]:
    """Return how many rows are attacked and how many public ones are asked, and what the reader should know of it."""
    if affordable is None:
        return rows, PUBLIC, []
    public = min(PUBLIC, affordable // 5)
    able = (affordable - public) // (queries + _SPARE)
    if able < _FEWEST:
        raise UnsupportedError(
            "evasion.budget",
            f"half of the calls that are left allow {affordable} questions, too few for an attack.",
            remedy="Raise `model.calls`, or lower `queries`.",
        )
    note = [f"The budget of calls allows {able} rows to be attacked."] if able < rows else []
    return min(rows, able), public, note


def _tolerance(subject: Subject, test: Table, options: Mapping[str, object]) -> tuple[float | None, list[str]]:
    if subject.task != "regression":
        return None, []
    declared = options.get("tolerance")
    if isinstance(declared, int | float):
        return float(declared), []
    usual = float(np.abs(test.target - np.median(test.target)).mean())
    return usual, [f"No `tolerance` is declared: the best constant's mean absolute error, {usual:.4g}, is used."]
