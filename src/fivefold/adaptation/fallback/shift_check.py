"""C3.shift: whether a shift that breaks the guarantee is noticed from the rows alone, and calm ones raise no alarm."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from fivefold.adaptation.fallback.setting import Setting, gather
from fivefold.adaptation.fallback.shift import Shift
from fivefold.adaptation.figures import share
from fivefold.contract.finding import Canary, Curve, Measure, Plot, Result
from fivefold.contract.outcome import Outcome, worst
from fivefold.errors import UnsupportedError

if TYPE_CHECKING:
    from fivefold.contract.check import Context

_STREAMS = {"quick": 60, "standard": 60, "thorough": 200}
_TRIALS = 20
_LENGTH = 1000
_FEWEST_ERRORS = 10


class _Run(NamedTuple):
    """(streams,) whether each alarmed, and rows until then; those that did not have the whole length."""

    alarmed: np.ndarray
    delays: np.ndarray

    @property
    def hits(self) -> int:
        """Streams that alarmed."""
        return int(self.alarmed.sum())


def run(context: Context) -> Result:
    """Measure C3.shift.

    Threat: rows begin to come from elsewhere, the model is wrong more often than promised, and it goes on answering.
    Limit: a shift that leaves the certainties as they were is not seen; the streams are drawn from the test rows.

    Args:
        context: As for C3.risk; thresholds ``min_noticed``, ``max_false_alarms``.

    Raises:
        UnsupportedError: ``fallback.errors`` if too few test rows are answered wrongly to make a shift of; as
            :func:`fivefold.adaptation.fallback.setting.gather`.
        SubjectError: The model misbehaved.
    """
    setting = gather(context)
    ladder, test = setting.ladder(), setting.test
    before, now = (ladder.certainty(part.rows, part.model) for part in (setting.calibration, test))
    wrong = ladder.wrong(test.model[0], test.truth)
    if wrong.sum() < _FEWEST_ERRORS:
        raise UnsupportedError(
            "fallback.errors", f"only {int(wrong.sum())} test rows are answered wrongly: no shift can be made of them.",
            remedy=f"Give more test rows; at least {_FEWEST_ERRORS} wrong answers are needed.",
        )  # fmt: skip
    rate, streams = ladder.terms.false_alarms, _STREAMS.get(context.effort, 60)
    context.progress(0.3, "streams of rows as they are")
    calm = _watched(before, [now], rate, streams, context.rng)
    context.progress(0.6, "streams in which every other row is one that the model gets wrong")
    shifted = _watched(before, [now, now[wrong]], rate, streams, context.rng)
    delay = float(np.median(shifted.delays))
    measures = (
        share(
            "shifted streams that are noticed",
            shifted.alarmed,
            floor=context.thresholds["min_noticed"],
            direction="min",
        ),
        share(
            "calm streams that alarm",
            calm.alarmed,
            floor=context.thresholds["max_false_alarms"],
            direction="max",
        ),
        Measure(name="median rows until a shift is noticed", value=delay, unit="rows", n=streams),
    )
    outcome = worst([one.outcome for one in measures if one.outcome is not None])
    canary = _canary(before, now, wrong, context.rng, rate)
    if not canary.noticed or (setting.options is None and outcome is Outcome.PASS):
        outcome = Outcome.INCONCLUSIVE
    return Result(
        outcome=outcome,
        reason=_reason(shifted, calm, delay, undeclared=setting.options is None, noticed=canary.noticed),
        measures=measures,
        canary=canary,
        plots=(_plot(shifted, calm),),
        limits=(f"Streams of {_LENGTH} rows at most, drawn from {len(test)} test rows.",),
        remedy="" if outcome is Outcome.PASS else _remedy(setting, measures),
    )


def _watched(before: np.ndarray, pools: list[np.ndarray], rate: float, streams: int, rng: np.random.Generator) -> _Run:
    """Watch streams whose rows come from the pools in turn; those of the first come once in a stream."""
    delays, alarmed = np.full(streams, _LENGTH), np.zeros(streams, dtype=bool)
    for at in range(streams):
        watch, stream = Shift(before, rate=rate, rng=rng), _stream(pools, rng)
        for start in range(0, len(stream), 25):
            if watch.watch(stream[start : start + 25]):
                delays[at], alarmed[at] = watch.seen, True
                break
    return _Run(alarmed, delays)


def _stream(pools: list[np.ndarray], rng: np.random.Generator) -> np.ndarray:
    calm = rng.permutation(pools[0])[: _LENGTH // len(pools)]
    if len(pools) == 1:
        return calm
    return np.column_stack([rng.choice(pools[1], len(calm)), calm]).ravel()


def _canary(before: np.ndarray, now: np.ndarray, wrong: np.ndarray, rng: np.random.Generator, rate: float) -> Canary:
    """Watch certainties that know nothing of the errors, and certainties that know of all of them."""
    blind = rng.permutation(before)
    known = rng.choice(before, len(now))
    missed = _TRIALS - _watched(blind, [known, known[wrong]], rate, _TRIALS, rng).hits
    seen = rng.random(len(before)) - (rng.random(len(before)) < wrong.mean())
    knowing = rng.random(len(now)) - wrong
    unseen = _TRIALS - _watched(seen, [knowing, knowing[wrong]], rate, _TRIALS, rng).hits
    return Canary(
        kind="certainties that know nothing of the errors, and certainties that know of all", planted=_TRIALS,
        found=missed, clean=_TRIALS, false_alarms=unseen, noticed=missed >= 0.5 * _TRIALS and unseen <= 0.1 * _TRIALS,
        detail=f"Without such knowledge {missed} of {_TRIALS} shifts stay unnoticed, with it {unseen}.",
    )  # fmt: skip


def _reason(shifted: _Run, calm: _Run, delay: float, *, undeclared: bool, noticed: bool) -> str:
    said = (
        f"{shifted.hits} of {len(shifted.alarmed)} streams in which every other row is one that the model gets wrong "
        f"are noticed, after {delay:.0f} rows (median); {calm.hits} of {len(calm.alarmed)} calm ones alarm."
    )
    if not noticed:
        return f"Planted cases came out wrongly, so this is not believed. {said}"
    return f"controls.C3 is not declared, so nobody watches. {said}" if undeclared else said


def _remedy(setting: Setting, measures: tuple[Measure, ...]) -> str:
    if setting.options is None:
        return "Declare controls.C3, so that the guard watches."
    if measures[1].outcome is Outcome.FAIL:
        return "The test rows are not like the calibration rows: take both from where the rows come that are asked."
    if measures[0].outcome is Outcome.FAIL:
        return "The model is as sure where it is wrong as elsewhere: calibrate its scores, or give it an ensemble (C2)."
    return "Use --effort thorough: more streams."


def _plot(shifted: _Run, calm: _Run) -> Plot:
    steps = np.linspace(0, _LENGTH, 101)
    curves = tuple(
        Curve(name=name, x=tuple(steps.tolist()), y=tuple(_noticed(one, steps).tolist()))
        for name, one in (("shifted", shifted), ("calm", calm))
    )
    return Plot(
        kind="curves", title="streams in which an alarm was raised", x_label="rows", y_label="share of streams",
        curves=curves,
    )  # fmt: skip


def _noticed(one: _Run, steps: np.ndarray) -> np.ndarray:
    done = np.sort(one.delays[one.delays < _LENGTH])
    return np.asarray(np.searchsorted(done, steps, side="right") / len(one.delays))
