"""Result of E3.dependence: the curves, in figures and pictures, and how far rows go along with them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from fivefold.contract.finding import Bar, Curve, Measure, Plot, Result
from fivefold.contract.outcome import Outcome
from fivefold.explanation import players
from fivefold.explanation.dependence.canary import bars
from fivefold.explanation.store import plain

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fivefold.contract.finding import Canary
    from fivefold.contract.subject import Subject
    from fivefold.explanation.dependence.curves import Curve as Moved
    from fivefold.explanation.dependence.curves import Ladder
    from fivefold.explanation.store import Store
    from fivefold.explanation.told import Told

FLOOR = "min_told"
AVERAGED = 3
"""Columns whose curve is drawn, with the mean over all rows beside it."""

_SHOWN = 24
_NAMED = 3
_CELL = 10
_Z = 1.6449
_REMEDY = {
    Outcome.FAIL: "Do not show single curves of this model: show what columns do together, explain single answers "
    "(E2), or train a model that adds columns up (fivefold model train --explainable additive).",
    Outcome.INCONCLUSIVE: "Bring more test rows, or assess with more effort.",
}


@dataclass(frozen=True)
class Shown:
    """Everything that was measured.

    Attributes:
        store: Rows.
        ladders: P columns' bins.
        curves: P curves, in the score told.
        moved: P arrays (n, K) of steps.
        averages: Column to (B + 1,) partial dependence.
        at: The score told.
        told: Share of the rows' steps that the curves tell.
        odds: Whether that is of steps of the log-odds.
        subject: The model.
        total: Test rows.
    """

    store: Store
    ladders: tuple[Ladder, ...]
    curves: tuple[Moved, ...]
    moved: tuple[np.ndarray, ...]
    averages: Mapping[int, np.ndarray]
    at: int
    told: Told
    odds: bool
    subject: Subject
    total: int

    @property
    def order(self) -> list[int]:
        """Columns by how far their curves go, widest first; those that never move are left out."""
        found = np.argsort([-one.extent for one in self.curves], kind="stable").tolist()
        return [at for at in found if self.curves[at].extent > 0]

    @property
    def kind(self) -> str:
        """What steps."""
        return "log-odds" if self.odds else "answers"

    @property
    def unit(self) -> str:
        """What the curves are of."""
        if self.subject.task == "regression":
            return "answer"
        name = self.subject.classes[self.at]
        return f"chance of {name}" if self.subject.capabilities.scores else f"share told {name}"


def result(made: Shown, proof: Canary, floor: float) -> Result:
    """Judge what share of the rows' steps the curves tell, after the canary."""
    told = made.told
    main = told.measure(
        "share of rows' steps that the curves tell",
        floor,
        f"Each row's {made.kind} against the curves of the other rows; 1 less squared error over squared steps.",
    )
    judged = made.subject.task == "regression" or made.subject.capabilities.scores
    if not judged:
        note = "The model gives labels alone: at a border some rows step and others do not, which no mean can tell."
        main = Measure(
            name=main.name, value=told.value, low=told.low, high=told.high, unit="share", n=told.n, note=note
        )
    outcome, reason = _decide(made, main, proof, judged=judged)
    return Result(
        outcome=outcome,
        reason=reason,
        measures=(main, *_ranges(made)),
        canary=proof,
        plots=_plots(made),
        limits=_limits(made),
        remedy=_REMEDY.get(outcome, ""),
    )


def _decide(made: Shown, main: Measure, proof: Canary, *, judged: bool) -> tuple[Outcome, str]:
    told, names = made.told, made.store.players.names
    if told.value is None:
        return Outcome.INCONCLUSIVE, "No step in any column moves an answer: there is nothing to follow."
    widest = ", ".join(f"`{names[at]}` ({made.curves[at].extent:.2g})" for at in made.order[:_NAMED])
    text = f"Single curves tell {max(told.value, 0.0):.0%} of how {told.n} rows' {made.kind} step from bin to bin "
    text += f"({told.low:.0%} to {told.high:.0%}). "
    text += f"The {made.unit} moves most with {widest}." if widest else "No curve moves."
    if not judged:
        return Outcome.INCONCLUSIVE, f"The model gives labels alone, of which a curve is no reason for one row. {text}"
    if not proof.noticed:
        return Outcome.INCONCLUSIVE, f"Planted curves were not told apart in these data. {text}"
    return main.outcome or Outcome.INCONCLUSIVE, text


