"""Noise: whole numbers drawn from an exact table with bits of a cryptographic source, many at a time.

A draw has 128 bits, of which no more are drawn than it takes to settle it; bits that are not drawn change nothing. A
guide (Chen and Asau 1974) says for the first bits, at most 20 of the 32 that are drawn, which value they settle, or
where to begin: a bucket of draws is settled if no entry of the table has its first half within, ends included. The
others, one in six at most, draw 32 bits more and are compared with first halves; those that equal one, less than one in
2^40, draw the other 64.
"""

from __future__ import annotations

import math
import secrets
from bisect import bisect_right
from collections.abc import Callable
from functools import lru_cache

import numpy as np

from fivefold.keys import ciphers
from fivefold.sharing.privacy.tables import BITS, Law

Bytes = Callable[[int], bytes]
"""Gives so many bytes that nobody can tell from random ones."""

_FINE, _FINEST, _ENOUGH = 5, 7, 18
_FEW = 512
_AT_ONCE = 1 << 17


def fresh(size: int) -> bytes:
    """Return bytes of the system's source; many are AES-256 in counter mode under a key drawn for this call alone."""
    if size <= _FEW:
        return secrets.token_bytes(size)
    return ciphers.keystream(secrets.token_bytes(ciphers.KEY_BYTES), bytes(16), bytes(size))


def seeded(rng: np.random.Generator) -> Bytes:
    """Return a source that a check can repeat; never for a release."""
    key, count = rng.bytes(ciphers.KEY_BYTES), 0

    def draw(size: int) -> bytes:
        nonlocal count
        count += 1
        return ciphers.keystream(key, count.to_bytes(8, "big") + bytes(8), bytes(size))

    return draw


def sample(law: Law, size: int, draw: Bytes = fresh) -> np.ndarray:
    """Draw noise.

    Args:
        law: Its law.
        size: How many.
        draw: The source of bits.

    Returns:
        (size,) int64.
    """
    found = np.empty(size, dtype=np.int64)
    for start in range(0, size, _AT_ONCE):
        part = found[start : start + _AT_ONCE]
        _fill(law, part, draw)
    return found


def _fill(law: Law, found: np.ndarray, draw: Bytes) -> None:
    high, guide = _arrays(law)
    head = np.frombuffer(draw(4 * len(found)), dtype="<u4")
    at = guide.take(head >> np.uint32(33 - len(guide).bit_length()))
    np.subtract(at, law.most, out=found)
    left = np.flatnonzero(at < 0)
    if len(left):
        found[left] = _settled(law, high, ~at[left], head[left], draw)


def _settled(law: Law, high: np.ndarray, start: np.ndarray, head: np.ndarray, draw: Bytes) -> np.ndarray:
    """Return the values of draws that their first 32 bits may leave open: (k,) int64; ``start`` is no entry too far."""
    rest = np.frombuffer(draw(4 * len(head)), dtype="<u4")
    top = head.astype(np.uint64) << np.uint64(32) | rest
    at, last = start.astype(np.int64), len(high) - 1
    beyond = np.flatnonzero(high[at] <= top)
    at[beyond] += 1
    beyond = beyond[high[np.minimum(at[beyond], last)] <= top[beyond]]
    if len(beyond):  # the first entry whose first half is greater is further on
        at[beyond] = np.searchsorted(high, top[beyond], side="right")
    np.minimum(at, last, out=at)
    tied = np.flatnonzero((at > 0) & (high[at - 1] == top))
    for one in tied.tolist():
        last_bits = int.from_bytes(draw(8), "little")
        at[one] = bisect_right(law.table, int(top[one]) << 64 | last_bits)
    return np.asarray(at - law.most)


@lru_cache(maxsize=64)
def _arrays(law: Law) -> tuple[np.ndarray, np.ndarray]:
    """Return the first halves of the entries, (2m + 1,) uint64, and the guide, (2^bits,) int32.

    The last entry, 2^128, is above any draw: nothing is compared with it. A number k of the guide says that all draws
    with these first bits are the k-th value; ~k that they are it or a later one.
    """
    high = np.array([value >> (BITS - 64) for value in law.table[:-1]] + [(1 << 64) - 1], dtype=np.uint64)
    wide = math.ceil(math.log2(max(law.deviation, 1)))
    bits = min(wide + _FINEST, max(wide + _FINE, _ENOUGH))  # small enough for a cache, fine enough for most draws
    starts = np.arange(1 << bits, dtype=np.uint64) << np.uint64(64 - bits)
    first = np.searchsorted(high, starts, side="left")
    beyond = np.searchsorted(high, starts + np.uint64((1 << (64 - bits)) - 1), side="right")
    return high, np.where(first == beyond, first, ~first).astype(np.int32)
