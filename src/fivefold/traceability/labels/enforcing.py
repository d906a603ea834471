"""Enforcing: whether data may be used for a purpose in a region, by their labels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fivefold.errors import TrustError
from fivefold.traceability.labels.strictest import within, words

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


def require_use(fields: Mapping[str, Any], purposes: Iterable[str], regions: Iterable[str], *, where: str) -> None:
    """Check that every purpose and region of a use is one that a label allows.

    Threat: data are read, shared or answered from for something, or somewhere, that their steward never agreed to.
    Limit: the user states purpose and region; whether that is true is not seen here.

    Args:
        fields: Of the label; a field that is not there allows nothing.
        purposes: Of the use; none: nothing is asked.
        regions: Where the use is, and where its results go; none: nothing is asked.
        where: What is used, for the message.

    Raises:
        TrustError: ``label.purpose``, ``label.region``.
    """
    allowed = words(fields.get("purpose"))
    for purpose in purposes:
        if purpose not in allowed:
            told = ", ".join(allowed) or "nothing"
            raise TrustError(
                "label.purpose", f"the label allows {told[:120]}, not {purpose[:60]!r}.", where=where,
                remedy="Use other data, or have the steward decide: fivefold data label --declassify REASON.",
            )  # fmt: skip
    places = words(fields.get("region"))
    for region in regions:
        if not within(region, places):
            told = ", ".join(places) or "nowhere"
            raise TrustError(
                "label.region", f"the data must stay in {told[:120]}, which {region[:60]!r} is not.", where=where,
                remedy="Keep them there, or have the steward decide: fivefold data label --declassify REASON.",
            )  # fmt: skip
