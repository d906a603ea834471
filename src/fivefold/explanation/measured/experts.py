"""Check E4.experts: the reasons for single results, held against those that experts rank."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import msgspec
import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from fivefold.contract.finding import Bar, Canary, Measure, Plot, Result
from fivefold.contract.outcome import Outcome
from fivefold.errors import UnsupportedError
from fivefold.explanation import asking, explainer
from fivefold.explanation.measured import ranked, rounds, verdict
from fivefold.explanation.measured.overlap import above_chance, depth, mean_by, ordered
from fivefold.stats.judge import judge
from fivefold.stats.proportion import clopper_pearson

if TYPE_CHECKING:
    from fivefold.contract.check import Context
    from fivefold.explanation.asking import Setting

AGREEMENT, ACCEPTED = "min_agreement", "min_accepted"
NAMED = "results whose first reason experts name"
ASTRAY = "results that lean on it first though experts do not name it"
_PAIRS = 32
_BACKGROUND = 300
_CANARY_ROUNDS = 4
_SEVERAL = 12
_LED = 3
_REMEDY = "Take columns that results lean on and experts do not name out of the features, or bind the model (E1)."


@dataclass(frozen=True)
class Said:
    """What experts said of the n explained rows.

    Attributes:
        row: (L,) which row a line is about; each has at least one line.
        ranks: (L, k) players in the order of their ranks, -1 after the last.
        pairs: (M, 2) lines of two experts about the same row, both ways round.
        players: P.
        n: Rows.
    """

    row: np.ndarray
    ranks: np.ndarray
    pairs: np.ndarray
    players: int
    n: int

    def agreement(self, mine: np.ndarray) -> np.ndarray:
        """Return (n,) agreement of (n, k) ranked players with the experts of each row, above chance."""
        return mean_by(self.row, above_chance(mine[self.row], self.ranks, self.players), self.n)

    def accepted(self, mine: np.ndarray) -> np.ndarray:
        """Return (n,) bool: whether at least half of a row's experts name the first of (n, k) ranked players."""
        first = mine[self.row, :1]
        named = ((first == self.ranks) & (first >= 0)).any(axis=1)
        return np.asarray(mean_by(self.row, named, self.n) >= 0.5)

    def among(self) -> np.ndarray:
        """Return (n,) agreement of each row's experts with each other; NaN for rows with one."""
        one, other = self.pairs.T
        return mean_by(self.row[one], above_chance(self.ranks[one], self.ranks[other], self.players), self.n)


def run(context: Context) -> Result:
    """Explain rows whose reasons experts ranked, and compare.

    Threat: the answers are right, and their reasons are none that people who know the field accept.
    Limit: experts are taken at their word; sizes of credit are compared, not signs.

    Args:
        context: Needs a subject that answers for rows put together anew, the data set ``test`` and one of ranked
            reasons; thresholds ``min_agreement`` and ``min_accepted``; ``uses["explainer"]`` measures another
            explainer than ours.

    Raises:
        UnsupportedError: ``experts.undeclared``, ``experts.few``, or as :func:`fivefold.explanation.asking.lay_out`.
        InputError: As :func:`fivefold.explanation.measured.ranked.read`.
        SubjectError: The model misbehaved.
    """
    with threadpool_limits(limits=1, user_api="blas"):
        return _run(context)


def _run(context: Context) -> Result:
    _, test = asking.plain_rows(context, rounds.LEAST)
    file = ranked.read(context, test)
    rows = np.unique(file.rows)
    if len(rows) < asking.FEWEST_DATA:
        raise UnsupportedError(
            "experts.few", f"reasons are ranked for {len(rows)} test rows only.",
            remedy=f"Have experts rank the reasons of at least {asking.FEWEST_DATA}, better of 100.",
        )  # fmt: skip
    some, columns = test.take(rows), tuple(map(str, test.features.columns))
    del test  # the whole set is large
    only = replace(context, tables=lambda name: some if name == "test" else context.tables(name))
    layout = asking.lay_out(
        only, rows=context.rows, pairs=_PAIRS, least=rounds.LEAST, asks=2, background_rows=_BACKGROUND
    )
    verdict.check_players(layout)
    said = _said(file.of(rows[layout.positions]), layout, columns, context.rng)
    explain, who = explainer.chosen(context)
    context.progress(0.2, "explaining rows that experts know")
    background = np.arange(layout.store.explained, len(layout.store.codes))
    part = rounds.Round(np.arange(said.n), np.concatenate([np.arange(said.n), background]))
    told = replace(rounds.question(layout, part, layout.ask, layout.column, layout.scores),
                   told=lambda share: context.progress(0.2 + 0.7 * share, "explaining"))  # fmt: skip
    mine = ordered(explain(told, context.rng), said.ranks.shape[1])
    return _result(layout, said, mine, _prove(said, context), (who, len(rows)), context)


def _said(file: ranked.Ranked, layout: Setting, columns: tuple[str, ...], rng: np.random.Generator) -> Said:
    """Return the lines of the explained rows, at most twelve of each, as players."""
    players = len(layout.store.players)
    order = rng.permutation(len(file.rows))
    turn = pd.Series(file.rows[order]).groupby(file.rows[order]).cumcount().to_numpy()
    kept = np.sort(order[turn < _SEVERAL])
    lines = ranked.Ranked(file.rows[kept], file.names[kept])
    ranks = lines.players(columns, layout.store.players.of)
    most = depth(players, int((ranks >= 0).sum(axis=1).max()))
    at = pd.DataFrame({"row": lines.rows, "line": np.arange(len(lines.rows))})
    both = at.merge(at, on="row")[["line_x", "line_y"]].to_numpy()
    return Said(lines.rows, ranks[:, :most], both[both[:, 0] != both[:, 1]], players, layout.store.explained)


