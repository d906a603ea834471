"""Check C2.detection: attack with labels alone, count what the ensemble notices, prove that blind alarms would show."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from fivefold.adaptation.ensemble import figures
from fivefold.adaptation.ensemble.detector import conformal_place
from fivefold.adaptation.ensemble.options import Options
from fivefold.adaptation.ensemble.setting import lay_out
from fivefold.adaptation.figures import opened, share
from fivefold.contract.finding import Canary, Measure, Result
from fivefold.contract.outcome import Outcome

if TYPE_CHECKING:
    from fivefold.adaptation.ensemble.setting import Setting
    from fivefold.contract.check import Context

NOTICED, FALSE = "min_noticed", "max_alarm_ratio"
_FEWEST = 20


@dataclass(frozen=True)
class Seen:
    """What came of an attack.

    Attributes:
        wrong: (m,) bool, attacked rows that the model answers otherwise than before.
        alarmed: (m,) bool, attacked rows that the ensemble alarms.
        false: (n,) bool, clean rows that it alarms.
    """

    wrong: np.ndarray
    alarmed: np.ndarray
    false: np.ndarray


def run(context: Context) -> Result:
    """Measure how many attacked rows are noticed.

    Threat: somebody who sees answers alone moves a row just so far that the model answers wrongly.
    Limit: he looks at the model only; who attacks the members too is measured by C2.adaptive.

    Args:
        context: Needs a classifier that answers for changed rows, ``train`` and ``test``; thresholds ``min_noticed``
            and ``max_alarm_ratio``; ``uses`` the attacks.

    Raises:
        UnsupportedError: See :func:`fivefold.adaptation.ensemble.setting.lay_out`.
        SubjectError: The model misbehaved.
    """
    setting = lay_out(context)
    context.progress(0.3, "attacking")
    rows = setting.targets(context.rng, context.rows)
    struck = setting.attack(context, rows, setting.bare, minimal=True, rng=context.rng)
    context.progress(0.9, "asking the members")
    before = setting.subject.predict(rows)
    after, alarmed = setting.alarms(struck.rows)
    _, false = setting.alarms(setting.clean)
    seen = Seen(after != before, alarmed, false)
    return _result(context, setting, seen, struck.asked)


def _result(context: Context, setting: Setting, seen: Seen, asked: int) -> Result:
    declared = (setting.options or Options()).false_alarms
    fell = int(seen.wrong.sum())
    noticed = share(
        "attacks noticed", seen.alarmed[seen.wrong], floor=context.thresholds[NOTICED], direction="min",
        note=f"Of the rows that were moved to another answer; at {declared:.2%} false alarms as declared.",
    )  # fmt: skip
    false = figures.alarm_ratio(seen.false, declared, context.thresholds[FALSE])
    shown = (
        share("false alarms on clean rows", seen.false),
        share("attacks that change the answer", seen.wrong),
        share(
            "wrong and not noticed, against the model alone", ~seen.alarmed[seen.wrong],
            note="Attacked rows answered wrongly that go no further, as a share of those without an ensemble.",
        ),
        Measure(name="questions asked by the attacker", value=float(asked), unit="rows", n=len(seen.wrong)),
    )  # fmt: skip
    if fell < _FEWEST:
        return _too_few(context, setting, (noticed, false), shown, seen)
    proof = _canary(fell, declared, context)
    outcome, reason = _decide(setting, noticed, false, proof, fell)
    measures = (noticed, false) if outcome is not Outcome.INCONCLUSIVE else opened(noticed, false)
    return Result(
        outcome=outcome, reason=reason, measures=(*measures, *shown), canary=proof,
        limits=(*figures.LIMITS, *setting.notes), remedy=figures.remedy(outcome, setting.options),
    )  # fmt: skip


def _too_few(
    context: Context, setting: Setting, judged: tuple[Measure, Measure], shown: tuple[Measure, ...], seen: Seen
) -> Result:
    proof = _canary(max(int(seen.wrong.sum()), 1), (setting.options or Options()).false_alarms, context)
    text = f"Only {int(seen.wrong.sum())} of {len(seen.wrong)} attacked rows were moved to another answer."
    return Result(
        outcome=Outcome.INCONCLUSIVE,
        reason=f"{text} At least {_FEWEST} are needed to count what is noticed.",
        measures=(*opened(*judged), *shown),
        canary=proof,
        limits=(*figures.LIMITS, *setting.notes),
        remedy="Bring more test rows, or assess with more effort.",
    )


def _decide(setting: Setting, noticed: Measure, false: Measure, proof: Canary, fell: int) -> tuple[Outcome, str]:
    text = f"{noticed.value:.1%} of {fell} attacks were noticed."
    if setting.options is None:
        text = f"{fell} attacks changed the answer, and no ensemble is declared that could notice one."
    if not proof.noticed:
        return Outcome.INCONCLUSIVE, f"Alarms that look at nothing were not told from true ones. {text}"
    outcomes = (noticed.outcome, false.outcome)
    if false.outcome is Outcome.FAIL:
        text += f" Clean rows are alarmed {false.value:.1f} times as often as declared."
    if Outcome.FAIL in outcomes:
        return Outcome.FAIL, text
    if outcomes == (Outcome.PASS, Outcome.PASS):
        return Outcome.PASS, text
    return Outcome.INCONCLUSIVE, f"{text} The bounds reach over the floor."


def _canary(fell: int, declared: float, context: Context) -> Canary:
    """Put two alarms through the same counting: one that looks at nothing, one that still sees the unchanged row."""
    rng, floor = context.rng, context.thresholds[NOTICED]
    many = max(1000, int(10 / declared))
    known = np.sort(rng.random(many))
    blind = rng.random(fell) > known[conformal_place(many, declared)]
    verdicts = [
        share("blind", alarms, floor=floor, direction="min").outcome for alarms in (blind, np.ones(fell, dtype=bool))
    ]
    found, wrong = int(verdicts[0] is Outcome.FAIL), int(verdicts[1] is Outcome.FAIL)
    return Canary(
        kind="an alarm that looks at nothing",
        planted=1,
        found=found,
        clean=1,
        false_alarms=wrong,
        noticed=found == 1 and verdicts[1] is Outcome.PASS,
        detail=f"Calibrated like the ensemble on {many} draws, it rang for {int(blind.sum())} of the {fell} attacks. "
        "Known-good: an alarm that still sees the unchanged row.",
    )
