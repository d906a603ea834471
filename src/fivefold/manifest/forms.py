"""Forms: that a data set declares what its kind of rows needs, and nothing that means nothing there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fivefold.manifest.walk import Walk

_MEANT = {"input": ("image", "series", "text", "audio"), "index": ("image", "series", "audio"), "time": ("series",)}
"""Key to the kinds of rows for which it means something."""


def check_form(walk: Walk, name: str, data: Mapping[str, Any], train: Mapping[str, Any]) -> None:
    """Note keys that do not go with ``kind``, those that it needs, and a kind that is not that of ``train``.

    Args:
        walk: Where faults are noted.
        name: Data-set name.
        data: The declaration, with the kind that it takes from ``train``.
        train: The declaration of ``train``; empty: there is none.
    """
    kind = data.get("kind", "table")
    for field, kinds in _MEANT.items():
        if field in data and kind not in kinds and f"data.{name}.{field}" in walk.lines:
            message = f"`{field}` means nothing for data of kind {kind}."
            walk.report("form", f"data.{name}.{field}", message, f"Take it out, or declare `kind: {kinds[0]}`.")
    if name in ("test", "calibration") and train and kind != train.get("kind", "table"):
        message = f"data.{name} is {kind} data, and data.train is {train.get('kind', 'table')} data."
        walk.report("kind-differs", f"data.{name}.kind", message, "Declare the same kind for both.")
    if kind == "series" and not str(data.get("path", "")).lower().endswith(".npz"):
        for field, what in (("id", "names the series of a line"), ("time", "orders the lines of a series")):
            if not (data.get(field) or train.get(field)):
                message = f"a long table of series needs the column that {what}."
                walk.report("form", f"data.{name}", message, f"Add `{field}: COLUMN`.")