def _prove(said: Said, context: Context) -> Canary:
    """Judge columns in random order, and one expert of each row against the others; no question is asked."""
    rng, found, alarms = context.rng, 0, 0
    k = said.ranks.shape[1]
    for _ in range(_CANARY_ROUNDS):
        made_up = np.argsort(rng.random((said.n, said.players)), axis=1)[:, :k]
        order = rng.permutation(len(said.row))
        chosen = order[np.unique(said.row[order], return_index=True)[1]]
        alone = np.bincount(said.row, minlength=said.n)[said.row] == 1
        left = alone | ~np.isin(np.arange(len(said.row)), chosen)
        others = replace(said, row=said.row[left], ranks=said.ranks[left])
        found += _flagged(said, made_up, context)
        alarms += _flagged(others, said.ranks[chosen], context)
    return Canary(
        kind="columns in random order",
        planted=_CANARY_ROUNDS, found=found, clean=_CANARY_ROUNDS, false_alarms=alarms,
        noticed=found == _CANARY_ROUNDS and not alarms,
        detail=f"{_CANARY_ROUNDS} times in these very rows: columns in random order against the experts (to be "
        "noticed), and the ranks of one expert of each row against the others', or her own where she is alone.",
    )  # fmt: skip


def _flagged(said: Said, mine: np.ndarray, context: Context) -> bool:
    floors = context.thresholds
    low = float(said.agreement(mine).mean()) <= floors[AGREEMENT]
    return bool(low or float(said.accepted(mine).mean()) <= floors[ACCEPTED])


def _result(  # noqa: PLR0917  the parts of a result
    layout: Setting, said: Said, mine: np.ndarray, proof: Canary, about: tuple[str, int], context: Context
) -> Result:
    who, ranked_rows = about
    agreed, accepted, among = said.agreement(mine), said.accepted(mine), said.among()
    judged = [_agreement(agreed, context), _accepted(accepted, context)]
    several = among[~np.isnan(among)]
    other = said.agreement(np.roll(mine, 1, axis=0))
    shown = [
        _shown("agreement of experts with each other", several, "Rows with several experts; above chance, as judged."),
        _shown("agreement with experts of another row", other, "As high as the judged one: one reason serves for all."),
        Measure(name="test rows with ranked reasons", value=float(ranked_rows), unit="rows", n=ranked_rows),
        *_astray(layout, mine, accepted),
        verdict.questions(layout, said.n),
    ]
    outcome, reason = verdict.decide(judged, proof)
    if proof.false_alarms:
        reason = "Experts do not agree with each other as far as is asked of the reasons. "
    text = (
        f"Of {said.n} results {accepted.mean():.1%} have a first reason that experts name; the ranked reasons agree "
        f"with the experts' to {agreed.mean():.2f} above chance, with {who}."
    )
    measures = (*judged, *shown)
    if (mine < 0).all():
        outcome, text = Outcome.INCONCLUSIVE, "No column moves any answer: there are no reasons to compare."
    result = verdict.finish(layout, (outcome, f"{reason}{text}"), measures, proof, (_plot(measures),), context)
    return msgspec.structs.replace(result, remedy=_REMEDY) if outcome is Outcome.FAIL else result


def _agreement(agreed: np.ndarray, context: Context) -> Measure:
    value, low, high = _bounds(agreed)
    floor = context.thresholds[AGREEMENT]
    return Measure(
        name="agreement with the experts above chance", value=value, low=low, high=high, threshold=floor,
        direction="min", outcome=judge(low, high, floor, "min"), n=len(agreed),
        note="Mean rank-biased overlap; 0: as columns in random order, 1: the same ranking.",
    )  # fmt: skip


def _accepted(accepted: np.ndarray, context: Context) -> Measure:
    count, n, floor = int(accepted.sum()), len(accepted), context.thresholds[ACCEPTED]
    low, high = (float(one) for one in clopper_pearson(count, n))
    return Measure(
        name=NAMED, value=count / n, low=low, high=high, threshold=floor,
        direction="min", outcome=judge(low, high, floor, "min"), unit="share", n=n,
        note="Named by at least half of a row's experts, among the ranks that count.",
    )  # fmt: skip


def _shown(name: str, values: np.ndarray, note: str) -> Measure:
    if len(values) < rounds.LEAST:
        return Measure(name=name, n=len(values), note=note)
    value, low, high = _bounds(values)
    return Measure(name=name, value=value, low=low, high=high, n=len(values), note=note)


def _bounds(values: np.ndarray) -> tuple[float | None, float | None, float | None]:
    """Return the mean over rows with its bounds."""
    return rounds.bounds(list(values[:, None]), (min(-1.0, float(values.min())), 1.0))


def _astray(layout: Setting, mine: np.ndarray, accepted: np.ndarray) -> list[Measure]:
    """Return the columns that most results lean on first though their experts do not name them."""
    count = np.bincount(np.maximum(mine[:, 0], 0)[~accepted & (mine[:, 0] >= 0)], minlength=len(layout.store.players))
    most = np.argsort(-count, kind="stable")[:_LED]
    return [
        Measure(
            name=ASTRAY, value=float(count[at] / len(mine)),
            unit="share", n=len(mine), where=layout.store.players.names[at],
        )
        for at in most[count[most] > 0].tolist()
    ]  # fmt: skip


def _plot(measures: tuple[Measure, ...]) -> Plot:
    bars = tuple(
        Bar(label=one.name, value=one.value, low=one.low, high=one.high, n=one.n)
        for one in measures if one.low is not None and one.value is not None
    )  # fmt: skip
    return Plot(kind="intervals", title="The reasons beside those of experts", x_label="agreement, share", bars=bars)
