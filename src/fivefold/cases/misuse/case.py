"""The case: rightful uses and others of labelled tables, and ways round the labels, counted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from fivefold.cases.home import at_home
from fivefold.cases.misuse import desk as desks
from fivefold.cases.misuse.evading import TRICKS, evaded
from fivefold.cases.misuse.using import REFUSED, WAYS, bare, drawn, labelled
from fivefold.cases.nouns import Figure, Told

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from fivefold.cases.misuse.desk import Desk
    from fivefold.cases.misuse.evading import Evaded
    from fivefold.cases.misuse.using import Use

EACH = 4
"""Rightful uses of each way at a desk, and as many others."""
_STORY = (
    (
        "People gave a clinic, an employer and a shop data for something: treatment, a pension, offers. Each table has "
        "purposes and places that its people agreed to. Others want the rows for hiring, insurance or offers, in "
        "another country, joined with another table, as a release to a partner, or by a model."
    ),
    (
        "Some go round: a label of their own, the label of another table, declassifying by oneself, use after the "
        "term, a purpose that is only said, a program that reads the file past the labels."
    ),
    (
        "Before: whoever can read a file uses it. After: a steward's signed labels are asked at reading "
        "(`Flow.read`), before a release (control T1: region, recipients), where a guard opens (purposes, serves), and "
        "of what is made of them (strictest of all); a model is asked for its declared purposes alone (D1)."
    ),
)
_LIMITS = (
    "Desks, labels and uses are drawn by a program of our own.",
    "Purposes and places are as said: who lies about them is answered (X10 shows what watching requests notices).",
    "A program that reads the file by itself is not stopped; only what it makes is known by having no label.",
    "An application that leaves the control T1 out is asked nothing at opening; assessed, it fails T1.enforcement.",
    "A steward may sign anything away; his reason stands in the label, whether it is a good one is for people to say.",
    "Whether the counts that he signs for are private is not measured here (S2 does).",
)


@dataclass(frozen=True)
class Used:
    """One use, and what came of it.

    Attributes:
        use: What was done.
        wrong: In what it goes beyond what the people were told; empty: it is rightful.
        before: People whose rows went into it with nothing before them.
        after: The same by the labels.
        code: Of the refusal.
    """

    use: Use
    wrong: frozenset[str]
    before: int
    after: int
    code: str

    @property
    def named(self) -> bool:
        """Whether it was refused for what is wrong about it."""
        return REFUSED.get(self.code) in self.wrong


@dataclass(frozen=True)
class Met:
    """What came of one desk: its uses, and ways round."""

    uses: tuple[Used, ...]
    evaded: Evaded


def run(runs: int, seed: int, progress: Callable[[float, str], None] = lambda _share, _text: None) -> Told:
    """Draw ``runs`` desks; use the tables of each rightfully and otherwise, and go round their labels.

    Args:
        runs: How many.
        seed: Decides everything but keys.
        progress: Called with a share in [0, 1].
    """
    return told(met(runs, seed, progress), seed)


def met(
    runs: int, seed: int, progress: Callable[[float, str], None] = lambda _share, _text: None, each: int = EACH
) -> list[Met]:
    """Return what came of ``runs`` desks, with so many uses of each way, rightful and otherwise."""
    found = []
    for at in range(runs):
        with at_home() as home:
            found.append(_met(home, np.random.Generator(np.random.PCG64([seed, at])), each))
        progress((at + 1) / runs, f"desk {at + 1} of {runs}")
    return found


def _met(home: Path, rng: np.random.Generator, each: int) -> Met:
    (home / "desk").mkdir()
    desk = desks.labelled(home / "desk", rng)
    uses = [drawn(way, desk, rng, rightful=good) for way in WAYS for good in (True, False) for _ in range(each)]
    return Met(
        tuple(_used(use, desk, home / f"use-{at}") for at, use in enumerate(uses)), evaded(desk, home / "round", rng)
    )


def _used(use: Use, desk: Desk, place: Path) -> Used:
    return Used(use, use.wrong(desk), bare(use, desk), *labelled(use, desk, place))


def told(found: list[Met], seed: int) -> Told:
    """Return the case as desks went through it."""
    every = [one for desk in found for one in desk.uses]
    wrong, right = [one for one in every if one.wrong], [one for one in every if not one.wrong]
    rounds, runs = [one.evaded for one in found], len(found)
    rows = sum(one.before for one in wrong)
    tricks = sum(not code for one in rounds for code in one.tricks.values())
    answered, handed, refused = (
        "uses for something else, or elsewhere, that are answered",
        "rows of people that go into them",
        "rightful uses that are refused",
    )
    return Told(
        id="X9.misuse",
        title="Data used for something that they were not given for",
        story=_STORY,
        before=(
            Figure(answered, sum(one.before > 0 for one in wrong), len(wrong), good=False),
            Figure(handed, rows, rows, good=False),
            Figure(refused, sum(not one.before for one in right), len(right), good=False),
        ),
        after=(
            Figure(answered, sum(one.after > 0 for one in wrong), len(wrong), good=False),
            Figure(handed, sum(one.after for one in wrong), rows, good=False),
            Figure(refused, sum(not one.after for one in right), len(right), good=False),
            Figure("of the others refused for what is wrong", sum(one.named for one in wrong), len(wrong), good=True),
            Figure("ways round by label, declassifying or term, answered", tricks, len(TRICKS) * runs, good=False),
            _counted("other uses said to be rightful ones, answered", [one.pretended for one in rounds]),
            _counted("files read past the labels, answered", [one.past for one in rounds]),
            _counted("of what they made, refused where it is read", [one.next_refused for one in rounds], good=True),
            _counted("applications without the control, opened for something else", [one.silent for one in rounds]),
            _counted("rows signed away by the steward for something else, answered", [one.let_go for one in rounds]),
            _counted("of them with his reason in the label", [bool(one.reason) for one in rounds], good=True),
            _counted("rightful uses refused, another table having been read", [not one.beside for one in rounds]),
            _counted("the same, once the program says what it was made of", [not one.derived for one in rounds]),
            _counted("harmless counts refused to the public", [not one.counts[0] for one in rounds]),
            _counted("the same, once the steward signed for them", [not one.counts[1] for one in rounds]),
        ),
        example=_example(found),
        limits=_LIMITS,
        seed=seed,
    )  # fmt: skip


def _counted(what: str, some: list[bool], *, good: bool = False) -> Figure:
    return Figure(what, sum(some), len(some), good)


def _example(found: list[Met]) -> tuple[str, ...]:
    """Return of each way the counts, and a use of the first desk that was refused; and why ways round were."""
    lines = []
    for way in WAYS:
        uses = [one for desk in found for one in desk.uses if one.use.way == way]
        wrong, right = [one for one in uses if one.wrong], [one for one in uses if not one.wrong]
        first = wrong[0]
        what = (
            f"{' and '.join(first.use.tables)} for {first.use.purpose or 'nothing that is said'} in {first.use.place}"
        )
        lines.append(
            f"{way}: {sum(one.after > 0 for one in wrong)} of {len(wrong)} other uses and "
            f"{sum(one.after > 0 for one in right)} of {len(right)} rightful ones answered. "
            f"{what}: {first.code or 'answered'}."
        )
    lines += [f"{what}: {found[0].evaded.tricks[what] or 'answered'}." for what in TRICKS]
    return tuple(lines)
