"""Storm: many questions while the model's process is killed and the disk is full again and again.

``python -m tests.guard.storm`` asks 100,000 and writes ``docs/figures/guard-storm.md``.
"""

from __future__ import annotations

import argparse
import contextlib
import errno
import hashlib
import os
import random
import signal
import tempfile
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest import mock

import numpy as np
from tests.subject.apps import table

from fivefold.guard import Guard
from fivefold.guard.nouns import Principal, RefusedError
from fivefold.traceability.recorder.opening import home as place_of

if TYPE_CHECKING:
    from collections.abc import Iterator

REPO = Path(__file__).resolve().parents[2]
ROWS = 9
"""Rows of a question: one more than get a reason, which would be most of the time."""


@dataclass
class Tally:
    """What came of the questions, and what stands in the record.

    Attributes:
        told: Outcome to number: ``answered``, or the refusal's code.
        by: Rung to number of rows that it answered.
        lost: Answers without a record of the same caller and answer.
        wrong: Rows said to be answered by the model, whose answer it would not give.
        unadmitted: Answers on record without purpose and domain before them.
        recorded: Refusals on record.
        counted: Refusals that gap records count.
        kills: Processes killed.
        full: Times that the disk was full.
    """

    told: Counter[str] = field(default_factory=Counter)
    by: Counter[str] = field(default_factory=Counter)
    lost: int = 0
    wrong: int = 0
    unadmitted: int = 0
    recorded: int = 0
    counted: int = 0
    kills: int = 0
    full: int = 0
    seconds: float = 0.0

    @property
    def uncounted(self) -> int:
        """Refusals of which there is neither a record nor a count."""
        without = self.told["guard.record"] + self.told["guard.stopped"]
        refused = sum(self.told.values()) - self.told["answered"] - without
        return max(0, refused - self.recorded) + max(0, without - self.counted)


class Storm:
    """One run."""

    def __init__(self, root: Path, requests: int, seed: int, *, kill: float, full: float, threads: int = 8) -> None:
        """Prepare it.

        Args:
            root: A signed application; its model answers ``yes`` where ``weight`` is above 50.
            requests: How many questions.
            seed: Of everything drawn.
            kill: Mean seconds between two kills.
            full: Mean seconds between two times that the disk is full, a tenth of a second each.
            threads: That ask.
        """
        self._root, self._requests, self._seed = root, requests, seed
        self._rows = table(5000, seed + 100).drop(columns="answer")  # from where the calibration rows come
        self._kill, self._full, self._threads = kill, full, threads
        self._end, self._no_room, self._lock = threading.Event(), False, threading.Lock()
        self.tally, self._answers = Tally(), {}

    def run(self) -> Tally:
        """Ask everything, then hold what was told against the record."""
        began = time.monotonic()
        with mock.patch("os.pwrite", self._write), Guard(self._root) as guard:
            others = [threading.Thread(target=part, args=(guard,)) for part in (self._killing, self._filling)]
            askers = [threading.Thread(target=self._ask, args=(guard, at)) for at in range(self._threads)]
            for thread in others + askers:
                thread.start()
            for thread in askers:
                thread.join()
            self._end.set()
            for thread in others:
                thread.join()
            while guard.writing.broken:
                time.sleep(0.1)
        self.tally.seconds = time.monotonic() - began
        self._audit(guard)
        return self.tally

    def _write(self, descriptor: int, data: Any, offset: int, real: Any = os.pwrite) -> int:
        if self._no_room:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return int(real(descriptor, data, offset))

    def _ask(self, guard: Guard, at: int) -> None:
        who, rng = Principal(f"caller {at}", "caller", ("sorting",)), np.random.default_rng([self._seed, at])
        for number in range(at, self._requests, self._threads):
            rows = self._rows.iloc[rng.integers(0, len(self._rows), ROWS)]
            given = {name: rows[name].astype(object).where(rows[name].notna(), None).tolist() for name in rows}
            if rng.random() < 0.1:
                given["weight"][0] = 130.0  # the declared range ends at 120
            try:
                found = guard.answer(who, given, purpose="sorting", case=f"storm {number}")
            except RefusedError as error:
                with self._lock:
                    self.tally.told[error.code] += 1
                time.sleep(0.05 if error.status == 503 else 0)  # as who is asked to come again does
                continue
            odd = sum(
                by == "model" and answer != ("yes" if value > 50 else "no")
                for by, answer, value in zip(found.by, found.answers, given["weight"], strict=True)
            )
            with self._lock:
                self.tally.told["answered"] += 1
                self.tally.by.update(found.by)
                self.tally.wrong += odd
                self._answers[found.receipt.record] = (who.name, list(found.answers))

    def _waits(self, mean: float, seed: int) -> Iterator[None]:
        rng = random.Random(self._seed + seed)
        while not self._end.wait(rng.expovariate(1 / mean)):
            yield

    def _killing(self, guard: Guard) -> None:
        for _ in self._waits(self._kill, 1):
            pid = guard._isolated.pid
            if pid:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
                    self.tally.kills += 1

    def _filling(self, _guard: Guard) -> None:
        for _ in self._waits(self._full, 2):
            self._no_room = True
            self.tally.full += 1
            time.sleep(0.1)
            self._no_room = False

    def _audit(self, guard: Guard) -> None:
        for item in place_of(guard.manifest).reading().search():
            fields = item.body.fields if item.body else {}
            if item.kind == "gap":
                self.tally.counted += fields.get("refused without a record", 0)
            if item.kind != "decision" or "caller" not in fields:
                continue
            if "refused" in fields:
                self.tally.recorded += 1
                continue
            self.tally.unadmitted += not {"purpose", "domain"} <= set(fields["stages"])
            known = self._answers.pop(item.id, None)
            self.tally.lost += known is not None and known != (fields["caller"], fields["answer"])
        self.tally.lost += len(self._answers)


