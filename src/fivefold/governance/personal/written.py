"""Rules over finds as they are written, signs and all: internet addresses and coordinates."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow.compute as pc

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_VERSION = 32


def ip4(texts: Any) -> np.ndarray:
    """Four parts up to 255, none with a leading zero; all below 32 are taken for the number of a version."""
    parts = _parts(texts, r"^([0-9]{1,3})\.([0-9]{1,3})\.([0-9]{1,3})\.([0-9]{1,3})$", 4)
    zeros = np.asarray(pc.match_substring_regex(texts, r"(?:^|\.)0[0-9]"))
    return np.asarray((parts <= 255).all(axis=1) & (parts.max(axis=1) >= _VERSION) & ~zeros)


def ip6(texts: Any) -> np.ndarray:
    """RFC 4291: eight groups, or one run of colons that stands for those left out and at least two groups."""
    colons = np.asarray(pc.count_substring(texts, ":"))
    runs = np.asarray(pc.count_substring_regex(texts, "::+"))
    long_run = np.asarray(pc.match_substring(texts, ":::"))
    groups = np.asarray(pc.count_substring_regex(texts, "[0-9A-Fa-f]+"))
    full = (runs == 0) & (groups == 8) & (colons == 7)
    return np.asarray(full | ((runs == 1) & ~long_run & (groups >= 2) & (groups < 8)))


def coordinates(texts: Any) -> np.ndarray:
    """A latitude within 90 degrees and a longitude within 180."""
    plain = pc.replace_substring_regex(texts, pattern="[°NSEWnsew+]", replacement="")
    parts = _parts(plain, r"^-?([0-9]+\.[0-9]+)[,;/ ]+-?([0-9]+\.[0-9]+)$", 2)
    return np.asarray((parts[:, 0] <= 90) & (parts[:, 1] <= 180))


def _parts(texts: Any, pattern: str, count: int) -> np.ndarray:
    """Return (m, count) float64 of the groups of a pattern; 1,000 where it does not match."""
    names = [f"p{at}" for at in range(count)]
    named = pattern
    for name in names:
        named = named.replace("([", f"(?P<{name}>[", 1)
    found = pc.extract_regex(texts, pattern=named)
    columns = [pc.fill_null(pc.struct_field(found, name), "1000") for name in names]
    return np.stack([np.asarray(column.cast("float64")) for column in columns], axis=1)


WRITTEN: dict[str, Callable[[Any], np.ndarray]] = {rule.__name__: rule for rule in (ip4, ip6, coordinates)}
"""Rules over (m,) Arrow strings."""
