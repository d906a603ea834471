"""Data label: what a data set is and may be used for, signed by its steward over its very bytes."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import msgspec

from fivefold.errors import InputError, TrustError
from fivefold.evidence import envelope
from fivefold.keys import trust as trust_file
from fivefold.keys.signing import load_public

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from pathlib import Path

    from fivefold.keys.signing import Signer
    from fivefold.keys.trust import Trust
    from fivefold.manifest.nouns import Manifest

TYPE = "https://fivefold.dev/data-label/v1"
ENDING = ".label.json"
"""Appended to the path of the data."""
FIELDS = ("class", "personal", "basis", "purpose", "region", "retain")
"""What a complete label says, besides ``source``."""
MAX_BYTES = 1 << 20
_TERM = re.compile(r"([0-9]{1,4})([dwmy])")
_DAYS = {"d": 1, "w": 7, "m": 30, "y": 365}
_MOST_DAYS = 365_000


class DataLabel(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The predicate.

    Attributes:
        fields: What is declared, ``source`` among them, as written.
        issued: UTC time of the signature, by the steward's clock.
        version: 1.
    """

    fields: dict[str, Any]
    issued: str
    version: int = 1


def place_of(manifest: Manifest, name: str) -> Path:
    """Return the file that holds a data set's label."""
    path = manifest.root / manifest.data[name].path
    return path.with_name(path.name + ENDING)


def stored(manifest: Manifest) -> dict[str, bytes]:
    """Return the label of each data set as stored; empty bytes where there is none, cut where it is too large."""
    found = {}
    for name in manifest.data:
        try:
            with place_of(manifest, name).open("rb") as file:
                found[name] = file.read(MAX_BYTES + 1)
        except OSError:
            found[name] = b""
    return found


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
    data = envelope.seal(TYPE, {name: digest}, DataLabel(fields=dict(fields), issued=issued), signer)
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
    if not data:
        raise TrustError("label.missing", "there is no label beside it.")
    if len(data) > MAX_BYTES:
        raise TrustError("label.malformed", "the label is larger than 1 MiB.")
    keyid = envelope.parse(data, where=name).signatures[0].keyid
    key = trust_file.standing(trust, keyid, "steward", now, now)
    opened = envelope.unseal(data, {keyid: load_public(key.public.encode())}, where=name)
    try:
        label = msgspec.json.decode(opened.predicate, type=DataLabel)
    except msgspec.DecodeError:
        label = None
    if label is None or opened.kind != TYPE or len(opened.subjects) != 1:
        raise TrustError("label.malformed", "this is no data label.")
    trust_file.standing(trust, keyid, "steward", label.issued, now)
    if opened.subjects.get(name) != digest:
        other = name not in opened.subjects
        if other:
            raise TrustError("label.other-data", f"the label is one of data.{next(iter(opened.subjects))[:60]}.")
        raise TrustError("label.data-changed", "the bytes are not those that were labelled.")
    _require_same(label.fields, declared)
    _require_complete(label.fields)
    end = term(label)
    if end is None:
        raise TrustError("label.incomplete", "`retain` is no term such as 90d or 5y.")
    if trust_file.moment(now) >= end:
        raise TrustError("label.outlived", f"the data were to be kept until {end:%Y-%m-%d}.")
    return label


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
    """Return a field in the form in which two are compared: dates as text, lists without order."""
    if isinstance(value, list | tuple):
        return "\n".join(sorted(str(item) for item in value))
    return "" if value is None else str(value)
