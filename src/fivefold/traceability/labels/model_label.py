"""Model label: what a model was trained on, and what it and its answers may be used for: the strictest of its data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fivefold.errors import TrustError
from fivefold.evidence import data_label, signed_set
from fivefold.evidence.data_label import DataLabel
from fivefold.keys import store
from fivefold.traceability.labels.binding import kept_origin
from fivefold.traceability.labels.strictest import strictest, weaker

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from fivefold.evidence.data_label import Known
    from fivefold.keys.trust import Trust
    from fivefold.manifest.nouns import Manifest
    from fivefold.traceability.labels.binding import Steward

LEARNT = ("train", "calibration")
"""Data sets that a model is made of."""


def carry(manifest: Manifest, steward: Steward, trust: Trust) -> Path | None:
    """Sign the model's label: the strictest of the labels that stand beside its training data.

    Args:
        manifest: The application; its data are labelled.
        steward: Who signs.
        trust: Names the steward of the data.

    Returns:
        Where it stands; None: there is no model with files, or no training data.

    Raises:
        InputError: ``label.no-purpose``, ``label.no-region``, ``label.outlived``.
        TrustError: A label of the data does not hold.
    """
    files = signed_set.digests(manifest)
    stored = data_label.stored(manifest)
    known = [data_label.opened(stored[name], trust=trust, now=steward.now) for name in LEARNT if name in manifest.data]
    if not files or not known or data_label.MODEL in manifest.data:
        return None
    label = DataLabel(
        fields=strictest([one.label for one in known], steward.now),
        issued=steward.now,
        version=2,
        origins=tuple(kept_origin(one) for one in known),
    )
    place = data_label.model_place(manifest)
    store.write_public(place, data_label.seal(data_label.MODEL, signed_set.digest(files), label, steward.signer))
    return place


def check(manifest: Manifest, trust: Trust, now: str) -> str:
    """Return why the model's label does not hold; empty: it does, or there is no model with files.

    Raises:
        TrustError: The model's files cannot be read as a signed set.
    """
    files = signed_set.digests(manifest)
    stored = data_label.stored(manifest)
    if not files or data_label.MODEL in manifest.data:
        return ""
    try:
        known = data_label.opened(stored[data_label.MODEL], trust=trust, now=now)
        if known.digest != signed_set.digest(files):
            return "the model's files are not those that were labelled"
        return lacking(known, [data_label.opened(stored[name], trust=trust, now=now) for name in _learnt(manifest)])
    except TrustError as error:
        return f"{error.message.rstrip('.')} [{error.code}]"


def _learnt(manifest: Manifest) -> list[str]:
    return [name for name in LEARNT if name in manifest.data]


def lacking(model: Known, data: Sequence[Known]) -> str:
    """Return in what a model's label falls short of those of its training data; empty: in nothing."""
    made_of = {origin.label for origin in model.label.origins}
    for one in data:
        if one.own not in made_of:
            return f"the model's label was not made of the label that data.{one.name} has now"
        less: tuple[Any, ...] = () if model.label.declassified else weaker(model.label, one.label)
        if less:
            return f"the model's label says less than that of data.{one.name} in {', '.join(less)}"
    return ""
