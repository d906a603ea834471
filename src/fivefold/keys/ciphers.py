"""Ciphers for the other rooms: authenticated encryption, key agreement, key derivation, keyed hash."""

from __future__ import annotations

import hashlib
import hmac
import secrets

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import x25519
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from fivefold.errors import InputError, TrustError

KEY_BYTES = 32
NONCE_BYTES = 12
_TAG_BYTES = 16


class Sealer:
    """One key, ready to seal many messages; see :func:`seal`.

    Raises:
        InputError: ``keys.length`` for a key that has not 32 bytes.
    """

    def __init__(self, key: bytes) -> None:
        _need_key(key)
        self._cipher = AESGCM(key)

    def seal(self, plaintext: bytes, associated: bytes = b"", nonce: bytes = b"") -> bytes:
        """Return nonce, ciphertext and tag.

        Args:
            plaintext: Any length.
            associated: Bound to the ciphertext, not encrypted.
            nonce: 12 bytes that the caller drew from ``secrets`` for this message alone; empty: drawn here.
        """
        nonce = nonce or secrets.token_bytes(NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, plaintext, associated)


def seal(key: bytes, plaintext: bytes, associated: bytes = b"") -> bytes:
    """Encrypt with AES-256-GCM under a fresh random nonce.

    Limit: with random nonces one key may seal at most 2**32 messages (NIST SP 800-38D, section 8.3).

    Args:
        key: 32 bytes.
        plaintext: Any length.
        associated: Bound to the ciphertext, not encrypted.

    Returns:
        Nonce (12 bytes), ciphertext, tag (16 bytes).

    Raises:
        InputError: ``keys.length`` for a key of another length.
    """
    return Sealer(key).seal(plaintext, associated)


def unseal(key: bytes, sealed: bytes, associated: bytes = b"") -> bytes:
    """Decrypt what :func:`seal` made.

    Raises:
        InputError: ``keys.length`` for a key of another length.
        TrustError: ``keys.bad-seal`` if key, bytes or associated data are not the ones that were sealed.
    """
    _need_key(key)
    if len(sealed) < NONCE_BYTES + _TAG_BYTES:
        raise TrustError("keys.bad-seal", "the sealed bytes are too short.")
    try:
        return AESGCM(key).decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], associated)
    except InvalidTag:
        raise TrustError("keys.bad-seal", "the sealed bytes were altered or belong to another key.") from None


def agreement_key() -> tuple[bytes, bytes]:
    """Return a new X25519 pair: (private, public), 32 raw bytes each."""
    private = x25519.X25519PrivateKey.generate()
    raw = private.private_bytes(
        serialization.Encoding.Raw, serialization.PrivateFormat.Raw, serialization.NoEncryption()
    )
    return raw, private.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)


def agreement_public(private: bytes) -> bytes:
    """Return the public half of an X25519 key, 32 raw bytes.

    Raises:
        TrustError: ``keys.bad-agreement`` for malformed keys.
    """
    try:
        own = x25519.X25519PrivateKey.from_private_bytes(private)
    except ValueError:
        raise TrustError("keys.bad-agreement", "the private key cannot be used.") from None
    return own.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)


def agree(private: bytes, public: bytes) -> bytes:
    """Return the 32-byte X25519 secret; pass it through :func:`derive` before use (RFC 7748).

    Raises:
        TrustError: ``keys.bad-agreement`` for malformed keys or an all-zero result (a point of small order).
    """
    try:
        own = x25519.X25519PrivateKey.from_private_bytes(private)
        return own.exchange(x25519.X25519PublicKey.from_public_bytes(public))
    except ValueError:
        raise TrustError("keys.bad-agreement", "the other party's key cannot be used.") from None


def derive(secret: bytes, *, info: bytes, salt: bytes = b"", length: int = KEY_BYTES) -> bytes:
    """Derive ``length`` bytes from a secret with HKDF-SHA-256 (RFC 5869).

    Raises:
        InputError: ``keys.length`` beyond 255 * 32 bytes.
    """
    if not 0 < length <= 255 * 32:
        raise InputError("keys.length", "HKDF-SHA-256 gives 1 to 8160 bytes.")
    return HKDF(algorithm=hashes.SHA256(), length=length, salt=salt or None, info=info).derive(secret)


def keystream(key: bytes, nonce: bytes, data: bytes) -> bytes:
    """Encrypt or decrypt with AES-CTR: no integrity by itself, never reuse a nonce under one key.

    Args:
        key: 16 or 32 bytes.
        nonce: 16 bytes, the first counter block.
        data: Any length.

    Raises:
        InputError: ``keys.length`` for other lengths.
    """
    if len(key) not in (16, KEY_BYTES) or len(nonce) != 16:
        raise InputError("keys.length", "AES-CTR needs a key of 16 or 32 bytes and a nonce of 16.")
    step = Cipher(algorithms.AES(key), modes.CTR(nonce)).encryptor()
    return step.update(data) + step.finalize()


class Keystream:
    """The bare AES-CTR keystream of one key, piece after piece, written into buffers of the caller.

    Args:
        key: 16 or 32 bytes that are used for nothing else; the counter begins at 0.

    Raises:
        InputError: ``keys.length`` for other lengths.
    """

    def __init__(self, key: bytes) -> None:
        if len(key) not in (16, KEY_BYTES):
            raise InputError("keys.length", "AES-CTR needs a key of 16 or 32 bytes.")
        self._step = Cipher(algorithms.AES(key), modes.CTR(bytes(16))).encryptor()

    def fill(self, zeros: memoryview, out: memoryview) -> None:
        """Write as many bytes of the keystream as ``zeros`` has; ``out`` is no shorter."""
        self._step.update_into(zeros, out)


def keyed_hash(key: bytes, data: bytes) -> bytes:
    """Return HMAC-SHA-256 (32 bytes): equal inputs give equal ids, and without the key no input can be guessed."""
    return hmac.new(key, data, hashlib.sha256).digest()


def same(first: bytes, second: bytes) -> bool:
    """Compare two secrets in time that does not depend on where they differ."""
    return hmac.compare_digest(first, second)


def _need_key(key: bytes) -> None:
    if len(key) != KEY_BYTES:
        raise InputError("keys.length", "AES-256-GCM needs a key of 32 bytes.")
