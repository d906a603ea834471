"""Strictest: of several labels the one that breaks none of them, and where one says less than another.

Classes rank in the order of :data:`CLASSES`; a word that is not among them ranks above all, and two of them both hold.
Purposes and regions are those that all allow; personal columns, bases and sources are those of any; the shortest rest
of a term counts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fivefold.errors import InputError
from fivefold.evidence import data_label
from fivefold.keys.trust import moment

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from fivefold.evidence.data_label import DataLabel

CLASSES = ("open", "public", "internal", "confidential", "restricted", "secret")
WORLD = "world"
_EU = (
    "AT", "BE", "BG", "CY", "CZ", "DE", "DK", "EE", "ES", "FI", "FR", "GR", "HR", "HU", "IE", "IT", "LT", "LU", "LV",
    "MT", "NL", "PL", "PT", "RO", "SE", "SI", "SK",
)  # fmt: skip
_INSIDE = {"EU": frozenset(_EU), "EEA": frozenset({*_EU, "EU", "IS", "LI", "NO"})}


def words(value: Any) -> tuple[str, ...]:
    """Return a field as its words: a list, or a text parted at commas."""
    items = value if isinstance(value, list | tuple) else str("" if value is None else value).split(",")
    return tuple(dict.fromkeys(text for item in items if (text := str(item).strip())))


def within(region: str, allowed: Iterable[str]) -> bool:
    """Return whether a region is one of those allowed, or lies in one of them (``EU`` and ``EEA`` hold countries)."""
    return any(one in (WORLD, region) or region in _INSIDE.get(one, ()) for one in allowed)


def strictest(labels: Sequence[DataLabel], now: str) -> dict[str, Any]:
    """Return the fields of data that were made of all these.

    Args:
        labels: At least one.
        now: UTC time from which the new term counts.

    Raises:
        InputError: ``label.no-inputs``, ``label.no-purpose``, ``label.no-region``: there is none that all allow;
            ``label.outlived``: one of the terms is over.
    """
    if not labels:
        raise InputError("label.no-inputs", "there is no label to derive one from.", remedy="Name what it was made of.")
    said = [label.fields for label in labels]
    purposes = _common([words(fields.get("purpose")) for fields in said], "purpose")
    regions = _regions([words(fields.get("region")) for fields in said])
    return {
        "class": _class([str(fields.get("class", "")) for fields in said]),
        "personal": sorted({name for fields in said for name in words(fields.get("personal"))}),
        "basis": ", ".join(dict.fromkeys(text for fields in said for text in words(fields.get("basis")))),
        "purpose": list(purposes),
        "region": list(regions),
        "retain": _rest(labels, now),
        "source": ", ".join(dict.fromkeys(text for fields in said for text in words(fields.get("source")))),
    }


def weaker(one: DataLabel, than: DataLabel) -> tuple[str, ...]:
    """Return the fields in which a label protects less than another."""
    mine, other = one.fields, than.fields
    found = []
    if any(_rank(word) > _rank(own) or (_rank(word) == _rank(own) == len(CLASSES) and word != own)
           for word in _classes(other) for own in [_highest(_classes(mine))]):  # fmt: skip
        found.append("class")
    if not {*words(mine.get("purpose"))} <= {*words(other.get("purpose"))}:
        found.append("purpose")
    if not all(within(region, words(other.get("region"))) for region in words(mine.get("region"))):
        found.append("region")
    if not {*words(mine.get("personal"))} >= {*words(other.get("personal"))}:
        found.append("personal")
    mine_end, other_end = data_label.term(one), data_label.term(than)
    if other_end is not None and (mine_end is None or mine_end > other_end):
        found.append("retain")
    return tuple(found)


def _classes(fields: dict[str, Any]) -> tuple[str, ...]:
    return tuple(part.strip() for part in str(fields.get("class", "")).split(" and ")) or ("",)


def _highest(found: Sequence[str]) -> str:
    return max(found, key=_rank)


def _rank(word: str) -> int:
    return CLASSES.index(word.lower()) if word.lower() in CLASSES else len(CLASSES)


def _class(found: Sequence[str]) -> str:
    top = max(_rank(word) for word in found)
    return " and ".join(sorted({word for word in found if _rank(word) == top}))


def _common(found: Sequence[Sequence[str]], what: str) -> tuple[str, ...]:
    left = tuple(word for word in found[0] if all(word in other for other in found[1:]))
    return _required(left, what)


def _regions(found: Sequence[tuple[str, ...]]) -> tuple[str, ...]:
    left = found[0]
    for other in found[1:]:
        left = tuple(dict.fromkeys([one for one in left if within(one, other)] + [
            one for one in other if within(one, left)]))  # fmt: skip
    return _required(left, "region")


def _required(left: tuple[str, ...], what: str) -> tuple[str, ...]:
    if not left:
        raise InputError(
            f"label.no-{what}",
            f"the inputs allow no {what} in common, so nothing may be made of them together.",
            remedy="Leave one of them out, or have the steward declassify it.",
        )
    return left


def _rest(labels: Sequence[DataLabel], now: str) -> str:
    ends = [end for label in labels if (end := data_label.term(label)) is not None]
    days = min(((end - moment(now)).days for end in ends), default=0)
    if days <= 0:
        raise InputError(
            "label.outlived", "the term of an input is over, or less than a day is left.", remedy="Delete the data."
        )
    return f"{min(days, 9999)}d"
