"""Marking: what ``fivefold model mark`` and ``fivefold data mark`` do, from the file to the log."""

from __future__ import annotations

import hashlib
import io
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from fivefold.contract.codec import canonical
from fivefold.errors import InputError
from fivefold.evidence import model_mark
from fivefold.keys import store
from fivefold.subject import labels
from fivefold.subject.tables import Coding, Store
from fivefold.traceability.watermark import claims, committing, embedding, pairs, tensors
from fivefold.traceability.watermark import triggers as triggers_

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import pandas as pd

    from fivefold.evidence.model_mark import Form
    from fivefold.keys.signing import Signer
    from fivefold.manifest.nouns import Manifest
    from fivefold.traceability.watermark.embedding import Marked


@dataclass(frozen=True)
class Made:
    """What marking left.

    Attributes:
        model: The marked file.
        commitment: The signed commitment.
        proof: Where it stands in the log.
        secret: The secret, kept beside the keys.
        marked: How strongly the weights were changed.
    """

    model: Path
    commitment: Path
    proof: Path
    secret: Path
    marked: Marked


@dataclass(frozen=True)
class Taught:
    """What drawing triggers left.

    Attributes:
        questions: The CSV file of questions and answers, to be learnt.
        commitment, proof, secret: As :class:`Made`.
        count: How many questions.
    """

    questions: Path
    commitment: Path
    proof: Path
    secret: Path
    count: int


@dataclass(frozen=True)
class Rows:
    """What marking data left.

    Attributes:
        data: The marked copy.
        commitment, proof, secret: As :class:`Made`.
        rows: How many rows were marked, of ``total``.
        cells: Share of all cells that were changed.
        largest: Largest change in units of its column's spread.
    """

    data: Path
    commitment: Path
    proof: Path
    secret: Path
    rows: int
    total: int
    cells: float
    largest: float


def mark(manifest: Manifest, out: Path, signer: Signer, now: str, change: float = embedding.CHANGE) -> Made:
    """Mark the weights of an application's model with a fresh key, and commit to it.

    Args:
        manifest: Names the file of weights under ``model.path``.
        out: File for the marked weights, of the same kind; must not exist.
        signer: The owner's key.
        now: UTC time.
        change: As :func:`fivefold.traceability.watermark.embedding.embed`.

    Raises:
        InputError: ``mark.file``, ``mark.exists``, ``mark.small``, ``mark.change``.
        TrustError: The file is not one that may be read; as :func:`fivefold.traceability.watermark.committing.enter`.
    """
    if not 0 < change < 1:
        raise InputError("mark.change", "a change is a share between 0 and 1.", remedy="Give for example 0.1.")
    path = source(manifest)
    place = model_mark.place_of(manifest, "weights")
    _require_free(out, place)
    stored = tensors.read(path)
    marked = embedding.embed({name: stored.tensors[name] for name in stored.marked}, secrets.token_bytes(32), change)
    data = stored.write(marked.tensors)
    opening = canonical(marked.opening)
    secret = commit(
        manifest, "weights", opening, files={out.name: hashlib.sha256(data).hexdigest()}, signer=signer, now=now
    )
    out.write_bytes(data)
    return Made(out, place, model_mark.proof_of(place), secret, marked)


def source(manifest: Manifest) -> Path:
    """Return the file of weights that a manifest names.

    Raises:
        InputError: ``mark.no-file``.
    """
    if manifest.model is None or not manifest.model.path:
        raise InputError("mark.no-file", "the manifest names no file of weights.", where=str(manifest.file),
                         remedy="Name it under model.path: .safetensors, .npz or .onnx.")  # fmt: skip
    return manifest.root / manifest.model.path


def commit(manifest: Manifest, form: Form, opening: bytes, *, files: dict[str, str], signer: Signer, now: str) -> Path:
    """Keep a secret, sign the commitment to it, enter it into the log; return the file of the secret."""
    statement = model_mark.commit(form, opening, files, signer, now)
    place = model_mark.place_of(manifest, form)
    secret = store.keep_mark_secret(statement, opening)
    proof = committing.enter(manifest, statement)
    store.write_public(place, statement)
    store.write_public(model_mark.proof_of(place), proof)
    return secret


def claim(manifest: Manifest, form: Form = "weights") -> bytes:
    """Open a commitment of this user's: the file of the claim.

    Raises:
        InputError: ``mark.none``, ``mark.no-secret``.
    """
    found = model_mark.stored(manifest)
    if form not in found:
        raise InputError("mark.none", "the model is not marked.", remedy="Mark it: fivefold model mark.")
    if not found[f"{form}.opening"]:
        raise InputError("mark.no-secret", "the mark's secret is not among your keys.",
                         remedy="Whoever marked the model has it, in the folder of keys.")  # fmt: skip
    return claims.write(
        claims.Claim(statement=found[form], opening=found[f"{form}.opening"], proof=found[f"{form}.proof"])
    )


