"""Marking: what ``fivefold model mark`` does to an application's model, from its file to the log."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from fivefold.contract.codec import canonical
from fivefold.errors import InputError
from fivefold.evidence import model_mark
from fivefold.keys import store
from fivefold.subject import labels
from fivefold.subject.tables import Coding, Store
from fivefold.traceability.watermark import claims, committing, embedding, tensors
from fivefold.traceability.watermark import triggers as triggers_

if TYPE_CHECKING:
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


def _csv(frame: pd.DataFrame, out: Path) -> str:
    data = frame.to_csv(index=False).encode()
    store.write_private(out, data)
    return hashlib.sha256(data).hexdigest()


def _require_free(*places: Path) -> None:
    for one in places:
        if one.exists():
            raise InputError("mark.exists", f"{one} is there already.",
                             remedy="Name another file, or move the mark away: its secret stays.")  # fmt: skip
