"""Subjects of C3.queue: queues that keep their word, and queues that break it in one way each."""

from __future__ import annotations

import tempfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fivefold.contract.subject import SettingsView
from fivefold.errors import InputError
from fivefold.governance.queue import REFUSED, Queue
from fivefold.governance.queue_check import Forgetful, LastWord, Nameless, Timeless

from .entry import Entry
from .floors import floors
from .subjects import context, filler, table

if TYPE_CHECKING:
    from fivefold.contract.check import Context
    from fivefold.store.queued import Item

CHECK = "C3.queue"


class _Shared(Queue):
    """Every decision bears the same name."""

    def decide(self, one: str, who: str, answer: str, because: str, recorder: Any) -> Item:
        return super().decide(one, "somebody" if who else who, answer, because, recorder)


class _Swapped(Queue):
    """Cases show the row of their neighbour."""

    def asked(self, item: Item) -> dict[str, Any]:
        return super().asked(item._replace(place=0))


class _Lenient(Queue):
    """What is no answer counts as a refusal."""

    def decide(self, one: str, who: str, answer: str, because: str, recorder: Any) -> Item:
        try:
            return super().decide(one, who, answer, because, recorder)
        except InputError as error:
            if error.code != "queue.answer":
                raise
            return super().decide(one, who, REFUSED, because, recorder)


class _Silent(Queue):
    """Cases whose time is over go without a record."""

    def settle(self, recorder: Any) -> int:
        for item in self._queued.unrecorded(1000):
            if not item.who:
                self._queued.recorded(item.id, "none")
        return super().settle(recorder)

    def decide(self, one: str, who: str, answer: str, because: str, recorder: Any) -> Item:
        self._queued.expire(int(self._now()))
        return super().decide(one, who, answer, because, recorder)


def build(seed: int, made: type[Queue] = Queue, rows: tuple[int, int] = (160, 200)) -> Context:
    """Build one queue, its answers classes or numbers.

    Args:
        seed: Of everything else.
        made: How the queue behaves.
        rows: Fewest and most test rows.
    """
    rng = np.random.default_rng([seed, 0])
    n = int(rng.integers(*rows))
    frame = filler(rng, n, int(rng.integers(3, 20))).assign(number=np.arange(n))
    width = int(rng.choice([0, 2, 4]))
    classes = tuple(f"answer {i}" for i in range(width))
    target = rng.integers(0, width, n) if width else rng.normal(size=n)
    options = {"levels": ["model", "human"], "deadline": float(rng.choice([0.5, 24, 100]))}
    settings = SettingsView(controls={"C3": options}, classes=classes)
    fast = "/dev/shm" if Path("/dev/shm").is_dir() else None  # thousands of syncs
    scratch = (
        Path(tempfile.mkdtemp(prefix="fivefold-truth-", dir=fast)) / "scratch"
    )  # the battery removes the folder above it
    scratch.mkdir()
    return context(
        CHECK, None, {"test": table("test", frame, target)}, seed, thresholds=floors(CHECK), settings=settings,
        scratch=scratch, uses={"queue": made}, effort="quick",
    )  # fmt: skip


def careless(seed: int) -> Context:
    """The last word wins."""
    return build(seed, LastWord)


ENTRIES = {
    CHECK: Entry(
        check=CHECK,
        documented="a queue that breaks its word in one way, wherever the case comes up: 160 cases or more",
        planted={
            "cases are forgotten": partial(build, made=Forgetful),
            "the last word wins": careless,
            "no deadline": partial(build, made=Timeless),
            "no record": partial(build, made=Nameless),
            "one name for all": partial(build, made=_Shared),
            "another row is shown": partial(build, made=_Swapped),
            "odd answers are refusals": partial(build, made=_Lenient),
            "no record of time-outs": partial(build, made=_Silent),
        },
        clean={"as it is": build},
        small={"25 cases, the last word wins": partial(build, made=LastWord, rows=(20, 30))},
        scratch=True,
    )
}
