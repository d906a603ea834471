"""Check E2.shapley: the credit that an explainer gives, held against the Shapley values over all coalitions."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, cast

import numpy as np
from threadpoolctl import threadpool_limits

from fivefold.contract.finding import Bar, Canary, Measure, Plot
from fivefold.contract.outcome import Outcome
from fivefold.errors import UnsupportedError
from fivefold.explanation import asking, explainer, known
from fivefold.explanation.measured import verdict
from fivefold.stats import clustered, shapley
from fivefold.stats.judge import judge
from fivefold.stats.mean import skew_t

if TYPE_CHECKING:
    from fivefold.contract.check import Context
    from fivefold.contract.finding import Result
    from fivefold.explanation.asking import Ask, Setting

AGREEMENT = "min_agreement"
PLAYERS = {"quick": 6, "standard": 7, "thorough": 8}
PAIRS = {"quick": 128, "standard": 256, "thorough": 512}
"""Pairs for each row: their walks ask about as many rows as the coalitions over the background do."""
_LEAST = 2
_BACKGROUND = 64
_FEWEST_BACKGROUND = 8
_CANARY_ROUNDS = 4
_BARS = 12


@dataclass(frozen=True)
class Agreement:
    """How much of the exact credit is there.

    Attributes:
        value: 1 less the squared error over the squared exact credit, both summed over rows; None: no credit at all.
        low: One-sided 95 % lower bound over rows.
        high: One-sided 95 % upper bound.
    """

    value: float | None
    low: float | None
    high: float | None


def run(context: Context) -> Result:
    """Enumerate the coalitions of the user's own columns and compare.

    Threat: reasons are told as Shapley values and are something else: sampled too thinly, against another background,
    or credited to the wrong column.
    Limit: columns beyond eight are joined, so that what is measured of wide tables is the credit of groups.

    Args:
        context: Needs a subject that answers for rows put together anew and the data set ``test``; threshold
            ``min_agreement``; ``uses["explainer"]`` measures another explainer than ours.

    Raises:
        UnsupportedError: See :func:`fivefold.explanation.asking.lay_out`; ``explanation.columns`` for one column.
        SubjectError: The model misbehaved.
    """
    with threadpool_limits(limits=1, user_api="blas"):
        return _run(context)


def agreement(given: np.ndarray, exact: np.ndarray) -> Agreement:
    """Compare (n, P) credit with the exact one: the bounds are those of a linearised ratio of means (Hall 1992)."""
    off, size = ((given - exact) ** 2).sum(axis=1), (exact**2).sum(axis=1)
    scale = float(size.mean())
    if scale <= 1e-18:
        return Agreement(None, None, None)
    ratio = float(off.mean()) / scale
    low, high = skew_t(1 - ratio - (off - ratio * size) / scale)
    return Agreement(1 - ratio, float(low), min(float(high), 1.0))


def _run(context: Context) -> Result:
    effort = context.effort
    layout = asking.lay_out(
        context, rows=context.rows, pairs=PAIRS[effort], rounds=2, asks=1, least=_LEAST, background_rows=_BACKGROUND,
        most=PLAYERS[effort],
    )  # fmt: skip
    players = len(layout.store.players)
    if players < _LEAST:
        raise UnsupportedError("explanation.columns", "the model sees one column, or one group of them.")
    question = _question(layout, shapley.cost(players, layout.pairs) >> players)
    explain, who = explainer.chosen(context)
    context.progress(0.1, "explaining")
    exact = _exact(question, lambda share: context.progress(0.1 + 0.4 * share, "asking about all coalitions"))
    told = replace(question, told=lambda share: context.progress(0.5 + 0.4 * share, "explaining"))
    made = explainer.explain(told, context.rng) if explain is explainer.ours else None
    given = explain(told, context.rng) if made is None else made.value
    context.progress(0.9, "explaining known functions")
    proof = _prove(question, context)
    return _result(layout, (given, exact, made), proof, who, context)


def _question(layout: Setting, background: int) -> explainer.Question:
    """Return what the explainer is told, over as many background rows as all coalitions of them can be paid for."""
    n, some = layout.store.explained, max(background, _FEWEST_BACKGROUND)
    codes, scores = layout.store.codes[: n + some], layout.scores[: n + some]
    return explainer.Question(layout.ask, n, codes, layout.column, layout.pairs, layout.batch, scores)


def _exact(question: explainer.Question, told: explainer.Told = lambda _share: None) -> np.ndarray:
    n, (total, players) = question.explained, question.codes.shape
    return shapley.by_enumeration(question.mixed, n, total - n, players=players, told=told, batch=question.batch)


def _prove(question: explainer.Question, context: Context) -> Canary:
    """Judge ours, and ours half displaced, on known functions of the user's columns; no question is asked."""
    codes, n, found, alarms = question.codes, question.explained, 0, 0
    for _ in range(_CANARY_ROUNDS):
        g = known.draw(codes, context.rng)
        asked = replace(question, ask=cast("Ask", g), column=np.zeros(n, dtype=np.int64), scores=None)
        true, honest = g.exact(n), explainer.ours(asked, context.rng)
        displaced, floor = (honest + np.roll(honest, 1, axis=1)) / 2, context.thresholds[AGREEMENT]
        found += (agreement(displaced, true).value or 0.0) < floor
        # what enumeration says of a known function must be what its formula says
        alarms += (agreement(honest, true).value or 0.0) < floor or not np.allclose(_exact(asked), true, atol=1e-9)
    return Canary(
        kind="half of each credit given to the neighbouring column",
        planted=_CANARY_ROUNDS, found=found, clean=_CANARY_ROUNDS, false_alarms=alarms,
        noticed=found == _CANARY_ROUNDS and not alarms,
        detail=f"{_CANARY_ROUNDS} known functions of these very columns, with interactions: enumerating gives their "
        "exact credit; this product's explainer agrees with it, and does not once half of its credit is displaced.",
    )  # fmt: skip


