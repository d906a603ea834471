"""Rehearsal: an application's guard, asked by a check of an assessment instead of by the world.

The chain is that of operation, built from the manifest; its record goes to a folder that is removed. Questions come
as those of fresh ordinary callers, or of an operator; what is refused or answered by somebody else than the model is
told apart row by row.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from fivefold.contract.codec import MAX_FRAME
from fivefold.contract.guarded import Decided
from fivefold.contract.registry import provided
from fivefold.errors import FivefoldError, SubjectError
from fivefold.guard.guard import Guard
from fivefold.guard.nouns import OPERATOR, Principal, RefusedError
from fivefold.subject.batch import Batch, unpack
from fivefold.subject.guarded import packed
from fivefold.subject.remote import ENDED, RemoteModel
from fivefold.subject.way import ask
from fivefold.subject.worker import frames
from fivefold.subject.worker.guard_messages import Consult, Met, Shut, ToGuard

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from fivefold.contract.plan import Role
    from fivefold.guard.block import Block
    from fivefold.guard.opening import Opened
    from fivefold.subject.rows import Rows
    from fivefold.subject.way import Told, Way

_TOGETHER, _WATCHED = 1000, 16
"""Rows of a request; few where who asks is watched: all of a request is refused, so a thief asks little at a time."""
_HONEST = 100
_FOR_GOOD = 403
_WHICH = ("guard.consent", "guard.missing", "guard.range", "guard.type")
_MOST_STARTS = 10
_MODEL = "model"


class Borrowed:
    """A model in processes that somebody else starts; a dead one is replaced at the next question.

    Attributes:
        way: How it is asked.
        restarts: How often its process was replaced.
        pid: 0: whoever started it looks after it.
    """

    pid = 0

    def __init__(self, way: Way, start: Callable[[], socket.socket]) -> None:
        """Take how it is asked, and what starts a process and returns the connection to it."""
        self.way, self.restarts, self._start = way, -1, start
        self._model: RemoteModel | None = None
        self._peer: socket.socket | None = None
        self._lock = threading.Lock()

    def begin(self, _rows: Rows | Block) -> None:
        """Return None: whoever asks waits."""

    def ask(self, rows: Rows | Block) -> Told:
        """Return what it answers.

        Raises:
            SubjectError: It gives no answer that can be used.
        """
        given = rows if isinstance(rows, pd.DataFrame | np.ndarray) else rows.frame()
        with self._lock:
            if self._model is None:
                if self.restarts >= _MOST_STARTS:
                    raise SubjectError("guard.model-down", f"the model's process died {_MOST_STARTS} times.")
                self._peer = self._start()
                self._model = RemoteModel(self._peer)
                self.restarts += 1
            try:
                return ask(self._model, self.way.access, given)
            except SubjectError as error:
                if error.code in (ENDED, "model.protocol"):
                    self.close()
                raise

    def tend(self) -> None:
        """Nothing: whoever started the processes looks after them."""

    def close(self) -> None:
        """Give the process up."""
        if self._peer is not None:
            self._peer.close()
        self._model = self._peer = None


@dataclass
class Tally:
    """What came of the questions of one check.

    Attributes:
        clean: Clean rows that honest callers asked.
        answered: Those of them that the model answered.
        asked: Rows that the check asked.
        refused: Code of a refusal to rows of the check.
        by: Who else than the model answered the check, or nobody, to rows.
        restarts: How often the model's process was replaced.
        shut: Why the guard did not open; empty: it did.
    """

    clean: int = 0
    answered: int = 0
    asked: int = 0
    refused: dict[str, int] = field(default_factory=dict)
    by: dict[str, int] = field(default_factory=dict)
    restarts: int = 0
    shut: str = ""


class Rehearsal:
    """Answers one check in a thread of its own.

    Attributes:
        told: What came of it; complete after :meth:`finish`.

    Threat: a control that is declared and measured alone, and does nothing where it stands.
    Limit: one guard, one process; time stands still, so what recovers with time (budgets) does not recover.
    """

    def __init__(self, opened: Callable[[Borrowed], Opened], way: Way, by: Role, accounts: int) -> None:
        """Prepare it.

        Args:
            opened: Makes what the guard is opened from, of the borrowed model.
            way: How the model is asked.
            by: Who asks, see :class:`fivefold.contract.plan.Guarding`.
            accounts: For ``callers``: most callers that come one after the other.
        """
        self.told = Tally()
        self._opened, self._way, self._by = opened, way, by
        self._left = {"callers": max(1, accounts), "caller": 1}.get(by, 1)
        self._thread: threading.Thread | None = None

    def __call__(self, peer: socket.socket, start: Callable[[], socket.socket]) -> None:
        """Answer over a connection, in a thread, until its other end is closed."""
        self._thread = threading.Thread(target=self._serve, args=(peer, start), name="fivefold-rehearsal", daemon=True)
        self._thread.start()

    def finish(self) -> Tally:
        """Wait until the thread has ended, and return what came of it."""
        if self._thread is not None:
            self._thread.join()
        return self.told

    def _serve(self, peer: socket.socket, start: Callable[[], socket.socket]) -> None:
        model = Borrowed(self._way, start)
        prefix = f"fivefold-{os.getpid()}-"
        with peer, tempfile.TemporaryDirectory(prefix=prefix) as folder, contextlib.suppress(frames.ClosedError):
            try:
                opened = self._opened(model)
                place = provided("record.passing")(provided("record.home")(opened.manifest), Path(folder) / "record")
                guard = Guard(opened, home=place)
            except FivefoldError as error:
                self.told.shut = error.message
                self._shut(peer, error)
                return
            try:
                with guard:
                    self._answer(peer, _Asking(guard, self._by, self._left, self.told))
            finally:
                self.told.restarts = max(0, model.restarts)

    def _answer(self, peer: socket.socket, asking: _Asking) -> None:
        while True:
            message = frames.receive(peer, ToGuard, MAX_FRAME)
            if not isinstance(message, Consult):
                frames.send(peer, Met(levels=asking.levels, scores=asking.scores))
                continue
            try:
                rows = unpack(frames.parse(message.batch, Batch))
                if not isinstance(rows, pd.DataFrame):
                    raise SubjectError("guard.table", "only tables are asked through a guard here.")
                found = asking.honestly(rows) if message.honest else asking.decide(rows)
                frames.send(peer, packed(found))
            except FivefoldError as error:
                frames.send(peer, Shut(code=error.code, message=error.message, remedy=error.remedy))

    def _shut(self, peer: socket.socket, error: FivefoldError) -> None:
        text = f"the guard opens no port: {error.message}"
        while True:
            frames.receive(peer, ToGuard, MAX_FRAME)
            frames.send(peer, Shut(code=error.code, message=text, remedy=error.remedy))


class _Asking:
    """Asks a guard as whoever a check stands for."""

    def __init__(self, guard: Guard, by: Role, accounts: int, told: Tally) -> None:
        self._guard, self._by, self._accounts, self.told = guard, by, accounts, told
        self._number, self._honest, self._over = 0, 0, ""
        access, controls = guard.way.access, guard.manifest.controls.get("P2", {})
        self._classes = {name: at for at, name in enumerate(access.classes)}
        self._together = _WATCHED if controls.get("detect") else _TOGETHER
        self.levels = guard.fallback.levels if guard.fallback is not None else (_MODEL,)
        self.scores = access.score is not None and controls.get("decimals") != 0
        budget = str(controls.get("budget", "")).partition("/")[0]
        self._each = min(_HONEST, int(budget)) if budget.isdigit() else _HONEST
        self._consent = str(guard.manifest.controls.get("D1", {}).get("consent", ""))

    def honestly(self, rows: pd.DataFrame) -> Decided:
        """Return what honest callers get who ask clean rows, each at most a hundred."""
        found = self._nothing(len(rows))
        for at in range(0, len(rows), self._each):
            self._honest += 1
            places = np.arange(at, min(at + self._each, len(rows)))
            self._ask(Principal(f"honest caller {self._honest}", "caller", self._purposes), rows, places, found)
        self.told.clean += len(rows)
        self.told.answered += int((found.answered & (found.by == 0)).sum())
        return found

    def decide(self, rows: pd.DataFrame) -> Decided:
        """Return what the check's own questions get."""
        found = self._nothing(len(rows))
        for at in range(0, len(rows), self._together):
            places = np.arange(at, min(at + self._together, len(rows)))
            if self._over:
                self._refuse(self._over, len(places))
                continue
            while len(places := self._ask(self._who(), rows, places, found, count=True)):
                self._number += 1  # a fresh account asks what the spent one was not told any more
        self.told.asked += len(rows)
        for at, name in enumerate(self.levels):
            mine = int((found.by == at).sum())
            if mine and at:
                self.told.by[name] = self.told.by.get(name, 0) + mine
        return found

    @property
    def _purposes(self) -> tuple[str, ...]:
        return self._guard.manifest.purposes[:1]

    def _who(self) -> Principal:
        if self._by == OPERATOR:
            return Principal("operator of the assessment", OPERATOR, self._purposes)
        return Principal(f"caller {self._number + 1} of a check", "caller", self._purposes)

    def _nothing(self, n: int) -> Decided:
        width = len(self._classes)
        answers = np.full(n, -1, dtype=np.int64) if width else np.full(n, np.nan)
        return Decided(answers, np.full((n, width), np.nan) if self.scores else None, np.full(n, -1), self.levels)

    def _ask(
        self, who: Principal, rows: pd.DataFrame, places: np.ndarray, found: Decided, *, count: bool = False
    ) -> np.ndarray:
        """Ask some rows, those that are refused left out; return the places that another account may ask."""
        while len(places):
            try:
                decision = self._guard.answer(who, self._given(rows.iloc[places]), purpose=self._purposes[0])
            except RefusedError as error:
                kept = self._kept(error, len(places))
                spent = count and _spent(error)
                if spent and self._number + 1 < self._accounts:
                    if not kept.any():
                        return places
                    self._ask(who, rows, places[kept], found, count=count)
                    left: np.ndarray = places[~kept]
                    return left
                if error.rows is None and error.code in _WHICH and len(places) > 1:
                    half = len(places) // 2
                    rest = self._ask(who, rows, places[:half], found, count=count)
                    if len(rest):
                        return np.concatenate([rest, places[half:]])
                    places = places[half:]
                    continue
                if count:
                    self._refuse(error.code, int((~kept).sum()))
                if spent and not kept.any():
                    self._over = error.code
                places = places[kept]
                continue
            self._take(decision, places, found)
            break
        none: np.ndarray = places[:0]
        return none

    def _refuse(self, code: str, rows: int) -> None:
        self.told.refused[code] = self.told.refused.get(code, 0) + rows

    def _kept(self, error: RefusedError, n: int) -> np.ndarray:
        """Return (n,) bool, the rows that a refusal is not for; at least one less than all."""
        if error.rows is None or len(error.rows) != n or not error.rows.any():
            return np.zeros(n, dtype=bool)
        kept: np.ndarray = ~error.rows
        return kept

    def _take(self, decision: Any, places: np.ndarray, found: Decided) -> None:
        if self._classes:
            found.answers[places] = [self._classes.get(str(label), -1) for label in decision.answers]
        else:
            found.answers[places] = decision.answers
        if found.scores is not None and decision.scores is not None:
            found.scores[places] = np.array(decision.scores, dtype=np.float64)
        order = {name: at for at, name in enumerate(self.levels)}
        found.by[places] = [order[name] for name in decision.by] if decision.by else 0

    def _given(self, rows: pd.DataFrame) -> dict[str, list[Any]]:
        """Return rows as they are asked: plain values, nothing where they are missing; and consent, where it is due."""
        made = {str(name): _plain(rows[name]) for name in rows.columns}
        if self._consent and self._consent not in made:
            made[self._consent] = [True] * len(rows)
        return made


def _plain(column: pd.Series) -> list[Any]:
    """Return values as a caller would write them, None where one is missing."""
    if isinstance(column.dtype, np.dtype) and column.dtype.kind in "biuf":
        return [None if value != value else value for value in column.tolist()]  # noqa: PLR0124  NaN alone differs
    made: list[Any] = column.astype(object).where(column.notna(), None).tolist()
    return made


def _spent(error: RefusedError) -> bool:
    """Return whether who asked is refused from now on: time stands still, so no budget comes back."""
    return error.code == "guard.budget" or (error.code == "guard.theft" and error.status == _FOR_GOOD)


def shown(told: Tally) -> str:
    """Return in words who else answered and why rows were refused; empty: every row was the model's."""
    parts = [f"{count:,} by {name}" for name, count in sorted(told.by.items())]
    parts += [f"{count:,} refused ({code})" for code, count in sorted(told.refused.items())]
    return f"Of {told.asked:,} rows asked: {', '.join(parts)}." if parts else ""
