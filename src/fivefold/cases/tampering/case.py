"""The case: a labelled table and recorded decisions, tampered with in every way, before the labels and after."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from fivefold.cases.nouns import Figure, Told
from fivefold.cases.tampering import altering
from fivefold.cases.tampering.decisions import ALTERED, DECIDED, WAYS, settled
from fivefold.cases.tampering.office import ASKING, VISITED, granted, households, learned
from fivefold.cases.tampering.shelf import filled
from fivefold.errors import TrustError
from fivefold.traceability.labels.examine import examine
from fivefold.traceability.labels.flow import Flow

if TYPE_CHECKING:
    from collections.abc import Callable

    from fivefold.cases.tampering.altering import Act
    from fivefold.cases.tampering.decisions import Settled
    from fivefold.cases.tampering.shelf import Shelf
    from fivefold.traceability.labels.faults import Fault

_STORY = (
    (
        "An office decides who gets support by a model learned from households that were visited. Somebody with "
        "access to the folder helps a district, a relative or himself: outcomes and incomes are edited, columns "
        "exchanged, households made up or left out; the label is stripped, taken from elsewhere, signed by another "
        "key, or an earlier one is put back."
    ),
    "Others alter decisions afterwards, where they stand.",
    (
        "Before: the office learns from whatever table stands there, and reads decisions from a plain file. After: the "
        "table has a label signed by its steward, of which an auditor keeps a copy, and is read through "
        "`Flow.read(..., known=...)`; decisions stand in a record that a witness cosigned."
    ),
)
_LIMITS = (
    "The households and the tampering are drawn by a program of our own.",
    "A table that is refused is taken as mended: the office goes on with the sound one.",
    "Who holds the steward's key may change everything and sign it; no label shows that.",
    "What was false before the label was signed is signed with the rest.",
    "Earlier tables and labels put back show only against a label kept elsewhere, a rewritten record to a witness.",
)


@dataclass(frozen=True)
class Seen:
    """What came of one tampering.

    Attributes:
        act: What was done, and where.
        before: Whether the office learned from the table without a label.
        after: Whether it did so through the labels.
        alone: Whether the label would have shown nothing, had no other one been kept elsewhere.
        faults: What the labels say was done.
        moved: Decisions that turn out otherwise: without the labels, and with them.
    """

    act: Act
    before: bool
    after: bool
    alone: bool
    faults: tuple[Fault, ...]
    moved: tuple[int, int]

    @property
    def named(self) -> bool:
        """Whether the labels call it what it is."""
        return altering.NAMED[self.act.what] in {fault.kind for fault in self.faults}

    @property
    def located(self) -> bool:
        """Whether they name exactly the columns and groups of rows."""
        return len(self.faults) == 1 and dict(self.faults[0].cells) == self.act.cells


@dataclass(frozen=True)
class Office:
    """One office.

    Attributes:
        seen: Each way to tamper with its table.
        owner: The same by who holds the steward's key.
        accused: How many of two tables that nobody changed were accused.
        settled: What came of its decisions.
    """

    seen: tuple[Seen, ...]
    owner: Seen
    accused: int
    settled: Settled


def run(runs: int, seed: int, progress: Callable[[float, str], None] = lambda _share, _text: None) -> Told:
    """Draw ``runs`` offices; tamper with the table of each in every way, and with its decisions.

    Args:
        runs: How many.
        seed: Decides everything but keys.
        progress: Called with a share in [0, 1].
    """
    return told(offices(runs, seed, progress), seed)


def offices(
    runs: int,
    seed: int,
    progress: Callable[[float, str], None] = lambda _share, _text: None,
    sizes: tuple[int, int] = (VISITED, DECIDED),
) -> list[Office]:
    """Return what came of tampering in each of ``runs`` offices with so many households visited and decisions kept."""
    met = []
    for at in range(runs):
        with tempfile.TemporaryDirectory(prefix="fivefold-case-") as folder:
            met.append(_office(Path(folder), np.random.Generator(np.random.PCG64([seed, at])), sizes))
        progress((at + 1) / runs, f"office {at + 1} of {runs}")
    return met


def _office(place: Path, rng: np.random.Generator, sizes: tuple[int, int]) -> Office:
    (place / "shelf").mkdir()
    shelf, asking = filled(place / "shelf", rng, sizes[0]), households(ASKING, rng)
    right = granted(learned(shelf.rows), asking)
    seen = tuple(
        _seen(altering.done(what, shelf, place / f"act-{at}", rng), shelf, asking, right)
        for at, what in enumerate(altering.NAMED)
    )
    accused = sum(
        _refused(file, shelf)
        for file in (shelf.copied(place / "copied"), altering.anew(shelf, place / "anew", rng))
    )  # fmt: skip
    (place / "record").mkdir()
    decided = granted(learned(shelf.rows), households(sizes[1], rng))
    return Office(
        seen, _owner(place / "owner", shelf, asking, right, rng), accused, settled(place / "record", decided, rng)
    )


def _owner(place: Path, shelf: Shelf, asking: pd.DataFrame, right: np.ndarray, rng: np.random.Generator) -> Seen:
    """Edit outcomes of a district and sign them anew with the steward's own key."""
    what = next(iter(altering.NAMED))
    file = shelf.copied(place)
    altering.resigned(altering.changed(what, shelf.rows, rng), file, shelf.steward)
    return _seen(altering.Act(what, file), shelf, asking, right)


