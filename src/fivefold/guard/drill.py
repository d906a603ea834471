"""Drill: attacks on a guard with each of its stages left out in turn (row C5).

What a stage stops shows only when it is gone. Every cell of the table says what came of an attack, and whether that is
on record: a single failure may let an attack through, but never unseen.
"""

from __future__ import annotations

import contextlib
import os
import signal
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import pandas as pd

from fivefold.errors import FivefoldError, InputError
from fivefold.guard.nouns import Principal, RefusedError
from fivefold.subject.batch import unpack

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from fivefold.guard.guard import Guard

NOBODY = "-"
"""Row of the table in which no stage is left out."""
_QUERIES, _BATCH, _STEPS = 1000, 100, 40
_SPENT, _MOST_SPENT = 5000, 50_000
_LEAST, _TOGETHER = 32, 16


@dataclass(frozen=True)
class Cell:
    """What came of one attack.

    Attributes:
        off: The stage that was left out; :data:`NOBODY`: none.
        attack: In words.
        came: ``refused: CODE``, ``fell back``, ``alarm`` or ``answered``.
        recorded: Whether each request of the attack is on record.
    """

    off: str
    attack: str
    came: str
    recorded: bool


class Ask(Protocol):
    """Asks the guard within a case of its own."""

    def __call__(self, given: dict[str, list[Any]], *, who: Principal | None = None, purpose: str = "") -> Any:
        """Return the decision."""
        ...


