"""Standards and laws, clause by clause, and which checks and which fields of a manifest answer each (row R3).

Ids are the standard's own; the words are ours. A clause that nothing measured can answer is listed with the reason, so
that every id of a standard that is mapped whole appears exactly once.
"""

from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path

import msgspec

from fivefold.catalogue.load import load as load_catalogue
from fivefold.errors import InputError, InternalError

NAMES = ("aisvs", "annex-iv", "atlas", "eu-ai-act", "iso-42001", "nist-ai-rmf")
"""Standards that ship with this version."""


class Clause(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One clause that evidence can answer.

    Attributes:
        id: As the standard writes it, without the standard's prefix.
        asks: What it asks, in our words.
        checks: All of these must be satisfied.
        fields: All of these must be filled in the manifest: dotted, ``data.*`` in any data set; ``a|b``: any one.
        always: Why it holds of all evidence that verifies; empty: it does not by itself.
        note: What remains for a person even if all of them are.
    """

    id: str
    asks: str
    checks: tuple[str, ...] = ()
    fields: tuple[str, ...] = ()
    always: str = ""
    note: str = ""


class Outside(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Clauses that no measurement of this product answers, and why."""

    why: str
    ids: tuple[str, ...]


class Dated(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A day from which a duty applies, as it was known on the day of ``looked_up``."""

    day: str
    duty: str


class Standard(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A law or standard.

    Attributes:
        id: As ``report --for`` takes it.
        looked_up: Day on which ids and dates were read from ``source``.
        prefix: Stands before each id.
    """

    id: str
    name: str
    version: str
    source: str
    looked_up: str
    prefix: str
    clauses: tuple[Clause, ...]
    outside: tuple[Outside, ...] = ()
    dates: tuple[Dated, ...] = ()


@cache
def load(name: str) -> Standard:
    """Return a standard that ships with this version.

    Raises:
        InputError: ``standards.unknown`` if there is none of that name.
        InternalError: ``standards.malformed`` for a build fault.
    """
    if name not in NAMES:
        raise InputError("standards.unknown", f'there is no mapping "{name}".', remedy=f"Choose: {', '.join(NAMES)}.")
    text = (Path(__file__).parent / "standards" / f"{name}.toml").read_text(encoding="utf-8")
    return parse(text)


def parse(text: str) -> Standard:
    """Read a standard and hold it against the catalogue.

    Raises:
        InternalError: ``standards.malformed`` if it is malformed, lists an id twice or names an unknown check.
    """
    try:
        found = msgspec.convert(tomllib.loads(text), Standard)
    except (msgspec.ValidationError, tomllib.TOMLDecodeError) as error:
        raise InternalError("standards.malformed", f"a standard is malformed: {error}.") from error
    ids = [clause.id for clause in found.clauses] + [id_ for group in found.outside for id_ in group.ids]
    twice = sorted({id_ for id_ in ids if ids.count(id_) > 1})
    known = load_catalogue().checks
    strange = sorted({check for clause in found.clauses for check in clause.checks if check not in known})
    empty = [clause.id for clause in found.clauses if not (clause.checks or clause.fields or clause.always)]
    if twice or strange or empty:
        raise InternalError("standards.malformed", f"{found.id}: twice {twice}, unknown {strange}, empty {empty}.")
    return found
