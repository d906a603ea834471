"""Results: what a check returns, as message pack; numpy's scalars are written as the plain numbers that they are."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np

from fivefold.contract.finding import Result


def encode_result(result: Result) -> bytes:
    """Return a result's bytes.

    Raises:
        TypeError: It holds something that is no plain value.
    """
    return msgspec.msgpack.encode(result, enc_hook=_plain)


def plain_result(result: Result) -> Result:
    """Return a result with plain values of the declared types alone.

    Raises:
        TypeError: It holds something that is no plain value.
        msgspec.ValidationError: A value has another type than declared.
    """
    return msgspec.msgpack.decode(encode_result(result), type=Result)


def _plain(value: Any) -> bool | int | float | str:
    if isinstance(value, np.generic):
        found: bool | int | float | str = value.item()
        return found
    raise TypeError(f"a result holds a {type(value).__name__}")
