"""Signers and public keys, against RFC 8032, Wycheproof, and files that are not keys."""

from __future__ import annotations

import json
import tarfile
from typing import TYPE_CHECKING, Any

import pytest

from fivefold.errors import InputError, TrustError
from fivefold.keys import signing

if TYPE_CHECKING:
    from pathlib import Path

RSA = b"""-----BEGIN PUBLIC KEY-----
MFwwDQYJKoZIhvcNAQEBBQADSwAwSAJBAL6HZFcUqTClD+VlGrL1cmvWzsFUmDbN
n2YIL06OTMG8q5EKLeeVqV4wfTPaYCXtQ2Q2VBZ/yPdBQIYoGQ0+/UkCAwEAAQ==
-----END PUBLIC KEY-----
"""


def _wycheproof(shared: Path, name: str) -> list[dict[str, Any]]:
    with tarfile.open(shared / "conformance" / "wycheproof_subset.tar.gz") as archive:
        member = next(item for item in archive.getmembers() if item.name.endswith(f"/{name}_test.json"))
        return json.load(archive.extractfile(member))["testGroups"]


def _refused(key: signing.PublicKey, signature: str, message: str) -> bool:
    try:
        key.verify(bytes.fromhex(signature), bytes.fromhex(message))
    except TrustError as error:
        return error.code == "keys.bad-signature"
    return False


def test_ed25519_gives_the_signature_of_rfc_8032() -> None:
    """Section 7.1, test 2: one byte under a known seed."""
    signer = signing.ed25519_private(bytes.fromhex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb"))
    assert signer.public.raw.hex() == "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c"
    expected = (
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
        "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
    )
    assert signer.sign(b"\x72").hex() == expected


@pytest.mark.shared
def test_ed25519_agrees_with_wycheproof(shared: Path) -> None:
    """Every signature is accepted or refused as the vectors say, malleable ones included."""
    wrong = [
        test["tcId"]
        for group in _wycheproof(shared, "ed25519")
        for test in group["tests"]
        if _refused(signing.ed25519_public(bytes.fromhex(group["publicKey"]["pk"])), test["sig"], test["msg"])
        != (test["result"] == "invalid")
    ]
    assert wrong == []


@pytest.mark.shared
@pytest.mark.parametrize("name", ["ecdsa_secp256r1_sha256", "ecdsa_secp384r1_sha384"])
def test_ecdsa_agrees_with_wycheproof(shared: Path, name: str) -> None:
    """Every DER signature is accepted or refused as the vectors say."""
    groups = _wycheproof(shared, name)
    wrong = [
        test["tcId"]
        for group in groups
        for test in group["tests"]
        if _refused(signing.load_public(group["publicKeyPem"].encode()), test["sig"], test["msg"])
        != (test["result"] == "invalid")
    ]
    assert (wrong, sum(len(group["tests"]) for group in groups) > 300) == ([], True)


@pytest.mark.parametrize("algorithm", signing.ALGORITHMS)
def test_a_key_survives_its_file_and_signs(algorithm: signing.Algorithm) -> None:
    """Private and public PEM read back to the same id; the signature holds, for these bytes only."""
    signer = signing.load_private(signing.generate(algorithm).private_pem())
    public = signing.load_public(signer.public.pem)
    signature = signer.sign(b"bytes")
    public.verify(signature, b"bytes")
    assert (public.id, public.algorithm) == (signer.public.id, algorithm)
    assert _refused(public, signature.hex(), b"other".hex())


def test_a_signer_does_not_show_its_key() -> None:
    """Neither repr nor str of a signer holds key material or an object that would."""
    signer = signing.generate()
    assert "_key" not in repr(signer)
    assert "PRIVATE" not in str(signer)


@pytest.mark.parametrize("data", [b"", b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", b"x" * 9000])
def test_what_is_no_key_is_refused(data: bytes) -> None:
    """Malformed and oversized files give one code, never an error of the library below."""
    for load in (signing.load_public, signing.load_private):
        with pytest.raises(InputError) as error:
            load(data)
        assert error.value.code == "keys.malformed"


def test_another_kind_of_key_is_refused() -> None:
    """An RSA key is a key, but none that we sign with."""
    with pytest.raises(InputError) as error:
        signing.load_public(RSA)
    assert error.value.code in {"keys.algorithm", "keys.malformed"}
