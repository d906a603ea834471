"""Check P2.detection: how many questions of a thief are answered before nothing more is, and what he has by then."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from threadpoolctl import threadpool_limits

from fivefold.contract.finding import Canary, Curve, Measure, Plot, Result
from fivefold.contract.outcome import Outcome
from fivefold.protection.extraction import answers
from fivefold.protection.theft import attacks, traffic, trial
from fivefold.protection.theft.detector import Detector
from fivefold.stats.judge import judge
from fivefold.stats.proportion import clopper_pearson

if TYPE_CHECKING:
    from collections.abc import Callable

    from fivefold.contract.check import Context
    from fivefold.protection.theft.coding import Cells
    from fivefold.protection.theft.learning import Profile
    from fivefold.protection.theft.trial import Case

FLOOR = "min_stopped"
_SPLIT = "from 50 accounts"
WAYS = {"alone": 0, "one honest question beside each": 1, "nine honest questions beside each": 9, _SPLIT: 0}
"""How a thief asks, to honest questions beside each of his."""
_RUNS = 3
_ACCOUNTS = 50
_PARTS = (8, 4, 2, 1)
_FEWEST = 8
_REMEDY = {
    Outcome.FAIL: "Declare `controls: {P2: {detect: true}}`; where it is, a budget of questions limits what is left.",
    Outcome.INCONCLUSIVE: "Bring more rows to learn from; where no attack copies the model with what it asks, "
    "raise the check's `budget`.",
}


@dataclass(frozen=True)
class _Attack:
    """One kind of attack: its curve without a guard, and the questions answered with one, in each run and way.

    Of a guard that flags nobody, and of one that flags everybody, the questions answered are in ``spoilt``.
    """

    kind: str
    counts: list[int]
    curve: list[float]
    need: int
    reached: bool
    answered: dict[str, list[int]]
    spoilt: tuple[list[int], list[int]]
    by_then: float


def run(context: Context) -> Result:
    """Measure in which share of attacks a thief is stopped before half of the questions that he needs.

    Threat: whoever may ask the model rebuilds it with questions that no honest caller asks.
    Limit: questions that look like honest ones are not noticed; what they yield is shown, not judged.

    Args:
        context: Needs a subject that answers for new rows, ``train`` and ``test``; threshold ``min_stopped``.

    Raises:
        UnsupportedError: ``theft.subject``, ``theft.inputs``, ``theft.rows``.
        SubjectError: The model misbehaved.
    """
    with threadpool_limits(limits=1):
        return _run(context)


def _run(context: Context) -> Result:
    case, profile = trial.lay_out(context), trial.profile_of(context)
    controls, budget = trial.controls_of(context), int(context.options.get("budget") or 400)
    is_on, honest = controls.get("detect") is True, trial.honest_of(controls)
    watch: Callable[[], Any] = (lambda: Detector(profile, honest)) if is_on else _Blind
    found = []
    for position, kind in enumerate(attacks.KINDS):
        context.progress(0.1 + 0.2 * position, kind)
        found.append(_attacked(case, profile, kind, budget=budget, watch=watch, rng=context.rng))
    proof = _prove(_judged(found))
    return _result(found, _distilled(case, budget, watch(), context.rng), proof, is_on, context)


class _Blind:
    """Flags nobody: an application without the control."""

    state = "passed"

    def screened(self, _name: str, _cells: Cells, _unlike: np.ndarray) -> str:
        return self.state


class _Shut(_Blind):
    """Flags everybody."""

    state = "flagged"


def _attacked(
    case: Case, profile: Profile, kind: str, *, budget: int, watch: Callable[[], Any], rng: np.random.Generator
) -> _Attack:
    answered: dict[str, list[int]] = {way: [] for way in WAYS}
    spoilt: tuple[list[int], list[int]] = ([], [])
    counts, curve = [], []
    for turn in range(_RUNS):
        values, origin, told = _asked(case, kind, budget, rng)
        if turn == 0:
            first = values, told
            counts = sorted({max(min(_FEWEST, len(values)), len(values) // part) for part in _PARTS})
            curve = [case.fidelity(values[:count], told[:count], case.start.voice, 0)[0] for count in counts]
        cells = profile.coding.cells(trial.rows_of(case.rows(values, origin)))
        asked = cells, profile.unlikely(cells)
        beside = _beside(case, profile, 9 * len(cells), rng)
        for way, others in WAYS.items():
            answered[way].append(_play(watch(), asked, beside, others, is_split=way == _SPLIT))
            for held, guard in zip(spoilt, (_Blind(), _Shut()), strict=True):
                held.append(_play(guard, asked, beside, others, is_split=way == _SPLIT))
    enough = [count for count, value in zip(counts, curve, strict=True) if value >= trial.ENOUGH]
    need = enough[0] if enough else counts[-1]
    stopped = int(np.median(answered["alone"]))
    values, told = first
    by_then = case.fidelity(values[:stopped], told[:stopped], case.start.voice, 0)[0] if stopped > 1 else 0.0
    return _Attack(kind, counts, curve, need, bool(enough), answered, spoilt, by_then)


def _asked(case: Case, kind: str, budget: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return at most ``budget`` questions of an attack, the rows they were made of, and the answers."""
    asking = attacks.KINDS[kind](case.start, rng)
    values, origin, told = [], [], []
    try:
        asked = next(asking)
        while True:
            values.append(asked[0])
            origin.append(asked[1])
            told.append(answers.ask(case.subject, case.rows(*asked)))
            if sum(map(len, told)) >= budget:
                break
            asked = asking.send(told[-1])
    except StopIteration:
        pass
    return np.concatenate(values)[:budget], np.concatenate(origin)[:budget], np.concatenate(told)[:budget]


