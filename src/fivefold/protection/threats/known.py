"""Check P5.known: missed threats of known families, and false alarms a day."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from threadpoolctl import threadpool_limits

from fivefold.contract.finding import Bar, Plot, Result
from fivefold.contract.outcome import Outcome
from fivefold.errors import UnsupportedError
from fivefold.protection.threats import figures
from fivefold.protection.threats.setting import FEWEST_FLOWS, lay_out

if TYPE_CHECKING:
    from fivefold.contract.check import Context
    from fivefold.contract.finding import Measure
    from fivefold.contract.subject import Subject
    from fivefold.protection.threats.setting import Setting

MISSED = "max_missed"
_MOST_BARS = 20
_REMEDY = "Train with more flows of the families that are missed, or declare controls.P5; mend the false alarms first."


def run(context: Context) -> Result:
    """Measure missed threats and false alarms of the model, with the declared detector beside it.

    Threat: attacks that the detector was taught go through all the same, or alarms are so many that nobody looks.
    Limit: flows like those of the test set; families never seen are the matter of P5.unseen.

    Args:
        context: Needs a classifier and ``test``; thresholds ``max_missed`` and ``max_false_alarms``.

    Raises:
        UnsupportedError: As :func:`fivefold.protection.threats.setting.lay_out`; ``threats.subject`` without a model;
            ``threats.rows`` without 30 test flows of known families.
        SubjectError: The model misbehaved.
    """
    with threadpool_limits(limits=1):
        return _run(context)


def _run(context: Context) -> Result:
    subject = required(context)
    setting = lay_out(context)
    if int(setting.known().sum()) < FEWEST_FLOWS:
        raise UnsupportedError("threats.rows", "fewer than 30 test flows are of a family that training flows have.")
    alone = setting.alarms(subject, setting.test)
    context.progress(0.3, "fitting the detector")
    beside = setting.detector(context.rng)
    alarmed = alone if beside is None else alone | beside.alarms(setting.test.features)
    missed, false = _judged(context, ~alarmed[setting.known()], alarmed[~setting.bad])
    traffic = float(context.options.get("traffic") or 1e6)
    shown = [
        figures.per_day(false, traffic),
        figures.share("accuracy", np.where(setting.bad, alarmed, ~alarmed)),
        figures.share("missed by the model alone", ~alone[setting.known()]),
        figures.share("false alarms of the model alone", alone[~setting.bad]),
    ]
    many, benign = int(setting.known().sum()), int((~setting.bad).sum())

    def verdict(ring: float, cry: float) -> Outcome:
        return figures.decided(*_judged(context, figures.drawn(many, 1 - ring), figures.drawn(benign, cry)))

    proof = figures.proven(verdict, context.rng, context.thresholds[figures.FALSE], f"{many} threats.")
    outcome = figures.decided(missed, false) if proof.noticed else Outcome.INCONCLUSIVE
    judged = (missed, false) if proof.noticed else figures.opened(missed, false)
    text = (
        f"{missed.value:.2%} of {missed.n} threats of known families are missed, {false.value:.2%} of {false.n} "
        f"benign flows alarmed: {shown[0].value:,.0f} a day at {traffic:,.0f} flows."
    )
    return Result(
        outcome=outcome, reason=text if proof.noticed else f"Alarms that look at nothing were not told. {text}",
        measures=(*judged, *shown), canary=proof, plots=(_plot(setting, alarmed),),
        limits=(*figures.LIMITS, setting.how, *setting.notes), remedy="" if outcome is Outcome.PASS else _REMEDY,
    )  # fmt: skip


def required(context: Context) -> Subject:
    """Return the model.

    Raises:
        UnsupportedError: ``threats.subject`` without one; ``threats.task`` for values.
    """
    if context.subject is None:
        raise UnsupportedError("threats.subject", "there is no model to ask.")
    if context.subject.task == "regression":
        raise UnsupportedError("threats.task", "threats are told as classes, and this model gives values.")
    return context.subject


def _judged(context: Context, missed: np.ndarray, false: np.ndarray) -> tuple[Measure, Measure]:
    return (
        figures.share("threats missed", missed, context.thresholds[MISSED], "max"),
        figures.share("false alarms", false, context.thresholds[figures.FALSE], "max"),
    )


def _plot(setting: Setting, alarmed: np.ndarray) -> Plot:
    bars = []
    for name in setting.families()[:_MOST_BARS]:
        mine = setting.test_family == name
        if mine.any():
            one = figures.share(name, ~alarmed[mine])
            bars.append(Bar(label=name, value=one.value or 0.0, low=one.low, high=one.high, n=one.n))
    return Plot(kind="intervals", title="share of flows missed, by family", x_label="share missed", bars=tuple(bars))
