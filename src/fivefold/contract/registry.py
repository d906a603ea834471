"""Registry: packs described by ``pack.toml``, read without importing anything they name.

:func:`resolve` is the one legal dynamic import of the product.
"""

from __future__ import annotations

import importlib
from functools import cache
from typing import TYPE_CHECKING, Any, Literal, cast

import msgspec

from fivefold.errors import InternalError
from fivefold.manifest.options import shipped

if TYPE_CHECKING:
    from fivefold.contract.check import Check


class Option(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One key under ``checks:`` or ``controls:`` of the manifest.

    Attributes:
        type: ``number``, ``integer``, ``boolean``, ``string``, ``path``, ``list`` or ``mapping``.
        help: One sentence.
        default: Used where the manifest is silent; None: off.
        low: Smallest value allowed.
        high: Largest value allowed.
        choices: The texts that are allowed; empty: any.
        tighten: ``down``: a smaller value is stricter than the floor, ``up``: a larger one; empty: no floor.
    """

    type: Literal["number", "integer", "boolean", "string", "path", "list", "mapping"]
    help: str
    default: Any = None
    low: float | None = None
    high: float | None = None
    choices: tuple[str, ...] = ()
    tighten: Literal["down", "up", ""] = ""


class CheckSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How one check is described by its pack.

    Attributes:
        id: Check id; never reused.
        technique: Technique id in the catalogue.
        question: What it answers, as a question.
        threat: Who does what to whom.
        method: How it is measured, in one paragraph.
        limits: What it does not show.
        source: Papers and standards.
        needs: Facts that must hold; the tokens that exist are those of :mod:`fivefold.plan.needs`.
        asks_if: Needs that, where all hold, have the model opened for a check that can do without it.
        uses: Ids whose implementations the driver hands in.
        extra: Extra of the product that it imports.
        rows: Most rows at effort quick, standard, thorough.
        cost: Words: model calls and trainings.
        seconds: Time limit at effort standard.
        memory_mb: Resident memory limit beyond the table.
        options: Keys that the manifest may set.
        implementation: ``module:function``.
        guarded: Who asks where it is measured behind the application's guard, too, as in
            :class:`fivefold.contract.plan.CheckPlan`; empty: it is measured bare alone.
    """

    id: str
    technique: str
    question: str
    threat: str
    method: str
    limits: str
    source: str
    needs: tuple[str, ...]
    implementation: str
    rows: tuple[int, int, int]
    cost: str
    asks_if: tuple[str, ...] = ()
    uses: tuple[str, ...] = ()
    extra: str = "assess"
    seconds: int = 600
    memory_mb: int = 2048
    options: dict[str, Option] = {}
    guarded: Literal["", "caller", "callers", "operator"] = ""


class Pack(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A ``pack.toml``.

    Attributes:
        name: The room.
        provides: What commands may ask for besides checks: name to ``module:function``.
        checks: Its checks.
        controls: Technique id to the keys that ``controls:`` may hold for it; a technique that is not here: any.
    """

    name: str
    provides: dict[str, str] = {}
    checks: tuple[CheckSpec, ...] = msgspec.field(name="check", default=())
    controls: dict[str, dict[str, Option]] = msgspec.field(name="control", default={})


@cache
def packs() -> tuple[Pack, ...]:
    """Return the packs that ship with Fivefold, in name order.

    Raises:
        InternalError: ``registry.pack`` if a shipped pack is malformed (a build fault).
    """
    found = []
    for room, told in shipped().items():
        try:
            found.append(msgspec.convert(told, Pack))
        except msgspec.ValidationError as error:
            raise InternalError("registry.pack", f"{room}/pack.toml is malformed: {error}.") from error
    return tuple(found)


@cache
def checks() -> dict[str, CheckSpec]:
    """Return every check that exists, by id, in id order."""
    specs = [spec for pack in packs() for spec in pack.checks]
    return {spec.id: spec for spec in sorted(specs, key=lambda spec: spec.id)}


def resolve(check_id: str) -> Check:
    """Import the implementation of a check.

    Raises:
        KeyError: There is no such check.
        ImportError: An engine that it needs is not installed; the finding is ``not-run``.
    """
    module, _, name = checks()[check_id].implementation.partition(":")
    return cast("Check", getattr(importlib.import_module(module), name))


def provided(name: str) -> Any:
    """Import what a pack provides under a name, for a command.

    Raises:
        KeyError: No pack provides it.
        ImportError: An engine that it needs is not installed.
    """
    target = {key: value for pack in packs() for key, value in pack.provides.items()}[name]
    module, _, attribute = target.partition(":")
    return getattr(importlib.import_module(module), attribute)
