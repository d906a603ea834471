"""Learner: federated averaging of a softmax model on the application's own rows, the same trainer as for pooled rows.

The model is this product's, not the application's: what is compared is how the training goes, not how good a model is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from fivefold.errors import InputError, UnsupportedError
from fivefold.sharing.federated import distributed, quantise
from fivefold.sharing.federated.robust import aggregate
from fivefold.sharing.filtering.columns import encoded
from fivefold.sharing.privacy.noise import seeded

if TYPE_CHECKING:
    from collections.abc import Callable

    from fivefold.contract.check import Context
    from fivefold.sharing.federated.declared import Federation

    Attack = Callable[[int, np.ndarray, np.ndarray], np.ndarray]

LOCAL_STEPS, RATE, DECAY = 5, 0.5, 1e-3
_FEWEST, _MOST_CLASSES, _HELD = 100, 50, 0.3
_CLIP = 16.0
"""Largest change of a weight in a round; a sum of clipped updates is no mean, so a larger one ends the round."""


@dataclass(frozen=True)
class Rows:
    """Rows of all clients.

    Attributes:
        x: (n, w) float64, standardised, the last column 1.
        y: (n,) class indices.
        owner: (n,) index of the client.
        held_x: (m, w) rows that nobody trains on.
        held_y: (m,) their classes.
        classes: How many.
    """

    x: np.ndarray
    y: np.ndarray
    owner: np.ndarray
    held_x: np.ndarray
    held_y: np.ndarray
    classes: int


def gather(context: Context, told: Federation) -> Rows:
    """Return the declared data set's rows, by client.

    Raises:
        UnsupportedError: ``federated.rows`` for fewer than 100 rows or no classes.
    """
    try:
        table = context.tables(told.data)
    except KeyError:
        raise UnsupportedError("federated.rows", f"there is no data set {told.data}.") from None
    known = np.flatnonzero(table.target >= 0) if table.target.dtype.kind in "iu" else np.zeros(0, dtype=np.int64)
    classes = int(table.target[known].max()) + 1 if len(known) else 0
    if len(known) < _FEWEST or not 2 <= classes <= _MOST_CLASSES:
        raise UnsupportedError(
            "federated.rows", f"{told.data} has {len(known)} rows of a known class.",
            remedy=f"At least {_FEWEST} rows of 2 to {_MOST_CLASSES} classes are needed; values are not measured.",
        )  # fmt: skip
    drawn: np.ndarray = np.sort(context.rng.choice(known, min(len(known), context.rows), replace=False))
    part = table.take(drawn)
    codes = pd.factorize(part.column(told.by), use_na_sentinel=False)[0] if told.by else np.arange(len(part))
    sites = int(codes.max()) + 1
    owner = codes % told.clients if sites >= told.clients else context.rng.integers(0, told.clients, len(part))
    raw = encoded(part).astype(np.float64)
    x = np.column_stack([np.clip(raw, -5, 5), np.ones(len(part))])
    held = context.rng.random(len(part)) < _HELD
    return Rows(x[~held], part.target[~held], owner[~held], x[held], part.target[held], classes)


def update(weights: np.ndarray, x: np.ndarray, y: np.ndarray, steps: int = LOCAL_STEPS) -> np.ndarray:
    """Return how a client's weights change: gradient steps of the softmax loss on all its rows (McMahan et al. 2017).

    Args:
        weights: (w, k).
        x: (n, w).
        y: (n,) class indices.
        steps: Of the gradient.
    """
    now = weights.copy()
    if len(x):
        wanted = np.eye(weights.shape[1])[y]
        for _ in range(steps):
            scores = x @ now
            scores -= scores.max(axis=1, keepdims=True)
            chances = np.exp(scores)
            chances /= chances.sum(axis=1, keepdims=True)
            now -= RATE * (x.T @ (chances - wanted) / len(x) + DECAY * now)
    change: np.ndarray = now - weights
    return change


def train(
    rows: Rows, told: Federation, rng: np.random.Generator, *, bad: tuple[int, ...] = (), attack: Attack | None = None
) -> np.ndarray:
    """Return (w, k) weights of a federation, its updates quantised as they travel.

    Args:
        rows: Of all clients.
        told: How updates are put together.
        rng: Deals clients into cohorts.
        bad: Malicious clients.
        attack: Makes a malicious client's update of its index, the weights and its honest update.

    Raises:
        InputError: ``federated.clipped``, ``federated.robust``.
    """
    weights = np.zeros((rows.x.shape[1], rows.classes))
    terms = told.terms(weights.size, "training")
    sizes = np.bincount(rows.owner, minlength=told.clients)
    for _ in range(told.rounds):
        sent = []
        for client in range(told.clients):
            own = rows.owner == client
            change = update(weights, rows.x[own], rows.y[own])
            if client in bad and attack is not None:
                change = np.clip(attack(client, weights, change), -_CLIP, _CLIP)
            sent.append(change.ravel())
        weights = weights + _together(np.stack(sent), sizes, told, (terms.levels, rng), len(bad)).reshape(weights.shape)
    return weights


def pooled(rows: Rows, told: Federation) -> np.ndarray:
    """Return weights of as many gradient steps on all rows in one place."""
    return update(np.zeros((rows.x.shape[1], rows.classes)), rows.x, rows.y, LOCAL_STEPS * max(told.rounds, 40))


def right(weights: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return (n,) bool, whether each row is answered rightly."""
    return np.asarray((x @ weights).argmax(axis=1) == y)


def _together(
    sent: np.ndarray, sizes: np.ndarray, told: Federation, drawn: tuple[int, np.random.Generator], bad: int
) -> np.ndarray:
    """Put updates together as declared: a mean weighted by rows, or a robust way over updates or cohorts' means."""
    levels, rng = drawn
    half = (levels - 1) // 2
    if not told.noise and not np.abs(sent).max() <= _CLIP:
        raise InputError("federated.clipped", f"an update is beyond {_CLIP:g}.", remedy="Scale the columns.")
    if told.noise:
        return _noised(sent, told, rng)
    sent = np.rint(sent / _CLIP * half) / half * _CLIP
    if told.robust == "mean":
        return np.asarray(np.average(sent, axis=0, weights=np.maximum(sizes, 1)))
    if told.masking:
        dealt = np.array_split(rng.permutation(len(sent)), told.cohorts)
        sent = np.stack([sent[part].mean(axis=0) for part in dealt])
    most = (len(sent) - 1) // 2 - (told.robust == "multi-krum")
    expected = max(bad, round(told.malicious * told.clients))
    return aggregate(sent, told.robust, max(0, min(expected, most)))


def _noised(sent: np.ndarray, told: Federation, rng: np.random.Generator) -> np.ndarray:
    """Return the mean of shortened updates, each with its share of the declared noise."""
    terms = told.terms(sent.shape[1], "training", noised=True)
    draw = seeded(rng)
    vectors = [
        distributed.noisy(quantise.encode(distributed.shortened(one, told.norm), terms), terms, draw) for one in sent
    ]
    return quantise.decode(np.add.reduce(vectors, dtype=np.uint32), terms, len(sent))
