"""Model signatures: OpenSSF model-signing bundles, v1.0 written, v0.2 to v1.1 read.

Threat: somebody swaps, adds or removes a file of the model between signing and loading. Limit: a signature says who
vouched for these bytes, not that the model is good; only bundles made with a key (ECDSA P-256, P-384, P-521) are read,
not certificates or Sigstore identities.

A bundle is a Sigstore bundle v0.3 around a DSSE envelope around an in-toto statement whose predicate lists every file
with its SHA-256. Verification is bound to exactly the files that are given: each must be listed, each listed one must
be given. What the signer chose to ignore is not ignored here.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from fivefold.contract.codec import digest as sha256_of
from fivefold.errors import InputError, TrustError
from fivefold.evidence.envelope import PAYLOAD_TYPE, STATEMENT_TYPE, pae, unbase64
from fivefold.evidence.signed_set import require_name, sha256
from fivefold.keys import trust as trust_file

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from fivefold.keys.signing import PublicKey, Signer

MEDIA_TYPE = "application/vnd.dev.sigstore.bundle.v0.3+json"
PREDICATE_TYPE = "https://model_signing/signature/v1.0"
OLD_PREDICATE_TYPE = "https://model_signing/Digests/v0.1"
"""Of bundles that model-signing 0.2 wrote: each file is a subject, and nothing is said of how they were hashed."""
MAX_BUNDLE = 16 << 20
"""Largest bundle in bytes."""

T = TypeVar("T")

_ALONE = "."
"""Name of a model that was signed as a single file."""
_SIGN = "Sign the model again: fivefold model sign."


@dataclass(frozen=True)
class VerifiedModel:
    """What a model signature says, after it held for the given files.

    Attributes:
        key: Id of the key that signed.
        name: Name that the signer gave the model.
        files: POSIX name to SHA-256.
        digest: The bundle's own digest over all files.
        signer: Name of the key's holder in the trust file; empty if no trust file was asked.
    """

    key: str
    name: str
    files: dict[str, str]
    digest: str
    signer: str = ""


class _PublicKeyHint(msgspec.Struct, frozen=True):
    """The key's id, or before v1.0 the PEM file itself in base64; neither is believed, only looked up."""

    hint: str = ""
    rawBytes: str = ""  # noqa: N815

    @property
    def key(self) -> str:
        """Id of the key that is meant; empty: it is not said."""
        return self.hint or (hashlib.sha256(unbase64(self.rawBytes)).hexdigest() if self.rawBytes else "")


class _Material(msgspec.Struct, frozen=True):
    publicKey: _PublicKeyHint | None = None  # noqa: N815
    certificate: Any = None
    x509CertificateChain: Any = None  # noqa: N815


class _Signature(msgspec.Struct, frozen=True):
    sig: str
    keyid: str | None = ""


class _Dsse(msgspec.Struct, frozen=True):
    payload: str
    payloadType: str  # noqa: N815
    signatures: tuple[_Signature, ...]


class _Bundle(msgspec.Struct, frozen=True):
    mediaType: str  # noqa: N815
    verificationMaterial: _Material  # noqa: N815
    dsseEnvelope: _Dsse  # noqa: N815


