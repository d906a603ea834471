"""Signers and public keys: Ed25519, ECDSA over the NIST curves and ML-DSA-44, each named by its public key's digest."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Any, Literal

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, mldsa

from fivefold.errors import InputError, TrustError

Algorithm = Literal["ed25519", "ecdsa-p256", "ecdsa-p384", "ecdsa-p521", "ml-dsa-44"]

ALGORITHMS: tuple[Algorithm, ...] = ("ed25519", "ecdsa-p256", "ecdsa-p384", "ecdsa-p521", "ml-dsa-44")
MAX_PEM = 8 * 1024
"""Largest key file in bytes."""

_CURVES: dict[str, tuple[Algorithm, type[ec.EllipticCurve], type[hashes.HashAlgorithm]]] = {
    "secp256r1": ("ecdsa-p256", ec.SECP256R1, hashes.SHA256),
    "secp384r1": ("ecdsa-p384", ec.SECP384R1, hashes.SHA384),
    "secp521r1": ("ecdsa-p521", ec.SECP521R1, hashes.SHA512),
}
_WHOLE: dict[str, Any] = {"ed25519": ed25519.Ed25519PrivateKey, "ml-dsa-44": mldsa.MLDSA44PrivateKey}
"""Algorithms that are given the message itself (FIPS 186-5 pure EdDSA; FIPS 204 with an empty context)."""
_BAD_KEY_REMEDY = "Give a PEM file of an Ed25519 key, of an ECDSA key on P-256, P-384 or P-521, or of an ML-DSA-44 key."


@dataclass(frozen=True)
class PublicKey:
    """The public half of a key.

    Attributes:
        id: Lower-case hexadecimal SHA-256 of ``pem``; the same value that OpenSSF model signing calls the key's hint.
        algorithm: What it signs with; ECDSA keys hash with SHA-256, SHA-384 or SHA-512 by the size of the curve.
        pem: SubjectPublicKeyInfo in PEM, as re-encoded by us, so that one key has one id.
    """

    id: str
    algorithm: Algorithm
    pem: bytes
    _key: Any = field(repr=False, compare=False)

    def verify(self, signature: bytes, message: bytes, *, sha256: bool = False) -> None:
        """Check a signature (Ed25519: 64 raw bytes; ML-DSA-44: 2,420; ECDSA: DER).

        Args:
            signature: To be checked.
            message: That was signed.
            sha256: ECDSA over SHA-256, whatever the curve; else over the hash that is as long as the curve.

        Raises:
            TrustError: ``keys.bad-signature`` if it does not hold.
        """
        try:
            if self.algorithm in _WHOLE:
                self._key.verify(signature, message)
            else:
                self._key.verify(signature, message, ec.ECDSA(hashes.SHA256() if sha256 else _hash_of(self._key)))
        except InvalidSignature:
            raise TrustError("keys.bad-signature", f"the signature by key {self.short} does not hold.") from None

    @property
    def short(self) -> str:
        """The first 12 characters of the id, for people."""
        return self.id[:12]

    @property
    def raw(self) -> bytes:
        """The 32 bytes of an Ed25519 key.

        Raises:
            InputError: ``keys.algorithm`` if it is another key.
        """
        if self.algorithm != "ed25519":
            raise InputError(
                "keys.algorithm", "an Ed25519 key is needed here.", remedy="Make one with: fivefold key new."
            )
        return self.material

    @property
    def material(self) -> bytes:
        """The raw bytes of an Ed25519 key (32) or of an ML-DSA-44 key (1,312).

        Raises:
            InputError: ``keys.algorithm`` if it is an ECDSA key.
        """
        if self.algorithm not in _WHOLE:
            raise InputError(
                "keys.algorithm",
                "an Ed25519 key or an ML-DSA-44 key is needed here.",
                remedy="Make one with: fivefold key new.",
            )
        raw: bytes = self._key.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
        return raw


@dataclass(frozen=True)
class Signer:
    """A private key that can sign; its text never shows the key.

    Attributes:
        public: The public half.
    """

    public: PublicKey
    _key: Any = field(repr=False, compare=False)

    def sign(self, message: bytes) -> bytes:
        """Return the signature of ``message`` (Ed25519: 64 raw bytes; ML-DSA-44: 2,420; ECDSA: DER)."""
        signature: bytes
        if self.public.algorithm in _WHOLE:
            signature = self._key.sign(message)
        else:
            signature = self._key.sign(message, ec.ECDSA(_hash_of(self._key.public_key())))
        return signature

    def private_pem(self) -> bytes:
        """Return the private key as unencrypted PKCS #8 PEM; write it only to a file of mode 0600."""
        pem: bytes = self._key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        return pem


