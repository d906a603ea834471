"""Result of E3.sensitivity: indices and elementary effects, in figures, words and pictures."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from fivefold.contract.finding import Bar, Measure, Plot, Result
from fivefold.contract.outcome import Outcome
from fivefold.explanation.sensitivity import indices
from fivefold.stats.judge import judge

if TYPE_CHECKING:
    from fivefold.contract.finding import Canary
    from fivefold.contract.subject import Subject
    from fivefold.explanation.permutation.rules import Rule
    from fivefold.explanation.players import Players
    from fivefold.explanation.sensitivity.indices import Shares
    from fivefold.explanation.sensitivity.morris import Effects

NAMED = "min_named"
CARRIED = "max_carried"
LITTLE = 0.05
"""A column whose upper bound is below this share is of little weight."""

WIDE = 0.25
"""Bounds farther apart say too little to put columns in an order."""

LEAST_TOLD = 0.9
ALIKE = 0.8
"""Overlap of indices in drawn and in real rows below which columns go together too much to be drawn one by one."""

_BARS = 24
_TOLD_NAMES = 4
_FAR = 0.25
_MOST_FAR = 0.5
_NOTHING = 1e-18
_ROUNDING = 1e-9
_SURE = 0.999
_REMEDY = {
    Outcome.FAIL: "Name the columns that the answers do hang on, train without those that may not be used, or train a "
    "model of fewer columns (fivefold model train --explainable).",
    Outcome.INCONCLUSIVE: "Bring more test rows, or assess with more effort; where columns go together, drop copies, "
    "and go by E3.permutation and E3.dependence.",
}


@dataclass(frozen=True, kw_only=True)
class Measured:
    """Everything that was measured.

    Attributes:
        players: Columns.
        columns: Names of single columns.
        kept: J players of which indices are told.
        rest: The other players, measured together (the last group, if there are any).
        shares: Of drawn rows.
        beside: Totals of the same groups in rows as they are.
        named: Players that are named.
        declared: Whether the manifest names them.
        untold: (G,) total of all that are not named.
        effects: Elementary effects.
        turns: Moves of each cell.
        rules: Columns that may not be used.
        far: Share of drawn rows that lie where no real row does.
        asked: Rows asked.
        pairs: Pairs of drawn rows.
        rows: Rows whose cells were drawn.
        total: Test rows.
        subject: The model.
    """

    players: Players
    columns: tuple[str, ...]
    kept: tuple[int, ...]
    rest: tuple[int, ...]
    shares: Shares
    beside: np.ndarray
    named: tuple[int, ...]
    declared: bool
    untold: np.ndarray
    effects: Effects
    turns: int
    rules: tuple[Rule, ...]
    far: float
    asked: int
    pairs: int
    rows: int
    total: int
    subject: Subject

    @property
    def least(self) -> int:
        """How many independent rows or pairs there are."""
        return min(self.rows, self.pairs)

    def total_of(self, at: int, confidence: float = 0.95) -> tuple[float, float, float]:
        """Return the total index of a group, with bounds."""
        return indices.share(self.shares.total[at], self.shares.signal, self.least, confidence)

    def first_of(self, at: int) -> tuple[float, float, float]:
        """Return the first-order index of a group, with bounds."""
        return indices.share(self.shares.first[at], self.shares.signal, self.least)

    @cached_property
    def totals(self) -> np.ndarray:
        """(groups, 3) total index and bounds."""
        return np.array([self.total_of(at) for at in range(len(self.shares.total))]).reshape(-1, 3)

    @property
    def order(self) -> list[int]:
        """Positions in ``kept`` by total index, largest first."""
        found: list[int] = np.argsort(-self.totals[: len(self.kept), 0], kind="stable").tolist()
        return found

    @cached_property
    def carried(self) -> tuple[float, float, float]:
        """Share that the named columns carry, with bounds."""
        value, low, high = indices.share(self.untold, self.shares.signal, self.least)
        return 1 - value, 1 - high, 1 - low

    @cached_property
    def alike(self) -> tuple[float, float, float]:
        """Overlap with the indices in rows as they are, with bounds."""
        return indices.alike(self.shares.total, self.beside)

    @property
    def told(self) -> int:
        """Columns whose weight is told; those that are not kept are together no lighter than any of them."""
        clear = (self.totals[:, 1] > 0) | (self.totals[:, 2] < LITTLE)
        clear &= self.totals[:, 2] - self.totals[:, 1] <= WIDE
        of_rest = len(self.rest) if self.rest and self.totals[-1, 2] < LITTLE else 0
        return int(clear[: len(self.kept)].sum()) + of_rest

    @cached_property
    def noise(self) -> tuple[float, float, float]:
        """Share of the variance that asking again makes, with bounds."""
        return indices.share(self.shares.noise, self.shares.spread, self.pairs)

    @property
    def varies(self) -> bool:
        """Whether the answers clearly vary by more than asking again makes them."""
        shares = self.shares
        tiny = float(shares.spread.mean()) <= _NOTHING * max(shares.size, 1e-300)
        return not tiny and indices.share(shares.noise, shares.spread, self.pairs, _SURE)[2] < 1

    def names(self, which: tuple[int, ...] | list[int]) -> list[str]:
        """Return the names of players."""
        return [self.players.names[at] for at in which]


def result(made: Measured, proof: Canary, floor: float) -> Result:
    """Judge what the named columns carry and what is declared; a pass also needs columns whose weight is told."""
    if not made.varies:
        return Result(
            outcome=Outcome.INCONCLUSIVE,
            reason="The answers do not vary beyond what asking again changes: there is nothing to share out.",
            measures=(_questions(made),),
            canary=proof,
            limits=_limits(made),
            remedy=_REMEDY[Outcome.INCONCLUSIVE],
        )
    judged = [_main(made, floor), *(_rule(made, rule) for rule in made.rules)]
    outcome, reason = _decide(made, judged, proof)
    return Result(
        outcome=outcome,
        reason=reason,
        measures=(*judged, *_beside(made), *_indices(made)),
        canary=proof,
        plots=_plots(made),
        limits=_limits(made),
        remedy=_REMEDY.get(outcome, ""),
    )


def _main(made: Measured, floor: float) -> Measure:
    value, low, high = made.carried
    who = "columns declared" if made.declared else "weightiest columns"
    return Measure(
        name=f"share of the answers' variance that the {who} carry", value=value, low=low,
        high=high, threshold=floor, direction="min", outcome=judge(low, high, floor, "min"), unit="share", n=made.rows,
        note=f"1 less the total index of all others together: {', '.join(made.names(made.named))}.",
    )  # fmt: skip


def _rule(made: Measured, rule: Rule) -> Measure:
    """Judge a column that may not be used; fail bounds are corrected for how many there are (Bonferroni)."""
    if not rule.seen:
        return Measure(name="total index", value=0.0, low=0.0, high=0.0, threshold=rule.limit, direction="max",
                       outcome=Outcome.PASS, unit="share", n=made.rows, where=rule.column,
                       note="The model does not see this column.")  # fmt: skip
    player = int(made.players.of[made.columns.index(rule.column)])
    at = made.kept.index(player)
    value, low, high = made.total_of(at)
    outcome = judge(low, high, rule.limit, "max")
    if outcome is Outcome.FAIL and made.total_of(at, 1 - 0.05 / len(made.rules))[1] <= rule.limit:
        outcome = Outcome.INCONCLUSIVE
    name = made.players.names[player]
    note = "May not be used." if name == rule.column else f"May not be used. Measured as {name}."
    return Measure(name="total index", value=value, low=low, high=high, threshold=rule.limit, direction="max",
                   outcome=outcome, unit="share", n=made.rows, where=rule.column, note=note)  # fmt: skip


def _decide(made: Measured, judged: list[Measure], proof: Canary) -> tuple[Outcome, str]:
    words = _words(made)
    if not proof.noticed:
        return Outcome.INCONCLUSIVE, f"Indices of planted functions were not told in these data. {words}"
    if made.alike[2] < ALIKE:
        text = "Columns go together so much that drawing them one by one asks about another model than real rows meet"
        return Outcome.INCONCLUSIVE, f"{text}: the indices overlap by {made.alike[0]:.0%} only. {words}"
    failed = [one for one in judged if one.outcome is Outcome.FAIL]
    if failed:
        return Outcome.FAIL, f"{' '.join(_failed(one) for one in failed)} {words}"
    open_ = [one for one in judged if one.outcome is not Outcome.PASS]
    if open_:
        return Outcome.INCONCLUSIVE, f"Not clear of its limit: {open_[0].where or open_[0].name}. {words}"
    if made.told < LEAST_TOLD * len(made.players):
        text = f"The weight of only {made.told} of {len(made.players)} columns is told."
        return Outcome.INCONCLUSIVE, f"{text} {words}"
    return Outcome.PASS, words


def _failed(one: Measure) -> str:
    bounds = f"{one.value or 0.0:.1%} ({one.low or 0.0:.1%} to {one.high or 0.0:.1%}"
    if one.where:
        return f"The answers hang on what they may not: `{one.where}` carries {bounds}; allowed: {one.threshold:.1%})."
    return f"The columns named carry {bounds}; floor {one.threshold:.0%}): the answers hang on others."


def _words(made: Measured) -> str:
    """Say where the variance comes from, as one would to somebody who has to answer for it."""
    value, low, high = made.carried
    top = [at for at in made.order[:_TOLD_NAMES] if made.totals[at, 1] > 0]
    parts = ", ".join(
        f"`{made.players.names[made.kept[at]]}` ({made.totals[at, 0]:.0%}, alone {made.first_of(at)[0]:.0%})"
        for at in top
    )
    first = f"The answers vary most with {parts}. " if top else "No column alone moves the answers clearly. "
    who = "columns declared" if made.declared else "weightiest columns"
    text = f"{first}The {who} ({len(made.named)}) carry {value:.0%} of their variance ({low:.0%} to {high:.0%})."
    return f"{text} {_apart(made)}" if made.far > _MOST_FAR else text


def _apart(made: Measured) -> str:
    return f"{made.far:.0%} of the rows asked about lie where hardly a real row does: columns go together."


def _questions(made: Measured) -> Measure:
    return Measure(name="questions in all", value=float(made.asked), unit="rows", n=made.asked)


def _beside(made: Measured) -> list[Measure]:
    alone = made.shares.first[: len(made.kept)].sum(axis=0)
    value, low, high = indices.share(alone, made.shares.signal, made.least)
    overlap = made.alike
    shown = [
        Measure(name="columns whose weight is told", value=made.told / len(made.players), unit="share",
                n=len(made.players), note=f"Total index clear of 0 or below {LITTLE:.0%}, bounds at most {WIDE:g} "
                "apart."),
        Measure(name="share that columns carry one by one", value=value, low=low, high=high, unit="share", n=made.rows,
                note="Sum of the first-order indices; the rest is what columns do together."),
        Measure(name="overlap with total indices in rows as they are", value=overlap[0], low=overlap[1],
                high=overlap[2], unit="share", n=made.rows,
                note=f"Other cells those of a real row; clearly below {ALIKE:.0%}: columns go together too much."),
        Measure(name="drawn rows that lie where no real row does", value=made.far, unit="share", n=made.pairs,
                note="Farther from every real row than 19 of 20 real rows are; 5 % where columns are independent."),
        _questions(made),
    ]  # fmt: skip
    if made.noise[0] > _ROUNDING:
        value, low, high = made.noise
        shown.append(Measure(name="share of the variance that asking again makes", value=value, low=low, high=high,
                             unit="share", n=made.pairs, note="Taken off all indices."))  # fmt: skip
    return shown


def _indices(made: Measured) -> list[Measure]:
    shown = []
    effects = made.effects.sizes()
    for at in made.order:
        player = made.kept[at]
        for name, (value, low, high) in (("total index", made.total_of(at)), ("first-order index", made.first_of(at))):
            shown.append(Measure(name=name, value=value, low=low, high=high, unit="share", n=made.rows,
                                 where=made.players.names[player]))  # fmt: skip
        size, low, high, sigma = effects[player].tolist()
        shown.append(
            Measure(name=f"elementary effects, mean size (mu*), {_unit(made)}", value=size, low=low, high=high,
                    n=made.turns, where=made.players.names[player],
                    note=f"For a move from the lowest to the highest rank; sigma {sigma:.3g}.")
        )  # fmt: skip
    if made.rest:
        value, low, high = made.totals[-1].tolist()
        more = f" and {len(made.rest) - _TOLD_NAMES} more" if len(made.rest) > _TOLD_NAMES else ""
        shown.append(Measure(name="total index", value=value, low=low, high=high, unit="share", n=made.rows,
                             where=f"together: {', '.join(made.names(made.rest[:_TOLD_NAMES]))}{more}",
                             note="Hardly moved an answer one by one, and were drawn anew together."))  # fmt: skip
    return shown


def _unit(made: Measured) -> str:
    if made.subject.task == "regression":
        return "answer"
    name = made.subject.classes[made.effects.score]
    return f"chance of {name}" if made.subject.capabilities.scores else f"share told {name}"


def _plots(made: Measured) -> tuple[Plot, ...]:
    names = made.players.names
    effects = made.effects.sizes()
    totals, firsts = (
        tuple(Bar(label=names[made.kept[at]], value=one[0], low=one[1], high=one[2], n=made.rows)
              for at, one in ((at, of(at)) for at in made.order))
        for of in (made.total_of, made.first_of)
    )  # fmt: skip
    moves = tuple(
        Bar(label=names[made.kept[at]], value=size, low=low, high=high, n=made.turns)
        for at, (size, low, high, _) in ((at, effects[made.kept[at]].tolist()) for at in made.order)
    )
    if not totals:
        return ()
    share = "share of the variance of the answers"
    return (
        Plot(kind="intervals", title="What the answers vary with: total index of each column, all that it does with "
             "others included", x_label=share, bars=totals[:_BARS]),
        Plot(kind="intervals", title="What the answers vary with: first-order index, what each column does alone",
             x_label=share, bars=firsts[:_BARS]),
        Plot(kind="intervals", title="Elementary effects: mean size of the change when a cell moves along its column",
             x_label=_unit(made), bars=moves[:_BARS]),
    )  # fmt: skip


def _limits(made: Measured) -> tuple[str, ...]:
    told = [
        "Each column was drawn from its own cells, whatever the others are: such rows may never occur.",
        "An index says how the model answers, not what causes what.",
    ]
    if made.far > _FAR:
        told.append(_apart(made))
    if made.rows < made.total:
        told.append(f"{made.rows} of {made.total} rows were drawn at random.")
    if made.rest:
        told.append(f"Of {len(made.players)} columns {len(made.kept)} were kept by their elementary effects.")
    return (*told, *made.players.notes)
