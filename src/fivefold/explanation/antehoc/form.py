"""Form: a readable model as plain values: terms of one column each that are added up, or rules taken in order.

Additive model: score = base + scale x the sum over columns of what the cell's step says. A scoring table is the same
with whole points. The score is a log-odds (two classes), one of several log-weights, or the value itself. Rule list:
the first rule whose conditions all hold answers, else the last line does. Source: Lou, Caruana and Gehrke 2012
(additive models of steps); Ustun and Rudin 2019 (scoring systems); Rivest 1987 (decision lists).
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Literal

import msgspec
import numpy as np

from fivefold.errors import InputError
from fivefold.explanation.antehoc import cells

if TYPE_CHECKING:
    import pandas as pd

Kind = Literal["number", "date", "text"]
Form = Literal["additive", "points", "rules"]
_FORM = 1
_HAIR = 1e-6
_MOST_TERMS, _MOST_STEPS, _MOST_CLASSES = 100, 100, 100
_MOST_BYTES = 4 << 20


class Term(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What one column adds.

    Attributes:
        column: Its name.
        kind: What its cells are; dates are days since 1970.
        cuts: Numbers and dates, rising: step k holds cells from ``cuts[k-1]`` on and below ``cuts[k]``.
        names: Texts that have a step each; any other text has the last.
        adds: (steps, K) what a step adds: one more than there are cuts, or names.
        missing: (K,) what a missing cell adds.
    """

    column: str
    kind: Kind
    cuts: tuple[float, ...] = ()
    names: tuple[str, ...] = ()
    adds: tuple[tuple[float, ...], ...]
    missing: tuple[float, ...]


