"""Trial of a queue: cases in a scratch place, each of which meets one fate, and what became of them."""

from __future__ import annotations

import contextlib
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from fivefold.errors import InputError, StorageError
from fivefold.keys import signing
from fivefold.log.simulated import SimulatedDisk
from fivefold.store.people import People
from fivefold.traceability.recorder.reading import Reading
from fivefold.traceability.recorder.recorder import Recorder
from fivefold.traceability.recorder.secrets_ import Secrets

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    import pandas as pd

    from fivefold.governance.queue import Queue

FATES = ("together", "after", "crash", "late", "nobody", "odd")
"""Two decide at once; one after the other; the record fails; a second too late; nobody decides; no such answer."""
LOST, TWICE, LATE, UNRECORDED = "lost", "decided twice", "decided too late", "not on record as it was"
FAULTS = (LOST, TWICE, LATE, UNRECORDED)
_MOST_TOGETHER = 8
_ONE, _OTHER, _WHY = "officer-1", "officer-2", "looked at it"
_ODD = "\x00 no such answer"
_PATIENCE = 10.0
_SEGMENT = 1 << 16
_NOBODY = "nobody decided in time"


class Place:
    """A scratch place for a queue and a record, as :class:`fivefold.traceability.recorder.opening.Home` gives one.

    Attributes:
        application: Name of none.
        people: The queue's file.
    """

    application = "a check of the queue"

    def __init__(self, folder: Path, rng: np.random.Generator) -> None:
        """Make it in an empty folder."""
        self.people = folder / "queue.sqlite"
        self._disk, self._signer = SimulatedDisk(), signing.generate()
        self._secrets = Secrets(bytes(rng.bytes(32)), People(None, self.application))

    def writing(self) -> Recorder:
        """Open the record for writing."""
        return Recorder(self._disk, "fivefold/check/queue", self._signer, self._secrets, segment_bytes=_SEGMENT)

    def reading(self) -> Reading:
        """Open it for reading."""
        return Reading(self._disk, self._secrets)


@dataclass
class Clock:
    """A clock that is set by hand."""

    now: float = 1_700_000_000.0

    def __call__(self) -> float:
        """Return what it shows."""
        return self.now


@dataclass
class _One:
    """One case: which row it shows, what becomes of it, and who was told that he decided."""

    row: int
    fate: str
    wins: list[str] = field(default_factory=list)
    late: bool = False
    odd: bool = False


class _Broken:
    """A recorder whose disk is full."""

    def open(self, *_: Any, **__: Any) -> Any:
        raise StorageError("record.disk", "the disk is full.")


