"""Check D2.leakage: a column, or two together, that give the answer away; test rows that stand in the training data."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from fivefold.contract.finding import Bar, Canary, Measure, Plot, Result
from fivefold.contract.outcome import Outcome
from fivefold.errors import UnsupportedError
from fivefold.governance.quality import reading, shared, telling, views
from fivefold.governance.quality.judging import named, worst
from fivefold.stats.judge import judge

if TYPE_CHECKING:
    from fivefold.contract.check import Context
    from fivefold.contract.subject import Table

AUC, SHARED = "max_auc", "max_shared"
_FEWEST = 50
_HUGE = 1e100
_SHOWN = 12
_PAIR_COLUMNS = 300
_PAIR_ROWS = 4000
_MOST_PAIRED = 8
_REMEDY = (
    "Take the columns named out of the features (`drop:`) unless they are known before the answer is; part the data "
    "again so that no row, person or moment stands on both sides."
)
_MORE = "Bring more rows with a known answer, of every class; or assess with more effort."


@dataclass(frozen=True)
class Sample:
    """Rows with a known answer.

    Attributes:
        table: n rows.
        asked: Their answers as questions.
        fold: (n,) 0 to 4.
    """

    table: Table
    asked: telling.Questions
    fold: np.ndarray

    @property
    def omitted(self) -> tuple[str, ...]:
        """What to say of more than two classes, where no question is about some."""
        classes, asked = len(np.unique(self.table.target)), self.asked.yes.shape[1]
        if self.asked.ordered or classes in (2, asked):
            return ()
        return (f"The {classes - asked} rarest of {classes} classes were not asked about.",)


@dataclass(frozen=True)
class Told:
    """What the best view of a column tells."""

    column: str
    view: str
    figure: telling.Figure

    @property
    def note(self) -> str:
        """Which view, for the reader."""
        return f"By {self.view}." if self.view else ""


def run(context: Context) -> Result:
    """Look for the answer among the inputs, and for test rows among the training rows.

    Threat: a column filled after the fact, or copied rows, make a model look better than it will ever be in use.
    Limit: leaks that take three or more columns in another way than a sum are not found.

    Args:
        context: Data sets ``train`` and ``test``; thresholds ``max_auc`` and ``max_shared``.

    Raises:
        UnsupportedError: ``quality.target`` without answers of two kinds; see
            :func:`fivefold.governance.quality.reading.each`.
    """
    samples: list[Sample] = []
    omitted: list[tuple[str, ...]] = []

    def look(table: Table) -> list[np.ndarray]:
        if not samples:
            samples.append(_sample(table, context))
            omitted.extend(shared.omissions(table, context.rng))
        return shared.codes(table, omitted)

    coded = reading.each(context, look)
    sample = samples[0]
    told = singles(sample, context)
    context.progress(0.5, "two columns together")
    together = joined(sample, told, context.thresholds[AUC])
    context.progress(0.7, "rows in both sets")
    proof = _prove(sample, context)
    measures = [_measure(one, len(sample.table), context.thresholds[AUC]) for one in _worth(told, context)]
    if together is not None:
        measures.insert(0, together)
    rows = shared.measures(coded[0], coded[1], context.thresholds[shared.KEY]) if len(coded) == 2 else []
    outcome = worst([*measures, *rows]) if proof.noticed else Outcome.INCONCLUSIVE
    return Result(
        outcome=outcome,
        reason=_reason(outcome, proof, (*measures, *rows), told),
        measures=(*measures, *rows),
        canary=proof,
        plots=(_picture(told, context.thresholds[AUC]),) if told else (),
        limits=(
            "Leaks by three columns or more are found as sums only, by two columns among few classes only.",
            f"Columns were looked at in {len(sample.table)} rows.",
            *sample.omitted,
        ),
        remedy=_REMEDY if outcome is Outcome.FAIL else "" if outcome is Outcome.PASS else _MORE,
    )


def _sample(table: Table, context: Context) -> Sample:
    known = np.flatnonzero(reading.known_target(table))
    if len(known) < _FEWEST:
        raise UnsupportedError(
            "quality.target", f"data.{table.name} has {len(known)} rows with a known answer; {_FEWEST} are needed."
        )
    chosen = np.sort(context.rng.choice(known, min(len(known), context.rows), replace=False))
    part = table.take(chosen)
    asked = telling.questions(part.target)
    if asked is None:
        raise UnsupportedError("quality.target", "nearly all answers are the same, so none can leak.")
    order = context.rng.permutation(len(part))
    return Sample(part, asked, (order % 5).astype(np.int64))


def singles(sample: Sample, context: Context | None = None) -> list[Told]:
    """Return what each feature tells by its best view, best first; one-hot columns are also read together."""
    best: dict[str, tuple[float, str, np.ndarray]] = {}
    names = [str(name) for name in sample.table.features.columns]
    for at, name in enumerate(names):
        for _, (view, values, ordered) in views.of(name, sample.table.features[name]):
            _keep(best, name, view, telling.single(values, ordered, sample.asked, sample.fold), sample)
        if context is not None:
            context.progress(0.5 * at / len(names), "columns one by one")
    flags = views.flags(sample.table)
    if sample.asked.yes.shape[1] > 1 and len(flags) > 1:
        coded = sample.table.features[flags].to_numpy(dtype=np.float64)
        scores = np.column_stack([_best_flag(coded, yes) for yes in sample.asked.yes.T])
        _keep(best, " + ".join(flags[:3]) + (" ..." if len(flags) > 3 else ""), "them together", scores, sample)
    made = [Told(name, view, telling.figure(scores, sample.asked)) for name, (_, view, scores) in best.items()]
    return sorted(made, key=lambda one: (-one.figure.value, one.column))


def _keep(
    best: dict[str, tuple[float, str, np.ndarray]], name: str, view: str, scores: np.ndarray, sample: Sample
) -> None:
    area = float(telling.areas(scores, sample.asked.yes).mean())
    if name not in best or area > best[name][0]:
        best[name] = (area, view, scores)


def _best_flag(coded: np.ndarray, yes: np.ndarray) -> np.ndarray:
    area = telling.areas(coded, np.repeat(yes[:, None], coded.shape[1], axis=1))
    at = int(np.abs(area - 0.5).argmax())
    return np.asarray(coded[:, at] if area[at] >= 0.5 else -coded[:, at])


def joined(sample: Sample, told: list[Told], floor: float) -> Measure | None:
    """Return the finding that two or three columns decide the answer, none of which does alone; None if none do."""
    alone = {one.column for one in told if one.figure.value > floor}
    names = [str(name) for name in sample.table.features.columns if str(name) not in alone][:_PAIR_COLUMNS]
    if len(names) < 2:
        return None
    some = np.arange(min(len(sample.table), _PAIR_ROWS))
    part = Sample(
        sample.table.take(some), telling.Questions(sample.asked.yes[some], sample.asked.ordered), sample.fold[some]
    )
    found = _by_codes(part, names) or _by_sum(part, names)
    if not found:
        return None
    return Measure(
        name="answers that columns decide together", value=1.0, threshold=floor, direction="max", outcome=Outcome.FAIL,
        unit="share", n=int((part.fold < 2).sum()), where=" with ".join(found),
        note="In rows that were held back; none of them decides it alone.",
    )  # fmt: skip


def _by_codes(part: Sample, names: list[str]) -> list[str]:
    target = part.table.target
    if target.dtype.kind != "i":
        return []
    target = np.unique(target, return_inverse=True)[1]
    usual = np.bincount(target[part.fold < 2]).max()
    held = int((part.fold < 2).sum())
    if held - usual < 10 or target.max() > _MOST_PAIRED:
        return []
    coded = np.column_stack([_code(part.table.features[name]) for name in names])
    found = telling.pairs(coded, target, part.fold, most=int(telling.WRONG * held))
    return [] if found is None else [names[at] for at in found]


def _code(column: pd.Series) -> np.ndarray:
    """Return (n,) codes below 16: values where they are few, else bands; the rarest texts share one."""
    if reading.is_text(column):
        codes = pd.factorize(column.astype(object), use_na_sentinel=True)[0]
        order = np.argsort(-np.bincount(codes + 1), kind="stable")
        rank = np.empty(len(order), dtype=np.int64)
        rank[order] = np.arange(len(order))
        return np.asarray(np.minimum(rank[codes + 1], 15))
    values = next(values for _, (view, values, _) in views.of("", column) if not view)
    return np.asarray(np.minimum(telling.codes_of(values, 14), 15))


def _by_sum(part: Sample, names: list[str]) -> list[str]:
    if not part.asked.ordered and part.asked.yes.shape[1] > 1:
        return []
    made, kept = [], []
    for name in names:
        column = part.table.features[name]
        if reading.is_text(column):
            continue
        values = next(values for _, (view, values, _) in views.of("", column) if not view)
        there = np.isfinite(values) & (np.abs(values) < _HUGE)
        if there.sum() < _FEWEST or not values[there].std() > 0:
            continue
        made.append(np.where(there, (values - values[there].mean()) / values[there].std(), 0.0))
        kept.append(name)
    if len(kept) < 2:
        return []
    target = part.asked.yes[:, 0] if not part.asked.ordered else part.table.target
    few, decides = telling.linear(np.column_stack(made), part.asked, np.asarray(target), part.fold)
    return [kept[at] for at in few] if decides and (part.fold >= 2).sum() > 10 * len(few) else []


def _worth(told: list[Told], context: Context) -> list[Told]:
    """Return all columns above the floor, or the best one."""
    over = [one for one in told if one.figure.high > context.thresholds[AUC]]
    return (over or told[:1])[:_SHOWN]


def _measure(one: Told, n: int, floor: float) -> Measure:
    return Measure(
        name="AUC with which one column tells the answer",
        value=one.figure.value,
        low=one.figure.low,
        high=one.figure.high,
        threshold=floor,
        direction="max",
        outcome=judge(one.figure.low, one.figure.high, floor, "max"),
        n=n,
        where=one.column,
        note=one.note,
    )


def _reason(outcome: Outcome, proof: Canary, measures: tuple[Measure, ...], told: list[Told]) -> str:
    if not proof.noticed:
        return "A planted leak was not noticed, so nothing is concluded."
    if outcome is Outcome.FAIL:
        return f"The answer, or the test, leaks: {named(measures)}."
    best = f"; {told[0].column} tells most, with AUC {told[0].figure.value:.3f}" if told else ""
    if outcome is Outcome.PASS:
        return f"None of {len(told)} columns gives the answer away{best}."
    return f"These rows are too few to tell whether a column gives the answer away{best}."


def _picture(told: list[Told], floor: float) -> Plot:
    bars = tuple(
        Bar(label=one.column, value=one.figure.value, low=one.figure.low, high=one.figure.high) for one in told[:_SHOWN]
    )
    return Plot(
        kind="intervals", title="How well each column alone tells the answer", x_label="AUC", bars=bars, threshold=floor
    )


def _prove(sample: Sample, context: Context) -> Canary:
    """Plant the answer in disguise among copies of the user's rows; a column that tells it with AUC 0.9 is honest."""
    rng, floor, n = context.rng, context.thresholds[AUC], len(sample.table)
    target = sample.table.target.astype(np.float64)
    spread = float(target.std()) or 1.0
    codes = np.unique(sample.table.target, return_inverse=True)[1]
    names = np.array([f"{value:06x}" for value in rng.permutation(1 << 20)[: int(codes.max()) + 1]], dtype=object)
    mask = rng.normal(size=n) * spread if sample.asked.ordered else rng.integers(0, int(codes.max()) + 1, n)
    leaks: list[dict[str, object]] = [
        {"a": -3.7 * (target + 1e-4 * spread * rng.normal(size=n)) + 11},
        {"a": np.exp(target / spread)} if sample.asked.ordered else {"a": names[codes]},
    ]
    if sample.asked.ordered or codes.max() <= _MOST_PAIRED:
        other = target - mask if sample.asked.ordered else (codes - mask) % (int(codes.max()) + 1)
        leaks.append({"a": mask, "b": other})
    found = alarms = 0
    for leak in leaks:
        found += _flags(_with(sample, leak), floor)
    honest = 0
    for _ in range(3):
        noise = _noise(sample.asked) * rng.normal(size=n)
        signal = target / spread if sample.asked.ordered else _shuffled(codes, rng).astype(np.float64)
        honest += 1
        alarms += _flags(_with(sample, {"a": signal + noise, "b": rng.normal(size=n)}), floor)
    return Canary(
        kind="the answer in disguise",
        planted=len(leaks),
        found=found,
        clean=honest,
        false_alarms=alarms,
        noticed=found == len(leaks) and alarms == 0,
        detail="Scaled with noise, under other names, and parted over two columns that say nothing alone; and honest "
        "columns that tell much of the answer.",
    )


def _noise(asked: telling.Questions) -> float:
    return 1.0 if asked.ordered else 0.9


def _shuffled(codes: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return np.asarray(rng.permutation(int(codes.max()) + 1)[codes])


def _with(sample: Sample, columns: dict[str, object]) -> Sample:
    frame = pd.DataFrame(columns)
    return Sample(replace(sample.table, features=frame), sample.asked, sample.fold)


def _flags(sample: Sample, floor: float) -> bool:
    told = singles(sample)
    if any(judge(one.figure.low, one.figure.high, floor, "max") is Outcome.FAIL for one in told):
        return True
    return joined(sample, told, floor) is not None
