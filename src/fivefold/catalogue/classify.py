"""Classify: answers about an application's use give a level, by rules published in ``rules/classify.toml`` (row A1)."""

from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path
from typing import Any, Literal, get_args

import msgspec

Output = Literal["statistic", "label", "score", "forecast", "recommendation", "decision", "action"]
Acts = Literal["human", "system", "nobody"]
Within = Literal["seconds", "minutes", "days"]


class Answers(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How the output of an application is used.

    Attributes:
        output: What the output is.
        acts: Who acts on it.
        alone: It acts without a person in between.
        reversible: What is done on it can be undone.
        within: How soon something is done on it.
    """

    output: Output
    acts: Acts = "human"
    alone: bool = False
    reversible: bool = True
    within: Within = "days"


class Rule(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One rule: where every answer that ``when`` names is among those listed, the level is at least this one."""

    when: dict[str, tuple[str | bool, ...]]
    level: int
    because: str

    def fits(self, answers: Answers) -> bool:
        """Whether it applies to these answers."""
        return all(getattr(answers, name) in allowed for name, allowed in self.when.items())


class Proposal(msgspec.Struct, frozen=True, kw_only=True):
    """A level, and why.

    Attributes:
        level: 1 to 5.
        reasons: Of the rules that propose it, then of the others, highest first.
    """

    level: int
    reasons: tuple[str, ...]


@cache
def rules() -> tuple[Rule, ...]:
    """Return the published rules in their order."""
    text = (Path(__file__).parent / "rules" / "classify.toml").read_text(encoding="utf-8")
    return msgspec.convert(tomllib.loads(text)["rule"], tuple[Rule, ...])


def propose(answers: Answers) -> Proposal:
    """Return the highest level that a rule proposes; there is one for every combination of answers."""
    fitting = sorted((rule for rule in rules() if rule.fits(answers)), key=lambda rule: -rule.level)
    return Proposal(level=fitting[0].level, reasons=tuple(rule.because for rule in fitting))


def options() -> dict[str, tuple[Any, ...]]:
    """Return every question with its possible answers."""
    return {
        "output": get_args(Output),
        "acts": get_args(Acts),
        "alone": (False, True),
        "reversible": (True, False),
        "within": get_args(Within)[::-1],
    }
