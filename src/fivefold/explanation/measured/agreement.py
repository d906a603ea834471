"""Check E4.agreement: does another method, which shares no step with the explainer, name the same reasons?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import numpy as np
from threadpoolctl import threadpool_limits

from fivefold.contract.finding import Bar, Canary, Measure, Plot
from fivefold.contract.outcome import Outcome
from fivefold.explanation import asking, explainer, known, players
from fivefold.explanation.measured import ends, rounds, verdict
from fivefold.explanation.measured.destroyed import alike
from fivefold.stats.judge import judge
from fivefold.stats.mean import skew_t
from fivefold.stats.proportion import clopper_pearson

if TYPE_CHECKING:
    from fivefold.contract.check import Context
    from fivefold.contract.finding import Result
    from fivefold.explanation.asking import Ask, Setting

FLOOR = "min_agreement"
ROWS = {"quick": 48, "standard": 64, "thorough": 120}
PLAYERS = {"quick": 16, "standard": 32, "thorough": 64}
PAIRS = 48
FEWEST = 6
"""Fewest rows that say anything."""
TOP = 5
"""How many of a row's columns, or groups of them, are ranked."""
_BACKGROUND = 300
_FEWEST_DRAWS = 4
_MOST_DRAWS = 64
_STEPS = 25
_DEALS = 16
_CANARY_ROUNDS = 4
_CANARY_ROWS = 24
_BARS = 12
_NAMED = 3


@dataclass(frozen=True)
class Compared:
    """Credit of the same rows by two methods, by groups of columns that tell nearly the same.

    Attributes:
        given: (n, G) by the explainer.
        other: (n, G) by single cells.
        halves: (2, n, G) of the other method, from either half of its draws.
        single: Agreement column by column, groups not joined.
        names: G names.
        tied: Groups of several columns.
    """

    given: np.ndarray
    other: np.ndarray
    halves: np.ndarray
    single: np.ndarray
    names: tuple[str, ...]
    tied: tuple[str, ...]


def run(context: Context) -> Result:
    """Explain rows with the explainer and by single cells put in and taken out, and compare who comes first.

    Threat: the reason told is an artefact of one method; another one that is as good names other columns.
    Limit: two methods can agree and both be wrong; E4.planted and E4.fidelity look at that.

    Args:
        context: Needs a subject that answers for rows put together anew and the data set ``test``; threshold
            ``min_agreement``; ``uses["explainer"]`` measures another explainer than ours.

    Raises:
        UnsupportedError: See :func:`fivefold.explanation.asking.lay_out`.
        SubjectError: The model misbehaved.
    """
    with threadpool_limits(limits=1, user_api="blas"):
        return _run(context)


