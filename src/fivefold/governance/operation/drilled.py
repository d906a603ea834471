"""Drilled: the table that ``guard drill`` puts on record, and whether it is of this application and complete (row C5).

A table counts only for the very manifest, model, data and version of this product for which it was made, and only if
it holds every attack with every stage left out: what is missing might be what got through.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import msgspec

from fivefold.errors import UnsupportedError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fivefold.traceability.recorder.reading import Reading

DRILL = "operation.drill"
"""Fact: the newest table on record, as JSON; empty: there is none."""
MODEL, MANIFEST, DATA, CODE = "plan.model", "plan.manifest", "plan.data", "plan.code"
"""Facts: digests of what is assessed."""
COMMAND = "Run `fivefold guard drill` on the application as it is now, from this account, then assess it again."
NOBODY = "-"
"""Stands for a stage where none is left out."""
ANSWERED = "answered"
"""What came of an attack that nothing stopped, sent down or raised an alarm over."""
ATTACKS = (
    "an operator asks", "a purpose that is not declared", "a column too many", "a value that cannot be",
    "questions that copy the model", "more questions than the budget", "other people under the same words",
    "rows just past the border", "the model's process is killed",
)  # fmt: skip
"""Attacks of the drill; :mod:`fivefold.guard.drill` makes them."""
AS_IT_IS, ADMITTED = "as it is", "admitted"
DOORS = (
    "without a signature", "a signature cut short", "signed by a stranger", "a byte more in a file", "a file more",
    "a file less", "a signer whose key is revoked", "a signer whose time is over", "an older version",
    "other files under the same version",
)  # fmt: skip
"""Models that must not be served; :mod:`fivefold.guard.doors` makes them."""
_WORDS = {MODEL: "model", MANIFEST: "manifest", DATA: "data", CODE: "version of Fivefold"}


class Cell(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What came of one attack, as recorded; see :class:`fivefold.guard.drill.Cell`."""

    without: str
    attack: str
    came: str
    recorded: bool


class Door(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What came of one model, as recorded; see :class:`fivefold.guard.doors.Door`."""

    tried: str
    came: str


class Drilled(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A table as recorded: digests of what it was made for, its cells, and the models that were held before it."""

    model: str
    manifest: str
    data: str
    code: str
    cells: tuple[Cell, ...]
    doors: tuple[Door, ...] = ()


def newest(reading: Reading, until: int = 1 << 63) -> str:
    """Return the newest table on record up to a time in nanoseconds, as JSON; empty: there is none."""
    found: dict[str, Any] = {}
    for item in reading.search(case="guard", kind="status", until=until):
        if item.body is not None and item.body.fields.get("guard") == "drill":
            found = item.body.fields
    kept = {name: value for name, value in found.items() if name != "guard"}
    return msgspec.json.encode(kept).decode() if found else ""


def read(text: str) -> Drilled | None:
    """Return a table; None: it is of another version's form."""
    try:
        return msgspec.json.decode(text, type=Drilled)
    except (msgspec.DecodeError, UnicodeError):
        return None


def stages(controls: Mapping[str, Mapping[str, Any]]) -> tuple[str, ...]:
    """Return the stages that a manifest's controls bind, outermost first; the guard builds the same."""
    theft, aims = controls.get("P2", {}), controls.get("D1", {})
    asked = {
        "consent": "consent" in aims, "budget": "budget" in theft, "screen": bool(theft.get("detect")),
        "judge": "C2" in controls, "threats": "P5" in controls, "fallback": "C3" in controls,
    }  # fmt: skip
    order = (
        "purpose", "consent", "domain", "drift", "budget", "screen", "model", "judge", "threats", "fallback", "shape",
        "reason",
    )  # fmt: skip
    return tuple(name for name in order if asked.get(name, True))


def other(table: Drilled, facts: Mapping[str, object]) -> tuple[str, ...]:
    """Return of what a table is another's, in words: model, manifest, data, version; empty: it is of what is assessed.

    A digest that nobody knows is another's.
    """
    made = {MODEL: table.model, MANIFEST: table.manifest, DATA: table.data, CODE: table.code}
    return tuple(_WORDS[name] for name, digest in made.items() if not digest or facts.get(name) != digest)


def standing(facts: Mapping[str, object]) -> Drilled:
    """Return the table on record, of what is assessed.

    Raises:
        UnsupportedError: ``drill.none`` without a drill on record; ``drill.stale`` for one of another model, manifest,
            version or data.
    """
    text = str(facts.get(DRILL) or "")
    if not text:
        raise UnsupportedError(
            "drill.none", "no drill of the guard is on record that this user can read.", remedy=COMMAND
        )
    table = read(text)
    if table is None:
        raise UnsupportedError(
            "drill.stale", "the newest drill on record was made by another version of Fivefold.", remedy=COMMAND
        )
    strange = other(table, facts)
    if strange:
        raise UnsupportedError(
            "drill.stale", f"the newest drill on record is of another {', '.join(strange)}.", remedy=COMMAND
        )
    return table


def missing(table: Drilled, bound: tuple[str, ...]) -> int:
    """Return how many cells are not there exactly once, of those that stages and attacks make; foreign ones count."""
    counts = Counter((cell.without, cell.attack) for cell in table.cells)
    wanted = {(without, attack) for without in (NOBODY, *bound) for attack in ATTACKS}
    return sum(counts[one] != 1 for one in wanted) + sum(one not in wanted for one in counts)
