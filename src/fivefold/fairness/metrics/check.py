"""F1.metrics: gaps of errors, ranks and scores between groups, with intervals that hold together; small ones shrunk."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from fivefold.contract.finding import Result
from fivefold.contract.outcome import Outcome
from fivefold.errors import UnsupportedError
from fivefold.fairness.gaps.comparisons import flat_codes, offsets
from fivefold.fairness.gaps.groups import MAIN_SHARE, Field, cross
from fivefold.fairness.metrics import canary, show
from fivefold.fairness.metrics.families import (
    LEAST,
    Family,
    Payload,
    factor,
    families,
    outcomes,
    pairs,
)
from fivefold.fairness.rows import cuts, predict, sample, scores_of

if TYPE_CHECKING:
    from fivefold.contract.check import Context

_REPLICATES = {"quick": 10, "standard": 20, "thorough": 40}
_MAX_CROSSED = 6
_MOST_UNKNOWN = 0.1
_MORE = "Give more test rows of the named groups."
_REMEDY = "Look where labels and features of the worse group come from, gather more of its rows, or reweigh them."


def run(context: Context) -> Result:
    """Measure F1.metrics.

    Threat: a model is right, ranks well and gives honest scores on average, and for one group of people does not.
    Limit: declared groups only; labels are taken as true.

    Raises:
        UnsupportedError: ``metrics.protected`` without a protected column, ``metrics.rows`` without rows of known
            target, ``metrics.subject`` without a model.
        SubjectError: The model misbehaved.
    """
    if context.subject is None:
        raise UnsupportedError("metrics.subject", "there is no model to ask.")
    table, without, repeats = sample(context, "metrics")
    context.progress(0.1, "predicting")
    answers = predict(context.subject, table)
    positive = context.settings.positive
    if context.subject.task == "regression":
        spread = float(table.target.std()) or 1.0
        rows = Payload(error=(answers - table.target) / spread)
        classes = np.zeros(len(table), dtype=np.int64)
    elif positive is None:
        rows, classes = Payload(wrong=answers != table.target), (answers != table.target).astype(np.int64)
    else:
        truth = (table.target == positive).astype(np.int64)
        scores = scores_of(context, context.subject, table, positive)
        rows, classes = Payload(answers != table.target, truth, scores), truth
    own = cuts(context, table, classes, "metrics")
    result = _judged(context, own, rows, show.Seen(table.target, answers, positive))
    limits = [repeats.limit] if repeats.once else []
    if without:
        limits.append(f"{without} rows without a known target were left out.")
    if positive is None and rows.error is None:
        limits.append("No favourable class is declared: ranks and scores are not judged.")
    result = msgspec.structs.replace(result, limits=(*result.limits, *limits))
    if result.outcome is Outcome.PASS and without > _MOST_UNKNOWN * len(repeats.keep):
        reason = f"{without} of {len(repeats.keep)} test rows have no known target, so nothing is concluded for all."
        return msgspec.structs.replace(result, outcome=Outcome.INCONCLUSIVE, reason=reason, remedy=_MORE)
    return result


def _judged(context: Context, own: list[Field], rows: Payload, seen: show.Seen) -> Result:
    crossed = [cross(a, b) for a, b in list(combinations([one for one in own if not one.extra], 2))[:_MAX_CROSSED]]
    fields = [*own, *crossed]
    codes, starts = flat_codes(fields), offsets(fields)
    groups = int(starts[-1])
    floors = {key: float(value) for key, value in context.thresholds.items()}
    found = families(codes, rows, groups, floors)
    which = pairs(fields, starts, found)
    limit = factor(found, which, context.rng)
    said = outcomes(found, which, limit)
    context.progress(0.6, "canaries")
    bird = canary.run(codes, rows, floors, (which, limit, groups), context.rng,
                      replicates=_REPLICATES[context.effort])  # fmt: skip
    context.progress(0.9, "intervals")
    small = show.small(fields, rows, floors)
    thin = _thin(own, starts, found, codes.shape[1])
    outcome, reason, remedy = _conclude(said, show.texts(fields, found, which), thin, small, noticed=bird.noticed)
    return Result(
        outcome=outcome, reason=reason,
        measures=(*show.judged(fields, starts, found, which, said), *show.figures(own, rows, seen, context.rng),
                  *small.measures),
        canary=bird, plots=show.plots(own, starts, found), remedy=remedy, limits=_limits(fields),
    )  # fmt: skip


def _conclude(
    said: tuple[Outcome, ...], texts: list[str], thin: list[str], small: show.Small, *, noticed: bool
) -> tuple[Outcome, str, str]:
    named = f"Groups too small to be judged: {'; '.join(thin[:4])}." if thin else ""
    if not said or not noticed:
        reason = "Planted gaps were not told from permuted groups in these data, so nothing is concluded."
        reason = f"{reason} {named}".strip() if said else named or "There are no two groups to compare."
        return Outcome.INCONCLUSIVE, reason, _MORE
    failed = [text for text, one in zip(texts, said, strict=True) if one is Outcome.FAIL]
    if failed:
        more = f" So do {len(failed) - 1} more comparisons." if len(failed) > 1 else ""
        return Outcome.FAIL, f"{failed[0]}.{more}", _REMEDY
    if thin:
        return Outcome.INCONCLUSIVE, named, _MORE
    open_ = [text for text, one in zip(texts, said, strict=True) if one is not Outcome.PASS]
    if open_ or small.beyond:
        reason = f"Shrunk error rates of intersections lie too far apart: {small.beyond}."
        if open_:
            reason = f"{len(open_)} of {len(said)} comparisons are not clear of the floor, for example: {open_[0]}."
        return Outcome.INCONCLUSIVE, reason, _MORE
    return Outcome.PASS, f"All {len(said)} comparisons lie inside the floors with their 95 % bounds.", ""


def _thin(own: list[Field], starts: np.ndarray, found: list[Family], rows: int) -> list[str]:
    """Name the groups of declared fields that are too large to pass over and too small to judge."""
    named = []
    for at, field in enumerate(own):
        if len(field.labels) < 2:
            named.append(f"{field.name} has a single group")
            continue
        before = len(named)
        sizes = np.bincount(field.codes, minlength=len(field.labels))
        for code, label in enumerate(field.labels):
            lacks = [family.name for family in found if not family.enough[int(starts[at]) + code]]
            if lacks and sizes[code] >= MAIN_SHARE * rows:
                named.append(f"{label} ({', '.join(lacks)})")
        enough = [family.enough[int(starts[at]) : int(starts[at + 1])].sum() for family in found]
        if len(named) == before and min(enough, default=0) < 2:
            named.append(f"{field.name} has no two groups that are large enough")
    return named


def _limits(fields: list[Field]) -> tuple[str, ...]:
    said = [f"Groups with fewer than {LEAST} rows behind a figure are not judged on it."]
    pooled = [field.labels[field.pooled] for field in fields if field.pooled >= 0 and not field.crossed]
    if pooled:
        said.append(f"Groups with too few rows were pooled or left unjudged: {', '.join(pooled)}.")
    if any(field.crossed for field in fields):
        said.append("Intersections are shrunk towards the mean and hold up a pass by their shrunk error rates alone.")
    return tuple(said)
