"""Undecided: why task or classes of a model cannot be told, and what to declare; of its answers only number and range.

What a model answers may hold what it was told of a person, and these sentences are sealed: labels of the data are
named where they are few and short, answers never.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fivefold.errors import SubjectError
from fivefold.subject import labels

if TYPE_CHECKING:
    from collections.abc import Sequence

_LONGEST = 24
_MOST = 6
_PER_CENT = 100.0
DISAGREES = "Mend the model: its predict and its predict_proba say different things."
_QUANTITY = "If the target is a count or another quantity, declare `model.task: regression`."


def named(names: Sequence[str]) -> str:
    """Return labels of the data; of many or long ones, which may tell of persons, the number."""
    if len(names) > _MOST or any(len(name) > _LONGEST for name in names):
        return f"{len(names)} labels"
    return ", ".join(names) or "no label"


def held(names: Sequence[str]) -> str:
    """Return labels of the data as the end of a sentence: ``the labels no, yes``."""
    shown = named(names)
    return shown if shown[:1].isdigit() and shown.endswith("labels") else f"the label{'s' * (len(names) != 1)} {shown}"


def answered(given: np.ndarray) -> str:
    """Return what (n,) answers are: how many different ones of which kind, and of numbers the range."""
    texts = [value for value in labels.texts(given) if value is not None]
    kinds = len(set(texts))
    numbers = _numbers(texts)
    if not texts:
        return "nothing but missing values"
    if numbers is None:
        return f"{kinds} different text{'s' if kinds != 1 else ''}"
    whole = "whole number" if bool((numbers % 1 == 0).all()) else "number"
    if kinds == 1:
        return f"one {whole} for all rows"
    return f"{kinds} different {whole}s between {numbers.min():.4g} and {numbers.max():.4g}"


def _numbers(texts: Sequence[str]) -> np.ndarray | None:
    found = [labels.number(value) for value in set(texts)]
    return np.array(found, dtype=np.float64) if found and None not in found else None


def classes(why: str, names: Sequence[str], *, remedy: str = "") -> SubjectError:
    """Return the error of classes that cannot be decided; without a remedy, the order of classes is asked for."""
    example = ", ".join(names) if names and named(names) == ", ".join(names) else "no, yes"
    asked = f"Declare model.classes in the order of its scores or numbers, for example [{example}]."
    return SubjectError("model.classes", f"the classes of the model cannot be decided: {why}.", remedy=remedy or asked)


def foreign(given: np.ndarray, known: Sequence[str], *, declared: Sequence[str] = ()) -> SubjectError:
    """Return the error of a model whose answers are not the labels of the data.

    Args:
        given: (n,) answers.
        known: Labels of the data.
        declared: As declared in ``model.classes``; empty: none are.
    """
    said = labels.distinct(labels.texts(given))
    why = f"it answers with {answered(given)}, the data hold {held(known)}"
    if declared:
        why += f", and model.classes declares {named(declared)}"
    return classes(why, known, remedy=_mending(said, known, declared))


def _mending(said: Sequence[str], known: Sequence[str], declared: Sequence[str]) -> str:
    numbers, wanted = _numbers(said), list(declared or known)
    if {name.casefold() for name in said} <= {name.casefold() for name in known}:
        return f"They differ in capitals only: let the model write them as the data do ({named(known)})."
    if numbers is None:
        return f"Let the model answer with the labels of the data ({named(known)}), or with their places from 0."
    places = bool((numbers % 1 == 0).all() and numbers.min() >= 0 and numbers.max() < len(wanted))
    ends = "" if _numbers(known) is None else f" {_QUANTITY}"
    if places and not declared:
        return f"If these are places, declare model.classes in their order, for example [{', '.join(known)}].{ends}"
    if bool((numbers % 1 == 0).all()):
        return f"Let the model answer with these labels, or with their places 0 to {len(wanted) - 1}.{ends}"
    if numbers.min() >= 0 and 1 < numbers.max() <= _PER_CENT:
        return f"If these are percents of the second class, let the model answer with shares of 1.{ends}"
    return (
        "If these are logits of the second class, declare `model.output: logits` and model.classes in order, for "
        f"example [{', '.join(wanted[:_MOST])}]; of margins, let the model answer with the label.{ends}"
    )


def stranger(given: np.ndarray, names: Sequence[str]) -> SubjectError:
    """Return the error of a model that, asked again, answers with something that is no class.

    Args:
        given: (n,) those answers that are no class.
        names: The classes.
    """
    numeric = _numbers(names) is not None
    return SubjectError(
        "model.class",
        f"the model answers with a label that is not among the classes {named(names)}: {answered(given)}.",
        remedy=f"Let the model answer with the classes alone.{f' {_QUANTITY}' if numeric else ''}",
    )


def counts(given: np.ndarray, known: Sequence[str]) -> SubjectError:
    """Return the error of whole numbers that are neither plainly labels nor plainly a quantity."""
    return SubjectError(
        "model.task",
        f"it cannot be told whether the target is a class or a quantity: the model answers with {answered(given)}, "
        f"the data hold {span(known)}.",
        remedy=f"{_QUANTITY} If it is a class: {_lower(_mending(labels.distinct(labels.texts(given)), known, ()))}",
    )


def span(known: Sequence[str]) -> str:
    """Return a target of whole numbers as number and range."""
    values = [labels.number(name) or 0.0 for name in known]
    return f"{len(values)} different whole numbers between {min(values):.4g} and {max(values):.4g}"


def _lower(text: str) -> str:
    text = text.removesuffix(f" {_QUANTITY}")
    return text[:1].lower() + text[1:]


def contradiction(index: int, order: Sequence[int], names: Sequence[str], known: Sequence[str]) -> SubjectError:
    """Return the error of scores that contradict the answers.

    Args:
        index: Class whose rows score it lower than others do.
        order: Class index of each score column, as read; empty where answers are places: no order mends that.
        names: Classes.
        known: Labels of the data and declared ones, which may be named.
    """
    told = f'"{names[index]}"' if names[index] in known and len(names[index]) <= _LONGEST else f"class number {index}"
    columns = [names[place] for place in order]
    remedy = DISAGREES
    if len(columns) == 2 and set(columns) <= set(known):
        remedy = (
            f"Its score columns seem to stand the other way round: declare model.classes: [{columns[1]}, {columns[0]}]."
        )
    return classes(f"rows answered with {told} score it lower than others", known, remedy=remedy)
