"""Recorded: decisions as they stand in the fact that tells a check of them."""

from __future__ import annotations

import msgspec

STREAM = "operation.groups"
"""Fact: the newest decisions on record, oldest first, with the protected fields that stand beside them; as JSON."""


class Recorded(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Decisions on record.

    Attributes:
        answers: What was told.
        protected: Field to its values; None where a decision has none on record.
    """

    answers: tuple[str, ...]
    protected: dict[str, tuple[str | float | bool | None, ...]]
