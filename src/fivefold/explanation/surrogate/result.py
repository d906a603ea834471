"""Result of E3.surrogate: the tree, leaf by leaf, and how much of the model it tells."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from fivefold.contract.finding import Bar, Measure, Plot, Result
from fivefold.contract.outcome import Outcome
from fivefold.explanation.surrogate import words
from fivefold.explanation.told import told
from fivefold.stats.proportion import clopper_pearson

if TYPE_CHECKING:
    from fivefold.contract.finding import Canary
    from fivefold.explanation.antehoc.form import Term
    from fivefold.explanation.surrogate.canary import Rows
    from fivefold.explanation.surrogate.tree import Tree
    from fivefold.explanation.told import Told

FLOOR = "min_fidelity"
_BARS = 24
_REMEDY = {
    Outcome.FAIL: "Do not show this model as a small tree: allow more `leaves`, explain single answers (E2), or train "
    "a model that is readable by itself (fivefold model train --explainable).",
    Outcome.INCONCLUSIVE: "Bring more test rows, or assess with more effort.",
}


@dataclass(frozen=True)
class Shown:
    """Everything that was measured.

    Attributes:
        tree: Taught on the model's answers.
        terms: Its columns.
        rows: Rows taught and held back, with the model's answers.
        task: Of the model.
        classes: Labels.
        notes: What the reader should know.
    """

    tree: Tree
    terms: tuple[Term, ...]
    rows: Rows
    task: str
    classes: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def paths(self) -> dict[int, str]:
        """What holds of the rows of each node."""
        gone = (self.rows.codes == [len(term.adds) for term in self.terms]).any(axis=0)
        return words.paths(self.tree, self.terms, gone)


def result(made: Shown, proof: Canary, floor: float) -> Result:
    """Judge the fidelity on held-back rows, after the canary."""
    said = made.tree.answers(made.rows.held)
    found = told(made.rows.truth, said)
    main = found.measure(
        "share of the answers' variation that the tree tells",
        floor,
        "On rows held back; 1 less squared error over squared distance from the mean answer.",
    )
    outcome, reason = _decide(made, found, main, proof)
    leaves = _leaves(made)
    return Result(
        outcome=outcome,
        reason=reason,
        measures=(main, *_beside(made, said), *leaves),
        canary=proof,
        plots=_plots(made, leaves),
        limits=(
            "The tree says what the model answers, not why, and not what is true.",
            "A column in the tree may stand for others that go together with it.",
            *made.notes,
        ),
        remedy=_REMEDY.get(outcome, ""),
    )


def _decide(made: Shown, found: Told, main: Measure, proof: Canary) -> tuple[Outcome, str]:
    if found.value is None:
        return Outcome.INCONCLUSIVE, "The model answers the same for all rows held back: there is nothing to tell."
    count = len(made.tree.leaves)
    text = f"A tree of {count} leaves tells {max(found.value, 0.0):.0%} of the variation of the answers on {found.n} "
    text += f"rows held back ({found.low:.0%} to {found.high:.0%}; floor {main.threshold:.0%})."
    if count > 1:
        text += f" It first asks whether this holds: {made.paths[1]}."
    if not proof.noticed:
        return Outcome.INCONCLUSIVE, f"Planted trees were not told apart in these data. {text}"
    return main.outcome or Outcome.INCONCLUSIVE, text


def _beside(made: Shown, said: np.ndarray) -> tuple[Measure, ...]:
    n, truth = len(said), made.rows.truth
    shown = [
        Measure(name="leaves of the tree", value=float(len(made.tree.leaves)), n=len(made.rows.codes)),
        Measure(name="rows that the tree was taught on", value=float(len(made.rows.codes)), unit="rows",
                n=len(made.rows.codes)),
    ]  # fmt: skip
    if made.task == "regression":
        return tuple(shown)
    same = truth.argmax(axis=1) == said.argmax(axis=1)
    usual = np.bincount(truth.argmax(axis=1)).max() / n
    low, high = (float(one) for one in clopper_pearson(int(same.sum()), n))
    note = f"The commonest label alone would agree in {usual:.0%}."
    agree = Measure(name="rows with the label that the tree says", value=float(same.mean()), low=low, high=high,
                    unit="share", n=n, note=note)  # fmt: skip
    return (agree, *shown)


def _leaves(made: Shown) -> list[Measure]:
    """Return the tree: a figure for each leaf, with the conditions of its rows."""
    tree, rows, where = made.tree, made.rows, made.paths
    place = tree.place(rows.held)
    shown = []
    for leaf in tree.leaves:
        mine, answer = rows.truth[place == leaf], tree.value[leaf]
        column, label = _column(made, answer)
        spread = np.quantile(mine[:, column], (0.05, 0.95)) if len(mine) >= 10 else (None, None)
        note = f"{len(mine) / max(len(place), 1):.0%} of the rows held back"
        if spread[0] is not None:
            note += f"; the model's own answers there: {spread[0]:.3g} to {spread[1]:.3g} (5 % and 95 %)"
        shown.append(
            Measure(name=f"leaf: {label}", value=float(answer[column]), n=int(tree.count[leaf]), where=where[leaf],
                    note=f"{note}.")
        )  # fmt: skip
    return shown


def _column(made: Shown, answer: np.ndarray) -> tuple[int, str]:
    """Return the score that a leaf is told in, and its name: of two classes the second, of several the likeliest."""
    if made.task == "regression":
        return 0, "mean answer"
    at = 1 if len(answer) == 2 else int(answer.argmax())
    return at, f"chance of {made.classes[at]}"


def _plots(made: Shown, leaves: list[Measure]) -> tuple[Plot, ...]:
    if len(leaves) < 2 or len({leaf.name for leaf in leaves}) > 1:
        return ()
    place, rows, bars = made.tree.place(made.rows.held), made.rows, []
    for leaf, one in zip(made.tree.leaves, leaves, strict=True):
        mine = rows.truth[place == leaf]
        if len(mine) < 10:
            continue
        low, high = np.quantile(mine[:, _column(made, made.tree.value[leaf])[0]], (0.05, 0.95))
        bars.append(Bar(label=one.where, value=one.value or 0.0, low=float(low), high=float(high), n=len(mine)))
    title = "What each leaf of the tree says, and between which answers nine rows in ten of it lie"
    label = leaves[0].name.removeprefix("leaf: ")
    return (Plot(kind="intervals", title=title, x_label=label, bars=tuple(bars[:_BARS])),) if bars else ()
