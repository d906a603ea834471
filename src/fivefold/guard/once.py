"""Once: no key of a request stands twice: a reader that takes the first and one that takes the last would disagree."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fivefold.guard.protocol import Asked


_FEW = (b'"outputs"', b'"id"', b'"parameters"')


def repeats(text: bytes, asked: Asked) -> bool:
    """Return whether a key stands twice in an object of a request.

    Args:
        text: JSON that was read before.
        asked: What was read.
    """
    return not _plain(text, asked) and _repeats(text)


def _plain(text: bytes, asked: Asked) -> bool:
    """Return whether the number of words alone shows that no key that is read stands twice."""
    tensors, wanted = len(asked.inputs), len(asked.outputs)
    lists = sum(tensor.data is not None for tensor in asked.inputs)
    count = text.count
    return (
        b"\\" not in text  # else a key may be written in another way
        and count(b'"name"') == tensors + wanted
        and count(b'"shape"') == tensors
        and count(b'"datatype"') == tensors
        and count(b'"data"') == lists
        and count(b'"inputs"') == 1
        and all(count(word) < 2 for word in _FEW)
        and all(count(f'"{word}"'.encode()) < 2 for word in asked.parameters)
    )


def _repeats(text: bytes) -> bool:
    found = False

    def looked_at(pairs: list[tuple[str, Any]]) -> None:
        nonlocal found
        found = found or len({name for name, _ in pairs}) < len(pairs)

    try:
        json.loads(text, object_pairs_hook=looked_at)
    except (ValueError, RecursionError):
        return True
    return found
