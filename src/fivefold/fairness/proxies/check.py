"""F1.proxies: whether a protected field acts through other features on people who deserve the same."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from fivefold.contract.finding import Bar, Canary, Measure, Plot, Result
from fivefold.contract.outcome import Outcome
from fivefold.errors import UnsupportedError
from fivefold.fairness.gaps.comparisons import moments
from fivefold.fairness.gaps.groups import MIN_CELL
from fivefold.fairness.metrics.families import Family, Pairs, bounds, factor, outcomes, pairs, scores
from fivefold.fairness.proxies.repair import repaired
from fivefold.fairness.proxies.telling import chances
from fivefold.fairness.rows import cuts, predict, sample
from fivefold.stats.auc import delong

if TYPE_CHECKING:
    from collections.abc import Callable

    from fivefold.contract.check import Context
    from fivefold.contract.subject import Subject, Table
    from fivefold.fairness.gaps.groups import Field

_REPLICATES = {"quick": 5, "standard": 10, "thorough": 20}
_STEPS = 5
_FEATURES = 30
_SHOWN = 8
_BEYOND = 0.15
_STAND_IN = "a stand-in that was planted"
_MORE = "Give more test rows of the named groups."
_REMEDY = (
    "Look at the features named, and at what else they tell; reweigh the training rows or train under constraints: "
    "fivefold model train --fair."
)


@dataclass(frozen=True)
class Asked:
    """What the repaired rows are asked for.

    Attributes:
        worth: Turns (n,) answers into (n,) numbers: 1 for the favourable class, or values in standard deviations.
        strata: (n,) truth, as small whole numbers.
        names: Of each stratum.
        floor: Largest gap.
    """

    worth: Callable[[np.ndarray], np.ndarray]
    strata: np.ndarray
    names: tuple[str, ...]
    floor: float


def run(context: Context) -> Result:
    """Measure F1.proxies.

    Threat: the protected field is no feature and acts through what stands for it.
    Limit: features are repaired one by one, so that what only several together tell is left.

    Raises:
        UnsupportedError: ``proxies.protected``, ``proxies.rows``, ``proxies.subject``; ``proxies.features`` where all
            features are protected; ``proxies.positive`` for several classes without a favourable one.
        SubjectError: The model misbehaved.
    """
    subject = context.subject
    if subject is None:
        raise UnsupportedError("proxies.subject", "there is no model to ask.")
    table, _, _ = sample(context, "proxies")
    fields = [field for field in cuts(context, table, np.zeros(len(table), dtype=np.int64), "proxies")
              if not field.extra]  # fmt: skip
    columns = [str(name) for name in table.features.columns if name not in context.settings.protected]
    if not columns:
        raise UnsupportedError("proxies.features", "every feature is a protected column; F1.individual flips those.")
    context.progress(0.05, "predicting")

    def model(rows: Table) -> np.ndarray:
        return predict(subject, rows)

    base = model(table)
    asked = _asked(context, subject, table, base)
    context.progress(0.2, "repairing features")
    judged = [_path(table, field, columns, asked, model=model, base=base, rng=context.rng) for field in fields]
    context.progress(0.5, "canaries")
    bird = _canary(context, table, fields, base, asked)
    context.progress(0.7, "each feature alone")
    shown, plot = _each(context, table, fields, columns, asked, model=model, base=base)
    outcome, reason = _conclude(judged, fields, asked, bird)
    return Result(
        outcome=outcome, reason=reason,
        measures=(*(m for one in judged for m in one.measures), *_told(context, table, fields, columns), *shown),
        canary=bird, plots=plot, remedy={Outcome.PASS: "", Outcome.FAIL: _REMEDY}.get(outcome, _MORE),
        limits=("Features are repaired one by one: what only several together tell about a group is left.",
                "A path is no proof of injustice; labels are taken as true."),
    )  # fmt: skip


def _asked(context: Context, subject: Subject, table: Table, base: np.ndarray) -> Asked:
    floor = float(context.thresholds["max_proxy_gap"])
    if subject.task == "regression":
        edges = np.unique(np.quantile(table.target, np.arange(1, _STEPS) / _STEPS))
        scale = float(base.std()) or 1.0
        strata = np.searchsorted(edges, table.target, side="right")
        return Asked(lambda answers: answers / scale, strata, ("equal truth",), floor)
    positive = context.settings.positive
    if positive is None and len(subject.classes) > 2:
        raise UnsupportedError(
            "proxies.positive", "no favourable class is declared, and there are more than two.",
            remedy="Declare data.test.positive.",
        )  # fmt: skip
    wanted = 1 if positive is None else positive
    strata = (table.target == wanted).astype(np.int64)
    names = ("those who do not deserve it", "those who deserve it")
    return Asked(lambda answers: (answers == wanted).astype(np.float64), strata, names, floor)


@dataclass(frozen=True)
class Path:
    """What goes through the features of one field: families, pairs, outcomes, measures, sentences."""

    families: list[Family]
    which: Pairs
    said: tuple[Outcome, ...]
    measures: tuple[Measure, ...]
    texts: tuple[str, ...]
    thin: tuple[str, ...]


def _families(shift: np.ndarray, field: Field, asked: Asked) -> list[Family]:
    """Return by how much repair moves the answers of each group, of each stratum that is judged alone."""
    made = []
    alone = [asked.strata == at for at in range(len(asked.names))] if len(asked.names) > 1 else [slice(None)]
    for name, mine in zip(asked.names, alone, strict=True):
        codes = field.codes[mine]
        found = moments(codes[None], shift[mine], len(field.labels)) if len(codes) else None
        if found is None:
            continue
        rows = np.maximum(found.rows, 1)
        # of 0, 1 and -1 with few of them the variance is never taken as nothing: half a row more of each sign
        error = np.sqrt((found.variance * rows + 0.5) / (rows + 1) / rows)
        made.append(Family(name, found.mean, error, found.rows, found.rows >= MIN_CELL, asked.floor))
    return made


def _path(
    table: Table, field: Field, columns: list[str], asked: Asked, *, model: Callable[[Table], np.ndarray],
    base: np.ndarray, rng: np.random.Generator,
) -> Path:  # fmt: skip
    """Ask again with all features repaired for a field; judge what that moves."""
    answers = model(repaired(table, columns, field.codes, asked.strata, rng))
    found = _families(asked.worth(base) - asked.worth(answers), field, asked)
    which = pairs([field], np.array([0, len(field.labels)]), found)
    said = outcomes(found, which, factor(found, which, rng))
    measures, texts = [], []
    for at, (value, low, high) in enumerate(zip(*bounds(found, which), strict=True)):
        family = found[int(which.family[at])]
        where = f"{field.labels[int(which.first[at])]} against {field.labels[int(which.second[at])]}, {family.name}"
        texts.append(
            f"through other features, {where}: {value:.3g} ({low:.3g} to {high:.3g}; allowed: at most {asked.floor:g})"
        )
        measures.append(Measure(
            name="gap through features", value=round(float(value), 6), low=round(float(low), 6),
            high=round(float(high), 6), threshold=asked.floor, direction="max", outcome=said[at], where=where,
            n=int(family.rows[which.first[at]] + family.rows[which.second[at]]),
            unit="share" if len(asked.names) > 1 else "standard deviations",
        ))  # fmt: skip
    thin = [
        f"{label}, {family.name}"
        for family in found
        for at, label in enumerate(field.labels)
        if not family.enough[at] and (field.codes == at).mean() >= 0.05
    ]
    if len(field.labels) < 2:
        thin.append(f"{field.name} has a single group")
    return Path(found, which, said, tuple(measures), tuple(texts), tuple(thin))


def _conclude(judged: list[Path], fields: list[Field], asked: Asked, bird: Canary) -> tuple[Outcome, str]:
    said = [one for path in judged for one in path.said]
    texts = [text for path in judged for text in path.texts]
    thin = [name for path in judged for name in path.thin]
    named = f"Groups too small to be judged: {'; '.join(thin[:4])}." if thin else ""
    if not said or not bird.noticed:
        reason = "A planted stand-in was not noticed in these data, so nothing is concluded." if said else ""
        return Outcome.INCONCLUSIVE, f"{reason} {named}".strip() or "There are no two groups to compare."
    failed = [text for text, one in zip(texts, said, strict=True) if one is Outcome.FAIL]
    if failed:
        return Outcome.FAIL, f"{failed[0][0].upper()}{failed[0][1:]}."
    open_ = [text for text, one in zip(texts, said, strict=True) if one is not Outcome.PASS]
    if thin or open_:
        return Outcome.INCONCLUSIVE, named or f"Not clear of the floor: {open_[0]}."
    return Outcome.PASS, (
        f"In all {len(said)} comparisons over {len(fields)} fields less than {asked.floor:g} goes through features."
    )


def _told(context: Context, table: Table, fields: list[Field], columns: list[str]) -> list[Measure]:
    """Return how well the features give each group away: AUC of that group against the others, on other rows."""
    measures = []
    for field in fields:
        if len(field.labels) < 2:
            continue
        found = chances(table, columns, field.codes, context.rng)
        for at, label in enumerate(field.labels):
            mine = field.codes == at
            if MIN_CELL <= mine.sum() <= len(mine) - MIN_CELL:
                auc, error = delong(found[mine, at], found[~mine, at])
                measures.append(Measure(
                    name="AUC of the group from the features", value=round(auc, 6), low=round(auc - 1.645 * error, 6),
                    high=round(auc + 1.645 * error, 6), n=len(mine), where=label,
                ))  # fmt: skip
                if len(field.labels) == 2:
                    break
    return measures


def _each(
    context: Context, table: Table, fields: list[Field], columns: list[str], asked: Asked, *,
    model: Callable[[Table], np.ndarray], base: np.ndarray,
) -> tuple[list[Measure], tuple[Plot, ...]]:  # fmt: skip
    """Repair each feature alone; at most 30, those that tell the groups apart most."""
    measures: list[Measure] = []
    plots: list[Plot] = []
    for field in fields:
        if len(field.labels) < 2:
            continue
        telling = sorted(columns, key=lambda name: -_tells(pd.Series(table.features[name]), field.codes))[:_FEATURES]
        found: list[tuple[str, float, float, int, str]] = []
        for name in telling:
            answers = model(repaired(table, [name], field.codes, asked.strata, context.rng))
            families = _families(asked.worth(base) - asked.worth(answers), field, asked)
            which = pairs([field], np.array([0, len(field.labels)]), families)
            if not len(which.family):
                continue
            value, low, _ = bounds(families, which)
            at = int(np.argmax(np.abs(value)))
            family = families[int(which.family[at])]
            where = f"{field.labels[int(which.first[at])]} against {field.labels[int(which.second[at])]}"
            found.append((name, float(value[at]), float(value[at] - low[at]), int(family.rows.sum()), where))
        found.sort(key=lambda one: -abs(one[1]))
        measures += [
            Measure(name=f"gap through {name} alone", value=round(value, 6), low=round(value - half, 6),
                    high=round(value + half, 6), n=n, where=where)
            for name, value, half, n, where in found[:_SHOWN]
        ]  # fmt: skip
        bars = tuple(
            Bar(label=name, value=value, low=value - half, high=value + half, n=n)
            for name, value, half, n, _ in found[:_SHOWN]
        )
        if bars and len(plots) < 4:
            plots.append(Plot(kind="intervals", title=f"by which features {field.name} acts", bars=bars,
                              x_label="gap that goes through this feature alone", threshold=asked.floor))  # fmt: skip
    return measures, tuple(plots)


def _tells(column: pd.Series, codes: np.ndarray) -> float:
    """Return the share of the variance of a column's ranks (or of its commonest value) that lies between groups."""
    if pd.api.types.is_numeric_dtype(column):
        rank = column.rank(na_option="bottom").to_numpy(dtype=np.float64)
        total = float(rank.var())
        found = moments(codes[None], rank, int(codes.max()) + 1)
        between = float((found.rows * (found.mean - rank.mean()) ** 2).sum() / len(rank))
        return between / total if total > 0 else 0.0
    table = pd.crosstab(column.astype(str), codes).to_numpy(dtype=np.float64)
    expected = table.sum(axis=1, keepdims=True) * table.sum(axis=0, keepdims=True) / max(table.sum(), 1.0)
    loose = float(((table - expected) ** 2 / np.maximum(expected, 1e-9)).sum() / max(table.sum(), 1.0))
    return loose / max(min(table.shape) - 1, 1)


