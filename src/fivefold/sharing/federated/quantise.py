"""Quantisation: numbers to whole numbers and back; what would be clipped is an error, never cut off."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fivefold.errors import InputError

if TYPE_CHECKING:
    from fivefold.sharing.federated.terms import Terms


def encode(values: np.ndarray, terms: Terms, weight: int = 1) -> np.ndarray:
    """Return (size,) uint32: each number on the grid of ``levels`` from -clip to clip, times the weight.

    Args:
        values: (size,) finite numbers of at most ``clip``.
        terms: Of the round.
        weight: 1 to ``terms.weight``.

    Raises:
        InputError: ``federated.clipped`` for a number that is too large or none; ``federated.size``.
    """
    if values.shape != (terms.size,) or not 1 <= weight <= terms.weight:
        raise InputError("federated.size", f"a vector of {terms.size} numbers and a weight to {terms.weight} fit.")
    largest = float(np.max(np.abs(values)))  # NaN stays NaN
    if not largest <= terms.clip:
        raise InputError(
            "federated.clipped", f"a number of size {largest:g} is beyond the clip of {terms.clip:g}.",
            remedy="Agree on a larger clip, or clip the norm of updates before: a sum of cut numbers is no mean.",
        )  # fmt: skip
    half = (terms.levels - 1) // 2
    scaled = values * np.asarray(half / terms.clip, dtype=values.dtype if values.dtype.kind == "f" else np.float64)
    whole = np.rint(scaled, out=scaled).astype(np.int32)
    whole += half
    np.clip(whole, 0, terms.levels - 1, out=whole)  # float32 may round the very edge over it
    found: np.ndarray = whole.view(np.uint32)
    return found if weight == 1 else found * np.uint32(weight)


def decode(total: np.ndarray, terms: Terms, weights: int) -> np.ndarray:
    """Return (size,) float64: the weighted mean that a sum of encoded vectors stands for.

    Args:
        total: (size,) uint32; noise on it stays.
        terms: Of the round.
        weights: Sum of the weights of those in it.
    """
    half = (terms.levels - 1) // 2
    centred = (total.astype(np.uint32) - np.uint32(weights * half)).view(
        np.int32
    )  # noise may lead out of the range of sums, both ways
    return centred.astype(np.float64) * (terms.clip / half / weights)


def bound(terms: Terms) -> float:
    """Return how far a decoded mean may be from the true one: half a step."""
    return terms.clip / (terms.levels - 1)