def _seen(act: Act, shelf: Shelf, asking: pd.DataFrame, right: np.ndarray) -> Seen:
    moved = _moved(act.file, asking, right)
    faults = examine(act.file, shelf.steward.trust, shelf.steward.now, [shelf.kept]).faults
    alone = not examine(act.file, shelf.steward.trust, shelf.steward.now).faults
    learns = not _refused(act.file, shelf)
    return Seen(act, moved is not None, learns, alone, faults, (moved or 0, (moved or 0) if learns else 0))


def _refused(file: Path, shelf: Shelf) -> bool:
    """Return whether a table is refused where the office reads it, for support, in one of its countries."""
    flow = Flow(shelf.steward.trust, shelf.steward.now, purposes=("support",), regions=("DE",))
    try:
        flow.read(file, known=[shelf.kept])
    except TrustError:
        return True
    return False


def _moved(file: Path, asking: pd.DataFrame, right: np.ndarray) -> int | None:
    """Return how many decisions turn out otherwise by a table; None: nothing can be learned from it."""
    try:
        model = learned(pd.read_parquet(file))
    except KeyError:  # a column is gone
        return None
    return int((granted(model, asking) != right).sum())


def told(met: list[Office], seed: int) -> Told:
    """Return the case as offices went through it."""
    acts = [one for office in met for one in office.seen]
    placed = [one for one in acts if one.act.cells]
    back = [one for one in acts if altering.NAMED[one.act.what] == "downgraded"]
    asked, altered, runs = ASKING * len(acts), ALTERED * len(met), len(met)
    ends = [one.settled for one in met]
    accused = sum(one.accused + one.settled.accused for one in met)
    learns, moved, read = (
        "changed tables that the office learns from",
        "decisions that turn out otherwise because of them",
        "decisions altered afterwards that read as true",
    )
    return Told(
        id="X9.tampering",
        title="Rows and decisions changed by somebody with access",
        story=_STORY,
        before=(
            Figure(learns, sum(one.before for one in acts), len(acts), good=False),
            Figure(moved, sum(one.moved[0] for one in acts), asked, good=False),
            Figure(read, sum(one.plain for one in ends), altered, good=False),
        ),
        after=(
            Figure(learns, sum(one.after for one in acts), len(acts), good=False),
            Figure(moved, sum(one.moved[1] for one in acts), asked, good=False),
            Figure(read, sum(one.recorded for one in ends), altered, good=False),
            Figure("of the changes named as what was done", sum(one.named for one in acts), len(acts), good=True),
            Figure(
                "located to exactly their columns and groups of rows",
                sum(one.located for one in placed), len(placed), good=True,
            ),
            Figure(
                "records altered in ten ways, unnoticed",
                sum(len(one.unseen) for one in ends), len(WAYS) * runs, good=False,
            ),
            Figure("tables and records that nobody changed, accused", accused, 3 * runs, good=False),
            Figure(
                "tables edited and signed anew with the steward's key, learned from",
                sum(one.owner.after for one in met), runs, good=False,
            ),
            Figure(
                "earlier labels put back, unnoticed where none is kept elsewhere",
                sum(one.alone for one in back), len(back), good=False,
            ),
            Figure(f"{read}, without a witness", sum(one.alone for one in ends), altered, good=False),
        ),
        example=_example(met),
        limits=_LIMITS,
        seed=seed,
    )  # fmt: skip


def _example(met: list[Office]) -> tuple[str, ...]:
    """Return what was said of the first office, and for each way how many decisions it moves."""
    lines = []
    for at, what in enumerate(altering.NAMED):
        these = [office.seen[at] for office in met]
        count = sum(one.moved[0] for one in these)
        lines.append(f"{what}: {count} of {ASKING * len(met)} decisions otherwise. Label: {_said(these[0])}")
    owner = sum(one.owner.moved[1] for one in met)
    lines.append(f"with the steward's key: {owner} of {ASKING * len(met)} decisions otherwise. Label: it holds.")
    ways = sorted({way for one in met for way in one.settled.unseen_alone})
    lines.append(f"Not seen in a record that no witness knows: {', '.join(ways) or 'none of the ten ways'}.")
    return tuple(lines)


def _said(one: Seen) -> str:
    if not one.faults:
        return "it holds."
    first = one.faults[0]
    return (
        f"{first.kind} [{first.code}]" if first.kind == "forged" else first.text
    )  # no key's name: each run has its own