def _beside(case: Case, profile: Profile, count: int, rng: np.random.Generator) -> tuple[Cells, np.ndarray]:
    cells = profile.coding.cells(traffic.honest(trial.rows_of(case.held), "interactive", count, rng))
    return cells, profile.unlikely(cells)


def _play(
    watch: Any, asked: tuple[Cells, np.ndarray], beside: tuple[Cells, np.ndarray], others: int, *, is_split: bool
) -> int:
    """Return how many questions of an attack are answered before the caller, or each account, is refused."""
    count, at = 0, 0
    cells, unlike = asked
    for row in range(len(cells)):
        name = f"account {row % _ACCOUNTS}" if is_split else "thief"
        if others:
            part = slice(at, at + others)
            watch.screened(name, beside[0].take(part), beside[1][part])
            at += others
        here = slice(row, row + 1)
        state = watch.screened(name, cells.take(here), unlike[here])
        if state == "flagged" and not is_split:
            break
        count += state == "passed"
    return count


def _distilled(case: Case, budget: int, watch: Any, rng: np.random.Generator) -> tuple[float, int, bool]:
    """Return what honest-looking questions yield: rescaled fidelity, how many they were, and whether they were seen."""
    half = len(case.held) // 2
    chosen = rng.permutation(len(case.held))[: min(budget, half)]
    asked = case.held.take(chosen)
    told, rest = answers.ask(case.subject, asked), np.setdiff1d(np.arange(len(case.held)), chosen)
    _, agreed = case.fidelity(case.start.space.encode(asked), told, case.start.voice, 0)
    seen = watch.screen("copier", trial.rows_of(asked)).state == "flagged" if isinstance(watch, Detector) else False
    return case.rescaled(float(agreed[rest].mean())), len(chosen), seen


def _counted(found: list[_Attack], answered: Callable[[_Attack], list[int]]) -> tuple[int, int]:
    stopped = [2 * count < one.need for one in found for count in answered(one)]
    return sum(stopped), len(stopped)


def _judged(found: list[_Attack]) -> list[_Attack]:
    """Return the attacks that copy the model with what they ask, for a thief takes one that does; all if none does."""
    return [one for one in found if one.reached] or found


