"""Pictures of the case: decisions that each tampering moves, and where the labels say that something was done."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fivefold.cases.dosage.picture import OPEN
from fivefold.cases.immigrant.picture import drawn
from fivefold.cases.nouns import Figure, Told
from fivefold.cases.tampering import altering
from fivefold.cases.tampering.office import ASKING

if TYPE_CHECKING:
    from fivefold.cases.tampering.case import Office, Seen

_LEFT, _TOP, _CELL, _ROW = 84, 76, 11, 15
_SAID, _NOT = "#4878a8", "#eef1f4"


def moved(met: list[Office]) -> str:
    """Return an SVG of the share of decisions that turn out otherwise by each way, without the labels and with them."""
    names = [*altering.NAMED, "edited and signed with the steward's key"]
    ways = [[office.seen[at] for office in met] for at in range(len(altering.NAMED))]
    ways.append([office.owner for office in met])
    n = ASKING * len(met)
    before, after = (
        tuple(
            Figure(what, sum(one.moved[which] for one in these), n, good=False)
            for what, these in zip(names, ways, strict=True)
        )
        for which in (0, 1)
    )
    return drawn(Told("X9.tampering", "", (), before, after, (), (), 0))


def located(office: Office, ways: tuple[int, ...] = (0, 3, 4, 5)) -> str:
    """Return an SVG of columns by groups of rows: where the labels say that something was done, and where it was.

    Args:
        office: One that was seen.
        ways: Places in :data:`fivefold.cases.tampering.altering.NAMED` of tamperings with a place.
    """
    some = [office.seen[at] for at in ways]
    columns = sorted({name for one in some for name in one.act.cells})
    groups = 1 + max(at for one in some for found in one.act.cells.values() for at in found)
    wide, parts = _CELL * groups + 24, []
    parts += [
        f'<text x="{_LEFT - 6}" y="{_TOP + _ROW * at + 11}" text-anchor="end">{name}</text>'
        for at, name in enumerate(columns)
    ]
    for place, one in enumerate(some):
        parts.append(_panel(one, _LEFT + place * wide, columns, groups))
    tall = _TOP + _ROW * len(columns) + 30
    parts += [
        f'<rect x="{_LEFT}" y="{tall - 20}" width="10" height="12" fill="{_SAID}"/>',
        f'<text x="{_LEFT + 16}" y="{tall - 10}">the label says that it was changed</text>',
        f'<circle cx="{_LEFT + 235}" cy="{tall - 14}" r="2.4" fill="#c44e52"/>',
        f'<text x="{_LEFT + 244}" y="{tall - 10}">it was; a square is a column in 256 rows</text>',
    ]
    return OPEN.format(wide=_LEFT + len(some) * wide, tall=tall, title="Where") + "".join(parts) + "</svg>\n"


def _panel(one: Seen, left: int, columns: list[str], groups: int) -> str:
    said = {(name, at) for fault in one.faults for name, found in fault.cells.items() for at in found}
    true = {(name, at) for name, found in one.act.cells.items() for at in found}
    first, break_, rest = one.act.what.partition(" of ")
    first, rest = (first, f"of {rest}") if break_ else (first.rpartition(" ")[0], first.rpartition(" ")[2])
    parts = [f'<text x="{left}" y="{_TOP - 40 + 15 * at}">{text}</text>' for at, text in enumerate((first, rest))]
    for row, name in enumerate(columns):
        for at in range(groups):
            x, y = left + _CELL * at, _TOP + _ROW * row
            colour = _SAID if (name, at) in said else _NOT
            parts.append(f'<rect x="{x}" y="{y}" width="{_CELL - 1}" height="{_ROW - 1}" fill="{colour}"/>')
            if (name, at) in true:
                parts.append(f'<circle cx="{x + _CELL / 2 - 0.5}" cy="{y + 7}" r="2.4" fill="#c44e52"/>')
    return "".join(parts)
