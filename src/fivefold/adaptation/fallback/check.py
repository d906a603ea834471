"""C3.risk: how often the answers that are given are wrong, and how many are given."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from fivefold.adaptation.fallback.setting import Part, Setting, gather
from fivefold.adaptation.figures import share
from fivefold.contract.finding import Bar, Canary, Measure, Plot, Result
from fivefold.contract.guarded import Decided
from fivefold.contract.outcome import Outcome, worst
from fivefold.stats.judge import judge
from fivefold.stats.proportion import clopper_pearson

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fivefold.adaptation.fallback.ladder import Descent, Ladder
    from fivefold.contract.check import Context

_TRIALS = 3
_PLANTED = 4.0
_USELESS = 0.9
_SOUND = 0.2
_MOST_BARS = 12


def run(context: Context) -> Result:
    """Measure C3.risk.

    Threat: the model answers where it does not know, and nobody notices.
    Limit: risk on rows like the test rows; rules, ensemble and people are not asked here.

    Args:
        context: Needs a subject, ``test`` and, where ``controls.C3`` is declared, ``calibration``; thresholds
            ``max_excess``, ``min_answered``, ``max_declared``.

    Raises:
        UnsupportedError: As :func:`fivefold.adaptation.fallback.setting.gather`.
        SubjectError: The model misbehaved.
    """
    guarded = context.guarded
    setting = gather(context if guarded is None else replace(context, subject=guarded.bare))
    context.progress(0.4, "finding thresholds")
    ladder = setting.ladder() if setting.options is not None else None
    found: Descent | Decided | None = None
    if guarded is not None:
        found = guarded.decide(setting.table)
    elif ladder is not None:
        found = ladder.descend(setting.test.rows, setting.test.model, watch=False)
    answered = np.ones(len(setting.test), dtype=bool) if found is None else _answered(found)
    wrong = _wrong(setting, setting.test, found)
    risk = setting.terms().risk
    measures = _measures(setting, context.thresholds, answered, wrong, risk)
    context.progress(0.7, "planting a broken calibration")
    outcome = worst([one.outcome for one in measures if one.outcome is not None])
    canary = _canary(setting, context, risk)
    reason = _reason(measures, risk, declared=ladder is not None)
    if ladder is None and outcome is Outcome.PASS:
        outcome = Outcome.INCONCLUSIVE
    if not canary.noticed:
        outcome = Outcome.INCONCLUSIVE
        reason = (
            "Planted broken ladders were not told from sound ones: the calibration rows are too few for any model to "
            f"be trusted, or the test rows to judge one. {reason}"
        )
    return Result(
        outcome=outcome,
        reason=reason,
        measures=tuple(measures),
        canary=canary,
        plots=(_plot(setting, ladder, found, wrong, risk),) if ladder is not None and found is not None else (),
        limits=_limits(setting, ladder, asked=guarded is not None),
        remedy="" if outcome is Outcome.PASS else _remedy(setting, measures),
    )


def _answered(found: Descent | Decided) -> np.ndarray:
    return np.isfinite(found.answers) if found.answers.dtype.kind == "f" else found.answers >= 0


def _wrong(setting: Setting, part: Part, found: Descent | Decided | None) -> np.ndarray:
    """Return (n,) which answers are wrong; False where there is none."""
    answers = part.model[0] if found is None else found.answers
    given = np.ones(len(part), dtype=bool) if found is None else _answered(found)
    if setting.classes:
        return np.asarray(given & (answers != part.truth))
    return np.asarray(given & (np.abs(np.nan_to_num(answers) - part.truth) > (setting.terms().tolerance or 0.0)))


def _measures(
    setting: Setting, floors: Mapping[str, float], answered: np.ndarray, wrong: np.ndarray, risk: float
) -> list[Measure]:
    test, n = setting.test, len(setting.test)
    bare, usual = _wrong(setting, test, None), _constant(setting)
    low, high = (float(bound) for bound in clopper_pearson(int(usual.sum()), n))
    most = floors["max_declared"]
    least, largest = risk / high, risk / max(low, 1e-9)
    declared = Measure(
        name="declared risk over the error of a constant answer", value=risk / max(usual.mean(), 1 / n), low=least,
        high=largest, threshold=most, direction="max", outcome=judge(least, largest, most, "max"), unit="ratio", n=n,
    )  # fmt: skip
    return [
        *_judged(wrong, answered, floors, risk),
        declared,
        share("risk of the answers given", wrong[answered]),
        share("risk if the model answered everything", bare),
    ]  # fmt: skip


def _judged(
    wrong: np.ndarray, answered: np.ndarray, floors: Mapping[str, float], risk: float
) -> tuple[Measure, Measure]:
    """Return risk over the declared one, and the answered share, against their floors."""
    return (
        share(
            "risk of the answers given, over the declared one", wrong[answered], over=risk,
            floor=floors["max_excess"], direction="max",
        ),
        share(
            "share of rows that are answered without a person", answered, floor=floors["min_answered"], direction="min"
        ),
    )  # fmt: skip


def _constant(setting: Setting) -> np.ndarray:
    """Return (n,) where the best constant answer is wrong."""
    truth = setting.test.truth
    if setting.classes:
        return np.asarray(truth != np.bincount(truth).argmax())
    return np.asarray(np.abs(truth - np.median(truth)) > (setting.terms().tolerance or 0.0))


def _canary(setting: Setting, context: Context, risk: float) -> Canary:
    """Plant ladders calibrated on answers that are all right, before a wrong model, and on useless ones; sound ones."""
    rng, floors, found, alarms = context.rng, context.thresholds, 0, 0
    calibration, test = setting.calibration, setting.test
    for _ in range(_TRIALS):
        right, useless = np.zeros(len(calibration), dtype=bool), rng.random(len(calibration)) < _USELESS
        odd, even = (rng.random(len(test)) < rate for rate in (min(0.9, _PLANTED * risk), _SOUND * risk))
        same = rng.random(len(calibration)) < _SOUND * risk
        found += _fails(setting, right, odd, floors, risk)[0]
        found += _fails(setting, useless, even, floors, risk)[1]
        alarms += any(_fails(setting, same, even, floors, risk))
    return Canary(
        kind="calibration rows on which the model is always right, or hardly ever, and sound ones",
        planted=2 * _TRIALS, found=found, clean=_TRIALS, false_alarms=alarms,
        noticed=found == 2 * _TRIALS and not alarms,
        detail=f"Answers wrong {_PLANTED:g} times as often as declared, and models that may answer nothing: {found} of "
        f"{2 * _TRIALS} noticed.",
    )  # fmt: skip


def _spoilt(setting: Setting, part: Part, odd: np.ndarray) -> Part:
    """Return rows whose truth is the model's answer, but for the odd ones."""
    answers = part.model[0]
    if setting.classes:
        return part.with_truth(np.where(odd, (answers + 1) % len(setting.classes), answers))
    return part.with_truth(answers + np.where(odd, 3 * (setting.terms().tolerance or 1.0), 0.0))


