"""C3.queue: whether cases that are left to people are decided once, by one person, in time, and on record."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import numpy as np

from fivefold.contract.finding import Canary, Measure, Result
from fivefold.contract.outcome import Outcome
from fivefold.errors import InputError, UnsupportedError
from fivefold.governance.queue import Queue
from fivefold.governance.queue_trial import Trial
from fivefold.stats.judge import judge
from fivefold.stats.proportion import clopper_pearson

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    import pandas as pd

    from fivefold.contract.check import Context
    from fivefold.store.queued import Item

FLOOR = "max_faulty"
HOURS = 24.0
"""Deadline where none is declared; as of the ladder."""
_CANARY_ROWS = 30
_FEWEST = 20


def run(context: Context) -> Result:
    """Judge C3.queue.

    Threat: an unsure case is lost, answered twice, too late, or by nobody knows whom.
    Limit: the queue stands in a scratch file; a database that ``site.yaml`` names is not asked.

    Raises:
        UnsupportedError: ``queue.rows`` for fewer than 20 test rows, ``queue.inputs`` for rows that are no table,
            ``queue.scratch`` without a scratch folder.
    """
    scratch = context.scratch
    if scratch is None:
        raise UnsupportedError("queue.scratch", "there is no scratch folder.")
    rows = _rows(context)
    context.progress(0.1, "leaving cases to people")
    make = cast("Callable[..., Queue]", context.uses["queue"])
    found = _tried(make, rows, context, scratch / "queue")
    context.progress(0.7, "planting careless queues")
    bird = _canary(rows.iloc[:_CANARY_ROWS], context, scratch)
    any_of = np.logical_or.reduce(list(found.values()))
    whole = _share("cases that are faulty", any_of, context.thresholds[FLOOR])
    outcome = whole.outcome or Outcome.INCONCLUSIVE
    said = ", ".join(f"{fault}: {int(hits.sum())}" for fault, hits in found.items())
    reason = f"Of {len(rows):,} cases {int(any_of.sum())} are faulty ({said})."
    if not bird.noticed:
        outcome, reason = Outcome.INCONCLUSIVE, f"Planted careless queues were not told from a sound one. {reason}"
    return Result(
        outcome=outcome,
        reason=reason,
        measures=(whole, *(_share(f"cases that are {fault}", hits) for fault, hits in found.items())),
        canary=bird,
        limits=("The queue stood in a scratch file; a database named in site.yaml is not asked.",),
        remedy="" if outcome is Outcome.PASS else _remedy(any_of),
    )


def _rows(context: Context) -> pd.DataFrame:
    table = context.tables("test")
    if table.inputs is not None or not table.features.shape[1]:
        raise UnsupportedError("queue.inputs", "only rows of tables are left to people here.")
    if len(table) < _FEWEST:
        raise UnsupportedError("queue.rows", f"there are {len(table)} test rows.", remedy=f"Give at least {_FEWEST}.")
    if len(table) > context.rows:
        table = table.take(np.sort(context.rng.choice(len(table), context.rows, replace=False)))
    return table.features


def _tried(make: Callable[..., Queue], rows: pd.DataFrame, context: Context, folder: Path) -> Mapping[str, np.ndarray]:
    folder.mkdir()
    options = (context.settings.controls or {}).get("C3") or {}
    hours = options.get("deadline", HOURS)
    deadline = float(hours) if isinstance(hours, int | float) else HOURS
    return Trial(make, context.settings.classes, deadline, folder, context.rng).run(rows)


def _share(name: str, hits: np.ndarray, floor: float | None = None) -> Measure:
    low, high = (float(bound) for bound in clopper_pearson(int(hits.sum()), len(hits)))
    return Measure(
        name=name, value=float(hits.mean()), low=low, high=high, threshold=floor, unit="share", n=len(hits),
        direction=None if floor is None else "max",
        outcome=None if floor is None else judge(low, high, floor, "max"),
    )  # fmt: skip


class Forgetful(Queue):
    """It keeps every other case only."""

    def put(self, caller: str, purpose: str, asked: str, places: Sequence[int], hours: float) -> list[str] | None:
        """Keep half of them, and say that all are kept."""
        ids = super().put(caller, purpose, asked, places, hours)
        self.withdraw((ids or [])[::2])
        return ids


class LastWord(Queue):
    """Whoever comes last has decided."""

    def decide(self, one: str, who: str, answer: str, because: str, recorder: Any) -> Item:
        """Tell everybody that he has."""
        try:
            return super().decide(one, who, answer, because, recorder)
        except InputError:
            return self.get(one)


class Timeless(Queue):
    """It knows no deadline."""

    def __init__(self, home: Any, answers: Sequence[str], *, now: Callable[[], float]) -> None:
        """Stop the clock."""
        began = now() - 1e6
        super().__init__(home, answers, now=lambda: began)


class Nameless(Queue):
    """It says that decisions are on record, and puts none there."""

    def settle(self, recorder: Any) -> int:
        """Put nothing on record."""
        del recorder
        return 0


CARELESS = (Forgetful, LastWord, Timeless, Nameless)
"""Queues that are each wrong in one way."""


def _canary(rows: pd.DataFrame, context: Context, scratch: Path) -> Canary:
    """Put some of these rows before four careless queues, and twice before this version's own."""
    floor = context.thresholds[FLOOR]

    def fails(make: Callable[..., Queue], name: str) -> bool:
        found = _tried(make, rows, context, scratch / name)
        return _share("", np.logical_or.reduce(list(found.values())), floor).outcome is Outcome.FAIL

    found = sum(fails(kind, kind.__name__.lower()) for kind in CARELESS)
    alarms = sum(fails(Queue, f"sound {at}") for at in range(2))
    return Canary(
        kind="queues that forget, let the last word win, know no deadline, or record no decision",
        planted=len(CARELESS), found=found, clean=2, false_alarms=alarms,
        noticed=found == len(CARELESS) and not alarms,
        detail=f"{len(rows)} of these rows each; this version's own queue twice.",
    )  # fmt: skip


def _remedy(faulty: np.ndarray) -> str:
    if faulty.any():
        return "Do not leave cases to this queue; report it with what was found."
    return "Give more test rows: each is a case."
