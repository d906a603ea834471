"""Model signatures: each fault has its own code, and the peer implementation agrees both ways."""

from __future__ import annotations

import base64
import json
import os
import subprocess
from pathlib import Path

import pytest

from fivefold.errors import InputError, TrustError
from fivefold.evidence import oms
from fivefold.keys import signing, trust

PEER = Path(__file__).resolve().parents[2] / ".venv-peers" / "model-signing" / "bin" / "python"
FILES = {"model.json": b"weights", "load.py": b"def load(): ...", "sub/a.bin": b"a", "sub-x": b"x"}
SIGNER = signing.generate("ecdsa-p256")
BUNDLE = oms.sign_files(FILES, SIGNER)
NOW = "2026-11-23T12:00:00Z"

with_peer = pytest.mark.skipif(
    not PEER.exists(), reason="the peer is not installed: pip install model-signing==1.1.1 pyopenssl in its own venv"
)


def _code(bundle: bytes | None, files: dict[str, bytes | Path], *keys: signing.PublicKey) -> str:
    try:
        oms.verify_files(bundle, files, keys or (SIGNER.public,))
    except TrustError as error:
        return error.code
    return "ok"


def _edit(change: object, *, sign: bool = True) -> bytes:
    """Return the bundle with its statement edited, and signed again by its owner if asked."""
    document = json.loads(BUNDLE)
    statement = json.loads(base64.b64decode(document["dsseEnvelope"]["payload"]))
    change(document, statement)
    payload = json.dumps(statement).encode()
    document["dsseEnvelope"]["payload"] = base64.b64encode(payload).decode()
    if sign:
        mark = SIGNER.sign(oms.pae(document["dsseEnvelope"]["payloadType"], payload))
        document["dsseEnvelope"]["signatures"][0]["sig"] = base64.b64encode(mark).decode()
    return json.dumps(document).encode()


@pytest.mark.parametrize(
    ("files", "code"),
    [
        (FILES, "ok"),
        (FILES | {"model.json": b"other"}, "oms.changed-file"),
        (FILES | {"model.json": b"a", "sub/a.bin": b"weights"}, "oms.swapped-file"),
        (FILES | {"extra.py": b""}, "oms.extra-file"),
        ({name: data for name, data in FILES.items() if name != "load.py"}, "oms.missing-file"),
        (FILES | {"../load.py": b""}, "model.name"),
        (FILES | {"/etc/passwd": b""}, "model.name"),
        (FILES | {"sub\\a.bin": b""}, "model.name"),
        (FILES | {"a\nb": b""}, "model.name"),
        (FILES | {"sub//a.bin": b""}, "model.name"),
        ({}, "oms.missing-file"),
    ],
)
def test_exactly_the_signed_files_pass(files: dict[str, bytes], code: str) -> None:
    """Changed, swapped, added, removed and unsafe names are told apart."""
    assert _code(BUNDLE, files) == code


def test_unsigned_strange_and_broken_bundles_are_told_apart() -> None:
    """No bundle, another key, a flipped byte in signature or payload, and text that is no bundle."""
    stranger = signing.generate("ecdsa-p256").public
    document = json.loads(BUNDLE)
    mark = bytearray(base64.b64decode(document["dsseEnvelope"]["signatures"][0]["sig"]))
    mark[-1] ^= 1
    document["dsseEnvelope"]["signatures"][0]["sig"] = base64.b64encode(mark).decode()
    assert _code(None, FILES) == "oms.unsigned"
    assert _code(b"", FILES) == "oms.unsigned"
    assert _code(BUNDLE, FILES, stranger) == "oms.other-key"
    assert _code(BUNDLE, FILES, stranger, SIGNER.public) == "ok"
    assert _code(json.dumps(document).encode(), FILES) == "oms.bad-signature"
    assert _code(_edit(lambda _, s: s["subject"][0].update(name="evil"), sign=False), FILES) == "oms.bad-signature"
    assert (
        _code(_edit(lambda d, _: d["verificationMaterial"]["publicKey"].update(hint=stranger.id)), FILES)
        == "oms.other-key"
    )
    for data in (b"{", b"[]", b"\xff", b"[" * 10_000, b"{}", b"x" * ((16 << 20) + 1)):
        assert _code(data, FILES) == "oms.malformed"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda _, s: s["predicate"]["resources"].append(s["predicate"]["resources"][0]), "oms.malformed"),
        (lambda _, s: s["predicate"]["resources"].pop(), "oms.malformed"),
        (lambda _, s: s["predicate"].update(resources=[]), "oms.malformed"),
        (lambda _, s: s["predicate"]["resources"][0].update(name="../x"), "model.name"),
        (lambda _, s: s["predicate"]["resources"][0].update(algorithm="blake2b"), "oms.unsupported"),
        (lambda _, s: s["predicate"]["serialization"].update(method="shards"), "oms.unsupported"),
        (lambda _, s: s.update(predicateType="https://model_signing/Digests/v0.1"), "oms.bad-signature"),
        (lambda _, s: s.update(_type="https://in-toto.io/Statement/v0.1"), "oms.malformed"),
        (lambda _, s: s["subject"].append(s["subject"][0]), "oms.malformed"),
        (lambda d, _: d.update(mediaType="application/json"), "oms.malformed"),
        (lambda d, _: d["dsseEnvelope"]["signatures"].append({"sig": "", "keyid": ""}), "oms.malformed"),
        (lambda d, _: d["verificationMaterial"].pop("publicKey"), "oms.unsupported"),
        (lambda d, _: d["verificationMaterial"].update(certificate={"rawBytes": "AA=="}), "oms.unsupported"),
    ],
)
def test_a_bundle_that_its_owner_signed_must_still_be_sound(change: object, code: str) -> None:
    """A good signature over a list that contradicts itself, or over a form that we do not read, is refused."""
    assert _code(_edit(change), FILES) == code


