"""Shaping: answers that tell less: noise that is the same for the same question, top classes, rounding, wide steps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy.special import ndtri

from fivefold.keys.ciphers import keyed_hash

if TYPE_CHECKING:
    from fivefold.protection.theft.coding import Rows

_DIGITS = 4
_TINY = 1e-6
_STEP = np.uint64(0x9E3779B97F4A7C15)
_MIX = (np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB))


@dataclass(frozen=True)
class Shaping:
    """What is done to scores, in this order.

    Attributes:
        noise: Standard deviation of what is added to each score's logarithm (values: in units of the answers' spread).
        flips: Largest share of rows whose highest score may become another one by that; the answer itself stays.
        top: How many of the highest scores are told; the others share what is left evenly; 0: all.
        decimals: None: all.
        step: Values are told as the middle of the interval of this width that they lie in; 0: as they are.
    """

    noise: float = 0.0
    flips: float = 0.0
    top: int = 0
    decimals: int | None = None
    step: float = 0.0

    def scores(self, scores: np.ndarray, ids: np.ndarray) -> np.ndarray:
        """Return (n, K) scores that are let out.

        Args:
            scores: (n, K) probabilities.
            ids: (n, 2) uint64 of :func:`identities`.
        """
        found = scores
        if self.noise:
            found = _disturbed(scores, ids, self.noise, self.flips)
        if 0 < self.top < scores.shape[1]:
            found = _topmost(found, self.top)
        return found if self.decimals is None else _rounded(found, self.decimals)

    def values(self, values: np.ndarray, ids: np.ndarray, spread: float) -> np.ndarray:
        """Return (n,) values of a regression that are let out."""
        found = values + self.noise * spread * _normal(ids, 1)[:, 0] if self.noise else values
        if self.step:
            found = (np.floor(found / self.step) + 0.5) * self.step
        return found if self.decimals is None else found.round(self.decimals)


def _disturbed(scores: np.ndarray, ids: np.ndarray, noise: float, flips: float) -> np.ndarray:
    n, width = scores.shape
    logs = np.log(np.maximum(scores, _TINY)) + noise * _normal(ids, width + 1)[:, :width]
    logs -= logs.max(axis=1, keepdims=True)
    found = np.exp(logs)
    found /= found.sum(axis=1, keepdims=True)
    was, now, rows = scores.argmax(axis=1), found.argmax(axis=1), np.arange(n)
    # where another class came out highest, the two change places
    swap = np.flatnonzero((was != now) & (_uniform(ids, 1)[:, 0] >= flips))
    one, two = found[swap, was[swap]].copy(), found[swap, now[swap]].copy()
    found[swap, was[swap]], found[swap, now[swap]] = two, one
    return np.asarray(found[rows[:, None], np.arange(width)])


def _rounded(scores: np.ndarray, decimals: int) -> np.ndarray:
    """Return rounded scores of which the highest stays the highest: others that became as high lose one unit to it."""
    found = scores.round(decimals)
    best = found == found.max(axis=1, keepdims=True)
    if np.count_nonzero(best) == len(found):  # as mostly: no ties
        return found
    unit, first = 10.0**-decimals, scores.argmax(axis=1)
    tied = best & (np.arange(scores.shape[1]) != first[:, None])
    rows = np.flatnonzero(tied.any(axis=1))
    found[rows] -= unit * tied[rows]
    found[rows, first[rows]] += unit
    found[rows] = found[rows].clip(0.0).round(decimals)
    return found


def _topmost(scores: np.ndarray, top: int) -> np.ndarray:
    ranked = np.argsort(-scores, axis=1, kind="stable")
    found, rest = scores.copy(), ranked[:, top:]
    share = np.take_along_axis(scores, rest, axis=1).sum(axis=1, keepdims=True) / rest.shape[1]
    np.put_along_axis(found, rest, np.repeat(share, rest.shape[1], axis=1), axis=1)
    return found


def identities(rows: Rows, secret: bytes) -> np.ndarray:
    """Return (n, 2) uint64 that depend on every cell of a row and on the secret; numbers count to four digits.

    Rows that differ by less than that get the same noise, so that asking around a row does not average it away.
    """
    n = len(rows)
    if isinstance(rows, pd.DataFrame):
        parts = [_bits(rows[name]) for name in rows.columns]
        bits = np.column_stack(parts) if parts else np.zeros((n, 0), np.uint64)
    else:
        bits = _digits(rows.reshape(n, -1).astype(np.float64)).view(np.uint64)
    bits = np.ascontiguousarray(bits)
    width = bits.shape[1] * 8
    text = bits.tobytes()
    found = b"".join(keyed_hash(secret, text[at : at + width])[:16] for at in range(0, n * width, width))
    return np.frombuffer(found, dtype=np.uint64).reshape(-1, 2)


def _bits(values: pd.Series) -> np.ndarray:
    if pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values):
        return _digits(values.to_numpy(dtype=np.float64, na_value=np.nan)).view(np.uint64)
    texts = np.array([str(value) for value in values.to_numpy(dtype=object)], dtype=object)
    return np.asarray(pd.util.hash_array(texts, categorize=False))


def _digits(values: np.ndarray) -> np.ndarray:
    plain = np.isfinite(values) & (values != 0)
    safe = np.where(plain, values, 1.0)
    unit = 10.0 ** (np.floor(np.log10(np.abs(safe))) - _DIGITS + 1)
    with np.errstate(invalid="ignore", over="ignore"):  # next to the smallest and the largest numbers
        near = np.round(safe / unit) * unit
    return np.ascontiguousarray(np.where(plain, near, values) + 0.0)


def _uniform(ids: np.ndarray, width: int) -> np.ndarray:
    """Return (n, width) numbers in (0, 1), spread from each id (Steele, Lea and Flood 2014)."""
    state = ids[:, :1] + _STEP * np.arange(1, width + 1, dtype=np.uint64) + np.uint64(width)
    state = (state ^ (state >> np.uint64(30))) * _MIX[0]
    state = (state ^ (state >> np.uint64(27))) * _MIX[1] ^ ids[:, 1:]
    state = (state ^ (state >> np.uint64(31))) * _MIX[0]
    return np.asarray(((state >> np.uint64(11)).astype(np.float64) + 0.5) / 2.0**53)


def _normal(ids: np.ndarray, width: int) -> np.ndarray:
    return np.asarray(ndtri(_uniform(ids, width)))
