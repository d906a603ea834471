"""Check E3.sensitivity: elementary effects screen the columns, Sobol indices share out the variance of the answers."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from fivefold.errors import InputError, UnsupportedError
from fivefold.explanation import asking, players
from fivefold.explanation.permutation import rules
from fivefold.explanation.sensitivity import apart, canary, indices, morris, result
from fivefold.explanation.store import Store

if TYPE_CHECKING:
    from fivefold.contract.check import Context
    from fivefold.contract.finding import Result
    from fivefold.contract.subject import Table

KEPT = 24
"""Most columns of which indices are told; more are screened first, and the others measured together."""

_TURNS = 64
_FEWEST_TURNS = 10
_FEWEST_PAIRS = 200
_OVERHEAD = 10


@dataclass(frozen=True)
class Plan:
    """Who plays, how often each cell moves, how many pairs of rows are drawn, and of how many columns."""

    players: players.Players
    turns: int
    pairs: int
    kept: int


def run(context: Context) -> Result:
    """Measure which columns the variance of the answers comes from, and judge what the named ones carry.

    Threat: a few columns are named as what the answers hang on, and they hang on others, or on a forbidden one.
    Limit: indices are of columns drawn independently of each other, so rows are asked about that may not occur.

    Args:
        context: Needs a subject that answers for rows put together anew and the data set ``test``; thresholds
            ``min_named`` and ``max_carried``; options ``drivers``, ``may_not_use``, ``columns``.

    Raises:
        UnsupportedError: As :func:`fivefold.explanation.asking.plain_rows`; ``explanation.budget``.
        InputError: As :func:`fivefold.explanation.permutation.rules.read`.
        SubjectError: The model misbehaved.
    """
    with threadpool_limits(limits=1, user_api="blas"):
        return _run(context)


def _run(context: Context) -> Result:
    subject, test = asking.plain_rows(context)
    if test.kind != "table":
        raise UnsupportedError("explanation.inputs", "patches and windows drawn one by one make no picture or series.")
    declared = rules.read(context.options, context.thresholds[result.CARRIED], test)
    drivers = _drivers(context.options.get("drivers"), test)
    asker, rng = asking.Asker(subject), context.rng
    allowed = asker.allowance(context.effort)
    alone = (*(rule.column for rule in declared if rule.seen), *drivers)
    plan = _plan(allowed, context.rows, test, alone)
    sample = test.take(np.sort(rng.choice(len(test), min(context.rows, len(test)), replace=False)))
    found = len(test)
    del test  # the whole set is large, and the rest needs the sample alone
    bare = replace(sample, others=pd.DataFrame(index=sample.features.index))
    store = Store(bare, len(sample), plan.players, players.codes(sample, plan.players))
    codes, columns = store.codes, [str(name) for name in sample.features.columns]
    count = len(plan.players)

    def ask(cells: np.ndarray) -> np.ndarray:
        return asker(store.mixed(cells))

    context.progress(0.05, "moving single cells")
    effects = morris.measure(ask, codes, plan.turns, rng)
    forced = sorted({int(plan.players.of[columns.index(name)]) for name in alone})
    kept = _kept(effects.square, forced, plan.kept)
    rest = np.setdiff1d(np.arange(count), kept).tolist()
    groups = [(at,) for at in kept] + ([tuple(rest)] if rest else [])
    context.progress(0.2, "drawing columns anew")
    drawn = indices.pairs(len(codes), count, plan.pairs, rng)
    told = indices.measure(
        ask, drawn, groups, lambda share: context.progress(0.2 + 0.4 * share, "drawing columns anew")
    )
    context.progress(0.6, "drawing columns anew in rows as they are")
    real = indices.pairs(len(codes), count, plan.pairs, rng, whole=True)
    beside, more = indices.changed(ask, real, groups, told.noise)
    stated = [int(plan.players.of[columns.index(name)]) for name in drivers]
    most = int(context.options.get("columns") or 10)
    named = list(dict.fromkeys(stated)) or _weightiest(kept, told.total[: len(kept)].mean(axis=1), most)
    unnamed = np.setdiff1d(np.arange(count), named).tolist()
    untold, last = np.zeros((1, told.spread.shape[0])), 0
    if unnamed:
        fresh = indices.pairs(len(codes), count, plan.pairs, rng)
        untold, last = indices.changed(ask, fresh, [tuple(unnamed)], told.noise)
    context.progress(0.8, "measuring planted functions")
    proof = canary.prove(codes, plan.pairs, context.thresholds[result.NAMED], rng)
    made = result.Measured(
        players=plan.players,
        columns=tuple(columns),
        kept=tuple(kept),
        rest=tuple(rest),
        shares=told,
        beside=beside,
        named=tuple(named),
        declared=bool(drivers),
        untold=untold[0],
        effects=effects,
        turns=plan.turns,
        rules=declared,
        far=apart.far(codes, drawn.one, rng),
        asked=effects.asked + told.asked + more + last,
        pairs=len(drawn.one),
        rows=len(codes),
        total=found,
        subject=subject,
    )
    return result.result(made, proof, context.thresholds[result.NAMED])


def _drivers(given: object, test: Table) -> tuple[str, ...]:
    """Return the columns that the manifest says the answers hang on; one that the model does not see is refused."""
    names = tuple(str(one) for one in given) if isinstance(given, list | tuple) else ()
    for name in names:
        if name not in test.features.columns:
            raise InputError("explanation.column", f'the model sees no column "{name[:80]}".',
                             remedy="Name columns of the test data that the model sees under drivers.")  # fmt: skip
    return names


def _plan(allowed: int, rows: int, test: Table, alone: tuple[str, ...]) -> Plan:
    """Return what the questions pay for; moves are given up first, then columns, then pairs."""
    chosen, least = players.of(test), 2 + len(alone)
    turns = min(_TURNS, allowed // 5 // (len(chosen) + 1))
    if turns < _FEWEST_TURNS:
        most = allowed // 5 // _FEWEST_TURNS - 1
        if most < least:
            raise asking.too_few(f"{allowed} questions are too few to move each column.")
        chosen, turns = players.of(test, most, alone), _FEWEST_TURNS
    left = allowed - turns * (len(chosen) + 1)
    kept = min(len(chosen), max(KEPT, least))
    pairs = min(rows, left // (2 * kept + _OVERHEAD))
    if pairs < min(_FEWEST_PAIRS, rows):
        pairs = min(_FEWEST_PAIRS, rows)
        kept = min(kept, (left // pairs - _OVERHEAD) // 2)
        if kept < min(least, len(chosen)):
            raise asking.too_few(f"{allowed} questions are too few to share out the variance of the answers.")
    return Plan(chosen, turns, pairs, kept)


def _kept(square: np.ndarray, forced: list[int], most: int) -> list[int]:
    """Return players whose cells move the answers most, and those that something is declared of."""
    order = np.argsort(-square, kind="stable")
    found = order[~np.isin(order, forced)].tolist()
    return sorted([*forced, *found[: max(most - len(forced), 0)]])


def _weightiest(kept: list[int], total: np.ndarray, most: int) -> list[int]:
    """Return at most so many players, at least one, that carry anything."""
    order = np.argsort(-total, kind="stable").tolist()
    return [kept[at] for at in order if total[at] > 0][:most] or kept[:1]
