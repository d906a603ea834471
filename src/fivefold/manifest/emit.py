"""Emit: a proposed manifest as YAML text, with the reason of each proposal as a comment above it."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_./-]*( [A-Za-z0-9_./-]+)*")
_SPECIAL = frozenset(("true", "false", "null", "yes", "no", "on", "off", "y", "n", "nan", "inf", "none", "~"))
_WIDTH = 98


def scalar(value: object) -> str:
    """Return one value as YAML; texts are quoted wherever a reader could take them for something else."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    text = str(value)
    if _PLAIN.fullmatch(text) and text.casefold() not in _SPECIAL:
        return text
    quoted = json.dumps(text, ensure_ascii=False)
    return "".join(part if part.isprintable() else f"\\U{ord(part):08x}" for part in quoted)


def emit(document: Mapping[str, Any], reasons: Mapping[str, str], head: str) -> str:
    """Return YAML.

    Args:
        document: Nested mappings, lists of scalars, and scalars.
        reasons: Dotted path to the sentence that stands above it as a comment.
        head: Comment on the first line.
    """
    return "\n".join([f"# {head}", *_mapping(document, reasons, "", 0)]) + "\n"


def _mapping(values: Mapping[str, Any], reasons: Mapping[str, str], place: str, depth: int) -> Iterator[str]:
    margin = "  " * depth
    for key, value in values.items():
        inner = f"{place}.{key}" if place else key
        if depth == 0:
            yield ""
        for line in _wrapped(reasons.get(inner, ""), _WIDTH - len(margin)):
            yield f"{margin}# {line}"
        if isinstance(value, dict):
            yield f"{margin}{scalar(key)}:"
            yield from _mapping(value, reasons, inner, depth + 1)
        elif isinstance(value, list | tuple):
            yield f"{margin}{scalar(key)}: [{', '.join(scalar(part) for part in value)}]"
        else:
            yield f"{margin}{scalar(key)}: {scalar(value)}"


def _wrapped(text: str, width: int) -> list[str]:
    import textwrap

    printable = "".join(character if character.isprintable() else " " for character in text)
    return textwrap.wrap(printable, width, break_long_words=False, break_on_hyphens=False)
