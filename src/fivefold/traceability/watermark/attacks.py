"""Attacks on a mark in weights that need no data: what thieves do to stolen weights, as arrays in, arrays out.

Source: Uchida et al. 2017, sections 4.3 and 4.4 (fine-tuning, pruning); Wang and Kerschbaum 2019 (overwriting).
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from fivefold.errors import InputError
from fivefold.traceability.watermark.embedding import embed

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Weights: TypeAlias = "Mapping[str, np.ndarray]"
_MOST = 0.5
"""Change of all weights that a thief puts up with, as a share of their size."""


def pruned(weights: Weights, share: float, *, whole: bool) -> dict[str, np.ndarray]:
    """Set the smallest weights to zero: ``share`` of each tensor, or of the whole network."""
    sizes = {name: np.abs(values) for name, values in weights.items()}
    edge = float(np.quantile(np.concatenate([one.reshape(-1) for one in sizes.values()]), share)) if whole else 0.0
    edges = {name: edge if whole else float(np.quantile(one, share)) for name, one in sizes.items()}
    return {name: np.where(sizes[name] >= edges[name], values, 0.0) for name, values in weights.items()}


def rounded(weights: Weights, bits: int) -> dict[str, np.ndarray]:
    """Round each tensor to even steps around 0, as many as fit into ``bits`` (symmetric quantisation)."""
    half = 2 ** (bits - 1) - 1
    tops = {name: float(np.abs(values).max(initial=0.0)) or 1.0 for name, values in weights.items()}
    return {name: np.round(values / tops[name] * half) for name, values in weights.items()}


def halved(weights: Weights) -> dict[str, np.ndarray]:
    """Round to half precision."""
    with np.errstate(over="ignore"):
        return {name: values.astype(np.float16).astype(np.float32) for name, values in weights.items()}


def moved(weights: Weights, share: float, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Add noise of ``share`` of each tensor's root mean square: a change of that size that does not know the key."""
    return {
        name: values + (share * np.sqrt(np.mean(values**2)) * rng.standard_normal(values.shape)).astype(np.float32)
        for name, values in weights.items()
    }


def overwritten(weights: Weights) -> dict[str, np.ndarray]:
    """Put another mark over it, with a key that nobody kept; with a larger change where the usual one does not do.

    Raises:
        InputError: ``mark.small`` if the weights bear no other mark.
    """
    try:
        made = embed(weights, secrets.token_bytes(32))
    except InputError:
        made = embed(weights, secrets.token_bytes(32), _MOST)
    return {**weights, **made.tensors}


def reordered(weights: Weights, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Put the rows of each tensor into another order, as who reorders neurons does."""
    return {name: values[rng.permutation(len(values))] for name, values in weights.items()}


Attack: TypeAlias = "Callable[[Weights, np.random.Generator], dict[str, np.ndarray]]"

WITHSTOOD: dict[str, Attack] = {
    "as it is": lambda weights, _: dict(weights),
    "the smallest 80 % of each layer set to zero": lambda weights, _: pruned(weights, 0.8, whole=False),
    "the smallest 80 % of the network set to zero": lambda weights, _: pruned(weights, 0.8, whole=True),
    "rounded to 8 bits": lambda weights, _: rounded(weights, 8),
    "rounded to half precision": lambda weights, _: halved(weights),
    "every weight moved, by 0.3 of their size": lambda weights, rng: moved(weights, 0.3, rng),
    "another mark put over it": lambda weights, _: overwritten(weights),
}
"""What a mark has to withstand."""

SHOWN: dict[str, Attack] = {
    "the smallest 95 % of each layer set to zero": lambda weights, _: pruned(weights, 0.95, whole=False),
    "rounded to 4 bits": lambda weights, _: rounded(weights, 4),
    "every weight moved, by their own size": lambda weights, rng: moved(weights, 1.0, rng),
    "neurons in another order": reordered,
}
"""What is shown beside: some a mark does not survive."""
