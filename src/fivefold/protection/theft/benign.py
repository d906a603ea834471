"""Check P2.benign: how many honest callers are taken for thieves."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from threadpoolctl import threadpool_limits

from fivefold.contract.finding import Canary, Measure, Result
from fivefold.contract.outcome import Outcome
from fivefold.errors import UnsupportedError
from fivefold.protection.theft import detector, oddities, traffic, trial
from fivefold.protection.theft.learning import FEWEST
from fivefold.protection.theft.stream import Stream
from fivefold.stats.judge import judge
from fivefold.stats.proportion import clopper_pearson

if TYPE_CHECKING:
    from fivefold.contract.check import Context
    from fivefold.protection.theft.coding import Rows
    from fivefold.protection.theft.learning import Profile
    from fivefold.protection.theft.stream import Honest

FLOOR = "max_flagged"
_THIEVES = 20
_ODD = 60
_FEWEST_TO_PASS = 500
"""Test rows without which nothing speaks for honest callers in general."""
_REMEDY = {
    Outcome.FAIL: "The rows asked are not like the training rows: learn the detector from rows like those of today.",
    Outcome.INCONCLUSIVE: "Bring more rows to learn from, or raise `principals`.",
}


def run(context: Context) -> Result:
    """Measure the share of honest callers who are taken for thieves, on test rows in five orders.

    Threat: a customer is shut out because what he asks looks unusual to the detector.
    Limit: honest callers are made of test rows; what real ones ask in a year is not seen.

    Args:
        context: Needs ``train`` and ``test``; threshold ``max_flagged``.

    Raises:
        UnsupportedError: ``theft.inputs``, ``theft.rows``.
    """
    with threadpool_limits(limits=1):
        return _run(context)


def _run(context: Context) -> Result:
    rng, test = context.rng, context.tables("test")
    if len(test) < FEWEST:
        raise UnsupportedError("theft.rows", f"test has {len(test)} rows, and {FEWEST} are needed.")
    if not trial.controls_of(context).get("detect"):
        raise UnsupportedError(
            "theft.unwatched", "no detection is declared, so nobody is taken for a thief.",
            remedy="Declare `controls: {P2: {detect: true}}`.",
        )  # fmt: skip
    rows, asked_of = trial.rows_of(test.take(rng.permutation(len(test))[: context.rows])), len(test)
    del test  # the whole set is large
    profile, honest = trial.profile_of(context), trial.honest_of(trial.controls_of(context))
    callers, questions = int(context.options.get("principals") or 70), int(context.options.get("questions") or 300)
    flagged = {}
    for position, kind in enumerate(traffic.KINDS):
        context.progress(position / len(traffic.KINDS), kind)
        asked = [traffic.honest(rows, kind, questions, rng) for _ in range(callers)]
        flagged[kind] = sum(_is_flagged(profile, honest, one) for one in asked)
    proof = _prove(profile, honest, rows, rng)
    hits, n = sum(flagged.values()), callers * len(traffic.KINDS)
    low, high = (float(bound) for bound in clopper_pearson(hits, n))
    floor = context.thresholds[FLOOR]
    outcome = judge(low, high, floor, "max") if proof.noticed else Outcome.INCONCLUSIVE
    if outcome is Outcome.PASS and asked_of < _FEWEST_TO_PASS:
        outcome = Outcome.INCONCLUSIVE
    main = Measure(
        name="honest callers flagged", value=hits / n, low=low, high=high, threshold=floor, direction="max",
        outcome=outcome, unit="share", n=n, note=f"Each asked {questions} questions made of test rows.",
    )  # fmt: skip
    shown = [
        Measure(name="honest callers flagged", value=count / callers, unit="share", n=callers, where=kind)
        for kind, count in flagged.items()
    ]
    text = f"{hits} of {n} honest callers were taken for thieves within {questions} questions each."
    if asked_of < _FEWEST_TO_PASS:
        text += f" {asked_of} test rows are too few to speak for all honest callers; {_FEWEST_TO_PASS} are needed."
    if not proof.noticed:
        text = f"A detector that could not tell odd rows from these honest ones flags nobody; not believed. {text}"
    return Result(
        outcome=outcome,
        reason=text,
        measures=(main, *shown),
        canary=proof,
        limits=(
            "Honest callers are made of test rows; what real ones ask in a year is not seen.",
            f"More than {honest.variants} variants of one row count as theft, whoever asks them.",
        ),
        remedy=_REMEDY.get(outcome, ""),
    )


def _is_flagged(profile: Profile, honest: Honest, rows: Rows) -> bool:
    cells = profile.coding.cells(rows)
    most, _ = Stream(profile).add(profile, honest, cells, profile.unlikely(cells))
    return bool(most >= -np.log(detector.ALPHA))


def _prove(profile: Profile, honest: Honest, rows: Rows, rng: np.random.Generator) -> Canary:
    """Put callers before the detector who ask odd rows, or variant after variant of one row."""
    found = 0
    for turn in range(_THIEVES):
        chosen = traffic.taken(rows, rng.integers(0, len(rows), _ODD))
        odd = oddities.made(chosen, rng) if turn % 2 else _variants(chosen, rng)
        found += _is_flagged(profile, honest, odd)
    kind = "callers who ask rows with cells drawn, shuffled and moved, or variants of one row"
    noticed = found > _THIEVES // 4
    detail = f"{_ODD} questions each."
    return Canary(
        kind=kind, planted=_THIEVES, found=found, clean=0, false_alarms=0, noticed=noticed, detail=detail
    )  # fmt: skip


def _variants(rows: Rows, rng: np.random.Generator) -> Rows:
    """Return the first row over and over, a fifth of its cells taken from the others."""
    if isinstance(rows, np.ndarray):
        flat = rows.reshape(len(rows), -1)
        keep = rng.random(flat.shape) < 0.9
        return np.asarray(np.where(keep, flat[:1], flat).reshape(rows.shape))
    made = rows.copy()
    for name in made.columns:
        source = np.where(rng.random(len(rows)) < 0.8, 0, np.arange(len(rows)))
        made[name] = rows[name].iloc[source].reset_index(drop=True)
    return made
