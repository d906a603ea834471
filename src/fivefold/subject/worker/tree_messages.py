"""Tree messages: the trees inside a model that runs in its own process, and cells as they see them."""

from __future__ import annotations

from typing import Literal

import msgspec


class Look(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag=True):
    """Which trees are inside, and what do they see of these rows (message pack of a batch)?"""

    form: Literal["frame", "matrix"]
    batch: bytes


class Looked(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag=True):
    """Arrays by name (message packs of tensors); none: there are no trees that can be read."""

    arrays: dict[str, bytes]
