"""Embedding: the smallest change of weights that makes a key's bits readable, found in closed form; nothing is trained.

Weights are counted in units of their tensor's root mean square. Carriers are drawn from the weights that are large in
their tensor and in the whole network, so that pruning by size keeps them. With the key's signs X (n bits x M carriers),
carriers v and bits s, the reading is y = X v / sqrt(M), and the change d = X' (X X')^-1 sqrt(M) (t - y) is the one of
least norm that makes it t, where t is s times the larger of s y and a margin (informed embedding; Cox et al. 1999). Of
a change d' that does not know the key only the size counts: each reading moves by a sum of |d'_i| with random signs.

Threat: a copy of the weights is released as somebody else's work. Limit: the reading looks at weights in their places.
A copy whose neurons were put in another order, or that was trained from the answers alone, has lost the mark.
"""

from __future__ import annotations

import hashlib
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from fivefold.contract.codec import canonical
from fivefold.errors import InputError, TrustError
from fivefold.keys.ciphers import derive
from fivefold.traceability.watermark.carriers import BITS, binomial_p, bits_of, signs_of

if TYPE_CHECKING:
    from collections.abc import Mapping

CHANGE = 0.2
"""Largest change of all weights, as a share of their size (Euclidean norm), unless told otherwise."""
_SHARE = 0.2
_MOST = 1 << 16
_MARGINS = (2.0, 0.75)
"""Readings aimed at, in units of what chance gives: the largest that is wanted, and the least that is taken."""
_LARGEST = 1 << 26
_CHUNK = 50


