"""Evading: ways round the labels, by who wants rows for something else, or has too much in the same program."""

from __future__ import annotations

from dataclasses import dataclass
from shutil import copyfile
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from fivefold.cases.misuse.desk import HOME, PLACES, PURPOSES
from fivefold.cases.misuse.using import WAYS, Use, application, flow_of
from fivefold.errors import InputError, TrustError
from fivefold.guard.opening import require_labels
from fivefold.keys import signing
from fivefold.keys.trust import moment
from fivefold.traceability.labels.binding import Saying, Steward, bind
from fivefold.traceability.labels.examine import beside, examine
from fivefold.traceability.labels.flow import Flow

if TYPE_CHECKING:
    from pathlib import Path

    from fivefold.cases.misuse.desk import Desk

TRICKS = (
    "the label says something else, signed by another key",
    "the label of another table is put beside it",
    "whoever uses it declassifies it",
    "it is used after its term",
)
"""Ways round that the labels are to see."""
PUBLIC: dict[str, Any] = {"class": "public", "personal": [], "purpose": ["publication"], "region": ["world"]}


@dataclass(frozen=True)
class Evaded:
    """What came of ways round the labels, at one desk.

    Attributes:
        tricks: Each of :data:`TRICKS` to the code of the refusal; empty: rows were handed over.
        pretended: Whether rows were handed over for a purpose that was only said.
        past: Whether they were handed over to a program that reads the file by itself.
        next_refused: Whether what that program wrote was refused where it was read next.
        silent: Whether an application for another purpose opened that leaves the control T1 out of its manifest.
        beside: Whether a rightful use was answered while another table had been read in the same program.
        derived: The same, once the program said what its output was made of.
        counts: Whether counts were answered to the public: before the steward signed for it, and after.
        let_go: Whether rows were answered for another purpose that the steward signed for.
        reason: His reason, as the label says it.
    """

    tricks: dict[str, str]
    pretended: bool
    past: bool
    next_refused: bool
    silent: bool
    beside: bool
    derived: bool
    counts: tuple[bool, bool]
    let_go: bool
    reason: str


def evaded(desk: Desk, place: Path, rng: np.random.Generator) -> Evaded:
    """Try every way round at a desk.

    Args:
        desk: The tables.
        place: A folder that is not there.
        rng: Draws tables, purposes and noise.
    """
    place.mkdir()
    name, other = rng.permutation(list(desk.given))[:2].tolist()
    foreign = str(rng.choice([word for word in PURPOSES if word not in desk.given[name]["purpose"]]))
    tricks = {}
    for at, what in enumerate(TRICKS):
        (place / f"trick-{at}").mkdir()
        tricks[what] = _trick(what, desk, place / f"trick-{at}", (name, other, foreign))
    said, away = str(rng.choice(desk.given[name]["purpose"])), str(rng.choice(PLACES))
    past = pd.read_parquet(desk.file(name))  # for a purpose that nobody asks for, and taken away
    past.to_csv(place / "taken.csv", index=False)
    counts = _counts(desk, place, rng)
    let_go = place / "let_go.parquet"
    flow = flow_of(desk, signs=True)
    flow.write(flow.read(desk.file(name)), let_go, fields={"purpose": [foreign]}, declassified="asked for by sales")
    known = examine(let_go, desk.steward.trust, desk.steward.now).known
    return Evaded(
        tricks=tricks,
        pretended=not _answer(flow_of(desk, (said,), (HOME,)), desk.file(name)),
        past=len(past) > 0,
        next_refused=bool(_answer(flow_of(desk, (said,), (away,)), place / "taken.csv")),
        silent=_silent(desk, place / "silent", name, foreign),
        beside=_open_too(desk, place / "beside", (name, other), told=False),
        derived=_open_too(desk, place / "derived", (name, other), told=True),
        counts=counts,
        let_go=not _answer(flow_of(desk, (foreign,), (HOME,)), let_go),
        reason=known.label.declassified if known else "",
    )


def _answer(flow: Flow, file: Path) -> str:
    """Return the code of a refusal, empty where rows are handed over."""
    try:
        flow.read(file)
    except TrustError as refusal:
        return refusal.code
    return ""


def _trick(what: str, desk: Desk, place: Path, about: tuple[str, str, str]) -> str:
    name, other, foreign = about
    trust, now, mine = desk.steward.trust, desk.steward.now, signing.generate()
    copy = place / f"{name}.parquet"
    copyfile(desk.file(name), copy)
    copyfile(beside(desk.file(name)), beside(copy))
    if what == "it is used after its term":
        later = f"{moment(now).year + 6}{now[4:10].replace('02-29', '02-28')}{now[10:]}"
        return _answer(Flow(trust, later, purposes=(desk.given[name]["purpose"][0],), regions=(HOME,)), copy)
    if what == "whoever uses it declassifies it":
        flow = Flow(trust, now, mine, purposes=(desk.given[name]["purpose"][0],), regions=(HOME,))
        flow.write(flow.read(copy), place / "made.parquet", fields={"purpose": [foreign]}, declassified="needed")
        copy = place / "made.parquet"
    elif what == "the label of another table is put beside it":
        foreign = desk.given[other]["purpose"][0]
        copyfile(beside(desk.file(other)), beside(copy))
    else:
        fields = {**desk.given[name], "purpose": [foreign]}
        bind(copy, Saying(name, fields, declassified="needed"), Steward(mine, trust, now))
    return _answer(flow_of(desk, (foreign,), (HOME,)), copy)


def _silent(desk: Desk, place: Path, name: str, foreign: str) -> bool:
    place.mkdir()
    manifest = application(Use(WAYS[4], (name,), foreign, HOME), desk, place, None, [foreign])
    try:
        require_labels(manifest, served=True)
    except TrustError:
        return False
    return True


def _open_too(desk: Desk, place: Path, about: tuple[str, str], *, told: bool) -> bool:
    """Return whether what was made of one table serves its own purpose, another one having been read as well.

    Args:
        desk: The tables.
        place: A folder that is not there; in the same one, the stricter label of the same rows would count.
        about: The table that it is made of, and the other one.
        told: Whether the program says what it was made of.
    """
    place.mkdir()
    name, other = about
    out = place / "made.parquet"
    flow = flow_of(desk, signs=True)
    frame, _ = flow.read(desk.file(name)), flow.read(desk.file(other))
    made = pd.DataFrame(frame.drop(columns="person").sort_values(frame.columns[1]).to_numpy())
    try:
        flow.write(flow.derive([frame], made) if told else made, out)
    except InputError:  # label.no-purpose: the two were given for nothing in common
        return False
    return not _answer(flow_of(desk, (desk.given[name]["purpose"][0],), (HOME,)), out)


def _counts(desk: Desk, place: Path, rng: np.random.Generator) -> tuple[bool, bool]:
    """Return whether counts with noise may be published: as they are made, and once the steward signed that."""
    answers = []
    for which, reason, fields in (("kept", "", {}), ("signed", "counts with noise, epsilon 1", PUBLIC)):
        flow = flow_of(desk, signs=True)
        counts = flow.read(desk.file("care")).groupby("chronic").size().reset_index(name="people")
        counts["people"] += rng.geometric(1 - np.exp(-1), 2) - rng.geometric(1 - np.exp(-1), 2)
        (place / which).mkdir()  # in one folder, equal counts under the stricter label would count
        flow.write(counts, place / which / "counts.csv", declassified=reason, fields=fields)
        answers.append(not _answer(flow_of(desk, ("publication",), PLACES), place / which / "counts.csv"))
    return answers[0], answers[1]
