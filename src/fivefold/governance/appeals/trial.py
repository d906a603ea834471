"""Trial: drill appeals on a scratch record, each of which meets one fate, and what the log says of them afterwards."""

from __future__ import annotations

import contextlib
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from fivefold.errors import FivefoldError, InputError, StorageError
from fivefold.governance.appeals import course
from fivefold.governance.appeals.nouns import DAY, NONE, Appeal, Receipt, Terms
from fivefold.governance.appeals.verifying import verified
from fivefold.keys import signing
from fivefold.log.simulated import SimulatedDisk
from fivefold.store.people import People
from fivefold.traceability.recorder.reading import Reading
from fivefold.traceability.recorder.recorder import Recorder
from fivefold.traceability.recorder.secrets_ import Secrets

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import numpy as np
    import pandas as pd

    from fivefold.governance.appeals.desk import Desk
    from fivefold.governance.appeals.examining import Again

    Make = Callable[..., Desk]

FATES = ("usual", "filer", "decider", "person", "together", "after", "crash", "late", "nobody", "elsewhere")
"""Somebody else decides; who filed, who decided, whom it is about tries first; two at once; one after the other; the
record fails; a day too late; nobody decides; the model is another one now."""
ADMITTED, WRONG, UNTOLD, ASTRAY = "wrong reviewer", "not as the log says", "replayed untruly", "course"
_PATIENCE = 10.0
_CASES = ("clerk", "Jane Roe", "officer-1", "officer-2")
_WHY = "looked at it"


class Place:
    """A scratch place for a desk and a record; see :class:`fivefold.governance.queue_trial.Place`.

    Attributes:
        application: Name of none.
        people: The desk's file.
    """

    application = "a check of appeals"

    def __init__(self, folder: Path, rng: np.random.Generator, clock: Callable[[], int]) -> None:
        """Make it in an empty folder."""
        self.people = folder / "appeals.sqlite"
        self._clock, self._disk, self._signer = clock, SimulatedDisk(), signing.generate()
        self._secrets = Secrets(bytes(rng.bytes(32)), People(None, self.application))
        self.keys = (self._signer.public,)

    def writing(self) -> Recorder:
        """Open the record for writing."""
        return Recorder(
            self._disk, "fivefold/check/appeals", self._signer, self._secrets, clock=self._clock,
            checkpoint_seconds=0.02, segment_bytes=1 << 16,
        )  # fmt: skip

    def reading(self) -> Reading:
        """Open it for reading."""
        return Reading(self._disk, self._secrets)


@dataclass
class Clock:
    """A clock that is set by hand, and moves a microsecond each time it is read: nanoseconds since 1970."""

    now: int = 1_700_000_000 * 1_000_000_000

    def __call__(self) -> int:
        """Return what it shows."""
        self.now += 1000
        return self.now


@dataclass
class _One:
    """One drill appeal: its fate, who was told that he decided it, and who got through that must not."""

    id: str
    fate: str
    wins: list[str] = field(default_factory=list)
    let: bool = False


class _Broken:
    """A recorder whose disk is full."""

    def open(self, *_: Any, **__: Any) -> Any:
        raise StorageError("record.disk", "the disk is full.")


@dataclass(frozen=True)
class Elsewhere:
    """Another model than the one that decided.

    Attributes:
        model: Its digest.
        answers: Its labels.
    """

    again: Again

    @property
    def model(self) -> str:
        """Its digest."""
        return "f" * 64

    @property
    def answers(self) -> tuple[str, ...]:
        """Its labels."""
        return self.again.answers

    def ask(self, rows: Any) -> dict[str, np.ndarray]:
        """Answer as the other one: only the digest tells them apart."""
        return self.again.ask(rows)

    def answer(self, rows: Any) -> list[str]:
        """Answer as the other one."""
        return self.again.answer(rows)

    def reason(self, rows: Any) -> str:
        """Give no reason."""
        del rows
        return ""


