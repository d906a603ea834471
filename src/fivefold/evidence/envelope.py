"""Envelopes: DSSE over an in-toto Statement v1, written canonically and read strictly.

The reader checks the signature over the very bytes that stand in the envelope and then reads those bytes; nothing is
verified by being serialised again. Payloads that are not in canonical form (RFC 8785) are refused, so that no field
can stand twice and mean two things to two readers.
"""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING, Any

import msgspec

from fivefold.contract.codec import canonical
from fivefold.errors import InputError, TrustError

if TYPE_CHECKING:
    from fivefold.keys.signing import PublicKey, Signer

PAYLOAD_TYPE = "application/vnd.in-toto+json"
STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
MAX_ENVELOPE = 32 << 20
"""Largest envelope in bytes."""


class EnvelopeSignature(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One signature: key id and base64 of the raw signature."""

    sig: str
    keyid: str = ""


class Envelope(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A DSSE envelope as it stands in a file; ``payload`` is base64."""

    payload: str
    payloadType: str  # noqa: N815  the field's name in DSSE
    signatures: tuple[EnvelopeSignature, ...]

    def body(self) -> bytes:
        """Return the payload bytes.

        Raises:
            TrustError: ``evidence.malformed`` if they are not base64.
        """
        return unbase64(self.payload)


class ResourceDescriptor(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One subject of a statement: a name and its SHA-256."""

    name: str
    digest: dict[str, str]


class Statement(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """An in-toto Statement v1; the predicate is decoded by its type."""

    type_: str = msgspec.field(name="_type")
    subject: tuple[ResourceDescriptor, ...]
    predicateType: str  # noqa: N815  the field's name in in-toto
    predicate: msgspec.Raw


class Opened(msgspec.Struct, frozen=True, kw_only=True):
    """A verified envelope: who signed, over what."""

    key: str
    kind: str
    subjects: dict[str, str]
    predicate: bytes


def pae(payload_type: str, payload: bytes) -> bytes:
    """Return the pre-authentication encoding of DSSE v1, the bytes that are signed; lengths count bytes."""
    from securesystemslib.dsse import Envelope as Dsse

    encoded: bytes = Dsse(payload, payload_type, {}).pae()
    return encoded


def seal(predicate_type: str, subjects: dict[str, str], predicate: Any, signer: Signer) -> bytes:
    """Return the bytes of a signed envelope over a statement.

    Args:
        predicate_type: For example ``https://fivefold.dev/finding/v1``.
        subjects: Name to SHA-256.
        predicate: A struct or plain value.
        signer: Signs it.
    """
    statement = {
        "_type": STATEMENT_TYPE,
        "subject": [{"name": name, "digest": {"sha256": subjects[name]}} for name in sorted(subjects)],
        "predicateType": predicate_type,
        "predicate": msgspec.to_builtins(predicate),
    }
    payload = canonical(statement)
    signature = EnvelopeSignature(sig=_base64(signer.sign(pae(PAYLOAD_TYPE, payload))), keyid=signer.public.id)
    return canonical(Envelope(payload=_base64(payload), payloadType=PAYLOAD_TYPE, signatures=(signature,))) + b"\n"


def unseal(data: bytes, keys: dict[str, PublicKey], *, where: str) -> Opened:
    """Check the one signature of an envelope and read its statement.

    Args:
        data: Bytes of the file.
        keys: Key id to key; knowing a key is not trusting it.
        where: File name for messages.

    Raises:
        TrustError: ``evidence.malformed``, ``evidence.no-key`` or ``evidence.bad-signature``.
    """
    envelope = parse(data, where=where)
    if envelope.payloadType != PAYLOAD_TYPE or len(envelope.signatures) != 1:
        raise TrustError("evidence.malformed", "this is not an envelope with one signature.", where=where)
    payload, mark = envelope.body(), envelope.signatures[0]
    key = keys.get(mark.keyid)
    if key is None:
        raise TrustError("evidence.no-key", f"the public key {mark.keyid[:12]} is not in the evidence.", where=where)
    try:
        key.verify(unbase64(mark.sig), pae(PAYLOAD_TYPE, payload))
    except TrustError:
        message = f"the signature by key {key.short} does not hold."
        raise TrustError("evidence.bad-signature", message, where=where) from None
    statement = _statement(payload, where)
    return Opened(
        key=key.id,
        kind=statement.predicateType,
        subjects={item.name: item.digest["sha256"] for item in statement.subject},
        predicate=bytes(statement.predicate),
    )


def parse(data: bytes, *, where: str) -> Envelope:
    """Read an envelope without checking its signature; the bytes must be exactly canonical, plus one newline.

    Raises:
        TrustError: ``evidence.malformed``.
    """
    if len(data) > MAX_ENVELOPE:
        raise TrustError("evidence.malformed", "the file is larger than 32 MiB.", where=where)
    try:
        envelope = msgspec.json.decode(data, type=Envelope)
        exact = canonical(envelope) + b"\n" == data
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, InputError):
        exact = False
    if not exact:
        raise TrustError("evidence.malformed", "this is not a canonical envelope.", where=where)
    return envelope


def _statement(payload: bytes, where: str) -> Statement:
    try:
        statement = msgspec.json.decode(payload, type=Statement)
        exact = canonical(msgspec.json.decode(payload)) == payload
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, InputError):
        exact = False
    if not exact or statement.type_ != STATEMENT_TYPE:
        raise TrustError("evidence.malformed", "the payload is not a canonical statement.", where=where)
    names = [item.name for item in statement.subject]
    if len(set(names)) != len(names) or any(set(item.digest) != {"sha256"} for item in statement.subject):
        raise TrustError("evidence.malformed", "the statement's subjects are not unique SHA-256 digests.", where=where)
    return statement


def unbase64(text: str) -> bytes:
    """Read standard base64 strictly.

    Raises:
        TrustError: ``evidence.malformed``.
    """
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        data = None
    if data is None or _base64(data) != text:
        raise TrustError("evidence.malformed", "a field is not standard base64.")
    return data


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()
