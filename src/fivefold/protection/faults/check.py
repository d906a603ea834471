"""P3.faults: flip bits of the stored weights and round them, and count right answers that are left."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fivefold.contract.finding import Bar, Curve, Measure, Plot, Result
from fivefold.contract.outcome import Outcome
from fivefold.errors import UnsupportedError
from fivefold.protection.accuracy.sample import stratified
from fivefold.protection.faults.bench import KINDS, Bench
from fivefold.protection.faults.canary import bounds, trial
from fivefold.stats.judge import judge
from fivefold.stats.proportion import wilson
from fivefold.subject.altered import Change, weighted

if TYPE_CHECKING:
    from collections.abc import Callable

    from fivefold.contract.check import Context
    from fivefold.contract.finding import Canary
    from fivefold.contract.subject import Subject, Table

FLOOR = "min_kept"
KEPT = "rightly answered rows that stay right"
_FEWEST = 20
_RATES = (1e-6, 1e-5, 1e-4, 1e-3, 1e-2)
_SHOWN = 8
_OF_KIND = 1e-3
_EFFORTS = ("quick", "standard", "thorough")
_DRAWS = (20, 60, 200)
_TRIES = (40, 120, 400)


def run(context: Context) -> Result:
    """Measure P3.faults.

    Threat: bits of weights flip in memory (ageing, radiation, row hammer), or a device rounds weights.
    Limit: faults of stored weights; the search of the worst bit is no proof that none is worse.

    Args:
        context: Needs a network whose file runs here and ``test``; threshold ``min_kept``; options as in the pack.

    Raises:
        UnsupportedError: ``model.no-weights`` where the weights cannot be reached; ``faults.rows`` if fewer than 20
            rows are answered rightly.
        SubjectError: The model misbehaved as it is.
    """
    subject = context.subject
    if subject is None:
        raise UnsupportedError("faults.subject", "there is no model to ask.")
    if context.guarded is not None:
        raise UnsupportedError("model.no-weights", "behind a guard nobody reaches the weights.")
    bench, notes = _bench(subject, context)
    effort = _EFFORTS.index(context.effort)
    rate = float(context.options.get("rate") or _RATES[0])
    floor = float(context.thresholds[FLOOR])
    try:
        context.progress(0.1, "flipping bits")
        rates = sorted({*_RATES, rate})
        draws = {one: _drawn(bench, one, _DRAWS[effort] if one == rate else _SHOWN, context.rng) for one in rates}
        context.progress(0.5, "flipping signs, exponents, mantissas; rounding")
        kinds = {kind: np.array([_of_kind(bench, kind, context.rng) for _ in range(_SHOWN)]) for kind in KINDS}
        rounded = {how: bench.kept(Change(how)) for how in ("int8", "float16")}
        context.progress(0.6, "searching the worst bit")
        worst = bench.worst(_TRIES[effort], context.rng)
        context.progress(0.8, "planting canaries")
        bird = trial(bench, floor, context.rng)
    finally:
        bench.model.alter(Change())
    judged = _judged(bench, draws[rate], rate, floor)
    measures = [judged, *_shown(bench, draws, rate, kinds), *_fewer(bench, rounded), _single(worst, _TRIES[effort])]
    return _result(measures, bird, draws, notes)


def _bench(subject: Subject, context: Context) -> tuple[Bench, list[str]]:
    model = weighted(subject)
    table = stratified(context.tables("test"), context.rows, context.rng)
    right_of, notes = _right(subject, table, context)
    model.alter(Change())
    said, usable = model.tried(table) if len(table) else (np.empty(0), np.empty(0, dtype=bool))
    kept = np.flatnonzero(right_of(said) & usable)
    if len(kept) < _FEWEST:
        raise UnsupportedError(
            "faults.rows",
            f"only {len(kept)} test rows are answered rightly.",
            remedy=f"At least {_FEWEST} are needed to see how many stay right.",
        )
    counts, bits = model.sizes()
    groups = table.target if subject.classes else np.zeros(len(table), dtype=np.int64)
    whole = Bench(model, table, right_of, groups, counts, bits)
    return whole.take(kept), notes


def _right(subject: Subject, table: Table, context: Context) -> tuple[Callable[[np.ndarray], np.ndarray], list[str]]:
    """Return what tells right answers, and notes."""
    if subject.classes:
        return lambda said: np.asarray(said == table.target), []
    declared = context.options.get("tolerance")
    target = np.asarray(table.target, dtype=np.float64)
    if isinstance(declared, int | float):
        return lambda said: np.asarray(np.abs(said - target) <= declared), []
    usual = float(np.abs(target - np.median(target)).mean()) if len(target) else 0.0
    note = f"No `tolerance` is declared: the best constant's mean absolute error, {usual:.4g}, is used."
    return lambda said: np.asarray(np.abs(said - target) <= usual), [note]


def _drawn(bench: Bench, rate: float, draws: int, rng: np.random.Generator) -> np.ndarray:
    return np.array([bench.share(bench.kept(bench.at_rate(rate, rng))) for _ in range(draws)])


def _of_kind(bench: Bench, kind: str, rng: np.random.Generator) -> float:
    return bench.share(bench.kept(bench.of_kind(kind, _OF_KIND, rng)))


def _judged(bench: Bench, shares: np.ndarray, rate: float, floor: float) -> Measure:
    value, low, high = bounds(shares)
    flips = rate * float((bench.counts * bench.bits).sum())
    return Measure(
        name=KEPT, value=value, low=low, high=high, threshold=floor, direction="min",
        outcome=judge(low, high, floor, "min"), unit="share", n=len(shares), where=f"bits flip at {rate:g}",
        note=f"Mean over {len(shares)} draws of about {flips:.3g} flips in {bench.weights} weights; "
        f"{len(bench.table)} rows, classes alike.",
    )  # fmt: skip


def _shown(bench: Bench, draws: dict[float, np.ndarray], rate: float, kinds: dict[str, np.ndarray]) -> list[Measure]:
    named = {f"bits flip at {one:g}": shares for one, shares in draws.items() if one != rate}
    share = max(1, round(_OF_KIND * bench.weights))
    named |= {f"a {kind} bit of {share} weights flips": shares for kind, shares in kinds.items()}
    made = []
    for where, shares in named.items():
        value, low, high = bounds(shares)
        made.append(Measure(name=KEPT, value=value, low=low, high=high, unit="share", n=len(shares), where=where))
    return made


def _fewer(bench: Bench, rounded: dict[str, np.ndarray]) -> list[Measure]:
    made = []
    for how, kept in rounded.items():
        low, high = wilson(int(kept.sum()), len(kept))
        made.append(
            Measure(name=KEPT, value=float(kept.mean()), low=float(low), high=float(high), unit="share", n=len(kept),
                    where=f"weights rounded to {how}", note=f"Classes alike: {bench.share(kept):.1%}.")
        )  # fmt: skip
    return made


def _single(worst: tuple[str, float, int], tries: int) -> Measure:
    where, left, rows = worst
    return Measure(
        name=KEPT, value=left, unit="share", n=rows, where=f"the worst single bit found ({where})",
        note=f"Found among {tries} on other rows.",
    )  # fmt: skip


def _result(measures: list[Measure], bird: Canary, draws: dict[float, np.ndarray], notes: list[str]) -> Result:
    first, single = measures[0], measures[-1]
    outcome = first.outcome or Outcome.INCONCLUSIVE
    words = {Outcome.PASS: "is clear of", Outcome.FAIL: "breaks", Outcome.INCONCLUSIVE: "is not clear of"}
    reason = (
        f"Where {first.where.removeprefix('bits ')}, {first.value:.1%} ({first.low:.1%} to {first.high:.1%}) of what "
        f"was right stays right, which {words[outcome]} {first.threshold:.0%}. The worst single bit found leaves "
        f"{single.value:.1%}."
    )
    if not bird.noticed:
        outcome = Outcome.INCONCLUSIVE
        measures = [_held(first), *measures[1:]]
        reason = f"Planted faults went unnoticed, or harmless ones were flagged. {reason}"
    return Result(
        outcome=outcome,
        reason=reason,
        measures=tuple(measures),
        canary=bird,
        plots=_plots(measures, draws, float(first.threshold or 0.0)),
        limits=(
            *notes,
            "Weights as stored flip; faults of activations, of instructions and of caches are not simulated.",
            "The worst bit is searched: another may cost more.",
        ),
        remedy=_remedy(outcome),
    )


def _held(first: Measure) -> Measure:
    from msgspec import structs

    return structs.replace(first, outcome=Outcome.INCONCLUSIVE)


def _remedy(outcome: Outcome) -> str:
    if outcome is Outcome.PASS:
        return ""
    if outcome is Outcome.FAIL:
        return (
            "Clip weights and activations to their usual range, compare the digest of the weights while they are in "
            "use (K3), use memory that corrects errors, or store weights of fewer bits."
        )
    return "Test with more effort: bounds shrink with the number of draws."


def _plots(measures: list[Measure], draws: dict[float, np.ndarray], floor: float) -> tuple[Plot, ...]:
    label = "share of right answers that stay right"
    bars = tuple(
        Bar(label=one.where[:60], value=float(one.value or 0.0), low=one.low, high=one.high, n=one.n)
        for one in measures
    )
    rates = sorted(draws)
    curve = Curve(
        name="mean over draws",
        x=tuple(float(np.log10(rate)) for rate in rates),
        y=tuple(float(draws[rate].mean()) for rate in rates),
    )
    return (
        Plot(kind="intervals", title="What stays right", x_label=label, bars=bars, threshold=floor),
        Plot(kind="curves", title="What stays right as more bits flip", x_label="log10 of the share of bits that flip",
             y_label=label, curves=(curve,)),
    )  # fmt: skip
