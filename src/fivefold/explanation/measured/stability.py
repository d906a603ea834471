"""Check E4.stability: equal rows get equal reasons, rows that the model does not tell apart get nearly equal ones."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, cast

import numpy as np
from threadpoolctl import threadpool_limits

from fivefold.contract.finding import Bar, Canary, Measure, Plot
from fivefold.contract.outcome import Outcome
from fivefold.explanation import asking, explainer, known
from fivefold.explanation.explainer import Question
from fivefold.explanation.measured import neighbours, rounds, verdict
from fivefold.stats.judge import judge
from fivefold.stats.mean import skew_t

if TYPE_CHECKING:
    from fivefold.contract.check import Context
    from fivefold.contract.finding import Result
    from fivefold.explanation.asking import Ask, Setting
    from fivefold.explanation.explainer import Explainer
    from fivefold.explanation.measured.neighbours import Near

AGAIN, KEPT = "min_again", "min_kept"
ROWS = {"quick": 48, "standard": 64, "thorough": 120}
PLAYERS = {"quick": 8, "standard": 16, "thorough": 32}
PAIRS = 70
"""Pairs for each row, about those of E2.local."""
FEWEST = 6
"""Fewest rows that say anything."""
_BACKGROUND = 300
_CANARY_ROUNDS = 4
_SPOILT = 0.3
_BARS = 24
_SALT = 43758.5453


@dataclass(frozen=True)
class Kept:
    """How much of the credit is there again.

    Attributes:
        value: 1 less the squared difference of two explanations over the sum of their squares; None: no credit.
        low: One-sided 95 % lower bound over rows.
        high: One-sided 95 % upper bound.
        n: Rows.
    """

    value: float | None
    low: float | None
    high: float | None
    n: int


@dataclass(frozen=True)
class Told:
    """Credit of the same rows twice, and of their neighbours.

    Attributes:
        first: (n, P).
        again: (n, P) asked anew, the rows in another order.
        near: The neighbours.
        beside: (rows that have one, P) credit of the neighbours.
        size: Mean squared answer; credit that is nothing beside it is none.
    """

    first: np.ndarray
    again: np.ndarray
    near: Near
    beside: np.ndarray
    size: float = 1.0


def run(context: Context) -> Result:
    """Explain rows twice, and rows beside them that the model does not tell from them.

    Threat: a person asks again, or somebody all but the same asks, and the reasons are others though the model is not.
    Limit: reasons that stay the same need not be right; E4.planted and E4.randomisation look at that.

    Args:
        context: Needs a subject that answers for rows put together anew and the data set ``test``; thresholds
            ``min_again`` and ``min_kept``; ``uses["explainer"]`` measures another explainer than ours.

    Raises:
        UnsupportedError: See :func:`fivefold.explanation.asking.lay_out`.
        SubjectError: The model misbehaved.
    """
    with threadpool_limits(limits=1, user_api="blas"):
        return _run(context)


def kept(one: np.ndarray, other: np.ndarray, beside: np.ndarray | None = None, size: float = 1.0) -> Kept:
    """Compare (n, P) credit with that of the same rows at another time; bounds of a linearised ratio (Hall 1992).

    With errors of the same size in both it is the share of the squared credit that is no error (an intraclass
    correlation of credit; Shrout and Fleiss 1979).

    Args:
        one: Credit.
        other: Credit of the same rows, asked again.
        beside: Credit of their neighbours, which is then held against both; what is lost by asking again is taken off.
        size: Mean squared answer.
    """
    off, sizes = ((one - other) ** 2).sum(axis=1), (one**2).sum(axis=1) + (other**2).sum(axis=1)
    if beside is not None:
        off = (((one - beside) ** 2).sum(axis=1) + ((other - beside) ** 2).sum(axis=1)) / 2 - off
        sizes = sizes / 2 + (beside**2).sum(axis=1)
    scale = float(sizes.mean()) if len(sizes) else 0.0
    if len(sizes) < FEWEST or scale <= 1e-18 * size:
        return Kept(None, None, None, len(sizes))
    ratio = float(off.mean()) / scale
    low, high = skew_t(1 - ratio - (off - ratio * sizes) / scale)
    return Kept(min(1 - ratio, 1.0), float(low), min(float(high), 1.0), len(sizes))


def jumping(share: float, explain: Explainer) -> Explainer:
    """Return an explainer with an error of a share of its squared credit that is fixed by the row's cells alone."""

    def made(question: Question, rng: np.random.Generator) -> np.ndarray:
        true, codes = explain(question, rng), question.codes[: question.explained]
        players = np.arange(1, codes.shape[1] + 1)
        seed = (codes * (1 + np.modf(0.618033988749895 * players)[0])).sum(axis=1, keepdims=True)
        noise = np.modf(np.abs(np.sin(_SALT * (seed + players)) * _SALT))[0] - 0.5
        return np.asarray(true + np.sqrt(12 * share * (true**2).mean(axis=1, keepdims=True)) * noise)

    return made


