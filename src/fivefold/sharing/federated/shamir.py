"""Shamir's secret sharing over GF(2**8), all bytes of a secret at once (Shamir 1979; field of FIPS 197, section 4)."""

from __future__ import annotations

import secrets
from functools import cache

import numpy as np

from fivefold.errors import InputError

MOST = 255
"""Most holders of one secret."""


@cache
def _tables() -> tuple[np.ndarray, np.ndarray]:
    """Return powers of the generator 3 (twice over), and their logarithms."""
    powers, logs, value = np.zeros(510, dtype=np.uint8), np.zeros(256, dtype=np.int64), 1
    for at in range(255):
        powers[at] = powers[at + 255] = value
        logs[value] = at
        value ^= (value << 1) ^ (0x11B if value & 0x80 else 0)
    return powers, logs


def times(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Multiply in GF(2**8), elementwise, uint8."""
    powers, logs = _tables()
    product = powers[logs[first] + logs[second]]
    return np.where((first == 0) | (second == 0), np.uint8(0), product)


def split(secret: bytes, holders: int, threshold: int) -> list[bytes]:
    """Share a secret: any ``threshold`` shares give it, fewer say nothing of it.

    Args:
        secret: Any length.
        holders: 1 to 255; holder i has the point i + 1.
        threshold: 1 to ``holders``.

    Returns:
        A share for each holder, as long as the secret.

    Raises:
        InputError: ``federated.shares`` for other counts.
    """
    if not 1 <= threshold <= holders <= MOST:
        raise InputError("federated.shares", f"{threshold} of {holders} cannot be shared.", remedy="At most 255.")
    drawn = np.frombuffer(secrets.token_bytes(len(secret) * (threshold - 1)), dtype=np.uint8)
    drawn = drawn.reshape(threshold - 1, len(secret))
    points = np.arange(1, holders + 1, dtype=np.uint8)[:, None]
    found = np.zeros((holders, len(secret)), dtype=np.uint8)
    for row in drawn:  # Horner, highest power first
        found = times(found ^ row, points)
    return [row.tobytes() for row in found ^ np.frombuffer(secret, dtype=np.uint8)]


def join(shares: dict[int, bytes]) -> bytes:
    """Return the secret that shares give: their polynomial at 0.

    Args:
        shares: Index of the holder (from 0) to its share; as many as the threshold, all of one length.

    Raises:
        InputError: ``federated.shares`` for no share, a wrong index or unlike lengths.
    """
    lengths = {len(share) for share in shares.values()}
    if len(lengths) != 1 or not all(0 <= at < MOST for at in shares):
        raise InputError("federated.shares", "the shares do not belong together.")
    points = np.array(list(shares), dtype=np.int64) + 1
    values = np.frombuffer(b"".join(shares.values()), dtype=np.uint8).reshape(len(points), -1)
    powers, logs = _tables()
    differences = points[:, None] ^ points[None, :]
    np.fill_diagonal(differences, 1)
    top, below = logs[points].sum(), logs[differences].sum(axis=1)
    weights = powers[(top - logs[points] - below) % 255]
    return bytes(np.bitwise_xor.reduce(times(weights[:, None], values), axis=0).tobytes())
