"""What must hold within the catalogue beyond the types of its fields."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from fivefold.catalogue.nouns import Catalogue, CheckEntry, Predicate


def problems(catalogue: Catalogue) -> list[str]:
    """Return every contradiction as a sentence fragment; empty if there is none."""
    return [*_twice(catalogue), *_references(catalogue), *_checks(catalogue), *_predicates(catalogue)]


def _twice(catalogue: Catalogue) -> Iterator[str]:
    groups: dict[str, Iterable[str]] = {
        "row": (row.id for row in catalogue.techniques),
        "check": (check.id for row in catalogue.techniques for check in row.checks),
        "claim": (claim.id for claim in catalogue.claims),
        "aim": (aim.id for aim in catalogue.aims),
        "role": (role.id for role in catalogue.roles),
        "challenge": (case.row for case in catalogue.challenges),
        "level": (str(level.number) for level in catalogue.levels),
        "path": (path.what for path in catalogue.paths),
        "stage": (stage.id for stage in catalogue.stages),
    }
    for kind, ids in groups.items():
        yield from (f"{kind} {id_} is listed twice" for id_, count in Counter(ids).items() if count > 1)


def _references(catalogue: Catalogue) -> Iterator[str]:
    for claim in catalogue.claims:
        for token in (token for any_of in claim.needs for token in any_of):
            try:
                catalogue.members(token)
            except KeyError:
                yield f"claim {claim.id} needs {token}, which names no check"
        if not claim.needs and not claim.by_path:
            yield f"claim {claim.id} needs nothing"
    rows = catalogue.rows
    named = [(f"aim {aim.id}", row) for aim in catalogue.aims for row in aim.rows]
    named += [(f"level {level.number}", level.row) for level in catalogue.levels]
    named += [(f"path {path.what}", path.technique) for path in catalogue.paths]
    named += [(f"case {case.row}", row) for case in catalogue.challenges for row in (case.row, *case.controls)]
    yield from (f"{who} names the unknown row {row}" for who, row in named if row not in rows)


def _checks(catalogue: Catalogue) -> Iterator[str]:
    stages = {stage.id for stage in catalogue.stages}
    for row in catalogue.techniques:
        if not row.checks and not row.commands:
            yield f"row {row.id} lists neither a check nor a command"
        for check in row.checks:
            if check.technique != row.id:
                yield f"check {check.id} stands in row {row.id}"
            yield from _entry(check, stages)


def _entry(check: CheckEntry, stages: set[str]) -> Iterator[str]:
    if check.state == "gap" and (not check.asks or check.coming not in stages):
        yield f"gap {check.id} does not say what it asks or with which stage it comes"
    if check.state == "built" and (check.asks or check.coming):
        yield f"check {check.id} is built: its pack says what it asks"
    if len({floor.key for floor in check.floors}) != len(check.floors):
        yield f"check {check.id} lists a floor twice"


def _predicates(catalogue: Catalogue) -> Iterator[str]:
    found: list[tuple[str, Predicate]] = [(claim.id, claim.applies_when) for claim in catalogue.claims]
    for row in catalogue.techniques:
        found.append((row.id, row.applies_when))
        found += [(check.id, check.applies_when) for check in row.checks]
        found += [(row.id, duty.when) for duty in row.duties]
    for id_, predicate in found:
        yield from shapes(id_, predicate)


def shapes(id_: str, predicate: Predicate) -> Iterator[str]:
    """Yield what is malformed in the predicate of ``id_``."""
    for any_of in predicate:
        if not any_of:
            yield f"a predicate of {id_} can never hold"
        for condition in any_of:
            if (condition.operator == "in") != isinstance(condition.value, tuple):
                yield f"a predicate of {id_} compares {condition.fact} with a value of the wrong shape"