class Drill:
    """Attacks a guard; use one whose record is kept apart, the attacks count against budgets and alarms.

    Threat: one safeguard fails, and an attack gets through without a trace.
    Limit: the attacks are those below, made of the application's own rows; tables alone.
    """

    def __init__(self, guard: Guard, home: Any) -> None:
        """Take an open guard, and where its record lies.

        Raises:
            InputError: ``drill.table`` for a model that is given no table.
        """
        self._guard, self._home, self._numbers = guard, home, count()
        way = guard.way
        rows = unpack(way.population or way.background or way.example)
        if not isinstance(rows, pd.DataFrame):
            raise InputError("drill.table", "this model is given no table, and attacks are made of tables alone.")
        self._rows = rows.reset_index(drop=True)
        self._rng = np.random.default_rng(0)

    def run(self) -> Iterator[Cell]:
        """Yield every attack with no stage left out, then with each left out in turn."""
        for off in (NOBODY, *self._guard.stages):
            with self._guard.without(off) if off != NOBODY else contextlib.nullcontext():
                for name, attack in self._attacks().items():
                    yield self._cell(off, name, attack)

    def _attacks(self) -> dict[str, Callable[[Ask], Any]]:
        return {
            "an operator asks": lambda ask: ask(self._row(0), who=self._who("operator")),
            "a purpose that is not declared": lambda ask: ask(self._row(0), purpose="anything else"),
            "a column too many": lambda ask: ask(self._row(0) | {"drilled": [1]}),
            "a value that cannot be": lambda ask: ask(self._impossible()),
            "questions that copy the model": self._copying,
            "more questions than the budget": self._spending,
            "other people under the same words": self._relabelling,
            "rows just past the border": self._bordering,
            "the model's process is killed": self._killing,
        }

    def _cell(self, off: str, name: str, attack: Callable[[Ask], Any]) -> Cell:
        case, asked = f"drill {next(self._numbers)}", 0
        alarms = self._alarms()

        def ask(given: dict[str, list[Any]], *, who: Principal | None = None, purpose: str = "") -> Any:
            nonlocal asked
            asked += 1
            wanted = purpose or self._guard.manifest.purposes[0]
            return self._guard.answer(who or self._who("caller", name, off), given, purpose=wanted, case=case)

        try:
            found = attack(ask)
            came = "answered"
            if found.by and "model" not in found.by:
                came = "fell back"
        except RefusedError as error:
            came = f"refused: {error.code}"
        except FivefoldError as error:
            came = f"failed: {error.code}"
        if came == "answered" and self._alarms() > alarms:
            came = "alarm"
        recorded = sum(1 for _ in self._home.reading().search(case=case, kind="decision"))
        return Cell(off, name, came, recorded == asked)

    def _alarms(self) -> int:
        return sum(1 for _ in self._home.reading().search(case="guard", kind="alarm"))

    def _who(self, role: Any, *names: str) -> Principal:
        return Principal(" ".join(("drill", *names)), role, self._guard.manifest.purposes)

    def _row(self, at: int) -> dict[str, list[Any]]:
        return self._given(self._rows.iloc[[at % len(self._rows)]])

    def _given(self, rows: pd.DataFrame) -> dict[str, list[Any]]:
        """Return rows as they are asked: plain values, dates as text."""
        made = {}
        for name in rows.columns:
            column = rows[name]
            if column.dtype.kind == "M":
                column = column.dt.strftime("%Y-%m-%dT%H:%M:%S")
            made[str(name)] = column.astype(object).where(column.notna(), None).tolist()
        return made

    def _impossible(self) -> dict[str, list[Any]]:
        given = self._row(0)
        spans = {name: one.range for name, one in self._guard.manifest.features.items() if one.range and name in given}
        numeric = next((str(name) for name in self._rows.columns if self._rows[name].dtype.kind in "iuf"), "")
        for name, (_, high) in list(spans.items())[:1]:
            return given | {name: [10 * abs(high) + 10]}
        return given | ({numeric: ["a text"]} if numeric else {next(iter(given)): [17]})

    def _anything(self, n: int) -> dict[str, list[Any]]:
        """Return rows of numbers from the ranges and texts that occur: what is asked by who knows the columns alone."""
        made = self._given(self._rows.sample(n, replace=True, random_state=self._rng))
        for name in self._rows.columns:
            column = self._rows[name].dropna()
            if column.dtype.kind in "iuf" and len(column):
                low, high = float(column.min()), float(column.max())
                drawn = self._rng.uniform(low, high, n)
                made[str(name)] = (drawn.round().astype(int) if _whole(column) else drawn).tolist()
            elif len(column):
                levels = sorted(set(self._given(self._rows[[name]].dropna())[str(name)]), key=str)
                made[str(name)] = [levels[at] for at in self._rng.integers(0, len(levels), n)]
        return made

    def _copying(self, ask: Ask) -> Any:
        found = None
        for _ in range(_QUERIES // _BATCH):
            found = ask(self._anything(_BATCH))
        return found

    def _spending(self, ask: Ask) -> Any:
        text = str(self._guard.manifest.controls.get("P2", {}).get("budget", ""))
        most = int(text.partition("/")[0]) if text.partition("/")[0].isdigit() else 0
        found = ask(self._row(1))
        if 0 < most <= _MOST_SPENT:
            for _ in range(most // _SPENT + 1):
                found = ask(self._given(self._rows.sample(_SPENT, replace=True, random_state=self._rng)))
        return found

    def _relabelling(self, ask: Ask) -> Any:
        """Ask about those alone who lie highest in a column, and about each once."""
        numbers = [name for name in self._rows.columns if self._rows[name].dtype.kind in "iuf"]
        rows = self._rows.sort_values(numbers[0], ascending=False) if numbers else self._rows[::-1]
        few = rows[: max(_LEAST, len(rows) // 5)]
        for at in range(0, len(few), _TOGETHER):
            found = ask(self._given(few[at : at + _TOGETHER]))
        return found

    def _bordering(self, ask: Ask) -> Any:
        """Halve the way between two rows with different answers: what is asked last is right at the border."""
        numbers = [name for name in self._rows.columns if self._rows[name].dtype.kind == "f"]
        told = self._told(self._rows[:_BATCH])
        other = next((at for at, answer in enumerate(told) if answer != told[0]), 0)
        low, high = self._rows.iloc[[0]].copy(), self._rows.iloc[[other]].copy()
        for _ in range(_STEPS if numbers and other else 0):
            middle = high.copy()
            middle[numbers] = (low[numbers].to_numpy() + high[numbers].to_numpy()) / 2
            same = self._told(middle)[:1] == told[:1]
            low, high = (middle, high) if same else (low, middle)
        return ask(self._given(high))

    def _told(self, rows: pd.DataFrame) -> tuple[Any, ...]:
        """Return what the guard answers to somebody who looks for the border; nothing: it refuses."""
        try:
            found = self._guard.answer(
                self._who("caller", "looks around"), self._given(rows), purpose=self._guard.manifest.purposes[0]
            )
        except RefusedError:
            return ()
        return found.answers

    def _killing(self, ask: Ask) -> Any:
        if self._guard.process:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._guard.process, signal.SIGKILL)
        return ask(self._row(3))


def _whole(column: pd.Series) -> bool:
    return column.dtype.kind in "iu" or bool((column % 1 == 0).all())