def _result(
    layout: Setting, credit: tuple[np.ndarray, np.ndarray, shapley.Attributions | None], proof: Canary, who: str,
    context: Context,
) -> Result:  # fmt: skip
    given, exact, made = credit
    n, floor = len(exact), context.thresholds[AGREEMENT]
    found = agreement(given, exact)
    outcome = Outcome.INCONCLUSIVE if found.value is None else judge(found.low, found.high, floor, "min")
    judged = Measure(
        name="agreement with the exact Shapley values", value=found.value, low=found.low, high=found.high,
        threshold=floor, direction="min", outcome=outcome, unit="share", n=n,
        note="1 less the squared error over the squared exact credit, over all rows and columns.",
    )  # fmt: skip
    first = np.abs(given).argmax(axis=1) == np.abs(exact).argmax(axis=1)
    shown = [Measure(name="largest credit named rightly", value=float(first.mean()), unit="share", n=n)]
    if made is not None:
        shown.append(_coverage(made, exact))
    shown.append(verdict.questions(layout, n, 2))
    if found.value is None:
        text = "No column moves any answer: there is no credit to compare."
    else:
        text = f"{found.value:.1%} of the exact credit over all coalitions is there ({who})."
    outcome, reason = verdict.decide([judged], proof)
    return verdict.finish(layout, (outcome, f"{reason}{text}"), (judged, *shown), proof, (_plot(layout, given, exact),),
                          context)  # fmt: skip


def _coverage(made: shapley.Attributions, exact: np.ndarray) -> Measure:
    """Return the share of 95 % bars that cover the exact credit; bars of length 0 are right where nothing is off."""
    hit = np.abs(made.value - exact) <= made.quantile() * made.error + 1e-9 * np.abs(exact).max(initial=0.0)
    rows = np.repeat(np.arange(len(exact)), exact.shape[1])
    low, high = clustered.bounds(hit.ravel(), [rows])
    return Measure(name="95 % bars that cover the exact value", value=float(hit.mean()), low=low, high=high,
                   unit="share", n=hit.size)  # fmt: skip


def _plot(layout: Setting, given: np.ndarray, exact: np.ndarray) -> Plot:
    """Return the mean size of each column's credit beside the exact one, largest first."""
    size, told = np.abs(exact).mean(axis=0), np.abs(given).mean(axis=0)
    bars = tuple(
        Bar(label=layout.store.players.names[at], value=float(told[at]), low=float(min(size[at], told[at])),
            high=float(max(size[at], told[at])))
        for at in np.argsort(-size)[:_BARS]
    )  # fmt: skip
    title = "Mean size of each column's credit as given (point), reaching to the exact one (bar)"
    return Plot(kind="intervals", title=title, x_label="credit", bars=bars)
