"""Rules: a short list, tried from the top; each rule is one condition or two that hold together.

Of all pairs of conditions the one is taken that tells most of its rows against the mean of those that are left, less
what an additive model could still have told of them; its rows are set aside, and so on. Where a direction is declared,
the list is a falling one: answers only fall from rule to rule, and conditions on that column only point in its
direction, so that the answer can only move in the declared direction.
Source: Rivest 1987 (decision lists); Fuernkranz 1999 (separate and conquer); Wang and Rudin 2015 (falling rule lists).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from fivefold.explanation.antehoc import additive
from fivefold.explanation.antehoc.form import Condition, Model, Rule
from fivefold.explanation.antehoc.steps import bare, places

if TYPE_CHECKING:
    from fivefold.explanation.antehoc.form import Term
    from fivefold.explanation.antehoc.steps import Lesson

MOST_ROWS = 20_000
_CONDITIONS = 240
_LEAST = 0.03
_FEWEST = 10
_REGRET = 1.0
_MOST_TERMS = 30
_SIGNIFICANT = 6.0
"""Least gain of a rule, in log-likelihood (or squared spreads); that of two conditions must be larger than of one."""


@dataclass(frozen=True)
class _Left:
    """Rows that no rule has taken yet.

    Attributes:
        hold: (n, L) float32, 1 where a condition holds.
        told: (n, K) targets, as indicators or one value.
        ideal: (n,) loss of the additive model.
        scale: Variance of a quantity; 0: classes.
    """

    hold: np.ndarray
    told: np.ndarray
    ideal: np.ndarray
    scale: float

    def without(self, taken: np.ndarray) -> _Left:
        return _Left(self.hold[~taken], self.told[~taken], self.ideal[~taken], self.scale)


def learn(given: Lesson, rules: int, cuts: int, rng: np.random.Generator) -> Model:
    """Learn a rule list.

    Args:
        given: Rows.
        rules: Most rules.
        cuts: Most cuts of a number, or named texts, of one column.
        rng: Draws rows where there are many.

    Raises:
        InputError: As :func:`fivefold.explanation.antehoc.steps.bare`.
    """
    if len(given.target) > MOST_ROWS:
        given = given.take(np.sort(rng.choice(len(given.target), MOST_ROWS, replace=False)))
    laid, codes = bare(given, cuts)
    told = given.target[:, None].astype(np.float64)
    if given.task != "regression":
        told = (given.target[:, None] == np.arange(len(given.classes))).astype(np.float64)
    conditions, hold = _conditions(given, laid, codes)
    scale = float(told.var()) if given.task == "regression" else 0.0
    chosen = _weightiest(hold, told, scale)
    conditions = [conditions[at] for at in chosen]
    columns = np.unique([one.column for one in conditions], return_inverse=True)[1]
    hold = hold[:, chosen].astype(np.float32)
    left, made, last = _Left(hold, told, _ideal(given, told, cuts, scale, rng), scale), [], np.inf
    falling = bool(given.monotone)
    for _ in range(rules):
        pair = _best(left, columns, len(told), last if falling else None)
        if pair is None:
            break
        taken = left.hold[:, pair[0]] * left.hold[:, pair[1]] > 0
        # one row more that is as usual: a chance of 0 or 1 would be more than some rows can tell
        answer = (left.told[taken].sum(axis=0) + left.told.mean(axis=0)) / (taken.sum() + 1)
        answer = _no_higher(answer, last) if falling else answer
        last = float(answer[-1])
        made.append(Rule(when=tuple(conditions[at] for at in dict.fromkeys(pair)), answer=_answer(answer, given)))
        left = left.without(taken)
    rest = left.told.mean(axis=0) if len(left.told) else told.mean(axis=0)
    if falling and made:
        rest = _no_higher(rest, last)
    return Model(form="rules", task=given.task, classes=given.classes, rules=tuple(made),
                 otherwise=_answer(rest, given))  # fmt: skip


def _no_higher(answer: np.ndarray, last: float) -> np.ndarray:
    one = min(float(answer[-1]), last)
    return np.array([1 - one, one]) if len(answer) == 2 else np.array([one])


def _answer(answer: np.ndarray, given: Lesson) -> tuple[float, ...]:
    """Return chances in thousandths that sum to 1, or a value to a thousandth of the spread."""
    digits = places(given)
    told = [round(float(one), digits) for one in answer]
    if given.task != "regression":
        most = int(np.argmax(told))
        told[most] = round(1.0 - sum(one for at, one in enumerate(told) if at != most), digits)
    return tuple(told)


def _conditions(given: Lesson, laid: list[Term], codes: np.ndarray) -> tuple[list[Condition], np.ndarray]:
    """Return L conditions and (n, L) where they hold; of a declared column those in its direction alone."""
    found, hold = [], []
    for at, term in enumerate(laid):
        step, lacks = codes[:, at], len(term.adds)
        sign = given.monotone.get(term.column, 0)
        for place, name in enumerate(term.names):
            found.append(Condition(column=term.column, kind=term.kind, test="is", name=name))
            hold.append(step == place)
        for place, cut in enumerate(term.cuts):
            if sign >= 0:
                found.append(Condition(column=term.column, kind=term.kind, test="from", cut=cut))
                hold.append((step > place) & (step < lacks))
            if sign <= 0:
                found.append(Condition(column=term.column, kind=term.kind, test="below", cut=cut))
                hold.append(step <= place)
        if (step == lacks).any():
            found.append(Condition(column=term.column, kind=term.kind, test="missing"))
            hold.append(step == lacks)
    return found, np.column_stack(hold)


def _ideal(given: Lesson, told: np.ndarray, cuts: int, scale: float, rng: np.random.Generator) -> np.ndarray:
    """Return (n,) what an additive model of all columns loses on each row: log-loss, or squares over the spread."""
    answers = additive.learn(given, _MOST_TERMS, cuts, rng).answers(given.features)
    if given.task == "regression":
        return np.asarray((answers[:, 0] - told[:, 0]) ** 2 / (2 * scale or 1.0))
    return np.asarray(-np.log(np.clip((answers * told).sum(axis=1), 1e-9, 1.0)))


def _weightiest(hold: np.ndarray, told: np.ndarray, scale: float) -> np.ndarray:
    """Return rising positions of the conditions that tell most alone."""
    count = hold.sum(axis=0).astype(np.float64)
    gain = _told(count, hold.T.astype(np.float32) @ told, told.mean(axis=0), scale)[0]
    return np.sort(np.argsort(-gain, kind="stable")[:_CONDITIONS])


def _told(count: np.ndarray, sums: np.ndarray, usual: np.ndarray, scale: float) -> tuple[np.ndarray, np.ndarray]:
    """Return what a rule tells of its rows against the usual answer, and what it loses on them.

    Log-likelihood of classes (the rows times the divergence of their shares from the usual ones), squares over twice
    the variance of values; the loss of values is less their own squares, which no rule changes.

    Args:
        count: Rows that are taken, any shape.
        sums: (..., K) their targets added up.
        usual: (K,) mean target of the rows that are left.
        scale: Variance of a quantity; 0: classes.
    """
    mean = sums / np.maximum(count, 1.0)[..., None]
    if not scale:
        loss = -np.where(sums > 0, sums * np.log(np.maximum(mean, 1e-12)), 0.0).sum(axis=-1)
        return -(sums * np.log(np.maximum(usual, 1e-12))).sum(axis=-1) - loss, loss
    return count * (mean[..., 0] - usual[0]) ** 2 / (2 * scale), -count * mean[..., 0] ** 2 / (2 * scale)


def _best(left: _Left, columns: np.ndarray, whole: int, most: float | None) -> tuple[int, int] | None:
    """Return the pair of conditions to take next (twice the same: one condition); None: none tells enough."""
    if len(left.told) < 2 * _FEWEST:
        return None
    count = (left.hold.T @ left.hold).astype(np.float64)
    sums = np.stack([left.hold.T @ (left.hold * one[:, None]) for one in left.told.T.astype(np.float32)], axis=-1)
    spent = left.told[:, 0] ** 2 / (2 * left.scale) if left.scale else np.zeros(len(left.told))
    ideal = left.hold.T @ (left.hold * (left.ideal - spent).astype(np.float32)[:, None])
    gain, loss = _told(count, sums.astype(np.float64), left.told.mean(axis=0), left.scale)
    worth = gain - _REGRET * (loss - ideal)
    least = max(_FEWEST, _LEAST * whole)
    able = (count >= least) & (len(left.told) - count >= _FEWEST) & (gain >= _SIGNIFICANT)
    alone = np.diag(worth)
    pays = worth > np.maximum(alone[:, None], alone[None, :]) + _SIGNIFICANT / 2
    able &= pays | np.eye(len(worth), dtype=bool)
    if most is not None:
        answer, usual = sums[..., -1] / np.maximum(count, 1), left.told[:, -1].mean()
        able &= (answer <= most) & (answer > usual)
    if not able.any():
        return None
    one, two = divmod(int(np.argmax(np.where(able, worth, -np.inf))), len(worth))
    return (one, two) if columns[one] <= columns[two] else (two, one)