def top(given: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Return Spearman's rank correlation over the five columns of a row that both together call weightiest.

    Credit is rounded to a twenty-fifth of the row's largest, so that columns that hardly matter are tied and not in an
    order by chance. Rows to which the other method gives no credit are left out (Krishna et al. 2022).

    Args:
        given: (n, G) signed credit.
        other: (n, G) signed credit.
    """
    weight = _shared(given) + _shared(other)
    first = np.argsort(-weight, axis=1, kind="stable")[:, :TOP]
    one, two = (np.take_along_axis(_rounded(part), first, axis=1) for part in (other, given))
    return alike(one, two)


def _shared(credit: np.ndarray) -> np.ndarray:
    size = np.abs(credit)
    total = size.sum(axis=1, keepdims=True)
    return np.asarray(np.divide(size, total, out=np.zeros_like(size), where=total > 0))


def _rounded(credit: np.ndarray) -> np.ndarray:
    size = np.abs(credit).max(axis=1, keepdims=True)
    return np.asarray(np.round(_STEPS * np.divide(credit, size, out=np.zeros_like(credit), where=size > 0)))


def _run(context: Context) -> Result:
    effort, rng = context.effort, context.rng
    layout = asking.lay_out(
        context, rows=min(ROWS[effort], context.rows), pairs=PAIRS, rounds=2, asks=2, least=rounds.LEAST,
        background_rows=_BACKGROUND, most=PLAYERS[effort],
    )  # fmt: skip
    verdict.check_players(layout)
    explain, who = explainer.chosen(context)
    question = explainer.Question(
        layout.ask, layout.store.explained, layout.store.codes, layout.column, layout.pairs, layout.batch,
        layout.scores, lambda share: context.progress(0.1 + 0.4 * share, "explaining"),
    )  # fmt: skip
    given = explain(question, rng)
    context.progress(0.5, "putting in and taking out single cells")
    each = ends.credit(question, ends.drawn(question, _draws(layout), rng))
    context.progress(0.9, "explaining known functions")
    group, names, tied = _groups(layout)
    half = each.shape[1] // 2
    compared = Compared(
        given @ group, each.mean(axis=1) @ group,
        np.array([each[:, :half].mean(axis=1) @ group, each[:, half:].mean(axis=1) @ group]),
        top(given, each.mean(axis=1)), names, tied,
    )  # fmt: skip
    proof = _prove(layout, compared, group, each.shape[1], context)
    return _result(layout, compared, (proof, who), context)


def _draws(layout: Setting) -> int:
    """Return how many background rows the half of the questions pays for that is not for the explainer."""
    each = (layout.allowed - layout.allowed // 5) // 2 // layout.store.explained
    some = each // ends.cost(len(layout.store.players), 1)
    return int(np.clip(some, _FEWEST_DRAWS, min(_MOST_DRAWS, layout.store.background)))


def _groups(layout: Setting) -> tuple[np.ndarray, tuple[str, ...], tuple[str, ...]]:
    """Return (P, G) which player is in which group, the groups' names, and those of several columns."""
    names = layout.store.players.names
    place, joined = np.arange(len(names)), []
    for some in players.tied(layout.store.codes, names):
        place[list(some)] = some[0]
        joined.append(" + ".join(names[at] for at in some))
    firsts = np.unique(place)
    told = []
    for first in firsts.tolist():
        mine = np.flatnonzero(place == first)
        more = f" + {len(mine) - 1} that go with it" if len(mine) > 1 else ""
        told.append(f"{names[first]}{more}")
    return (place[:, None] == firsts).astype(np.float64), tuple(told), tuple(joined)


def _prove(layout: Setting, compared: Compared, group: np.ndarray, draws: int, context: Context) -> Canary:
    """Judge exact credit of known functions and the same dealt out, and the user's own reasons dealt out."""
    floor, rng, n = context.thresholds[FLOOR], context.rng, min(layout.store.explained, _CANARY_ROWS)
    kept = np.concatenate([np.arange(n), np.arange(layout.store.explained, len(layout.store.codes))])
    codes, found, alarms = layout.store.codes[kept], 0, 0
    found += _mean(_dealt(compared.given, compared.other, rng)) < floor
    for _ in range(_CANARY_ROUNDS):
        g = known.draw(codes, rng)
        column = np.zeros(n, dtype=np.int64)
        question = explainer.Question(cast("Ask", g), n, codes, column, layout.pairs, layout.batch)
        other = ends.credit(question, ends.drawn(question, draws, rng)).mean(axis=1) @ group
        exact = g.exact(n) @ group
        found += _mean(_dealt(exact, other, rng)) < floor
        alarms += not _mean(top(exact, other)) >= floor
    planted = _CANARY_ROUNDS + 1
    return Canary(
        kind="credit dealt out over the columns at random",
        planted=planted, found=found, clean=_CANARY_ROUNDS, false_alarms=alarms,
        noticed=found == planted and not alarms,
        detail=f"{_CANARY_ROUNDS} known functions of these very columns: their exact credit agrees with that of single "
        "cells, the same credit dealt out at random does not; nor do the reasons of the model itself, dealt out.",
    )  # fmt: skip


def _dealt(given: np.ndarray, other: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return agreement of credit that is dealt out anew over the columns of each row, over several deals."""
    deals = [top(rng.permuted(given, axis=1), other) for _ in range(_DEALS)]
    return np.mean(deals, axis=0) if len(deals[0]) else deals[0]


def _mean(values: np.ndarray) -> float:
    return float(values.mean()) if len(values) else 0.0


def _result(layout: Setting, compared: Compared, said: tuple[Canary, str], context: Context) -> Result:
    (proof, who), floor = said, context.thresholds[FLOOR]
    agreed, groups = top(compared.given, compared.other), len(compared.names)
    can = groups >= rounds.LEAST and len(agreed) >= FEWEST
    low, high = (float(bound) for bound in skew_t(agreed)) if can else (None, None)
    judged = Measure(
        name="rank correlation of a row's weightiest reasons by two methods", value=_mean(agreed) if can else None,
        low=low, high=None if high is None else min(high, 1.0), threshold=floor, direction="min", n=len(agreed),
        outcome=judge(low, high, floor, "min"),
        note=f"Over the {min(TOP, groups)} weightiest columns or groups of columns that tell nearly the same.",
    )  # fmt: skip
    steady = _mean(top(*compared.halves))
    outcome, reason = verdict.decide([judged], proof)
    if not can:
        outcome, reason = Outcome.INCONCLUSIVE, ""
        text = (
            f"The columns are {groups} groups that tell nearly the same: there is no order to compare."
            if groups < rounds.LEAST
            else "Too few rows have a reason at all: the model gives them the same answer whatever it is told."
        )
    else:
        if outcome is Outcome.FAIL and (steady < floor or layout.pairs < PAIRS):
            outcome, reason = Outcome.INCONCLUSIVE, "Too few questions, or answers too unsteady, to compare by. "
        text = (
            f"The explainer's order of reasons and that of single cells put in and taken out have a rank correlation "
            f"of {_mean(agreed):.2f} (at least {floor:.2f}), with {who}."
        )
        if compared.tied:
            some = "; ".join(compared.tied[:_NAMED])
            text += f" Taken together, as they tell nearly the same: {some}."
    measures = (judged, *_shown(compared, steady, context.rng), verdict.questions(layout, layout.store.explained, 2))
    plots = (_plot(compared),) if can else ()
    return verdict.finish(layout, (outcome, f"{reason}{text}"), measures, proof, plots, context)


def _shown(compared: Compared, steady: float, rng: np.random.Generator) -> tuple[Measure, ...]:
    some = np.abs(compared.other).max(axis=1) > 0
    same = (np.abs(compared.given).argmax(axis=1) == np.abs(compared.other).argmax(axis=1))[some]
    hits, n = int(same.sum()), len(same)
    low, high = (float(one) for one in clopper_pearson(hits, n))
    return (
        Measure(name="rows whose weightiest reason is the same by both", value=hits / n if n else None, low=low,
                high=high, unit="share", n=n),
        Measure(name="the same, column by column", value=_mean(compared.single), n=len(compared.single),
                note="Columns that tell nearly the same not joined: methods may share credit between them otherwise."),
        Measure(name="the same of credit dealt out at random", n=n,
                value=_mean(_dealt(compared.given, compared.other, rng))),
        Measure(name="the other method with itself", value=steady, n=n,
                note="From two halves of the rows that cells were exchanged with."),
    )  # fmt: skip


def _plot(compared: Compared) -> Plot:
    """Return each group's mean share of the credit by the explainer, reaching to that by the other method."""
    given, other = (_shared(part).mean(axis=0) for part in (compared.given, compared.other))
    bars = tuple(
        Bar(label=compared.names[at], value=float(given[at]), low=float(min(given[at], other[at])),
            high=float(max(given[at], other[at])))
        for at in np.argsort(-other, kind="stable")[:_BARS]
    )  # fmt: skip
    title = "Mean share of the credit by the explainer (point), reaching to that by single cells (bar)"
    return Plot(kind="intervals", title=title, x_label="share of the credit", bars=bars)
