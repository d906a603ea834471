"""Result of E2.local: what the reasons are, how sure, in figures, words and pictures."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fivefold.contract.finding import Bar, Measure, Plot, Result
from fivefold.contract.outcome import Outcome
from fivefold.stats.judge import judge
from fivefold.stats.mean import skew_t
from fivefold.stats.proportion import clopper_pearson

if TYPE_CHECKING:
    from fivefold.contract.check import Context
    from fivefold.contract.finding import Canary
    from fivefold.explanation.asking import Setting
    from fivefold.explanation.local.steady import Steady
    from fivefold.stats.shapley import Attributions

FLOOR = "min_steady"
LEAST_TOLD = 0.5
LEAST_AGREED = 0.85
_USUAL = 0.1
_BARS = 12
_NAMED = 3
_ROUNDING = 1e-6

_REMEDY = {
    Outcome.FAIL: "Make the model answer the same when the same is asked: fix its random numbers, and let no answer "
    "depend on the other rows of a batch.",
    Outcome.INCONCLUSIVE: "Assess with more effort, or raise `pairs`.",
}


def result(
    layout: Setting, made: Attributions, calm: Steady, proof: Canary, context: Context, *, checked: int = 0
) -> Result:  # fmt: skip
    """Judge steadiness; a pass also needs reasons that are told from chance and bars that hold a second time.

    Args:
        layout: What was explained.
        made: Attributions.
        calm: Steadiness of the answers.
        proof: Canary.
        context: Floors and row ids.
        checked: Answers that were held against those of the model's trees, where values come out of these; else 0.
    """
    players, n = len(layout.store.players), len(made.value)
    error = np.sqrt(made.error**2 + calm.noise[layout.column][:, None] / players**2)
    reach = made.quantile(comparisons=players)
    told, needing = _told(layout, made, error, reach)
    agreed, compared = _agreed(made)
    sums = _sums(layout, made, exact=checked > 0)
    floor = context.thresholds[FLOOR]
    outcome, reason = _decide(calm, floor, proof, (told, needing), (agreed, compared))
    main = Measure(
        name="share of the answers' variation that is there again",
        value=calm.value,
        low=calm.low,
        high=calm.high,
        threshold=floor,
        direction="min",
        outcome=outcome,
        unit="share",
        n=calm.n,
        note="The same rows were asked twice; what the reasons add up to is the first answer.",
    )
    median = _relative(made, made.quantile())
    shown = [
        _share(
            "rows whose first reason is told from chance", told, needing, "Of rows whose answer is not the usual one."
        ),
        _share("bars that hold in a second explanation", agreed, compared, "Two halves of the pairs, 95 % bars."),
        _share("sums that meet answer less usual answer", int(sums.sum()), n, "Within the 95 % error of the sum."),
        Measure(
            name="half-width of a bar, of the row's largest reason",
            value=median,
            unit="share",
            n=n,
            note=_how(made, checked),
        ),
        Measure(name="questions in all", value=float(made.asked + 3 * calm.n), unit="rows", n=made.asked + 3 * calm.n),
    ]
    return Result(
        outcome=outcome,
        reason=f"{reason} {_words(layout, made)}",
        measures=(main, *shown, *_firsts(layout, made)),
        canary=proof,
        plots=_plots(layout, made, error, context),
        limits=_limits(layout, checked),
        remedy=_REMEDY.get(outcome, ""),
    )


def _share(name: str, hits: int, n: int, note: str) -> Measure:
    if n == 0:
        return Measure(name=name, n=0, note=f"{note} There are none.")
    low, high = (float(one) for one in clopper_pearson(hits, n))
    return Measure(name=name, value=hits / n, low=low, high=high, unit="share", n=n, note=note)


def _away(layout: Setting) -> np.ndarray:
    """Return (n,) answer less the usual answer over the background, in each row's own score."""
    n = layout.store.explained
    rows = np.arange(n)
    return np.asarray(layout.scores[rows, layout.column] - layout.scores[n:].mean(axis=0)[layout.column])


def _told(layout: Setting, made: Attributions, error: np.ndarray, reach: float) -> tuple[int, int]:
    """Return of how many rows that need a reason the largest attribution excludes 0, and how many need one."""
    away = _away(layout)
    needs = np.abs(away) > _USUAL * np.sqrt((away**2).mean()) if away.any() else np.zeros(len(away), dtype=bool)
    rows = np.arange(len(away))
    first = np.abs(made.value).argmax(axis=1)
    clear = np.abs(made.value[rows, first]) > reach * error[rows, first]
    return int((clear & needs).sum()), int(needs.sum())


def _agreed(made: Attributions) -> tuple[int, int]:
    error = np.sqrt((made.half_errors**2).sum(axis=0))
    some = error > 0
    off = np.abs(made.halves[0] - made.halves[1])
    return int((off <= made.quantile() * error)[some].sum()), int(some.sum())


def _how(made: Attributions, checked: int) -> str:
    if checked:
        return f"Exact: out of the model's trees, over all of {made.pairs} background rows."
    return f"The median over rows, from {made.pairs} pairs of permutations a row."


