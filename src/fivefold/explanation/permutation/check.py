"""Check E3.permutation: deal out each column anew, see what is lost, hold it against what the manifest allows."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from fivefold.errors import UnsupportedError
from fivefold.explanation import asking, players
from fivefold.explanation.permutation import canary, importance, result, rules
from fivefold.explanation.store import Store

if TYPE_CHECKING:
    from fivefold.contract.check import Context
    from fivefold.contract.finding import Result
    from fivefold.contract.subject import Subject, Table

_FEWEST = 400
_REPEATS = 2
_MOST_REPEATS = 30
_DEALT = 12_000
_MOST_TIED = 8


@dataclass(frozen=True)
class Plan:
    """What is dealt, in how many rows, how often, and how many groups of columns that go together are dealt as one."""

    players: players.Players
    rows: int
    repeats: int
    tied: int
    notes: tuple[str, ...]


def run(context: Context) -> Result:
    """Measure what the model goes by, and whether that is allowed.

    Threat: a model goes by something that it may not, or by nothing that helps, and nobody knows.
    Limit: a column that others stand in for looks less important than it is.

    Args:
        context: Needs a subject that answers for rows put together anew and the data set ``test`` with
            targets; thresholds ``min_reliance`` and ``max_forbidden``; options
            ``repeats``, ``may_not_use``, ``max_importance``.

    Raises:
        UnsupportedError: As :func:`fivefold.explanation.asking.plain_rows`; ``explanation.budget``.
        InputError: As :func:`fivefold.explanation.permutation.rules.read`.
        SubjectError: The model misbehaved.
    """
    with threadpool_limits(limits=1, user_api="blas"):
        return _run(context)


def _run(context: Context) -> Result:
    subject, test = asking.plain_rows(context)
    known = test.target >= 0 if test.target.dtype.kind == "i" else np.isfinite(test.target)
    test = test if known.all() else test.take(np.flatnonzero(known))
    if len(test) < asking.FEWEST_DATA:
        raise UnsupportedError("explanation.rows", f"only {len(test)} test rows have a known target.")
    declared = rules.read(context.options, context.thresholds["max_forbidden"], test)
    plan = _plan(context, subject, test, declared)
    rng = context.rng
    sample = test.take(np.sort(rng.choice(len(test), plan.rows, replace=False)))
    found = len(test)
    del test, known  # whole sets are large, and the rest needs the sample alone
    bare = replace(sample, others=pd.DataFrame(index=sample.features.index))
    store = Store(bare, len(sample), plan.players, players.codes(sample, plan.players))
    context.progress(0.05, "asking the model")
    asker = asking.Asker(subject)
    scores = asker(sample)
    tied = players.tied(store.codes, plan.players.names)[: plan.tied]
    groups = [(at,) for at in range(len(plan.players))] + list(tied)
    whole, dealt, size = importance.whole(scores, sample.target, rng)
    effects, asked = importance.single(
        lambda cells: asker(store.mixed(cells)),
        scores,
        sample.target,
        store.codes,
        groups,
        repeats=plan.repeats,
        batch=asker.batch,
        rng=rng,
        told=lambda share: context.progress(0.1 + 0.7 * share, "dealing out columns"),
    )
    context.progress(0.85, "measuring planted functions")
    form = "value" if subject.task == "regression" else "probability" if subject.capabilities.scores else "label"
    proof = canary.prove(store.codes, form, context.thresholds["max_forbidden"], plan.repeats, rng)
    measured = result.Measured(
        plan.players,
        store.codes,
        tuple(effects),
        tuple(tied),
        whole,
        dealt,
        size,
        declared,
        sample.features.columns.tolist() if sample.inputs is None else [],
        asked + len(sample),
        found,
        plan.notes,
        plan.repeats,
    )
    return result.result(measured, proof, context)


def _plan(context: Context, subject: Subject, test: Table, declared: tuple[rules.Rule, ...]) -> Plan:
    """Return players, rows and deals that the questions pay for; rows are given up first, then deals, then players."""
    allowed = asking.Asker(subject).allowance(context.effort)
    wanted = min(context.rows, len(test))
    repeats = int(context.options.get("repeats") or 5)
    chosen = players.of(test)
    least = min(_REPEATS, repeats)
    for fewest, turns, tied in (
        (wanted, repeats, _MOST_TIED),
        (_FEWEST, repeats, _MOST_TIED),
        (_FEWEST, least, _MOST_TIED),
        (_FEWEST // 2, least, 0),
    ):
        each = turns * (len(chosen) + tied)
        rows = min(wanted, allowed // (1 + each))
        if rows >= min(fewest, wanted):
            # few rows are dealt more often: what chance adds to their mean shrinks, and the questions are there
            deals = max(turns, min(_MOST_REPEATS, _DEALT // wanted, turns * (allowed // rows - 1) // each))
            return Plan(chosen, rows, deals, tied, chosen.notes)
    rows = min(_FEWEST // 2, wanted)
    most = (allowed // rows - 1) // least
    if most < 2 + len(declared):
        raise UnsupportedError(
            "explanation.budget",
            f"{allowed} questions are too few to deal out the columns.",
            remedy="Raise `model.calls`.",
        )
    alone = tuple(rule.column for rule in declared if rule.seen)
    joined = players.of(test, most, alone)
    return Plan(joined, rows, least, 0, joined.notes)
