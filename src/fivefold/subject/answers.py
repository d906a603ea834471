"""Answers: raw arrays from a model, checked for shape, class and finiteness before anybody relies on them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fivefold.errors import SubjectError
from fivefold.subject import labels, undecided

if TYPE_CHECKING:
    from collections.abc import Sequence

SUM_TOLERANCE = 1e-3
"""How far a row of probabilities may be from summing to 1."""


def vector(raw: np.ndarray, rows: int) -> np.ndarray:
    """Return (n,) answers; (n, 1) is taken as (n,).

    Raises:
        SubjectError: ``model.shape``.
    """
    flat = raw[:, 0] if raw.ndim == 2 and raw.shape[1] == 1 else raw
    if flat.shape != (rows,):
        told = f"the model gave answers of shape {_shape(raw)} for {rows} rows."
        raise SubjectError("model.shape", told, remedy="Let it give one answer for each row, in their order.")
    return flat


def values(raw: np.ndarray, rows: int) -> np.ndarray:
    """Return (n,) float64 answers of a regression.

    Raises:
        SubjectError: ``model.shape``, ``model.type`` or ``model.not-finite``.
    """
    flat = vector(raw, rows)
    try:
        numbers = flat.astype(np.float64)
    except (TypeError, ValueError):
        raise SubjectError("model.type", "the model answers with something that is no number.") from None
    if not np.isfinite(numbers).all():
        raise SubjectError("model.not-finite", "the model answers with NaN or infinity.")
    return numbers


def indices(raw: np.ndarray, rows: int, classes: Sequence[str], *, positions: Sequence[int] | None) -> np.ndarray:
    """Return (n,) int64 class indices.

    Args:
        raw: Labels, or places of labels.
        rows: n.
        classes: Labels.
        positions: For answers that are places: the class index of each place; None: answers are labels.

    Raises:
        SubjectError: ``model.shape``, ``model.class``.
    """
    flat = counted(vector(raw, rows), classes)
    if positions is None:
        found = labels.codes(labels.texts(flat), classes)
        if (found < 0).any():
            raise undecided.stranger(flat[found < 0], classes)
        return found
    if not whole(flat) or ((flat < 0) | (flat >= len(positions))).any():
        said = undecided.answered(flat)
        raise SubjectError(
            "model.class",
            f"the model answers with a number that is the place of no class: {said}.",
            remedy=f"Places are 0 to {len(positions) - 1}, in the order of model.classes.",
        )
    return np.asarray(positions, dtype=np.int64)[flat.astype(np.int64)]


def counted(flat: np.ndarray, classes: Sequence[str]) -> np.ndarray:
    """Return truth values as 0 and 1 where no class is called True or False."""
    return flat.astype(np.int64) if flat.dtype == bool and not {"True", "False"} & set(classes) else flat


def whole(flat: np.ndarray) -> bool:
    """Return whether all answers are whole numbers."""
    if flat.dtype.kind == "O":
        try:
            flat = flat.astype(np.float64)
        except (TypeError, ValueError):
            return False
    return flat.dtype.kind in "iu" or (
        flat.dtype.kind == "f" and bool(np.isfinite(flat).all() and (flat % 1 == 0).all())
    )


def scores(raw: np.ndarray, rows: int, width: int, *, order: Sequence[int], positive: bool = False) -> np.ndarray:
    """Return (n, K) float64 probabilities, rows summing to 1.

    Args:
        raw: (n, w) scores, or (n,) or (n, 1) with ``positive``: the score of the second class.
        rows: n.
        width: K, number of classes.
        order: Class index of each of the w columns; classes that none names get 0.
        positive: The model gives one column, for the second class.

    Raises:
        SubjectError: ``model.shape``, ``model.type``, ``model.not-finite``, ``model.not-normalised``.
    """
    try:
        given = raw.astype(np.float64)
    except (TypeError, ValueError):
        raise SubjectError("model.type", "the model gives scores that are no numbers.") from None
    if positive:
        second = vector(given, rows)
        given = np.column_stack([1.0 - second, second])
    if given.shape != (rows, len(order)):
        raise SubjectError("model.shape", f"the model gave scores of shape {_shape(raw)}, not ({rows}, {len(order)}).")
    if not np.isfinite(given).all():
        raise SubjectError("model.not-finite", "the model gives scores that are NaN or infinite.")
    total = given.sum(axis=1)
    off = given.min(initial=0.0) < -SUM_TOLERANCE or bool((np.abs(total - 1.0) > SUM_TOLERANCE).any())
    if off:
        raise SubjectError(
            "model.not-normalised",
            "the model gives scores that are no probabilities.",
            remedy="Probabilities of a row are 0 to 1 and sum to 1; of logits, declare `model.output: logits`.",
        )
    clipped = np.maximum(given, 0.0)
    shares: np.ndarray = clipped / clipped.sum(axis=1, keepdims=True)
    if len(order) == width and all(place == at for at, place in enumerate(order)):
        return shares
    found = np.zeros((rows, width))
    found[:, list(order)] = shares
    return found


def normalised(raw: np.ndarray) -> bool:
    """Return whether (n, K) scores are rows of probabilities, or (n,) and (n, 1) ones lie between 0 and 1."""
    if not np.isfinite(raw).all():
        return False
    low, high = raw.min(initial=0.0) >= -SUM_TOLERANCE, raw.max(initial=0.0) <= 1 + SUM_TOLERANCE
    if raw.ndim == 2 and raw.shape[1] > 1:
        return bool(low and (np.abs(raw.sum(axis=1, dtype=np.float64) - 1.0) <= SUM_TOLERANCE).all())
    return bool(low and high)


def linked(raw: np.ndarray, link: str) -> np.ndarray:
    """Return probabilities of logits.

    Args:
        raw: (n, K) logits for ``softmax``; (n,) or (n, 1), the logit of the second class, for ``sigmoid``.
        link: ``softmax``, ``sigmoid``, or empty: return ``raw`` as it is.

    Returns:
        (n, K) float64, K = 2 for ``sigmoid``; NaN where a logit is NaN or infinite.
    """
    if not link:
        return raw
    given = raw.astype(np.float64)
    if link == "sigmoid":
        second = given.reshape(len(given))
        given = np.column_stack([np.zeros_like(second), second])
    with np.errstate(invalid="ignore"):
        raised = np.exp(given - given.max(axis=1, keepdims=True))
        found: np.ndarray = raised / raised.sum(axis=1, keepdims=True)
    return found


def _shape(raw: np.ndarray) -> str:
    return "(" + ", ".join(str(size) for size in raw.shape[:4]) + ")"
