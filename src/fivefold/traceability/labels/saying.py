"""Saying: what the label of a file is to say: what the steward says, and the strictest of what it was made of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fivefold.errors import InputError
from fivefold.evidence import data_label
from fivefold.traceability.labels.binding import Saying, kept_origin
from fivefold.traceability.labels.examine import examine
from fivefold.traceability.labels.strictest import strictest, words

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from fivefold.evidence.data_label import Known
    from fivefold.keys.trust import Trust

_LISTS = ("personal", "purpose")


def saying(
    path: Path,
    said: Mapping[str, Any],
    trust: Trust,
    now: str,
    *,
    name: str = "",
    made_of: Sequence[Path] = (),
    declassified: str = "",
) -> Saying:
    """Return what a file's label is to say.

    Args:
        path: The data.
        said: Fields that the steward says; they stand before derived ones.
        trust: Whose labels of the inputs count.
        now: UTC time.
        name: Of the data; empty: the file's name without its ending.
        made_of: Labelled files that it was made of.
        declassified: Why the label says less than theirs.

    Raises:
        InputError: ``label.input`` for an input whose own label does not hold; as
            :func:`fivefold.traceability.labels.strictest.strictest`.
    """
    inputs = [_holding(place, trust, now) for place in made_of]
    derived = strictest([known.label for known in inputs], now) if inputs else {}
    own = {key: list(words(value)) if key in _LISTS else value for key, value in said.items()}
    fields = {**derived, **own}
    fields.setdefault("personal", [])
    return Saying(
        name=name or path.name.partition(".")[0] or data_label.ENDING,
        fields=fields,
        origins=tuple(kept_origin(known) for known in inputs),
        declassified=declassified,
    )


def _holding(path: Path, trust: Trust, now: str) -> Known:
    found = examine(path, trust, now)
    if found.faults or found.known is None:
        raise InputError(
            "label.input",
            f"the label of {path.name} does not hold: {found.faults[0].text}",
            where=str(path),
            remedy=f"See: fivefold data check {path}.",
        )
    return found.known
