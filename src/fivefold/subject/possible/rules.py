"""Rules: what holds across the fields of every possible row, as the manifest says it.

A rule is a scenario expression (:mod:`fivefold.manifest.scenario`) in which a comparison may also stand between sums::

    sum  := term (("+" | "-") term)*
    term := number | column | number "*" column | column "*" number

``+`` and ``-`` have spaces around them. A bare word that names no column is a text. Nothing else is added: no calls,
always an answer. A rule is asked of a changed row only where the unchanged row keeps it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from fivefold.errors import InputError
from fivefold.manifest import scenario

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

MOST = 50
"""Most rules."""

_NUMBER = r"(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?(?![\w.])"
_COLUMN = r"(?:`[^`]+`|(?!(?:and|or|not|in|is|missing)\b)[^\W\d]\w*(?:[.-]\w+)*)"
_TERM = rf"(?:{_NUMBER}\s*\*\s*{_COLUMN}|{_COLUMN}\s*\*\s*{_NUMBER}|{_NUMBER}|{_COLUMN})"
_SUM = rf"(?:-\s*)?{_TERM}(?:\s+[-+]\s+{_TERM})*"
_ATOM = re.compile(rf"(?<![\w.`*+-])({_SUM})\s*(<=|>=|==|!=|<|>)\s*({_SUM})(?!\s*\*)")
_PIECE = re.compile(
    rf"([-+])?\s*(?:({_NUMBER})\s*\*\s*({_COLUMN})|({_COLUMN})\s*\*\s*({_NUMBER})|({_NUMBER})|({_COLUMN}))"
)
_QUOTED = re.compile(r"\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*'")
_REMEDY = 'Write for example: "paid <= 12 * income", "end - start >= 0", "not (status == student and income > 50000)".'
_HAIR = 1e-9


@dataclass(frozen=True)
class Linear:
    """A weighted sum of columns and a constant.

    Attributes:
        weights: Column to its weight.
        constant: Added.
    """

    weights: dict[str, float]
    constant: float

    def of(self, column: Callable[[str], pd.Series]) -> pd.Series:
        """Return (n,) sums; what is zero but for rounding is zero, and missing cells make it missing."""
        total: np.ndarray | float = self.constant
        size: np.ndarray | float = abs(self.constant)
        for name, weight in self.weights.items():
            cells = weight * numbers(column(name), name)
            total, size = total + cells, size + np.abs(cells)
        found = np.asarray(total, dtype=np.float64)
        return pd.Series(np.where(np.abs(found) <= _HAIR * size, 0.0, found))


@dataclass(frozen=True)
class Rule:
    """One rule.

    Attributes:
        text: As it was written.
        expression: Over columns, and over sums named ``#0``, ``#1`` and so on.
        sums: Name to sum.
    """

    text: str
    expression: scenario.Expression
    sums: dict[str, Linear]

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns that it reads."""
        named = [name for name in scenario.columns(self.expression) if name not in self.sums]
        return tuple(dict.fromkeys([*named, *(name for one in self.sums.values() for name in one.weights)]))

    @property
    def linear(self) -> tuple[Linear, str] | None:
        """The sum and how it compares with 0, where that is all that the rule says; None: it says more."""
        test = self.expression
        if (
            isinstance(test, scenario.Test)
            and test.column in self.sums
            and test.operator in ("<", "<=", ">", ">=", "==")
        ):
            return self.sums[test.column], test.operator
        return None

    def holds(self, column: Callable[[str], pd.Series]) -> np.ndarray:
        """Return (n,) bool.

        Raises:
            InputError: ``scenario.type`` or ``evasion.rule`` if a column cannot be compared so.
        """
        return scenario.evaluate(
            self.expression, lambda name: self.sums[name].of(column) if name in self.sums else column(name)
        )


def numbers(cells: pd.Series, name: str) -> np.ndarray:
    """Return (n,) float64: numbers, truth values as 0 and 1, dates as days.

    Raises:
        InputError: ``evasion.rule`` for texts.
    """
    if pd.api.types.is_datetime64_any_dtype(cells):
        days = cells.astype("datetime64[us]").astype("int64").to_numpy() / 8.64e10
        return np.where(cells.isna().to_numpy(), np.nan, days)
    if pd.api.types.is_numeric_dtype(cells):
        return np.asarray(cells.to_numpy(dtype=np.float64, na_value=np.nan))
    raise InputError("evasion.rule", f'the column "{name[:80]}" holds no numbers to be summed.', remedy=_REMEDY)


def read(texts: Sequence[object], names: Sequence[str]) -> tuple[Rule, ...]:
    """Return the rules that texts state.

    Args:
        texts: As declared.
        names: Columns that the model sees.

    Raises:
        InputError: ``evasion.rule`` or ``scenario.syntax``.
    """
    if len(texts) > MOST:
        raise InputError("evasion.rule", f"{len(texts)} rules are too many.", remedy=f"State at most {MOST}.")
    return tuple(_read(str(text), frozenset(names)) for text in texts)


def _read(text: str, names: frozenset[str]) -> Rule:
    if len(text) > scenario.MAX_LENGTH:
        scenario.parse(text)
    sums: dict[str, Linear] = {}
    masked = _QUOTED.sub(lambda found: '"' * len(found.group()), text)

    def shortened(found: re.Match[str]) -> str:
        left, mark, right = found.group(1), found.group(2), found.group(3)
        plain = re.fullmatch(_COLUMN, left) and (
            re.fullmatch(rf"-?{_NUMBER}", right) or (re.fullmatch(_COLUMN, right) and right.strip("`") not in names)
        )
        if plain:
            return found.group()
        one, other = _sum(left, names), _sum(right, names)
        weights = {
            name: one.weights.get(name, 0.0) - other.weights.get(name, 0.0)
            for name in dict.fromkeys([*one.weights, *other.weights])
        }
        name = f"#{len(sums)}"
        sums[name] = Linear(weights, one.constant - other.constant)
        return f"`{name}` {mark} 0"

    parts, at = [], 0
    for found in _ATOM.finditer(masked):
        parts += [text[at : found.start()], shortened(found)]
        at = found.end()
    expression = scenario.parse("".join([*parts, text[at:]]))
    rule = Rule(text, expression, sums)
    unknown = [name for name in rule.columns if name not in names]
    if unknown:
        raise InputError(
            "evasion.rule", f'rule "{text[:80]}": the model sees no column "{unknown[0][:80]}".', remedy=_REMEDY
        )
    return rule


def _sum(text: str, names: frozenset[str]) -> Linear:
    weights: dict[str, float] = {}
    constant = 0.0
    for piece in _PIECE.finditer(text):
        sign = -1.0 if piece.group(1) == "-" else 1.0
        number = piece.group(2) or piece.group(5) or piece.group(6)
        column = piece.group(3) or piece.group(4) or piece.group(7)
        if column is None:
            constant += sign * float(number)
            continue
        name = column.strip("`")
        if name not in names:
            raise InputError("evasion.rule", f'"{name[:80]}" is no column that the model sees.', remedy=_REMEDY)
        weights[name] = weights.get(name, 0.0) + sign * (float(number) if number else 1.0)
    return Linear(weights, constant)
