"""Ciphers, against Wycheproof, RFC 7748 and NIST SP 800-38A."""

from __future__ import annotations

import json
import tarfile
from typing import TYPE_CHECKING, Any

import pytest

from fivefold.errors import InputError, TrustError
from fivefold.keys import ciphers

if TYPE_CHECKING:
    from pathlib import Path


def _groups(shared: Path, name: str) -> list[dict[str, Any]]:
    with tarfile.open(shared / "conformance" / "wycheproof_subset.tar.gz") as archive:
        member = next(item for item in archive.getmembers() if item.name.endswith(f"/{name}_test.json"))
        return json.load(archive.extractfile(member))["testGroups"]


@pytest.mark.shared
def test_unsealing_agrees_with_wycheproof(shared: Path) -> None:
    """AES-256-GCM with 96-bit nonces: valid cases open, all others are refused."""
    seen = 0
    for group in _groups(shared, "aes_gcm"):
        if (group["keySize"], group["ivSize"], group["tagSize"]) != (256, 96, 128):
            continue
        for test in group["tests"]:
            seen += 1
            part = {name: bytes.fromhex(test[name]) for name in ("key", "iv", "aad", "msg", "ct", "tag")}
            sealed = part["iv"] + part["ct"] + part["tag"]
            if test["result"] == "valid":
                assert ciphers.unseal(part["key"], sealed, part["aad"]) == part["msg"], test["tcId"]
            else:
                with pytest.raises(TrustError):
                    ciphers.unseal(part["key"], sealed, part["aad"])
    assert seen > 50


@pytest.mark.shared
def test_agreement_agrees_with_wycheproof(shared: Path) -> None:
    """X25519: each shared secret is right; an all-zero one is refused."""
    for group in _groups(shared, "x25519"):
        for test in group["tests"]:
            private, public = bytes.fromhex(test["private"]), bytes.fromhex(test["public"])
            if set(test["shared"]) == {"0"}:
                with pytest.raises(TrustError) as error:
                    ciphers.agree(private, public)
                assert error.value.code == "keys.bad-agreement"
            else:
                assert ciphers.agree(private, public).hex() == test["shared"], test["tcId"]


@pytest.mark.shared
def test_derivation_agrees_with_wycheproof(shared: Path) -> None:
    """HKDF-SHA-256: right bytes, and a refusal beyond the longest output."""
    for group in _groups(shared, "hkdf_sha256"):
        for test in group["tests"]:
            secret, salt, info = (bytes.fromhex(test[name]) for name in ("ikm", "salt", "info"))
            if test["result"] == "invalid":
                with pytest.raises(InputError):
                    ciphers.derive(secret, info=info, salt=salt, length=test["size"])
            else:
                found = ciphers.derive(secret, info=info, salt=salt, length=test["size"])
                assert found.hex() == test["okm"], test["tcId"]


@pytest.mark.shared
def test_the_keyed_hash_agrees_with_wycheproof(shared: Path) -> None:
    """HMAC-SHA-256 gives the full tag, or differs from it where the vector is invalid."""
    for group in _groups(shared, "hmac_sha256"):
        if group["tagSize"] != 256:
            continue
        for test in group["tests"]:
            tag = ciphers.keyed_hash(bytes.fromhex(test["key"]), bytes.fromhex(test["msg"]))
            assert ciphers.same(tag, bytes.fromhex(test["tag"])) == (test["result"] == "valid"), test["tcId"]


def test_the_keystream_is_the_one_of_nist() -> None:
    """SP 800-38A, F.5.5: CTR-AES256, first block."""
    key = bytes.fromhex("603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4")
    counter = bytes.fromhex("f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff")
    plain = bytes.fromhex("6bc1bee22e409f96e93d7e117393172a")
    found = ciphers.keystream(key, counter, plain)
    assert found.hex() == "601ec313775789a5b7a7f504bbf3d228"
    assert ciphers.keystream(key, counter, found) == plain


def test_a_seal_is_bound_to_key_bytes_and_context() -> None:
    """Another key, context or byte, or too few bytes, do not open it; two seals of one text differ."""
    key = bytes(32)
    sealed = ciphers.seal(key, b"text", b"context")
    assert ciphers.unseal(key, sealed, b"context") == b"text"
    assert ciphers.seal(key, b"text", b"context") != sealed
    flipped = sealed[:-1] + bytes([sealed[-1] ^ 1])
    for bad_key, data, context in (
        (bytes([1]) + bytes(31), sealed, b"context"),
        (key, sealed, b"other"),
        (key, flipped, b"context"),
        (key, sealed[:20], b"context"),
    ):
        with pytest.raises(TrustError) as error:
            ciphers.unseal(bad_key, data, context)
        assert error.value.code == "keys.bad-seal"


def test_keys_of_a_wrong_length_are_refused() -> None:
    """No cipher falls back to a shorter key."""
    for call in (
        lambda: ciphers.seal(bytes(16), b""),
        lambda: ciphers.unseal(bytes(31), bytes(40)),
        lambda: ciphers.keystream(bytes(24), bytes(16), b""),
    ):
        with pytest.raises(InputError) as error:
            call()
        assert error.value.code == "keys.length"


def test_both_parties_agree() -> None:
    """Two fresh pairs come to one secret."""
    (mine, my_public), (theirs, their_public) = ciphers.agreement_key(), ciphers.agreement_key()
    assert ciphers.agree(mine, their_public) == ciphers.agree(theirs, my_public)
