"""Guard messages: what a check process and the guard before its model say to each other."""

from __future__ import annotations

import msgspec


class _Message(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag=True):
    """A tagged message."""


# check process -> guard


class Meet(_Message, frozen=True):
    """Open, and say who answers."""


class Consult(_Message, frozen=True):
    """Answer for these rows (message pack of a batch).

    Attributes:
        honest: They are clean rows that ordinary callers ask, each a few; they show what a guard lets through.
    """

    batch: bytes
    honest: bool = False


ToGuard = Meet | Consult


# guard -> check process


class Met(_Message, frozen=True):
    """It is open.

    Attributes:
        levels: Who may answer, the model first.
        scores: Whether scores are let out.
    """

    levels: tuple[str, ...]
    scores: bool


class Consulted(_Message, frozen=True):
    """What it answers (message packs of tensors), as :class:`fivefold.contract.subject.Decided`; no scores: empty."""

    answers: bytes
    by: bytes
    scores: bytes = b""


class Shut(_Message, frozen=True):
    """It does not open, or failed; the text is ours."""

    code: str
    message: str
    remedy: str = ""


FromGuard = Met | Consulted | Shut
