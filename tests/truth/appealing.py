"""Subjects of F1.challenge: desks that hear appeals as they must, or wrong in one way, and records of how they went."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import pandas as pd

from fivefold.contract.subject import Capabilities, SettingsView, Subject, Table, Task
from fivefold.errors import InputError, UnsupportedError
from fivefold.governance.appeals import course, standing
from fivefold.governance.appeals.check import Forgetful, LastWord, SelfServing, Timeless, Unasked
from fivefold.governance.appeals.desk import Desk

from .entry import Entry
from .floors import floors
from .subjects import context, filler, table

if TYPE_CHECKING:
    from fivefold.contract.check import Context
    from fivefold.governance.appeals.examining import Again
    from fivefold.governance.appeals.nouns import Appeal

CHECK = "F1.challenge"


@dataclass(frozen=True)
class Hashing:
    """A model that answers by a hash of the row.

    Attributes:
        classes: Labels; empty: it gives numbers.
    """

    classes: tuple[str, ...]

    @property
    def task(self) -> Task:
        return "binary" if len(self.classes) == 2 else "multiclass" if self.classes else "regression"

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(scores=False, retrains=False, perturbable=True)

    def predict(self, given: Table) -> np.ndarray:
        marks = pd.util.hash_pandas_object(given.features.astype(str), index=False).to_numpy()
        if not self.classes:
            return (marks % 1000).astype(np.float64) / 7
        return (marks % len(self.classes)).astype(np.int64)

    def predict_proba(self, given: Table) -> np.ndarray:
        raise UnsupportedError("test.scores", f"{len(given)} rows, labels only.")

    def retrain(self, given: Table, seed: int) -> Subject:
        raise UnsupportedError("test.retrain", f"{len(given)} rows, seed {seed}: fixed answers.")

    def gradient(self, given: Table, target: np.ndarray, loss: str) -> tuple[np.ndarray, np.ndarray]:
        raise UnsupportedError("test.gradient", f"{len(given)} rows, {len(target)} targets, {loss}.")


class _Literal(Desk):
    """Names are held against each other letter by letter."""

    def _require_free(self, appeal: Appeal, who: str) -> None:
        if who in {appeal.by, appeal.person, *appeal.deciders}:
            raise InputError("appeal.self", "not you.")
        super()._require_free(msgspec.structs.replace(appeal, by="-", person="", deciders=()), who)


class _Trusting(Desk):
    """Whoever decided may review: only who filed may not."""

    def _require_free(self, appeal: Appeal, who: str) -> None:
        super()._require_free(msgspec.structs.replace(appeal, deciders=()), who)


class _Quiet(Desk):
    """Missed deadlines go without a record."""

    def _alarm(self, recorder: Any) -> int:
        del recorder
        return 0


class _Credulous(Desk):
    """Another model's answers count as a replay."""

    def examine(self, appeal: Appeal, again: Again | None, why: str, recorder: Any) -> Appeal:
        if again is not None and again.model != appeal.model:
            again = getattr(again, "again", again)
        return super().examine(appeal, again, why, recorder)


class _Wordless(Desk):
    """No reason is given."""

    def _reason(self, *_: Any) -> str:
        return ""


def build(seed: int, made: type[Desk] = Desk, *, filed: tuple[int, int] = (0, 1), fault: str = "") -> Context:
    """Build one application: its desk, and what its record says of appeals.

    Args:
        seed: Of everything else.
        made: How the desk behaves.
        filed: Fewest and most appeals on record, the last not included.
        fault: Of one of them; empty: none has any.
    """
    rng = np.random.default_rng([seed, 0])
    n, width = int(rng.integers(40, 200)), int(rng.choice([0, 2, 4]))
    frame = filler(rng, n, int(rng.integers(3, 20)))
    classes = tuple(f"answer {i}" for i in range(width))
    target = rng.integers(0, width, n) if width else rng.normal(size=n)
    count = int(rng.integers(*filed))
    told = [standing.Standing(bool(rng.random() < 0.2), ()) for _ in range(count)]
    if fault:
        told[int(rng.integers(count))] = standing.Standing(open=False, faults=(fault,))
    fast = "/dev/shm" if Path("/dev/shm").is_dir() else None  # thousands of syncs
    scratch = Path(tempfile.mkdtemp(prefix="fivefold-truth-", dir=fast)) / "scratch"
    scratch.mkdir()
    settings = SettingsView(
        controls={"F1": {"appeal": {"days": int(rng.integers(1, 120))}}}, classes=classes,
        facts={standing.APPEALS: msgspec.json.encode(told).decode()},
    )  # fmt: skip
    return context(
        CHECK, Hashing(classes), {"test": table("test", frame, target)}, seed, thresholds=floors(CHECK),
        settings=settings, scratch=scratch, uses={"appeals": made}, effort="quick",
    )  # fmt: skip


def careless(seed: int) -> Context:
    """Build a desk at which anybody reviews."""
    return build(seed, SelfServing)


def unheard(seed: int) -> Context:
    """Build a record with an appeal that nobody decided in time."""
    return build(seed, filed=(1, 60), fault=course.LATE)


ENTRIES = {
    CHECK: Entry(
        check=CHECK,
        documented="one appeal of up to 60 on record that went wrong in any way; a desk that is wrong in one way",
        planted={
            **{f"on record: {fault}": partial(build, filed=(1, 60), fault=fault) for fault in course.FAULTS},
            "anybody reviews": careless,
            "the last word wins": partial(build, made=LastWord),
            "no deadline": partial(build, made=Timeless),
            "nothing is replayed": partial(build, made=Unasked),
            "nothing is remedied": partial(build, made=Forgetful),
            "names letter by letter": partial(build, made=_Literal),
            "who decided reviews": partial(build, made=_Trusting),
            "missed deadlines are not on record": partial(build, made=_Quiet),
            "another model replays": partial(build, made=_Credulous),
            "no reason is given": partial(build, made=_Wordless),
        },
        clean={"no appeal yet": build, "appeals that went well": partial(build, filed=(1, 60))},
        small={"one appeal, reviewed by who decided": partial(build, filed=(1, 2), fault=course.SELF)},
        scratch=True,
    )
}
