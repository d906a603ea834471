"""Weight messages: what a check may have done to the stored weights of a model that runs in its own process."""

from __future__ import annotations

from typing import Literal

import msgspec

How = Literal["stored", "flips", "int8", "float16"]


class Weigh(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag=True):
    """How many weights are stored, and how wide?"""


class Weighed(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag=True):
    """Numbers of weights of each stored tensor, in their order, and bits of each of its weights (16, 32 or 64)."""

    counts: tuple[int, ...]
    bits: tuple[int, ...]


class Alter(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag=True):
    """Answer with changed weights from now on; each message starts from the stored ones.

    Attributes:
        how: ``stored``: as they are; ``flips``; ``int8``: each tensor of more than one axis rounded to 255 even steps;
            ``float16``: all rounded to half precision.
        places, bits: Message packs of tensors: (k,) int64 number of the weight, counted through all tensors, and (k,)
            int64 bit to flip in it, 0 the lowest of the mantissa.
    """

    how: How
    places: bytes = b""
    bits: bytes = b""
