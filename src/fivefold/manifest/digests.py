"""Digests: SHA-256 of the stored bytes of each declared data set, read as a stream."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from fivefold.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path

    from fivefold.manifest.nouns import Manifest


def file_digest(path: Path) -> str:
    """Return the lower-case hexadecimal SHA-256 of a file.

    Raises:
        InputError: ``manifest.unreadable`` if it cannot be read.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise InputError(
            "manifest.unreadable", f"{path} cannot be read ({error.strerror}).", remedy="Check the file."
        ) from None


def data_digests(manifest: Manifest) -> dict[str, str]:
    """Return the digest of each data set by name, in the manifest's order.

    Raises:
        InputError: ``manifest.unreadable`` if a file has gone since the manifest was read; ``manifest.same-data`` if
            the test data are a copy of the training data.
    """
    found = {name: file_digest(manifest.root / data.path) for name, data in manifest.data.items()}
    if "test" in found and found["test"] == found.get("train"):
        raise InputError(
            "manifest.same-data",
            "data.test holds the very bytes of data.train, so nothing measured on it would hold for new rows.",
            remedy="Keep rows apart that the model has not seen: `fivefold init --split 0.3` makes two files.",
            where=manifest.data["test"].path,
        )
    return found
