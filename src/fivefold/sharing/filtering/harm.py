"""Harm: what bad rows cost the application's own model, and what is won back without them, by training it again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from fivefold.contract.finding import Bar, Measure, Plot
from fivefold.errors import SubjectError, UnsupportedError
from fivefold.sharing.filtering.known import known
from fivefold.stats.mean import skew_t

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fivefold.contract.check import Context
    from fivefold.contract.subject import Subject, Table

_TIMES = {"quick": 1, "standard": 1, "thorough": 3}
_FEWEST = 30


@dataclass(frozen=True)
class Harm:
    """What retraining showed; empty but for ``limits`` where nothing could be trained.

    Attributes:
        measures: Score after each training, and what was lost and won back.
        plots: The scores.
        limits: Why nothing was measured, or how much was.
    """

    measures: tuple[Measure, ...] = ()
    plots: tuple[Plot, ...] = ()
    limits: tuple[str, ...] = ()


def harm(context: Context, as_is: Table, planted: Table, kept: np.ndarray, what: str) -> Harm:
    """Train the application's model on rows as they are, with planted ones, and without those that were flagged.

    Args:
        context: With a subject that retrains, and the data set ``test``; else nothing is measured.
        as_is: n training rows.
        planted: The same rows with planted defects.
        kept: (n,) bool, rows of ``planted`` that the filter leaves.
        what: What was planted, in the plural.
    """
    subject = context.subject
    if subject is None or not subject.capabilities.retrains:
        return Harm(limits=("What bad rows cost the model was not measured: no training is declared that works.",))
    try:
        test = known(context.tables("test"))
        if len(test) < _FEWEST:
            return Harm(limits=(f"What bad rows cost the model was not measured: under {_FEWEST} test rows.",))
        if len(test) > context.rows:
            test = test.take(np.sort(context.rng.choice(len(test), context.rows, replace=False)))
        seeds = [int(seed) for seed in context.rng.integers(2**31, size=_TIMES[context.effort])]
        names = ("as they are", f"with planted {what}", f"with planted {what}, flagged rows left out")
        tables = (as_is, planted, planted.take(kept))
        scores = {}
        for at, (name, table) in enumerate(zip(names, tables, strict=True)):
            context.progress(0.6 + 0.12 * at, f"training on rows {name}")
            scores[name] = np.mean([_score(subject.retrain(table, seed), test) for seed in seeds], axis=0)
    except KeyError:
        return Harm(limits=("What bad rows cost the model was not measured: no data set `test` is declared.",))
    except (SubjectError, UnsupportedError) as error:
        return Harm(limits=(f"What bad rows cost the model was not measured: {error.message}",))
    return _told(scores, regression=not subject.classes, what=what, rows=len(as_is), times=len(seeds))


def _score(model: Subject, test: Table) -> np.ndarray:
    """Return (n,) 1 where the answer is right, or the absolute error in spreads of the target."""
    answers = model.predict(test)
    if model.classes:
        return np.asarray(answers == test.target, dtype=np.float64)
    return np.asarray(np.abs(answers - test.target) / (float(test.target.std()) or 1.0))


def _told(scores: Mapping[str, np.ndarray], *, regression: bool, what: str, rows: int, times: int) -> Harm:
    score, unit = ("mean absolute error", "spreads of the target") if regression else ("accuracy", "share")
    one, bad, left = scores.values()
    sign = -1.0 if regression else 1.0

    def measure(name: str, values: np.ndarray, where: str = "") -> Measure:
        low, high = skew_t(values)
        return Measure(name=name, value=float(values.mean()), low=low, high=high, unit=unit, n=len(values), where=where)

    each = [measure(f"{score} on test rows, trained on rows", values, name) for name, values in scores.items()]
    lost = measure(f"lost by planted {what}", sign * (one - bad))
    won = measure("won back by leaving the flagged rows out", sign * (left - bad))
    bars = tuple(
        Bar(label=item.where, value=item.value or 0.0, low=item.low, high=item.high, n=item.n) for item in each
    )
    title = "Your own model, trained again"
    plot = Plot(kind="intervals", title=title, x_label=f"{score} on test rows", bars=bars)
    said = f"What bad rows cost was measured with {times} training(s) each on {rows:,} rows."
    return Harm((*each, lost, won), (plot,), (said,))