def _sums(layout: Setting, made: Attributions, *, exact: bool = False) -> np.ndarray:
    """Return (n,) bool: the sum of the attributions lies within its own error of the answer less the usual answer."""
    n = layout.store.explained
    spread = layout.scores[n:].std(axis=0, ddof=1)[layout.column] / np.sqrt(made.pairs)
    if exact:
        spread = _ROUNDING * np.abs(_away(layout)).max() / made.quantile()
    return np.asarray(np.abs(made.value.sum(axis=1) - _away(layout)) <= made.quantile() * spread + 1e-9)


def _relative(made: Attributions, reach: float) -> float | None:
    largest = np.abs(made.value).max(axis=1)
    some = largest > 0
    if not some.any():
        return None
    return float(np.median(reach * made.error[some].mean(axis=1) / largest[some]))


def _decide(
    calm: Steady, floor: float, proof: Canary, told: tuple[int, int], agreed: tuple[int, int]
) -> tuple[Outcome, str]:
    if calm.value is None:
        return Outcome.INCONCLUSIVE, "The model gives every row the same answer: there is nothing to explain."
    text = f"Of the variation of the answers {calm.value:.1%} is there again when the same is asked (floor {floor:.0%})"
    if not proof.noticed:
        return (
            Outcome.INCONCLUSIVE,
            f"Known attributions were not met as they must be; the bars are not believed. {text}.",
        )
    outcome = judge(calm.low, calm.high, floor, "min")
    if outcome is not Outcome.PASS:
        more = ": reasons for such answers are partly noise." if outcome is Outcome.FAIL else "."
        return outcome, text + more
    if agreed[1] and agreed[0] < LEAST_AGREED * agreed[1]:
        share = agreed[0] / agreed[1]
        return Outcome.INCONCLUSIVE, f"{text}, but only {share:.0%} of the bars hold in a second explanation."
    if told[0] < LEAST_TOLD * told[1]:
        return (
            Outcome.INCONCLUSIVE,
            f"{text}, but the first reason is told from chance in only {told[0]} of {told[1]} rows.",
        )
    return outcome, f"{text}, and the first reason is told from chance in {told[0]} of {told[1]} rows that need one."


def _words(layout: Setting, made: Attributions) -> str:
    names = layout.store.players.names
    first = np.abs(made.value).argmax(axis=1)[np.abs(made.value).max(axis=1) > 0]
    counts = np.bincount(first, minlength=len(names))
    order = np.argsort(-counts, kind="stable")[:_NAMED]
    parts = [f"`{names[at]}` in {counts[at]}" for at in order.tolist() if counts[at]]
    return f"The weightiest reason is {', '.join(parts)} of {len(made.value)} rows." if parts else ""


def _unit(layout: Setting) -> str:
    subject = layout.subject
    if subject.task == "regression":
        return "units of the target"
    return "probability of the predicted class" if subject.capabilities.scores else "share of the predicted label"


def _mean_sizes(made: Attributions) -> list[tuple[int, float, float, float]]:
    sizes = np.abs(made.value)
    order = np.argsort(-sizes.mean(axis=0), kind="stable")[:_BARS]
    bounds = [skew_t(sizes[:, at]) for at in order.tolist()]
    least = _ROUNDING * float(sizes.max(initial=0.0))
    return [
        (at, float(sizes[:, at].mean()), max(float(low), 0.0), float(high))
        for at, (low, high) in zip(order.tolist(), bounds, strict=True)
        if np.isfinite(low) and sizes[:, at].mean() > least
    ]


def _firsts(layout: Setting, made: Attributions) -> list[Measure]:
    return [
        Measure(
            name="mean size of the attribution",
            value=value,
            low=low,
            high=high,
            n=len(made.value),
            where=layout.store.players.names[at],
            note=f"In {_unit(layout)}.",
        )
        for at, value, low, high in _mean_sizes(made)
    ]


def _plots(layout: Setting, made: Attributions, error: np.ndarray, context: Context) -> tuple[Plot, ...]:
    names, n = layout.store.players.names, len(made.value)
    plots = [
        Plot(
            kind="intervals",
            title="How much each input moves single answers, on average over the explained rows",
            x_label=f"mean size of the attribution, {_unit(layout)}",
            bars=tuple(
                Bar(label=names[at], value=value, low=low, high=high, n=n) for at, value, low, high in _mean_sizes(made)
            ),
        )
    ]
    if context.row_id is None or not plots[0].bars:
        return tuple(bar for bar in plots if bar.bars)
    row = int(np.abs(_away(layout)).argmax())
    order = np.argsort(-np.abs(made.value[row]), kind="stable")[:_BARS]
    reach = made.quantile() * error[row]
    key = context.row_id(layout.store.rows.rows[row : row + 1])[0]
    bars = tuple(
        Bar(
            label=names[at],
            value=float(made.value[row, at]),
            low=float(made.value[row, at] - reach[at]),
            high=float(made.value[row, at] + reach[at]),
            n=made.pairs,
        )
        for at in order.tolist()
    )
    title = f"The reasons for one result, that of row {key[:12]}, with 95 % bars"
    return (*plots, Plot(kind="intervals", title=title, x_label=f"added to the answer, {_unit(layout)}", bars=bars))


def _limits(layout: Setting, checked: int) -> tuple[str, ...]:
    trees = f"Values were computed from the trees read out of the model; on {checked:,} rows it answers as these."
    return (
        *((trees,) if checked else ()),
        f"Cells were swapped with those of {layout.store.background} background rows, likely or not (interventional).",
        "A reason is what the model goes by, not a cause in the world.",
        *layout.notes,
    )