class Trial:
    """Cases of one queue."""

    def __init__(
        self, make: Callable[..., Queue], answers: Sequence[str], hours: float, folder: Path, rng: np.random.Generator
    ) -> None:
        """Prepare it.

        Args:
            make: Opens a queue: place, answers, ``now``.
            answers: That the model may give; empty: numbers.
            hours: Deadline.
            folder: An empty folder.
            rng: Draws fates, answers and how many rows are asked at once.
        """
        self._make, self._answers, self._hours, self._rng = make, tuple(answers), hours, rng
        self._place, self._clock, self._cases = Place(folder, rng), Clock(), dict[str, _One]()

    def run(self, rows: pd.DataFrame) -> dict[str, np.ndarray]:
        """Return fault to (n,) bool: which cases have it.

        Args:
            rows: (n, d) one for each case.
        """
        with self._place.writing() as recorder:
            first = self._open()
            self._fill(first, recorder, rows)
            with contextlib.closing(self._open()) as queue, contextlib.closing(self._open()) as other:
                first.close()  # only now: a process that is killed closes nothing
                there = {item.id for item in queue.waiting(len(rows) + 1)}
                lost = {one for one in self._cases if one not in there or not self._same(queue, one, rows)}
                self._decide((queue, other), recorder)
                self._clock.now += 3600 * self._hours + 1
                self._come_late(queue, recorder)
            with contextlib.closing(self._open()) as queue:
                queue.settle(recorder)
                return self._judged(queue, lost)

    def _open(self) -> Queue:
        return self._make(self._place, self._answers, now=self._clock)

    def _fill(self, queue: Queue, recorder: Recorder, rows: pd.DataFrame) -> None:
        at, fates = 0, self._rng.permutation(np.arange(len(rows)) % len(FATES))
        while at < len(rows):
            some = rows.iloc[at : at + int(self._rng.integers(1, _MOST_TOGETHER + 1))]
            with recorder.open(f"case {at}", subject=f"person {at}") as case:
                asked = case.input({str(name): column.to_numpy() for name, column in some.items()})
            found = queue.put("caller", "purpose", asked, range(len(some)), self._hours)
            for place, one in enumerate(found or [f"lost {row}" for row in range(at, at + len(some))]):
                self._cases[one] = _One(at + place, FATES[fates[at + place]])
            at += len(some)

    def _same(self, queue: Queue, one: str, rows: pd.DataFrame) -> bool:
        """Return whether a case shows the row that was asked."""
        with contextlib.suppress(InputError):
            shown, row = queue.asked(queue.get(one)), rows.iloc[self._cases[one].row]
            return set(shown) == {str(name) for name in rows.columns} and all(
                _alike(shown[str(name)], row.iloc[at]) for at, name in enumerate(rows.columns)
            )
        return False

    def _answer(self) -> str:
        if not self._answers:
            return repr(float(self._rng.normal()))
        return self._answers[int(self._rng.integers(len(self._answers)))]

    def _decide(self, queues: tuple[Queue, Queue], recorder: Recorder) -> None:
        queue, other = queues
        with ThreadPoolExecutor(2) as pool:
            for one, case in self._cases.items():
                mine, theirs = (_ONE, self._answer()), (_OTHER, self._answer())
                if case.fate == "together":
                    gate = threading.Barrier(2)
                    pairs = zip(queues, (mine, theirs), strict=True)
                    done = [pool.submit(_tried, each, one, said, recorder, gate=gate) for each, said in pairs]
                    case.wins += [who for task in done for who in task.result()]
                elif case.fate == "after":
                    case.wins += _tried(queue, one, mine, recorder) + _tried(other, one, theirs, recorder)
                elif case.fate == "crash":
                    case.wins += _tried(queue, one, mine, _Broken())
                elif case.fate == "odd":
                    case.odd = bool(_tried(queue, one, (_OTHER, _ODD), recorder))
                    case.wins += _tried(queue, one, mine, recorder)

    def _come_late(self, queue: Queue, recorder: Recorder) -> None:
        for one, case in self._cases.items():
            if case.fate == "late":
                case.late = bool(_tried(queue, one, (_ONE, self._answer()), recorder))

    def _judged(self, queue: Queue, lost: set[str]) -> dict[str, np.ndarray]:
        told, refused = self._recorded("action"), self._recorded("status")
        found = {fault: np.zeros(len(self._cases), dtype=bool) for fault in FAULTS}
        for at, (one, case) in enumerate(self._cases.items()):
            decides = case.fate not in ("late", "nobody")
            said = {f"{each.get('by', '')}\n{each.get('answer', '')}" for each in told.get(one, [])}
            because = all(each.get("because") == _WHY for each in told.get(one, []))
            over = any(each.get("refused") == _NOBODY for each in refused.get(one, []))
            found[LOST][at] = one in lost
            found[TWICE][at] = len(case.wins) > 1 or len(said) > 1 or case.odd
            found[LATE][at] = case.late or (not decides and bool(said))
            right = said == set(case.wins) and because and len(case.wins) == 1 if decides else over and not said
            found[UNRECORDED][at] = not right or not self._kept(queue, one, case)
        return found

    def _kept(self, queue: Queue, one: str, case: _One) -> bool:
        """Return whether the queue says the same as whoever decided was told, and under which record that is."""
        try:
            item = queue.get(one)
        except InputError:
            return False
        mine = [f"{item.who}\n{item.answer}"] if item.who else []
        return bool(item.record) and mine == case.wins

    def _recorded(self, kind: str) -> dict[str, list[dict[str, Any]]]:
        found: dict[str, list[dict[str, Any]]] = {}
        for fields in self._fields(kind):
            found.setdefault(str(fields.get("case", "")), []).append(fields)
        return found

    def _fields(self, kind: str) -> Iterator[dict[str, Any]]:
        for item in self._place.reading().search(kind=kind):
            if item.body is not None:
                yield item.body.fields


def _alike(one: Any, other: Any) -> bool:
    """Return whether two cells are the same; what is missing is, too."""
    missing = [value is None or value != value for value in (one, other)]  # noqa: PLR0124  NaN alone differs from itself
    return all(missing) or (not any(missing) and bool(one == other))


def _tried(
    queue: Queue, one: str, said: tuple[str, str], recorder: Any, *, gate: threading.Barrier | None = None
) -> list[str]:
    """Return who was told that he decided a case, with what: one, or none.

    Args:
        queue: Which.
        one: The case.
        said: Who decides, and what.
        recorder: Where decisions go.
        gate: Where those wait who decide at the same moment.
    """
    who, answer = said
    if gate is not None:
        gate.wait(_PATIENCE)
    try:
        queue.decide(one, who, answer, _WHY, recorder)
    except InputError:
        return []
    except StorageError:  # decided, and not on record yet
        return ["\n".join(said)]
    return ["\n".join(said)]
