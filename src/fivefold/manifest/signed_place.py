"""Signed place: writes ``signature:`` into a manifest that names none, changing nothing else in it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import msgspec

from fivefold.errors import ProblemsError
from fivefold.manifest.reader import read

if TYPE_CHECKING:
    from fivefold.manifest.nouns import Manifest

_BLOCK = re.compile(r"model:[ \t]*(#.*)?")
_FLOW = re.compile(r"model:[ \t]*\{")
_MARGIN = re.compile(r"([ \t]+)[^\s#]")


def name_signature(manifest: Manifest, name: str) -> Manifest | None:
    """Write ``signature: <name>`` under ``model:`` and return the manifest read again.

    Args:
        manifest: As read; it names no signature.
        name: Relative path of the signature that is about to be made.

    Returns:
        None if the place cannot be found, or if anything else would have changed; the file is then as it was.
    """
    text = manifest.raw.decode("utf-8", "strict")
    lines = text.splitlines(keepends=True)
    changed = _inserted(lines, name)
    if manifest.model is None or changed is None or (manifest.root / name).exists():
        return None
    draft = manifest.file.with_name(f".{manifest.file.name}.new")
    draft.write_bytes("".join(changed).encode())
    try:
        made = read(draft, may_lack=frozenset({"model.signature"}))
        same = msgspec.structs.replace(manifest.model, signature=name) == made.model
        if not same or _rest(made) != _rest(manifest):
            return None
        draft.replace(manifest.file)
    except ProblemsError:
        return None
    finally:
        draft.unlink(missing_ok=True)
    return read(manifest.file, may_lack=frozenset({"model.signature"}))


def _rest(manifest: Manifest) -> Manifest:
    return msgspec.structs.replace(manifest, file=manifest.root, raw=b"", digest="", model=None, lines={})


def _inserted(lines: list[str], name: str) -> list[str] | None:
    for at, line in enumerate(lines):
        ending = line[len(line.rstrip("\r\n")) :] or "\n"
        flow = _FLOW.match(line)
        if flow:
            return [*lines[:at], f"{flow[0]}signature: {name}, {line[flow.end() :]}", *lines[at + 1 :]]
        if _BLOCK.fullmatch(line.strip("\r\n")):
            margin = next((found[1] for later in lines[at + 1 :] if (found := _MARGIN.match(later))), "")
            return [*lines[: at + 1], f"{margin}signature: {name}{ending}", *lines[at + 1 :]] if margin else None
    return None
