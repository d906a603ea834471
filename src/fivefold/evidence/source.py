"""Source: the digest of Fivefold's own files, by which evidence says which version made it."""

from __future__ import annotations

import hashlib
import os
from functools import cache
from pathlib import Path

from fivefold.contract.codec import canonical

_SOURCE = (".py", ".toml", ".json", ".html", ".css", ".j2")


@cache
def code() -> str:
    """Return the digest of Fivefold's source: SHA-256 over the canonical JSON of its sorted (name, sha256) pairs."""
    root = Path(__file__).resolve().parents[1]
    pairs = []
    for folder, _, names in os.walk(root):  # rglob takes three times as long, and light commands come by here too
        place = Path(folder)
        inside = "" if place == root else place.relative_to(root).as_posix() + "/"
        kept = [name for name in names if name.endswith(_SOURCE)]
        pairs += [[inside + name, hashlib.sha256((place / name).read_bytes()).hexdigest()] for name in kept]
    return hashlib.sha256(canonical(sorted(pairs))).hexdigest()
