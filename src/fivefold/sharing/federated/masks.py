"""Masks: AES-CTR keystream added to a vector modulo 2**32, piece by piece so that it stays in the cache."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fivefold.keys.ciphers import Keystream, agree, derive

if TYPE_CHECKING:
    from collections.abc import Iterable

_PIECE = 1 << 15
"""Numbers at a time: 128 KiB."""


def pair_key(private: bytes, public: bytes, context: bytes) -> bytes:
    """Return the key of the mask that two clients share, 16 bytes: X25519, then HKDF bound to round and directory."""
    return derive(agree(private, public), info=b"fivefold mask v1\0" + context, length=16)


def self_key(seed: bytes, context: bytes) -> bytes:
    """Return the key of a client's own mask, 16 bytes."""
    return derive(seed, info=b"fivefold self v1\0" + context, length=16)


def apply(vector: np.ndarray, add: Iterable[bytes], take: Iterable[bytes]) -> None:
    """Add and take away masks in place, modulo 2**32.

    Args:
        vector: (n,) uint32, contiguous.
        add: Keys of masks to add.
        take: Keys of masks to take away.
    """
    zeros, buffer = memoryview(bytes(4 * _PIECE)), bytearray(4 * _PIECE + 16)
    drawn, view = np.frombuffer(buffer, dtype="<u4", count=_PIECE), memoryview(buffer)
    streams = [(Keystream(key), np.add) for key in add] + [(Keystream(key), np.subtract) for key in take]
    for start in range(0, len(vector), _PIECE):
        piece = vector[start : start + _PIECE]
        count = len(piece)
        for stream, act in streams:
            stream.fill(zeros[: 4 * count], view)
            act(piece, drawn[:count], out=piece)
