"""Graph: who shares masks with whom (Bell, Bonawitz, Gascon, Lepoint and Raykova 2020), fixed by the directory."""

from __future__ import annotations

import hashlib
from functools import lru_cache


@lru_cache(maxsize=8)
def neighbours(names: tuple[str, ...], degree: int, seed: bytes) -> dict[str, tuple[str, ...]]:
    """Return each client's neighbours, sorted; the relation goes both ways.

    Args:
        names: Of all who advertised, sorted.
        degree: Even; 0, or as many as the others: everybody.
        seed: Digest of the directory, which orders the ring.
    """
    count = len(names)
    if degree == 0 or degree >= count - 1:
        return {name: tuple(other for other in names if other != name) for name in names}
    ring = sorted(names, key=lambda name: hashlib.sha256(seed + name.encode()).digest())
    found = {}
    for at, name in enumerate(ring):
        near = {ring[(at + step) % count] for step in range(-(degree // 2), degree // 2 + 1)}
        found[name] = tuple(sorted(near - {name}))
    return found


def holders(name: str, of: dict[str, tuple[str, ...]]) -> tuple[str, ...]:
    """Return who holds shares of a client's secrets, in the order of their points: its neighbours and itself."""
    return tuple(sorted((*of[name], name)))
