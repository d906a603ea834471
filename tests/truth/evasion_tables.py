"""Subjects of P1.tables: additive models, for which robust accuracy within a budget of costs is known.

What an attacker can add to a sum of scores is a knapsack: numbers are bought in parts by gain for cost, categories of
one price whole, so the best of them are had by trying how many; with plain loops and no code of the product. One-hot
columns and a rule between two columns are guarded by the subject itself: it answers wrongly to any row that cannot be,
so an attack that makes such rows fells everything. The floor is declared 0.10 above the exact robust accuracy over all
test rows (planted), or 0.10 below it (clean).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from fivefold.contract.subject import Capabilities, SettingsView, Table

from .entry import Entry
from .evasion import Additive, Part, _beside_zero, _centred, _table, draw
from .subjects import context

if TYPE_CHECKING:
    from fivefold.contract.check import Context

CHECK = "P1.tables"
MARGIN = 0.10
_GRID = 41
_NEAR = 0.06


@dataclass(frozen=True)
class Strict:
    """An additive model that is told one-hot columns, or two columns of which one is never the larger.

    Attributes:
        inner: The model.
        coded: Category to its one-hot columns, in the order of its levels.
        ordered: Two columns, the smaller first; None: no rule.
    """

    inner: Additive
    coded: dict[str, tuple[str, ...]]
    ordered: tuple[str, str] | None

    @property
    def task(self) -> str:
        return self.inner.task

    @property
    def classes(self) -> tuple[str, ...]:
        return self.inner.classes

    @property
    def capabilities(self) -> Capabilities:
        return self.inner.capabilities

    def predict(self, asked: Table) -> np.ndarray:
        frame, broken = asked.features.copy(), np.zeros(len(asked), dtype=bool)
        for name, columns in self.coded.items():
            codes = frame[list(columns)].to_numpy(dtype=float)
            broken |= codes.sum(axis=1) != 1
            frame[name] = np.array(self.inner.parts[name].levels, dtype=object)[codes.argmax(axis=1)]
        if self.ordered is not None:
            broken |= (frame[self.ordered[0]] > frame[self.ordered[1]]).to_numpy()
        answers = self.inner.predict(asked.with_features(frame))
        return np.where(broken, (answers + 1) % len(self.classes), answers)


def robust(
    model: Additive, rows: Table, units: dict[str, float], budget: float, swap: float, tolerance: float,
    ordered: tuple[str, str] | None = None,
) -> np.ndarray:  # fmt: skip
    """Return (n,) bool: right, and right after every change within the budget (whole numbers as if they were any)."""
    cells = {name: model.cells(rows, name) for name in model.parts}
    scores, answers = model.score(rows), model.predict(rows)

    def most(parts: dict[str, Part], mine: np.ndarray, pair: tuple[int, int]) -> np.ndarray:
        some = {name: column[mine] for name, column in cells.items()}
        return _most(parts, some, units, (budget, swap), pair, ordered)

    if model.kind == "regression":
        both, every = _beside_zero(model.parts), np.ones(len(answers), dtype=bool)
        right = np.abs(answers - rows.target) <= tolerance
        for pair in ((0, 1), (1, 0)):
            right &= most(both, every, pair) <= tolerance
        return right
    stands = answers == rows.target
    for code in range(len(model.offset)):
        for other in range(len(model.offset)):
            mine = answers == code
            if other == code or not mine.any():
                continue
            reached = scores[mine, other] - scores[mine, code] + most(model.parts, mine, (other, code))
            stands[mine] &= reached < 0 if other < code else reached <= 0
    return stands


def _most(
    parts: dict[str, Part], cells: dict[str, np.ndarray], units: dict[str, float], given: tuple[float, float],
    pair: tuple[int, int], ordered: tuple[str, str] | None,
) -> np.ndarray:  # fmt: skip
    budget, swap = given
    one, two = pair
    n = len(next(iter(cells.values())))
    chosen = [part.gain(cells[name], 0.0, one, two) for name, part in parts.items() if part.kind == "category"]
    ranked = -np.sort(-np.maximum(chosen, 0.0), axis=0) if chosen else np.zeros((0, n))
    rates, rooms = [], []
    for name, part in parts.items():
        if part.kind == "category" or part.fixed or (ordered and name in ordered):
            continue
        values = cells[name].astype(float)
        if part.cut is not None:  # a stump is crossed or not: all of its gain at its price
            side = np.where(values > part.cut, -1.0, 1.0) * (part.weight[one] - part.weight[two])
            away = np.abs(values - part.cut) / units[name] + 1e-9
            rates.append(np.where(side > 0, side, 0.0) / away)
            rooms.append(-away)
            continue
        slope = (part.weight[one] - part.weight[two]) * units[name]
        room = (part.high - values if slope > 0 else values - part.low) / units[name]
        rates.append(np.where(np.isnan(room), 0.0, abs(slope)))
        rooms.append(np.nan_to_num(np.maximum(room, 0.0)))
    best = np.zeros(n)
    for count in range(min(len(ranked), int(budget / swap + 1e-9)) + 1):
        left = budget - count * swap
        gained = ranked[:count].sum(axis=0)
        best = np.maximum(best, gained + _spent(rates, rooms, left, n) if ordered is None
                          else gained + _paired(parts, cells, units, left, pair, ordered, (rates, rooms)))  # fmt: skip
    return best


def _spent(rates: list[np.ndarray], rooms: list[np.ndarray], budget: float, n: int) -> np.ndarray:
    if not rates:
        return np.zeros(n)
    rate, room = np.array(rates), np.array(rooms)
    whole = (room < 0).all()
    order = np.argsort(-rate, axis=0)
    rate, room = np.take_along_axis(rate, order, 0), np.abs(np.take_along_axis(room, order, 0))
    before = np.cumsum(room, axis=0) - room
    if whole:  # equal gains: cheapest first, whole ones only
        return (rate * room * (before + room <= budget)).sum(axis=0)
    return (rate * np.clip(budget - before, 0.0, room)).sum(axis=0)


def _paired(
    parts: dict[str, Part], cells: dict[str, np.ndarray], units: dict[str, float], budget: float, pair: tuple[int, int],
    ordered: tuple[str, str], rest: tuple[list[np.ndarray], list[np.ndarray]],
) -> np.ndarray:  # fmt: skip
    """Return (n,) the best gain over a grid of both ordered columns, the rest of the budget spent on the others."""
    one, two = pair
    n = len(next(iter(cells.values())))
    left = np.linspace(0.0, budget, _GRID)
    others = np.array([_spent(*rest, amount, n) for amount in left])
    best = others[-1].copy()
    (a, b), steps = ordered, np.linspace(-budget, budget, 2 * _GRID - 1)
    slope = [(parts[name].weight[one] - parts[name].weight[two]) * units[name] for name in ordered]
    first, second = cells[a].astype(float), cells[b].astype(float)
    for s in steps:
        for t in steps:
            paid = abs(s) + abs(t)
            if paid > budget + 1e-12:
                continue
            moved = first + s * units[a], second + t * units[b]
            can = (moved[0] <= moved[1]) & (moved[0] >= parts[a].low) & (moved[0] <= parts[a].high)
            can &= (moved[1] >= parts[b].low) & (moved[1] <= parts[b].high)
            place = int(np.floor((budget - paid) / max(budget, 1e-12) * (_GRID - 1) + 1e-9))
            best = np.where(can, np.maximum(best, s * slope[0] + t * slope[1] + others[place]), best)
    return best


def _ordered(rng: np.random.Generator, rows: int) -> tuple[Additive, pd.DataFrame]:
    """Return a model of three to six numbers, of which the first is never above the second."""
    values = rng.random((rows, int(rng.integers(3, 7))))
    values[:, :2] = np.sort(values[:, :2], axis=1)
    frame = pd.DataFrame(values, columns=[f"f{at}_{rng.integers(1000)}" for at in range(values.shape[1])])
    weight = rng.normal(size=(values.shape[1], 2))
    weight[0], weight[1] = np.sort(np.abs(weight[0])), -np.sort(np.abs(weight[1]))  # they pull across the rule
    parts = {
        name: Part("number", weight[at], low=float(frame[name].min()), high=float(frame[name].max()))
        for at, name in enumerate(frame.columns)
    }
    return _centred(Additive(parts, np.zeros(2), "binary"), frame, None), frame


def build(
    seed: int, *, kind: str = "mixed", margin: float = 0.0, wanted: tuple[float, float] = (0.62, 0.82),
    rows: int = 2000, floor: float | None = None,
) -> Context:  # fmt: skip
    """Build one subject.

    Args:
        seed: Decides everything that is not given.
        kind: ``mixed``, ``numbers``, ``stumps``, ``several classes``, ``regression``, ``one-hot`` or ``rule``.
        margin: Declared floor less exact robust accuracy.
        wanted: Range of the exact robust accuracy; the budget is chosen to reach it.
        rows: Test rows; half as many are training rows.
        floor: Declared; None: by ``margin``.
    """
    for attempt in range(40):
        rng = np.random.default_rng([seed, attempt])
        made = _drawn(rng, kind, rows, wanted)
        if wanted[0] - _NEAR <= made.exact <= wanted[1] + _NEAR:
            break
    model, frame, target, ordered = made.model, made.frame, made.target, made.ordered
    coded: dict[str, tuple[str, ...]] = {}
    shown = frame
    if kind == "one-hot":
        shown, coded = _coded(frame, model)
    subject = Strict(model, coded, ordered) if coded or ordered else model
    fixed = [one for name, part in model.parts.items() if part.fixed for one in coded.get(name, (name,))]
    options: dict[str, object] = {"budget": made.budget, "swap_cost": made.swap}
    options |= {"tolerance": made.tolerance} if model.kind == "regression" else {}
    options |= {"rules": [f"`{ordered[0]}` <= `{ordered[1]}`"]} if ordered else {}
    return context(
        CHECK, subject,  # type: ignore[arg-type]
        {"test": _table("test", shown.iloc[:rows], target[:rows], None),
         "train": _table("train", shown.iloc[rows:], target[rows:], None)},
        seed, thresholds={"min_robust_accuracy": made.exact + margin if floor is None else floor},
        settings=SettingsView(features={name: {"immutable": True} for name in fixed}), options=options,
    )  # fmt: skip


@dataclass(frozen=True)
class _Drawn:
    model: Additive
    frame: pd.DataFrame
    target: np.ndarray
    ordered: tuple[str, str] | None
    budget: float
    swap: float
    tolerance: float
    exact: float


def _drawn(rng: np.random.Generator, kind: str, rows: int, wanted: tuple[float, float]) -> _Drawn:
    total = rows + max(rows // 2, 200)
    if kind == "rule":
        model, frame = _ordered(rng, total)
    else:
        model, frame, _ = draw(rng, "mixed" if kind == "one-hot" else kind, total)
    if kind == "one-hot":  # a missing category has no code
        for name, part in model.parts.items():
            if part.kind == "category":
                frame[name] = frame[name].where(frame[name].notna(), part.levels[0])
    answers = model.predict(_table("all", frame, np.zeros(total, dtype=np.int64), None))
    wrong, aim = rng.random(total) < rng.uniform(0.0, 0.08), float(rng.uniform(*wanted))
    ordered = (str(frame.columns[0]), str(frame.columns[1])) if kind == "rule" else None
    swap = float(rng.choice([0.1, 0.25]))
    units = {name: _unit(frame[name]) for name, part in model.parts.items() if part.kind != "category"}
    if model.kind == "regression":
        return _valued(rng, (model, frame, answers), rows, (units, swap, aim))
    target = np.where(wrong, (answers + 1) % len(model.offset), answers)
    test = _table("test", frame.iloc[:rows], target[:rows], None)
    budget, exact = _chosen(model, test, units, swap, 0.0, aim, ordered)
    return _Drawn(model, frame, target, ordered, budget, swap, 0.0, exact)


def _valued(
    rng: np.random.Generator, made: tuple[Additive, pd.DataFrame, np.ndarray], rows: int,
    given: tuple[dict[str, float], float, float],
) -> _Drawn:  # fmt: skip
    """Return a regression: its budget is drawn, and the tolerance is chosen (at one budget all rows move alike)."""
    model, frame, answers = made
    units, swap, aim = given
    budget, spread = swap + float(rng.uniform(0.0, 0.2)), float(np.std(answers))
    off = rng.uniform(-0.3, 0.3, len(answers))
    low, high, exact = 0.01 * spread, 5.0 * spread, 0.0
    for _ in range(14):
        middle = float(np.sqrt(low * high))
        target = answers + off * middle
        found = robust(
            model, _table("test", frame.iloc[:rows], target[:rows], None), units, budget, swap, middle
        ).mean()
        low, high = (low, middle) if found > aim else (middle, high)
    tolerance, target = high, answers + off * high
    exact = float(robust(model, _table("t", frame.iloc[:rows], target[:rows], None), units, budget, swap, high).mean())
    return _Drawn(model, frame, target, None, budget, swap, tolerance, exact)


def _unit(cells: pd.Series) -> float:
    low, high = np.quantile(cells.dropna().to_numpy(dtype=float), [0.01, 0.99])
    return float(high - low)


def _coded(frame: pd.DataFrame, model: Additive) -> tuple[pd.DataFrame, dict[str, tuple[str, ...]]]:
    made: dict[str, object] = {}
    coded = {}
    for name in frame.columns:
        part = model.parts[str(name)]
        if part.kind != "category":
            made[str(name)] = frame[name]
            continue
        coded[str(name)] = tuple(f"{name}={level}" for level in part.levels)
        made |= {f"{name}={level}": (frame[name] == level).astype(np.int64) for level in part.levels}
    return pd.DataFrame(made), coded


def _chosen(
    model: Additive, test: Table, units: dict[str, float], swap: float, tolerance: float, wanted: float,
    ordered: tuple[str, str] | None,
) -> tuple[float, float]:  # fmt: skip
    """Return the budget at which robust accuracy comes nearest to ``wanted``, and what it is there."""
    part = test.take(np.arange(0, len(test), 4)) if ordered else test
    low, high = 0.005, 5.0
    for _ in range(10 if ordered else 14):
        middle = float(np.sqrt(low * high))
        found = robust(model, part, units, middle, swap, tolerance, ordered)
        low, high = (middle, high) if found.mean() > wanted else (low, middle)
    return low, float(robust(model, test, units, low, swap, tolerance, ordered).mean())


def undefended(seed: int) -> Context:
    """Build the undefended reference: a linear model on four numbers, at the default budget and floor."""
    rng = np.random.default_rng([seed, 3])
    frame = pd.DataFrame(rng.random((3000, 4)), columns=["a", "b", "c", "d"])
    parts = {name: Part("number", rng.normal(size=2)) for name in frame.columns}
    model = _centred(Additive(parts, np.zeros(2), "binary"), frame, None)
    target = model.predict(_table("all", frame, np.zeros(3000, dtype=np.int64), None))
    tables = {
        "test": _table("test", frame.iloc[:2000], target[:2000], None),
        "train": _table("train", frame.iloc[2000:], target[2000:], None),
    }
    return context(CHECK, model, tables, seed, thresholds={"min_robust_accuracy": 0.5}, settings=SettingsView())


KINDS = ("mixed", "numbers", "stumps", "several classes", "regression", "one-hot", "rule")

ENTRY = Entry(
    check=CHECK,
    documented="robust accuracy 0.10 below the declared floor, at the declared budget, for additive models and stumps "
    "with 3 to 40 features, 2,000 test rows and the default number of questions",
    planted={f"{kind}, 0.10 below": partial(build, kind=kind, margin=MARGIN, wanted=(0.42, 0.8)) for kind in KINDS},
    clean={f"{kind}, 0.10 above": partial(build, kind=kind, margin=-MARGIN, wanted=(0.62, 0.88)) for kind in KINDS},
    between={f"0.05 below, {kind}": partial(build, kind=kind, margin=0.05) for kind in ("mixed", "rule")},
    small={"100 rows, 0.10 below": partial(build, margin=MARGIN, rows=100)},
    shown={"0.05 above": partial(build, margin=-0.05)},
    thinned=6,
)
