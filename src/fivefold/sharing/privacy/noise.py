"""Noise: whole numbers drawn from an exact table with bits of a cryptographic source, many at a time.

A draw needs 128 bits. The first 64 settle it but for those that equal the first half of an entry of the table; for
these, one in more than 2^40, the other 64 are drawn, too. Which entry is found by a guide (Chen and Asau 1974): the top
bits say where to begin, and one comparison settles most draws.
"""

from __future__ import annotations

import secrets
from bisect import bisect_right
from collections.abc import Callable
from functools import lru_cache

import numpy as np

from fivefold.keys import ciphers
from fivefold.sharing.privacy.tables import BITS, Law

Bytes = Callable[[int], bytes]
"""Gives so many bytes that nobody can tell from random ones."""

_GUIDE_BITS, _MOST_GUIDE_BITS = 16, 21
_FEW = 512
_AT_ONCE = 1 << 18


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
    last = len(high) - 1
    top = np.frombuffer(draw(8 * len(found)), dtype="<u8")
    at = guide[top >> np.uint64(64 - (len(guide).bit_length() - 1))].astype(np.int64)
    left = np.flatnonzero(high[at] <= top)
    if len(left):  # the first entry whose first half is greater is further on
        at[left] = np.minimum(np.searchsorted(high, top[left], side="right"), last)
    tied = np.flatnonzero((at > 0) & (high[at - 1] == top))
    for one in tied.tolist():
        rest = int.from_bytes(draw(8), "little")
        at[one] = bisect_right(law.table, int(top[one]) << 64 | rest)
    np.subtract(at, law.most, out=found)


@lru_cache(maxsize=64)
def _arrays(law: Law) -> tuple[np.ndarray, np.ndarray]:
    """Return the first halves of the entries, (2m + 1,) uint64, and the guide, (2^16,) int32 or more for a long table.

    The last entry, 2^128, is above any draw: nothing is compared with it.
    """
    high = np.array([value >> (BITS - 64) for value in law.table[:-1]] + [(1 << 64) - 1], dtype=np.uint64)
    bits = min(max(_GUIDE_BITS, len(high).bit_length() + 4), _MOST_GUIDE_BITS)
    starts = np.arange(1 << bits, dtype=np.uint64) << np.uint64(64 - bits)
    guide = np.searchsorted(high, starts, side="right")
    return high, np.minimum(guide, len(high) - 1).astype(np.int32)
