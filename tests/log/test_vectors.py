"""Vectors made by others: Merkle proofs, canonical JSON, signed note, DSSE."""

from __future__ import annotations

import base64
import json
import tarfile
from typing import TYPE_CHECKING, Any

import pytest

from fivefold.contract.codec import canonical
from fivefold.errors import InputError, TrustError
from fivefold.log import note, tree

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.shared


def _archive(shared: Path, name: str) -> dict[str, bytes]:
    with tarfile.open(shared / "conformance" / name) as archive:
        return {
            member.name.removeprefix("./"): archive.extractfile(member).read()
            for member in archive.getmembers()
            if member.isfile()
        }


def _hashes(case: dict[str, Any], *names: str) -> list[bytes]:
    return [base64.b64decode(case[name] or "") for name in names]


def _merkle(kind: str, case: dict[str, Any]) -> None:
    proof = [base64.b64decode(item) for item in case["proof"] or ()]
    if kind == "inclusion":
        leaf, root = _hashes(case, "leafHash", "root")
        tree.verify_inclusion(leaf, case["leafIdx"], case["treeSize"], proof, root)
    elif kind == "consistency":
        old, new = _hashes(case, "root1", "root2")
        tree.verify_consistency(case["size1"], case["size2"], proof, old, new)
    elif kind == "subtreeinclusion":
        leaf, root = _hashes(case, "leafHash", "root")
        tree.verify_subtree_inclusion(leaf, case["leafIdx"], case["start"], case["end"], proof, root)
    else:
        old, new = _hashes(case, "root1", "root2")
        tree.verify_subtree_consistency(case["start"], case["end"], case["size"], proof, old, new)


def _refusal(kind: str, case: dict[str, Any]) -> str:
    try:
        _merkle(kind, case)
    except TrustError as error:
        return error.code
    return ""


def test_all_merkle_cases_give_the_expected_answer(shared: Path) -> None:
    """All 518 proofs of transparency-dev/merkle are accepted or refused as their authors say."""
    wrong, seen = [], 0
    for name, data in _archive(shared, "merkle_rfc6962.tar.gz").items():
        if not name.endswith(".json"):
            continue
        seen += 1
        case = json.loads(data)
        if _refusal(name.split("/")[1], case) != ("log.bad-proof" if case["wantErr"] else ""):
            wrong.append(name)
    assert (wrong, seen) == ([], 518)


def test_canonical_json_agrees_with_the_rfc_8785_vectors(shared: Path) -> None:
    """Each input, read as JSON, is written as the expected bytes."""
    files = _archive(shared, "jcs_rfc8785.tar.gz")
    inputs = [name for name in files if "/input/" in name]
    assert len(inputs) == 6
    for name in inputs:
        expected = bytes.fromhex(files[name.replace("/input/", "/outhex/").replace(".json", ".txt")].decode())
        assert canonical(json.loads(files[name])) == expected, name


@pytest.fixture
def vectors(shared: Path) -> dict[str, Any]:
    return json.loads((shared / "conformance" / "dsse_note_vectors.json").read_text())


def test_the_go_note_is_verified_and_its_bad_keys_are_refused(vectors: dict[str, Any]) -> None:
    """The note of golang.org/x/mod holds for its key, beside a second signer whom we do not know."""
    given = vectors["note"]
    key = note.parse_vkey(given["vkey"])
    data = (given["text"] + "\n" + given["signature_line"] + "\n" + given["second_signature_line"] + "\n").encode()
    text, signers = note.verify(data, (key,))
    assert (text, signers, key.vkey) == (given["text"], (key,), given["vkey"])
    for bad in given["bad_vkeys"]:
        with pytest.raises(InputError) as error:
            note.parse_vkey(bad)
        assert error.value.code == "log.vkey"
    with pytest.raises(TrustError) as refused:
        note.verify(data.replace(b"the answer", b"an answer "), (key,))
    assert refused.value.code == "log.bad-signature"
