"""Nouns of the catalogue: frozen values that the loader makes of the TOML files; nothing stands in two of them."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Literal

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterator

State = Literal["built", "partial", "gap"]
Operator = Literal["eq", "ne", "in", "ge", "le"]
Fact = Literal[
    "application.level",
    "application.acts",
    "application.learns",
    "application.alone",
    "application.scenario",
    "sharing.paths",
    "sharing.source_parties",
    "sharing.releases",
    "sharing.trainings",
    "sharing.telemetry",
    "sharing.encrypted",
    "sharing.federated",
    "control.encrypted-training",
    "data.table",
    "data.image",
    "data.series",
    "data.text",
    "data.audio",
    "data.pairs",
    "data.test",
    "data.protected",
    "data.personal",
    "data.regions",
    "data.basis",
    "data.positive",
    "data.alarm",
    "learned.classes",
    "learned.values",
    "model.signed",
    "model.scores",
    "model.neural",
    "model.trees",
    "model.gradients",
    "model.classifies",
    "manifest.purpose",
    "manifest.benefit",
    "manifest.basis",
    "manifest.labels",
    "manifest.parties",
    "manifest.scenarios",
    "features.monotone",
    "control.certificate",
    "control.ensemble",
    "control.people",
    "control.threats",
]
"""Everything that a predicate may ask; :mod:`fivefold.plan.facts` reads each from manifest, data or model."""

Scalar = str | int | float | bool


class Condition(msgspec.Struct, frozen=True, forbid_unknown_fields=True, array_like=True):
    """One comparison, written ``[fact, operator, value]``; ``in`` takes a list."""

    fact: Fact
    operator: Operator
    value: Scalar | tuple[Scalar, ...]


Predicate = tuple[tuple[Condition, ...], ...]
"""All must hold; in each inner tuple any one condition suffices. Empty: always true."""


class Floor(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The least (or most) that a figure must reach; a manifest may tighten it, never loosen it.

    Attributes:
        key: Name under ``checks:`` in the manifest, for example ``max_auc``.
        value: In the unit of the figure.
        direction: ``min``: the figure should be at least the value, ``max``: at most.
        measures: The figure, in words.
        source: Where the value comes from.
        reference: Subject of the truth battery, undefended, that must fail here; if it passes, the floor is invalid.
    """

    key: str
    value: float
    direction: Literal["min", "max"]
    measures: str
    source: str
    reference: str

    def looser(self, value: float) -> bool:
        """Whether ``value`` asks less than the floor."""
        return value < self.value if self.direction == "min" else value > self.value


class CheckEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One check that a row needs, built or still to come.

    Attributes:
        id: Row id, a dot and a name; never reused.
        state: ``built``: a pack registers it; ``gap``: it is still to come.
        part: Part of the row that claims can ask for, for example ``inference``; empty: none.
        asks: What it will measure; empty if built (then the pack says it).
        coming: Stage of the work that brings it; empty if built.
        floors: Floors that it is judged by.
        applies_when: Narrows the row's predicate for this check alone.
    """

    id: str
    state: Literal["built", "gap"]
    part: str = ""
    asks: str = ""
    coming: str = ""
    floors: tuple[Floor, ...] = ()
    applies_when: Predicate = ()

    @property
    def technique(self) -> str:
        """Id of the row that it belongs to."""
        return self.id.partition(".")[0]

    def floor(self, key: str) -> Floor | None:
        """Return the floor of that key, or None."""
        return next((floor for floor in self.floors if floor.key == key), None)


class Duty(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a person has to do because of a row.

    Attributes:
        text: One imperative sentence.
        when: It is due where this holds.
        level: Due from this declared level on.
    """

    text: str
    when: Predicate = ()
    level: int = 1


