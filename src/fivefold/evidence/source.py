"""Source: the digest of Fivefold's own files, by which evidence says which version made it."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

from fivefold.contract.codec import canonical

_SOURCE = (".py", ".toml", ".json", ".html", ".css", ".j2")


@cache
def code() -> str:
    """Return the digest of Fivefold's source: SHA-256 over the canonical JSON of its sorted (name, sha256) pairs."""
    root = Path(__file__).resolve().parents[1]
    files = sorted(path for path in root.rglob("*") if path.suffix in _SOURCE and path.is_file())
    pairs = [[path.relative_to(root).as_posix(), hashlib.sha256(path.read_bytes()).hexdigest()] for path in files]
    return hashlib.sha256(canonical(pairs)).hexdigest()