def noisy(share: float, explain: Explainer) -> Explainer:
    """Return an explainer with an error of a share of its squared credit that is another at each call."""

    def made(question: Question, rng: np.random.Generator) -> np.ndarray:
        true = explain(question, rng)
        return np.asarray(true + rng.normal(size=true.shape) * np.sqrt(share * (true**2).mean(axis=1, keepdims=True)))

    return made


def _run(context: Context) -> Result:
    effort = context.effort
    layout = asking.lay_out(
        context, rows=min(ROWS[effort], context.rows), pairs=PAIRS, rounds=4, asks=5, least=rounds.LEAST,
        background_rows=_BACKGROUND, most=PLAYERS[effort],
    )  # fmt: skip
    verdict.check_players(layout)
    explain, who = explainer.chosen(context)
    question = Question(
        layout.ask, layout.store.explained, layout.store.codes, layout.column, layout.pairs, layout.batch,
        layout.scores, lambda share: context.progress(0.1 + 0.8 * share, "explaining"),
    )  # fmt: skip
    told = _tell(question, explain, context.rng)
    context.progress(0.9, "explaining known functions")
    proof = _prove(layout, _small(told), context)
    return _result(layout, told, (proof, who), context)


def _tell(question: Question, explain: Explainer, rng: np.random.Generator) -> Told:
    """Explain all rows, all rows in another order, and their neighbours in a third."""
    n, column = question.explained, question.column
    near = neighbours.find(question, rng)
    own = asking.pure(np.arange(n), question.codes.shape[1])
    made = []
    for at, (who, cells) in enumerate(((np.arange(n), own), (np.arange(n), own), (near.rows, near.cells))):
        turn = rng.permutation(len(who)) if at else np.arange(len(who))
        credit = np.empty((len(who), question.codes.shape[1]))
        if len(who):
            credit[turn] = explain(_about(question, cells[turn], column[who[turn]], at), rng)
        made.append(credit)
    size = 1.0 if question.scores is None else float((question.scores**2).mean())
    return Told(made[0], made[1], near, made[2], size)


def _about(question: Question, cells: np.ndarray, column: np.ndarray, at: int) -> Question:
    """Return what an explainer is told about rows put together of any cells, before the same background."""
    players = np.arange(cells.shape[1])
    background = asking.pure(np.arange(question.explained, len(question.codes)), len(players))
    place = np.concatenate([cells, background])
    return replace(
        question, ask=lambda asked: question.ask(place[asked, players]), explained=len(cells),
        codes=question.codes[place, players], column=column, scores=None,
        told=lambda share: question.told((at + share) / 3),
    )  # fmt: skip


def _small(told: Told) -> bool:
    """Return whether small changes are judged: not where no cell has another near it and no row has a neighbour."""
    return told.near.small or len(told.near.rows) >= FEWEST


def _prove(layout: Setting, small: bool, context: Context) -> Canary:
    """Judge exact credit of known functions, the same with an error by call, and with one by the row's cells."""
    codes, n, found, alarms = layout.store.codes, layout.store.explained, 0, 0
    floors = context.thresholds[AGAIN], context.thresholds[KEPT]
    for _ in range(_CANARY_ROUNDS):
        g = known.draw(codes, context.rng)
        column = np.zeros(n, dtype=np.int64)
        question = Question(cast("Ask", g), n, codes, column, layout.pairs, layout.batch)
        exact = _exact(g, codes)
        spoilt = (noisy(_SPOILT, exact), jumping(_SPOILT, exact))[: 1 + small]
        for at, explain in enumerate((*spoilt, exact)):
            values = [one.value for one in _kept(_tell(question, explain, context.rng))]
            flagged = [value is not None and value < floor for value, floor in zip(values, floors, strict=True)]
            found += at < len(spoilt) and flagged[at]
            alarms += any(flagged) and explain is exact
    planted = (1 + small) * _CANARY_ROUNDS
    return Canary(
        kind="reasons with an error by call, or by the row's cells",
        planted=planted, found=found, clean=_CANARY_ROUNDS, false_alarms=alarms,
        noticed=found == planted and not alarms,
        detail=f"{_CANARY_ROUNDS} known functions of these very columns: their exact credit is the same when asked "
        f"again, and nearly so in a neighbour; with an error of {_SPOILT:.0%} of its square, drawn at each call or "
        "fixed by the cells, it is not.",
    )  # fmt: skip


