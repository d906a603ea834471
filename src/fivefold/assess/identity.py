"""Identity: digests of our own source and of a model's files, and whether an extra is installed; loads no engine."""

from __future__ import annotations

import importlib.util
from functools import cache
from typing import TYPE_CHECKING

from fivefold.evidence import signed_set
from fivefold.evidence.source import code

if TYPE_CHECKING:
    from fivefold.manifest.nouns import Manifest

__all__ = ["code", "installed", "model_digest"]

_BASE = ("numpy", "scipy", "pandas", "pyarrow", "sklearn")
_EXTRAS = {"assess": _BASE, "ciphertext": (*_BASE, "tenseal")}


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
