"""Stored: a data set as it was read: a line for each row, and what the model sees where that is no column."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING

from fivefold.errors import InputError
from fivefold.manifest import digests, npz
from fivefold.subject import even

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    import pandas as pd

    from fivefold.contract.plan import ColumnFact
    from fivefold.manifest.nouns import DataSet

_CHUNK = 1 << 20


@dataclass(frozen=True)
class Stored:
    """A data set as it was read.

    Attributes:
        frame: (n, k) one line for each row: target, id, protected and other columns.
        inputs: (n, ...) as :class:`fivefold.contract.subject.Table` has them; None: the model sees columns.
        channels: Of long series: what was read of each column that is a channel.
        text: The column of texts; empty: there is none.
    """

    frame: pd.DataFrame
    inputs: np.ndarray | None = None
    channels: tuple[ColumnFact, ...] = ()
    text: str = ""

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of all columns, those of the channels too."""
        return (*map(str, self.frame.columns), *(item.name for item in self.channels))


@dataclass(frozen=True)
class Source:
    """A declared data set and the bytes that it must have.

    Attributes:
        root: The application's folder.
        data: The declaration.
        strings: Columns that are text whatever their cells look like.
        files: Name relative to ``root`` to the SHA-256 that the file must have; empty text: not compared.
    """

    root: Path
    data: DataSet
    strings: tuple[str, ...]
    files: dict[str, str]

    def open(self, name: str) -> IO[bytes]:
        """Open a plain file of the data set, at its start, after its bytes were held against their digest.

        Raises:
            InputError: ``data.changed``, ``data.link`` or ``data.unreadable``.
        """
        if name not in self.files:
            raise changed(name)
        try:
            file = os.fdopen(os.open(self.root / name, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK), "rb")
        except OSError as error:
            raise InputError(
                "data.unreadable", f"the data cannot be read ({error.strerror}).", where=name, remedy="Check the file."
            ) from None
        wanted = self.files[name]
        if wanted and hashlib.file_digest(file, "sha256").hexdigest() != wanted:
            file.close()
            raise changed(name)
        file.seek(0)
        return file


def source(root: Path, data: DataSet, strings: tuple[str, ...], sha256: str) -> Source:
    """Return a data set of which every file is known by its digest.

    Args:
        root: The application's folder.
        data: The declaration.
        strings: Columns that are text.
        sha256: Digest that the data set must have; empty: not compared.

    Raises:
        InputError: ``data.changed``, or as :func:`fivefold.manifest.digests.listing`.
    """
    if data.kind != "audio" and not data.index:
        return Source(root, data, strings, {data.path: sha256})
    found = digests.listing(root, data)
    if sha256 and digests.joined(data, found) != sha256:
        raise changed(data.path)
    return Source(root, data, strings, found)


def changed(name: str) -> InputError:
    """Return the error of data that are not those of the plan."""
    return InputError(
        "data.changed",
        "the data changed after the plan was made.",
        where=name,
        remedy="Run the assessment again, and leave the files alone meanwhile.",
    )


def require_room(size: int, what: str, name: str) -> None:
    """Check that an array can be held before it is made.

    Args:
        size: Bytes.
        what: Of what, for the sentence.
        name: File name, for the error.

    Raises:
        InputError: ``data.large`` with both figures.
    """
    free = even.free_memory()
    most = min(npz.MOST_BYTES, free) if free is not None else npz.MOST_BYTES
    if size > most:
        raise InputError(
            "data.large",
            f"{what} take {size / 1e9:.1f} GB of memory, and at most {most / 1e9:.1f} GB can be used.",
            where=name,
            remedy="Draw rows at random, store smaller ones, or use a machine with more memory.",
        )


def require_same(frame: pd.DataFrame, n: int, data: DataSet, what: str) -> None:
    """Check that an index has a line for each row.

    Raises:
        InputError: ``data.index``.
    """
    if len(frame) != n:
        raise InputError(
            "data.index",
            f"the index of data.{data.name} has {len(frame):,} lines, and there are {n:,} {what}.",
            where=data.index,
            remedy="Give one line for each, in the same order.",
        )
