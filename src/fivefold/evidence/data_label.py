"""Data label: what a data set is and may be used for, signed by its steward over its bytes and its columns."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from fivefold.errors import InputError, TrustError
from fivefold.evidence import envelope
from fivefold.evidence.data_content import Content
from fivefold.keys import trust as trust_file
from fivefold.keys.signing import load_public

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from pathlib import Path

    from fivefold.keys.signing import Signer
    from fivefold.keys.trust import Trust
    from fivefold.manifest.nouns import Manifest

TYPES = {1: "https://fivefold.dev/data-label/v1", 2: "https://fivefold.dev/data-label/v2"}
ENDING = ".label.json"
"""Appended to the path of the data."""
MODEL = "model"
"""Name in the model's label."""
FIELDS = ("class", "personal", "basis", "purpose", "region", "retain")
"""What a complete label says, besides ``source``."""
MAX_BYTES = 1 << 20
_TERM = re.compile(r"([0-9]{1,4})([dwmy])")
_DAYS = {"d": 1, "w": 7, "m": 30, "y": 365}
_MOST_DAYS = 365_000


class Origin(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A label that another one was derived from.

    Attributes:
        name: Of its data.
        label: SHA-256 of its envelope.
        fields: What it said.
        issued: When.
    """

    name: str
    label: str
    fields: dict[str, Any]
    issued: str


class DataLabel(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The predicate.

    Attributes:
        fields: What is declared, ``source`` among them, as written.
        issued: UTC time of the signature, by the steward's clock.
        version: 1 has these three; the others came with 2.
        binds: What the subject's digest is of: the stored ``bytes``, or the table's ``content`` (its root), where the
            label stands inside the file.
        content: Of a table; None: the bytes alone are bound.
        serial: Counts the labels of this data set, from 1.
        replaces: SHA-256 of the label before it, empty for the first.
        origins: The labels that it was derived from.
        declassified: Why it says less than those, or than the one before, in the steward's words; empty: it does not.
        inside: Whether a label of the content stands in the file's schema, too.
    """

    fields: dict[str, Any]
    issued: str
    version: int = 1
    binds: Literal["bytes", "content"] = "bytes"
    content: Content | None = None
    serial: int = 1
    replaces: str = ""
    origins: tuple[Origin, ...] = ()
    declassified: str = ""
    inside: bool = False


@dataclass(frozen=True)
class Known:
    """A label whose signature holds, by a steward who is trusted.

    Attributes:
        name: Of the data in it.
        digest: Its subject's.
        label: What it says.
        keyid: Of the steward's key.
        own: SHA-256 of the envelope.
    """

    name: str
    digest: str
    label: DataLabel
    keyid: str
    own: str


def place_of(manifest: Manifest, name: str) -> Path:
    """Return the file that holds a data set's label."""
    path = manifest.root / manifest.data[name].path
    return path.with_name(path.name + ENDING)


def model_place(manifest: Manifest) -> Path:
    """Return the file that holds the model's label: what it was trained on, and what its answers may be used for."""
    return manifest.root / f"{MODEL}{ENDING}"


def stored(manifest: Manifest) -> dict[str, bytes]:
    """Return the label of each data set and of the model as stored.

    Empty bytes stand where there is none; one that is too large is cut.
    """
    places = {name: place_of(manifest, name) for name in manifest.data}
    if manifest.model is not None and MODEL not in places:
        places[MODEL] = model_place(manifest)
    found = {}
    for name, place in places.items():
        try:
            with place.open("rb") as file:
                found[name] = file.read(MAX_BYTES + 1)
        except OSError:
            found[name] = b""
    return found


def controls(manifest: Manifest) -> dict[str, dict[str, Any]]:
    """Return the declared controls; T1 knows what the application is for, unless it says so itself."""
    if "T1" not in manifest.controls:
        return manifest.controls
    return {**manifest.controls, "T1": {"purposes": list(manifest.purposes), **manifest.controls["T1"]}}


def sign(name: str, digest: str, fields: Mapping[str, Any], signer: Signer, issued: str) -> bytes:
    """Return a label.

    Args:
        name: Of the data set in the manifest.
        digest: SHA-256 of its stored bytes.
        fields: What the label says.
        signer: The steward's key.
        issued: UTC time.

    Raises:
        InputError: ``label.size`` for more than 1 MiB.
    """
    return seal(name, digest, DataLabel(fields=dict(fields), issued=issued), signer)


def seal(name: str, digest: str, label: DataLabel, signer: Signer) -> bytes:
    """Return a label of either version.

    Args:
        name: Of the data.
        digest: SHA-256 of the stored bytes, or the root of the content where the label binds that.
        label: What is signed.
        signer: The steward's key.

    Raises:
        InputError: ``label.size`` for more than 1 MiB.
    """
    said = msgspec.to_builtins(label)
    if label.version == 1:
        said = {key: said[key] for key in ("fields", "issued", "version")}
    data = envelope.seal(TYPES[label.version], {name: digest}, said, signer)
    if len(data) > MAX_BYTES:
        raise InputError("label.size", "a label has at most 1 MiB.", remedy="Say less.")
    return data


def verify(data: bytes, name: str, digest: str, *, declared: Mapping[str, Any], trust: Trust, now: str) -> DataLabel:
    """Check that a label is bound to these bytes, says what is declared, is complete, trusted and not outlived.

    Args:
        data: The label as stored; empty: there is none.
        name: Of the data set.
        digest: SHA-256 of its bytes.
        declared: The manifest's fields, ``source`` among them.
        trust: The verifier's.
        now: UTC time.

    Raises:
        TrustError: ``label.missing``, ``label.other-data``, ``label.data-changed``, ``label.differs``,
            ``label.incomplete``, ``label.outlived``, ``label.malformed``; as :func:`fivefold.evidence.envelope.unseal`
            and :func:`fivefold.keys.trust.standing`.
    """
    known = opened(data, trust=trust, now=now)
    label = known.label
    if known.name != name:
        raise TrustError("label.other-data", f"the label is one of data.{known.name[:60]}.")
    if known.digest != digest:
        raise TrustError("label.data-changed", "the bytes are not those that were labelled.")
    _require_same(label.fields, declared)
    _require_complete(label.fields)
    require_term(label, now)
    return label


def opened(data: bytes, *, trust: Trust, now: str) -> Known:
    """Check that a trusted steward signed a label, whatever it is bound to.

    Args:
        data: The label as stored; empty: there is none.
        trust: The verifier's.
        now: UTC time.

    Raises:
        TrustError: ``label.missing``, ``label.malformed``; as :func:`fivefold.evidence.envelope.unseal` and
            :func:`fivefold.keys.trust.standing`.
    """
    if not data:
        raise TrustError(
            "label.missing",
            "there is no label beside it.",
            remedy="Have a steward sign one: fivefold key new --role steward --trust; fivefold data label.",
        )
    if len(data) > MAX_BYTES:
        raise TrustError("label.malformed", "the label is larger than 1 MiB.")
    marks = envelope.parse(data, where="label").signatures
    keyid = marks[0].keyid if marks else ""
    key = trust_file.standing(trust, keyid, "steward", now, now)
    found = envelope.unseal(data, {keyid: load_public(key.public.encode())}, where="label")
    try:
        label = msgspec.json.decode(found.predicate, type=DataLabel)
    except msgspec.DecodeError:
        label = None
    if label is None or found.kind != TYPES.get(label.version) or len(found.subjects) != 1:
        raise TrustError("label.malformed", "this is no data label.")
    trust_file.standing(trust, keyid, "steward", label.issued, now)
    name, digest = next(iter(found.subjects.items()))
    return Known(name, digest, label, keyid, hashlib.sha256(data).hexdigest())


def require_term(label: DataLabel, now: str) -> None:
    """Check that a label has a term that is not over.

    Raises:
        TrustError: ``label.incomplete``, ``label.outlived``.
    """
    end = term(label)
    if end is None:
        raise TrustError("label.incomplete", "`retain` is no term such as 90d or 5y.")
    if trust_file.moment(now) >= end:
        raise TrustError("label.outlived", f"the data were to be kept until {end:%Y-%m-%d}.")


def _require_same(fields: Mapping[str, Any], declared: Mapping[str, Any]) -> None:
    names = sorted({*fields, *declared})
    differing = [key for key in names if _form(fields.get(key)) != _form(declared.get(key))]
    if differing:
        raise TrustError("label.differs", f"the signed label and the manifest differ in {', '.join(differing)[:200]}.")


def _require_complete(fields: Mapping[str, Any]) -> None:
    missing = lacking(fields)
    if missing:
        raise TrustError("label.incomplete", f"the label does not say: {', '.join(missing)}.")


def lacking(fields: Mapping[str, Any]) -> list[str]:
    """Return what a label does not say; ``personal`` may be an empty list: there are no personal columns."""
    return [key for key in (*FIELDS, "source") if key not in fields or (key != "personal" and not fields[key])]


def term(label: DataLabel) -> datetime | None:
    """Return when the data are to be gone: so many days (months of 30, years of 365) after the label was signed."""
    match = _TERM.fullmatch(str(label.fields.get("retain", "")))
    if match is None:
        return None
    days = int(match[1]) * _DAYS[match[2]]
    return trust_file.moment(label.issued) + timedelta(days=min(days, _MOST_DAYS))


def _form(value: Any) -> str:
    """Return a field in the form in which two are compared: as text, parted at commas, lists without order."""
    items = value if isinstance(value, list | tuple) else str("" if value is None else value).split(",")
    return "\n".join(sorted(str(item).strip() for item in items))
