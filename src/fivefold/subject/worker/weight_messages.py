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


class Tune(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag=True):
    """Train a copy of the network further, and say what its weights are then; the model itself stays as it is.

    Attributes:
        batch, target: Message packs of a batch, and of a tensor: class indices, or values; empty with no epochs.
        epochs, rate: How often each row is seen, and the step of Adam; 0 epochs: the weights as they are.
        order, linked: Class index of each output, and whether the outputs are logits.
    """

    epochs: int = 0
    rate: float = 1e-3
    batch: bytes = b""
    target: bytes = b""
    order: tuple[int, ...] = ()
    linked: bool = True


class Tuned(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag=True):
    """Weights of two axes or more by name: message packs of tensors."""

    weights: dict[str, bytes]
