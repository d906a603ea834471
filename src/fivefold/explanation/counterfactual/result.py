"""Result of E2.counterfactual: whom a change would help, whether it holds and can be."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fivefold.contract.finding import Bar, Measure, Plot, Result
from fivefold.contract.outcome import Outcome
from fivefold.explanation.counterfactual.audit import bounds
from fivefold.stats.mean import skew_t
from fivefold.stats.proportion import clopper_pearson

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fivefold.contract.finding import Canary
    from fivefold.explanation.counterfactual.audit import Audit
    from fivefold.explanation.counterfactual.check import Layout
    from fivefold.subject.possible.domain import Domain

FLIPS, OBEYS = "min_flips", "min_obeying"

_BARS = 12
_NAMED = 3
_CELLS = 500_000
_REMEDY = {
    Outcome.FAIL: "Ask the deployed model itself for every row that is told to a person, as it stands, and tell only "
    "rows that it answers as wanted; fix the random numbers of a model that answers otherwise when asked again.",
    Outcome.INCONCLUSIVE: "Bring more rows that are not answered as wanted, or assess with more effort.",
}


def result(layout: Layout, seen: Audit, proof: Canary, thresholds: Mapping[str, float], whose: str) -> Result:
    """Judge that counterfactuals flip the deployed model and obey what is declared.

    Args:
        layout: What was explained.
        seen: What became of the counterfactuals.
        proof: Canary.
        thresholds: Floors.
        whose: Whose counterfactuals these are, in words.
    """
    flips = _judged("rows whose counterfactuals all flip the deployed model", seen, seen.held, thresholds[FLIPS])
    obeys = _judged("rows whose counterfactuals all obey what is declared", seen, seen.obeys, thresholds[OBEYS])
    outcome, reason = _decide(layout, seen, proof, (flips, obeys), whose)
    return Result(
        outcome=outcome,
        reason=reason,
        measures=(flips, obeys, *_shown(layout, seen)),
        canary=proof,
        plots=_plots(layout, seen),
        limits=(
            "A counterfactual says what this model would answer to another row, not what changes anybody's situation.",
            "A model that is trained anew may answer otherwise.",
            *layout.notes,
        ),
        remedy=_REMEDY.get(outcome, ""),
    )


def _judged(name: str, seen: Audit, good: np.ndarray, floor: float) -> Measure:
    hits, n = seen.share(good)
    note = "Of rows with any counterfactual; a pass needs all of them to be so."
    if not n:
        return Measure(
            name=name, threshold=floor, direction="min", outcome=Outcome.INCONCLUSIVE, unit="share", note=note
        )
    low, high, outcome = bounds(hits, n, floor)
    if outcome is Outcome.PASS and hits < n:
        outcome = Outcome.INCONCLUSIVE
    return Measure(
        name=name, value=hits / n, low=low, high=high, threshold=floor, direction="min", outcome=outcome, unit="share",
        n=n, note=note,
    )  # fmt: skip


def _decide(
    layout: Layout, seen: Audit, proof: Canary, judged: tuple[Measure, Measure], whose: str
) -> tuple[Outcome, str]:
    n = len(layout.question.rows)
    if not layout.eligible:
        why = "all are already answered as wanted" if _differ(layout) else "the model gives every row the same answer"
        return Outcome.INCONCLUSIVE, f"None of {layout.pool} test rows is to be explained: {why}."
    helped = len(np.unique(seen.origin))
    if not helped:
        return (
            Outcome.INCONCLUSIVE,
            f"For none of {n} rows a possible change was found that is answered as wanted"
            + ("." if _differ(layout) else ": the model gives every row the same answer."),
        )
    text = (
        f"{helped} of {n} rows have a possible change that the model answers as wanted; of {len(seen.origin)} "
        f"counterfactuals ({whose}) {int(seen.held.sum())} flip the model when it is asked afresh and "
        f"{int(seen.obeys.sum())} obey what is declared"
    )
    wrong = [what for what, rows in seen.wrong.items() if rows.any()]
    text += f" (not: {', '.join(wrong)})." if wrong else "."
    if not proof.noticed:
        return Outcome.INCONCLUSIVE, f"Planted models or makers were not told as they must be. {text}"
    needed = int(np.ceil(np.log(0.05) / np.log(min(max(one.threshold or 0.0 for one in judged), 0.9999))))
    if seen.held.all() and seen.obeys.all() and helped < needed:
        text += f" Rows with one are too few to tell: {needed} are needed."
    outcomes = {one.outcome for one in judged}
    for outcome in (Outcome.FAIL, Outcome.INCONCLUSIVE):
        if outcome in outcomes:
            return outcome, text
    return Outcome.PASS, text


def _differ(layout: Layout) -> bool:
    answers = layout.question.answers
    return bool(len(answers) and (answers != answers[0]).any())


def _shown(layout: Layout, seen: Audit) -> list[Measure]:
    n = seen.rows
    if not n:
        return []
    helped = np.unique(seen.origin)
    low, high = (float(one) for one in clopper_pearson(len(helped), n))
    shown = [
        Measure(
            name="rows with a counterfactual", value=len(helped) / n, low=low, high=high, unit="share", n=n,
            note="What is not found need not be impossible.",
        )
    ]  # fmt: skip
    if not len(helped):
        return shown
    first = seen.first
    nearest = _nearest(layout, seen.origin[first])
    sets = np.bincount(seen.origin, minlength=n)[helped]
    used = layout.question.purse
    shown += [
        _mean("fields changed by the cheapest", seen.changed[first].sum(axis=1), "fields"),
        _mean("cost of the cheapest", seen.cost[first], "deviations"),
        _mean(
            "cost of the cheapest, of that of the cheapest known row",
            (seen.cost[first] / nearest)[np.isfinite(nearest) & (nearest > 0)],
            "ratio",
            "The known row's changeable fields, all of them.",
        ),
        _mean("counterfactuals of a row", sets, "counterfactuals"),
        _mean("fields that differ between two of a row", _apart(seen), "share", "Of those that either changes."),
        Measure(name="questions for a row", value=used.asked / n, unit="rows", n=used.asked),
    ]
    return shown


def _mean(name: str, values: np.ndarray, unit: str, note: str = "") -> Measure:
    values = np.asarray(values, dtype=np.float64)
    if not len(values):
        return Measure(name=name, unit=unit, note=note)
    low, high = (float(one) for one in skew_t(values)) if len(values) > 1 else (np.nan, np.nan)
    known = np.isfinite(low) and np.isfinite(high)
    return Measure(
        name=name, value=float(values.mean()), low=low if known else None, high=high if known else None, unit=unit,
        n=len(values), note=note,
    )  # fmt: skip


def _nearest(layout: Layout, rows: np.ndarray) -> np.ndarray:
    """Return (m,) cost of turning rows into the cheapest known row with a wanted answer; infinity: there is none."""
    question, domain = layout.question, layout.question.domain
    start, known = domain.space.encode(question.rows), domain.space.encode(question.known)
    found, total = np.full(len(rows), np.inf), len(known)
    size = max(1, _CELLS // max(total * known.shape[1], 1))
    for begin in range(0, len(rows), size):
        some = rows[begin : begin + size]
        many = start[np.repeat(some, total)]
        cost = domain.cost(many, domain.fitted(many, np.tile(known, (len(some), 1)))).reshape(len(some), total)
        cost = np.where(question.wanted.met(some[:, None], question.answers[None]) & (cost > 0), cost, np.inf)
        found[begin : begin + size] = cost.min(axis=1)
    return found


def _apart(seen: Audit) -> np.ndarray:
    """Return the Jaccard distance of the changed fields of any two neighbours in one row's list."""
    pairs = np.flatnonzero(seen.origin[1:] == seen.origin[:-1])
    one, other = seen.changed[pairs], seen.changed[pairs + 1]
    either = (one | other).sum(axis=1)
    apart = 1 - (one & other).sum(axis=1) / np.maximum(either, 1)
    return np.asarray(apart[either > 0])


def _plots(layout: Layout, seen: Audit) -> tuple[Plot, ...]:
    """Return in which share of the rows with a counterfactual each field is changed by any of them."""
    rows = np.unique(seen.origin)
    if not len(rows):
        return ()
    domain, n = layout.question.domain, len(rows)
    touched = np.zeros((seen.rows, domain.items), dtype=bool)
    np.logical_or.at(touched, seen.origin, seen.changed)
    counts = touched[rows].sum(axis=0)
    order = np.argsort(-counts, kind="stable")[:_BARS]
    bars = []
    for at in order[counts[order] > 0].tolist():
        low, high = (float(one) for one in clopper_pearson(int(counts[at]), n))
        bars.append(Bar(label=_name(domain, at), value=float(counts[at] / n), low=low, high=high, n=n))
    title = "Fields that a counterfactual changes"
    return (Plot(kind="intervals", title=title, x_label="share of the rows that have one", bars=tuple(bars)),)


def _name(domain: Domain, item: int) -> str:
    columns, space = domain.columns_of(item), domain.space
    names = [str(space.columns[at].name) for at in columns]
    return " + ".join(names) if len(names) <= _NAMED else f"{names[0]} + {len(names) - 1} more"
