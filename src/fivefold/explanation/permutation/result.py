"""Result of E3.permutation: what the model goes by, in figures, words and a picture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from fivefold.contract.finding import Bar, Measure, Plot, Result
from fivefold.contract.outcome import Outcome
from fivefold.explanation.permutation.importance import shared
from fivefold.stats.judge import judge

if TYPE_CHECKING:
    from fivefold.contract.check import Context
    from fivefold.contract.finding import Canary
    from fivefold.explanation.permutation.importance import Effect
    from fivefold.explanation.permutation.rules import Rule
    from fivefold.explanation.players import Players

RELIANCE = "min_reliance"
FORBIDDEN = "max_forbidden"
LITTLE = 0.05
"""A column whose upper bound is below this share is of little weight."""

LEAST_TOLD = 0.9
_CLEAR = 3.0
_SHOWN = 24
_NAMED = 4

_REMEDY = {
    Outcome.FAIL: "Train without the columns named (and look for columns that stand in for them), or change what the "
    "manifest allows.",
    Outcome.INCONCLUSIVE: "Bring more test rows, or assess with more effort.",
}


@dataclass(frozen=True)
class Measured:
    """Everything that was measured.

    Attributes:
        players: Columns, patches or windows.
        codes: (n, P) ranks of cells.
        effects: P effects, then those of the tied groups.
        tied: Players that go together.
        whole: Effect of dealing all columns together.
        dealt: Mean loss with all columns dealt.
        size: Mean size of a row's change when all are dealt.
        rules: What the manifest allows.
        columns: Names of the columns; empty for other inputs.
        asked: Rows asked.
        total: Test rows with a target.
        notes: What the reader should know.
        repeats: Deals for each column.
    """

    players: Players
    codes: np.ndarray
    effects: tuple[Effect, ...]
    tied: tuple[tuple[int, ...], ...]
    whole: Effect
    dealt: float
    size: float
    rules: tuple[Rule, ...]
    columns: list[str]
    asked: int
    total: int
    notes: tuple[str, ...]
    repeats: int

    @property
    def n(self) -> int:
        """Rows."""
        return len(self.codes)

    @property
    def clear(self) -> bool:
        """Whether the whole is far enough from 0 to be divided by."""
        error = float(self.whole.influence.std()) / np.sqrt(self.n)
        return self.whole.value > _CLEAR * error and self.whole.value > 0

    def share(self, at: int, confidence: float = 0.95) -> tuple[float, float, float]:
        """Return an effect as a share of the whole, with bounds."""
        return shared(self.effects[at], self.whole, self.size, confidence)


def result(made: Measured, proof: Canary, context: Context) -> Result:
    """Judge reliance and declared rules; a pass also needs columns whose weight is told.

    Args:
        made: What was measured.
        proof: Canary.
        context: Floors.
    """
    main = _reliance(made, context.thresholds[RELIANCE])
    if not made.clear:
        judged = [main]
        told = 0
    else:
        judged = [main, *(_rule(made, rule) for rule in made.rules)]
        told = sum(_is_told(*made.share(at)[1:]) for at in range(len(made.players)))
    outcome, reason = _decide(made, judged, told, proof)
    return Result(
        outcome=outcome,
        reason=reason,
        measures=(*judged, *_shown(made, told)),
        canary=proof,
        plots=_plots(made),
        limits=_limits(made),
        remedy=_REMEDY.get(outcome, ""),
    )


def _is_told(low: float, high: float) -> bool:
    return low > 0 or high < LITTLE


def _reliance(made: Measured, floor: float) -> Measure:
    low, high = made.whole.bounds()
    scale = made.dealt or 1.0
    outcome = judge(low / scale, high / scale, floor, "min")
    if outcome is Outcome.PASS and not made.clear:
        outcome = Outcome.INCONCLUSIVE
    return Measure(
        name="loss that all columns together save",
        value=made.whole.value / scale,
        low=low / scale,
        high=high / scale,
        threshold=floor,
        direction="min",
        outcome=outcome,
        unit="share",
        n=made.n,
        note="Of the loss with each row given another row's answer: what the model knows; the shares below are of it.",
    )


def _rule(made: Measured, rule: Rule) -> Measure:
    """Judge one declared rule; fail bounds are corrected for how many there are (Bonferroni)."""
    if not rule.seen:
        return Measure(
            name="importance",
            value=0.0,
            low=0.0,
            high=0.0,
            threshold=rule.limit,
            direction="max",
            outcome=Outcome.PASS,
            unit="share",
            n=made.n,
            where=rule.column,
            note="The model does not see this column.",
        )
    at = int(made.players.of[made.columns.index(rule.column)])
    value, low, high = made.share(at)
    strict = made.share(at, 1 - 0.05 / len(made.rules))[1]
    outcome = judge(low, high, rule.limit, "max")
    if outcome is Outcome.FAIL and strict <= rule.limit:
        outcome = Outcome.INCONCLUSIVE
    others = [name for group in made.tied if at in group for name in (made.players.names[one] for one in group)]
    beside = [name for name in others if name != made.players.names[at]]
    notes = [
        "May not be used." if rule.forbidden else "Declared limit.",
        f"Measured as {made.players.names[at]}." if made.players.names[at] != rule.column else "",
        f"Goes together with {', '.join(beside[:3])}, which may stand in for it." if beside else "",
    ]
    return Measure(
        name="importance",
        value=value,
        low=low,
        high=high,
        threshold=rule.limit,
        direction="max",
        outcome=outcome,
        unit="share",
        n=made.n,
        where=rule.column,
        note=" ".join(note for note in notes if note),
    )


def _decide(made: Measured, judged: list[Measure], told: int, proof: Canary) -> tuple[Outcome, str]:
    main, declared = judged[0], judged[1:]
    if main.outcome is Outcome.FAIL:
        return Outcome.FAIL, "The model is worse than if each row were given another row's answer."
    if not made.clear:
        return (
            Outcome.INCONCLUSIVE,
            "It is not clear that the answers have to do with the truth: no column can be given its share of nothing.",
        )
    words = _words(made)
    if not proof.noticed:
        return Outcome.INCONCLUSIVE, f"Planted columns were not told apart in these data. {words}"
    failed = "; ".join(_carried(measure) for measure in declared if measure.outcome is Outcome.FAIL)
    if failed:
        return Outcome.FAIL, f"The model goes by what it may not: {failed}. {words}"
    return _settle(made, judged, told, words)


def _carried(one: Measure) -> str:
    bounds = f"{one.low or 0.0:.1%} to {one.high or 0.0:.1%}"
    return f"`{one.where}` carries {one.value or 0.0:.1%} ({bounds}; allowed: {one.threshold or 0.0:.1%})"


def _settle(made: Measured, judged: list[Measure], told: int, words: str) -> tuple[Outcome, str]:
    declared = judged[1:]
    open_ = [measure for measure in judged if measure.outcome is not Outcome.PASS]
    if open_:
        return Outcome.INCONCLUSIVE, f"Not clear of its limit: {open_[0].where or open_[0].name}. {words}"
    if told < LEAST_TOLD * len(made.players):
        return Outcome.INCONCLUSIVE, f"The weight of only {told} of {len(made.players)} columns is told. {words}"
    rules = f"All {len(declared)} declared limits are kept. " if declared else ""
    return Outcome.PASS, f"{rules}{words}"


def _words(made: Measured) -> str:
    """Say what the model goes by, as one would to somebody who has to answer for it."""
    count = len(made.players)
    shares = np.array([made.share(at) for at in range(count)])
    order = np.argsort(-shares[:, 0], kind="stable")
    named = [at for at in order[:_NAMED].tolist() if shares[at, 1] > 0]
    little = int((shares[:, 2] < LITTLE).sum())
    idle = sum(not made.effects[at].touched for at in range(count))
    if not named:
        return "No single column carries the answers: mixed up alone, none costs the model anything that shows."
    parts = ", ".join(f"`{made.players.names[at]}` ({shares[at, 0]:.0%})" for at in named)
    rest = f"; {little} of {count} weigh less than {LITTLE:.0%}" if little else ""
    unused = f", {idle} of them nothing" if idle and little else ""
    return f"What the model knows is lost most when these are mixed up: {parts}{rest}{unused}."


def _shown(made: Measured, told: int) -> tuple[Measure, ...]:
    found = [
        Measure(
            name="columns whose weight is told",
            value=told / len(made.players) if made.clear else None,
            unit="share",
            n=len(made.players),
            note=f"Clear of 0, or below {LITTLE:.0%} with the upper bound.",
        ),
        Measure(name="questions in all", value=float(made.asked), unit="rows", n=made.asked),
    ]
    if not made.clear:
        return tuple(found)
    for at in _order(made):
        value, low, high = made.share(at)
        note = "Never changed an answer's loss." if not made.effects[at].touched else ""
        found.append(_share(made, made.players.names[at], (value, low, high), note))
    for at, group in enumerate(made.tied):
        names = [made.players.names[one] for one in group]
        shown = " + ".join(names[:3]) + (f" + {len(names) - 3} more" if len(names) > 3 else "")
        note = "These go together; mixed up one at a time each looks lighter than it is."
        found.append(_share(made, f"together: {shown}", made.share(len(made.players) + at), note))
    return tuple(found)


def _share(made: Measured, where: str, bounds: tuple[float, float, float], note: str) -> Measure:
    value, low, high = bounds
    return Measure(name="importance", value=value, low=low, high=high, unit="share", n=made.n, where=where, note=note)


def _order(made: Measured) -> list[int]:
    values = np.array([made.effects[at].value for at in range(len(made.players))])
    return [int(at) for at in np.argsort(-values, kind="stable")[:_SHOWN]]


def _plots(made: Measured) -> tuple[Plot, ...]:
    if not made.clear:
        return ()
    bars = []
    for at in _order(made):
        value, low, high = made.share(at)
        bars.append(Bar(label=made.players.names[at], value=value, low=low, high=high, n=made.n))
    return (
        Plot(
            kind="intervals",
            title="What the model goes by: share of what it knows that is lost when a column is mixed up",
            x_label="share of what the model knows",
            bars=tuple(bars),
        ),
    )


def _limits(made: Measured) -> tuple[str, ...]:
    told = [
        "Shares need not add up to 1: columns may stand in for each other (less) or work only together (more).",
        "A column that others stand in for looks lighter than it is; so may one that is forbidden.",
    ]
    if made.n < made.total:
        told.append(f"{made.n} of {made.total} rows were drawn at random, each column dealt {made.repeats} times.")
    if len(made.players) > _SHOWN:
        told.append(f"The {_SHOWN} weightiest of {len(made.players)} are shown.")
    return (*told, *made.notes)