class Trial:
    """Appeals of one desk."""

    def __init__(self, make: Make, again: Again, days: int, folder: Path, rng: np.random.Generator) -> None:
        """Prepare it.

        Args:
            make: Opens a desk: place, terms, ``now``.
            again: The application's model.
            days: Declared.
            folder: An empty folder.
            rng: Draws answers.
        """
        self._make, self._again, self._terms, self._rng = make, again, Terms(days), rng
        self._clock = Clock()
        self._place = Place(folder, rng, self._clock)
        self._all: list[_One] = []

    def run(self, rows: pd.DataFrame) -> dict[str, tuple[str, ...]]:
        """Return each appeal's fate and number to what went wrong; nothing: it went as it must.

        Args:
            rows: (n, d) one decision each; fates come round in turn.
        """
        with self._place.writing() as recorder:
            decided = [self._decision(recorder, rows.iloc[at : at + 1], at) for at in range(len(rows))]
            with contextlib.closing(self._open()) as desk, contextlib.closing(self._open()) as other:
                for at, record in enumerate(decided):
                    self._filed(desk, recorder, record, FATES[at % len(FATES)])
                for one in self._all:
                    self._fated(one, (desk, other), recorder)
                self._clock.now += (self._terms.days + 1) * DAY
                for one in self._all:
                    if one.fate == "late":
                        one.wins += self._tried(desk, one, _CASES[2], recorder)
            with contextlib.closing(self._open()) as desk:
                desk.settle(recorder)
        return {f"{one.fate} {at}": self._judged(one) for at, one in enumerate(self._all)}

    def _open(self) -> Desk:
        return self._make(self._place, self._terms, now=self._clock)

    def _decision(self, recorder: Recorder, row: pd.DataFrame, at: int) -> str:
        row = row.reset_index(drop=True)
        with recorder.open(f"case {at}", subject=f"{_CASES[1]} {at}", model=self._again.model) as case:
            case.input({str(name): column for name, column in row.items()})
            fields = {"caller": _CASES[0], "answer": self._again.answer(row), "rows": 1, "reasons": ["It is a drill."]}
            told: str = case.add("decision", fields, batch=self._again.ask(row), wait=True)
        return told

    def _filed(self, desk: Desk, recorder: Recorder, record: str, fate: str) -> None:
        made = desk.file(
            Receipt(self._place.application, record, "", "receipt, version 1"), 0, "a friend", _WHY, recorder
        )
        again = Elsewhere(self._again) if fate == "elsewhere" else self._again
        desk.examine(made, again, "", recorder)
        self._all.append(_One(made.id, fate))

    def _fated(self, one: _One, desks: tuple[Desk, Desk], recorder: Recorder) -> None:
        desk, other = desks
        mine, theirs = _CASES[2:]
        strangers = {"filer": " A  Friend", "decider": "CLERK", "person": self._person(desk, one)}
        if one.fate in strangers:
            one.let = bool(self._tried(desk, one, strangers[one.fate], recorder))
        if one.fate == "together":
            gate = threading.Barrier(2)
            with ThreadPoolExecutor(2) as pool:
                pairs = zip(desks, (mine, theirs), strict=True)
                done = [pool.submit(self._tried, each, one, who, recorder, gate=gate) for each, who in pairs]
                one.wins += [who for task in done for who in task.result()]
        elif one.fate == "crash":
            one.wins += self._tried(desk, one, mine, _Broken())
        elif one.fate not in {"late", "nobody"}:
            one.wins += self._tried(desk, one, mine, recorder)
        if one.fate == "after":
            one.wins += self._tried(other, one, theirs, recorder)

    def _person(self, desk: Desk, one: _One) -> str:
        return desk.get(one.id).person.upper()

    def _tried(
        self, desk: Desk, one: _One, who: str, recorder: Any, *, gate: threading.Barrier | None = None
    ) -> list[str]:
        """Return who was told that he decided: one, or none."""
        if gate is not None:
            gate.wait(_PATIENCE)
        try:
            desk.decide(one.id, who, "uphold", f"{_WHY}: {who}", recorder)
        except InputError:
            return []
        except StorageError:  # decided, and not on record yet
            return [who]
        return [who]

    def _judged(self, one: _One) -> tuple[str, ...]:
        """Return what went wrong with an appeal, from the log alone but for who was let in and who was told."""
        reading = self._place.reading()
        appeal = course.of(reading, one.id)
        if appeal is None:
            return (WRONG,)
        try:
            found = verified(reading, appeal, self._place.keys, days=self._terms.days, now=self._clock.now).faults
        except FivefoldError:
            return (WRONG,)
        late = (course.LATE,) if one.fate in {"late", "nobody"} else ()
        expected = late
        wrong = tuple(f"{ASTRAY}: {fault}" for fault in (*found, *late) if (fault in found) != (fault in expected))
        return (*dict.fromkeys(wrong), *self._untrue(one, appeal))

    def _untrue(self, one: _One, appeal: Appeal) -> tuple[str, ...]:
        said = {each.by for each in appeal.decided}
        checks = {
            ADMITTED: one.let,
            WRONG: said != set(one.wins) or len(one.wins) != (one.fate != "nobody")
            or (one.fate == "nobody" and not appeal.alarmed),
            UNTOLD: (appeal.replayed == NONE) != (one.fate == "elsewhere"),
        }  # fmt: skip
        return tuple(name for name, is_so in checks.items() if is_so)
