"""Check D1.admission: whether the guard's own rules let in the application's rows, and refuse what was not declared."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from fivefold.contract.finding import Canary, Measure, Result
from fivefold.contract.outcome import Outcome
from fivefold.errors import UnsupportedError
from fivefold.governance.admission import faults
from fivefold.governance.admission.faults import Request, Setting
from fivefold.governance.admission.rules import Domain, UnfitError, settled
from fivefold.governance.operation.told import PURPOSES
from fivefold.manifest.nouns import Feature
from fivefold.stats.judge import judge
from fivefold.stats.proportion import clopper_pearson

if TYPE_CHECKING:
    from typing import Literal

    from fivefold.contract.check import Context
    from fivefold.contract.subject import SettingsView

ADMITTED = "min_admitted"
LEAST_REFUSED = 0.95
"""Faulty requests that are refused for their fault: all of 100, which shows this."""
_TRIALS, _CANARY_ROWS = 100, 40
_GROUNDS = {"manifest.benefit": "benefit", "data.basis": "data.train.label.basis"}
_REMEDY = "Declare ranges and types under `features:` that hold in your own data."


def run(context: Context) -> Result:
    """Judge D1.admission.

    Threat: the model is asked for what nobody declared, or with input that it was not made for, and answers.
    Limit: the purpose is the asker's word; a value that is possible and wrong passes.

    Raises:
        UnsupportedError: ``admission.undeclared`` where purposes, benefit or lawful ground are not declared: the guard
            serves nothing then.
    """
    purposes = _declared(context.settings)
    table = context.tables("train")
    some = np.sort(context.rng.permutation(len(table))[: context.rows])
    features = {
        str(name): msgspec.convert(dict(value), Feature) for name, value in (context.settings.features or {}).items()
    }
    lacking = frozenset(str(name) for name in table.features if table.features[name].isna().any())
    setting = Setting(table.features.iloc[some].reset_index(drop=True), features, lacking, purposes)
    door = Domain(table.features.iloc[:1], features, lacking)
    admitted, errors = _admitted(door, setting, context.thresholds[ADMITTED])
    context.progress(0.5, "requests with one fault")
    fair = np.array([error is None for error in errors])
    sound = replace(setting, frame=setting.frame[fair].reset_index(drop=True)) if fair.any() else setting
    measures = (admitted, *_refused(door, sound, context.rng))
    bird = _canary(setting, context.thresholds[ADMITTED], context.rng)
    found = {one.outcome for one in measures}
    outcome = next((one for one in (Outcome.FAIL, Outcome.INCONCLUSIVE) if one in found), Outcome.PASS)
    return Result(
        outcome=outcome if bird.noticed else Outcome.INCONCLUSIVE,
        reason=_reason(bird, measures, sorted({error.field for error in errors if error is not None and error.field})),
        measures=measures,
        canary=bird,
        limits=("A column without a declared range takes any number; what is possible and wrong passes.",),
        remedy="" if outcome is Outcome.PASS else _REMEDY,
    )


def _declared(settings: SettingsView) -> tuple[str, ...]:
    known = settings.facts or {}
    purposes = tuple(one for one in str(known.get(PURPOSES) or "").split("\n") if one)
    lacking = [*([] if purposes else ["purposes"]), *(name for fact, name in _GROUNDS.items() if not known.get(fact))]
    if lacking:
        raise UnsupportedError(
            "admission.undeclared", f"{', '.join(lacking)} not declared: the guard serves nothing.",
            remedy="Declare what the application is for, what good it shall do, and the lawful ground.",
        )  # fmt: skip
    return purposes


def why_refused(door: Domain | None, purposes: tuple[str, ...], request: Request) -> UnfitError | None:
    """Return why a request is refused; None: it is let in, as everything is where there is no door."""
    if door is None:
        return None
    own = purposes if request.own is None else request.own
    wanted = request.wanted or (purposes[0] if request.own is None else "")
    try:
        settled(request.role, wanted, own, purposes)
        door.admit(request.given)
    except UnfitError as error:
        return error
    return None


def _admitted(door: Domain, setting: Setting, floor: float) -> tuple[Measure, list[UnfitError | None]]:
    """Return how many of the rows are let in, and why each is not."""
    count = len(setting.frame)
    found = [why_refused(door, setting.purposes, Request(setting.given(at), "")) for at in range(count)]
    note = "Rows of the training data, one a request."
    return _measure("own rows let in", found.count(None), count, floor, note), found


def _refused(door: Domain | None, setting: Setting, rng: np.random.Generator) -> tuple[Measure, Measure]:
    counts = []
    for make in (faults.purpose, faults.field):
        requests = [make(setting, rng) for _ in range(_TRIALS)]
        said = [why_refused(door, setting.purposes, request) for request in requests]
        pairs = zip(said, requests, strict=True)
        counts.append(sum(one is not None and (one.code, one.field) == (r.code, r.field) for one, r in pairs))
    return (
        _measure("requests for another purpose refused", counts[0], _TRIALS, LEAST_REFUSED, "Also of another role."),
        _measure(
            "input with one fault refused, its field named", counts[1], _TRIALS, LEAST_REFUSED,
            "A column too many or too few, another type, out of range, missing.",
        ),
    )  # fmt: skip


def _measure(name: str, count: int, n: int, floor: float, note: str) -> Measure:
    low, high = (float(bound) for bound in clopper_pearson(count, n))
    direction: Literal["min"] = "min"
    return Measure(
        name=name, value=count / n, low=low, high=high, threshold=floor, direction=direction, unit="share", n=n,
        outcome=judge(low, high, floor, direction), note=note,
    )  # fmt: skip


def _canary(setting: Setting, floor: float, rng: np.random.Generator) -> Canary:
    """Hold no door at all, the door of another table, and one without ranges against the same floors."""
    frame = setting.frame
    drawn = rng.integers(0, len(frame), _CANARY_ROWS)
    mine = Setting(frame.iloc[drawn].reset_index(drop=True), setting.features, setting.lacking, setting.purposes)
    other = frame.iloc[:1].drop(columns=frame.columns[int(rng.integers(frame.shape[1]))])
    none = all(one.outcome is Outcome.FAIL for one in _refused(None, mine, rng))
    shut = _admitted(Domain(other, {}, mine.lacking), mine, floor)[0].outcome is Outcome.FAIL
    wide = Domain(frame.iloc[:1], {}, mine.lacking)
    alarm = _admitted(wide, mine, floor)[0].outcome is Outcome.FAIL
    return Canary(
        kind="no door, and the door of another table", planted=2, found=none + shut, clean=1, false_alarms=int(alarm),
        noticed=none and shut and not alarm, detail="These very rows, drawn again; one column taken out; no ranges.",
    )  # fmt: skip


def _reason(bird: Canary, measures: tuple[Measure, ...], fields: list[str]) -> str:
    if not bird.noticed:
        return "A door that was spoilt was not told from a whole one, so nothing is concluded."
    own, *others = measures
    counted = "; ".join(f"{one.name}: {round((one.value or 0) * one.n)} of {one.n}" for one in others)
    text = f"{round((own.value or 0) * own.n):,} of {own.n:,} own rows are let in; {counted}."
    return text + (f" Own rows are refused for {', '.join(fields[:5])}." if fields else "")
