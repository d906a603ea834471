"""Trees: what is inside a model that is a sum of trees, and the cells of some rows as these trees see them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from fivefold.errors import SubjectError
from fivefold.subject import rows
from fivefold.subject.asked import AskedSubject
from fivefold.subject.model import LocalModel
from fivefold.subject.remote import RemoteModel

if TYPE_CHECKING:
    from fivefold.contract.subject import Subject, Table


@dataclass(frozen=True)
class Trees:
    """Trees side by side; a row follows each from its root and adds up the values of the leaves where it ends.

    Attributes:
        roots: (T,) int64 first node of each tree; its others follow, each after its parent.
        left: (nodes,) int64 node where a row goes whose cell is at most the threshold; -1: a leaf.
        right: (nodes,) int64 the other.
        feature: (nodes,) int64 column of the cells; any at leaves.
        threshold: (nodes,) float64.
        lost: (nodes,) bool: a missing cell goes left.
        value: (nodes, K) float64 what each leaf adds to each score.
    """

    roots: np.ndarray
    left: np.ndarray
    right: np.ndarray
    feature: np.ndarray
    threshold: np.ndarray
    lost: np.ndarray
    value: np.ndarray


@dataclass(frozen=True)
class Seen:
    """Trees and what they see.

    Attributes:
        trees: Their values are in the order of the subject's classes.
        cells: (N, k) float64; NaN: missing.
        owner: (k,) int64 column of the table that each of them hangs on.
    """

    trees: Trees
    cells: np.ndarray
    owner: np.ndarray


def seen(subject: Subject | None, table: Table) -> Seen | None:
    """Return the trees of a model that says that it is a sum of them; whoever uses them holds its answers against them.

    Args:
        subject: The model; trees are read in its own process.
        table: N rows.

    Returns:
        None where it is no such model, runs elsewhere, is asked through a guard, or sees no table.

    Raises:
        SubjectError: ``model.protocol`` if what the model's process says are no trees; it is gone.
    """
    if not isinstance(subject, AskedSubject) or not isinstance(subject.raw, RemoteModel | LocalModel):
        return None
    access, frame = subject.access, rows.of(table)
    told = access.answer == "predict" if access.task == "regression" else access.score == "predict_proba"
    if not told or access.link or access.positive or not isinstance(frame, pd.DataFrame) or table.kind != "table":
        return None
    found = subject.raw.trees(access.form, frame)
    width = 1 if access.task == "regression" else len(access.order)
    if not found:
        return None
    if not _sound(found, frame.shape, width):
        raise SubjectError("model.protocol", "the model's process broke the protocol: these are no trees.")
    value = found["value"]
    if access.task != "regression":
        value = np.zeros((len(value), len(access.classes)))
        value[:, list(access.order)] = found["value"]
    trees = Trees(**{name: found[name] for name in ("roots", "left", "right", "feature", "threshold", "lost")},
                  value=value)  # fmt: skip
    return Seen(trees, found["cells"], found["owner"])


def _sound(found: dict[str, np.ndarray], shape: tuple[int, ...], width: int) -> bool:
    """Return whether foreign arrays are trees: of these shapes and types, without circles, and with finite values."""
    kinds = {"roots": "i", "left": "i", "right": "i", "feature": "i", "owner": "i", "threshold": "f", "lost": "b",
             "value": "f", "cells": "f"}  # fmt: skip
    if set(found) != set(kinds) or any(found[name].dtype.kind != kind for name, kind in kinds.items()):
        return False
    nodes, roots, cells, owner = len(found["left"]), found["roots"], found["cells"], found["owner"]
    flat = ("left", "right", "feature", "threshold", "lost")
    fits = all(found[name].shape == (nodes,) for name in flat) and found["value"].shape == (nodes, width)
    fits = fits and cells.ndim == 2 and len(cells) == shape[0] and owner.shape == cells.shape[1:] and roots.ndim == 1
    if not fits or not len(roots) or roots[0] != 0 or (np.diff(roots) <= 0).any() or roots[-1] >= nodes:
        return False
    end = np.repeat(np.append(roots[1:], nodes), np.diff(np.append(roots, nodes)))
    inner, own = found["left"] >= 0, np.arange(nodes)
    sides = [(found[side] > own) & (found[side] < end) for side in ("left", "right")]
    good = np.where(inner, sides[0] & sides[1], (found["left"] == -1) & (found["right"] == -1)).all()
    below = np.concatenate([found["left"][inner], found["right"][inner]])
    inside = (found["feature"][inner] >= 0) & (found["feature"][inner] < cells.shape[1])
    owned = ((owner >= 0) & (owner < shape[1])).all()
    numbers = np.isfinite(found["value"]).all() and not np.isnan(found["threshold"]).any()
    return bool(good and len(np.unique(below)) == len(below) and inside.all() and owned and numbers)