VECTORS = json.loads((Path(__file__).parent / "model_signing_vectors.json").read_text(encoding="utf-8"))["vectors"]
KEY = signing.load_public(base64.b64decode(VECTORS["0.3.1"]["bundle"]["verificationMaterial"]["publicKey"]["rawBytes"]))


def _vector(version: str) -> tuple[bytes, dict[str, bytes | Path]]:
    held = VECTORS[version]
    return json.dumps(held["bundle"]).encode(), {name: text.encode() for name, text in held["files"].items()}


@pytest.mark.parametrize("version", VECTORS)
def test_bundles_of_past_versions_are_read(version: str) -> None:
    """What the peer's past versions signed still holds, and for those files and that key alone."""
    bundle, files = _vector(version)
    assert oms.verify_files(bundle, files, [KEY]).key == KEY.id
    assert _code(bundle, files) == "oms.other-key"
    assert _code(bundle, files | {"more": b""}, KEY) in {"oms.extra-file", "oms.missing-file"}
    assert _code(bundle, files | {"signme-1": b"other"}, KEY) == "oms.changed-file"
    at = bundle.index(b'"payload": "') + 40
    assert _code(bundle[:at] + (b"A" if bundle[at : at + 1] != b"A" else b"B") + bundle[at + 1 :], files, KEY) != "ok"


def _old(change: object) -> bytes:
    """Return a bundle of the form of model-signing 0.2, changed and signed again by its owner."""
    document = json.loads(_vector("0.2.0")[0])
    statement = json.loads(base64.b64decode(document["dsseEnvelope"]["payload"]))
    change(document, statement)
    payload = json.dumps(statement).encode()
    document["dsseEnvelope"]["payload"] = base64.b64encode(payload).decode()
    mark = SIGNER.sign(oms._old_pae(payload))
    document["dsseEnvelope"]["signatures"][0]["sig"] = base64.b64encode(mark).decode()
    document["verificationMaterial"]["publicKey"]["rawBytes"] = base64.b64encode(SIGNER.public.pem).decode()
    return json.dumps(document).encode()


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda _d, _s: None, "ok"),
        (lambda _, s: s["subject"].append(s["subject"][0]), "oms.malformed"),
        (lambda _, s: s.update(subject=[]), "oms.malformed"),
        (lambda _, s: s["subject"][0].update(name="../x"), "model.name"),
        (lambda _, s: s["subject"][0].update(name="."), "oms.missing-file"),
        (lambda _, s: s["subject"][0].update(digest={"sha512": "00"}), "oms.unsupported"),
        (lambda _, s: s["subject"][0]["annotations"].update(actual_hash_algorithm="file-sharded"), "oms.unsupported"),
        (lambda _, s: s["subject"][0].pop("annotations"), "oms.malformed"),
        (lambda _, s: s.update(predicate={"resources": []}), "oms.malformed"),
        (lambda d, _: d["verificationMaterial"].update(certificate={"rawBytes": "AA=="}), "oms.unsupported"),
    ],
)
def test_an_old_bundle_must_be_sound_too(change: object, code: str) -> None:
    """A good signature by a trusted key over an old form that says two things, or less, is refused."""
    assert _code(_old(change), _vector("0.2.0")[1]) == code


