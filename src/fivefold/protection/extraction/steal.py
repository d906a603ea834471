"""Steal: spend a budget of questions, learn a copy, and say how well it agrees with the model on rows held back."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from fivefold.protection.extraction import queries, students
from fivefold.protection.extraction.answers import DECIMALS, Voice

if TYPE_CHECKING:
    from collections.abc import Callable

    from fivefold.protection.extraction.students import Student
    from fivefold.subject.possible.space import Space

    Ask = Callable[[np.ndarray, np.ndarray], np.ndarray]
    """Rows (m, d) and the public row that each was made of, to (m, K) answers."""

_CROSSINGS = 8
_ADDITIVE = 1e-4
_ENOUGH = 0.995
_CHECKED = 0.2
_FOLDS = 5
_CANDIDATES = 4
_PARTS = (16, 4, 1)
_CELLS = 20_000_000
_OWN_ROWS = 30


@dataclass(frozen=True)
class Prey:
    """What is stolen from, and with what.

    Attributes:
        space: Possible rows.
        pool: (m, d) rows that the thief has.
        held: (n, d) rows on which the copy is judged; the thief never asks for them.
        held_told: (n, K) what the model says of them.
        voice: How it answers.
        ask: Asks it; NaN where it does not answer.
        budget: Most questions.
        missing: (d,) bool, columns in which cells are missing.
    """

    space: Space
    pool: np.ndarray
    held: np.ndarray
    held_told: np.ndarray
    voice: Voice
    ask: Ask
    budget: int
    missing: np.ndarray

    def inputs(self, values: np.ndarray) -> np.ndarray:
        """Return (n, p) what students see."""
        return queries.inputs(self.space, values, self.missing)

    @property
    def truth(self) -> np.ndarray:
        """(n,) what the model says of the held-back rows."""
        return self.voice.said(self.held_told)


@dataclass(frozen=True)
class Loot:
    """The questions asked and their answers.

    Attributes:
        solve: (s, p) inputs that make equations, s = 0 if none were asked.
        solve_told: (s, K) answers.
        learn: (m, p) other inputs, in the order asked.
        learn_told: (m, K) answers.
        asked: Questions in all that were answered.
    """

    solve: np.ndarray
    solve_told: np.ndarray
    learn: np.ndarray
    learn_told: np.ndarray

    @property
    def asked(self) -> int:
        """Questions in all."""
        return len(self.solve) + len(self.learn)


@dataclass(frozen=True)
class Copy:
    """A copy.

    Attributes:
        name: The student.
        agreed: (n,) bool on the held-back rows.
        distance: Largest difference of a score (values: in spreads) on nine tenths of these rows.
        asked: Questions that it took.
    """

    name: str
    agreed: np.ndarray
    distance: float
    asked: int

    @property
    def fidelity(self) -> float:
        """Share of held-back rows on which it says the same as the model."""
        return float(self.agreed.mean())


def rob(prey: Prey, rng: np.random.Generator) -> Loot:
    """Ask: whether scores add up; if so the rows that solve them; then rows, and rows on which students differ."""
    crossed = queries.crossings(prey.space, prey.pool, _CROSSINGS, rng) if prey.voice.kind != "labels" else None
    solve = np.empty((0, len(prey.space.low)))
    learn, told, left = [], [], prey.budget
    if crossed is not None and prey.budget > 8 * _CROSSINGS:
        answers = prey.ask(crossed, np.zeros(len(crossed), dtype=np.int64))
        known = np.isfinite(answers).all(axis=1)
        learn.append(crossed[known])
        told.append(answers[known])
        left -= len(crossed)
        rows = queries.equations(prey.space, prey.pool, prey.missing)
        if len(rows) <= left and _adds_up(answers, prey.voice):
            solve, left = rows, left - len(rows)
    solve_told = (
        prey.ask(solve, np.zeros(len(solve), dtype=np.int64)) if len(solve) else np.empty((0, prey.voice.width))
    )
    if not np.isfinite(solve_told).all():  # equations with a hole are rows like others
        known = np.isfinite(solve_told).all(axis=1)
        learn.append(solve[known])
        told.append(solve_told[known])
        solve, solve_told = solve[:0], solve_told[:0]
    first = left if len(solve) else max(1, left // 2)
    values, origin = queries.more(prey.space, prey.pool, first, rng)
    _keep(prey, values, origin, learn, told)
    if left > first:
        values, origin = _doubtful(prey, np.concatenate(learn), np.concatenate(told), left - first, rng)
        _keep(prey, values, origin, learn, told)
    if not sum(map(len, told)):  # he learns nothing: one row, and that anything may be the answer
        learn.append(prey.pool[:1])
        told.append(np.full((1, prey.voice.width), 1 / prey.voice.width))
    inputs = prey.inputs(np.concatenate(learn))
    return Loot(prey.inputs(solve), solve_told, inputs, np.concatenate(told))


def _keep(prey: Prey, values: np.ndarray, origin: np.ndarray, learn: list[np.ndarray], told: list[np.ndarray]) -> None:
    """Ask, and keep what is answered."""
    answers = prey.ask(values, origin)
    known = np.isfinite(answers).all(axis=1)
    learn.append(values[known])
    told.append(answers[known])


def _adds_up(told: np.ndarray, voice: Voice) -> bool:
    """Whether the scores of crossed pairs have the sum of the pairs': then they may be those of a linear model."""
    scores = told / (voice.spread or 1.0) if voice.kind == "values" else students.log_ratios(told)
    known = np.isfinite(scores).all(axis=1) & (True if voice.kind == "values" else (told > 1e-9).all(axis=1))
    one, two, three, four = np.split(scores, 4)
    known = np.logical_and.reduce(np.split(known, 4))
    if known.sum() < 2:
        return False
    gap = np.abs(one + two - three - four)[known].max(axis=1)
    return bool(np.median(gap) < _ADDITIVE * max(1.0, float(np.abs(scores).max())))


