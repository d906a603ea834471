"""Check S5.removals: whom the filter hits among rows that are not known to be bad, by group."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from fivefold.contract.finding import Bar, Canary, Measure, Plot, Result
from fivefold.contract.outcome import Outcome
from fivefold.errors import UnsupportedError
from fivefold.sharing.filtering.choose import filtered, spoilt, trusted_rows
from fivefold.sharing.filtering.known import drawn
from fivefold.sharing.filtering.removal import groups_of
from fivefold.stats.judge import judge
from fivefold.stats.proportion import clopper_pearson

if TYPE_CHECKING:
    from fivefold.contract.check import Context
    from fivefold.contract.subject import Table

FLOOR = "max_removed"
_FEWEST, _FEW, _LEAST = 300, 60, 10
_RATE = 0.05
_SHOWN = 12
_REMEDY = (
    "Have people look at the rows of that group before they are left out: they may follow a rule of their own. Columns "
    "that tell the group, more of its rows, or trusted rows of it (controls: {S5: {trusted: FILE}}) help."
)
_OPEN = "More rows of the groups that stay open would settle it."


def run(context: Context) -> Result:
    """Filter the training rows, with planted bad ones among them, and count others that go, in each group.

    Threat: a filter that takes a minority for bad rows, so that the model never learns of it.
    Limit: rows of yours that are truly bad count as good here, so the figure is cautious.

    Args:
        context: Data set ``train``; threshold ``max_removed``.

    Raises:
        UnsupportedError: ``filter.undeclared`` where no filter is declared, ``filter.rows`` with fewer than 300 rows
            with a target.
    """
    declared = (context.settings.controls or {}).get("S5", {})
    if not declared or declared.get("filter") is False:
        raise UnsupportedError(
            "filter.undeclared", "this application declares no filter of its training rows, so that nobody is hit.",
            remedy="Filter before you learn (fivefold data filter) and declare it: controls: {S5: {filter: true}}.",
        )  # fmt: skip
    table, rng, floor = drawn(context, _FEWEST), context.rng, context.thresholds[FLOOR]
    groups = groups_of(table, _there(table, context.settings.protected), context.settings.classes)
    wrong = rng.random(len(table)) < _RATE
    context.progress(0.2, "filtering")
    trusted = trusted_rows(context)
    gone = ~filtered(spoilt(table, wrong, rng), rng, trusted).kept
    parts = _judged(gone, ~wrong, groups, floor)
    context.progress(0.6, "a group with a rule of its own")
    proof = _prove(table.take(~gone & ~wrong), trusted, floor, rng)
    said = {one.outcome for one in parts if one.outcome is not None}
    if any(one.outcome is None and (one.value or 0.0) > floor for one in parts):
        said.add(Outcome.INCONCLUSIVE)  # too small to be judged, and it looks hit
    outcome = next((one for one in (Outcome.FAIL, Outcome.INCONCLUSIVE, Outcome.PASS) if one in said), None)
    outcome = (outcome or Outcome.INCONCLUSIVE) if proof.noticed else Outcome.INCONCLUSIVE
    caught = int((gone & wrong).sum())
    bars = tuple(Bar(label=one.where, value=one.value or 0.0, low=one.low, high=one.high, n=one.n) for one in parts)
    return Result(
        outcome=outcome,
        reason=_reason(outcome, proof, parts),
        measures=(*parts, Measure(name="planted bad rows left out", value=caught / max(int(wrong.sum()), 1),
                                  unit="share", n=int(wrong.sum()))),
        canary=proof,
        plots=(Plot(kind="intervals", title="Rows not known to be bad that the filter leaves out", x_label="share",
                    bars=bars, threshold=floor),),
        limits=("Rows of yours that are truly bad count as good here.",
                f"Groups of fewer than {_FEW} rows never fail; of fewer than {_LEAST}, not shown."),
        remedy={Outcome.FAIL: _REMEDY, Outcome.INCONCLUSIVE: _OPEN}.get(outcome, ""),
    )  # fmt: skip


def _there(table: Table, names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(name for name in names if name in table.features.columns or name in table.others.columns)


def _judged(gone: np.ndarray, good: np.ndarray, groups: dict[str, np.ndarray], floor: float) -> list[Measure]:
    """Judge all rows and each group; a failure is corrected for the number of groups (Bonferroni)."""
    every = {"all rows": np.ones(len(gone), dtype=bool), **groups}
    failing = 1 - 0.05 / len(every)
    found = []
    for name, rows in every.items():
        n, count = int((rows & good).sum()), int((rows & good & gone).sum())
        if n < _LEAST:
            continue
        low, high = float(clopper_pearson(count, n, failing)[0]), float(clopper_pearson(count, n)[1])
        judged = n >= _FEW
        found.append(Measure(
            name="rows not known to be bad that are left out", value=count / n, low=low, high=high,
            threshold=floor if judged else None, direction="max" if judged else None,
            outcome=judge(low, high, floor, "max") if judged else None, unit="share", n=n, where=name,
        ))  # fmt: skip
    first, rest = found[:1], sorted(found[1:], key=lambda one: -(one.value or 0.0))
    return [*first, *rest[:_SHOWN]]


def _prove(ordinary: Table, trusted: Table | None, floor: float, rng: np.random.Generator) -> Canary:
    """Give a group of ordinary rows a rule of its own (without a target: made-up values), which must show as hit."""
    group = rng.random(len(ordinary)) < float(rng.uniform(0.06, 0.1))
    other = spoilt(ordinary, group, rng)
    gone = ~filtered(other, rng, trusted).kept
    part = [one for one in _judged(gone, np.ones(len(gone), dtype=bool), {"it": group}, floor) if one.where == "it"]
    noticed = int(bool(part) and (part[0].low or 0.0) > floor)
    calm = ~filtered(replace(ordinary), rng, trusted).kept
    alarms = int(float(clopper_pearson(int(calm.sum()), len(calm))[0]) > floor)
    return Canary(
        kind="a group with a rule of its own", planted=1, found=noticed, clean=1, false_alarms=alarms,
        noticed=bool(noticed) and not alarms,
        detail=f"{int(group.sum())} drawn rows given targets by another rule, or values at random where there is no "
        "target; the clean case is rows that were kept.",
    )  # fmt: skip


def _reason(outcome: Outcome, proof: Canary, parts: list[Measure]) -> str:
    if not proof.noticed:
        return "A planted group with a rule of its own was not seen to be hit, so nothing is concluded."
    worst = max(parts, key=lambda one: (one.outcome is outcome, one.value or 0.0))
    told = f"{worst.where}: {worst.value or 0.0:.1%} of {worst.n} rows not known to be bad are left out"
    if outcome is Outcome.FAIL:
        return f"The filter hits {told}."
    if outcome is Outcome.PASS:
        return f"Hit most is {told}."
    return f"It stays open whom the filter hits; {told}."
