"""Profiles: where an application of a scenario starts (row J6): level, dimensions, harms, protected fields, rules.

One TOML file each below ``scenarios``. A profile proposes; its rules bind whoever names the scenario in the manifest.
"""

from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import msgspec

from fivefold.catalogue.check import shapes
from fivefold.catalogue.classify import Answers, propose
from fivefold.catalogue.load import load
from fivefold.catalogue.nouns import Predicate
from fivefold.errors import InternalError

if TYPE_CHECKING:
    from collections.abc import Iterator

NAMES = ("health", "retail", "transport", "manufacturing", "city", "finance", "energy", "carrier", "internal")
"""Every profile, in the order in which they are shown."""


class Dimension(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What is looked at first in a scenario: a figure, the check or row that measures it, and why."""

    name: str
    check: str
    because: str


class Harm(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Who is hurt how, and the rows of the catalogue that stand against it."""

    who: str
    what: str
    rows: tuple[str, ...]


class Protected(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A protected field of a scenario, besides those that are protected everywhere.

    Attributes:
        kind: What it tells of.
        words: Column names by which it is known, in several languages: lower case, without accents; all words of an
            entry stand together in the name.
        because: Why groups by it are compared.
    """

    kind: str
    words: tuple[str, ...]
    because: str


class Rule(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a manifest of this scenario has to state: ``requires`` must hold wherever ``when`` does."""

    id: str
    requires: Predicate
    because: str
    remedy: str
    when: Predicate = ()


class Demand(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A threshold that this scenario tightens: ``checks:`` must ask at least this of the check."""

    check: str
    key: str
    value: float
    direction: Literal["min", "max"]
    because: str

    def met(self, value: float) -> bool:
        """Whether a threshold asks as much."""
        return value >= self.value if self.direction == "min" else value <= self.value


class Profile(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One scenario.

    Attributes:
        id: As ``application.scenario`` names it.
        title: A few words.
        examples: Applications of this kind.
        use: Answers that fit most of them.
        level: Level that these answers ask for.
        because: Why this level.
        identifiers: Column names that name a person or a thing that leads to one.
    """

    id: str
    title: str
    examples: tuple[str, ...]
    use: Answers
    level: int
    because: str
    dimensions: tuple[Dimension, ...] = msgspec.field(name="dimension")
    harms: tuple[Harm, ...] = msgspec.field(name="harm")
    protected: tuple[Protected, ...]
    identifiers: tuple[str, ...]
    rules: tuple[Rule, ...] = msgspec.field(name="rule")
    demands: tuple[Demand, ...] = msgspec.field(name="demand", default=())


@cache
def profile(name: str) -> Profile:
    """Return a profile by name.

    Raises:
        KeyError: There is none.
        InternalError: ``catalogue.profile`` if its file is malformed or contradicts the catalogue (a build fault).
    """
    if name not in NAMES:
        raise KeyError(name)
    return parse(name, (Path(__file__).parent / "scenarios" / f"{name}.toml").read_bytes())


def parse(name: str, text: bytes) -> Profile:
    """Return the profile that a file describes.

    Raises:
        InternalError: ``catalogue.profile``.
    """
    try:
        found = msgspec.convert(tomllib.loads(text.decode()), Profile)
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise InternalError("catalogue.profile", f"the profile {name} is malformed: {error}.") from error
    faults = [*_faults(found)] + ([f"it calls itself {found.id}"] if found.id != name else [])
    if faults:
        raise InternalError("catalogue.profile", f"the profile {name} is wrong: {'; '.join(faults)}.")
    return found


def _faults(found: Profile) -> Iterator[str]:
    known = load()
    asked = propose(found.use).level
    if found.level != asked:
        yield f"its answers ask for level {asked}, not {found.level}"
    ids = [rule.id for rule in found.rules]
    yield from (f"rule {id_} is listed twice" for id_ in sorted({id_ for id_ in ids if ids.count(id_) > 1}))
    for rule in found.rules:
        if not rule.id.startswith(f"{found.id}.") or not rule.requires:
            yield f"rule {rule.id} is named wrongly or requires nothing"
        yield from shapes(rule.id, rule.requires)
        yield from shapes(rule.id, rule.when)
    named = [row for harm in found.harms for row in harm.rows] + [part.check for part in found.dimensions]
    yield from (f"{name} is no row and no check" for name in named if name not in known.rows | known.checks)
    for demand in found.demands:
        floor = known.checks[demand.check].floor(demand.key) if demand.check in known.checks else None
        if floor is None or floor.direction != demand.direction or floor.looser(demand.value):
            yield f"{demand.check} {demand.key} tightens no floor"
