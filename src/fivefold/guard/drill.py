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

from fivefold.errors import FivefoldError
from fivefold.guard.nouns import Principal, RefusedError
from fivefold.subject.batch import unpack

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from fivefold.guard.guard import Guard

NOBODY = "-"
"""Row of the table in which no stage is left out."""
_QUERIES, _BATCH, _STEPS = 1000, 100, 40
_SPENT, _MOST_SPENT = 5000, 50_000


@dataclass(frozen=True)
class Cell:
    """What came of one attack.

    Attributes:
        off: The stage that was left out; :data:`NOBODY`: none.
        attack: In words.
        came: ``refused: CODE``, ``fell back``, ``alarm`` or ``answered``.
        recorded: Whether the last request of the attack is on record.
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
        """Take an open guard, and where its record lies."""
        self._guard, self._home, self._numbers = guard, home, count()
        way = guard.way
        rows = unpack(way.population or way.background or way.example)
        if not isinstance(rows, pd.DataFrame):
            raise TypeError("a drill needs a model that is given a table")
        self._rows = rows.reset_index(drop=True)
        self._rng = np.random.default_rng(0)

    def stages(self) -> list[str]:
        """Return the stages that can be left out."""
        return [stage.name for stage in self._guard._chain]  # noqa: SLF001  the drill is a part of the guard

    def run(self) -> Iterator[Cell]:
        """Yield every attack with no stage left out, then with each left out in turn."""
        for off in (NOBODY, *self.stages()):
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
            "rows just past the border": self._bordering,
            "the model's process is killed": self._killing,
        }

    def _cell(self, off: str, name: str, attack: Callable[[Ask], Any]) -> Cell:
        case = f"drill {next(self._numbers)}"
        alarms = self._alarms()

        def ask(given: dict[str, list[Any]], *, who: Principal | None = None, purpose: str = "") -> Any:
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
        recorded = any(item.kind == "decision" for item in self._home.reading().search(case=case))
        return Cell(off, name, came, recorded)

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
        ranged = next((name for name, one in self._guard.manifest.features.items() if one.range and name in given), "")
        numeric = next((str(name) for name in self._rows.columns if self._rows[name].dtype.kind in "iuf"), "")
        if ranged:
            given[ranged] = [float(self._guard.manifest.features[ranged].range[1]) * 10 + 10]  # type: ignore[index]
        elif numeric:
            given[numeric] = ["a text"]
        else:
            given[next(iter(given))] = [17]
        return given

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

    def _bordering(self, ask: Ask) -> Any:
        """Halve the way between two rows with different answers: what is asked last is right at the border."""
        numbers = [name for name in self._rows.columns if self._rows[name].dtype.kind == "f"]
        told = self._guard._isolated.ask(self._rows).answers  # noqa: SLF001  the thief's own model, say
        other = np.flatnonzero(told != told[0])
        if not len(other) or not numbers:
            return ask(self._row(2))
        low, high = self._rows.iloc[[0]].copy(), self._rows.iloc[[int(other[0])]].copy()
        for _ in range(_STEPS):
            middle = high.copy()
            middle[numbers] = (low[numbers].to_numpy() + high[numbers].to_numpy()) / 2
            same = self._guard._isolated.ask(middle).answers[0] == told[0]  # noqa: SLF001
            low, high = (middle, high) if same else (low, middle)
        return ask(self._given(high))

    def _killing(self, ask: Ask) -> Any:
        pid = getattr(self._guard._isolated, "pid", 0)  # noqa: SLF001
        if pid:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        return ask(self._row(3))


def _whole(column: pd.Series) -> bool:
    return column.dtype.kind in "iu" or bool((column % 1 == 0).all())
