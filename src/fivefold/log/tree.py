"""Merkle tree: roots, inclusion and consistency proofs over SHA-256, also for subtrees.

Source: RFC 6962, section 2.1 (hashing), RFC 9162, section 2.1.3 and 2.1.4 (proofs and their verification);
subtrees: draft-ietf-plants-merkle-tree-certs, section 4.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import TYPE_CHECKING

from fivefold.errors import InputError, TrustError

if TYPE_CHECKING:
    from collections.abc import Sequence

HASH_BYTES = 32
MAX_PROOF = 64
"""Most hashes in a proof: a tree has fewer than 2**63 leaves."""


def leaf_hash(data: bytes) -> bytes:
    """Return the hash of a leaf: SHA-256 of a zero byte and the data."""
    return hashlib.sha256(b"\0" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the hash of an inner node: SHA-256 of a one byte and both children."""
    return hashlib.sha256(b"\1" + left + right).digest()


def root(leaves: Sequence[bytes]) -> bytes:
    """Return the root over leaf hashes; SHA-256 of nothing for no leaves. Time linear in their number."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    # Level by level; a node without a partner moves up as it is, which splits where RFC 6962 does.
    level = list(leaves)
    while len(level) > 1:
        left = level.pop() if len(level) % 2 else b""
        ends = iter(level)
        level = [hashlib.sha256(b"\1" + one + other).digest() for one, other in zip(ends, ends, strict=True)]
        if left:
            level.append(left)
    return level[0]


def inclusion_proof(leaves: Sequence[bytes], index: int) -> list[bytes]:
    """Return the path that proves the leaf at ``index`` (from 0) under the root of ``leaves``.

    Raises:
        InputError: ``log.index`` if there is no such leaf.
    """
    if not 0 <= index < len(leaves):
        raise InputError("log.index", f"there is no leaf {index} in a log of {len(leaves)}.")
    if len(leaves) == 1:
        return []
    split = _split(len(leaves))
    if index < split:
        return [*inclusion_proof(leaves[:split], index), root(leaves[split:])]
    return [*inclusion_proof(leaves[split:], index - split), root(leaves[:split])]


def consistency_proof(leaves: Sequence[bytes], old_size: int) -> list[bytes]:
    """Return the hashes that prove that the first ``old_size`` leaves are a prefix of ``leaves``.

    Raises:
        InputError: ``log.index`` unless 0 < old_size <= len(leaves).
    """
    if not 0 < old_size <= len(leaves):
        raise InputError("log.index", f"no proof from size {old_size} to size {len(leaves)}.")
    return _subproof(old_size, leaves, whole=True)


def verify_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes], expected: bytes) -> None:
    """Check that ``leaf`` (a leaf hash) stands at ``index`` in the tree of ``size`` with root ``expected``.

    Raises:
        TrustError: ``log.bad-proof``.
    """
    _need_hashes([leaf, expected, *proof])
    if not 0 <= index < size:
        raise TrustError("log.bad-proof", f"there is no leaf {index} in a tree of {size}.")
    here, last, node = index, size - 1, leaf
    for other in proof:
        if last == 0:
            raise TrustError("log.bad-proof", "the inclusion proof is too long.")
        if here & 1 or here == last:
            node = node_hash(other, node)
            while here and not here & 1:
                here, last = here >> 1, last >> 1
        else:
            node = node_hash(node, other)
        here, last = here >> 1, last >> 1
    if last != 0 or not hmac.compare_digest(node, expected):
        raise TrustError("log.bad-proof", "the inclusion proof does not lead to the root.")


def verify_consistency(old_size: int, new_size: int, proof: Sequence[bytes], old_root: bytes, new_root: bytes) -> None:
    """Check that a tree of ``old_size`` leaves with ``old_root`` is a prefix of the new one.

    An empty old tree proves nothing and is refused.

    Raises:
        TrustError: ``log.bad-proof``.
    """
    if old_size <= 0:
        raise TrustError("log.bad-proof", "a proof from an empty log says nothing.")
    verify_subtree_consistency(0, old_size, new_size, proof, old_root, new_root)


def verify_subtree_inclusion(  # noqa: PLR0917  the order of the draft
    leaf: bytes, index: int, start: int, end: int, proof: Sequence[bytes], expected: bytes
) -> None:
    """Check that ``leaf`` stands at ``index`` of the log inside the subtree [start, end) with root ``expected``.

    Raises:
        TrustError: ``log.bad-proof``.
    """
    _need_subtree(start, end)
    verify_inclusion(leaf, index - start, end - start, proof, expected)


def verify_subtree_consistency(  # noqa: PLR0917  the order of the draft
    start: int, end: int, size: int, proof: Sequence[bytes], subtree_root: bytes, tree_root: bytes
) -> None:
    """Check that the subtree [start, end) with ``subtree_root`` is part of the tree of ``size`` leaves.

    Raises:
        TrustError: ``log.bad-proof``.
    """
    if not 0 <= start <= end <= size:
        raise TrustError("log.bad-proof", f"a tree of {size} holds no leaves from {start} up to {end}.")
    if end == start or (start, end) == (0, size):
        # Nothing is hashed: an empty part has the empty root, the whole is itself.
        expected = tree_root if end > start else hashlib.sha256(b"").digest()
        if proof or not hmac.compare_digest(subtree_root, expected):
            raise TrustError("log.bad-proof", "the roots differ, or the proof is not empty.")
        return
    _need_hashes([subtree_root, tree_root, *proof])
    _need_subtree(start, end)
    old, new = _climb(start, end - 1, size - 1, list(proof), subtree_root)
    if not hmac.compare_digest(old, subtree_root) or not hmac.compare_digest(new, tree_root):
        raise TrustError("log.bad-proof", "the consistency proof does not lead to both roots.")


def _climb(first: int, second: int, last: int, rest: list[bytes], seed: bytes) -> tuple[bytes, bytes]:
    """Return the roots of subtree and tree that a proof leads to (RFC 9162, section 2.1.4.2, for subtrees)."""
    while first != second and (second == last or second & 1):
        first, second, last = first >> 1, second >> 1, last >> 1
    if first != second:
        if not rest:
            raise TrustError("log.bad-proof", "the consistency proof is too short.")
        seed = rest.pop(0)
    old = new = seed
    for other in rest:
        if last == 0:
            raise TrustError("log.bad-proof", "the consistency proof is too long.")
        if second & 1 or second == last:
            if first < second:
                old = node_hash(other, old)
            new = node_hash(other, new)
            while second and not second & 1:
                first, second, last = first >> 1, second >> 1, last >> 1
        else:
            new = node_hash(new, other)
        first, second, last = first >> 1, second >> 1, last >> 1
    if last != 0:
        raise TrustError("log.bad-proof", "the consistency proof is too short.")
    return old, new


def _subproof(old_size: int, leaves: Sequence[bytes], *, whole: bool) -> list[bytes]:
    if old_size == len(leaves):
        return [] if whole else [root(leaves)]
    split = _split(len(leaves))
    if old_size <= split:
        return [*_subproof(old_size, leaves[:split], whole=whole), root(leaves[split:])]
    return [*_subproof(old_size - split, leaves[split:], whole=False), root(leaves[:split])]


def _split(size: int) -> int:
    """Return the largest power of two below ``size`` (at least 2)."""
    return 1 << (size - 1).bit_length() - 1


def _need_subtree(start: int, end: int) -> None:
    if not 0 <= start < end or start & ((1 << (end - start - 1).bit_length()) - 1):
        raise TrustError("log.bad-proof", f"the leaves {start} to {end} are no subtree.")


def _need_hashes(hashes: Sequence[bytes]) -> None:
    if len(hashes) > MAX_PROOF + 2 or any(len(item) != HASH_BYTES for item in hashes):
        raise TrustError("log.bad-proof", "a hash in the proof does not have 32 bytes, or there are too many.")
