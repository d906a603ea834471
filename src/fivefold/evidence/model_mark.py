"""Model mark: the commitment to a secret by which a model's owner can be told, signed before the model is released."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

import msgspec

from fivefold.errors import InputError, TrustError
from fivefold.evidence import envelope
from fivefold.keys import store
from fivefold.keys import trust as trust_file
from fivefold.keys.signing import load_public

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from fivefold.keys.signing import Signer
    from fivefold.keys.trust import Trust
    from fivefold.manifest.nouns import Manifest

TYPE = "https://fivefold.dev/model-mark/v1"
Form = Literal["weights", "triggers", "fingerprint", "rows"]
FORMS: tuple[Form, ...] = get_args(Form)
MAX_BYTES = 1 << 20
MAX_OPENING = 16 << 20
MAX_CLAIM = 32 << 20
_COMMIT = "Mark the model, and have a witness vouch for the commitment: fivefold model mark --witness URL."


class ModelMark(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The predicate; its subjects are the files of the released model that bear the mark.

    Attributes:
        form: Where the mark is: in ``weights``, in answers to ``triggers``, in the boundaries as they are, or in
            ``rows`` of data, which are the files then.
        opening: SHA-256 of the secret, which holds 32 random bytes or more: nothing can be guessed from it.
        issued: UTC time by the owner's own clock; a witness's word counts, not this.
    """

    form: Form
    opening: str
    issued: str
    version: int = 1


@dataclass(frozen=True)
class Known:
    """A commitment whose signature holds.

    Attributes:
        mark: What it says.
        files: Released files, name to SHA-256.
        key: Id of the owner's key.
        holder: Its name in the trust file.
    """

    mark: ModelMark
    files: dict[str, str]
    key: str
    holder: str


def place_of(manifest: Manifest, form: str) -> Path:
    """Return the file that holds the commitment of a form."""
    return manifest.root / f"model.{form}-mark.json"


def proof_of(place: Path) -> Path:
    """Return the file that proves where a commitment stands in the log."""
    return place.with_suffix(".tlog-proof")


def stored(manifest: Manifest) -> dict[str, bytes]:
    """Return what there is: ``weights`` the commitment, ``weights.proof``, ``weights.opening`` (secret), and so on."""
    found: dict[str, bytes] = {}
    for form in FORMS:
        place = place_of(manifest, form)
        statement = _read(place, MAX_BYTES)
        if statement:
            parts = {
                "": statement,
                ".proof": _read(proof_of(place), MAX_BYTES),
                ".opening": store.mark_secret(statement),
            }
            found |= {f"{form}{part}": data for part, data in parts.items()}
    return found


def commit(form: Form, opening: bytes, files: Mapping[str, str], signer: Signer, issued: str) -> bytes:
    """Return the signed commitment.

    Args:
        form: Of the mark.
        opening: The secret.
        files: Released files, name to SHA-256.
        signer: The owner's key.
        issued: UTC time.

    Raises:
        InputError: ``mark.size`` for an opening that no reader takes.
    """
    if len(opening) > MAX_OPENING:
        raise InputError("mark.size", "the mark is too large to be kept.", remedy="Mark fewer weights.")
    mark = ModelMark(form=form, opening=hashlib.sha256(opening).hexdigest(), issued=issued)
    return envelope.seal(TYPE, dict(files), mark, signer)


def opened(statement: bytes, opening: bytes, *, trust: Trust, now: str) -> Known:
    """Check that a trusted signer committed to this very opening.

    Args:
        statement: The commitment as stored; empty: there is none.
        opening: The secret as stored or claimed.
        trust: The verifier's.
        now: UTC time.

    Raises:
        TrustError: ``mark.none``, ``mark.malformed``, ``mark.other-opening``; as
            :func:`fivefold.evidence.envelope.unseal` and :func:`fivefold.keys.trust.standing`.
    """
    if not statement:
        raise TrustError("mark.none", "nothing was committed to.", remedy=_COMMIT)
    if len(statement) > MAX_BYTES:
        raise TrustError("mark.malformed", "the commitment is larger than 1 MiB.")
    marks = envelope.parse(statement, where="commitment").signatures
    keyid = marks[0].keyid if marks else ""
    key = trust_file.standing(trust, keyid, "signer", now, now)
    found = envelope.unseal(statement, {keyid: load_public(key.public.encode())}, where="commitment")
    try:
        mark = msgspec.json.decode(found.predicate, type=ModelMark)
    except msgspec.DecodeError:
        mark = None
    if mark is None or found.kind != TYPE or mark.version != 1 or not found.subjects:
        raise TrustError("mark.malformed", "this is no commitment to a mark.")
    trust_file.standing(trust, keyid, "signer", mark.issued, now)
    if hashlib.sha256(opening).hexdigest() != mark.opening:
        raise TrustError("mark.other-opening", "what is claimed is not what was committed to." if opening else
                         "the secret that was committed to is not here.")  # fmt: skip
    return Known(mark, found.subjects, keyid, key.name)


def _read(place: Path, most: int) -> bytes:
    try:
        with place.open("rb") as file:
            return file.read(most + 1)
    except OSError:
        return b""
