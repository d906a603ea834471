"""Prediction columns: labels and probabilities of one file of predictions, read, held against each other, or refused.

A file is the user's own: its faults are refused before anything is sealed, so foreign labels may be named.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from fivefold.errors import InputError
from fivefold.subject import answers, labels, undecided

if TYPE_CHECKING:
    from collections.abc import Sequence

NAME = "prediction"

_NAMED = 4
_LONGEST = 40


@dataclass(frozen=True)
class Stored:
    """The answers for one data set, in the order of its rows.

    Attributes:
        answer: (n,) class indices or values; None: the highest score answers.
        scores: (n, K) probabilities; None: there are none.
        note: What a reader should know; empty: nothing.
    """

    answer: np.ndarray | None
    scores: np.ndarray | None
    note: str = ""


def stored(frame: pd.DataFrame, given: pd.Series | None, classes: tuple[str, ...], path: str) -> Stored:
    """Return the answers of a file.

    Args:
        frame: (n, c) the file, in the order of the data set's rows, without ids.
        given: The column of labels or values; None: there is none.
        classes: Labels; empty for regression.
        path: The file, for errors.

    Raises:
        InputError: ``predictions.columns``, ``predictions.label``, ``predictions.missing``,
            ``predictions.not-normalised`` or ``predictions.contradiction``.
    """
    if not classes:
        return _values(frame, given, path)
    answer = None if given is None else _labels(given, classes, path)
    scores, note = _scores(frame, classes, path, alone=given is None)
    if answer is None and scores is None:
        raise _unread(
            frame, path, f'"{NAME}", or one column of probabilities for each class ({", ".join(classes[:6])})'
        )
    if answer is not None and scores is not None:
        _require_agreement(answer, scores, classes, path)
    return Stored(answer, scores, note)


def _values(frame: pd.DataFrame, given: pd.Series | None, path: str) -> Stored:
    if given is None:
        raise _unread(frame, path, f'"{NAME}"')
    numbers = pd.to_numeric(given, errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
    off = int((~np.isfinite(numbers)).sum())
    if off:
        raise InputError(
            "predictions.missing",
            f"{off} of {len(frame)} rows hold no finite number as answer.",
            where=path,
            remedy="Give each row its number, or declare model.task if the answers are classes.",
        )
    return Stored(numbers, None)


def _labels(given: pd.Series, classes: tuple[str, ...], path: str) -> np.ndarray:
    texts = labels.texts(given)
    lacking = int(sum(text is None for text in texts))
    if lacking:
        raise InputError(
            "predictions.missing",
            f"{lacking} of {len(texts)} rows are without an answer.",
            where=path,
            remedy=f'Fill the column "{given.name}".',
        )
    codes = labels.codes(texts, classes)
    if (codes < 0).any():
        raise _foreign(given, texts[codes < 0], classes, path)
    return codes


def _foreign(given: pd.Series, foreign: np.ndarray, classes: tuple[str, ...], path: str) -> InputError:
    kinds = pd.Series(foreign).value_counts()
    numbers = [labels.number(str(name)) for name in kinds.index]
    shares = all(value is not None and 0 <= value <= 1 for value in numbers) and len(kinds) > len(classes)
    shown = ", ".join(
        f'"{str(name)[:_LONGEST]}" ({rows} row{"s" * (rows != 1)})' for name, rows in kinds.head(_NAMED).items()
    )
    more = f" and {len(kinds) - _NAMED} more" if len(kinds) > _NAMED else ""
    said = f"numbers between 0 and 1 ({undecided.answered(foreign)})" if shares else f"{shown}{more}"
    remedy = f"Write the labels as the data do: {', '.join(classes[:6])}."
    if shares:
        remedy = (
            f'If it is the probability of a class, name the column after it, for example "p:{classes[-1]}"; '
            f'labels stand in "{NAME}".'
        )
    return InputError(
        "predictions.label", f'the column "{given.name}" holds what is no class: {said}.', where=path, remedy=remedy
    )


def _scores(frame: pd.DataFrame, classes: tuple[str, ...], path: str, *, alone: bool) -> tuple[np.ndarray | None, str]:
    """Return (n, K) probabilities, or None and why they are not used."""
    by_class = {label: name for label in classes for name in (f"p:{label}", label) if name in frame.columns}
    if not by_class:
        return None, _alike(frame, classes, path, alone=alone)
    try:
        table = frame[list(by_class.values())].to_numpy(dtype=np.float64, na_value=np.nan)
    except (TypeError, ValueError):
        why = f"the columns {', '.join(by_class.values())} hold texts, no probabilities"
    else:
        order = [classes.index(label) for label in by_class]
        if len(by_class) == 1 and len(classes) == 2 and np.isfinite(table).all() and answers.normalised(table):
            table, order = np.column_stack([table[:, 0], 1.0 - table[:, 0]]), [order[0], 1 - order[0]]
        why = _off(table, [name for name in classes if name not in by_class])
        if not why:
            return answers.scores(table, len(frame), len(classes), order=order), ""
    if not alone:
        return None, f"The probabilities of {path} are not used, only its labels: {why}."
    raise InputError(
        "predictions.not-normalised",
        f"{why}.",
        where=path,
        remedy=f'Give probabilities from 0 to 1 that sum to 1 in each row, or labels in a column "{NAME}".',
    )


def _off(table: np.ndarray, lacking: Sequence[str]) -> str:
    """Say why rows are no probabilities; empty if they are."""
    known = np.isfinite(table).all(axis=1)
    if not known.all():
        return f"{int((~known).sum())} of {len(table)} rows hold NaN or infinity"
    outside = (table < -answers.SUM_TOLERANCE).any(axis=1) | (table > 1 + answers.SUM_TOLERANCE).any(axis=1)
    off = outside | (np.abs(table.sum(axis=1) - 1.0) > answers.SUM_TOLERANCE)
    if not off.any():
        return ""
    more = f" (there is no column for {', '.join(lacking[:_NAMED])})" if lacking else ""
    return f"{int(off.sum())} of {len(table)} rows are no probabilities that sum to 1{more}"


def _alike(frame: pd.DataFrame, classes: tuple[str, ...], path: str, *, alone: bool) -> str:
    """Return a note on columns that are named like classes but for capitals and blanks.

    Raises:
        InputError: ``predictions.columns`` if there are no labels to fall back to.
    """
    wanted = {name.casefold().strip() for name in classes}
    close = [
        str(name)
        for name in frame.columns
        if str(name).casefold().strip().removeprefix("p:").strip() in wanted and name != NAME
    ]
    if not close:
        return ""
    said = f"the columns {', '.join(close[:_NAMED])} are named unlike the classes {', '.join(classes[:_NAMED])}"
    if alone:
        raise InputError("predictions.columns", f"{said}.", where=path, remedy="Name them exactly as the classes.")
    return f"The probabilities of {path} are not used, only its labels: {said}."


def _require_agreement(answer: np.ndarray, scores: np.ndarray, classes: tuple[str, ...], path: str) -> None:
    """Hold probabilities against labels: rows answered with a class must score it higher than the other rows do."""
    for index in np.unique(answer):
        chosen = answer == index
        column = scores[:, index]
        if not chosen.all() and np.ptp(column) > 0 and column[chosen].mean() <= column[~chosen].mean():
            raise InputError(
                "predictions.contradiction",
                f'rows answered with "{classes[index]}" have a lower probability of it than the others.',
                where=path,
                remedy="The columns of probabilities seem to be swapped: name each after its class, or leave them out.",
            )


def _unread(frame: pd.DataFrame, path: str, wanted: str) -> InputError:
    shown = ", ".join(str(name) for name in list(frame.columns)[:8]) + (" ..." if len(frame.columns) > 8 else "")
    return InputError(
        "predictions.columns",
        f"the columns cannot be read: there are {shown}.",
        where=path,
        remedy=f"Give {wanted}.",
    )
