"""Rules: a decision table that people wrote, read from YAML: first rule that holds answers.

::

    rules: 1
    table:
      - {when: "amount > 10000 and age < 21", answer: bad, because: large loan, young borrower}
      - {when: "checking_account == 'no account'", answer: good, because: no account was ever overdrawn}
    otherwise: ask            # or an answer

Conditions are scenario expressions (:mod:`fivefold.manifest.scenario`): no calls, no arithmetic, always an answer. A
table is total: what no rule decides goes on down the ladder (``ask``) or gets the answer under ``otherwise``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from fivefold.errors import InputError
from fivefold.manifest import scenario, tree

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from fivefold.manifest.tree import Node

MAX_RULES = 1000
"""Most rules of a table."""
ASK = -1
"""Which rule decided: none, somebody else is asked."""
_REMEDY = 'Write {rules: 1, table: [{when: "age < 21", answer: LABEL, because: TEXT}], otherwise: ask}.'


@dataclass(frozen=True)
class Rule:
    """One row of the table.

    Attributes:
        when: The condition as written.
        condition: The same, read; None: it always holds.
        answer: Index of the answer's class, or a value of a regression.
        because: The reason in plain words.
    """

    when: str
    condition: scenario.Expression | None
    answer: int | float
    because: str


@dataclass(frozen=True)
class Rules:
    """A decision table.

    Attributes:
        table: In order; the one under ``otherwise`` is the last.
    """

    table: tuple[Rule, ...]

    def decide(self, rows: pd.DataFrame) -> np.ndarray:
        """Return (n,) which rule decides each row; :data:`ASK` where none does."""
        found = np.full(len(rows), ASK, dtype=np.int64)
        for at, rule in enumerate(self.table):
            free = found == ASK
            held = free if rule.condition is None else scenario.evaluate(rule.condition, lambda name: rows[name])
            found[free & held] = at
            if not (found == ASK).any():
                break
        return found


def read(raw: bytes, example: pd.DataFrame, classes: Sequence[str], *, name: str = "rules") -> Rules:
    """Read a table and hold it against the model's columns and answers.

    Args:
        raw: YAML.
        example: At least one row of what the model is given, with its types.
        classes: The answers that there are; empty: numbers.
        name: Of its file, for messages.

    Raises:
        InputError: ``rules.form``, ``rules.column``, ``rules.answer``, or the condition's own, each with its line.
    """
    top, problems = tree.grow(raw, name)
    if problems:
        raise InputError("rules.form", problems[0].message, where=problems[0].where, remedy=_REMEDY)
    fields = (top.fields if top is not None else None) or {}
    version, table = fields.get("rules"), fields.get("table")
    if top is None or version is None or version.text != "1" or set(fields) - {"rules", "table", "otherwise"}:
        raise _form("this is no table of rules, version 1", name, top.line if top else 1)
    rows = (table.items if table is not None else None) or []
    if not 0 < len(rows) <= MAX_RULES:
        raise _form(f"a table has 1 to {MAX_RULES} rules", name, top.line)
    reading = _Reading(name, example, tuple(classes))
    found = [reading.rule(row) for row in rows]
    last = fields.get("otherwise")
    if last is not None and last.text != "ask":
        found.append(Rule("", None, reading.answer(last), "no rule above holds"))
    return Rules(tuple(found))


@dataclass(frozen=True)
class _Reading:
    name: str
    example: pd.DataFrame
    classes: tuple[str, ...]

    def rule(self, row: Node) -> Rule:
        fields = row.fields or {}
        if set(fields) != {"when", "answer", "because"} or any(node.text is None for node in fields.values()):
            raise _form("a rule has when, answer and because", self.name, row.line)
        when, because = str(fields["when"].text), str(fields["because"].text)
        try:
            condition = scenario.parse(when)
            scenario.evaluate(condition, self._column)
        except InputError as error:
            where = f"{self.name}:{fields['when'].line}"
            raise InputError(error.code, error.message, where=where, remedy=error.remedy or _REMEDY) from None
        return Rule(when, condition, self.answer(fields["answer"]), because)

    def _column(self, name: str) -> pd.Series:
        if name not in self.example.columns:
            raise InputError("rules.column", f"the model is given no column {name[:80]!r}.")
        return self.example[name]

    def answer(self, node: Node) -> int | float:
        text = node.text or ""
        if self.classes:
            if text not in self.classes:
                raise self._odd(node, f"{text[:40]!r} is none of the answers {', '.join(self.classes[:10])}")
            return self.classes.index(text)
        try:
            number = float(text)
        except ValueError:
            number = float("nan")
        if not np.isfinite(number):
            raise self._odd(node, f"{text[:40]!r} is no number")
        return number

    def _odd(self, node: Node, message: str) -> InputError:
        return InputError("rules.answer", f"{message}.", where=f"{self.name}:{node.line}", remedy=_REMEDY)


def _form(message: str, name: str, line: int) -> InputError:
    return InputError("rules.form", f"{message}.", where=f"{name}:{line}", remedy=_REMEDY)
