"""The picture of the case: of each kind of use, how many are answered before the labels and after."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fivefold.cases.immigrant.picture import drawn
from fivefold.cases.misuse.using import WAYS
from fivefold.cases.nouns import Figure, Told

if TYPE_CHECKING:
    from fivefold.cases.misuse.case import Met


def answered(found: list[Met]) -> str:
    """Return an SVG of the share of uses answered: those for something else, ways round the labels, rightful ones."""
    uses, rounds = [one for desk in found for one in desk.uses], [desk.evaded for desk in found]
    rows: list[tuple[str, list[bool], list[bool]]] = []
    for way in WAYS:
        some = [one for one in uses if one.use.way == way and one.wrong]
        rows.append((f"other: {way}", [one.before > 0 for one in some], [one.after > 0 for one in some]))
    for what, now in (
        ("other: round by label, declassifying or term", [not code for one in rounds for code in one.tricks.values()]),
        ("other: said to be rightful", [one.pretended for one in rounds]),
        ("other: a file read past its label", [one.past for one in rounds]),
        ("other: an application without the control", [one.silent for one in rounds]),
        ("other: signed away by the steward", [one.let_go for one in rounds]),
        ("rightful: another table was read, too", [one.beside for one in rounds]),
        ("rightful: harmless counts for the public", [one.counts[0] for one in rounds]),
    ):
        rows.append((what, [True] * len(now), now))  # with nothing before it, every use is answered
    some = [one for one in uses if not one.wrong]
    rows.append(("rightful: all six ways", [one.before > 0 for one in some], [one.after > 0 for one in some]))
    good = [what.startswith("rightful") for what, _, _ in rows]
    before = tuple(Figure(row[0], sum(row[1]), len(row[1]), well) for row, well in zip(rows, good, strict=True))
    after = tuple(Figure(row[0], sum(row[2]), len(row[2]), well) for row, well in zip(rows, good, strict=True))
    return drawn(Told("X9.misuse", "", (), before, after, (), (), 0))
