"""Read: a declared data set of any kind, each by the module that knows it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fivefold.errors import InputError
from fivefold.subject import load
from fivefold.subject.inputs import arrays, recordings, series
from fivefold.subject.inputs.stored import Stored, source

if TYPE_CHECKING:
    from pathlib import Path

    from fivefold.manifest.nouns import DataSet


def read(root: Path, data: DataSet, strings: tuple[str, ...], sha256: str) -> Stored:
    """Read a data set.

    Args:
        root: The application's folder.
        data: The declaration.
        strings: Columns that are text whatever their cells look like.
        sha256: Digest that it must have; empty: not compared.

    Raises:
        InputError: What cannot be used, with what to do.
    """
    if data.kind in ("table", "text"):
        texts = (*strings, data.input) if data.kind == "text" and data.input else strings
        frame = load.read(root / data.path, missing=data.missing, strings=texts, sha256=sha256)
        return Stored(frame, text=_text(data, list(map(str, frame.columns))) if data.kind == "text" else "")
    found = source(root, data, strings, sha256)
    if data.kind == "audio":
        return recordings.read(found)
    return arrays.read(found) if data.path.lower().endswith(".npz") else series.read(found)


def _text(data: DataSet, columns: list[str]) -> str:
    """Return the column of texts: the one declared, else the only one that is left.

    Raises:
        InputError: ``data.text``.
    """
    hidden = {data.target, data.id, *data.drop, *data.protected}
    left = [data.input] if data.input else [name for name in columns if name not in hidden]
    if len(left) == 1 and left[0] in columns:
        return left[0]
    shown = ", ".join(left[:12]) or "none"
    raise InputError(
        "data.text",
        f"which column of data.{data.name} the model reads is not clear: {shown} are left.",
        where=data.path,
        remedy="Name it as `input:`.",
    )