def _fails(
    setting: Setting, wrong_before: np.ndarray, wrong_now: np.ndarray, floors: Mapping[str, float], risk: float
) -> tuple[bool, bool]:
    """Return whether risk and answered share fail where these calibration and test rows are answered wrongly."""
    ladder = setting.ladder(_spoilt(setting, setting.calibration, wrong_before))
    test = _spoilt(setting, setting.test, wrong_now)
    found = ladder.descend(test.rows, test.model, watch=False)
    excess, answered = _judged(_wrong(setting, test, found), _answered(found), floors, risk)
    return excess.outcome is Outcome.FAIL, answered.outcome is Outcome.FAIL


def _reason(measures: list[Measure], risk: float, *, declared: bool) -> str:
    _, given, _, plain, bare = measures
    if plain.value is None:
        return f"No row is answered: the calibration rows do not show that at most {risk:.1%} of any answers are wrong."
    said = (
        f"Of {plain.n} answers given {plain.value:.1%} are wrong ({plain.low:.1%} to {plain.high:.1%}) where "
        f"{risk:.1%} are declared; {given.value:.1%} of the rows are answered. Answering everything, the model would "
        f"be wrong in {bare.value:.1%}."
    )
    return said if declared else f"controls.C3 is not declared: the model answers whatever it is asked. {said}"


def _remedy(setting: Setting, measures: list[Measure]) -> str:
    if setting.options is None:
        return "Declare controls.C3 with a risk, and who decides where the model is unsure."
    if measures[0].outcome is Outcome.FAIL:
        return "Calibrate on rows that the model was not trained on, from where the rows come that it is asked."
    if measures[1].outcome is not Outcome.PASS:
        return "Give more calibration rows, a better model, or a risk that the application can bear."
    return "Declare a smaller risk, or give more test rows."


def _limits(setting: Setting, ladder: Ladder | None, *, asked: bool) -> tuple[str, ...]:
    if ladder is None:
        return ()
    said = [f"The guarantee is over the draw of {len(setting.calibration)} calibration rows."]
    if asked:
        return (*said, "Every rung but people was asked, as in operation; the guarantee is not that of the rules.")
    left = [level for level in (setting.options or {}).get("levels", ()) if level in ("ensemble", "rules", "human")]
    if left:
        said.append(f"Not asked here: {', '.join(left)}; rows that they would decide count as not answered.")
    return tuple(said)


def _plot(setting: Setting, ladder: Ladder, found: Descent | Decided, wrong: np.ndarray, risk: float) -> Plot:
    """Return the risk of each rung, and of each group."""
    bars = []
    levels = found.levels if isinstance(found, Decided) else ladder.terms.models
    for place, level in enumerate(levels):
        mine = (found.by == place) & _answered(found)
        if mine.any():
            bars.append(_bar(f"answered by: {level}", wrong[mine]))
    if ladder.terms.group and not isinstance(setting.test.rows, np.ndarray):
        column = setting.test.rows[ladder.terms.group].astype(str).to_numpy()
        given = _answered(found)
        kinds = sorted(set(column[given].tolist()))[:_MOST_BARS]
        bars += [_bar(f"{ladder.terms.group} = {kind}", wrong[given & (column == kind)]) for kind in kinds]
    bars.append(_bar("if the model answered everything", _wrong(setting, setting.test, None)))
    return Plot(
        kind="intervals", title="share of wrong answers", x_label="share of wrong answers", bars=tuple(bars),
        threshold=risk,
    )  # fmt: skip


def _bar(label: str, wrong: np.ndarray) -> Bar:
    low, high = clopper_pearson(int(wrong.sum()), len(wrong))
    return Bar(label=label, value=float(wrong.mean()), low=float(low), high=float(high), n=len(wrong))
