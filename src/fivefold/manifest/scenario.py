"""Scenario expressions: a tiny closed language that names parts of the data, with a parser and a reader of its own.

Grammar (nothing else exists: no calls, no arithmetic, no attributes)::

    expression := conjunction ("or" conjunction)*
    conjunction := negation ("and" negation)*
    negation   := "not" negation | "(" expression ")" | test
    test       := column comparison value | column ["not"] "in" "[" value ("," value)* "]"
                | column "is" ["not"] "missing" | column ["is"] "missing"
    comparison := "<" | "<=" | ">" | ">=" | "==" | "!="
    column     := a name, or any text in back quotes
    value      := a number, a text in quotes, true, false, a date such as 2024-01-31, or a bare word

A missing value makes every test false, also ``!=`` and ``not in``; only ``missing`` asks for it. ``not`` turns the
finished answer, so ``not age < 25`` holds where age is missing.
"""

from __future__ import annotations

import math
import operator
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from fivefold.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import numpy as np
    import pandas as pd

MAX_LENGTH = 2000
"""Longest expression in characters."""

MAX_DEPTH = 50
"""Deepest nesting of brackets and ``not``."""

Value = str | float | bool


@dataclass(frozen=True)
class Test:
    """One column against values; ``in`` has several, ``missing`` none."""

    __test__ = False

    column: str
    operator: Literal["<", "<=", ">", ">=", "==", "!=", "in", "missing"]
    against: tuple[Value, ...] = ()


@dataclass(frozen=True)
class Not:
    """The opposite of an expression."""

    inner: Expression


@dataclass(frozen=True)
class Both:
    """``and`` or ``or`` of two or more expressions."""

    word: Literal["and", "or"]
    parts: tuple[Expression, ...]


Expression = Test | Not | Both

_TOKEN = re.compile(
    r"""\s*(?:
      (?P<date>\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}(?::\d{2})?)?(?![\w.]))
    | (?P<number>[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?(?![\w.]))
    | (?P<text>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')
    | (?P<column>`[^`]+`)
    | (?P<word>[^\W\d]\w*(?:[.-]\w+)*)
    | (?P<mark><=|>=|==|!=|<|>|\(|\)|\[|\]|,)
    )""",
    re.VERBOSE,
)
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_COMPARISONS = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}
_WORDS = frozenset({"and", "or", "not", "in", "is", "missing"})
_REMEDY = 'Write for example: age < 25, amount > 10000 and sex == "female", state in ["A", "B"], income missing.'


def _refuse(text: str, at: int, wanted: str) -> InputError:
    near = text[at : at + 20].strip() or "the end"
    message = f'the expression cannot be read at "{near}" (character {at + 1}): expected {wanted}.'
    return InputError("scenario.syntax", message, remedy=_REMEDY)


@dataclass(frozen=True)
class _Token:
    kind: str
    text: str
    at: int


def _tokens(text: str) -> Iterator[_Token]:
    at = 0
    while text[at:].strip():
        found = _TOKEN.match(text, at)
        if found is None or found.lastgroup is None:
            raise _refuse(text, at + len(text[at:]) - len(text[at:].lstrip()), "a column, a value or a comparison")
        yield _Token(found.lastgroup, found.group(found.lastgroup), found.start(found.lastgroup))
        at = found.end()
    yield _Token("end", "", len(text))


