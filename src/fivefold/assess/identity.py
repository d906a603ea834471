"""Identity: digests of our own source and of a model's files, and whether an extra is installed; loads no engine."""

from __future__ import annotations

import hashlib
import importlib.util
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from fivefold.contract.codec import canonical
from fivefold.evidence import signed_set

if TYPE_CHECKING:
    from fivefold.manifest.nouns import Manifest

_SOURCE = (".py", ".toml", ".json", ".html", ".css", ".j2")
_EXTRAS = {"assess": ("numpy", "scipy", "pandas", "pyarrow", "sklearn")}


@cache
def code() -> str:
    """Return the digest of Fivefold's source: SHA-256 over the canonical JSON of its sorted (name, sha256) pairs."""
    root = Path(__file__).resolve().parents[1]
    files = sorted(path for path in root.rglob("*") if path.suffix in _SOURCE and path.is_file())
    pairs = [[path.relative_to(root).as_posix(), hashlib.sha256(path.read_bytes()).hexdigest()] for path in files]
    return hashlib.sha256(canonical(pairs)).hexdigest()


def model_digest(manifest: Manifest) -> str:
    """Return the digest of the model's signed set as it lies on disk; empty if there is none.

    Raises:
        TrustError: As :func:`fivefold.evidence.signed_set.files`.
    """
    return signed_set.digest(signed_set.digests(manifest))


@cache
def installed(extra: str) -> bool:
    """Return whether every module of an extra can be found."""
    return all(importlib.util.find_spec(name) is not None for name in _EXTRAS.get(extra, (extra,)))
