"""Check C2.drift: rows drawn from other parts of the same population, or harmlessly disturbed, alarm no more often."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from fivefold.adaptation.ensemble import figures
from fivefold.adaptation.ensemble.detector import conformal_place
from fivefold.adaptation.ensemble.setting import lay_out
from fivefold.adaptation.figures import opened, share
from fivefold.contract.finding import Canary, Measure, Result
from fivefold.contract.outcome import Outcome
from fivefold.errors import UnsupportedError

if TYPE_CHECKING:
    from fivefold.adaptation.ensemble.setting import Setting
    from fivefold.contract.check import Context
    from fivefold.contract.subject import Table

ALARMS = "max_alarm_ratio"
_COLUMNS = 2
_WEIGHT = 3.0
_STIR = 0.01
_HARMLESS = 0.02


@dataclass(frozen=True)
class Drifted:
    """Clean rows after a drift.

    Attributes:
        what: The drift, in words.
        rows: (m,) positions of the clean rows that it keeps.
        table: The rows, disturbed; None: as they are.
    """

    what: str
    rows: np.ndarray
    table: Table | None = None


def run(context: Context) -> Result:
    """Measure alarms on rows that drift without harm.

    Threat: a detector that cries at every change of the population is turned off.
    Limit: only drifts inside the test rows are made; a drift that makes the model err may rightly alarm more often.

    Args:
        context: Needs a classifier, ``train`` and ``test``; threshold ``max_alarm_ratio``.

    Raises:
        UnsupportedError: ``ensemble.undeclared`` without ``controls.C2``; see also
            :func:`fivefold.adaptation.ensemble.setting.lay_out`.
        SubjectError: The model misbehaved.
    """
    setting = lay_out(context)
    if setting.options is None or setting.ensemble is None:
        raise UnsupportedError(
            "ensemble.undeclared", "no ensemble is declared, so none can alarm.", remedy="Declare controls.C2."
        )
    context.progress(0.5, "making drifts")
    _, judged = setting.judge(setting.clean)
    alarms = judged.alarm if judged is not None else np.zeros(0, dtype=bool)
    scores = judged.disagreement if judged is not None else np.zeros(0)
    kinds = [Drifted("no drift", np.arange(len(alarms))), *_drifts(setting, context.rng)]
    told, shown = [], []
    for kind in kinds:
        answers, mine = (
            setting.alarms(kind.table) if kind.table else (setting.clean_answers[kind.rows], alarms[kind.rows])
        )
        worse = _worse(setting, kind, answers)
        if worse > _HARMLESS:
            shown.append(share("alarms under a drift that harms", mine, where=kind.what))
            continue
        told.append((kind.what, mine))
    confidence = 1 - 0.05 / len(told)
    declared, most = setting.options.false_alarms, context.thresholds[ALARMS]
    found = [figures.alarm_ratio(mine, declared, most, where=what, confidence=confidence) for what, mine in told]
    proof = _canary(scores, declared, most, context)
    outcome, reason = _decide(found, proof)
    measures = tuple(found) if outcome is not Outcome.INCONCLUSIVE else opened(*found)
    return Result(
        outcome=outcome, reason=reason, measures=(*measures, *shown), canary=proof,
        limits=(
            "Drifts are made of the test rows: other shares of answers and of halves of columns, numbers moved.",
            *setting.notes,
        ),
        remedy=figures.remedy(outcome, setting.options),
    )  # fmt: skip


def _drifts(setting: Setting, rng: np.random.Generator) -> list[Drifted]:
    clean = setting.clean
    made = [
        _shifted(f"answer {setting.subject.classes[code]} three times as common", setting.clean_answers == code, rng)
        for code in rng.permutation(np.unique(setting.clean_answers))[:_COLUMNS].tolist()
    ]
    frame = clean.features
    numbers = [
        name for name in frame.columns if pd.api.types.is_numeric_dtype(frame[name]) and frame[name].nunique() > 2
    ]
    for name in [numbers[at] for at in rng.permutation(len(numbers))[:_COLUMNS].tolist()]:
        values = frame[name].to_numpy(dtype=np.float64, na_value=np.nan)
        upper = values > np.nanmedian(values)
        made.append(_shifted(f"upper half of {name} three times as common", upper, rng))
    return [*made, Drifted("numbers stirred", np.arange(len(clean)), _stirred(clean, rng))]


def _shifted(what: str, chosen: np.ndarray, rng: np.random.Generator) -> Drifted:
    """Draw half of the rows, without putting any back, the chosen ones three times as often."""
    weight = np.where(chosen, _WEIGHT, 1.0)
    keys = rng.random(len(weight)) ** (1.0 / weight)  # Efraimidis and Spirakis 2006
    return Drifted(what, np.sort(np.argsort(-keys, kind="stable")[: max(1, len(weight) // 2)]))


def _stirred(table: Table, rng: np.random.Generator) -> Table:
    """Move numbers that are no whole numbers by up to a hundredth of their range, pixels by a hundredth of theirs."""
    if table.inputs is not None:
        given = table.inputs
        low, high = (0.0, 255.0) if given.dtype == np.uint8 else (float(given.min()), float(given.max()))
        moved = given + _STIR * (high - low) * rng.uniform(-1, 1, given.shape)
        moved = np.round(moved) if given.dtype.kind in "iu" else moved
        return table.with_inputs(np.clip(moved, low, high).astype(given.dtype))
    frame = table.features.copy()
    for name in frame.columns:
        if not pd.api.types.is_float_dtype(frame[name]):
            continue
        values = frame[name].to_numpy(dtype=np.float64, na_value=np.nan)
        known = values[np.isfinite(values)]
        if not len(known) or (known % 1 == 0).all():
            continue
        low, high = float(known.min()), float(known.max())
        moved = values + _STIR * (high - low) * rng.uniform(-1, 1, len(values))
        frame[name] = pd.Series(np.clip(moved, low, high), index=frame.index).astype(frame[name].dtype)
    return table.with_features(frame)


def _worse(setting: Setting, kind: Drifted, answers: np.ndarray) -> float:
    """Return by how much the model errs more often under a drift."""
    known = setting.clean.target >= 0
    mine = kind.rows[known[kind.rows]]
    if not known.any() or not len(mine):
        return 0.0
    here = answers[known[kind.rows]] != setting.clean.target[mine]
    return float(here.mean() - (setting.clean_answers[known] != setting.clean.target[known]).mean())


def _canary(scores: np.ndarray, declared: float, most: float, context: Context) -> Canary:
    """Judge a threshold taken from the quieter half of these rows, and one that holds the declared rate in them."""
    order = np.sort(scores + 1e-9 * context.rng.random(len(scores)))
    quiet = order[: max(1, len(order) // 2)]
    verdicts = []
    for known in (quiet, order):
        threshold = known[min(len(known) - 1, conformal_place(max(len(known), int(1 / declared)), declared))]
        verdicts.append(figures.alarm_ratio(order > threshold, declared, most).outcome)
    found, wrong = int(verdicts[0] is Outcome.FAIL), int(verdicts[1] is Outcome.FAIL)
    return Canary(
        kind="a threshold calibrated on the quieter half of the rows",
        planted=1,
        found=found,
        clean=1,
        false_alarms=wrong,
        noticed=found == 1 and wrong == 0,
        detail="Known-good: a threshold that holds the declared rate in these very rows.",
    )


def _decide(found: list[Measure], proof: Canary) -> tuple[Outcome, str]:
    worst = max(found, key=lambda one: one.value or 0.0)
    text = f"At most {worst.value:.1f} times the declared rate of alarms ({worst.where}), over {len(found)} drifts."
    if not proof.noticed:
        return Outcome.INCONCLUSIVE, f"A wrong threshold would not be told from a right one in so few rows. {text}"
    if any(one.outcome is Outcome.FAIL for one in found):
        return Outcome.FAIL, text
    if all(one.outcome is Outcome.PASS for one in found):
        return Outcome.PASS, text
    return Outcome.INCONCLUSIVE, f"{text} The bounds reach over the floor."