def _ranges(made: Shown) -> list[Measure]:
    shown = []
    for at in made.order[:_SHOWN]:
        one, each = made.curves[at], made.moved[at]
        used = np.isfinite(each[:, made.at])
        reach = _Z * one.range_error
        ends = _ends(made, at)
        note = f"Lowest at {ends[int(one.value.argmin())]}, highest at {ends[int(one.value.argmax())]}."
        if one.gone is not None:
            note += f" A missing cell: {one.gone:+.3g} (standard error {one.gone_error:.2g})."
        shown.append(
            Measure(name=f"range of the curve, {made.unit}", value=one.range, low=max(one.range - reach, 0.0),
                    high=one.range + reach, n=int(used.sum()), where=made.store.players.names[at], note=note)
        )  # fmt: skip
    return shown


def _ends(made: Shown, at: int) -> list[str]:
    """Return the cells at the ends of a column's bins; of several columns, and of cells that few rows have, no more."""
    columns = np.flatnonzero(made.store.players.of == at)
    count = len(made.ladders[at].ends)
    if len(columns) > 1:
        return [f"step {step + 1} of {count}" for step in range(count)]
    codes = made.store.codes[:, at]
    often = np.array([(codes == codes[end]).sum() >= _CELL for end in made.ladders[at].ends])
    cells = made.store.rows.features.iloc[:, int(columns[0])].iloc[made.ladders[at].ends].tolist()
    said = [_cell(cell, rare=not known) for cell, known in zip(cells, often.tolist(), strict=True)]
    # the lowest and the highest cell may be one person's
    if count and not often[0]:
        said[0] = "the lowest"
    if count and not often[-1]:
        said[-1] = "the highest"
    return said


def _cell(cell: object, *, rare: bool) -> str:
    shown = plain(cell)
    if isinstance(shown, float):
        return f"{shown:.3g}"
    return "a rare value" if rare and isinstance(shown, str) and not isinstance(cell, pd.Timestamp) else str(shown)[:40]


def _plots(made: Shown) -> tuple[Plot, ...]:
    plots = []
    if made.order:
        found = [(made.store.players.names[at], made.curves[at]) for at in made.order[:_SHOWN]]
        rows = tuple(
            Bar(label=name, value=one.range, low=max(one.range - _Z * one.range_error, 0.0),
                high=one.range + _Z * one.range_error)
            for name, one in found
        )  # fmt: skip
        title = "How far the answer moves with each column, from the lowest to the highest point of its curve"
        plots.append(Plot(kind="intervals", title=title, x_label=made.unit, bars=rows))
    plots += [_plot(made, at) for at in made.order[:AVERAGED]]
    return tuple(plots)


def _plot(made: Shown, at: int) -> Plot:
    """Draw a curve over the ranks of its ends, its bars, the mean over all rows, and how eight rows in ten step."""
    one, name = made.curves[at], made.store.players.names[at]
    x = made.store.codes[made.ladders[at].ends, at]
    reach = bars(one)
    lines = {
        "accumulated local effects": one.value,
        "95 % bar, low": one.value - reach,
        "95 % bar, high": one.value + reach,
    }
    if at in made.averages:
        lines["mean over all rows (partial dependence)"] = made.averages[at]
    start = float(one.value[0])
    for side, word in ((0, "a row of the lowest tenth of steps"), (1, "a row of the highest tenth of steps")):
        lines[word] = start + np.concatenate([[0.0], np.cumsum(one.spread[:, side])])
    ends = _ends(made, at)
    return Plot(
        kind="curves",
        title=f"How the answer moves with {name}: from {ends[0]} to {ends[-1]}",
        x_label=f"rank of {name} among the rows",
        y_label=f"{made.unit}, less its mean",
        curves=tuple(
            Curve(name=key, x=tuple(x.tolist()), y=tuple(np.asarray(value).tolist())) for key, value in lines.items()
        ),
    )


def _limits(made: Shown) -> tuple[str, ...]:
    told = [
        "A curve says how the model answers, not what causes what.",
        "The mean over all rows asks about rows that may not occur where columns go together; it is not judged.",
    ]
    tied = players.tied(made.store.codes, made.store.players.names)
    if tied:
        names = [" + ".join(made.store.players.names[one] for one in group[:_NAMED]) for group in tied[:_NAMED]]
        told.append(f"These go together, and each has a curve of its own, not that of the others: {'; '.join(names)}.")
    if len(made.store.codes) < made.total:
        told.append(f"{len(made.store.codes)} of {made.total} rows were drawn at random.")
    return (*told, *made.store.players.notes)