class Technique(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One row of the catalogue.

    Attributes:
        id: For example ``S2``.
        section: Letter of its section, A to J.
        kind: What sort of row it is.
        title: A few words.
        question: What a reader wants to know, as a question.
        asks: What it asks of a working system.
        remedy: Which control to turn on, or what to do, when it blocks a claim.
        checks: Every check that it will ever need, in id order.
        applies_when: False means not applicable.
        duties: What people must do.
        commands: Commands and rooms through which a row without checks of its own is reached.
        done: Whether such a row is complete in this version.
    """

    id: str
    section: str = ""
    kind: Literal["technique", "function", "level", "governance", "case", "scene"] = "technique"
    title: str
    question: str
    asks: str
    remedy: str = ""
    checks: tuple[CheckEntry, ...] = ()
    applies_when: Predicate = ()
    duties: tuple[Duty, ...] = ()
    commands: tuple[str, ...] = ()
    done: bool = False

    @property
    def state(self) -> State:
        """``built`` if every check is, ``gap`` if none is, else ``partial``."""
        states = {check.state for check in self.checks}
        if not self.checks:
            return "built" if self.done else "gap"
        if states == {"built"}:
            return "built"
        return "partial" if "built" in states or self.commands else "gap"


class Level(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One of the five capability levels, its objective and its reference application."""

    number: int
    row: str
    title: str
    objective: str
    example: str


class Claim(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One claim of an objective.

    Attributes:
        id: For example ``2c``.
        level: 1 to 5.
        text: What is claimed.
        needs: All must hold; in each inner tuple any one suffices: a row (``P3``), a part of a row (``P3/inference``)
            or a check (``T2.signature``).
        applies_when: False means not applicable.
        by_path: Claim 1a: its needs are the techniques of the sharing paths.
    """

    id: str
    level: int
    text: str
    needs: tuple[tuple[str, ...], ...] = ()
    applies_when: Predicate = ()
    by_path: bool = False


class Aim(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One of the seven aims; it binds at every level once all its rows are built."""

    id: str
    title: str
    rows: tuple[str, ...]


class Role(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One of the six parties and what it answers for; ``id`` is the key under ``parties:``."""

    id: str
    title: str
    duties: tuple[str, ...]


class Challenge(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One challenge case: what is done, who is hurt, what stops it, and how the harm is counted."""

    row: str
    attack: str
    harm: str
    controls: tuple[str, ...]
    measure: str


class Path(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A kind of sharing path (``what:`` in the manifest) and the technique that protects it."""

    what: Literal["release", "training", "federated", "encrypted", "telemetry", "edge"]
    technique: str


class Stage(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A stage of the work that brings checks which are still gaps."""

    id: str
    title: str


class Catalogue(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, dict=True):
    """Everything, validated; look-ups are by id."""

    levels: tuple[Level, ...]
    claims: tuple[Claim, ...]
    techniques: tuple[Technique, ...]
    aims: tuple[Aim, ...]
    roles: tuple[Role, ...]
    challenges: tuple[Challenge, ...]
    paths: tuple[Path, ...]
    stages: tuple[Stage, ...]
    digest: str = ""

    @cached_property
    def rows(self) -> dict[str, Technique]:
        """Row id to row, in the order of the catalogue."""
        return {row.id: row for row in self.techniques}

    @cached_property
    def checks(self) -> dict[str, CheckEntry]:
        """Check id to entry, in id order."""
        entries = [check for row in self.techniques for check in row.checks]
        return {check.id: check for check in sorted(entries, key=lambda check: check.id)}

    @cached_property
    def claim(self) -> dict[str, Claim]:
        """Claim id to claim, in order 1a to 5d."""
        return {claim.id: claim for claim in self.claims}

    def members(self, token: str) -> tuple[CheckEntry, ...]:
        """Return the checks that a token of ``needs`` stands for: a row, ``row/part`` or a check.

        Raises:
            KeyError: It names nothing.
        """
        if token in self.checks:
            return (self.checks[token],)
        row, _, part = token.partition("/")
        found = tuple(check for check in self.rows[row].checks if not part or check.part == part)
        if not found:
            raise KeyError(token)
        return found

    def floors(self) -> Iterator[tuple[CheckEntry, Floor]]:
        """Yield every floor with its check; the truth battery puts each one's reference subject before the check."""
        for check in self.checks.values():
            for floor in check.floors:
                yield check, floor

    def binds(self, aim: Aim) -> bool:
        """Whether an aim binds: every one of its rows is built."""
        return all(self.rows[row].state == "built" for row in aim.rows)
