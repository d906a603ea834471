"""F1.challenge: whether every appeal is replayed, reviewed by somebody else, decided in time, remedied, on record."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import msgspec
import numpy as np

from fivefold.contract.finding import Canary, Measure, Result
from fivefold.contract.outcome import Outcome, worst
from fivefold.errors import InputError, UnsupportedError
from fivefold.governance.appeals import standing
from fivefold.governance.appeals.desk import Desk
from fivefold.governance.appeals.nouns import SAME, declared
from fivefold.governance.appeals.trial import FATES, Trial
from fivefold.subject.rows import bare

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    import pandas as pd

    from fivefold.contract.check import Context
    from fivefold.contract.subject import Subject
    from fivefold.governance.appeals.examining import Again
    from fivefold.governance.appeals.nouns import Appeal

UNSOUND, ASTRAY = "max_unsound", "max_astray"
_CANARY_ROWS = len(FATES)


def run(context: Context) -> Result:
    """Judge F1.challenge.

    Threat: whoever is wronged is not heard, heard by who wronged him, too late, or heard and forgotten.
    Limit: what the record holds is its owner's; an appeal that nobody filed here is not seen; one person with two names
    reviews himself unseen.

    Raises:
        UnsupportedError: ``appeal.undeclared``; ``appeal.rows`` for fewer than ten test rows or rows that are no table;
            ``appeal.scratch`` without a scratch folder.
    """
    days = _days(context)
    if context.scratch is None or context.subject is None:
        raise UnsupportedError("appeal.scratch", "there is no scratch folder, or no model.")
    rows, walk = _rows(context), _Walk(Asked(context.subject), days, context.scratch, context.rng)
    make = cast("Callable[..., Desk]", context.uses["appeals"])
    context.progress(0.1, "walking drill appeals through")
    walked = walk(make, rows, "appeals")
    context.progress(0.6, "planting careless desks")
    bird = _canary(walk, rows.iloc[:_CANARY_ROWS])
    filed = standing.read(str((context.settings.facts or {}).get(standing.APPEALS) or ""))
    measures = (*_on_record(filed, context.thresholds), _astray(walked, context.thresholds), *_shown(filed))
    outcome = worst([one.outcome for one in measures if one.outcome is not None])
    return Result(
        outcome=outcome if bird.noticed else Outcome.INCONCLUSIVE,
        reason=_reason(filed, walked, bird),
        measures=measures,
        canary=bird,
        limits=(
            "Appeals are those on record that this user can read; of erased people none is left.",
            "People are told apart by the names of their tokens.",
            "The drill's desk stood in a scratch file; a database named in site.yaml is not asked.",
        ),
        remedy="" if outcome is Outcome.PASS else _remedy(filed, walked),
    )


@dataclass(frozen=True)
class Asked:
    """The model under test as one that is asked again."""

    subject: Subject
    model: str = "0" * 64

    @property
    def answers(self) -> tuple[str, ...]:
        """Its labels."""
        return self.subject.classes

    def ask(self, rows: pd.DataFrame) -> dict[str, np.ndarray]:
        """Return what it gives."""
        table = bare(rows, self.subject.classes)
        return {"predict": np.asarray(self.subject.predict(table))}

    def answer(self, rows: pd.DataFrame) -> list[str]:
        """Return its answers in words."""
        found = self.ask(rows)["predict"].tolist()
        return [self.answers[int(one)] if self.answers else repr(float(one)) for one in found]

    def reason(self, rows: pd.DataFrame) -> str:
        """Give none: drill decisions left with theirs."""
        del rows
        return ""


class SelfServing(Desk):
    """Whoever comes may decide."""

    def _require_free(self, appeal: Appeal, who: str) -> None:
        """Look at nothing but whether it is decided."""
        del who
        if appeal.decided:
            raise self._decided(appeal.id)


class LastWord(Desk):
    """Whoever comes last has decided, too."""

    def _require_free(self, appeal: Appeal, who: str) -> None:
        """Take an earlier decision away."""
        super()._require_free(msgspec.structs.replace(appeal, decided=()), who)
        if appeal.decided:
            self._queued.withdraw([appeal.id])


class Timeless(Desk):
    """It gives itself as long as it likes."""

    def __init__(self, home: Any, terms: Any, *, now: Callable[[], int]) -> None:
        """Take more days."""
        super().__init__(home, msgspec.structs.replace(terms, days=10 * terms.days), now=now)


class Unasked(Desk):
    """It says that the decision was replayed, and asks nobody."""

    def examine(self, appeal: Appeal, again: Again | None, why: str, recorder: Any) -> Appeal:
        """Make it up."""
        del again, why
        with recorder.open(appeal.case, subject=appeal.person, model=appeal.model) as records:
            records.add("status", {"appeal": appeal.id, "step": "replayed", "outcome": SAME, "model": ""})
            records.add("status", {"appeal": appeal.id, "step": "explained", "text": "It is right."}, wait=True)
        return self.get(appeal.id)


class Forgetful(Desk):
    """It decides, and remedies nothing."""

    def settle(self, recorder: Any) -> int:
        """Put nothing on record."""
        del recorder
        return 0


CARELESS = (SelfServing, LastWord, Timeless, Unasked, Forgetful)
"""Desks that are each wrong in one way."""


def _days(context: Context) -> int:
    try:
        terms = declared(context.settings.controls or {})
    except InputError as error:
        raise UnsupportedError(error.code, error.message, remedy=error.remedy) from None
    if terms is None:
        raise UnsupportedError(
            "appeal.undeclared", "the manifest does not declare that decisions can be appealed.",
            remedy="Write under controls: F1: {appeal: {days: 30, to: where to appeal}}.",
        )  # fmt: skip
    return terms.days


def _rows(context: Context) -> pd.DataFrame:
    table = context.tables("test")
    if table.inputs is not None or not table.features.shape[1]:
        raise UnsupportedError("appeal.rows", "only decisions about rows of tables are walked through here.")
    if len(table) < len(FATES):
        raise UnsupportedError(
            "appeal.rows", f"there are {len(table)} test rows.", remedy=f"Give {len(FATES)} or more."
        )
    most = min(context.rows, len(table))
    chosen = np.sort(context.rng.choice(len(table), most - most % len(FATES), replace=False))
    return table.take(chosen).features


@dataclass(frozen=True)
class _Walk:
    """Walks drill appeals through a desk: against this model, within so many days, below this folder."""

    again: Asked
    days: int
    scratch: Path
    rng: np.random.Generator

    def __call__(self, make: Callable[..., Desk], rows: pd.DataFrame, name: str) -> Mapping[str, tuple[str, ...]]:
        folder = self.scratch / name
        folder.mkdir()
        return Trial(make, self.again, self.days, folder, self.rng).run(rows)


def _on_record(filed: list[standing.Standing], floors: Mapping[str, float]) -> tuple[Measure, ...]:
    """Return how many appeals on record went wrong; each was looked at: no bounds."""
    if not filed:
        return ()
    bad = sum(bool(one.faults) for one in filed)
    return (_share("appeals on record that went wrong", bad, len(filed), floors[UNSOUND]),)


def _astray(walked: Mapping[str, tuple[str, ...]], floors: Mapping[str, float]) -> Measure:
    return _share("drill appeals that went wrong", sum(map(bool, walked.values())), len(walked), floors[ASTRAY])


def _share(name: str, count: int, n: int, floor: float) -> Measure:
    return Measure(
        name=name, value=count / n, threshold=floor, direction="max", unit="share", n=n,
        outcome=Outcome.PASS if count / n <= floor else Outcome.FAIL,
    )  # fmt: skip


def _shown(filed: list[standing.Standing]) -> tuple[Measure, ...]:
    counts = Counter(fault for one in filed for fault in one.faults)
    made = [Measure(name=f"appeals {name}", value=float(count), unit="appeals", n=len(filed))
            for name, count in sorted(counts.items())]  # fmt: skip
    if filed:
        waiting = sum(one.open for one in filed)
        made.append(Measure(name="appeals that wait", value=float(waiting), unit="appeals", n=len(filed)))
    return tuple(made)


def _canary(walk: _Walk, rows: pd.DataFrame) -> Canary:
    """Walk appeals through careless desks, and once through this version's own, on these very rows."""

    def wrong(make: Callable[..., Desk], name: str) -> bool:
        return any(walk(make, rows, name).values())

    found = sum(wrong(kind, kind.__name__.lower()) for kind in CARELESS)
    alarms = sum(wrong(Desk, f"sound {at}") for at in range(2))
    return Canary(
        kind="desks that let anybody review, decide twice, know no deadline, replay nothing, remedy nothing",
        planted=len(CARELESS), found=found, clean=2, false_alarms=alarms,
        noticed=found == len(CARELESS) and not alarms,
        detail=f"{len(rows)} of these rows each, one for each fate; this version's own desk twice.",
    )  # fmt: skip


def _reason(filed: list[standing.Standing], walked: Mapping[str, tuple[str, ...]], bird: Canary) -> str:
    if not bird.noticed:
        return "Planted careless desks were not told from a sound one, so nothing of it is believed."
    bad = Counter(fault for one in filed for fault in one.faults)
    astray = Counter(fault for faults in walked.values() for fault in faults)
    on_record = "No appeal of the last year is on record"
    if filed:
        said = ", ".join(f"{name}: {count}" for name, count in sorted(bad.items())) or "nothing is wrong with them"
        on_record = f"Appeals on record: {len(filed):,}; {said}"
    said = ", ".join(f"{name}: {count}" for name, count in sorted(astray.items())) or "none went wrong"
    return f"{on_record}. Of {len(walked)} drill appeals: {said}."


def _remedy(filed: list[standing.Standing], walked: Mapping[str, tuple[str, ...]]) -> str:
    if any(walked.values()):
        return "Do not rely on this desk; report it with what was found."
    if any(one.faults for one in filed):
        return "Decide what waits (fivefold appeal list), by somebody else, and in time; a fault stands for a year."
    return ""
