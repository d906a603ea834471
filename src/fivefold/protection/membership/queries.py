"""Queries beyond the row itself: its neighbours, and models that the application trains on known halves."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from fivefold.contract.subject import Table
from fivefold.errors import UnsupportedError
from fivefold.protection.membership.answers import Answers, confidence
from fivefold.stats.repeats import numbers

if TYPE_CHECKING:
    from collections.abc import Callable

    from fivefold.contract.subject import Subject
    from fivefold.protection.membership.rows import Pool

NEIGHBOURS = 4
SHADOWS = 4
_NEAR = 0.04
_SWAP = 0.1


def with_neighbours(subject: Subject, pool: Pool, answers: Answers, rng: np.random.Generator) -> Answers:
    """Ask for slightly altered copies of each row: memory of the very row does not reach its neighbours.

    The idea is that of Choquette-Choo et al. 2021 (labels) and Mattern et al. 2023 (losses).

    Raises:
        SubjectError: The model misbehaved.
    """
    asked = []
    features, cut = pool.features, len(pool.members)
    ranked = ranking(features, rng)
    for _ in range(NEIGHBOURS):
        shifted = altered(features, ranked, rng)
        tables = (
            replace(pool.members, features=_typed(shifted.iloc[:cut].reset_index(drop=True), pool.members.features)),
            replace(pool.others, features=_typed(shifted.iloc[cut:].reset_index(drop=True), pool.others.features)),
        )
        if answers.scores is None:
            labels = np.concatenate([subject.predict(table) for table in tables])
            asked.append(labels if answers.task == "regression" else (labels == answers.target).astype(np.float64))
        else:
            scores = np.concatenate([subject.predict_proba(table) for table in tables])
            asked.append(confidence(replace(answers, scores=scores)))
    return replace(answers, nearby=np.array(asked))


def ranking(features: pd.DataFrame, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Return the order of the known values of each column of numbers or dates; other columns are absent.

    Ties are in random order: members come first in the frame, and a fixed order would tell them apart.
    """
    shuffled = rng.permutation(len(features))
    found = {}
    for name in features.columns:
        column = features[name]
        number = pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column)
        if number or pd.api.types.is_datetime64_any_dtype(column):
            values = numbers(column)[shuffled]
            order = shuffled[np.argsort(values, kind="stable")]
            found[name] = order[: len(order) - int(np.isnan(values).sum())]  # missing ones are sorted last
    return found


def altered(features: pd.DataFrame, ranked: dict[str, np.ndarray], rng: np.random.Generator) -> pd.DataFrame:
    """Return a frame whose every row is a near neighbour made of values that occur in the data.

    A number or date moves by up to 4 % of the rows in its column's order; any other value is exchanged for that of
    a random row with probability 0.1. Missing values stay missing, types stay as they are.

    Args:
        features: (n, d) frame.
        ranked: From :func:`ranking`.
        rng: Draws the moves.
    """
    n = len(features)
    reach = max(1, round(_NEAR * n))
    made = {}
    for name in features.columns:
        if name in ranked:
            known, source = ranked[name], np.arange(n)
            steps = np.arange(len(known)) + rng.integers(-reach, reach + 1, size=len(known))
            source[known] = known[np.clip(steps, 0, max(len(known) - 1, 0))]
        else:
            source = np.where(rng.random(n) < _SWAP, rng.integers(0, n, size=n), np.arange(n))
        made[name] = features[name].take(source).reset_index(drop=True)
    return pd.DataFrame(made, columns=features.columns)


def _typed(frame: pd.DataFrame, like: pd.DataFrame) -> pd.DataFrame:
    """Give columns that joining both sets widened (whole numbers beside missing ones) their type back, if lossless."""
    back = {}
    for name in frame.columns:
        if frame[name].dtype == like[name].dtype:
            continue
        try:
            cast = frame[name].astype(like[name].dtype)
        except (ValueError, TypeError):
            continue
        if bool(((cast == frame[name]) | (cast.isna() & frame[name].isna())).all()):
            back[name] = cast
    return frame.assign(**back) if back else frame


def _inputs(pool: Pool) -> np.ndarray | None:
    """Return the images, series or recordings of both sets; what is shorter ends as its kind does.

    Raises:
        UnsupportedError: ``membership.inputs`` if they differ in more than length.
    """
    one, other = pool.members.inputs, pool.others.inputs
    if one is None or other is None:
        return None
    longest = max(one.shape[-1], other.shape[-1])
    if one.shape[1:-1] != other.shape[1:-1] or (pool.members.kind == "image" and one.shape[1:] != other.shape[1:]):
        raise UnsupportedError("membership.inputs", "training and test rows differ in shape.")
    rest = np.nan if pool.members.kind == "series" else 0
    return np.concatenate(
        [
            np.pad(part, [*[(0, 0)] * (part.ndim - 1), (0, longest - part.shape[-1])], constant_values=rest)
            if part.shape[-1] < longest
            else part
            for part in (one, other)
        ]
    )


def with_shadows(
    subject: Subject, pool: Pool, answers: Answers, rng: np.random.Generator, progress: Callable[[int], None]
) -> Answers:
    """Let the application train four models on random halves of the pool; each row is in exactly two of them.

    Halves come in complementary pairs, so that every row has as many models with it as without it.

    Raises:
        SubjectError: Training failed, or the trained model misbehaved.
        UnsupportedError: There is no training factory.
    """
    everything = Table(
        name="train",
        rows=np.arange(len(answers.target), dtype=np.int64),
        features=pool.features,
        target=answers.target,
        others=pd.concat([pool.members.others, pool.others.others], ignore_index=True),
        inputs=_inputs(pool),
        kind=pool.members.kind,
    )
    seen, inside, only = [], [], single(answers)
    for pair in range(SHADOWS // 2):
        mask = halves(answers, rng)
        for half in (mask | only, ~mask | only):
            shadow = subject.retrain(everything.take(np.flatnonzero(half)), int(rng.integers(2**31)))
            seen.append(_confidence(shadow, pool, answers))
            inside.append(half)
            progress(2 * pair + len(seen) % 2)
    return replace(answers, shadows=np.array(seen), inside=np.array(inside))


def holds_all_classes(answers: Answers) -> bool:
    """Whether the pool has rows of every class, so that a model trained on it knows them all."""
    return answers.task == "regression" or bool(np.bincount(answers.target, minlength=answers.classes).min() > 0)


def single(answers: Answers) -> np.ndarray:
    """Return (n,) bool, the rows that are the only one of their class: they are in every half."""
    if answers.task == "regression":
        return np.zeros(len(answers.target), dtype=bool)
    return np.asarray(np.bincount(answers.target, minlength=answers.classes)[answers.target] == 1)


def halves(answers: Answers, rng: np.random.Generator) -> np.ndarray:
    """Return (n,) bool, a random half of the pool that holds a half of each class."""
    order = rng.permutation(len(answers.target))
    if answers.task != "regression":
        order = order[np.argsort(answers.target[order], kind="stable")]
    mask = np.zeros(len(order), dtype=bool)
    mask[order[::2]] = True
    return mask


def _confidence(shadow: Subject, pool: Pool, answers: Answers) -> np.ndarray:
    if answers.scores is None:
        labels = np.concatenate([shadow.predict(pool.members), shadow.predict(pool.others)])
        return confidence(replace(answers, labels=labels))
    scores = np.concatenate([shadow.predict_proba(pool.members), shadow.predict_proba(pool.others)])
    return confidence(replace(answers, scores=scores))
