"""Claims: a mark's secret, opened so that anybody can hold it against a suspect and verify when it was committed to."""

from __future__ import annotations

import io
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, TypeAlias

import msgspec
import numpy as np

from fivefold.contract.codec import canonical
from fivefold.errors import InputError, TrustError
from fivefold.evidence import model_mark
from fivefold.subject import labels
from fivefold.traceability.watermark import committing, embedding, fingerprint, pairs, questions, tensors, triggers
from fivefold.traceability.watermark.embedding import WeightsOpening
from fivefold.traceability.watermark.fingerprint import FingerprintOpening
from fivefold.traceability.watermark.pairs import RowsOpening
from fivefold.traceability.watermark.triggers import TriggersOpening

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import pandas as pd

    from fivefold.evidence.model_mark import Form
    from fivefold.keys.trust import Trust
    from fivefold.traceability.watermark.committing import Committed
    from fivefold.traceability.watermark.embedding import Reading

LIMIT = 1e-6
"""A suspect is called a copy if chance gives so much agreement at most this often: the bound of false claims."""
_LINE = 1 << 20

Opening: TypeAlias = WeightsOpening | TriggersOpening | FingerprintOpening | RowsOpening


class Claim(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What an owner hands to a third party; whoever has it can read the mark, and remove it.

    Attributes:
        statement: The commitment.
        opening: The secret.
        proof: Where the commitment stands in the log, and which witness vouched for it when; empty: nowhere.
    """

    statement: bytes
    opening: bytes
    proof: bytes
    kind: str = "claim of a model, version 1"


@dataclass(frozen=True)
class Judged:
    """A claim held against a suspect.

    Attributes:
        committed: The commitment, which holds.
        reading: What the suspect says.
    """

    committed: Committed
    reading: Reading

    @property
    def copy(self) -> bool:
        """Whether the suspect is called a copy."""
        return self.reading.p <= LIMIT


def write(claim: Claim) -> bytes:
    """Return the file."""
    return canonical(claim) + b"\n"


def read(data: bytes) -> Claim:
    """Read a file without verifying it.

    Raises:
        TrustError: ``mark.malformed``.
    """
    try:
        found = msgspec.json.decode(data, type=Claim) if len(data) <= model_mark.MAX_CLAIM else None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        found = None
    if found is None or found.kind != Claim.__struct_defaults__[-1]:
        raise TrustError("mark.malformed", "this is no claim of a model.")
    return found


def opening_of(data: bytes) -> Opening:
    """Read an opening.

    Raises:
        TrustError: ``mark.malformed``.
    """
    try:
        found: Opening = msgspec.json.decode(data, type=Opening)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise TrustError("mark.malformed", "this is no opening of a mark.") from None
    return found


def weights_of(data: bytes) -> WeightsOpening:
    """Read the opening of a mark in weights.

    Raises:
        TrustError: ``mark.malformed``.
    """
    found = opening_of(data)
    if not isinstance(found, WeightsOpening):
        raise TrustError("mark.malformed", "this is no opening of a mark in weights.")
    embedding.require(found)
    return found


def triggers_of(data: bytes) -> TriggersOpening:
    """Read the opening of triggers.

    Raises:
        TrustError: ``mark.malformed``.
    """
    found = opening_of(data)
    if not isinstance(found, TriggersOpening):
        raise TrustError("mark.malformed", "this is no opening of triggers.")
    triggers.wanted(found)
    return found


def fingerprint_of(data: bytes) -> FingerprintOpening:
    """Read the opening of a fingerprint.

    Raises:
        TrustError: ``mark.malformed``.
    """
    found = opening_of(data)
    if not isinstance(found, FingerprintOpening):
        raise TrustError("mark.malformed", "this is no opening of a fingerprint.")
    fingerprint.require(found)
    return found


def rows_of(data: bytes) -> RowsOpening:
    """Read the opening of marked rows.

    Raises:
        TrustError: ``mark.malformed``.
    """
    found = opening_of(data)
    if not isinstance(found, RowsOpening):
        raise TrustError("mark.malformed", "this is no opening of marked rows.")
    pairs.wanted(found)
    return found


_READERS: dict[Form, Callable[[bytes], Opening]] = {
    "weights": weights_of, "triggers": triggers_of, "fingerprint": fingerprint_of, "rows": rows_of,
}  # fmt: skip


def required(form: Form, data: bytes) -> Opening:
    """Read the opening that a statement of a form is to.

    Raises:
        TrustError: ``mark.malformed``, also for an opening of another form.
    """
    return _READERS[form](data)


def judge(data: bytes, suspect: Path, *, trust: Trust, now: str, released: str) -> Judged:
    """Hold a claim against a suspect.

    Args:
        data: The claim as stored.
        suspect: File of weights (see :func:`fivefold.traceability.watermark.tensors.read`), or, of a claim with
            questions, a CSV file whose last column holds the suspect's answers in order; of marked rows, columns that
            are named as the classes are may hold its scores instead, which tell far more.
        trust: The verifier's: whose keys count as ``signer``, ``log`` and ``witness``.
        now: UTC time.
        released: When the suspect, or the oldest public model that it may have been made from, was first seen.

    Raises:
        InputError: ``mark.released``; the suspect cannot be read.
        TrustError: As :func:`fivefold.traceability.watermark.committing.verify`; ``mark.malformed``, also for an
            opening of another form than the statement's.
    """
    if not released:
        raise InputError("mark.released", "without the day of release any later key would count.",
                         remedy="Give the day on which the model, or the oldest public one that it was made from, was "
                         "first seen.")  # fmt: skip
    claim = read(data)
    committed = committing.verify(claim.statement, claim.opening, claim.proof, trust=trust, now=now, released=released)
    opening = required(committed.known.mark.form, claim.opening)
    if isinstance(opening, WeightsOpening):
        return Judged(committed, embedding.read(tensors.read(suspect).tensors, opening))
    if isinstance(opening, FingerprintOpening):
        said = _answers(suspect, opening.classes, len(opening.answers))
        return Judged(committed, fingerprint.read(said, opening))
    if isinstance(opening, RowsOpening):
        found = pairs.read(_scores(suspect, opening.classes, 2 * len(opening.targets)), opening)
        # who judges may bring scores or labels, and keep the better: two tries
        return Judged(committed, replace(found, p=min(1.0, 2 * found.p)))
    return Judged(committed, triggers.read(_answers(suspect, opening.classes, opening.count), opening))


def asked(data: bytes) -> pd.DataFrame:
    """Return the questions of a claim as a table, for whoever asks the suspect.

    Raises:
        TrustError: ``mark.malformed``.
        InputError: ``mark.no-questions`` for a mark in weights, and for questions that are arrays.
    """
    opening = opening_of(read(data).opening)
    if isinstance(opening, WeightsOpening):
        raise InputError("mark.no-questions", "the mark is in weights, and asks no questions.",
                         remedy="Judge the suspect's weights: fivefold model own.")  # fmt: skip
    found = questions.unpacked(opening.inputs, opening.classes)
    if found.inputs is not None:
        raise InputError("mark.no-questions", "the questions are arrays, and fit into no CSV file.",
                         remedy="Name another file for them: --questions asked.npz.")  # fmt: skip
    return found.features


def file_of(data: bytes, suffix: str) -> bytes:
    """Return the questions of a claim as a file: of an array as ``.npz`` with ``inputs``, else as CSV.

    Raises:
        TrustError: ``mark.malformed``.
        InputError: As :func:`asked`.
    """
    opening = opening_of(read(data).opening)
    if suffix.lower() == ".npz" and not isinstance(opening, WeightsOpening):
        found = questions.unpacked(opening.inputs, opening.classes)
        if found.inputs is not None:
            file = io.BytesIO()
            np.savez(file, inputs=found.inputs)
            return file.getvalue()
    return asked(data).to_csv(index=False).encode()


def _answers(path: Path, classes: tuple[str, ...], count: int) -> np.ndarray:
    """Return (n,) class indices of the last column of a CSV file with a header; nothing beyond one row more is read.

    Raises:
        InputError: ``mark.answers``.
    """
    said = [row[-1] if row else "" for row in _told(path, count)[1:]]
    return labels.codes(labels.texts(np.array(said, dtype=object)), classes)


def _scores(path: Path, classes: tuple[str, ...], count: int) -> np.ndarray:
    """Return (n, K) scores of the columns that are named as the classes are, or (n,) labels where one has none.

    Raises:
        InputError: ``mark.answers``.
    """
    header, *said = _told(path, count)
    if not set(classes) <= set(header):
        return _answers(path, classes, count)
    at = [header.index(one) for one in classes]
    try:
        found = np.array([[float(row[one]) for one in at] for row in said])
    except (ValueError, IndexError):
        found = np.array([[np.nan]])
    if not np.isfinite(found).all():
        raise InputError("mark.answers", "a column that is named as a class holds what is no score.",
                         where=path.name, remedy="Give probabilities there, or labels alone.")  # fmt: skip
    return found


def _told(path: Path, count: int) -> list[list[str]]:
    """Return header and lines of a CSV file; nothing beyond one line more is read.

    Raises:
        InputError: ``mark.answers``.
    """
    import csv

    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = csv.reader(iter(partial(file.readline, _LINE), ""))
            said = list(islice(rows, count + 2))
    except (OSError, ValueError, csv.Error):
        raise InputError("mark.answers", "the suspect's answers cannot be read.", where=path.name,
                         remedy="Give a CSV file with the answers in its last column.") from None  # fmt: skip
    if len(said) != count + 1:
        given = f"{max(0, len(said) - 1)}" if len(said) <= count else f"more than {count}"
        raise InputError("mark.answers", f"{given} answers were given to {count} questions.",
                         where=path.name, remedy="Answer each question once, in order.")  # fmt: skip
    return said


def first(one: Judged, other: Judged) -> int:
    """Return which of two claims on one suspect holds: 0 the first, 1 the second.

    Who overwrites a mark leaves both in the copy: the one that was witnessed earlier is the owner's.

    Raises:
        InputError: ``mark.undecided`` if only chance or a tie would decide.
    """
    if one.copy != other.copy:
        return int(other.copy)
    if not one.copy or one.committed.since == other.committed.since:
        raise InputError("mark.undecided", "neither claim is ahead of the other.", remedy="Ask for more evidence.")
    return int(other.committed.since < one.committed.since)
