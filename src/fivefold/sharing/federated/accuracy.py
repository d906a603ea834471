"""Check S3.accuracy: how much accuracy the federation costs, against the same trainer on all rows in one place."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from fivefold.contract.finding import Canary, Measure, Result
from fivefold.contract.outcome import Outcome
from fivefold.errors import InputError, UnsupportedError
from fivefold.sharing.federated.declared import declared
from fivefold.sharing.federated.learner import gather, pooled, right, train
from fivefold.stats.judge import judge
from fivefold.stats.paired import tango

if TYPE_CHECKING:
    from fivefold.contract.check import Context
    from fivefold.sharing.federated.declared import Federation
    from fivefold.sharing.federated.learner import Rows

LOSS = "max_accuracy_loss"
_REMEDY = "Train for more rounds, or with `robust: mean` where no client is malicious."


def lost(first: np.ndarray, second: np.ndarray, floor: float, name: str = "", note: str = "") -> Measure:
    """Return by how much fewer rows the second model answers rightly, judged (Tango 1998).

    Args:
        first: (n,) bool, right answers of the model that is compared with.
        second: (n,) bool, right answers to the same rows.
        floor: Most that may be lost.
        name: Of the measure.
        note: For the reader.
    """
    only1, only2, n = int((first & ~second).sum()), int((second & ~first).sum()), len(first)
    low, high = (float(part) for part in tango(only1, only2, n))
    return Measure(
        name=name, value=(only1 - only2) / n, low=low, high=high, threshold=floor, direction="max", unit="share", n=n,
        outcome=judge(low, high, floor, "max"), note=note,
    )  # fmt: skip


def run(context: Context) -> Result:
    """Judge S3.accuracy.

    Threat: training apart costs more accuracy than anybody was told.
    Limit: the model is a softmax model of this product's; the application's own model may lose more or less.

    Raises:
        UnsupportedError: ``federated.undeclared``, ``federated.declared``, ``federated.robust-masked``,
            ``federated.rows``.
    """
    told = declared(context)
    rows = gather(context, told)
    floor = context.thresholds[LOSS]
    central = right(pooled(rows, told), rows.held_x, rows.held_y)
    try:
        apart = right(train(rows, told, context.rng), rows.held_x, rows.held_y)
    except InputError as error:
        raise UnsupportedError(error.code, error.message, remedy=error.remedy) from None
    note = f"{told.clients} clients, {told.rounds} rounds, {told.robust}; rows that nobody trained on."
    whole = lost(central, apart, floor, "accuracy lost against training on pooled rows", note)
    shown = tuple(
        Measure(name="accuracy", value=float(found.mean()), n=len(found), unit="share", where=where)
        for where, found in (("pooled", central), ("federated", apart))
    )
    context.progress(0.6, "planting a loss")
    bird = _canary(rows, told, central, floor, context.rng)
    outcome = whole.outcome or Outcome.INCONCLUSIVE
    return Result(
        outcome=outcome if bird.noticed else Outcome.INCONCLUSIVE,
        reason=(
            f"{apart.mean():.3f} of {len(apart):,} rows are answered rightly by the federated model, "
            f"{central.mean():.3f} by one trained on pooled rows."
            if bird.noticed
            else "A loss that was planted was not noticed at so few rows, so nothing is concluded."
        ),
        measures=(whole, *shown),
        canary=bird,
        limits=("The model is a softmax model of this product's, trained alike in both places.",),
        remedy="" if outcome is Outcome.PASS else _REMEDY,
    )


def _canary(rows: Rows, told: Federation, central: np.ndarray, floor: float, rng: np.random.Generator) -> Canary:
    """A federation most of whose clients learn from changed labels must be noticed; pooled training must not.

    The known-good case is trained again too: on all rows by the pooled trainer, in another order.
    """
    count = round(float(rng.uniform(0.6, 0.9)) * told.clients)
    wrong = np.isin(rows.owner, rng.choice(told.clients, count, replace=False))
    taught = replace(rows, y=np.where(wrong, (rows.y + 1) % rows.classes, rows.y))
    try:
        spoilt = right(train(taught, replace(told, noise=0.0, robust="mean"), rng), rows.held_x, rows.held_y)
    except InputError:
        spoilt = central
    order = rng.permutation(len(rows.y))
    again = right(pooled(replace(rows, x=rows.x[order], y=rows.y[order]), told), rows.held_x, rows.held_y)
    bad = lost(central, spoilt, floor).outcome is Outcome.FAIL
    good = lost(central, again, floor).outcome is Outcome.FAIL
    return Canary(
        kind="clients that learn from changed labels, and pooled rows in another order", planted=1, found=int(bad),
        clean=1, false_alarms=int(good), noticed=bad and not good,
        detail=f"{count} of {told.clients} clients; {central.mean() - spoilt.mean():.2f} of the answers lost.",
    )  # fmt: skip
