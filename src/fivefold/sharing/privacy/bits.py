r"""Bits: does anything in the low-order bits of released numbers tell which of two data sets they are from?

A number in floating point is fine near 0 and coarse elsewhere. Noise that is drawn as such a number reaches other
values around 0 than around 1, so that a single answer can prove which of two neighbours it is of, however wide the
noise (Mironov 2012 for Laplace; Jin et al. 2022 for Gaussian noise). The attacks here look at single answers:

- *place of the lowest bit*: the largest power of two that divides the number;
- *zeros*: how many low-order bits of the significand are 0;
- *pattern*: its last four bits, with the exponent;
- *reachable*: whether textbook inversion of the Laplace law (scale times the logarithm of a uniform number of 53 bits)
  reaches the number from the one data set or from the other.

An event is chosen on one half of the trials and counted on the other: it tells the worlds apart if its frequency in one
is more than exp(epsilon) times that in the other, plus delta, by exact bounds (Clopper and Pearson 1934; Bonferroni).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from fivefold.stats.proportion import clopper_pearson

if TYPE_CHECKING:
    from collections.abc import Iterator

_CHOSEN = 12
_FEWEST = 8
_ULPS = 1 << 53


@dataclass(frozen=True)
class Event:
    """What tells two worlds apart.

    Attributes:
        family: Which attack.
        one: Frequency in the world where it is commoner.
        other: In the other one.
        told: Whether that is beyond the claim.
    """

    family: str
    one: float
    other: float
    told: bool


def events(
    first: np.ndarray, second: np.ndarray, places: tuple[float, float], scale: float, claim: tuple[float, float]
) -> list[Event]:
    """Attack answers.

    Args:
        first: (n,) float64 answers of one world.
        second: (m,) of the other.
        places: The exact figures of both worlds.
        scale: Of the noise, in the figure's unit.
        claim: epsilon and delta of this figure.

    Returns:
        The events that were counted, those that tell most in front.
    """
    found = []
    for family, codes in _families(first, second, places, scale):
        one, two = codes[: len(first)], codes[len(first) :]
        found += _counted(family, one, two, claim)
    return sorted(found, key=lambda event: (not event.told, event.other - event.one))


def _families(
    first: np.ndarray, second: np.ndarray, places: tuple[float, float], scale: float
) -> Iterator[tuple[str, np.ndarray]]:
    values = np.concatenate([first, second]).astype(np.float64)
    raw = values.view(np.uint64)
    exponent = ((raw >> np.uint64(52)) & np.uint64(0x7FF)).astype(np.int64)
    significand = (raw & np.uint64((1 << 52) - 1)) | (np.uint64(1) << np.uint64(52))
    lowest = significand & (~significand + np.uint64(1))
    zeros = np.log2(lowest.astype(np.float64)).astype(np.int64)
    zeros[values == 0] = 60
    yield "place of the lowest bit", np.where(values == 0, 5000, exponent + zeros)
    yield "zeros", zeros
    yield "pattern", exponent * 16 + (raw & np.uint64(15)).astype(np.int64)
    yield "reachable", _reachable(values, places[0], scale) + 2 * _reachable(values, places[1], scale)


def _reachable(values: np.ndarray, place: float, scale: float) -> np.ndarray:
    """Return (n,) int64: 1 where place + scale * log(u) is the value for a u of 53 bits, of either sign, u or 2 u."""
    z = values - place
    found = np.zeros(len(values), dtype=bool)
    sign = np.sign(z)
    for factor in (1.0, 2.0):
        near = np.rint(np.exp(-np.abs(z) / scale) / factor * _ULPS)
        for step in (-1.0, 0.0, 1.0):
            u = np.clip(near + step, 1.0, _ULPS) / _ULPS
            found |= place - sign * (scale * np.log(factor * u)) == values
    return found.astype(np.int64)


def _counted(family: str, one: np.ndarray, two: np.ndarray, claim: tuple[float, float]) -> list[Event]:
    """Choose events on the even trials, count them on the odd ones."""
    chosen = _choose(one[::2], two[::2])
    level = 1 - 0.05 / max(1, 4 * len(chosen))
    found = []
    for members, commoner in chosen:
        here, there = (one[1::2], two[1::2]) if commoner == 0 else (two[1::2], one[1::2])
        hits, other = int(np.isin(here, members).sum()), int(np.isin(there, members).sum())
        low = float(clopper_pearson(hits, len(here), level)[0])
        high = float(clopper_pearson(other, len(there), level)[1])
        told = low > math.exp(min(claim[0], 700.0)) * high + claim[1]
        found.append(Event(family, hits / len(here), other / len(there), told))
    return found


def _choose(one: np.ndarray, two: np.ndarray) -> list[tuple[np.ndarray, int]]:
    """Return sets of codes that are commoner in one world: single ones, and all that only that world has."""
    codes, at = np.unique(np.concatenate([one, two]), return_inverse=True)
    counts = np.stack([
        np.bincount(at[: len(one)], minlength=len(codes)), np.bincount(at[len(one) :], minlength=len(codes))
    ]).astype(float)  # fmt: skip
    found = []
    for commoner in (0, 1):
        mine, other = counts[commoner], counts[1 - commoner]
        ratio = np.log((mine + 0.5) / (other + 0.5))
        alone = codes[(mine >= _FEWEST) & (other == 0)]
        if len(alone):
            found.append((alone, commoner))
        order = np.argsort(-np.where(mine >= _FEWEST, ratio, -np.inf))[: _CHOSEN // 2]
        found += [(codes[[k]], commoner) for k in order.tolist() if mine[k] >= _FEWEST and ratio[k] > 0]
    return found
