"""Terms: what the manifest declares under ``controls.C3``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeGuard

from fivefold.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping

MODELS = ("model", "ensemble", "simpler")
"""Rungs that answer where they are sure enough."""
LEVELS = (*MODELS, "rules", "human", "refuse")
RISK, DELTA, RATE, DEADLINE = 0.05, 0.05, 0.01, 24.0
_KEYS = frozenset({"risk", "delta", "levels", "rules", "group", "tolerance", "false_alarms", "deadline"})


@dataclass(frozen=True)
class Terms:
    """How answers fall back.

    Attributes:
        levels: The ladder from the top; what no rung decides is refused.
        risk: Highest share of wrong ones among the answers of each rung.
        delta: Probability that the draw of the calibration rows breaks that, all rungs and groups together.
        rules: File of the decision table; empty: none.
        group: Column for each of whose values the risk is held; empty: none.
        tolerance: Regression: an answer that is off by more is wrong.
        false_alarms: Probability that a shift is ever told of rows that come from where the calibration rows came.
        deadline: Hours that a person has.
    """

    levels: tuple[str, ...] = ("model", "refuse")
    risk: float = RISK
    delta: float = DELTA
    rules: str = ""
    group: str = ""
    tolerance: float | None = None
    false_alarms: float = RATE
    deadline: float = DEADLINE

    @property
    def models(self) -> tuple[str, ...]:
        """The rungs that need a threshold."""
        return tuple(level for level in self.levels if level in MODELS)


def terms(options: Mapping[str, Any], *, regression: bool, columns: tuple[str, ...]) -> Terms:
    """Read them.

    Args:
        options: As declared.
        regression: Whether answers are numbers.
        columns: That the model is given; empty: it is given no table.

    Raises:
        InputError: ``fallback.terms``.
    """
    unknown = sorted(set(options) - _KEYS)
    if unknown:
        raise _odd(f"controls.C3 has no key {unknown[0][:40]!r}", f"The keys are: {', '.join(sorted(_KEYS))}.")
    levels = options.get("levels", ("model", "rules", "human") if options.get("rules") else ("model", "human"))
    order = [LEVELS.index(level) for level in levels if level in LEVELS] if isinstance(levels, list | tuple) else []
    if not order or len(order) != len(levels) or order != sorted(set(order)) or levels[0] != "model":
        raise _odd("controls.C3.levels is no ladder", f"Write some of these in this order: {', '.join(LEVELS)}.")
    rules, group = str(options.get("rules", "")), str(options.get("group", ""))
    if ("rules" in levels) != bool(rules):
        raise _odd("the rung rules and controls.C3.rules go together", "Name the file of the decision table.")
    if (rules or group) and not columns:
        raise _odd("rules and groups need a model that is given a table", "Leave them out.")
    if group and group not in columns:
        raise _odd(f"the model is given no column {group[:40]!r}", f"Columns: {', '.join(columns[:12])}.")
    shares = {name: options.get(name, default) for name, default in _SHARES.items()}
    for name, value in shares.items():
        if not (_number(value) and 0 < value < 1):
            raise _odd(f"controls.C3.{name} lies between 0 and 1", f"Write for example {name}: {_SHARES[name]}.")
    tolerance, deadline = options.get("tolerance"), options.get("deadline", DEADLINE)
    if regression and not (_number(tolerance) and tolerance > 0):
        raise _odd("a model of numbers needs controls.C3.tolerance", "Say by how much an answer may be off.")
    if not _number(deadline) or not 0 < deadline <= 24 * 365:
        raise _odd("controls.C3.deadline is a number of hours", "Write for example deadline: 24.")
    ladder = tuple(levels) if levels[-1] == "refuse" else (*levels, "refuse")
    return Terms(ladder, shares["risk"], shares["delta"], rules, group, tolerance, shares["false_alarms"], deadline)


_SHARES = {"risk": RISK, "delta": DELTA, "false_alarms": RATE}


def _number(value: Any) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _odd(message: str, remedy: str) -> InputError:
    return InputError("fallback.terms", f"{message}.", remedy=remedy)