def _canary(context: Context, table: Table, fields: list[Field], base: np.ndarray, asked: Asked) -> Canary:
    """Add a stand-in of permuted groups to the rows; the bad model answers some people by it, the good one none."""
    count, rng = _REPLICATES[context.effort], context.rng
    usable = [field for field in fields if len(field.labels) > 1]
    planted = hits = alarms = 0
    place = pd.Series(np.arange(len(table)), index=table.rows)
    for copy in range(2 * count if usable else 0):
        field = usable[int(rng.integers(len(usable)))]
        dealt = type(field)(field.name, rng.permutation(field.codes), field.labels)
        sizes = np.bincount(dealt.codes, minlength=len(dealt.labels))
        large = np.flatnonzero(sizes >= min(2 * MIN_CELL, sizes.max()))
        mine = dealt.codes == int(large[rng.integers(len(large))])
        stand_in = mine + 0.2 * rng.standard_normal(len(mine))
        rows = table.with_features(table.features.assign(**{_STAND_IN: stand_in}))
        other = _turned(base, asked, int(mine.sum()), rng)
        bad = copy < count

        def model(given: Table, other: np.ndarray = other, bad: bool = bad) -> np.ndarray:
            at = place.loc[given.rows].to_numpy()
            met = given.features[_STAND_IN].to_numpy() > 0.5
            return np.asarray(np.where(met & bad, other[at], base[at]))

        found = _families(
            asked.worth(model(rows)) - asked.worth(model(repaired(rows, [_STAND_IN], dealt.codes, asked.strata, rng))),
            dealt, asked,
        )  # fmt: skip
        which = pairs([dealt], np.array([0, len(dealt.labels)]), found)
        seen = bool(len(which.family) and (scores(found, which) > factor(found, which, rng)).any())
        planted += bad
        hits, alarms = hits + (seen and bad), alarms + (seen and not bad)
    return Canary(
        kind="a stand-in for a group", planted=planted, found=hits, clean=planted, false_alarms=alarms,
        noticed=planted > 0 and hits >= 0.8 * planted and alarms <= 0.1 * planted,
        detail="Group labels were permuted and a feature that stands for one of them was added; the bad copies of the "
        "model answer some of its people otherwise, the good ones do not look at it.",
    )  # fmt: skip


def _turned(base: np.ndarray, asked: Asked, members: int, rng: np.random.Generator) -> np.ndarray:
    """Return (n,) answers to people whom the stand-in marks: a gap of 0.15 beyond the floor, or what should be seen."""
    size = asked.floor + max(_BEYOND, 5.0 * float(np.sqrt(0.5 / max(members, 1))))
    if not np.issubdtype(base.dtype, np.integer):
        return np.asarray(base - (size + 2.0 / np.sqrt(max(members, 1))) * (float(base.std()) or 1.0))
    good = asked.worth(base)
    rates = [float(good[asked.strata == at].mean()) for at in range(len(asked.names)) if (asked.strata == at).any()]
    away = max(rates) >= 1 - min(rates)  # turn away where most are taken, else take where most are turned away
    most = max(rates) if away else 1 - min(rates)
    hit = rng.random(len(base)) < size / max(most, 1e-9)
    donors = np.flatnonzero(good == (0.0 if away else 1.0))
    if not len(donors):
        return base
    return np.asarray(np.where(hit & (good == (1.0 if away else 0.0)), base[donors[0]], base))