def _doubtful(
    prey: Prey, values: np.ndarray, told: np.ndarray, count: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows on which a forest is least sure among several times as many (uncertainty sampling)."""
    many = max(count, min(count * _CANDIDATES, _CELLS // prey.pool.shape[1]))
    tried, origin = queries.more(prey.space, prey.pool, many, rng)
    if not len(told):
        return tried[:count], origin[:count]
    voice, labels = (prey.voice, told) if prey.voice.kind == "values" else prey.voice.coarser(told, None)
    forest = students.fit("forest", prey.inputs(values), labels, voice, int(rng.integers(2**31)))
    if forest is None:
        return tried[:count], origin[:count]
    guess = forest(prey.inputs(tried))
    if prey.voice.kind == "values":
        tree = students.fit("tree", prey.inputs(values), told, voice, 0)
        lead = -np.abs(guess - (tree(prey.inputs(tried)) if tree else guess))[:, 0]
    else:
        ranked = np.sort(guess, axis=1)
        lead = ranked[:, -1] - ranked[:, -2]
    # half by doubt, half at random: doubt alone leaves the rest of the rows unknown
    sure = np.argsort(lead, kind="stable")[: count // 2]
    rest = np.setdiff1d(np.arange(len(tried)), sure)[: count - len(sure)]
    chosen = np.concatenate([sure, rest])
    chosen = chosen[rng.permutation(len(chosen))]
    return tried[chosen], origin[chosen]


def copy(
    prey: Prey,
    loot: Loot,
    budget: int,
    decimals: int | str | None,
    names: tuple[str, ...],
    *,
    seed: int,
    careful: bool = True,
) -> Copy:
    """Learn the best copy from at most ``budget`` of the answers, at a precision.

    Students are compared on a fifth of the answers. Those that are not clearly worse there than the best (by one
    standard error of the difference) are compared on all answers, each left out once; the best is fitted again to all.

    Args:
        prey: What is stolen from.
        loot: Questions and answers.
        budget: Most of them used.
        decimals: Of the answers; None: labels only; ``full``: as they are.
        names: Students tried.
        seed: Of students.
        careful: Compare those that a fifth does not tell apart on all answers; else the best on the fifth is taken.
    """
    voice = prey.voice
    solves = len(loot.solve) if 0 < len(loot.solve) <= budget and decimals is not None else 0
    learn = loot.learn[: budget - solves]
    if decimals == "full" or isinstance(decimals, str):
        solve_told, learn_told = loot.solve_told, loot.learn_told[: len(learn)]
    else:
        voice, learn_told = prey.voice.coarser(loot.learn_told[: len(learn)], decimals)
        solve_told = prey.voice.coarser(loot.solve_told, decimals)[1] if solves else loot.solve_told
    held = prey.inputs(prey.held)
    cut = len(learn) - int(len(learn) * _CHECKED)
    made: dict[str, tuple[np.ndarray, Student]] = {}
    if solves:
        student = students.solved(loot.solve, solve_told, voice)
        if student is not None:
            made["equations"] = (_right(student, learn, learn_told, voice), student)
    for name in names:
        if any(right.mean() >= _ENOUGH for right, _ in made.values() if len(right)) or (made and not len(learn)):
            break
        student = students.fit(name, learn[:cut], learn_told[:cut], voice, seed) if cut > 2 else None
        if student is not None:
            made[name] = (_right(student, learn[cut:], learn_told[cut:], voice), student)
    if not made:
        usual = np.tile(learn_told.mean(axis=0), (len(held), 1))
        return _copied(prey, "constant", usual, budget)
    best = _best(made, partial(_left_out, learn, learn_told, voice, seed) if careful else None)
    if best == "equations":
        return _copied(prey, best, made[best][1](held), solves)
    every, told = np.concatenate([learn, loot.solve[:solves]]), np.concatenate([learn_told, solve_told[:solves]])
    again = students.fit(best, every, told, voice, seed)
    return _copied(prey, best, (again or made[best][1])(held), min(budget, loot.asked))


def _best(made: dict[str, tuple[np.ndarray, Student]], left_out: Callable[[str], float] | None) -> str:
    """Return the best student: by the answers checked, and where these do not tell, by all answers left out in turn."""
    checked = {name: right for name, (right, _) in made.items()}
    best = max(checked, key=lambda name: checked[name].mean() if len(checked[name]) else 1.0)
    if best == "equations" or not len(checked[best]) or left_out is None:
        return best
    tied = []
    for name, right in checked.items():
        behind = checked[best] - right if name != "equations" else np.ones(1)
        if behind.mean() <= behind.std() / np.sqrt(len(behind)):
            tied.append(name)
    return max(tied, key=left_out) if len(tied) > 1 else best


def _left_out(inputs: np.ndarray, told: np.ndarray, voice: Voice, seed: int, name: str) -> float:
    """Return the share of answers that a student gives right who has not seen them, each left out once."""
    fold, right = np.arange(len(inputs)) * _FOLDS // len(inputs), 0.0
    for part in range(_FOLDS):
        away = fold == part
        student = students.fit(name, inputs[~away], told[~away], voice, seed)
        right += 0.0 if student is None else float(_right(student, inputs[away], told[away], voice).sum())
    return right / len(inputs)


def _right(student: Student, inputs: np.ndarray, told: np.ndarray, voice: Voice) -> np.ndarray:
    """Return (m,) 1 where a student says the same as the model."""
    if not len(inputs):
        return np.zeros(0)
    return np.asarray(voice.same(voice.said(student(inputs)), voice.said(told)), dtype=np.float64)


def _copied(prey: Prey, name: str, scores: np.ndarray, asked: int) -> Copy:
    agreed = prey.voice.same(prey.voice.said(scores), prey.truth)
    gap = np.abs(scores - prey.held_told).max(axis=1) / (prey.voice.spread if prey.voice.kind == "values" else 1.0)
    return Copy(name, agreed, float(np.quantile(gap, 0.9)), asked)


def without(prey: Prey, target: np.ndarray, told: np.ndarray, seed: int) -> Copy:
    """Return what a thief has who asks nothing: a model of his own rows with their true labels, or the usual answer.

    The usual answer is told by the first few questions, so it counts as known. His own model is the one that fits the
    truth of rows left out best, and counts only if it fits clearly better than the usual label.

    Args:
        prey: What would be stolen from.
        target: (m,) truth of the thief's rows.
        told: (m, K) the model's answers to them; they only decide which of the two agrees better.
        seed: Of students.
    """
    voice, said = prey.voice, prey.voice.said(told)
    usual = _usual(said, voice)
    constant = Copy("the usual answer", voice.same(np.full(len(prey.held), usual), prey.truth), 0.0, 0)
    rows = np.flatnonzero(np.isfinite(target) if voice.kind == "values" else (target >= 0) & (target < voice.width))
    if len(rows) < _OWN_ROWS:
        return constant
    own = voice if voice.kind == "values" else Voice("labels", voice.width)
    right = target[rows, None] if voice.kind == "values" else np.eye(voice.width)[target[rows]]
    inputs, cut = prey.inputs(prey.pool[rows]), len(rows) * 2 // 3
    truth = own.said(right[cut:])
    blind = -_misfit(np.full(len(truth), _usual(own.said(right[:cut]), own)), truth, own)
    best: tuple[float, str, np.ndarray] | None = None
    for name in (*students.QUICK, "forest"):
        student = students.fit(name, inputs[:cut], right[:cut], own, seed)
        if student is None:
            continue
        better = -_misfit(own.said(student(inputs[cut:])), truth, own) - blind
        clear = float(better.mean() - 2 * better.std() / np.sqrt(len(better)))
        if clear > 0 and (best is None or clear > best[0]):
            best = (clear, name, own.said(student(prey.inputs(prey.held))))
    if best is None:
        return constant
    mine = Copy(f"a {best[1]} model of the thief's own rows", voice.same(best[2], prey.truth), 0.0, 0)
    return mine if mine.fidelity > constant.fidelity else constant


def _usual(said: np.ndarray, voice: Voice) -> float:
    return float(np.median(said) if voice.kind == "values" else np.bincount(said.astype(np.int64)).argmax())


def _misfit(said: np.ndarray, truth: np.ndarray, voice: Voice) -> np.ndarray:
    return np.asarray(np.abs(said - truth) if voice.kind == "values" else said != truth, dtype=np.float64)


def curves(prey: Prey, loot: Loot, names: tuple[str, ...], seed: int) -> dict[str, tuple[list[float], list[float]]]:
    """Return precision to budgets and fidelities."""
    wanted: dict[str, int | str | None] = {}
    if prey.voice.kind != "labels":
        wanted["as given"] = "full"
        wanted |= {f"{k} decimal{'s' * (k > 1)}": k for k in DECIMALS}
    if prey.voice.kind != "values":
        wanted["labels only"] = None
    budgets = sorted(
        {max(8, loot.asked // part) for part in _PARTS} | ({len(loot.solve)} if len(loot.solve) else set())
    )
    found = {}
    for title, decimals in wanted.items():
        made = [copy(prey, loot, budget, decimals, names, seed=seed, careful=False).fidelity for budget in budgets]
        found[title] = ([float(budget) for budget in budgets], made)
    return found
