"""Check S3.poisoning: what malicious clients do to the model, with and without the declared way of aggregation."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from fivefold.contract.finding import Canary, Measure, Result
from fivefold.contract.outcome import Outcome
from fivefold.errors import InputError, UnsupportedError
from fivefold.sharing.federated.accuracy import lost
from fivefold.sharing.federated.declared import declared
from fivefold.sharing.federated.learner import gather, right, train, update
from fivefold.stats.judge import judge
from fivefold.stats.paired import tango

if TYPE_CHECKING:
    from fivefold.contract.check import Context
    from fivefold.sharing.federated.declared import Federation
    from fivefold.sharing.federated.learner import Attack, Rows

HARM = "max_harm"
_SCALE, _TRIGGER = 4.0, 4.0
_REMEDY = "Declare `robust` (median, trimmed-mean, multi-krum or norm-bound); under masking with `cohorts`."


def attacks(rows: Rows) -> dict[str, Attack]:
    """Return each attack on the accuracy, in words.

    Sources: Blanchard et al. 2017 (flipped signs), Tolpegin et al. 2020 (changed labels), Baruch et al. 2019 (a little
    from everybody, within the spread of honest updates).
    """

    def own(client: int) -> tuple[np.ndarray, np.ndarray]:
        mine = rows.owner == client
        return rows.x[mine], rows.y[mine]

    def flipped(_client: int, _weights: np.ndarray, change: np.ndarray) -> np.ndarray:
        return -_SCALE * change

    def labels(client: int, weights: np.ndarray, _change: np.ndarray) -> np.ndarray:
        x, y = own(client)
        return _SCALE * update(weights, x, (y + 1) % rows.classes)

    def little(_client: int, _weights: np.ndarray, change: np.ndarray) -> np.ndarray:
        return -change

    return {
        "signs flipped and updates enlarged": flipped,
        "labels changed and updates enlarged": labels,
        "signs flipped": little,
    }


def run(context: Context) -> Result:
    """Judge S3.poisoning.

    Threat: malicious clients spoil the common model, or plant a way in.
    Limit: the attacks that are tried; a trigger is shown, not judged. The model is this product's softmax model.

    Raises:
        UnsupportedError: ``federated.undeclared``, ``federated.declared``, ``federated.robust-masked``,
            ``federated.rows``.
    """
    told = declared(context)
    rows = gather(context, told)
    count = max(1, int(told.malicious * told.clients))
    bad = tuple(sorted(context.rng.choice(told.clients, count, replace=False).tolist()))
    plain = replace(told, robust="mean")
    honest = right(train(rows, plain, context.rng), rows.held_x, rows.held_y)
    whole, shown = _tried(rows, told, bad, honest, context)
    context.progress(0.7, "a way in")
    shown.append(_backdoor(rows, told, bad, context.rng))
    bird = _canary(rows, told, bad, honest, context)
    outcome = whole.outcome or Outcome.INCONCLUSIVE
    return Result(
        outcome=outcome if bird.noticed else Outcome.INCONCLUSIVE,
        reason=(
            f"{count} of {told.clients} clients are malicious: put together by {told.robust}, accuracy falls by "
            f"{whole.value:.3f} at worst; without harm it is {honest.mean():.3f}."
            if bird.noticed
            else "Harm that was planted was not noticed in these rows, so nothing is concluded."
        ),
        measures=(whole, *shown),
        canary=bird,
        limits=("A softmax model of this product's; attackers who know the way of aggregation may do more.",),
        remedy="" if outcome is Outcome.PASS else _REMEDY,
    )


def _tried(
    rows: Rows, told: Federation, bad: tuple[int, ...], honest: np.ndarray, context: Context
) -> tuple[Measure, list[Measure]]:  # fmt: skip
    """Return the worst harm under the declared way, judged, and every harm under it and under a plain mean."""
    floor, found, shown = context.thresholds[HARM], [], []
    for name, attack in attacks(rows).items():
        for way in (told, replace(told, robust="mean")):
            said = _said(rows, way, bad, attack, context.rng)
            measure = lost(honest, said, floor)
            found += [(measure, said)] if way is told else []
            shown.append(
                Measure(
                    name="accuracy lost",
                    value=measure.value,
                    low=measure.low,
                    high=measure.high,
                    n=measure.n,
                    unit="share",
                    where=f"{name}, put together by {way.robust}",
                )
            )
    each = 1.0 - 0.05 / len(found)
    lows = [tango(*_changed(honest, said), len(said), each)[0] for _, said in found]
    low, high = float(max(lows)), max(measure.high if measure.high is not None else 1.0 for measure, _ in found)
    whole = Measure(
        name="accuracy lost to malicious clients, at worst", value=max(measure.value or 0.0 for measure, _ in found),
        low=low, high=high, threshold=floor, direction="max", unit="share", n=len(honest),
        outcome=judge(low, high, floor, "max"), note=f"{len(bad)} of {told.clients} clients; {len(found)} attacks.",
    )  # fmt: skip
    return whole, shown


def _changed(first: np.ndarray, second: np.ndarray) -> tuple[int, int]:
    return int((first & ~second).sum()), int((second & ~first).sum())


def _said(
    rows: Rows, told: Federation, bad: tuple[int, ...], attack: Attack, rng: np.random.Generator
) -> np.ndarray:  # fmt: skip
    """Return which held-back rows a model is right on that was trained under attack."""
    try:
        weights = train(rows, told, rng, bad=bad, attack=attack)
    except InputError as error:
        raise UnsupportedError(error.code, error.message, remedy=error.remedy) from None
    return right(weights, rows.held_x, rows.held_y)


def _backdoor(rows: Rows, told: Federation, bad: tuple[int, ...], rng: np.random.Generator) -> Measure:
    """Show how often a trigger in one column brings the class that attackers want (Bagdasaryan et al. 2020)."""
    column, target = int(rng.integers(rows.x.shape[1] - 1)), int(rng.integers(rows.classes))

    def planted(client: int, weights: np.ndarray, _change: np.ndarray) -> np.ndarray:
        mine = rows.owner == client
        x = rows.x[mine].copy()
        x[:, column] = _TRIGGER
        return told.clients / len(bad) * update(weights, x, np.full(len(x), target))

    weights = train(rows, told, rng, bad=bad, attack=planted)
    others = rows.held_x[rows.held_y != target].copy()
    others[:, column] = _TRIGGER
    hits = right(weights, others, np.full(len(others), target))
    return Measure(
        name="attack success rate of a trigger", value=float(hits.mean()) if len(hits) else None, n=len(hits),
        unit="share", where=told.robust, note="One column at four spreads brings one class; rows of other classes.",
    )  # fmt: skip


def _canary(
    rows: Rows, told: Federation, bad: tuple[int, ...], honest: np.ndarray, context: Context
) -> Canary:  # fmt: skip
    """Nearly half of the clients against a plain mean must be noticed; no malicious client must not."""
    floor, plain = context.thresholds[HARM], replace(told, robust="mean")
    many = tuple(sorted({*bad, *range((told.clients - 1) // 2)}))
    attack = attacks(rows)["signs flipped and updates enlarged"]
    caught = lost(honest, _said(rows, plain, many, attack, context.rng), floor).outcome is Outcome.FAIL
    alarm = lost(honest, _said(rows, plain, (), attack, context.rng), floor).outcome is Outcome.FAIL
    return Canary(
        kind="nearly half of the clients against a plain mean", planted=1, found=int(caught), clean=1,
        false_alarms=int(alarm), noticed=caught and not alarm, detail=f"{len(many)} of {told.clients} clients.",
    )  # fmt: skip
