"""Facts cache: what the probe read, kept under the XDG cache folder for the very bytes that it was read from.

The name of an entry is the digest of everything that it depends on; what is read back is checked against its noun and
against the digests once more. A probe that failed is not kept.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from fivefold.assess import identity
from fivefold.contract.codec import canonical
from fivefold.contract.plan import FACTS_VERSION, Facts

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fivefold.manifest.nouns import Manifest

_MOST = 16 << 20


class _Entry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    key: str
    facts: Facts


def load(manifest: Manifest, digests: Mapping[str, str], model_digest: str) -> Facts | None:
    """Return the cached facts for these bytes; None if there are none that hold."""
    key = _key(manifest, digests, model_digest)
    try:
        path = _path(key)
        if path.stat().st_size > _MOST or path.stat().st_uid != os.geteuid():
            return None
        entry = msgspec.json.decode(path.read_bytes(), type=_Entry)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    facts = entry.facts
    fits = entry.key == key and {name: fact.digest for name, fact in (facts.data or {}).items()} == dict(digests)
    return facts if fits and (facts.model is None or facts.model.digest == model_digest) else None


def store(manifest: Manifest, digests: Mapping[str, str], model_digest: str, facts: Facts) -> None:
    """Keep facts; a cache that cannot be written is no fault."""
    if facts.model is not None and facts.model.error:
        return
    key = _key(manifest, digests, model_digest)
    path = _path(key)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        temporary.write_bytes(msgspec.json.encode(_Entry(key, facts)))
        temporary.replace(path)


def _key(manifest: Manifest, digests: Mapping[str, str], model_digest: str) -> str:
    parts = [FACTS_VERSION, manifest.digest, dict(digests), model_digest, identity.code()]
    return hashlib.sha256(canonical(parts)).hexdigest()


def _path(key: str) -> Path:
    folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return folder / "fivefold" / "facts" / f"{key}.json"