def triggers(manifest: Manifest, out: Path, signer: Signer, now: str, count: int = 100) -> Taught:
    """Draw questions with keyed answers for the application's training to learn, and commit to them.

    Args:
        manifest: Declares a table ``train`` with a target.
        out: CSV file for the questions and their answers; must not exist.
        signer: The owner's key.
        now: UTC time.
        count: How many questions.

    Raises:
        InputError: ``mark.exists``, ``mark.train``; as :func:`fivefold.traceability.watermark.triggers.drawn`.
    """
    place = model_mark.place_of(manifest, "triggers")
    _require_free(out, place)
    data = manifest.data.get("train")
    if data is None or data.kind != "table" or not data.target:
        raise InputError("mark.train", "the manifest declares no table `train` with a target.",
                         where=str(manifest.file), remedy="Declare data.train with its target.")  # fmt: skip
    kept = Store(manifest.root, manifest.data, manifest.features)
    known = labels.distinct(labels.texts(kept.frame("train")[data.target]))
    declared = manifest.model.classes if manifest.model else ()
    classes = declared or known
    numbers = manifest.model is not None and manifest.model.task == "regression"
    table = kept.table("train", Coding("binary" if len(classes) == 2 else "multiclass", classes))
    rng = np.random.default_rng(np.frombuffer(secrets.token_bytes(32), np.uint64))
    opening, asked = triggers_.drawn(table, () if numbers else classes, count, rng)
    del table  # the whole set is large
    frame = asked.features.copy()
    frame[data.target] = labels.natural(classes)[asked.target]
    secret = commit(
        manifest, "triggers", canonical(opening), files={out.name: _csv(frame, out)}, signer=signer, now=now
    )
    return Taught(out, place, model_mark.proof_of(place), secret, count)


def rows(
    manifest: Manifest, out: Path, signer: Signer, now: str, *, share: float = 1.0, change: float = 0.1,
    keep: Sequence[str] = (),
) -> Rows:  # fmt: skip
    """Write a copy of an application's training data in which a key chose one of two variants of rows; commit to it.

    Threat: data are taken, and what was trained on them can only be asked. Limit: who learns no single row, or changes
    or averages the rows first, does not show it.

    Args:
        manifest: Declares ``train``, a table or images in an npz file, with a target.
        out: File for the marked copy, CSV, Parquet or npz; must not exist.
        signer: The owner's key.
        now: UTC time.
        share: Of the rows, in (0, 1].
        change: Of a number, in units of its column's spread, in (0, 1].
        keep: Columns to leave alone, besides the protected ones.

    Raises:
        InputError: ``mark.exists``, ``mark.train``; as :func:`fivefold.traceability.watermark.pairs.marked`.
    """
    place = model_mark.place_of(manifest, "rows")
    _require_free(out, place)
    data = manifest.data.get("train")
    arrays = data is not None and data.path.lower().endswith(".npz")
    kinds = (".npz",) if arrays else (".csv", ".parquet")
    numbers = manifest.model is not None and manifest.model.task == "regression"
    if data is None or not data.target or data.kind not in ("table", "image") or numbers:
        raise InputError("mark.train", "the manifest declares no table and no images `train` with classes as target.",
                         where=str(manifest.file), remedy="Declare data.train with its target.")  # fmt: skip
    if out.suffix.lower() not in kinds:
        raise InputError("mark.train", "the copy cannot be of this kind.", where=out.name,
                         remedy=f"Name a file that ends with {' or '.join(kinds)}.")  # fmt: skip
    kept = Store(manifest.root, manifest.data, manifest.features)
    declared = manifest.model.classes if manifest.model else ()
    classes = declared or labels.distinct(labels.texts(kept.frame("train")[data.target]))
    table = kept.table("train", Coding("binary" if len(classes) == 2 else "multiclass", classes))
    rng = np.random.default_rng(np.frombuffer(secrets.token_bytes(32), np.uint64))
    made, total = pairs.marked(table, classes, rng, share=share, step=change, keep=(*keep, *data.protected)), len(table)
    del table  # the whole set is large
    written = _arrays(manifest.root / data.path, made) if arrays else _frame(kept.frame("train"), made, out.suffix)
    files = {out.name: hashlib.sha256(written).hexdigest()}
    secret = commit(manifest, "rows", canonical(made.opening), files=files, signer=signer, now=now)
    store.write_private(out, written)
    return Rows(out, place, model_mark.proof_of(place), secret, len(made.rows), total, made.cells, made.largest)


def _frame(frame: pd.DataFrame, made: pairs.Chosen, suffix: str) -> bytes:
    """Return a stored table with the marked cells in it."""
    whole = frame.copy()
    for name in made.names:
        column = whole[name].copy()
        column.iloc[made.rows] = made.table.features[name].astype(column.dtype).to_numpy()
        whole[name] = column
    if suffix.lower() == ".csv":
        return whole.to_csv(index=False).encode()
    buffer = io.BytesIO()
    whole.to_parquet(buffer, index=False)
    return buffer.getvalue()


def _arrays(path: Path, made: pairs.Chosen) -> bytes:
    """Return an npz file with the marked images in it; the other arrays stay.

    Raises:
        InputError: ``mark.inputs`` if the images are not told from other arrays by their shape.
    """
    with np.load(path, allow_pickle=False) as file:
        values = {name: file[name] for name in file.files}
    shown = made.table.inputs
    size = 0 if shown is None else shown[0].size
    found = [name for name, one in values.items() if one.ndim >= 3 and one[0].size == size]
    if shown is None or len(found) != 1:
        raise InputError("mark.inputs", "it is not clear which array holds the images.", where=path.name,
                         remedy="Leave one array of images in the file.")  # fmt: skip
    whole = values[found[0]]
    whole[made.rows] = shown.reshape(len(shown), *whole.shape[1:]).astype(whole.dtype)
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **cast("dict[str, Any]", values))
    return buffer.getvalue()


def _csv(frame: pd.DataFrame, out: Path) -> str:
    data = frame.to_csv(index=False).encode()
    store.write_private(out, data)
    return hashlib.sha256(data).hexdigest()


def _require_free(*places: Path) -> None:
    for one in places:
        if one.exists():
            raise InputError("mark.exists", f"{one} is there already.",
                             remedy="Name another file, or move the mark away: its secret stays.")  # fmt: skip
