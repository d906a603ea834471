"""Digests: SHA-256 of the stored bytes of each declared data set, read as a stream.

A data set of several files (a folder of recordings, or an index beside the data) has the digest of a list of them:
one line that names the index, and a line of digest and name for each file, in the order of the names.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from fivefold.errors import InputError
from fivefold.manifest import inputs

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from fivefold.manifest.nouns import DataSet, Manifest


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


def listing(root: Path, data: DataSet) -> dict[str, str]:
    """Return each file of a data set, by its name relative to ``root``, with its digest.

    Raises:
        InputError: ``manifest.unreadable``, or as :func:`fivefold.manifest.inputs.stored_files`.
    """
    return {name: file_digest(place) for name, place in inputs.stored_files(root, data).items()}


def joined(data: DataSet, files: Mapping[str, str]) -> str:
    """Return the digest of a data set from those of its files: of one plain file its own."""
    if data.kind != "audio" and list(files) == [data.path]:
        return files[data.path]
    lines = [f"index {data.index}\n", *(f"{digest}  {name}\n" for name, digest in sorted(files.items()))]
    return hashlib.sha256("".join(lines).encode("utf-8", "surrogateescape")).hexdigest()


def data_digest(root: Path, data: DataSet) -> str:
    """Return the digest of everything that is read of a data set.

    Raises:
        InputError: As :func:`listing`.
    """
    return joined(data, listing(root, data))


def data_digests(manifest: Manifest) -> dict[str, str]:
    """Return the digest of each data set by name, in the manifest's order.

    Raises:
        InputError: ``manifest.unreadable`` if a file has gone since the manifest was read; ``manifest.same-data`` if
            the test data are a copy of the training data.
    """
    found = {name: data_digest(manifest.root, data) for name, data in manifest.data.items()}
    if "test" in found and found["test"] == found.get("train"):
        raise InputError(
            "manifest.same-data",
            "data.test holds the very bytes of data.train, so nothing measured on it would hold for new rows.",
            remedy="Keep rows apart that the model has not seen: `fivefold init --split 0.3` makes two files.",
            where=manifest.data["test"].path,
        )
    return found


def one_digest(digests: Mapping[str, str]) -> str:
    """Return one digest over those of all data sets."""
    lines = "".join(f"{digest}  {name}\n" for name, digest in sorted(digests.items()))
    return hashlib.sha256(lines.encode()).hexdigest()
