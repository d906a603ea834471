"""Carriers: what a key stands for - a sign for each weight and bit, and the bits themselves - and the exact null.

Signs and bits are drawn from the key by separate derivations (HKDF-SHA-256), so the bits are independent of the signs.
**Argument.** Fix any model that was made without the key. Which bits are read from it depends on the signs alone; the
bits that the key stands for are fair coins independent of them. The number of agreements is therefore Binomial(n, 1/2)
exactly, whatever the model is: no assumption on weights, architecture or training is made. A bit whose reading is 0
counts as wrong, which only makes the p-value larger. The argument needs that the model did not come to know the key
and that neither the key nor the places of carriers, which it is bound to, were chosen after the model or anything the
model was made from: who tries a million keys on a public base beats a bound of one in a million on all that start from
it. That is what the commitment is for, and why it must be older than the oldest public ancestor.
"""

from __future__ import annotations

import math

import numpy as np

from fivefold.keys.ciphers import Keystream, derive

BITS = (128, 64, 32)
"""How many bits a mark may have; the most that the weights bear is taken."""


def bits_of(key: bytes, count: int) -> np.ndarray:
    """Return (count,) int8 signs, +1 or -1: the bits that the key stands for; ``count`` is a multiple of 8."""
    return signed(derive(key, info=b"fivefold mark bits", length=count // 8), count)


def signs_of(key: bytes, count: int, carriers: int) -> np.ndarray:
    """Return (count, carriers) int8 signs, +1 or -1: how each carrier counts for each bit."""
    size = (count * carriers + 7) // 8
    stream = bytearray(size)
    Keystream(derive(key, info=b"fivefold mark signs")).fill(memoryview(bytes(size)), memoryview(stream))
    return signed(bytes(stream), count * carriers).reshape(count, carriers)


def signed(data: bytes, count: int) -> np.ndarray:
    """Return the first ``count`` bits of some bytes as int8 signs."""
    return np.unpackbits(np.frombuffer(data, np.uint8), count=count).astype(np.int8) * 2 - 1


def binomial_p(matched: int, count: int, chance: float = 0.5) -> float:
    """Return the probability of at least ``matched`` of ``count`` agreements by chance: a binomial's tail, exact.

    Args:
        matched: Agreements, 0 to ``count``.
        count: Tries.
        chance: Of one agreement, in (0, 1).
    """
    if matched <= 0:
        return 1.0
    log, odds = math.lgamma, math.log(chance) - math.log1p(-chance)
    head = log(count + 1) + count * math.log1p(-chance)
    terms = [head - log(one + 1) - log(count - one + 1) + one * odds for one in range(matched, count + 1)]
    top = max(terms)
    return min(1.0, math.exp(top + math.log(math.fsum(math.exp(one - top) for one in terms))))
