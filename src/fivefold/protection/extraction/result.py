"""Result: how much of what a thief would get wrong the questions remove, in figures, words and pictures."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fivefold.contract.finding import Curve, Measure, Plot, Result
from fivefold.contract.outcome import Outcome
from fivefold.stats.judge import judge
from fivefold.stats.proportion import clopper_pearson

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fivefold.contract.check import Context
    from fivefold.contract.finding import Canary
    from fivefold.protection.extraction.steal import Copy, Loot, Prey

FLOOR = "max_fidelity_gain"
NOTHING = 0.02
"""Largest disagreement of a thief who asks nothing at which there is nothing left to steal."""

_EXACT = 1e-3
_Z = 1.6448536269514722

_REMEDY = {
    Outcome.FAIL: "Give fewer decimals or labels only, limit the questions of a caller, watch their stream (P2).",
    Outcome.INCONCLUSIVE: "Bring more test rows: half of them are the thief's, half are held back.",
}


def gain(best: Copy, none: Copy) -> tuple[float | None, float | None, float | None]:
    """Return the share of the disagreement that questions remove, with one-sided 95 % bounds.

    1 - E1 / E0, the ratio of two proportions on the same rows: E1 of the copy, E0 without questions. Bounds of the
    ratio by Bonett and Price 2006 (hybrid of two Wilson intervals for correlated proportions), or those of its
    logarithm (Katz et al. 1978, for pairs) where they are wider.
    """
    wrong, usual = ~best.agreed, ~none.agreed
    both, only1, only0 = int((wrong & usual).sum()), int((wrong & ~usual).sum()), int((~wrong & usual).sum())
    seen = both + only1 + only0
    if not seen:
        return None, None, None
    x1, x0 = both + only1, both + only0
    joint = np.sqrt((only1 + only0 + 2) / ((x1 + 1) * (x0 + 1)))
    apart = sum(np.sqrt((1 - (x + 1) / (seen + 2)) / (x + 1)) for x in (x1, x0))
    z = _Z * joint / apart if apart > 0 else _Z
    low1, high1 = _wilson(x1, seen, z)
    low0, high0 = _wilson(x0, seen, z)
    value = 1 - x1 / x0 if x0 else None
    low = 1 - high1 / low0 if low0 > 0 else None
    high = 1 - low1 / high0 if high0 > 0 else None
    # where every error of the one is one of the other, that is a little short: the wider of both holds
    ratio, error = (x1 + 0.5) / (x0 + 0.5), np.sqrt((only1 + only0 + 1) / ((x1 + 0.5) * (x0 + 0.5)))
    least, most = 1 - ratio * np.exp(_Z * error), 1 - x1 / (x0 + 1) * np.exp(-_Z * error)
    return value, None if low is None else min(low, float(least)), None if high is None else max(high, float(most))


def _wilson(hits: int, n: int, z: float) -> tuple[float, float]:
    centre, half = 2 * hits + z**2, z * np.sqrt(z**2 + 4 * hits * (1 - hits / n))
    return float((centre - half) / (2 * (n + z**2))), float((centre + half) / (2 * (n + z**2)))


def judged(best: Copy, none: Copy, floors: Mapping[str, float]) -> Outcome:
    """Judge; where a thief without questions already agrees nearly everywhere, there is nothing to steal: pass."""
    if _nothing_left(none):
        return Outcome.PASS
    _, low, high = gain(best, none)
    return judge(low, high, floors[FLOOR], "max")


def _nothing_left(none: Copy) -> bool:
    """Whether a thief without questions surely disagrees on fewer rows than :data:`NOTHING`."""
    return float(clopper_pearson(int((~none.agreed).sum()), len(none.agreed))[1]) < NOTHING


def result(
    prey: Prey,
    loot: Loot,
    *,
    best: Copy,
    none: Copy,
    drawn: dict[str, tuple[list[float], list[float]]],
    proof: Canary,
    context: Context,
    notes: tuple[str, ...],
) -> Result:
    """Judge and describe.

    Args:
        prey: What was stolen from.
        loot: Questions asked.
        best: The copy at the whole budget.
        none: What a thief has who asks nothing.
        drawn: Precision to budgets and fidelities.
        proof: Canary.
        context: Floors.
        notes: What the reader should know of budget and rows.
    """
    outcome, reason = _decide(best, none, proof, context.thresholds)
    value, low, high = gain(best, none)
    empty = " Judged a pass: next to nothing is left to steal." if _nothing_left(none) and proof.noticed else ""
    main = Measure(
        name="fidelity gain",
        value=value,
        low=low,
        high=high,
        threshold=context.thresholds[FLOOR],
        direction="max",
        outcome=outcome,
        unit="share",
        n=len(best.agreed),
        note="Of the rows on which a thief without questions disagrees with the model, the share that his questions "
        f"mend ({loot.asked} questions; the copy: {best.name}).{empty}",
    )
    exact = best.distance <= _EXACT and prey.voice.kind != "labels"
    shown = [
        _share("fidelity of the copy", best, f"Agreement with the model's answers on held-back rows; {best.name}."),
        _share("fidelity without questions", none, f"Best of what needs no question: {none.name}."),
        Measure(
            name="questions that recover the model",
            value=float(best.asked) if exact else None,
            n=len(best.agreed),
            note="Scores (values: in units of their spread) agree within 0.001 on nine tenths of the held-back rows."
            if exact
            else "It was not recovered to within 0.001.",
        ),
        Measure(name="questions asked", value=float(loot.asked), unit="rows", n=loot.asked),
        *(
            Measure(
                name="fidelity of the copy", value=made[-1], unit="share", n=len(best.agreed), where=f"answers: {title}"
            )
            for title, (_, made) in drawn.items()
            if title != "as given"
        ),
    ]
    return Result(
        outcome=outcome,
        reason=reason,
        measures=(main, *shown),
        canary=proof,
        plots=(_plot(drawn, none),),
        limits=_limits(prey, notes),
        remedy=_REMEDY.get(outcome, ""),
    )


def _share(name: str, one: Copy, note: str) -> Measure:
    low, high = (float(bound) for bound in clopper_pearson(int(one.agreed.sum()), len(one.agreed)))
    return Measure(name=name, value=one.fidelity, low=low, high=high, unit="share", n=len(one.agreed), note=note)


def _decide(best: Copy, none: Copy, proof: Canary, floors: Mapping[str, float]) -> tuple[Outcome, str]:
    text = (
        f"After its questions the copy agrees with the model on {best.fidelity:.1%} of {len(best.agreed)} held-back "
        f"rows; without any question a thief agrees on {none.fidelity:.1%}."
    )
    if not proof.noticed:
        told = "A bare logistic model was not recovered, or answers that follow no rule were; this is not believed."
        return Outcome.INCONCLUSIVE, f"{told} {text}"
    outcome = judged(best, none, floors)
    value, _, _ = gain(best, none)
    if _nothing_left(none):
        return outcome, f"{text} There is next to nothing left to steal."
    return outcome, f"{text} Questions mend {value or 0.0:.0%} of the difference; at most {floors[FLOOR]:.0%} may be."


def _plot(drawn: dict[str, tuple[list[float], list[float]]], none: Copy) -> Plot:
    curves = [Curve(name=title, x=tuple(x), y=tuple(y)) for title, (x, y) in drawn.items()][:6]
    return Plot(
        kind="curves",
        title=f"Fidelity of the copy against questions asked; {none.fidelity:.1%} needs no question",
        x_label="questions",
        y_label="agreement with the model on held-back rows",
        curves=tuple(curves),
    )


def _limits(prey: Prey, notes: tuple[str, ...]) -> tuple[str, ...]:
    told = [
        "A thief with more questions, more rows of his own or a better student may do better.",
        f"The thief has {len(prey.pool)} rows like the test rows, with their true labels where these are known.",
        "The model is asked as it is, without the limits and rounding of a guard in front of it.",
    ]
    if prey.voice.kind == "labels":
        told.append("The model gives labels only; coarser answers are not shown.")
    if prey.voice.kind == "values":
        told.append(f"Answers within {prey.voice.tolerance:.4g} of each other count as the same.")
    return (*told, *notes)
