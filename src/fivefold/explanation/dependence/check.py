"""Check E3.dependence: curves of how the answer moves with each column, and whether rows go along with them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from fivefold.errors import UnsupportedError
from fivefold.explanation import asking, players
from fivefold.explanation.dependence import canary, result
from fivefold.explanation.dependence.curves import BINS, Ladder, curve, ladder, steps
from fivefold.explanation.store import Store

if TYPE_CHECKING:
    from fivefold.contract.check import Context
    from fivefold.contract.finding import Result

_FEWEST = 60
_AVERAGED = 100
_EDGE = 0.001


@dataclass(frozen=True)
class Sample:
    """Rows, and their columns cut into bins."""

    store: Store
    ladders: list[Ladder]
    asked: int
    total: int


def run(context: Context) -> Result:
    """Measure how the answer moves with each column, with intervals, and judge what share of rows' steps that tells.

    Threat: a curve of the mean is shown, and rows go every which way; or it is that of rows that do not occur.
    Limit: a curve says how the model answers, not what causes what.

    Args:
        context: Needs a subject that answers for rows put together anew and the data set ``test``; threshold
            ``min_told``.

    Raises:
        UnsupportedError: As :func:`fivefold.explanation.asking.plain_rows`; ``explanation.budget``.
        SubjectError: The model misbehaved.
    """
    with threadpool_limits(limits=1, user_api="blas"):
        return _run(context)


def _run(context: Context) -> Result:
    subject, test = asking.plain_rows(context)
    if test.kind != "table":
        raise UnsupportedError("explanation.inputs", "patches and windows have no order that a curve could follow.")
    asker, rng = asking.Asker(subject), context.rng
    who = players.of(test)
    averaged = result.AVERAGED * _AVERAGED * (BINS + 1)
    allowed = asker.allowance(context.effort)
    rows = min(context.rows, len(test), max(allowed - averaged, allowed // 2) // (2 * len(who) + 1))
    if rows < min(_FEWEST, len(test)):
        most = (allowed // _FEWEST - 1) // 2
        if most < 1:
            raise asking.too_few(f"{allowed} questions are too few to follow the columns.")
        rows = min(_FEWEST, len(test))
        who = players.of(test, most)
    sample = test.take(np.sort(rng.choice(len(test), rows, replace=False)))
    found = len(test)
    del test  # the whole set is large, and the rest needs the sample alone
    bare = replace(sample, others=pd.DataFrame(index=sample.features.index))
    store = Store(bare, len(sample), who, players.codes(sample, who))
    ladders = [ladder(column, gone, rng) for column, gone in zip(store.codes.T, _missing(store).T, strict=True)]
    context.progress(0.05, "asking the model")
    plain = asker(bare)
    scores = subject.task != "regression" and subject.capabilities.scores
    width = plain.shape[1] * (2 if scores else 1)
    moved = steps(lambda cells: _views(asker(store.mixed(cells)), odds=scores), ladders, width, asker.batch,
                  lambda share: context.progress(0.05 + 0.6 * share, "following columns"))  # fmt: skip
    at = 0 if subject.task == "regression" else 1 if len(subject.classes) == 2 else int(plain.mean(axis=0).argmax())
    drawn = [curve(one, each[:, at]) for one, each in zip(ladders, moved, strict=True)]
    views = [[each[:, first : first + plain.shape[1]] for each in moved] for first in range(0, width, plain.shape[1])]
    found_told = [canary.fidelity(ladders, each) for each in views]
    best = int(np.argmax([-1.0 if one.value is None else one.value for one in found_told]))
    context.progress(0.7, "averaging over all rows")
    order = np.argsort([-one.extent for one in drawn], kind="stable")[: result.AVERAGED]
    left = allowed - len(sample) - sum(2 * int((one.low >= 0).sum()) for one in ladders)
    averages = {}
    for column in order.tolist():
        count = min(len(sample), _AVERAGED, left // max(len(order) * len(ladders[column].ends), 1))
        if count >= _FEWEST // 2:
            averages[column] = _average(asker, store, ladders[column], column, at, count, rng)
    context.progress(0.8, "following planted functions")
    proof = canary.prove(store.codes, context.thresholds[result.FLOOR], rng)
    shown = result.Shown(store, tuple(ladders), tuple(drawn), tuple(views[0]), averages, at,
                         found_told[best], best == 1, subject, found)  # fmt: skip
    return result.result(shown, proof, context.thresholds[result.FLOOR])


def _views(answers: np.ndarray, *, odds: bool) -> np.ndarray:
    """Return (m, K) answers; for probabilities (m, 2 K), their log-odds beside them."""
    if not odds:
        return answers
    kept = np.clip(answers, _EDGE, 1 - _EDGE)
    return np.column_stack([answers, np.log(kept / (1 - kept))])


def _missing(store: Store) -> np.ndarray:
    """Return (n, P) bool: the player is a single column, and its cell is missing."""
    gone = store.rows.features.isna().to_numpy()
    of_ = store.players.of
    alone = np.bincount(of_, minlength=len(store.players)) == 1
    made = np.zeros((len(gone), len(store.players)), dtype=bool)
    made[:, of_] = gone & alone[of_]
    return made


def _average(  # noqa: PLR0917  rows, a column of theirs, and who answers
    asker: asking.Asker, store: Store, one: Ladder, column: int, at: int, count: int, rng: np.random.Generator
) -> np.ndarray:
    """Return (B + 1,) partial dependence: the mean answer with each end's cell in rows drawn, less its mean."""
    rows = rng.choice(store.explained, count, replace=False)
    mixed = np.repeat(np.tile(rows, len(one.ends))[:, None], len(store.players), axis=1)
    mixed[:, column] = np.repeat(one.ends, count)
    made = asker(store.mixed(mixed))[:, at].reshape(len(one.ends), count).mean(axis=1)
    return np.asarray(made - made.mean())
