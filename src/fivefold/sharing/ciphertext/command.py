"""Commands: a server for a scorer's file, and an owner's table asked of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from fivefold.errors import InputError, StorageError
from fivefold.sharing.ciphertext import client, scorer, server, settings
from fivefold.sharing.privacy import chunks

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@dataclass(frozen=True)
class Scored:
    """What came of a table.

    Attributes:
        rows: How many.
        kind: Of the scorer.
        error: Most that a score is off.
        degree: Of the encryption.
        bits: Of its modulus.
    """

    rows: int
    kind: str
    error: float
    degree: int
    bits: int


def opened(file: Path) -> scorer.Scorer:
    """Return the scorer in a file.

    Raises:
        InputError: As :func:`fivefold.sharing.ciphertext.scorer.read`; ``ciphertext.file`` if it cannot be read.
    """
    try:
        with file.open("rb") as held:
            raw = held.read(scorer.MOST_BYTES + 1)
    except OSError as error:
        raise InputError("ciphertext.file", f"it cannot be read ({error.strerror}).", where=str(file),
                         remedy="Name the file of a scorer.") from None  # fmt: skip
    return scorer.read(raw, str(file))


def serve(file: Path, host: str, port: int, ready: Callable[[int], None]) -> None:
    """Score encrypted rows over HTTP until interrupted.

    Args:
        file: Of the scorer.
        host: Address to listen on.
        port: Port; 0: any free one.
        ready: Called with the port.

    Raises:
        InputError: As :func:`opened`; ``ciphertext.inaccurate``, ``ciphertext.port``.
        UnsupportedError: ``ciphertext.engine``.
    """
    with server.listening(server.Service(opened(file)).answer, host, port) as web:
        ready(int(web.server_port))
        web.serve_forever()


def score(url: str, table: Path, out: Path) -> Scored:
    """Encrypt a table, have it scored, and write the answers: a CSV of ``row`` and ``answer``.

    Args:
        url: Of the server.
        table: CSV, Parquet or Arrow file.
        out: File to write; it may not be there.

    Raises:
        InputError: ``ciphertext.exists``; as :class:`fivefold.sharing.ciphertext.client.Owner`; ``privacy.table``.
        StorageError: ``ciphertext.out``.
        UnsupportedError: ``ciphertext.engine``.
    """
    if out.exists():
        raise InputError("ciphertext.exists", f"{out} is there already.", remedy="Name another file.")
    owner = client.Owner(client.posting(url))
    told = owner.described
    found = [owner.answers(part) for part in chunks.parts(table, tuple(told.columns))]
    answers = np.concatenate(found) if found else np.zeros(0)
    try:
        pd.DataFrame({"row": np.arange(len(answers)), "answer": np.round(answers, 4)}).to_csv(out, index=False)
    except OSError as error:
        raise StorageError("ciphertext.out", f"it cannot be written ({error.strerror}).", where=str(out)) from None
    return Scored(len(answers), told.kind, settings.MOST_ERROR, told.settings.degree, told.settings.bits)
