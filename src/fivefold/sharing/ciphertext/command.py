"""Commands: a server for a scorer's file, and an owner's table asked of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from fivefold.errors import InputError, StorageError
from fivefold.sharing.ciphertext import client, learning, scorer, server, settings
from fivefold.sharing.ciphertext.declared import ROW as CONTROL
from fivefold.sharing.ciphertext.declared import told
from fivefold.sharing.privacy import chunks

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from fivefold.manifest.nouns import Manifest
    from fivefold.sharing.ciphertext.learning import Learning


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


def serve(file: Path | None, host: str, port: int, ready: Callable[[int], None]) -> None:
    """Score encrypted rows, and learn from them, over HTTP until interrupted.

    Args:
        file: Of the scorer; None: rows are learned from only.
        host: Address to listen on.
        port: Port; 0: any free one.
        ready: Called with the port.

    Raises:
        InputError: As :func:`opened`; ``ciphertext.inaccurate``, ``ciphertext.port``.
        UnsupportedError: ``ciphertext.engine``.
    """
    with server.listening(server.Service(opened(file) if file else None).answer, host, port) as web:
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
    asked = owner.described
    found = [owner.answers(part) for part in chunks.parts(table, tuple(asked.columns))]
    answers = np.concatenate(found) if found else np.zeros(0)
    try:
        pd.DataFrame({"row": np.arange(len(answers)), "answer": np.round(answers, 4)}).to_csv(out, index=False)
    except OSError as error:
        raise StorageError("ciphertext.out", f"it cannot be written ({error.strerror}).", where=str(out)) from None
    return Scored(len(answers), asked.kind, settings.MOST_ERROR, asked.settings.degree, asked.settings.bits)


def learn(manifest: Manifest, url: str) -> bytes:
    """Encrypt the declared rows, have a model learned from them elsewhere, and return its scorer's file.

    Args:
        manifest: The application's; ``controls.S4.training`` says what is learned.
        url: Of the server.

    Raises:
        InputError: ``ciphertext.undeclared``; as :func:`fivefold.sharing.ciphertext.declared.told` and
            :func:`fivefold.sharing.ciphertext.learning.learn`; ``privacy.table``.
        UnsupportedError: ``ciphertext.engine``.
    """
    training = wanted(manifest)
    data = manifest.data[training.data]
    names = tuple(dict.fromkeys((*training.columns, training.target)))
    parts = list(chunks.parts(manifest.root / data.path, names, data.missing))
    x, y = learning.answered(training, pd.concat(parts, ignore_index=True))
    found = learning.learn(training, x, y, client.posting(url))
    return scorer.write(learning.scorer_of(training, found.weights))


def wanted(manifest: Manifest) -> Learning:
    """Return what a manifest says is learned on encrypted rows.

    Raises:
        InputError: ``ciphertext.undeclared`` if nothing is, or no path of ``sharing`` encrypts the data set; as
            :func:`fivefold.sharing.ciphertext.declared.told`.
    """
    where = str(manifest.file)
    options = manifest.controls.get(CONTROL, {})
    training = told(options, where).training if options else None
    if training is None:
        raise InputError("ciphertext.undeclared", "nothing is learned on encrypted rows.", where=where,
                         remedy="Write controls.S4.training.")  # fmt: skip
    if training.data not in manifest.data:
        raise InputError("ciphertext.undeclared", f"there is no data set {training.data[:60]!r}.", where=where,
                         remedy=f"Name one of: {', '.join(manifest.data)}.")  # fmt: skip
    if not any(path.what == "encrypted" and path.data == training.data for path in manifest.sharing):
        raise InputError(
            "ciphertext.undeclared", f"no path of `sharing:` encrypts data.{training.data}.", where=where,
            remedy=f"Write sharing: [{{what: encrypted, data: {training.data}, with: ..., control: S4}}].",
        )  # fmt: skip
    return training
