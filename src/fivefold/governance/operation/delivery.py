"""Check E5.delivery: whether decisions on record left with their reason, and within its time."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import numpy as np

from fivefold.contract.finding import Canary, Measure, Result
from fivefold.contract.outcome import Outcome, worst
from fivefold.errors import UnsupportedError
from fivefold.governance.operation.shares import share
from fivefold.governance.operation.told import DELIVERED, DELIVERY, LATE, NONE, REASON_SECONDS, SAID_NONE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fivefold.contract.check import Context

REASONS, SLOW = "min_reasons", "max_late"
_CASES, _TRIALS = 400, 5


def run(context: Context) -> Result:
    """Judge E5.delivery.

    Threat: the person whom a decision is about is told the answer and not why, or so late that it left without.
    Limit: whether the reason is right is not asked here (E2, E4), nor whether whoever asks hands it on.

    Raises:
        UnsupportedError: ``operation.none`` where no decision is on record.
    """
    letters = str((context.settings.facts or {}).get(DELIVERY) or "")
    if not letters:
        raise UnsupportedError(
            "operation.none", "no decision is on record that this user can read.",
            remedy="Serve the application by the guard; assess it again from the same account.",
        )  # fmt: skip
    measures = measured(letters, context.thresholds)
    bird = _canary(letters, context.thresholds, context.rng)
    outcome = worst([one.outcome for one in measures if one.outcome is not None])
    return Result(
        outcome=outcome if bird.noticed else Outcome.INCONCLUSIVE,
        reason=_reason(letters, bird),
        measures=measures,
        canary=bird,
        limits=("Whether the reasons are right, and whether whoever asks hands them on, is not seen here.",),
        remedy="" if outcome is Outcome.PASS else _remedy(letters),
    )


def measured(letters: str, floors: Mapping[str, float]) -> tuple[Measure, ...]:
    """Return how many decisions left with a reason, and how many of their reasons took too long.

    Args:
        letters: One for each decision; see :mod:`fivefold.governance.operation.told`.
        floors: ``min_reasons``, ``max_late``.
    """
    counts = Counter(letters)
    had, n = counts[DELIVERED] + counts[LATE], len(letters)
    return (
        share("decisions that left with their reason", had, n, REASONS, floors),
        share(f"reasons that took over {REASON_SECONDS:g} s", counts[LATE], n, SLOW, floors),
    )


def _canary(letters: str, floors: Mapping[str, float], rng: np.random.Generator) -> Canary:
    """Plant silence and delay among these very decisions, drawn again; and give each its reason in time."""
    found = alarms = 0
    for _ in range(_TRIALS):
        drawn = np.array(list(letters))[rng.integers(0, len(letters), _CASES)]
        for letter in (NONE, LATE):
            bad = np.where(rng.random(_CASES) < rng.uniform(0.15, 0.5), letter, drawn)
            found += any(one.outcome is Outcome.FAIL for one in measured("".join(bad), floors))
        good = np.full(_CASES, DELIVERED)
        good[: int(rng.integers(3))] = NONE
        alarms += any(one.outcome is not Outcome.PASS for one in measured("".join(good), floors))
    return Canary(
        kind="decisions without a reason, and late ones", planted=2 * _TRIALS, found=found, clean=_TRIALS,
        false_alarms=alarms, noticed=found == 2 * _TRIALS and not alarms,
        detail=f"{_CASES} of these decisions, drawn again: 15 to 50 % silent or late; nearly all with their reason.",
    )  # fmt: skip


def _reason(letters: str, bird: Canary) -> str:
    if not bird.noticed:
        return "Planted silence went unnoticed, so nothing of the record is believed."
    counts = Counter(letters)
    had = counts[DELIVERED] + counts[LATE]
    return (
        f"Of {len(letters):,} decisions on record, {had:,} left with a reason, {counts[LATE]:,} of them late; "
        f"{counts[NONE]:,} had none, and {counts[SAID_NONE]:,} were told that there is none."
    )


def _remedy(letters: str) -> str:
    counts = Counter(letters)
    if counts[NONE] >= max(counts[SAID_NONE], counts[LATE]):
        return "Ask for at most eight rows at once, of a model that is given a table; more get answers without reasons."
    return "Give the model's process more time: a faster model, a machine less busy, or fewer rows at once."
