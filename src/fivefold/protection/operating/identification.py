"""P3.identification: what a threshold that does well on pairs does in a search of a gallery."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from fivefold.contract.finding import Canary, Curve, Measure, Plot, Result
from fivefold.contract.outcome import Outcome
from fivefold.errors import UnsupportedError
from fivefold.protection.accuracy.sample import stratified
from fivefold.protection.operating import search
from fivefold.protection.operating.halves import halve
from fivefold.protection.operating.scores import Scores, of
from fivefold.stats.judge import judge

if TYPE_CHECKING:
    from fivefold.contract.check import Context
    from fivefold.protection.operating.point import Rate
    from fivefold.protection.operating.search import Searches

FLOOR = "max_fpir"
_NAME = "false-positive identification rate"
_MANY = 12
_WOLVES = 0.5  # false-match rate of the few probes that carry a planted rate


def run(context: Context) -> Result:
    """Measure P3.identification.

    Threat: a threshold set on pairs is used to search a gallery, and innocent people are found in it.
    Limit: people like those of the test pairs.

    Args:
        context: Needs a subject and pairs as ``test``; threshold ``max_fpir``; options as in the pack.

    Raises:
        InputError: ``operating.column``.
        UnsupportedError: ``identification.gallery`` without a gallery size; ``operating.rows``, ``operating.class``.
        SubjectError: The model misbehaved.
    """
    gallery = context.options.get("gallery")
    if not isinstance(gallery, int):
        raise UnsupportedError(
            "identification.gallery",
            "it is not declared how many people a search goes through.",
            remedy="Declare it: `checks: {P3.identification: {gallery: 25000}}`; for one-to-one use 1.",
        )
    table = stratified(context.tables("test"), context.rows, context.rng)
    if not len(table):
        raise UnsupportedError("operating.rows", "no test row has a known target.")
    context.progress(0.1, "asking for decisions")
    scores = of(context, table, labels=True)
    decided = scores.decided if scores.decided is not None else np.zeros(len(scores.value), dtype=bool)
    found = search.searches(scores, gallery, context.rng)
    floor = float(context.thresholds[FLOOR])
    rate = search.rate(decided, found, gallery)
    context.progress(0.5, "planting canaries")
    trial = _trial(found, gallery, floor, len(scores.value), context.rng)
    outcome = judge(rate.low, rate.high, floor, "max")
    if not scores.declared or not trial.noticed:
        outcome = Outcome.INCONCLUSIVE
    kept, advice = _promise(scores, gallery, floor, context.rng)
    judged = Measure(
        name=_NAME, value=rate.value, low=rate.low, high=rate.high, threshold=floor, direction="max", outcome=outcome,
        unit="share", n=rate.n, where="", note=f"Gallery of {gallery:,}; searches of {found.length:,} were seen.",
    )  # fmt: skip
    return Result(
        outcome=outcome,
        reason=_reason(rate, found, gallery, floor, outcome),
        measures=(judged, *_pairs(scores), *kept),
        canary=trial,
        plots=(_growth(decided, found, gallery),),
        limits=(*scores.notes, *_limits(scores)),
        remedy="" if outcome is Outcome.PASS else advice,
    )


def _pairs(scores: Scores) -> list[Measure]:
    """Return the rates of single pairs as decided now."""
    used = scores.in_use()
    if used is None:
        return []
    rates = {"false-match rate of a pair": used.false_match, "false-non-match rate of a pair": used.false_non_match}
    return [_shown(name, rate, "as decided now") for name, rate in rates.items()]


def _shown(name: str, rate: Rate, where: str, note: str = "") -> Measure:
    return Measure(
        name=name, value=rate.value, low=rate.low, high=rate.high, unit="share", n=rate.n, where=where, note=note
    )


def _promise(scores: Scores, gallery: int, floor: float, rng: np.random.Generator) -> tuple[list[Measure], str]:
    """Choose a threshold on one half that keeps the floor, and state it on the other."""
    chosen, other = halve(scores, rng)
    first, second = (search.searches(half, gallery, rng) for half in (chosen, other))
    edge = search.threshold_for(search.largest(chosen.value, first), first.length, gallery, floor)
    needed = int(np.ceil(2 * 3.0 * gallery / floor))
    if edge is None or len(np.unique(scores.value)) < 3:
        return [], (
            f"Take nobody by this threshold. About {needed:,} comparisons of people who are not the same, from many "
            "probes with `probe` named, are needed to choose one for this gallery."
        )
    stated, matched = other.stated(edge), other.value >= edge
    where = f"threshold {scores.sign * edge:.6g}, chosen on other rows"
    made = [
        _shown(_NAME, search.rate(matched, second, gallery), where),
        _shown("false-non-match rate of a pair", stated.false_non_match, where),
    ]
    return made, (
        f"Decide at {scores.sign * edge:.6g} or refuse: there {made[1].value:.1%} of true pairs are missed; "
        "hand what is refused to a person (C3)."
    )


def _trial(found: Searches, gallery: int, floor: float, rows: int, rng: np.random.Generator) -> Canary:
    """Plant false matches evenly, or on a few probes, at rates above the floor (must not pass) and below (not fail)."""
    noticed = alarms = 0
    rates = np.concatenate([rng.uniform(2.0, 5.0, _MANY) * floor, rng.uniform(0.0, 0.25, _MANY) * floor])
    rates = np.minimum(rates, 0.5 + 0.5 * floor)
    for at, target in enumerate(rates):
        evenly = bool(rng.random() < 0.5)
        matched = np.zeros(rows, dtype=bool)
        p, m = found.rows.shape
        each = 1 - (1 - target) ** (1 / gallery)
        chance = np.full(p, each) if evenly else np.where(rng.random(p) < target, max(_WOLVES, each), 0.0)
        matched[found.rows[rng.random((p, m)) < chance[:, None]]] = True
        rate = search.rate(matched, found, gallery)
        outcome = judge(rate.low, rate.high, floor, "max")
        noticed += at < _MANY and outcome is not Outcome.PASS
        alarms += at >= _MANY and outcome is Outcome.FAIL
    return Canary(
        kind="false matches planted among pairs of different people",
        planted=_MANY,
        found=noticed,
        clean=_MANY,
        false_alarms=alarms,
        noticed=noticed >= 0.75 * _MANY and alarms <= 0.125 * _MANY,
        detail=(
            f"Rates in a gallery of {gallery:,} from {rates[:_MANY].min():.1%} to {rates[:_MANY].max():.1%}, over all "
            f"probes or on a few. Known-good: at most a quarter of the floor."
        ),
    )


def _growth(decided: np.ndarray, found: Searches, gallery: int) -> Plot:
    """Return the rate against the size of the gallery."""
    sizes = np.unique(np.geomspace(1, max(gallery, 10) * 10, 60).astype(int))
    rates = []
    for size in sizes:
        shorter = replace(found, rows=found.rows[:, : min(found.length, size)], reference=None)
        rates.append(search.rate(decided, shorter, int(size)))
    lines = {
        "if people are alike": [max(one.value, 1e-6) for one in rates],
        "upper bound": [max(one.high, 1e-6) for one in rates],
        "lower bound": [max(one.low, 1e-6) for one in rates],
    }
    x = tuple(float(size) for size in sizes)
    return Plot(
        kind="curves",
        title="People wrongly found against the size of the gallery",
        x_label="people in the gallery",
        y_label=_NAME,
        curves=tuple(Curve(name=name, x=x, y=tuple(values)) for name, values in lines.items()),
        log=True,
    )


def _reason(rate: Rate, found: Searches, gallery: int, floor: float, outcome: Outcome) -> str:
    words = {Outcome.PASS: "is clear of", Outcome.FAIL: "breaks", Outcome.INCONCLUSIVE: "is not clear of"}
    text = (
        f"Of people who are not in a gallery of {gallery:,}, {rate.value:.1%} are matched to somebody who is "
        f"({rate.low:.1%} to {rate.high:.1%}), which {words[outcome]} {floor:.1%}."
    )
    if outcome is Outcome.INCONCLUSIVE and found.length == 1:
        text += " Which rows belong to one person is not named (`probe`), so no search was seen whole."
    return text


def _limits(scores: Scores) -> list[str]:
    texts = [
        "The figure holds for people like those compared; relatives, look-alikes and other cameras are not in it.",
        "Bounds beyond the searches seen hold if the gallery's people are drawn as those compared were.",
    ]
    if len(scores.groups) < 2:
        texts.append("If the same people stand behind many rows, name them (`reference`): else bounds are too narrow.")
    return texts