def _prove(found: list[_Attack]) -> Canary:
    """Judge the same attacks, played before a guard that flags nobody, and before one that flags everybody."""
    outcomes = []
    for counts in (_counted(found, lambda one: one.spoilt[0]), _counted(found, lambda one: one.spoilt[1])):
        low, high = (float(bound) for bound in clopper_pearson(*counts))
        outcomes.append(judge(low, high, 0.5, "min"))
    seen, alarm = outcomes[0] is Outcome.FAIL, outcomes[1] is not Outcome.PASS
    return Canary(
        kind="a guard that refuses nobody",
        planted=1,
        found=int(seen),
        clean=1,
        false_alarms=int(alarm),
        noticed=seen and not alarm,
        detail="The same questions; known-good: a guard that refuses everybody.",
    )


def _result(
    found: list[_Attack], honest: tuple[float, int, bool], proof: Canary, is_on: bool, context: Context
) -> Result:
    judged = _judged(found)
    hits, n = _counted(judged, lambda one: [count for way in WAYS for count in one.answered[way]])
    low, high = (float(bound) for bound in clopper_pearson(hits, n))
    floor = context.thresholds[FLOOR]
    outcome = judge(low, high, floor, "min") if proof.noticed else Outcome.INCONCLUSIVE
    main = Measure(
        name="attacks stopped in time", value=hits / n, low=low, high=high, threshold=floor, direction="min",
        outcome=outcome, unit="share", n=n,
        note="Fewer questions answered than half of what the attack needs for a rescaled fidelity of 0.90 (where no "
        f"kind gets there: than half of all that were asked); {_RUNS} runs of each way of {_listed(judged)}.",
    )  # fmt: skip
    shown = [measure for one in found for measure in _shown(one)]
    shown.append(
        Measure(
            name="fidelity of honest-looking questions", value=honest[0], unit="share", n=honest[1],
            note=f"Rescaled; rows like the test rows. {'They were noticed.' if honest[2] else 'Not noticed.'}",
        )
    )  # fmt: skip
    text = f"{hits} of {n} attacks were stopped before half of the questions they need; at least {floor:.0%} must be."
    if not is_on:
        text = f"`controls.P2.detect` is not declared, so nobody is watched. {text}"
    if not proof.noticed:
        text = f"Attacks that nobody stops were not told from stopped ones; this is not believed. {text}"
    curves = tuple(Curve(name=one.kind, x=tuple(map(float, one.counts)), y=tuple(one.curve)) for one in found)
    return Result(
        outcome=outcome,
        reason=text,
        measures=(main, *shown),
        canary=proof,
        plots=(
            Plot(
                kind="curves", title="Fidelity against questions of a thief whom nobody stops", x_label="questions",
                y_label="rescaled fidelity", curves=curves, threshold=trial.ENOUGH,
            ),
        ),
        limits=(
            "Questions that look like those of honest callers are not noticed, whatever they are asked for.",
            "A thief who knows the detector, has old accounts or asks one odd question among a hundred is not noticed.",
            f"The thief has at most {trial.PUBLIC} rows of his own; his students are simple.",
        ),
        remedy=_REMEDY.get(outcome, ""),
    )  # fmt: skip


def _listed(judged: list[_Attack]) -> str:
    return ", ".join(one.kind for one in judged)


def _shown(one: _Attack) -> list[Measure]:
    made = [
        Measure(
            name="questions needed", value=float(one.need), unit="rows", n=one.counts[-1], where=one.kind,
            note="For a rescaled fidelity of 0.90." if one.reached else "It does not get there with all it asks.",
        ),
        Measure(
            name="fidelity when stopped", value=one.by_then, unit="share", n=_RUNS, where=one.kind,
            note="Rescaled; of what was answered to a thief who asks alone.",
        ),
    ]  # fmt: skip
    return made + [
        Measure(
            name="questions answered", value=float(np.median(counts)), unit="rows", n=len(counts),
            where=f"{one.kind}, {way}", note=f"Median; fewest {min(counts)}, most {max(counts)}.",
        )
        for way, counts in one.answered.items()
    ]  # fmt: skip