def main() -> None:
    """Run the full storm and write its figure."""
    from tests.guard import signed
    from tests.guard.test_falling import application

    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--requests", type=int, default=100_000)
    asked.add_argument("--seed", type=int, default=1)
    given = asked.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for name in ("CONFIG", "STATE", "CACHE", "DATA"):
            os.environ[f"XDG_{name}_HOME"] = str(Path(folder) / name.lower())
        signed.signer(Path(folder))
        root = application(Path(folder) / "app", levels=["model", "rules"], risk=0.2)
        found = Storm(root, given.requests, given.seed, kill=7.0, full=5.0).run()
    state = hashlib.sha256()
    for path in sorted((REPO / "src" / "fivefold" / "guard").rglob("*.py")):
        state.update(path.read_bytes())
    head = (
        f"{given.requests:,} questions of {ROWS} rows from eight threads, seed {given.seed}; {found.kills} times the "
        f"model's process was killed and {found.full} times the disk was full for a tenth of a second; "
        f"{found.seconds:.0f} s. Code of the guard `{state.hexdigest()[:16]}`. Made by `python -m tests.guard.storm`."
    )
    end = (
        f"Answers without their record: {found.lost}. Answers of the model that it would not give: {found.wrong}. "
        f"Answers without admission: {found.unadmitted}. Refusals neither on record nor counted: {found.uncounted} "
        f"({found.recorded:,} on record, {found.counted:,} counted)."
    )
    lines = ["# Guard: a storm", "", head, ""]
    lines += [
        "| outcome | questions |",
        "|---|---|",
        *(f"| {name} | {count:,} |" for name, count in found.told.most_common()),
    ]
    lines += [
        "",
        "| rung | rows |",
        "|---|---|",
        *(f"| {name} | {count:,} |" for name, count in found.by.most_common()),
    ]
    lines += ["", end, ""]
    text = "\n".join(lines)
    (REPO / "docs" / "figures" / "guard-storm.md").write_text(text, encoding="utf-8")
    print(text)  # noqa: T201


if __name__ == "__main__":
    main()
