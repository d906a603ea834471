"""Result of E2.surrogate: how much short sums tell, which columns they use, and the sum of one row."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fivefold.contract.finding import Bar, Measure, Plot, Result
from fivefold.contract.outcome import Outcome
from fivefold.explanation.nearby.layout import FEWEST, over
from fivefold.stats.proportion import clopper_pearson

if TYPE_CHECKING:
    from fivefold.contract.check import Context
    from fivefold.contract.finding import Canary
    from fivefold.explanation.nearby.around import Reach
    from fivefold.explanation.nearby.fit import Link
    from fivefold.explanation.nearby.layout import Around, Layout
    from fivefold.explanation.told import Told

FLOOR = "min_fidelity"
_STILL = 0.1
_BARS = 24
_NAMED = 3
_TWO_SIDED = 1.96
_NOTE = "On fresh neighbours; 1 less squared error over squared distance from each row's mean, summed over rows."
_VOTED = "On fresh neighbours; the square of Somers' D of votes for the label, rows weighed by how often it changes."
_REMEDY = {
    Outcome.FAIL: "Do not tell single answers by short sums: allow more `columns`, tell Shapley values or "
    "counterfactuals (E2.local, E2.counterfactual), or train a model that is readable by itself.",
    Outcome.INCONCLUSIVE: "Bring more test rows, or assess with more effort.",
}


def result(layout: Layout, seen: list[Around], how: tuple[Reach, Link], proof: Canary, context: Context) -> Result:
    """Judge the fidelity over rows, after the canary."""
    floor = context.thresholds[FLOOR]
    found = over([(one.answers, one.said) for one in seen], how[1])
    main = found.measure(
        "share of the variation nearby that short sums tell",
        floor,
        _NOTE if how[1] != "label" else _VOTED,
    )
    moved = _moved(seen)
    outcome, reason = _decide(layout, seen, (found, len(moved)), main, proof)
    if outcome is not Outcome.FAIL and len(moved) < FEWEST and found.value is not None:
        outcome = Outcome.INCONCLUSIVE
    return Result(
        outcome=outcome,
        reason=f"{reason} Looked at: {how[0].words()}.",
        measures=(main, *_beside(seen, moved, floor), *_columns(layout, moved)),
        canary=proof,
        plots=_plots(layout, moved, how[1], context),
        limits=(
            "A sum says what the model does nearby, not why, and not further off.",
            "Cells are exchanged one by one: where columns go together, some neighbours could not be.",
            *layout.notes,
        ),
        remedy=_REMEDY.get(outcome, ""),
    )


def _moved(seen: list[Around]) -> list[Around]:
    """Return the rows around which the answer moves, against the mean of all."""
    spread = np.array([one.answers.var() for one in seen])
    return [one for one, size in zip(seen, spread.tolist(), strict=True) if size > _STILL * spread.mean()]


def _decide(
    layout: Layout, seen: list[Around], found: tuple[Told, int], main: Measure, proof: Canary
) -> tuple[Outcome, str]:
    told, moved = found
    if told.value is None:
        return Outcome.INCONCLUSIVE, "Around none of the rows does the answer change: there is nothing to tell."
    sizes = [len(one.sum.players) for one in seen]
    text = f"Sums of {np.median(sizes):.0f} columns tell {max(told.value, 0.0):.0%} of how the answers move around "
    text += f"{told.n} rows ({told.low:.0%} to {told.high:.0%}; floor {main.threshold:.0%})."
    names = _often(layout, seen)
    if names:
        text += f" Most often they name {', '.join(f'`{name}`' for name in names)}."
    if not proof.noticed:
        return Outcome.INCONCLUSIVE, f"Planted sums were not told apart in these data. {text}"
    if moved < FEWEST:
        text += f" Around only {moved} rows does the answer move."
    return main.outcome or Outcome.INCONCLUSIVE, text


def _used(layout: Layout, seen: list[Around]) -> np.ndarray:
    """Return (P,) how many sums each column is in."""
    chosen = np.concatenate([one.sum.players for one in seen]) if seen else np.zeros(0, dtype=np.int64)
    return np.bincount(chosen, minlength=len(layout.store.players))


def _often(layout: Layout, seen: list[Around]) -> list[str]:
    counts = _used(layout, seen)
    order = np.argsort(-counts, kind="stable")[:_NAMED]
    return [layout.store.players.names[at] for at in order.tolist() if counts[at]]


def _beside(seen: list[Around], moved: list[Around], floor: float) -> tuple[Measure, ...]:
    each = np.array([one.told for one in moved])
    poor, n = int((each < floor).sum()), len(each)
    low, high = (float(one) for one in clopper_pearson(poor, n)) if n else (None, None)
    return (
        Measure(name="rows of which less than the floor is told", value=poor / n if n else None, low=low, high=high,
                unit="share", n=n, note=f"Of those around which the answer moves ({n} of {len(seen)})."),
        Measure(name="columns of a sum", value=float(np.mean([len(one.sum.players) for one in seen])), n=len(seen)),
        Measure(name="rows around which the answer moves", value=n / len(seen), unit="share", n=len(seen),
                note="By more than a tenth of the mean variation around a row."),
    )  # fmt: skip


def _columns(layout: Layout, moved: list[Around]) -> list[Measure]:
    counts, n = _used(layout, moved), len(moved)
    shown = []
    for at in np.argsort(-counts, kind="stable")[:_BARS].tolist():
        if counts[at]:
            low, high = (float(one) for one in clopper_pearson(int(counts[at]), n))
            shown.append(
                Measure(name="sums that name the column", value=float(counts[at] / n), low=low, high=high,
                        unit="share", n=n, where=layout.store.players.names[at])
            )  # fmt: skip
    return shown


def _plots(layout: Layout, moved: list[Around], link: Link, context: Context) -> tuple[Plot, ...]:
    if not moved:
        return ()
    bars = tuple(
        Bar(label=one.where, value=one.value or 0.0, low=one.low, high=one.high, n=one.n)
        for one in _columns(layout, moved)
    )
    made = [Plot(kind="intervals", title="Columns that the sums name", x_label="share of the sums", bars=bars)]
    if context.row_id is not None:
        one = max(moved, key=lambda row: (row.told, row.answers.var()))
        key = context.row_id(layout.store.rows.rows[one.row : one.row + 1])[0]
        unit = {"label": "votes for the label told", "log-odds": "log-odds of the class told"}.get(link, "answer")
        title = f"The sum of one row, {key[:12]}: what its columns add nearby, with 95 % bars"
        made.append(Plot(kind="intervals", title=title, x_label=f"added to the {unit}", bars=_moves(layout, one)))
    return tuple(plot for plot in made if plot.bars)


def _moves(layout: Layout, one: Around) -> tuple[Bar, ...]:
    """Return what each column of a sum adds where it is lower, higher, or another value."""
    bars = []
    for at, player in enumerate(one.sum.players.tolist()):
        cell, name = one.features[:, player], layout.store.players.names[player]
        known = cell[:, 4:].max(axis=1) > 0
        sides = {"lower": cell[:, 2] > known, "higher": cell[:, 3] > known, "another value": known}
        for word, which in sides.items():
            if which.sum() >= FEWEST:
                value, error = one.sum.moves(at, one.features, which)
                reach = _TWO_SIDED * error
                bars.append(Bar(label=f"{name}: {word}", value=value, low=value - reach, high=value + reach,
                                n=int(which.sum())))  # fmt: skip
    return tuple(bars[:_BARS])
