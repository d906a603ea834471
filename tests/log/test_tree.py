"""Merkle tree: roots of RFC 6962, and proofs that hold for what they prove and nothing else."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fivefold.errors import InputError, TrustError
from fivefold.log import tree

# Inputs and roots of the reference tests of Certificate Transparency (merkletree/merkle_tree_test.cc).
INPUTS = [
    b"", b"\x00", b"\x10", b"\x20\x21", b"\x30\x31", b"\x40\x41\x42\x43", b"\x50\x51\x52\x53\x54\x55\x56\x57",
    b"\x60\x61\x62\x63\x64\x65\x66\x67\x68\x69\x6a\x6b\x6c\x6d\x6e\x6f",
]  # fmt: skip
ROOTS = {
    0: "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    1: "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    2: "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    8: "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
}


def _naive(leaves: list[bytes]) -> bytes:
    """The definition of RFC 6962, section 2.1, word for word."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    split = max(2**power for power in range(20) if 2**power < len(leaves))
    return tree.node_hash(_naive(leaves[:split]), _naive(leaves[split:]))


def _leaves(count: int) -> list[bytes]:
    return [tree.leaf_hash(str(index).encode()) for index in range(count)]


@pytest.mark.parametrize("size", ROOTS)
def test_roots_are_those_of_certificate_transparency(size: int) -> None:
    """Golden values from the reference implementation."""
    assert tree.root([tree.leaf_hash(data) for data in INPUTS[:size]]).hex() == ROOTS[size]


@given(st.integers(0, 130))
def test_the_root_is_the_definition(size: int) -> None:
    """The fast form agrees with the recursive one for every size."""
    assert tree.root(_leaves(size)) == _naive(_leaves(size))


@given(st.integers(1, 70), st.data())
def test_inclusion_holds_for_one_leaf_at_one_place(size: int, data: st.DataObject) -> None:
    """The proof of a leaf is accepted; another leaf, place, size, root or a changed proof is not."""
    index = data.draw(st.integers(0, size - 1))
    leaves = _leaves(size)
    root, proof = tree.root(leaves), tree.inclusion_proof(leaves, index)
    tree.verify_inclusion(leaves[index], index, size, proof, root)
    other = tree.leaf_hash(b"other")
    wrong = [
        (other, index, size, proof, root),
        (leaves[index], index, size, proof, other),
        (leaves[index], index, size, [*proof, other], root),
        (leaves[index], size, size, proof, root),
        (leaves[index], -1, size, proof, root),
        (leaves[index][:-1], index, size, proof, root),
    ]
    if proof:
        wrong.append((leaves[index], index, size, proof[:-1], root))
        wrong.append((leaves[index], index ^ 1, size, proof, root))
    for arguments in wrong:
        with pytest.raises(TrustError) as error:
            tree.verify_inclusion(*arguments)
        assert error.value.code == "log.bad-proof"


@given(st.integers(1, 70), st.data())
def test_consistency_holds_for_prefixes_only(size: int, data: st.DataObject) -> None:
    """A tree is proved to extend an earlier one; not one in which an old leaf differs."""
    old = data.draw(st.integers(1, size))
    leaves = _leaves(size)
    proof = tree.consistency_proof(leaves, old)
    tree.verify_consistency(old, size, proof, tree.root(leaves[:old]), tree.root(leaves))
    forged = [tree.leaf_hash(b"forged"), *leaves[1:]]
    with pytest.raises(TrustError):
        tree.verify_consistency(old, size, proof, tree.root(leaves[:old]), tree.root(forged))
    with pytest.raises(TrustError):
        tree.verify_consistency(old, size, [*proof, leaves[0]], tree.root(leaves[:old]), tree.root(leaves))


def test_there_are_no_proofs_about_what_is_not_there() -> None:
    """Asking for a leaf beyond the end, or from an empty log, is the caller's mistake."""
    for call in (
        lambda: tree.inclusion_proof(_leaves(3), 3),
        lambda: tree.consistency_proof(_leaves(3), 0),
        lambda: tree.consistency_proof(_leaves(3), 4),
    ):
        with pytest.raises(InputError) as error:
            call()
        assert error.value.code == "log.index"