class Condition(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One condition on a column: from a number (or date) on, below one, a text, or a missing cell."""

    column: str
    kind: Kind
    test: Literal["from", "below", "is", "missing"]
    cut: float = 0.0
    name: str = ""


class Rule(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Conditions that hold together, and the answer: K chances, or (1,) the value."""

    when: tuple[Condition, ...]
    answer: tuple[float, ...]


class Model(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A readable model, as it is stored.

    Attributes:
        form: How it is read.
        task: What it answers.
        classes: Labels; of two the second is the one whose log-odds are added up. Empty for a regression.
        base: (K,) what is added to start with: one number for two classes and values, else one a class; no rule list.
        scale: What the sum of all terms is multiplied by.
        terms: In the order in which they are printed.
        rules: In the order in which they are tried.
        otherwise: Answer where no rule holds.
        version: Of this form.
    """

    form: Form
    task: Literal["binary", "multiclass", "regression"]
    classes: tuple[str, ...] = ()
    base: tuple[float, ...] = ()
    scale: float = 1.0
    terms: tuple[Term, ...] = ()
    rules: tuple[Rule, ...] = ()
    otherwise: tuple[float, ...] = ()
    version: int = _FORM

    @property
    def width(self) -> int:
        """K: numbers that each step adds."""
        return len(self.classes) if self.task == "multiclass" else 1

    @property
    def columns(self) -> tuple[tuple[str, Kind], ...]:
        """Columns that the model reads, each once, with their kinds."""
        used = [(one.column, one.kind) for one in self.terms]
        used += [(one.column, one.kind) for rule in self.rules for one in rule.when]
        return tuple(dict.fromkeys(used))

    @property
    def lines(self) -> int:
        """Lines of the printed form."""
        return sum(len(term.adds) + 1 for term in self.terms) + len(self.rules) + (self.form == "rules")

    def score(self, frame: pd.DataFrame) -> np.ndarray:
        """Return (n, K) scores of an additive model or scoring table.

        Raises:
            KeyError: A column is missing.
        """
        total = np.zeros((len(frame), self.width))
        for term in self.terms:
            total += adds(term)[positions(term, frame[term.column])]
        made: np.ndarray = np.array(self.base) + self.scale * total
        return made

    def answers(self, frame: pd.DataFrame) -> np.ndarray:
        """Return (n, classes) chances that sum to 1, or (n, 1) values.

        Raises:
            KeyError: A column is missing.
        """
        if self.form == "rules":
            answers = np.array([*(rule.answer for rule in self.rules), self.otherwise])
            return np.asarray(answers[fired(self.rules, frame)])
        score = self.score(frame)
        if self.task == "regression":
            return score
        if self.task == "binary":
            chance = 1 / (1 + np.exp(-np.clip(score[:, 0], -700, 700)))
            return np.column_stack([1 - chance, chance])
        weight = np.exp(score - score.max(axis=1, keepdims=True))
        return np.asarray(weight / weight.sum(axis=1, keepdims=True))


def adds(term: Term) -> np.ndarray:
    """Return (steps + 1, K) what each step adds, a missing cell last."""
    return np.array([*term.adds, term.missing])


def positions(term: Term, column: pd.Series) -> np.ndarray:
    """Return (n,) int64 steps of cells, as :func:`adds` orders them."""
    if term.kind == "text":
        return cells.coded(cells.texts(column), term.names)
    given = cells.numbers(column, term.kind)
    found = np.searchsorted(np.array(term.cuts), given, side="right")
    return np.where(np.isnan(given), len(term.cuts) + 1, found).astype(np.int64)


def fired(rules: tuple[Rule, ...], frame: pd.DataFrame) -> np.ndarray:
    """Return (n,) int64 positions of the first rule that holds; past the last where none does."""
    found = np.full(len(frame), len(rules), dtype=np.int64)
    for at, rule in reversed(list(enumerate(rules))):
        hold = np.ones(len(frame), dtype=bool)
        for one in rule.when:
            hold &= holds(one, frame[one.column])
        found[hold] = at
    return found


def holds(condition: Condition, column: pd.Series) -> np.ndarray:
    """Return (n,) bool: the condition holds; of a missing cell only that it is missing."""
    if condition.kind == "text":
        given = cells.texts(column)
        return np.asarray(given == ("" if condition.test == "missing" else condition.name))
    numbers = cells.numbers(column, condition.kind)
    if condition.test == "missing":
        return np.asarray(np.isnan(numbers))
    with np.errstate(invalid="ignore"):
        return np.asarray(numbers >= condition.cut if condition.test == "from" else numbers < condition.cut)


def require(model: Model) -> Model:
    """Return a model whose parts fit together.

    Raises:
        InputError: ``antehoc.model``.
    """
    wide = len(model.classes) if model.task != "regression" else 1
    texts = {"regression": 0, "binary": 2}.get(model.task, max(len(model.classes), 3))
    good = model.version == _FORM and len(model.classes) == texts <= _MOST_CLASSES
    good &= len(set(model.classes)) == len(model.classes) and np.isfinite(model.scale)
    if model.form == "rules":
        lines = [*(rule.answer for rule in model.rules), model.otherwise]
        good &= not (model.terms or model.base) and len(lines) <= _MOST_STEPS and all(len(one) == wide for one in lines)
        good &= all(rule.when for rule in model.rules) and _finite(lines)
        good &= model.task == "regression" or all(map(_chances, lines))
        good &= all(_sound(one) for rule in model.rules for one in rule.when)
    else:
        good &= not (model.rules or model.otherwise) and len(model.terms) <= _MOST_TERMS and _finite([model.base])
        good &= len(model.base) == model.width and len({one.column for one in model.terms}) == len(model.terms)
        good &= all(_fits(one, model.width) for one in model.terms)
    if not good:
        raise _broken("its parts do not fit together")
    return model


def _sound(one: Condition) -> bool:
    if one.kind == "text":
        return one.test == "missing" or (one.test == "is" and bool(one.name))
    return one.test in ("from", "below", "missing") and bool(np.isfinite(one.cut))


def _fits(term: Term, width: int) -> bool:
    marks = term.names if term.kind == "text" else term.cuts
    other = term.cuts if term.kind == "text" else term.names
    sizes = {len(one) for one in (*term.adds, term.missing)}
    rising = term.kind == "text" or bool(np.all(np.diff(term.cuts) > 0))
    known = len(set(marks)) == len(marks) <= _MOST_STEPS and "" not in marks and not other
    return known and rising and len(term.adds) == len(marks) + 1 and sizes == {width} and _finite(
        [term.cuts, term.missing, *term.adds]
    )  # fmt: skip


def _chances(answer: tuple[float, ...]) -> bool:
    return all(0 <= one <= 1 for one in answer) and abs(sum(answer) - 1) <= _HAIR


def _finite(parts: list[tuple[float, ...]]) -> bool:
    return all(np.isfinite(part).all() for part in parts)


def _broken(why: str) -> InputError:
    return InputError("antehoc.model", f"this is no readable model: {why}.",
                      remedy="Train it again: fivefold model train --explainable FORM.")  # fmt: skip


def decode(raw: bytes) -> Model:
    """Return the model of a file that ``fivefold model train --explainable`` wrote.

    Raises:
        InputError: ``antehoc.model``.
    """
    if len(raw) > _MOST_BYTES:
        raise _broken("the file is too large")
    try:
        return require(msgspec.json.decode(raw, type=Model))
    except (msgspec.DecodeError, UnicodeError) as error:
        raise _broken("it is not in the form that was written") from error


def encode(model: Model) -> bytes:
    """Return a model as JSON."""
    return json.dumps(msgspec.to_builtins(model), indent=1, sort_keys=True, allow_nan=False).encode() + b"\n"
