"""Ladder: who answers each row: the model where it is sure enough, else what stands below it, at last nobody.

Each rung that is a model has a threshold of certainty for each group, from calibration rows of its own that the rungs
above leave to it, and one for each number of rungs above that are gone.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np

from fivefold.adaptation.fallback.risk import NOTHING, Guarantee, controlled
from fivefold.adaptation.fallback.rules import ASK
from fivefold.adaptation.fallback.shift import Shift
from fivefold.errors import InputError, SubjectError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import pandas as pd

    from fivefold.adaptation.fallback.rules import Rules
    from fivefold.adaptation.fallback.terms import Terms
    from fivefold.subject.rows import Rows

_FEWEST = 30
EVERYBODY = ""
"""Name of the group where none are told apart."""


class Rung(Protocol):
    """A model below the served one."""

    def scores(self, rows: Rows) -> np.ndarray:
        """Return (n, K) probabilities, or (n,) values of a regression."""
        ...


class Told(NamedTuple):
    """What one rung says to n rows: (n,) answers as class indices or values, and how sure it is of each."""

    answers: np.ndarray
    certainty: np.ndarray


class Descent(NamedTuple):
    """Who answered n rows.

    Attributes:
        answers: (n,) class indices (-1: none) or values (NaN: none).
        by: (n,) index into the ladder's levels.
        rule: (n,) which rule decided; -1: none.
        certainty: (n,) of the model; NaN where it said nothing.
    """

    answers: np.ndarray
    by: np.ndarray
    rule: np.ndarray
    certainty: np.ndarray


class _Gone:
    """A rung that is gone."""

    def scores(self, _rows: Rows) -> np.ndarray:
        raise SubjectError("fallback.gone", "this rung is gone.")


class Ladder:
    """Thresholds from calibration rows, and the way down.

    Attributes:
        terms: As declared.
        rules: The decision table; None: there is none.
        guarantees: Rung to what its thresholds hold, by group: while all rungs run, while the first is gone, and so on
            until it is the first itself.
        shift: Watches whether the rows still come from where the calibration rows came.

    Threat: the model answers where it does not know, or is gone, and nobody else decides.
    Limit: the guarantee is over the draw of the calibration rows and holds while rows come from the same source; rules
    and people are not part of it.
    """

    def __init__(
        self, terms: Terms, calibration: Rows, truth: np.ndarray, model: tuple[np.ndarray, np.ndarray | None],
        rungs: Mapping[str, Rung], *, rules: Rules | None = None, seed: int = 0,
    ) -> None:  # fmt: skip
        """Find the thresholds.

        Args:
            terms: As declared.
            calibration: (n, ...) rows that no model was fitted to.
            truth: (n,) their class indices or values.
            model: (n,) answers of the served model to them, and its (n, K) scores; None: it gives none.
            rungs: The models below it by name; ``simpler`` also where it is no rung but the served model gives no
                scores: its probability of the answer is the certainty then.
            rules: The decision table.
            seed: Of what is drawn: which rows are whose, and ties.

        Raises:
            InputError: ``fallback.calibration`` for too few rows; ``fallback.certainty`` if nothing says how sure the
                model is.
        """
        self.terms, self._rungs, self.rules = terms, dict(rungs), rules
        self._regression = truth.dtype.kind == "f"
        if len(truth) < _FEWEST:
            raise InputError(
                "fallback.calibration", f"{len(truth)} labelled calibration rows are too few.",
                remedy=f"At least {_FEWEST} are needed, and some hundreds for a small risk.",
            )  # fmt: skip
        rng = np.random.default_rng(seed)
        said = {"model": self._told(calibration, model)}
        said |= {name: self.asked(name, calibration) for name in terms.models[1:]}
        groups, names = self._groups(calibration), terms.models
        owner = rng.permutation(len(truth)) % len(names)
        kinds = sorted(set(groups.tolist()))
        tests = len(kinds) * sum(range(1, len(names) + 1))
        self.guarantees: dict[str, list[dict[str, Guarantee]]] = {}
        for place, name in enumerate(names):
            wrong = self.wrong(said[name].answers, truth)
            self.guarantees[name] = [
                {
                    kind: controlled(
                        said[name].certainty[left & (groups == kind)],
                        wrong[left & (groups == kind)],
                        risk=terms.risk,
                        delta=terms.delta / tests,
                    )
                    for kind in kinds
                }
                for left in self._left(said, groups, owner == place, place)
            ]
        self.shift = Shift(said["model"].certainty, rate=terms.false_alarms, rng=rng)

    def descend(
        self,
        rows: Rows | Callable[[], Rows],
        model: tuple[np.ndarray, np.ndarray | None] | None,
        suspect: np.ndarray | None = None,
        *,
        watch: bool = True,
    ) -> Descent:
        """Return who answers each row, and what.

        Args:
            rows: (n, ...) what was asked, or a function that returns it, which is called only where it is looked at.
            model: (n,) answers and (n, K) scores of the served model; None: it is gone.
            suspect: (n,) rows that no model may answer, since they look like an attack; None: none.
            watch: Whether they count for the shift; not where a check asks them.
        """
        nobody, kind = (np.nan, np.float64) if self._regression else (-1, np.int64)
        told = None if model is None else self._told(rows, model)
        if told is not None and watch:
            self.shift.watch(told.certainty)
        if told is not None and suspect is None and self._sure(told):
            n = len(told.answers)
            rule = np.empty(n, dtype=np.int64)
            rule.fill(ASK)
            answers, sure = told.answers.astype(kind, copy=False), told.certainty.astype(np.float64, copy=False)
            return Descent(answers, np.zeros(n, dtype=np.int64), rule, sure)
        rows = _made(rows)
        n = len(rows)
        found = Descent(
            np.full(n, nobody, dtype=kind),
            np.full(n, len(self.terms.levels) - 1, dtype=np.int64),
            np.full(n, ASK, dtype=np.int64),
            np.full(n, np.nan),
        )
        left = np.ones(n, dtype=bool)
        if told is not None:
            found.certainty[:] = told.certainty
        trusted = np.full(n, not self.shift.alarmed) if suspect is None else ~suspect & (not self.shift.alarmed)
        groups, gone = self._groups(rows), int(told is None)
        for place, level in enumerate(self.terms.levels):
            if not left.any():
                break
            if level in self.guarantees and (told is not None or level != "model") and trusted.any():
                said = told if told is not None and level == "model" else self._tried(level, rows)
                if said is None:
                    gone += place == gone
                    continue
                mine = left & trusted & (said.certainty >= self._needed(level, groups, gone))
                found.answers[mine] = said.answers[mine]
            elif level == "rules" and self.rules is not None and not isinstance(rows, np.ndarray):
                decided = self.rules.decide(rows)
                mine = left & (decided != ASK)
                found.rule[mine] = decided[mine]
                found.answers[mine] = np.array([rule.answer for rule in self.rules.table])[decided[mine]]
            elif level in ("human", "refuse"):
                mine = left.copy()
            else:
                continue
            found.by[mine] = place
            left &= ~mine
        return found

    def _sure(self, told: Told) -> bool:
        """Return whether the served model answers every row, as it mostly does: nothing else is looked at then."""
        first = self.terms.levels[0]
        if first != "model" or self.terms.group or self.shift.alarmed:
            return False
        needed = self.guarantees[first][0][EVERYBODY].threshold
        if len(told.certainty) == 1:
            return bool(told.certainty[0] >= needed)
        return bool((told.certainty >= needed).all())

    def _left(self, said: Mapping[str, Told], groups: np.ndarray, mine: np.ndarray, place: int) -> list[np.ndarray]:
        """Return the rows that come down to a rung: past all rungs above, past all but the first, and so on."""
        found = []
        for first in range(place + 1):
            left = mine.copy()
            for name in self.terms.models[first:place]:
                left &= said[name].certainty < self._needed(name, groups, first)
            found.append(left)
        return found

    def _needed(self, name: str, groups: np.ndarray, gone: int) -> np.ndarray:
        """Return (n,) thresholds while the first rungs are gone; a group without calibration rows gets no answer."""
        held = self.guarantees[name][gone]
        if not self.terms.group:
            return np.full(len(groups), held[EVERYBODY].threshold)
        kinds, which = np.unique(groups, return_inverse=True)
        return np.array([held[kind].threshold if kind in held else NOTHING for kind in kinds.tolist()])[which]

    def _groups(self, rows: Rows) -> np.ndarray:
        if not self.terms.group or isinstance(rows, np.ndarray):
            return np.full(len(rows), EVERYBODY, dtype=object)
        column: pd.Series = rows[self.terms.group]
        return column.astype(str).to_numpy(dtype=object)

    def certainty(self, rows: Rows, model: tuple[np.ndarray, np.ndarray | None]) -> np.ndarray:
        """Return (n,) how sure the served model is of its answers; more is surer."""
        return self._told(rows, model).certainty

    def wrong(self, answers: np.ndarray, truth: np.ndarray) -> np.ndarray:
        """Return (n,) which answers are wrong."""
        if self._regression:
            return np.asarray(np.abs(answers - truth) > (self.terms.tolerance or 0.0))
        return np.asarray(answers != truth)

    def _tried(self, name: str, rows: Rows) -> Told | None:
        """Return what a rung says; None: it failed, and the next one is asked."""
        try:
            return self.asked(name, rows)
        except Exception:  # noqa: BLE001  whatever fails in a rung leaves the row to the next
            return None

    def killed(self, *names: str) -> Ladder:
        """Return the same ladder with rungs gone, to see who answers then: for checks alone.

        A served model that is gone is not among them: say ``model=None`` to :meth:`descend`.
        """
        other = copy.copy(self)
        rungs = {name: _Gone() if name in names else rung for name, rung in self._rungs.items()}
        vars(other).update(_rungs=rungs, rules=None if "rules" in names else self.rules)
        return other

    def asked(self, name: str, rows: Rows) -> Told:
        """Return what a rung below the served model says to n rows."""
        scores = self._rungs[name].scores(rows)
        if not self._regression:
            return Told(scores.argmax(axis=1), scores.max(axis=1))
        other = next((rung for known, rung in self._rungs.items() if known != name), None)
        certainty = np.zeros(len(scores)) if other is None else -np.abs(scores - other.scores(rows))
        return Told(scores, certainty)

    def _told(self, rows: Rows | Callable[[], Rows], model: tuple[np.ndarray, np.ndarray | None]) -> Told:
        answers, scores = model
        if scores is not None and not self._regression:
            return Told(answers, _chosen(scores, answers))
        judge = self._rungs.get("simpler")
        if judge is None:
            raise InputError(
                "fallback.certainty", "the model gives no scores, and nothing else says how sure it is.",
                remedy="Declare data.train: a small model is fitted to it that says how likely each answer is.",
            )  # fmt: skip
        other = judge.scores(_made(rows))
        if self._regression:
            return Told(answers, -np.abs(answers - other))
        return Told(answers, _chosen(other, answers))


def _made(rows: Rows | Callable[[], Rows]) -> Rows:
    return rows() if callable(rows) else rows


def _chosen(scores: np.ndarray, answers: np.ndarray) -> np.ndarray:
    """Return (n,) of (n, K) scores those of the answers; of one row without making arrays of places."""
    return scores[:, answers[0]] if len(answers) == 1 else scores[np.arange(len(answers)), answers]
