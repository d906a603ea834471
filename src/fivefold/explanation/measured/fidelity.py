"""Check E4.fidelity: taking cells out in the order of the reasons moves the answer as the right order would."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, cast

import numpy as np
from threadpoolctl import threadpool_limits

from fivefold.contract.finding import Canary, Curve, Measure, Plot
from fivefold.contract.outcome import Outcome
from fivefold.explanation import asking, explainer, known
from fivefold.explanation.measured import curves, ends, rounds, verdict
from fivefold.stats.judge import judge
from fivefold.stats.proportion import clopper_pearson

if TYPE_CHECKING:
    from fivefold.contract.check import Context
    from fivefold.contract.finding import Result
    from fivefold.explanation.asking import Ask, Setting
    from fivefold.explanation.explainer import Question

FLOOR = "min_share"
ROWS = {"quick": 64, "standard": 96, "thorough": 200}
_PAIRS = 24
_BACKGROUND = 300
_FEWEST_DRAWS = 3
_MOST_DRAWS = 48
_CANARY_ROUNDS = 4
_CANARY_ROWS = 24


@dataclass(frozen=True)
class Draws:
    """How many background rows each explained row is mixed with.

    Attributes:
        ends: To find the order that others are held against.
        curves: For each order that is walked.
    """

    ends: int
    curves: int


@dataclass(frozen=True)
class Walked:
    """Mean answers along three orders, over the same background rows.

    Attributes:
        given: (n, 2, K) by falling credit; see :func:`fivefold.explanation.measured.curves.walk`.
        best: (n, 2, K) by the mean of two methods of ours: single cells, and Shapley walks.
        dealt: (n, 2, K) by the same credit dealt out anew over the columns.
    """

    given: np.ndarray
    best: np.ndarray
    dealt: np.ndarray

    def shares(self) -> tuple[curves.Share, curves.Share]:
        """Return the share of the best order's gain that the reasons have, and that the dealt ones have."""
        best = curves.gain(self.best)
        return curves.share(curves.gain(self.given), best), curves.share(curves.gain(self.dealt), best)


def run(context: Context) -> Result:
    """Insert and delete cells in the order of the reasons, and compare with random orders and with the right one.

    Threat: what is told as the first reason hardly moves the answer, and what does stands far below or is left out.
    Limit: only the order is measured, not the size of the credit; E2.shapley looks at that.

    Args:
        context: Needs a subject that answers for rows put together anew and the data set ``test``; threshold
            ``min_share``; ``uses["explainer"]`` measures another explainer than ours.

    Raises:
        UnsupportedError: See :func:`fivefold.explanation.asking.lay_out`.
        SubjectError: The model misbehaved.
    """
    with threadpool_limits(limits=1, user_api="blas"):
        return _run(context)


def _run(context: Context) -> Result:
    explain, who = explainer.chosen(context)
    runs = 2 if explain is explainer.ours else 3
    layout = asking.lay_out(
        context, rows=min(ROWS[context.effort], context.rows), pairs=_PAIRS, rounds=runs, asks=2, least=rounds.LEAST,
        background_rows=_BACKGROUND,
    )  # fmt: skip
    verdict.check_players(layout)
    question = explainer.Question(
        layout.ask, layout.store.explained, layout.store.codes, layout.column, layout.pairs, layout.batch,
        layout.scores, lambda share: context.progress(0.1 + 0.4 * share, "explaining"),
    )  # fmt: skip
    given = explain(question, context.rng)
    mine = given if explain is explainer.ours else explainer.ours(question, context.rng)
    draws = _draws(layout, runs)
    context.progress(0.5, "deleting and inserting")
    walked = _walk(question, given, mine, draws, context.rng)
    context.progress(0.9, "explaining known functions")
    proof = _prove(layout, walked, draws, context)
    return _result(layout, walked, (draws, runs), (proof, who), context)


