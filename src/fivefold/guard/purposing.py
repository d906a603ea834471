"""Purposing: consent where it is declared, and the use of each purpose held against what was declared (row D1)."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from fivefold.contract.registry import provided
from fivefold.errors import InputError
from fivefold.guard.block import Block
from fivefold.guard.nouns import Passage, RefusedError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from fivefold.subject.way import Way

_YES = ("true", "yes", "1")
_WAYS = ("alarm", "refuse")
_SPLIT = 20_261
_NEWEST, _COMPARED = 1024, 32


@dataclass(frozen=True)
class Past:
    """What the record says of the guard before it was opened.

    Attributes:
        openings: How often it was opened before.
        standing: Purpose to the drift that was found under this very manifest.
        alarm: Records an alarm.
    """

    openings: int
    standing: Mapping[str, str]
    alarm: Callable[[dict[str, Any]], None]


class Consent:
    """Lets through what every person in it has agreed to: a declared column that says so of each row.

    Limit: it is the asker's word.
    """

    name = "consent"

    def __init__(self, column: str, *, seen: bool) -> None:
        """Take the column of ``controls.D1.consent``; ``seen``: the model is given it, too."""
        self._column, self._seen = column, seen

    def __call__(self, passage: Passage) -> None:
        """Look at each row, and take the column out where the model does not know it.

        Raises:
            RefusedError: ``guard.consent``.
        """
        given = passage.given
        told = given[self._column] if hasattr(given, "keys") and self._column in given else ()
        values = told.tolist() if hasattr(told, "tolist") else list(told)
        others = {name: given[name] for name in given if name != self._column} if values else {}
        rows = max((len(column) for column in others.values() if hasattr(column, "__len__")), default=0)
        if not values or len(values) < rows or not all(map(_agreed, values)):
            raise RefusedError(
                "guard.consent", f"{self._column[:80]} does not say for each row that its person agreed.", status=403,
                field=self._column, remedy="Ask the person; state the column with true for each row.",
            )  # fmt: skip
        if not self._seen:
            passage.given = others


def _agreed(value: Any) -> bool:
    return str(value).lower() in _YES


@dataclass
class _Purpose:
    """Requests of one purpose that wait to be looked at, the watch, and hashes of the newest requests."""

    watch: Any
    waiting: list[Any] = field(default_factory=list)
    rows: int = 0
    newest: OrderedDict[int, None] = field(default_factory=OrderedDict)

    def again(self, given: Any) -> bool:
        """Return whether this very request was among the newest ones, and keep it; of a long one, its beginning."""
        if isinstance(given, np.ndarray | Block):
            key = hash((given if isinstance(given, np.ndarray) else given.values)[:_COMPARED].tobytes())
        else:
            key = hash(tuple(tuple(given[name][:_COMPARED]) for name in given))
        seen = key in self.newest
        self.newest[key] = None
        self.newest.move_to_end(key)
        if len(self.newest) > _NEWEST:
            self.newest.popitem(last=False)
        return seen


class Drift:
    """Holds the use of each purpose against the declared population and rate.

    Threat: requests for another purpose come under the words of this one.
    Limit: as of :class:`fivefold.governance.purpose.watch.Watch`. Rows wait until 32 are there. A request that is sent
    once more counts once, where equal rows are rare in the training data.

    Attributes:
        findings: Purpose to what was found, in words.
    """

    name = "drift"

    def __init__(self, options: Mapping[str, Any], way: Way, past: Past) -> None:
        """Learn the population from the rows that stand for the training data.

        Args:
            options: Of the control D1: ``drift`` (``alarm`` or ``refuse``), ``rate`` (for example ``500/day``),
                ``tolerance`` (from 0 to 0.5).
            way: How the model is asked.
            past: What the record says.

        Raises:
            InputError: ``guard.drift``; ``purpose.rate``.
        """
        self._refuses = _way(options) == "refuse"
        self._declared = provided("purpose.declared")(way.usual(), options, np.random.default_rng(_SPLIT))
        self._past = past
        self._lock = threading.Lock()
        self._held: dict[str, _Purpose] = {}
        self.findings: dict[str, str] = dict(past.standing)
        self._told = set(self.findings)

    def __call__(self, passage: Passage) -> None:
        """Count the request; note, record and, where declared, refuse drift.

        Raises:
            RefusedError: ``guard.drift`` where the manifest has it refused.
        """
        purpose = passage.purpose
        with self._lock:
            if purpose not in self.findings:
                self._look(purpose, passage)
            text = self.findings.get(purpose, "")
            if text and purpose not in self._told:
                self._past.alarm({"drift": purpose, "why": text})
                self._told.add(purpose)
        if not text:
            return
        passage.notes["drift"] = text
        if self._refuses:
            raise RefusedError(
                "guard.drift", f"the use drifted from the purpose {purpose[:80]!r}.", status=403,
                remedy="Ask whoever answers for the application; a changed manifest begins anew.",
            )  # fmt: skip

    def _look(self, purpose: str, passage: Passage) -> None:
        held = self._held.get(purpose)
        if held is None:
            held = self._held[purpose] = _Purpose(self._declared.watch(self._past.openings))
        n, rows = passage.size, passage.admitted
        found = held.watch.arrive(n, time.time())
        given = rows if isinstance(rows, np.ndarray | Block) else passage.given
        counts = self._declared.gauge is not None and found is None
        if counts and not (held.again(given) and self._declared.distinct):
            held.waiting.append(given)
            held.rows += n
            if held.rows >= self._declared.block:
                found = self._declared.look(held.watch, _together(held.waiting))
                held.waiting, held.rows = [], 0
        if found is not None:
            self.findings[purpose] = f"{found.what}: {found.text}"


def _together(waiting: list[Any]) -> list[Any]:
    """Return requests that wait as mappings of columns; blocks alone become one."""
    if all(isinstance(one, Block) for one in waiting):
        cells = np.concatenate([one.values for one in waiting])
        return [dict(zip(waiting[0].names, cells.T, strict=True))]
    return [one.columns() if isinstance(one, Block) else one for one in waiting]


def _way(options: Mapping[str, Any]) -> str:
    found = str(options.get("drift", "alarm"))
    if found not in _WAYS:
        raise InputError(
            "guard.drift", f"controls.D1.drift is {found[:40]!r}.", remedy=f"Write one of: {', '.join(_WAYS)}."
        )
    return found