class _Subject(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: str
    digest: dict[str, str]


class _Serialization(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    method: str
    hash_type: str
    allow_symlinks: bool = False
    ignore_paths: tuple[str, ...] = ()
    shard_size: int = 0


class _Resource(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: str
    algorithm: str
    digest: str


class _Predicate(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    serialization: _Serialization
    resources: tuple[_Resource, ...]


class _Statement(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    type_: str = msgspec.field(name="_type")
    subject: tuple[_Subject, ...]
    predicateType: str  # noqa: N815
    predicate: _Predicate


class _OldAnnotations(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    actual_hash_algorithm: str


class _OldSubject(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: str
    digest: dict[str, str]
    annotations: _OldAnnotations


class _OldPredicate(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    unused: str


class _OldStatement(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    type_: str = msgspec.field(name="_type")
    subject: tuple[_OldSubject, ...]
    predicateType: str  # noqa: N815
    predicate: _OldPredicate


class _Kind(msgspec.Struct, frozen=True):
    predicateType: str  # noqa: N815


def sign_files(
    files: Mapping[str, bytes | Path], signer: Signer, *, name: str = "model", ignored: Iterable[str] = ()
) -> bytes:
    """Sign a set of files.

    Args:
        files: POSIX name to content or path; at least one.
        signer: An ECDSA key.
        name: Name of the model, written into the statement.
        ignored: Names that a peer should skip when it walks the same folder (the signature file itself).

    Returns:
        The bundle's bytes.

    Raises:
        InputError: ``oms.algorithm`` if the key is not ECDSA, ``oms.empty`` if there are no files.
        TrustError: ``model.name``, ``model.symlink``, ``model.special`` or ``model.missing``.
    """
    if not signer.public.algorithm.startswith("ecdsa"):
        raise InputError(
            "oms.algorithm", "a model is signed with an ECDSA key.", remedy="fivefold key new --role signer."
        )
    if not files:
        raise InputError("oms.empty", "there is no file to sign.", remedy="Name the model's files in the manifest.")
    found = _digests(files)
    # The peer sorts by path parts, not by text: "sub/a" stands before "sub-x".
    order = sorted(found, key=PurePosixPath)
    serialization: dict[str, Any] = {"method": "files", "hash_type": "sha256", "allow_symlinks": False}
    if skipped := sorted(ignored):
        serialization["ignore_paths"] = skipped
    statement = {
        "_type": STATEMENT_TYPE,
        "subject": [{"name": name, "digest": {"sha256": _root(found[item] for item in order)}}],
        "predicateType": PREDICATE_TYPE,
        "predicate": {
            "serialization": serialization,
            "resources": [{"name": item, "algorithm": "sha256", "digest": found[item]} for item in order],
        },
    }
    return _bundle(json.dumps(statement, indent=2, ensure_ascii=False).encode(), signer)


def verify_files(bundle: bytes | None, files: Mapping[str, bytes | Path], keys: Iterable[PublicKey]) -> VerifiedModel:
    """Check that one of ``keys`` signed exactly these files.

    Args:
        bundle: Bytes of the signature file; None or empty: unsigned.
        files: POSIX name to content or path, without the signature file.
        keys: Keys that may sign this model.

    Raises:
        TrustError: ``oms.unsigned``, ``oms.malformed``, ``oms.unsupported``, ``oms.other-key``, ``oms.bad-signature``,
            ``oms.extra-file``, ``oms.missing-file``, ``oms.swapped-file``, ``oms.changed-file``; ``model.symlink``,
            ``model.special``, ``model.name`` or ``model.missing`` for files that cannot be part of a model.
    """
    if not bundle:
        raise TrustError("oms.unsigned", "the model is not signed.", remedy="Sign it: fivefold model sign.")
    parsed = _read_bundle(bundle)
    payload = unbase64(parsed.dsseEnvelope.payload)
    is_old = _strict(payload, _Kind).predicateType == OLD_PREDICATE_TYPE
    key = _signed_by(parsed, payload, tuple(keys), is_old=is_old)
    signed, name, root = _read_old(payload) if is_old else _read_statement(payload)
    given = _digests(files)
    if list(signed) == [_ALONE] and len(given) == 1:
        signed = dict.fromkeys(given, signed[_ALONE])
    _compare(signed, given)
    return VerifiedModel(key=key.id, name=name, files=given, digest=root)


def verify_trusted(bundle: bytes | None, files: Mapping[str, bytes | Path], trust: bytes, now: str) -> VerifiedModel:
    """Check a model signature against a trust file: as :func:`verify_files` with its valid keys of role ``signer``.

    Bundles carry no time, so the key must be valid and not revoked at ``now``.

    Raises:
        TrustError: As :func:`verify_files`; ``oms.other-key`` also for an expired, revoked or wrongly-roled key.
        InputError: The trust file is malformed.
    """
    known = trust_file.read(trust)
    verified = verify_files(bundle, files, trust_file.holders(known, "signer", now))
    entry = known.find(verified.key)
    return VerifiedModel(**{**vars(verified), "signer": entry.name if entry else ""})


def _bundle(payload: bytes, signer: Signer) -> bytes:
    import base64

    def text(data: bytes) -> str:
        return base64.b64encode(data).decode()

    document = {
        "mediaType": MEDIA_TYPE,
        "verificationMaterial": {"publicKey": {"hint": signer.public.id}, "tlogEntries": []},
        "dsseEnvelope": {
            "payload": text(payload),
            "payloadType": PAYLOAD_TYPE,
            "signatures": [{"sig": text(signer.sign(pae(PAYLOAD_TYPE, payload))), "keyid": ""}],
        },
    }
    return json.dumps(document, separators=(",", ":")).encode() + b"\n"


def _read_bundle(data: bytes) -> _Bundle:
    if len(data) > MAX_BUNDLE:
        raise TrustError("oms.malformed", "the model signature is larger than 16 MiB.", remedy=_SIGN)
    bundle = _strict(data, _Bundle)
    envelope, material = bundle.dsseEnvelope, bundle.verificationMaterial
    if bundle.mediaType != MEDIA_TYPE or envelope.payloadType != PAYLOAD_TYPE or len(envelope.signatures) != 1:
        raise TrustError("oms.malformed", "the model signature is not an OpenSSF bundle v1.0.", remedy=_SIGN)
    if material.publicKey is None or material.certificate or material.x509CertificateChain:
        raise TrustError("oms.unsupported", "only model signatures made with a key are read.", remedy=_SIGN)
    return bundle


def _old_pae(payload: bytes) -> bytes:
    """Return what model-signing 0.2 signed for an envelope: DSSE's encoding with bytes as Python prints them."""
    return f"DSSEV1 {len(PAYLOAD_TYPE)} {PAYLOAD_TYPE} {len(payload)} {payload!r}".encode()


def _signed_by(bundle: _Bundle, payload: bytes, keys: tuple[PublicKey, ...], *, is_old: bool) -> PublicKey:
    material = bundle.verificationMaterial.publicKey
    hint = material.key if material else ""
    candidates = [key for key in keys if key.algorithm.startswith("ecdsa") and hint in ("", key.id)]
    if not candidates:
        who = f"key {hint[:12]}" if hint else "a key"
        raise TrustError(
            "oms.other-key",
            f"the model is signed by {who} that is not trusted to sign models now.",
            remedy="If you know the signer: fivefold trust add FILE --role signer --name NAME.",
        )
    signature = unbase64(bundle.dsseEnvelope.signatures[0].sig)
    message = _old_pae(payload) if is_old else pae(PAYLOAD_TYPE, payload)
    for key in candidates:
        try:
            key.verify(signature, message, sha256=is_old)
        except TrustError:
            continue
        return key
    code = "oms.bad-signature" if hint else "oms.other-key"
    raise TrustError(code, "the model signature does not hold for a trusted key.", remedy=_SIGN)


def _read_statement(payload: bytes) -> tuple[dict[str, str], str, str]:
    statement = _strict(payload, _Statement)
    if statement.type_ != STATEMENT_TYPE or len(statement.subject) != 1:
        raise TrustError("oms.malformed", "the signed statement has an unexpected form.", remedy=_SIGN)
    how = statement.predicate.serialization
    hashed = {item.algorithm for item in statement.predicate.resources}
    if (
        statement.predicateType != PREDICATE_TYPE
        or (how.method, how.hash_type) != ("files", "sha256")
        or hashed - {"sha256"}
    ):
        raise TrustError(
            "oms.unsupported", "only model signatures over whole files with SHA-256 are read.", remedy=_SIGN
        )
    signed = {_name(item.name): item.digest for item in statement.predicate.resources}
    subject = statement.subject[0]
    root = _root(item.digest for item in statement.predicate.resources)
    if len(signed) != len(statement.predicate.resources) or not signed or subject.digest != {"sha256": root}:
        raise TrustError("oms.malformed", "the signed list of files contradicts itself.", remedy=_SIGN)
    return signed, subject.name, root


def _read_old(payload: bytes) -> tuple[dict[str, str], str, str]:
    """Read the statement of a v0.2 bundle; the digest over all files is made here, there was none."""
    statement = _strict(payload, _OldStatement)
    if statement.type_ != STATEMENT_TYPE or not statement.subject:
        raise TrustError("oms.malformed", "the signed statement has an unexpected form.", remedy=_SIGN)
    if any(
        item.annotations.actual_hash_algorithm != "file-sha256" or set(item.digest) != {"sha256"}
        for item in statement.subject
    ):
        raise TrustError(
            "oms.unsupported", "only model signatures over whole files with SHA-256 are read.", remedy=_SIGN
        )
    signed = {_name(item.name): item.digest["sha256"] for item in statement.subject}
    if len(signed) != len(statement.subject):
        raise TrustError("oms.malformed", "the signed list of files contradicts itself.", remedy=_SIGN)
    return signed, "", _root(signed.values())


def _name(name: str) -> str:
    return name if name == _ALONE else require_name(name)


def _compare(signed: dict[str, str], given: dict[str, str]) -> None:
    changed = sorted(name for name in signed.keys() & given.keys() if signed[name] != given[name])
    swapped = [name for name in changed if any(signed[name] == given[other] for other in changed)]
    for code, names, what in (
        ("oms.swapped-file", swapped, "files hold each other's content"),
        ("oms.changed-file", changed, "files differ from what was signed"),
        ("oms.missing-file", sorted(signed.keys() - given.keys()), "signed files are missing"),
        ("oms.extra-file", sorted(given.keys() - signed.keys()), "files are not signed"),
    ):
        if names:
            listed = ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
            raise TrustError(
                code, f"{what}: {listed}.", where=names[0], remedy="Restore the files, or sign them again."
            )


def _digests(files: Mapping[str, bytes | Path]) -> dict[str, str]:
    found = {}
    for name, content in sorted(files.items()):
        require_name(name)
        found[name] = sha256(content) if isinstance(content, Path) else sha256_of(content)
    return found


def _root(digests: Iterable[str]) -> str:
    state = hashlib.sha256()
    for item in digests:
        try:
            state.update(bytes.fromhex(item))
        except ValueError:
            raise TrustError(
                "oms.malformed", "a digest in the model signature is not hexadecimal.", remedy=_SIGN
            ) from None
    return state.hexdigest()


def _strict(data: bytes, kind: type[T]) -> T:
    try:
        return msgspec.convert(json.loads(data, object_pairs_hook=_once), kind)
    except (ValueError, RecursionError, msgspec.ValidationError):
        raise TrustError("oms.malformed", "the model signature cannot be read.", remedy=_SIGN) from None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError
    return found