def test_an_old_encoding_signs_no_new_statement() -> None:
    """What was signed in the way of 0.2 counts for statements of 0.2 alone, and the other way round."""

    def newer(_: object, statement: dict[str, object]) -> None:
        statement.update(predicateType=oms.PREDICATE_TYPE)

    assert _code(_old(newer), _vector("0.2.0")[1]) == "oms.bad-signature"


def test_a_field_that_stands_twice_is_refused() -> None:
    """Two readers must not see two models."""
    assert _code(BUNDLE.replace(b'"mediaType"', b'"mediaType":"a","mediaType"', 1), FILES) == "oms.malformed"


def test_ignored_names_of_the_signer_are_not_ignored() -> None:
    """A bundle that asks to skip a name does not let a file of that name in."""
    bundle = oms.sign_files(FILES, SIGNER, ignored=["evil.py"])
    assert _code(bundle, FILES | {"evil.py": b"import os"}) == "oms.extra-file"


def test_links_and_special_files_are_refused(tmp_path: Path) -> None:
    """A link to the right content is not the file that was signed."""
    (tmp_path / "real").write_bytes(b"weights")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    os.mkfifo(tmp_path / "pipe")
    assert _code(BUNDLE, FILES | {"model.json": tmp_path / "real"}) == "ok"
    assert _code(BUNDLE, FILES | {"model.json": tmp_path / "link"}) == "model.symlink"
    assert _code(BUNDLE, FILES | {"model.json": tmp_path / "pipe"}) == "model.special"
    assert _code(BUNDLE, FILES | {"model.json": tmp_path / "none"}) == "model.missing"


def test_signing_needs_an_ecdsa_key_and_files() -> None:
    """Two mistakes of the caller, each with its code."""
    for signer, files, code in ((signing.generate(), FILES, "oms.algorithm"), (SIGNER, {}, "oms.empty")):
        with pytest.raises(InputError) as error:
            oms.sign_files(files, signer)
        assert error.value.code == code


def test_the_trust_file_decides_who_signs_models() -> None:
    """Only a valid key of role signer counts, and its holder is named."""
    known = trust.add(trust.Trust(), SIGNER.public, name="Ann", roles=("signer",))
    assert oms.verify_trusted(BUNDLE, FILES, trust.write(known), NOW).signer == "Ann"
    officer = trust.add(trust.Trust(), SIGNER.public, name="Ann", roles=("assessor",))
    for other in (trust.Trust(), officer, trust.revoke(known, SIGNER.public.id, NOW)):
        with pytest.raises(TrustError) as error:
            oms.verify_trusted(BUNDLE, FILES, trust.write(other), NOW)
        assert error.value.code == "oms.other-key"


def _peer(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [str(PEER), "-m", "model_signing", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    for name, data in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return folder


@with_peer
@pytest.mark.slow
@pytest.mark.parametrize("algorithm", ["ecdsa-p256", "ecdsa-p384", "ecdsa-p521"])
def test_the_peer_reads_what_we_sign_and_we_read_what_it_signs(
    algorithm: signing.Algorithm, model: Path, tmp_path: Path
) -> None:
    """model-signing 1.1.1 accepts our bundle and refuses a changed file under it; the same the other way round."""
    signer = signing.generate(algorithm)
    (tmp_path / "private.pem").write_bytes(signer.private_pem())
    (tmp_path / "public.pem").write_bytes(signer.public.pem)
    (tmp_path / "ours.sig").write_bytes(oms.sign_files({n: model / n for n in FILES}, signer, name="model"))
    check = ("verify", "key", model, "--public_key", tmp_path / "public.pem", "--signature", tmp_path / "ours.sig")
    assert _peer(*check).returncode == 0
    assert (
        _peer(
            "sign", "key", model, "--private_key", tmp_path / "private.pem", "--signature", tmp_path / "theirs.sig"
        ).returncode
        == 0
    )
    theirs = (tmp_path / "theirs.sig").read_bytes()
    verified = oms.verify_files(theirs, {n: model / n for n in FILES}, [signer.public])
    assert verified.digest == oms.verify_files((tmp_path / "ours.sig").read_bytes(), FILES, [signer.public]).digest
    (model / "load.py").write_bytes(b"import os")
    assert _peer(*check).returncode != 0
    assert _code(theirs, {n: model / n for n in FILES}, signer.public) == "oms.changed-file"