def _exact(g: known.Known, codes: np.ndarray) -> Explainer:
    """Return an explainer that knows g: cells of equal codes have equal parts."""
    order, players = np.argsort(codes, axis=0, kind="stable"), np.arange(codes.shape[1])

    def explain(question: Question, rng: np.random.Generator) -> np.ndarray:
        del rng
        place = [
            order[np.searchsorted(codes[order[:, at], at], question.codes[:, at]), at] for at in players.tolist()
        ]  # fmt: skip
        return replace(g, parts=g.parts[np.column_stack(place), players]).exact(question.explained)

    return explain


def _kept(told: Told) -> tuple[Kept, Kept]:
    """Return what is there again in the same rows, and in their neighbours."""
    some = told.near.rows
    first, again = told.first, told.again
    return kept(first, again, size=told.size), kept(first[some], again[some], told.beside, told.size)


def _result(layout: Setting, told: Told, said: tuple[Canary, str], context: Context) -> Result:
    (proof, who), (again, near) = said, _kept(told)
    small = _small(told)
    judged = [
        _measure("credit that is there again in the same row", again, AGAIN, context,
                 "Asked twice, the second time in another order of rows."),
        _measure("credit that is there in a row which the model does not tell from it", near, KEPT, context,
                 "Cells a twentieth of the ranks away at most, or one cell of any kind, where that moves no answer."),
    ][: 1 + small]  # fmt: skip
    outcome, reason = verdict.decide(judged, proof)
    if outcome is Outcome.FAIL and layout.pairs < PAIRS:
        outcome, reason = Outcome.INCONCLUSIVE, f"Too few questions ({layout.pairs} pairs of walks) to tell a fault. "
    beside = (
        f"{_said(near)} in a row beside it that the model does not tell from it (at least "
        f"{context.thresholds[KEPT]:.0%}; {near.n} of {again.n} rows have one)"
    )
    text = (
        f"Of the credit {_said(again)} is there when the same row is explained again (at least "
        f"{context.thresholds[AGAIN]:.0%}); {beside if small else 'small changes there are none in these columns'}, "
        f"with {who}."
    )
    if again.value is None:
        text = f"No column moves any answer, or there are fewer than {FEWEST} rows: there are no reasons to compare."
    first = np.abs(told.first).argmax(axis=1) == np.abs(told.again).argmax(axis=1)
    shown = (
        Measure(name="rows whose weightiest reason is the same again", value=float(first.mean()), unit="share",
                n=again.n),
        Measure(name="cells that differ in a neighbour", n=near.n, unit="cells",
                value=float(told.near.changed.mean()) if near.n else None),
        verdict.questions(layout, again.n, 3),
    )  # fmt: skip
    return verdict.finish(
        layout, (outcome, f"{reason}{text}"), (*judged, *shown), proof, (_plot(layout, told),), context
    )  # fmt: skip


def _measure(name: str, found: Kept, key: str, context: Context, note: str) -> Measure:
    floor = context.thresholds[key]
    return Measure(
        name=name, value=found.value, low=found.low, high=found.high, threshold=floor, direction="min", unit="share",
        outcome=Outcome.INCONCLUSIVE if found.value is None else judge(found.low, found.high, floor, "min"), n=found.n,
        note=f"1 less the squared difference over the sum of squares. {note}",
    )  # fmt: skip


def _said(found: Kept) -> str:
    return "an unknown share" if found.value is None else f"{found.value:.1%}"


def _plot(layout: Setting, told: Told) -> Plot:
    """Return how far apart two explanations of the same row lie, by column, of the column's mean size."""
    names = layout.store.players.names
    size = np.abs(told.first).mean(axis=0)
    apart = np.abs(told.first - told.again).mean(axis=0)
    bars = tuple(
        Bar(label=names[at], value=float(size[at]), low=float(max(size[at] - apart[at], 0.0)),
            high=float(size[at] + apart[at]))
        for at in np.argsort(-size, kind="stable")[:_BARS]
    )  # fmt: skip
    title = "Mean size of each column's credit, and by how much it differs when asked again"
    return Plot(kind="intervals", title=title, x_label="credit", bars=bars)