class _Parser:
    """Recursive descent over the tokens, with a bound on depth."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens = list(_tokens(text))
        self.place = 0

    @property
    def next(self) -> _Token:
        return self.tokens[self.place]

    def take(self, *texts: str) -> bool:
        if self.next.kind in ("word", "mark") and self.next.text in texts:
            self.place += 1
            return True
        return False

    def need(self, text: str) -> None:
        if not self.take(text):
            raise _refuse(self.text, self.next.at, f'"{text}"')

    def joined(self, word: Literal["and", "or"], depth: int) -> Expression:
        part = self.negation if word == "and" else lambda level: self.joined("and", level)
        parts = [part(depth)]
        while self.take(word):
            parts.append(part(depth))
        return parts[0] if len(parts) == 1 else Both(word, tuple(parts))

    def negation(self, depth: int) -> Expression:
        if depth > MAX_DEPTH:
            raise _refuse(self.text, self.next.at, "less nesting")
        if self.take("not"):
            return Not(self.negation(depth + 1))
        if self.take("("):
            inner = self.joined("or", depth + 1)
            self.need(")")
            return inner
        return self.test()

    def test(self) -> Expression:
        column = self.column()
        if self.take("is"):
            opposite = self.take("not")
            self.need("missing")
            found = Test(column, "missing")
            return Not(found) if opposite else found
        if self.take("missing"):
            return Test(column, "missing")
        if self.take("in"):
            return Test(column, "in", self.values())
        if self.take("not"):
            self.need("in")
            values = self.values()
            return Both("and", (Not(Test(column, "missing")), Not(Test(column, "in", values))))
        mark = self.next
        if mark.kind != "mark" or mark.text not in (*_COMPARISONS, "==", "!="):
            raise _refuse(self.text, mark.at, "a comparison (< <= > >= == !=), in, or missing")
        self.place += 1
        return Test(column, mark.text, (self.value(),))  # type: ignore[arg-type]

    def column(self) -> str:
        token = self.next
        if token.kind == "column":
            self.place += 1
            return token.text[1:-1]
        if token.kind == "word" and token.text not in _WORDS:
            self.place += 1
            return token.text
        raise _refuse(self.text, token.at, "the name of a column (in back quotes if it has spaces)")

    def values(self) -> tuple[Value, ...]:
        self.need("[")
        found = [self.value()]
        while self.take(","):
            found.append(self.value())
        self.need("]")
        return tuple(found)

    def value(self) -> Value:
        token = self.next
        self.place += 1
        if token.kind == "number" and math.isfinite(float(token.text)):
            return float(token.text)
        if token.kind == "text":
            return re.sub(r"\\(.)", r"\1", token.text[1:-1])
        if token.kind == "date":
            return token.text
        if token.kind == "word" and token.text not in _WORDS:
            return token.text == "true" if token.text in ("true", "false") else token.text
        raise _refuse(self.text, token.at, "a number, a text in quotes, true, false or a date")


def parse(text: str) -> Expression:
    """Return the expression that ``text`` says.

    Raises:
        InputError: ``scenario.syntax`` if it is not in the grammar or longer than ``MAX_LENGTH``.
    """
    if len(text) > MAX_LENGTH:
        raise InputError("scenario.syntax", f"the expression has more than {MAX_LENGTH} characters.", remedy=_REMEDY)
    parser = _Parser(text)
    found = parser.joined("or", 0)
    if parser.next.kind != "end":
        raise _refuse(text, parser.next.at, '"and", "or" or the end')
    return found


def columns(expression: Expression) -> tuple[str, ...]:
    """Return the columns that an expression reads, in order, each once."""
    if isinstance(expression, Test):
        return (expression.column,)
    parts = (expression.inner,) if isinstance(expression, Not) else expression.parts
    return tuple(dict.fromkeys(name for part in parts for name in columns(part)))


def evaluate(expression: Expression, column: Callable[[str], pd.Series]) -> np.ndarray:
    """Return which rows an expression names.

    Numbers compare with numeric columns, and with text columns whose cells are numbers; texts compare with the
    cell's text; on a date column, or between two texts that both are dates, the comparison is by time.

    Args:
        expression: What :func:`parse` returned.
        column: Gives (n,) values by column name.

    Returns:
        (n,) bool; a missing value is never part of a test.

    Raises:
        InputError: ``scenario.type`` if a column and a value cannot be compared.
        KeyError: From ``column``, if there is no such column.
    """
    if isinstance(expression, Test):
        return _test(expression, column(expression.column))
    if isinstance(expression, Not):
        return ~evaluate(expression.inner, column)
    answer = evaluate(expression.parts[0], column)
    for part in expression.parts[1:]:
        other = evaluate(part, column)
        answer = answer & other if expression.word == "and" else answer | other
    return answer


def _test(test: Test, values: pd.Series) -> np.ndarray:
    missing = values.isna()
    if test.operator == "missing":
        return _mask(missing)
    if test.operator in _COMPARISONS:
        left, right = _ordered(test, values, test.against[0])
        return _mask(_COMPARISONS[test.operator](left, right).fillna(value=False).astype(bool) & ~missing)
    same = _equal(values, test.against[0])
    for value in test.against[1:]:
        same = same | _equal(values, value)
    return _mask((~same if test.operator == "!=" else same) & ~missing)


def _mask(answer: pd.Series) -> np.ndarray:
    found: np.ndarray = answer.to_numpy(dtype=bool)
    return found


def _kind(values: pd.Series) -> str:
    """Return ``boolean``, ``date``, ``number`` or ``text``."""
    kind = values.dtype.kind
    if kind in "OTU" or str(values.dtype) in ("category", "string", "str"):
        return "text"
    return {"b": "boolean", "M": "date"}.get(kind, "number" if kind in "iuf" else "text")


def _numbers(values: pd.Series) -> pd.Series:
    import pandas as pd

    return pd.to_numeric(values.astype(object), errors="coerce").astype(float)


def _dates(values: Any) -> Any:
    import pandas as pd

    return pd.to_datetime(values, errors="coerce", format="ISO8601", utc=True)


def _ordered(test: Test, values: pd.Series, value: Value) -> tuple[pd.Series, Any]:
    kind = _kind(values)
    if isinstance(value, bool):
        raise _incomparable(test, "true and false have no order")
    if isinstance(value, float):
        if kind == "date":
            raise _incomparable(test, "the column holds dates")
        numbers = _numbers(values)
        if kind == "text" and not bool(numbers.notna().any()) and bool(values.notna().any()):
            raise _incomparable(test, "the column holds texts")
        return numbers, value
    if kind in ("number", "boolean"):
        raise _incomparable(test, "the column holds numbers")
    moment = _dates(value) if _DATE.match(value) else None
    if moment is not None and str(moment) != "NaT":
        moments = _dates(values)
        if not bool(moments.notna().any()) and bool(values.notna().any()):
            raise _incomparable(test, "the column holds no dates of the form 2024-01-31")
        return moments, moment
    if kind == "date":
        raise _incomparable(test, "the column holds dates")
    return values.astype(str), value


def _equal(values: pd.Series, value: Value) -> pd.Series:
    kind = _kind(values)
    if isinstance(value, bool):
        if kind == "number":
            return _numbers(values) == float(value)
        return values.astype(str).str.lower() == str(value).lower()
    if isinstance(value, float):
        return _numbers(values) == value
    if kind == "date":
        same: pd.Series = (_dates(values) == _dates(value)).fillna(value=False)
        return same
    if kind == "number":
        return _numbers(values) == _number_or_nan(value)
    return values.astype(str) == value


def _number_or_nan(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


def _incomparable(test: Test, why: str) -> InputError:
    shown = ", ".join(str(value) for value in test.against)
    message = f'the column "{test.column}" cannot be compared ({test.operator} {shown}): {why}.'
    return InputError("scenario.type", message, remedy="Compare numbers with numbers and dates with dates.")
