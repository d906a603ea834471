"""C3.risk: how often the answers that are given are wrong, and how many are given."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fivefold.adaptation.fallback.setting import Part, Setting, gather
from fivefold.adaptation.figures import share
from fivefold.contract.finding import Bar, Canary, Measure, Plot, Result
from fivefold.contract.outcome import Outcome, worst
from fivefold.stats.judge import judge
from fivefold.stats.proportion import clopper_pearson

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fivefold.adaptation.fallback.ladder import Descent, Ladder
    from fivefold.contract.check import Context

_TRIALS = 3
_PLANTED = 4.0
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
    setting = gather(context)
    context.progress(0.4, "finding thresholds")
    ladder = setting.ladder() if setting.options is not None else None
    found = ladder.descend(setting.test.rows, setting.test.model, watch=False) if ladder is not None else None
    answered = np.ones(len(setting.test), dtype=bool) if found is None else _answered(found)
    wrong = _wrong(setting, setting.test, found)
    risk = setting.terms().risk
    measures = _measures(setting, context.thresholds, answered, wrong, risk)
    context.progress(0.7, "planting a broken calibration")
    outcome = worst([one.outcome for one in measures if one.outcome is not None])
    canary = _canary(setting, context, risk, failed=outcome is Outcome.FAIL)
    reason = _reason(measures, risk, declared=ladder is not None)
    if ladder is None and outcome is Outcome.PASS:
        outcome = Outcome.INCONCLUSIVE
    if not canary.noticed:
        outcome = Outcome.INCONCLUSIVE
        reason = f"Planted broken ladders went unnoticed, so this is not believed. {reason}"
    return Result(
        outcome=outcome,
        reason=reason,
        measures=tuple(measures),
        canary=canary,
        plots=(_plot(setting, ladder, found, wrong, risk),) if ladder is not None and found is not None else (),
        limits=_limits(setting, ladder),
        remedy="" if outcome is Outcome.PASS else _remedy(setting, measures),
    )


def _answered(found: Descent) -> np.ndarray:
    return np.isfinite(found.answers) if found.answers.dtype.kind == "f" else found.answers >= 0


def _wrong(setting: Setting, part: Part, found: Descent | None) -> np.ndarray:
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
    most = floors.get("max_declared", 0.5)
    least, largest = risk / high, risk / max(low, 1e-9)
    declared = Measure(
        name="declared risk over the error of a constant answer", value=risk / max(usual.mean(), 1 / n), low=least,
        high=largest, threshold=most, direction="max", outcome=judge(least, largest, most, "max"), unit="ratio", n=n,
    )  # fmt: skip
    return [
        share(
            "risk of the answers given, over the declared one", wrong[answered], over=risk,
            floor=floors.get("max_excess", 1.5), direction="max",
        ),
        share(
            "share of rows that are answered without a person", answered,
            floor=floors.get("min_answered", 0.5), direction="min",
        ),
        declared,
        share("risk of the answers given", wrong[answered]),
        share("risk if the model answered everything", bare),
    ]  # fmt: skip


def _constant(setting: Setting) -> np.ndarray:
    """Return (n,) where the best constant answer is wrong."""
    truth = setting.test.truth
    if setting.classes:
        return np.asarray(truth != np.bincount(truth).argmax())
    return np.asarray(np.abs(truth - np.median(truth)) > (setting.terms().tolerance or 0.0))


def _canary(setting: Setting, context: Context, risk: float, *, failed: bool) -> Canary:
    """Plant ladders that were calibrated on answers that are right, and serve a model that is wrong; and sound ones."""
    rng, found, alarms = context.rng, 0, 0
    limit = context.thresholds.get("max_excess", 1.5)
    for _ in range(_TRIALS):
        leaking = setting.calibration.with_truth(setting.calibration.model[0])
        odd = rng.random(len(setting.test)) < min(0.9, _PLANTED * risk)
        found += _fails(setting, leaking, _spoilt(setting, setting.test, odd), limit, risk)
        even = rng.random(len(setting.test)) < risk / 2
        same = rng.random(len(setting.calibration)) < risk / 2
        calibration = _spoilt(setting, setting.calibration, same)
        alarms += _fails(setting, calibration, _spoilt(setting, setting.test, even), limit, risk)
    return Canary(
        kind="a calibration set on which the model is always right, and sound ones",
        planted=_TRIALS, found=found, clean=_TRIALS, false_alarms=alarms,
        noticed=failed or (found == _TRIALS and not alarms),
        detail=f"{found} of {_TRIALS} ladders noticed whose answers are wrong {_PLANTED:g} times as often as declared.",
    )  # fmt: skip


def _spoilt(setting: Setting, part: Part, odd: np.ndarray) -> Part:
    """Return rows whose truth is the model's answer, but for the odd ones."""
    answers = part.model[0]
    if setting.classes:
        return part.with_truth(np.where(odd, (answers + 1) % len(setting.classes), answers))
    return part.with_truth(answers + np.where(odd, 3 * (setting.terms().tolerance or 1.0), 0.0))


def _fails(setting: Setting, calibration: Part, test: Part, limit: float, risk: float) -> bool:
    found = setting.ladder(calibration).descend(test.rows, test.model, watch=False)
    wrong, answered = _wrong(setting, test, found), _answered(found)
    return share("risk", wrong[answered], over=risk, floor=limit, direction="max").outcome is Outcome.FAIL


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


def _limits(setting: Setting, ladder: Ladder | None) -> tuple[str, ...]:
    if ladder is None:
        return ()
    said = [f"The guarantee is over the draw of {len(setting.calibration)} calibration rows."]
    left = [level for level in (setting.options or {}).get("levels", ()) if level in ("ensemble", "rules", "human")]
    if left:
        said.append(f"Not asked here: {', '.join(left)}; rows that they would decide count as not answered.")
    return tuple(said)


def _plot(setting: Setting, ladder: Ladder, found: Descent, wrong: np.ndarray, risk: float) -> Plot:
    """Return the risk of each rung, and of each group."""
    bars = []
    for place, level in enumerate(ladder.terms.models):
        mine = found.by == place
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