def generate(algorithm: Algorithm = "ed25519") -> Signer:
    """Make a new key from the system's randomness."""
    if algorithm in _WHOLE:
        return _signer(_WHOLE[algorithm].generate())
    curve = next(curve for name, curve, _ in _CURVES.values() if name == algorithm)
    return _signer(ec.generate_private_key(curve()))


def load_public(pem: bytes) -> PublicKey:
    """Read a public key from PEM (SubjectPublicKeyInfo).

    Raises:
        InputError: ``keys.malformed`` or ``keys.algorithm``.
    """
    _refuse_large(pem)
    try:
        key = serialization.load_pem_public_key(pem)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise InputError("keys.malformed", "this is not a public key in PEM.", remedy=_BAD_KEY_REMEDY) from None
    return _public(key)


def load_private(pem: bytes) -> Signer:
    """Read an unencrypted private key from PEM.

    Raises:
        InputError: ``keys.malformed`` or ``keys.algorithm``.
    """
    _refuse_large(pem)
    try:
        key = serialization.load_pem_private_key(pem, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        message = "this is not an unencrypted private key in PEM."
        raise InputError("keys.malformed", message, remedy=_BAD_KEY_REMEDY) from None
    return _signer(key)


def ed25519_public(raw: bytes) -> PublicKey:
    """Return the Ed25519 public key of 32 raw bytes.

    Raises:
        InputError: ``keys.malformed`` if there are not 32 bytes.
    """
    try:
        return _public(ed25519.Ed25519PublicKey.from_public_bytes(raw))
    except ValueError:
        raise InputError("keys.malformed", "an Ed25519 public key has 32 bytes.") from None


def ed25519_private(seed: bytes) -> Signer:
    """Return the Ed25519 signer of a 32-byte seed (for test vectors; keys come from :func:`generate`).

    Raises:
        InputError: ``keys.malformed`` if there are not 32 bytes.
    """
    try:
        return _signer(ed25519.Ed25519PrivateKey.from_private_bytes(seed))
    except ValueError:
        raise InputError("keys.malformed", "an Ed25519 seed has 32 bytes.") from None


def _refuse_large(pem: bytes) -> None:
    if len(pem) > MAX_PEM:
        raise InputError("keys.malformed", "the file is too large to be one key.", remedy=_BAD_KEY_REMEDY)


def _hash_of(key: ec.EllipticCurvePublicKey) -> hashes.HashAlgorithm:
    return _CURVES[key.curve.name][2]()


def _signer(key: Any) -> Signer:
    return Signer(public=_public(key.public_key()), _key=key)


def _public(key: Any) -> PublicKey:
    if isinstance(key, ed25519.Ed25519PublicKey):
        algorithm: Algorithm = "ed25519"
    elif isinstance(key, mldsa.MLDSA44PublicKey):
        algorithm = "ml-dsa-44"
    elif isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name in _CURVES:
        algorithm = _CURVES[key.curve.name][0]
    else:
        raise InputError("keys.algorithm", "this kind of key is not supported.", remedy=_BAD_KEY_REMEDY)
    pem = key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return PublicKey(id=hashlib.sha256(pem).hexdigest(), algorithm=algorithm, pem=pem, _key=key)
