"""Source: random bytes that a check's seed fixes, handed out call by call or for many devices at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

_BLOCK = 1 << 16


class Source:
    """Bits for devices of ours; a device that is shipped draws from ``secrets``."""

    def __init__(self, rng: np.random.Generator) -> None:
        """Draw whole blocks of bytes from ``rng``."""
        self._rng, self._block, self._at = rng, b"", 0

    def __call__(self, count: int) -> int:
        """Return a number of so many bits."""
        return whole(self._taken, count)

    def rows(self, sizes: tuple[int, ...], count: int) -> np.ndarray:
        """Return (count, sum of sizes) uint8: what ``count`` devices get that ask for so many bytes one after another.

        The very bytes that as many single calls would get.
        """
        wide, parts = sum(sizes), [np.empty((0, sum(sizes)), dtype=np.uint8)]
        while count > 0:
            fit = min(count, (len(self._block) - self._at) // wide)
            if fit:
                parts.append(np.frombuffer(self._block, np.uint8, fit * wide, self._at).reshape(fit, wide))
                self._at += fit * wide
            else:  # a device whose bytes lie in two blocks
                parts.append(np.frombuffer(b"".join(map(self._taken, sizes)), np.uint8).reshape(1, wide))
            count -= max(fit, 1)
        return np.concatenate(parts)

    def _taken(self, size: int) -> bytes:
        if self._at + size > len(self._block):
            self._block, self._at = self._rng.bytes(max(_BLOCK, size)), 0
        self._at += size
        return self._block[self._at - size : self._at]


def whole(taken: Callable[[int], bytes], count: int) -> int:
    """Return a number of ``count`` bits from a source of bytes."""
    return int.from_bytes(taken(-(-count // 8)), "little") & ((1 << count) - 1)
