"""Check C2.adaptive: the attacker sees answers and alarms, and counts only what is wrong and not alarmed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from fivefold.adaptation.ensemble import figures
from fivefold.adaptation.ensemble.options import Options
from fivefold.adaptation.ensemble.setting import lay_out
from fivefold.adaptation.figures import opened, share
from fivefold.contract.finding import Canary, Measure, Result
from fivefold.contract.outcome import Outcome
from fivefold.subject.rows import of

if TYPE_CHECKING:
    from collections.abc import Callable

    from fivefold.adaptation.ensemble.setting import Setting
    from fivefold.contract.check import Context
    from fivefold.contract.subject import Table

    Told = Callable[[Table], tuple[np.ndarray, np.ndarray]]
    """Rows to (n,) answers and (n,) bool, alarmed."""

EVADED = "max_evaded"
_FEWEST = 20
_CANARY_ROWS = 80


def run(context: Context) -> Result:
    """Measure what an ensemble leaves to an attacker who attacks the model and all members at once.

    Threat: the attacker knows of the ensemble, sees its alarms, and searches on until an answer is wrong and quiet.
    Limit: he has labels and alarms alone, and as many questions as `queries`; with weights he may do better.

    Args:
        context: As for C2.detection; threshold ``max_evaded``.

    Raises:
        UnsupportedError: See :func:`fivefold.adaptation.ensemble.setting.lay_out`.
        SubjectError: The model misbehaved.
    """
    setting = lay_out(context)
    rows = setting.targets(context.rng, context.rows)
    before = setting.subject.predict(rows)
    seed = int(context.rng.integers(2**31))

    def attack(told: Told, some: Table, held: np.ndarray) -> np.ndarray:
        """Return (n,) bool: rows of which a wrong answer got through without an alarm."""

        def oracle(table: Table, origin: np.ndarray) -> np.ndarray:
            answers, alarms = told(table)
            return np.where(alarms, held[origin], answers)

        struck = setting.attack(context, some, oracle, minimal=False, rng=np.random.default_rng(seed))
        return np.asarray(struck.fell)

    context.progress(0.3, "attacking the model alone")
    alone = attack(_with(setting, _silent), rows, before)
    context.progress(0.5, "attacking all members")
    through = attack(setting.alarms, rows, before)
    context.progress(0.8, "attacking planted alarms")
    few = rows.take(np.flatnonzero(alone)[:_CANARY_ROWS])
    proof = _canary(context, setting, attack, few, before[np.flatnonzero(alone)[:_CANARY_ROWS]])
    return _result(context, setting, alone, through, proof)


def _silent(table: Table) -> np.ndarray:
    return np.zeros(len(table), dtype=bool)


def _with(setting: Setting, alarms: Callable[[Table], np.ndarray]) -> Told:
    return lambda table: (setting.subject.predict(table), alarms(table))


def _canary(
    context: Context,
    setting: Setting,
    attack: Callable[[Told, Table, np.ndarray], np.ndarray],
    rows: Table,
    held: np.ndarray,
) -> Canary:
    """Attack through an alarm that looks at nothing, and through one that still sees the unchanged row."""
    declared = (setting.options or Options()).false_alarms
    key = f"{int(context.rng.integers(10**15)):016}"

    def blind(table: Table) -> np.ndarray:
        given = of(table)
        if isinstance(given, np.ndarray):
            given = pd.DataFrame(given.reshape(len(given), -1))
        codes = pd.util.hash_pandas_object(given, index=False, hash_key=key).to_numpy()
        return np.asarray((codes >> np.uint64(11)) / 2.0**53 < declared)

    def sees(table: Table) -> np.ndarray:
        return np.ones(len(table), dtype=bool)

    floor = context.thresholds[EVADED]
    told = [
        share("", attack(_with(setting, alarms), rows, held), floor=floor, direction="max").outcome
        if len(rows)
        else None
        for alarms in (blind, sees)
    ]
    found, wrong = int(told[0] is Outcome.FAIL), int(told[1] is Outcome.FAIL)
    return Canary(
        kind="an alarm that looks at nothing",
        planted=1,
        found=found,
        clean=1,
        false_alarms=wrong,
        noticed=found == 1 and told[1] is Outcome.PASS,
        detail=f"The same attack on {len(rows)} rows through an alarm that rings by a hash of the row, at the "
        "declared rate. Known-good: an alarm that rings for every changed row.",
    )


def _result(context: Context, setting: Setting, alone: np.ndarray, through: np.ndarray, proof: Canary) -> Result:
    fell = int(alone.sum())
    evaded = share(
        "attacks that still get through", through[alone], floor=context.thresholds[EVADED], direction="max",
        note="Wrong and not alarmed, of the rows that fall with the model alone at the same reach and questions.",
    )  # fmt: skip
    shown: tuple[Measure, ...] = (
        share("attacked rows that fall, model alone", alone),
        share("attacked rows that fall unnoticed, all members attacked", through),
    )
    outcome, reason = _decide(setting, evaded, proof, fell)
    judged = (evaded,) if outcome is not Outcome.INCONCLUSIVE else opened(evaded)
    return Result(
        outcome=outcome, reason=reason, measures=(*judged, *shown), canary=proof,
        limits=(*figures.LIMITS, *setting.notes), remedy=figures.remedy(outcome, setting.options),
    )  # fmt: skip


def _decide(setting: Setting, evaded: Measure, proof: Canary, fell: int) -> tuple[Outcome, str]:
    if fell < _FEWEST:
        text = f"Only {fell} attacked rows fall with the model alone; at least {_FEWEST} are needed."
        return Outcome.INCONCLUSIVE, text
    text = f"Of {fell} rows that fall with the model alone, {evaded.value:.1%} still fall unnoticed."
    if setting.options is None:
        text = f"No ensemble is declared: all of {fell} attacks get through."
    if not proof.noticed:
        return Outcome.INCONCLUSIVE, f"Alarms that look at nothing were not told from true ones. {text}"
    return evaded.outcome or Outcome.INCONCLUSIVE, text
