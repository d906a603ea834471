"""Locating: what was done to labelled data, and in which columns and groups of rows."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fivefold.traceability.labels import content
from fivefold.traceability.labels.faults import Fault

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from fivefold.evidence.data_content import Content
    from fivefold.traceability.labels.reading import Source


@dataclass(frozen=True)
class Differences:
    """A labelled table held against what stands there now.

    Attributes:
        signed: The content that was labelled.
        rows: How many there are now.
        lost: Columns that are gone.
        added: Columns that were not there.
        order: Whether the columns that are left stand in their order.
        odd: Column to the groups that differ, or are there on one side alone.
        moved: Whether whole rows are the same in another order.
        holding: Column to the other one whose values it holds now.
        matching: How many leaves are equal, of those that both have.
    """

    signed: Content
    rows: int
    lost: tuple[str, ...]
    added: tuple[str, ...]
    order: bool
    odd: Mapping[str, list[int]]
    moved: bool
    holding: Mapping[str, str]
    matching: int

    @property
    def none(self) -> bool:
        """Whether nothing differs."""
        return not (self.lost or self.added or self.odd) and self.order and self.rows == self.signed.rows


def compare(signed: Content, source: Source) -> Differences:
    """Read a source as a label says, and hold it against the label.

    Raises:
        TrustError: ``label.malformed`` for a label that is not sound in itself.
    """
    table = dict(zip([column.name for column in signed.columns], signed.table(), strict=True))
    kind = {column.name: column.kind for column in signed.columns}
    blank = {column.name: column.blank for column in signed.columns}
    found = content.read(source, kind, signed.group, blank)
    here = [name for name in source.names if name in table]
    odd = {name: places for name in here if (places := _odd(table[name], found.leaves[name]))}
    by_leaves = {tuple(leaves): name for name, leaves in table.items()}
    return Differences(
        signed=signed,
        rows=found.rows,
        lost=tuple(name for name in table if name not in set(source.names)),
        added=tuple(name for name in source.names if name not in table),
        order=[name for name in table if name in set(here)] == here,
        odd=odd,
        moved=bool(odd) and len(here) == len(table) and found.tally != "" and found.tally == signed.tally,
        holding={name: other for name in odd if (other := by_leaves.get(tuple(found.leaves[name]), name)) != name},
        matching=sum(
            one == other for name in here for one, other in zip(table[name], found.leaves[name], strict=False)
        ),
    )


def _odd(signed: Sequence[bytes], found: Sequence[bytes]) -> list[int]:
    both = min(len(signed), len(found))
    rest = range(both, max(len(signed), len(found)))
    return [*(at for at in range(both) if signed[at] != found[at]), *rest]


def name(differences: Differences) -> list[Fault]:
    """Return what the differences are, each with its place.

    A copy of scattered rows shares no leaf with the original, and is told from other data by its columns and by having
    fewer rows; that is a guess, and its text says so.
    """
    d = differences
    if d.none:
        return []
    found = [_nothing_matches(d)] if not d.matching and d.odd else [*_columns(d), *_rows(d), *_cells(d)]
    return [fault for fault in found if fault is not None]


def _nothing_matches(d: Differences) -> Fault:
    rows = d.signed.group
    if d.moved:
        return Fault("reordered", "label.reordered", "the same rows stand in another order.", d.odd, rows)
    if d.rows < d.signed.rows and not d.added:
        text = f"{d.rows:,} rows of {d.signed.rows:,} that were labelled, or other data with the same columns."
        return Fault("partial", "label.partial", text, d.odd, rows)
    return Fault("swapped", "label.other-data", "not one part is what was labelled: it is a label of other data.")


def _columns(d: Differences) -> Iterator[Fault]:
    rows = d.signed.group
    every = list(range(d.signed.groups))
    if d.lost:
        text = f"{len(d.lost)} of {len(d.signed.columns)} columns are gone: {', '.join(d.lost[:8])}."
        yield Fault("partial", "label.partial", text, dict.fromkeys(d.lost, every), rows)
    if d.added:
        here = list(range(-(-d.rows // rows)))
        text = f"columns that were not labelled: {', '.join(d.added[:8])}."
        yield Fault("added", "label.added", text, dict.fromkeys(d.added, here), rows)
    if d.holding:
        told = ", ".join(f"{mine} holds {other}" for mine, other in list(d.holding.items())[:8])
        where = {mine: d.odd[mine] for mine in d.holding}
        yield Fault("reordered", "label.reordered", f"columns were exchanged: {told}.", where, rows)
    if not d.order:
        yield Fault("reordered", "label.reordered", "the columns stand in another order.")


def _rows(d: Differences) -> Iterator[Fault]:
    if d.rows == d.signed.rows:
        return
    rows = d.signed.group
    first = min((places[0] for places in d.odd.values()), default=0)
    kept = f"the first {first * rows:,} rows stand as they were"
    if d.rows < d.signed.rows:
        text = f"{d.rows:,} rows of {d.signed.rows:,} that were labelled; {kept}."
        yield Fault("partial", "label.partial", text, _from(d, first), rows)
    else:
        text = f"{d.rows:,} rows where {d.signed.rows:,} were labelled; {kept}."
        yield Fault("added", "label.added", text, _from(d, first), rows)


def _from(d: Differences, first: int) -> dict[str, list[int]]:
    """Return the places from the first group on in which every column differs: rows were put in or taken out there."""
    shared = set.intersection(*(set(places) for places in d.odd.values())) if d.odd else set()
    start = min(shared, default=first)
    return {name: [at for at in places if at >= start] for name, places in d.odd.items()}


def _cells(d: Differences) -> Iterator[Fault]:
    rows = d.signed.group
    taken = _from(d, 0) if d.rows != d.signed.rows else {}
    left = {
        name: rest
        for name, places in d.odd.items()
        if name not in d.holding and (rest := [at for at in places if at not in set(taken.get(name, ()))])
    }
    if d.moved and left and d.rows == d.signed.rows:
        yield Fault("reordered", "label.reordered", "rows were moved to other places.", left, rows)
        return
    if left:
        by_group: defaultdict[int, list[str]] = defaultdict(list)
        for column, places in left.items():
            for at in places:
                by_group[at].append(column)
        told = "; ".join(
            f"rows {at * rows:,} to {min((at + 1) * rows, d.signed.rows) - 1:,} of {', '.join(names[:4])}"
            for at, names in sorted(by_group.items())[:4]
        )
        more = f" and {len(by_group) - 4} more groups" if len(by_group) > 4 else ""
        yield Fault("edited", "label.data-changed", f"values were changed in {told}{more}.", left, rows)