def _draws(layout: Setting, runs: int) -> Draws:
    """Return what the questions that are not for explainers pay for: half for single cells, half for the curves."""
    n, players = layout.store.explained, len(layout.store.players)
    each = (layout.allowed - layout.allowed // 5) // runs // n
    most = min(_MOST_DRAWS, layout.store.background)
    steps = 3 * 2 * len(curves.sizes(players))
    found = each // 2 // ends.cost(players, 1), each // 2 // steps
    return Draws(*(int(np.clip(some, _FEWEST_DRAWS, most)) for some in found))


def _walk(question: Question, given: np.ndarray, mine: np.ndarray, draws: Draws, rng: np.random.Generator) -> Walked:
    """Walk the order of the credit, the right one, and that of the credit dealt out anew.

    The right order is found over other draws than it is walked over, so chance does not flatter it.

    Args:
        question: Model and rows.
        given: (n, P) credit that is measured.
        mine: (n, P) credit by Shapley walks of ours; with that of single cells it makes the right order.
        draws: How many background rows.
        rng: Draws them.
    """
    single = ends.credit(question, ends.drawn(question, draws.ends, rng)).mean(axis=1)
    base = ends.drawn(question, draws.curves, rng)
    credit = (given, (single + mine) / 2, rng.permuted(given, axis=1))
    return Walked(*(curves.walk(question, curves.order(one, rng), base) for one in credit))


def _prove(layout: Setting, walked: Walked, draws: Draws, context: Context) -> Canary:
    """Judge true credit of known sums and the same dealt out anew, and the user's own reasons dealt out anew."""
    floor, dealt = context.thresholds[FLOOR], walked.shares()[1].value
    n = min(layout.store.explained, _CANARY_ROWS)
    kept = np.concatenate([np.arange(n), np.arange(layout.store.explained, len(layout.store.codes))])
    codes = layout.store.codes[kept]
    found, alarms = int(dealt is None or dealt < floor), 0
    for _ in range(_CANARY_ROUNDS):
        drawn = known.draw(codes, context.rng)
        g = replace(drawn, pairs=drawn.pairs[:0], strength=drawn.strength[:0])
        question = explainer.Question(
            cast("Ask", g), n, codes, np.zeros(n, dtype=np.int64), layout.pairs, layout.batch
        )  # fmt: skip
        exact = g.exact(n)
        true, random = _walk(question, exact, exact, draws, context.rng).shares()
        found += random.value is not None and random.value < floor
        alarms += true.value is None or true.value < floor
    planted = _CANARY_ROUNDS + 1
    return Canary(
        kind="credit dealt out over the columns at random",
        planted=planted, found=found, clean=_CANARY_ROUNDS, false_alarms=alarms,
        noticed=found == planted and not alarms,
        detail=f"{_CANARY_ROUNDS} known sums over these very columns: their exact credit moves what the right order "
        "moves, the same credit dealt out at random does not; nor do the reasons of the model itself, dealt out.",
    )  # fmt: skip


def _result(
    layout: Setting, walked: Walked, asked: tuple[Draws, int], said: tuple[Canary, str], context: Context
) -> Result:
    (draws, runs), (proof, who) = asked, said
    n, floor = layout.store.explained, context.thresholds[FLOOR]
    found, dealt = walked.shares()
    judged = Measure(
        name="share of what the right order moves", value=found.value, low=found.low, high=found.high,
        threshold=floor, direction="min", unit="share", n=n,
        outcome=Outcome.INCONCLUSIVE if found.value is None else judge(found.low, found.high, floor, "min"),
        note="Area under the insertion curve less that under the deletion curve, of that in the order by single "
        "cells and Shapley walks of ours; random orders have 0 on average.",
    )  # fmt: skip
    random = Measure(
        name="the same of a random order", value=dealt.value, low=dealt.low, high=dealt.high, unit="share", n=n
    )  # fmt: skip
    outcome, reason = verdict.decide([judged], proof)
    if found.value is None:
        outcome, reason = Outcome.INCONCLUSIVE, ""
        text = "No order that is known moves the answers more than chance: there is none to hold the reasons against."
    else:
        text = (
            f"Put in and taken out in the order of the reasons, cells move the answers by {found.value:.2f} of what "
            f"the right order moves (at least {floor:.2f}; random orders: {dealt.value or 0.0:.2f}), with {who}."
        )
    measures = (judged, random, _beaten(walked), verdict.questions(layout, n, runs), _drawn(draws))
    players = len(layout.store.players)
    plots = () if found.value is None else (_plot(walked, players, 0), _plot(walked, players, 1))
    return verdict.finish(layout, (outcome, f"{reason}{text}"), measures, proof, plots, context)


def _beaten(walked: Walked) -> Measure:
    """Return in how many of the rows that an order moves at all the reasons beat a random order."""
    own, other = curves.gain(walked.given), curves.gain(walked.dealt)
    some = (own != other) | (curves.gain(walked.best) != 0)
    hits, of = int((own > other)[some].sum()), int(some.sum())
    low, high = (float(one) for one in clopper_pearson(hits, of))
    return Measure(name="rows whose reasons move more than a random order", value=hits / of if of else None,
                   low=low, high=high, unit="share", n=of)  # fmt: skip


def _drawn(draws: Draws) -> Measure:
    return Measure(
        name="rows that cells were exchanged with, for each explained row", value=float(draws.curves), unit="rows",
        n=draws.curves, note="Drawn from the training data, or from the test data where there are none.",
    )  # fmt: skip


def _plot(walked: Walked, players: int, which: int) -> Plot:
    """Return the mean answer by the share of the columns that were inserted (0) or deleted (1)."""
    x = tuple((curves.sizes(players) / players).tolist())
    named = (("reasons", walked.given), ("right order", walked.best), ("random order", walked.dealt))
    done = ("inserted", "deleted")[which]
    return Plot(
        kind="curves", title=f"The mean answer while cells are {done}, by whose order",
        x_label=f"share of columns {done}", y_label="mean answer",
        curves=tuple(Curve(name=name, x=x, y=tuple(part[:, which].mean(axis=0).tolist())) for name, part in named),
    )  # fmt: skip
