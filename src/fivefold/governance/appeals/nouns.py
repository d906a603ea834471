"""Nouns of appeals: the terms that a manifest declares, a receipt, and an appeal as its records tell it."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from fivefold.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping

Ruling = Literal["uphold", "change", "correct"]
RULINGS: tuple[Ruling, ...] = ("uphold", "change", "correct")
"""The answer stands; another answer is given; the data were wrong, and the decision is made again on right ones."""
REMEDIES: dict[str, str] = {"uphold": "none", "change": "re-decision", "correct": "correction of data"}
SAME, DIFFERS, NONE = "same", "differs", "none"
"""What came of asking the model again: the same bit for bit, something else, or nothing (and why)."""
DAYS = 30
_MOST_DAYS = 365
_MOST_TEXT = 200
DAY = 86_400_000_000_000
"""Nanoseconds."""


class Terms(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What ``controls: {F1: {appeal: ...}}`` declares.

    Attributes:
        days: Days within which a person decides an appeal.
        to: Where to appeal, in words for the person concerned; empty: not said.
    """

    days: int = DAYS
    to: str = ""

    @property
    def line(self) -> str:
        """What a reason says of the way to appeal."""
        where = f": {self.to}" if self.to else ""
        return f"If you think this is wrong, a person will look at it again{where}. Keep the receipt."


class Receipt(msgspec.Struct, frozen=True):
    """What whoever asked was given with a decision; see :class:`fivefold.guard.nouns.Receipt`."""

    application: str
    record: str
    leaf: str
    kind: str


class Decided(msgspec.Struct, frozen=True, kw_only=True):
    """What a reviewer decided.

    Attributes:
        by: Who.
        at: When, in nanoseconds since 1970, by the record's clock.
        ruling: One of :data:`RULINGS`.
        answer: The answer that holds from now on.
        because: Why.
    """

    by: str
    at: int
    ruling: str
    answer: str
    because: str


class Appeal(msgspec.Struct, frozen=True, kw_only=True):
    """One appeal, as its records tell it.

    Attributes:
        id: Of decision and row, so that one is never appealed twice.
        decision: Id of the decision's record.
        row: Which row of it.
        case: The decision's.
        person: Whom it is about; empty: nobody was named.
        by: Who filed it.
        because: Why, in that person's words.
        at: When it was filed, in nanoseconds since 1970.
        days: Days within which it is to be decided.
        leaf: Leaf hash of the decision's record, as the receipt says; empty: it does not.
        answer: What was decided.
        model: Digest of the model that did; empty: not said.
        deciders: Who decided: who asked, and who acted on it before the appeal.
        replayed: :data:`SAME`, :data:`DIFFERS`, :data:`NONE`; empty: nobody tried.
        now: Digest of the model that was asked again.
        why: Why the decision could not be replayed, or what differs.
        answers: Answers that may be given; empty: numbers.
        explained: The reason in words; empty: none is on record.
        decided: What reviewers decided: one, where all is well.
        remedied: Remedies on record.
        alarmed: Whether it is on record that the deadline was missed.
        records: Ids of its records, in order.
    """

    id: str
    decision: str
    row: int
    case: str
    person: str = ""
    by: str = ""
    because: str = ""
    at: int
    days: int
    leaf: str = ""
    answer: str = ""
    model: str = ""
    deciders: tuple[str, ...] = ()
    replayed: str = ""
    now: str = ""
    why: str = ""
    answers: tuple[str, ...] = ()
    explained: str = ""
    decided: tuple[Decided, ...] = ()
    remedied: tuple[str, ...] = ()
    alarmed: bool = False
    records: tuple[str, ...] = ()

    @property
    def due(self) -> int:
        """Until when it is to be decided, in nanoseconds since 1970."""
        return self.at + self.days * DAY

    @property
    def is_open(self) -> bool:
        """Whether nobody decided it yet, or its remedy is not on record."""
        return not self.decided or not self.remedied

    @property
    def examined(self) -> bool:
        """Whether it is explained, and was asked again with an answer: there is nothing left to try."""
        return self.replayed in {SAME, DIFFERS} and bool(self.explained)

    def concerns(self, who: str) -> str:
        """Return why somebody may not review it, in words; empty: he may."""
        mine = same(who)
        if mine in {same(self.by), same(self.person)} - {""}:
            return "filed this appeal, or is whom it is about"
        return "made the decision" if mine in {same(one) for one in self.deciders} else ""


def id_of(decision: str, row: int) -> str:
    """Return the id of the appeal against a row of a decision."""
    return hashlib.sha256(f"appeal\0{decision}\0{row}".encode()).hexdigest()[:12]


def same(name: str) -> str:
    """Return a name so that ways of writing it compare alike: width, case and spaces do not tell people apart."""
    return " ".join(unicodedata.normalize("NFKC", name).casefold().split())


def declared(controls: Mapping[str, Mapping[str, Any]]) -> Terms | None:
    """Return the declared terms; None: appeals are not declared.

    Raises:
        InputError: ``appeal.option``.
    """
    given = controls.get("F1", {}).get("appeal")
    if given is None:
        return None
    remedy = "Write for example appeal: {days: 30, to: appeals@bank.example} under controls: F1."
    try:
        terms = msgspec.convert(given, Terms)
    except msgspec.ValidationError as error:
        raise InputError("appeal.option", f"controls.F1.appeal: {error}.", remedy=remedy) from None
    if not 1 <= terms.days <= _MOST_DAYS or len(terms.to) > _MOST_TEXT or not terms.to.isprintable():
        said = f"days are 1 to {_MOST_DAYS}, and `to` has at most {_MOST_TEXT} printable characters."
        raise InputError("appeal.option", f"controls.F1.appeal: {said}", remedy=remedy)
    return terms


def read_receipt(data: bytes) -> Receipt:
    """Return a receipt.

    Raises:
        InputError: ``appeal.receipt``.
    """
    try:
        found = msgspec.json.decode(data, type=Receipt)
        if found.kind == "receipt, version 1" and re.fullmatch("[0-9a-f]{32}", found.record):
            return found
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        pass
    raise InputError(
        "appeal.receipt",
        "this is no receipt.",
        remedy="It came with the answer, under parameters.receipt; save it as it is.",
    )