class Place(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Carriers in one tensor: its name and shape, and their positions (packed differences of uint32)."""

    name: str
    shape: tuple[int, ...]
    packed: bytes

    def positions(self) -> np.ndarray:
        """Return (m,) int64 positions in the flat tensor, ascending.

        Raises:
            TrustError: ``mark.malformed``.
        """
        size = int(np.prod(self.shape, dtype=np.float64))
        unpacking = zlib.decompressobj()
        try:
            data = unpacking.decompress(self.packed, 4 * min(size, _MOST))
            steps = np.frombuffer(data, "<u4")
        except (zlib.error, ValueError):
            steps, size = np.zeros(1, "<u4"), 0
        found = np.cumsum(steps.astype(np.int64))
        if unpacking.unconsumed_tail or (len(found) and found[-1] >= size) or (steps[1:] == 0).any():
            raise TrustError("mark.malformed", "the positions of the mark are no positions.")
        return found


class WeightsOpening(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag="weights"):
    """What is secret until the mark is claimed.

    Attributes:
        key: 32 bytes from a cryptographic source.
        bits: How many.
        places: Where the carriers are; bits and signs are drawn from the key and their digest, so that places cannot
            be chosen after the signs.
    """

    key: bytes
    bits: int
    places: tuple[Place, ...]
    version: int = 1


@dataclass(frozen=True)
class Marked:
    """What embedding gave.

    Attributes:
        tensors: Name to changed array, of those that changed.
        opening: What reads it.
        carriers: How many weights bear the mark.
        change: Size of the change as a share of the size of all weights, in units of each tensor.
        margin: Least reading, in units of what chance gives.
    """

    tensors: dict[str, np.ndarray]
    opening: WeightsOpening
    carriers: int
    change: float
    margin: float


@dataclass(frozen=True)
class Reading:
    """What a suspect says to a key.

    Attributes:
        matched: Bits read rightly.
        bits: Of how many.
        p: Probability of so many by chance, exact.
        found: Share of carriers whose tensor the suspect has.
    """

    matched: int
    bits: int
    p: float
    found: float


def embed(tensors: Mapping[str, np.ndarray], key: bytes, change: float = CHANGE) -> Marked:
    """Put a key's bits into weights.

    Args:
        tensors: Name to array of two axes or more, of floating-point numbers.
        key: 32 bytes.
        change: Largest change of all weights, as a share of their size, in (0, 1).

    Returns:
        The changed arrays and the opening: 128 bits, or 64 or 32 where the weights do not bear more.

    Raises:
        InputError: ``mark.small`` if they do not bear 32 bits.
    """
    scales = {name: _rms(values) for name, values in tensors.items() if _rms(values) > 0}
    if not scales:
        raise InputError("mark.small", "the file holds no weights of two axes that are not all zero.", remedy=_small(0))
    units = {name: tensors[name].reshape(-1).astype(np.float32) / scales[name] for name in scales}
    places = _chosen(units, scales, derive(key, info=b"fivefold mark places"))
    picked = tuple(_place(name, tensors[name].shape, at) for name, at in places.items())
    bound = bound_key(key, picked)
    values = np.concatenate([units[name][at] for name, at in places.items()]).astype(np.float64)
    size = float(np.sqrt(sum(one.size for one in units.values())))
    for count in BITS:
        moved = _moved(values, bound, count, change * size)
        if moved is not None:
            break
    else:
        raise InputError(
            "mark.small",
            f"{round(size**2):,} weights bear no mark of 32 bits for a change of {change:.0%}.",
            remedy=_small(len(values)),
        )
    step, margin = moved
    made, start = {}, 0
    for name, at in places.items():
        flat = tensors[name].reshape(-1).astype(np.float64)
        flat[at] += step[start : start + len(at)] * scales[name]
        made[name], start = flat.astype(np.float32).reshape(tensors[name].shape), start + len(at)
    opening = WeightsOpening(key=key, bits=count, places=picked)
    return Marked(made, opening, len(values), float(np.linalg.norm(step)) / size, margin)


def read(tensors: Mapping[str, np.ndarray], opening: WeightsOpening) -> Reading:
    """Read a mark from a suspect's weights.

    A tensor is found by name and shape, else by its shape, transposed if need be, in order. What is not found reads as
    zero.

    Args:
        tensors: Name to array.
        opening: Of the mark.

    Raises:
        TrustError: ``mark.malformed`` for an opening that is none.
    """
    require(opening)
    parts, here = [], 0
    matched = _matched(tensors, opening)
    for place in opening.places:
        at, values = place.positions(), matched.get(place.name)
        scale = 0.0 if values is None else _rms(values)
        if values is None or not scale:
            parts.append(np.zeros(len(at)))
            continue
        parts.append(values.reshape(-1)[at].astype(np.float64) / scale)
        here += len(at)
    carried, key = np.concatenate(parts), bound_key(opening.key, opening.places)
    signs = signs_of(key, opening.bits, len(carried)).astype(np.float32)
    said = signs @ carried.astype(np.float32)
    right = int((said * bits_of(key, opening.bits) > 0).sum())
    return Reading(right, opening.bits, binomial_p(right, opening.bits), here / len(carried))


def of_strangers(
    tensors: Mapping[str, np.ndarray], opening: WeightsOpening, count: int, rng: np.random.Generator
) -> np.ndarray:
    """Return (count,) p-values of a mark in networks whose tensors hold values drawn from the same, with replacement.

    Args:
        tensors: Name to array, of the application's own network.
        opening: Of the mark.
        count: How many networks.
        rng: Draws them.
    """
    matched = _matched(tensors, opening)
    sizes = [(len(place.positions()), matched.get(place.name)) for place in opening.places]
    carriers = sum(size for size, _ in sizes)
    key = bound_key(opening.key, opening.places)
    signs = signs_of(key, opening.bits, carriers).astype(np.float32)
    bits, found = bits_of(key, opening.bits)[:, None], []
    table = np.array([binomial_p(one, opening.bits) for one in range(opening.bits + 1)])
    for start in range(0, count, _CHUNK):
        wide = min(_CHUNK, count - start)
        drawn = np.concatenate([
            np.zeros((size, wide), np.float32) if values is None or not _rms(values)
            else (rng.choice(values.reshape(-1), (size, wide)) / _rms(values)).astype(np.float32)
            for size, values in sizes
        ])  # fmt: skip
        found.append(table[((signs @ drawn) * bits > 0).sum(axis=0)])
    return np.concatenate(found)


def bound_key(key: bytes, places: tuple[Place, ...]) -> bytes:
    """Return the key that bits and signs are drawn from: other places draw them all anew."""
    return derive(key, info=b"fivefold mark of places " + hashlib.sha256(canonical(places)).digest())


def require(opening: WeightsOpening) -> None:
    """Check that an opening is one that :func:`embed` can have made.

    Raises:
        TrustError: ``mark.malformed``.
    """
    names = [place.name for place in opening.places]
    well = opening.version == 1 and opening.bits in BITS and len(opening.key) == 32 and len(set(names)) == len(names)
    if not well or not 0 < len(names) <= _MOST:
        raise TrustError("mark.malformed", "this is no opening of a mark in weights.")
    total = 0
    for place in opening.places:
        size = np.prod(place.shape, dtype=np.float64) if min(place.shape, default=0) > 0 else 0.0
        here = len(place.positions()) if 0 < size <= _LARGEST * 64 else 0
        total += here
        if not here or total > _MOST:  # nothing beyond is unpacked
            raise TrustError("mark.malformed", "the mark has no carriers, or too many.")


def _rms(values: np.ndarray) -> float:
    flat = values.reshape(-1)
    return float(np.sqrt(np.dot(flat, flat) / max(1, flat.size)))


def _chosen(units: Mapping[str, np.ndarray], scales: Mapping[str, float], seed: bytes) -> dict[str, np.ndarray]:
    """Return positions of weights that are among the largest of their tensor and of the whole network."""
    sizes = {name: np.abs(one) for name, one in units.items()}
    edge = float(np.quantile(_sample(np.concatenate([one * scales[name] for name, one in sizes.items()])), 1 - _SHARE))
    rng = np.random.default_rng(np.frombuffer(seed, np.uint64))
    found = {}
    for name, one in sizes.items():
        own = one >= np.quantile(_sample(one), 1 - _SHARE)
        both = own & (one * scales[name] >= edge)
        at = np.flatnonzero(both)
        if len(at):
            found[name] = at
    total = sum(map(len, found.values()))
    if total > _MOST:
        keep = np.sort(rng.choice(total, _MOST, replace=False))
        ends = np.cumsum([len(at) for at in found.values()])
        parts = np.split(keep, np.searchsorted(keep, ends[:-1]))
        found = {
            name: at[part - (end - len(at))]
            for (name, at), part, end in zip(found.items(), parts, ends, strict=True) if len(part)
        }  # fmt: skip
    return found


def _sample(values: np.ndarray) -> np.ndarray:
    """Return every so-many-th value, a million at most: enough for a quantile."""
    return values[:: max(1, values.size // 1_000_000)]


def _place(name: str, shape: tuple[int, ...], at: np.ndarray) -> Place:
    steps = np.diff(at, prepend=0).astype("<u4")
    return Place(name=name, shape=tuple(int(one) for one in shape), packed=zlib.compress(steps.tobytes(), 1))


def _moved(values: np.ndarray, key: bytes, count: int, most: float) -> tuple[np.ndarray, float] | None:
    """Return the change of carriers for the largest margin that stays within ``most``; None: too large a change."""
    if len(values) < 2 * count:
        return None
    signs = signs_of(key, count, len(values)).astype(np.float32)
    root = np.sqrt(len(values))
    chance = float(np.sqrt(np.mean(values**2)))
    bits = bits_of(key, count).astype(np.float64)
    said = (signs @ values.astype(np.float32)).astype(np.float64) / root
    gram = (signs @ signs.T).astype(np.float64)
    for margin in np.linspace(*_MARGINS, 11):
        target = bits * np.maximum(bits * said, margin * chance)
        weights = np.linalg.solve(gram, root * (target - said))
        step = (weights.astype(np.float32) @ signs).astype(np.float64)
        if np.linalg.norm(step) <= most:
            return step, float(margin)
    return None


def _matched(tensors: Mapping[str, np.ndarray], opening: WeightsOpening) -> dict[str, np.ndarray]:
    found = {one.name: tensors[one.name] for one in opening.places
             if one.name in tensors and tensors[one.name].shape == one.shape}  # fmt: skip
    left = {name: values for name, values in tensors.items() if name not in found}
    for place in opening.places:
        if place.name in found:
            continue
        for turned in (False, True):
            name = next((one for one, values in left.items() if (values.shape[::-1] if turned else values.shape)
                         == place.shape), "")  # fmt: skip
            if name:
                values = left.pop(name)
                found[place.name] = values.T if turned else values
                break
    return found


def _small(carriers: int) -> str:
    return (
        f"It has {carriers} large weights. Allow a larger change (--change), mark a larger network, or mark its "
        "behaviour instead."
    )
