"""Queue: cases that the ladder leaves to people (row C3): decided once, by one person, in time, and on record.

A decision is durable in the queue first and goes on record then; one that a crash kept from the record goes there when
the queue is opened again.
"""

from __future__ import annotations

import hashlib
import secrets
import time
from typing import TYPE_CHECKING, Any

from fivefold.errors import InputError
from fivefold.keys import store as keys
from fivefold.store.queued import Item, Queued
from fivefold.traceability.recorder.replaying import array

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

MOST_WAITING = 10_000
"""Most cases that wait at once; beyond that the ladder goes on past people."""
REFUSED = "refuse"
"""Answer of a person who gives none."""
_MOST_TEXT = 2000
_AT_ONCE = 100


class Queue:
    """The cases of one application.

    Threat: an unsure case is answered by nobody, twice, late, or by nobody knows whom.
    Limit: the name is that of a token's holder; who sits before the screen is not seen.
    """

    def __init__(self, home: Any, answers: Sequence[str], *, now: Callable[[], float] = time.time) -> None:
        """Open it.

        Args:
            home: Of the application's record; its database, where one is declared, holds the queue, too.
            answers: Those that may be given; empty: numbers.
            now: The clock.

        Raises:
            StorageError: ``store.disk``, ``store.server``; as every method.
        """
        self._home, self._answers, self._now = home, tuple(answers), now
        self._queued = Queued(home.people or _own(home.application), home.application)

    def put(self, caller: str, purpose: str, asked: str, places: Sequence[int], hours: float) -> list[str] | None:
        """Have people decide rows.

        Args:
            caller: Who asks.
            purpose: What for.
            asked: Id of the record with the rows.
            places: Which rows of it.
            hours: How long there is.

        Returns:
            An id for each row; None: too many cases wait.
        """
        now = int(self._now())
        if len(places) + self._queued.count(now) > MOST_WAITING:
            return None
        until = now + max(1, int(hours * 3600))
        items = [Item(secrets.token_hex(6), asked, place, caller, purpose, now, until) for place in places]
        self._queued.add(items)
        return [item.id for item in items]

    def withdraw(self, ids: list[str]) -> None:
        """Forget cases that nobody was told of."""
        self._queued.withdraw(ids)

    def waiting(self, most: int = _AT_ONCE) -> list[Item]:
        """Return cases that wait, the most urgent first."""
        return self._queued.waiting(int(self._now()), most)

    def get(self, one: str) -> Item:
        """Return a case.

        Raises:
            InputError: ``queue.none``.
        """
        found = self._queued.get(one)
        if found is None:
            raise InputError(
                "queue.none",
                f"there is no case {one[:40]!r}.",
                remedy="fivefold guard queue list shows those there are.",
            )
        return found

    def decide(self, one: str, who: str, answer: str, because: str, recorder: Any) -> Item:
        """Decide a case; it is on record when this returns.

        Args:
            one: Its id.
            who: Who decides.
            answer: One of the answers; ``refuse``: none is given.
            because: Why.
            recorder: Of the application.

        Raises:
            InputError: ``queue.none``; ``queue.decided`` if somebody has, or the time was over; ``queue.answer``;
                ``queue.because`` without a reason.
            StorageError: It is not on record; it will be when the queue is opened again.
        """
        item = self.get(one)
        given = "" if answer == REFUSED else self._known(answer)
        if not 0 < len(because.strip()) <= _MOST_TEXT or not who:
            raise InputError("queue.because", "a decision has a reason.", remedy="Say why: --because TEXT.")
        if not self._queued.decide(one, int(self._now()), who, given, because.strip()):
            raise self._too_late(item)
        self.settle(recorder)
        return self.get(one)

    def settle(self, recorder: Any) -> int:
        """Refuse cases whose time is over, put decisions on record that are not, and return how many those were.

        Each goes there at least once: of two processes that settle at the same time, both may record it.
        """
        self._queued.expire(int(self._now()))
        done = 0
        while items := self._queued.unrecorded(_AT_ONCE):
            for item in items:
                self._queued.recorded(item.id, self._told(item, recorder))
            done += len(items)
        return done

    def asked(self, item: Item) -> dict[str, Any]:
        """Return the row that a case is about; empty: the person was erased."""
        body = self._home.reading().get(item.input).body
        if body is None:
            return {}
        return {tensor.name: array(tensor)[item.place] for tensor in body.tensors}

    def close(self) -> None:
        """Close it."""
        self._queued.close()

    def _told(self, item: Item, recorder: Any) -> str:
        body = self._home.reading().get(item.input).body
        case, person = (body.case, body.person) if body is not None else (f"queue {item.id}", "")
        fields = {"case": item.id, "row": item.place, "input": item.input}
        if item.who:
            fields |= {"by": item.who, "answer": item.answer or REFUSED, "because": item.because}
        else:
            fields |= {"refused": "nobody decided in time"}
        with recorder.open(case, subject=person) as records:
            told: str = records.add("action" if item.who else "status", fields, wait=True)
        return told

    def _known(self, answer: str) -> str:
        if self._answers and answer not in self._answers:
            raise InputError(
                "queue.answer",
                f"{answer[:40]!r} is no answer.",
                remedy=f"There are: {', '.join(self._answers)}, refuse.",
            )
        if not self._answers:
            try:
                float(answer)
            except ValueError:
                raise InputError("queue.answer", f"{answer[:40]!r} is no number.", remedy="Or: refuse.") from None
        return answer

    def _too_late(self, item: Item) -> InputError:
        latest = self.get(item.id)
        if latest.who:
            return InputError("queue.decided", f"{latest.who} has decided this case: {latest.answer or 'refused'}.")
        return InputError("queue.decided", "the time of this case was over.")


def _own(application: str) -> Path:
    """Return the file beside the user's keys that holds an application's queue."""
    stem = hashlib.sha256(application.encode()).hexdigest()[:32]
    return keys.keys_folder() / "applications" / f"{stem}.queue.sqlite"
