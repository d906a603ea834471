"""Check S5.stream: bad rows at ingestion are held with a reason, and nobody but an officer lets them in."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fivefold.contract.finding import Canary, Measure, Result
from fivefold.contract.outcome import Outcome
from fivefold.errors import InputError, UnsupportedError
from fivefold.sharing.filtering.choose import filtered, spoilt, trusted_rows
from fivefold.sharing.filtering.intake import Intake
from fivefold.sharing.filtering.known import learned, usable
from fivefold.sharing.filtering.removal import joined
from fivefold.stats.judge import judge
from fivefold.stats.proportion import clopper_pearson
from fivefold.store.held import Held

if TYPE_CHECKING:
    from fivefold.contract.check import Context
    from fivefold.contract.subject import Table

FLOOR = "min_held"
_FEWEST = 400
_BATCHES = 4
_RATE = (0.08, 0.15)
_OFFICER = "officer of the check"
_MOST_GOOD = 0.2
_PLANTED = {True: "another class or a target at the other end", False: "values drawn at random in each column's range"}
_REMEDY = (
    "Columns that tell more of the target, or more vetted rows, make the filter at ingestion stronger; until then have "
    "people look at what comes in."
)


def run(context: Context) -> Result:
    """Let batches of the training rows in through the real intake, with planted bad rows, and count what is held.

    Threat: bad rows that come in a few at a time.
    Limit: planted rows have another class, a target at the other end, or values drawn at random; a change of
    population is held, too.

    Args:
        context: Data set ``train``; threshold ``min_held``; ``controls: {S5: {intake: true}}``.

    Raises:
        UnsupportedError: ``filter.intake`` where no filter at ingestion is declared, ``filter.rows`` with fewer than
            400 rows with a target.
    """
    if not (context.settings.controls or {}).get("S5", {}).get("intake"):
        raise UnsupportedError(
            "filter.intake", "this application declares no filter at ingestion: what comes in, it learns.",
            remedy="Let rows in through the intake and declare it: controls: {S5: {intake: true}}.",
        )  # fmt: skip
    table, trusted = usable(context.tables("train")), trusted_rows(context)
    if len(table) < _FEWEST:
        raise UnsupportedError("filter.rows", f"fewer than {_FEWEST} training rows can be used.")
    rng, floor = context.rng, context.thresholds[FLOOR]
    order = rng.permutation(len(table))[: context.rows]
    half = len(order) // 2
    vetted = table.take(order[:half])
    vetted, _ = joined(vetted.take(filtered(vetted, rng, trusted).kept), trusted)
    place = None if context.scratch is None else context.scratch / "held.sqlite"
    store = Held(place, "check")
    context.progress(0.3, "batches come in")
    held, wrong, reasons = _batches(Intake(vetted, store, (_OFFICER,), rng), table.take(order[half:]), rng)
    waiting = store.waiting(len(order))
    if place is not None:
        store.close()
        store = Held(place, "check")
    kept = len(store.waiting(len(order))) == len(waiting) == int(held.sum())
    refused = _refused(Intake(vetted, store, (_OFFICER,), rng), waiting[0].id) if waiting else False
    store.close()
    count, n = int((held & wrong).sum()), int(wrong.sum())
    low, high = (float(bound) for bound in clopper_pearson(count, n))
    good, m = int((held & ~wrong).sum()), int((~wrong).sum())
    noticed = kept and refused and bool(reasons) and good / max(m, 1) <= _MOST_GOOD
    outcome = judge(low, high, floor, "min")
    if not noticed:
        outcome = Outcome.FAIL if outcome is Outcome.FAIL else Outcome.INCONCLUSIVE
    proof = Canary(
        kind="bad rows in batches", planted=n, found=count, clean=m, false_alarms=good, noticed=noticed,
        detail=f"{n} of {n + m} incoming rows given {_PLANTED[learned(table)]}, in {_BATCHES} batches.",
    )  # fmt: skip
    good_low, good_high = (float(bound) for bound in clopper_pearson(good, m))
    return Result(
        outcome=outcome,
        reason=_reason(noticed=noticed, share=count / max(n, 1), good=good / max(m, 1)),
        measures=(
            Measure(name="planted bad rows held in quarantine", value=count / n, low=low, high=high,
                    threshold=floor,
                    direction="min", outcome=judge(low, high, floor, "min"), unit="share", n=n),
            Measure(name="other rows held", value=good / m, low=good_low, high=good_high, unit="share", n=m),
            Measure(name="held rows there again after opening the store anew", value=float(kept), n=len(waiting)),
            Measure(name="releases without an officer or a reason refused", value=float(refused), n=2),
        ),
        canary=proof,
        limits=(f"Planted rows are given {_PLANTED[learned(table)]}.",
                "A population that changes is held, too, until an officer lets it in."),
        remedy="" if outcome is Outcome.PASS else _REMEDY,
    )  # fmt: skip


def _batches(door: Intake, coming: Table, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, bool]:
    rate = float(rng.uniform(*_RATE))
    wrong = rng.random(len(coming)) < rate
    wrong[int(rng.integers(len(coming)))] = True
    bad = spoilt(coming, wrong, rng)
    held = np.zeros(len(coming), dtype=bool)
    for at, rows in enumerate(np.array_split(np.arange(len(coming)), _BATCHES)):
        held[rows] = ~door.admit(bad.take(rows), f"batch {at}", at)
    return held, wrong, bool(held.any())


def _refused(door: Intake, one: str) -> bool:
    """Return whether a stranger, an officer without a reason, and a second decision are refused."""
    for officer, because in (("somebody", "please"), (_OFFICER, " ")):
        try:
            door.decide(one, "released", officer, because, 9)
        except InputError:
            continue
        return False
    door.decide(one, "released", _OFFICER, "looked at it", 9)
    try:
        door.decide(one, "dropped", _OFFICER, "changed my mind", 10)
    except InputError:
        return True
    return False


def _reason(*, noticed: bool, share: float, good: float) -> str:
    told = f"{share:.0%} of planted bad rows and {good:.1%} of the others are held"
    if not noticed and share:
        return f"The intake held too many rows, lost some, or let one in without an officer; {told}."
    return f"At ingestion {told}, until an officer decides."
